"""A model as a folder in the diffusers layout, both ways.

    model_index.json                            which pipeline and components
    unet/config.json                            the network's options
    unet/diffusion_pytorch_model.safetensors    its weights
    scheduler/scheduler_config.json             schedule, prediction, sampler
    diffuscope.json                             what that layout has no field for: labels, licence, provenance

Folders in which everything lies flat are opened as well. ``read_info`` and ``find_model`` need no torch.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.checkpoints.description import Answers
from core.dataspec import ImageSpec
from core.errors import Refusal
from core.files import write_json, written_whole
from core.folder_contents import OWN_FILE, WEIGHTS, read_folder
from core.messages import ModelInfo
from core.network_config import NetworkConfig, class_name
from core.safetensors_file import write_safetensors
from core.scheduler_config import SchedulerSays, write_scheduler
from core.weights_file import OnProgress, never, unheard

if TYPE_CHECKING:
    from core.network import Network

BUNDLED = Path(__file__).resolve().parent.parent / "resources" / "models"

_PARTS = ("unet", "unet_ema", "scheduler", "classifier")
_SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".th")
"""Of files in a model folder that may still be models by themselves."""


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model with its weights in memory: ``network`` float32 on the CPU; ``folder`` is where it lies, a folder or a
    file of weights; ``notes`` are for the person."""

    info: ModelInfo
    spec: ImageSpec
    network: Network
    config: NetworkConfig
    folder: Path
    notes: tuple[str, ...] = ()


def bundled_models() -> tuple[str, ...]:
    """Names of the models that come with the program."""
    if not BUNDLED.is_dir():
        return ()
    return tuple(sorted(folder.name for folder in BUNDLED.iterdir() if (folder / "model_index.json").is_file()))


def find_model(name_or_path: str | Path) -> Path:
    """The folder of a bundled model's name, or of a path to a model folder or a file that belongs to one; else the
    path of a file of weights. Raises Refusal where there is nothing."""
    if str(name_or_path) in bundled_models():
        return BUNDLED / name_or_path
    path = Path(os.path.expanduser(name_or_path))
    if os.path.isfile(path) and not _belongs_to_folder(path):
        return path
    if os.path.isfile(path):
        path = path.parent
    if path.name in _PARTS and any((path.parent / part / "config.json").is_file() for part in _PARTS):
        path = path.parent
    if os.path.isdir(path):
        return _snapshot(path)
    names = ", ".join(bundled_models()) or "none"
    raise Refusal(
        f"There is no model “{name_or_path}”. Give a model's folder, a file of weights, or one of the bundled names: "
        f"{names}."
    )


def _snapshot(folder: Path) -> Path:
    """The state of a model that the hub's cache keeps in a folder (models--google--ddpm-cat-256), else the folder."""
    snapshots = folder / "snapshots"
    if not folder.name.startswith("models--") or not snapshots.is_dir():
        return folder
    newest = sorted((path for path in snapshots.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    return newest[-1] if newest else folder


def _belongs_to_folder(path: Path) -> bool:
    """Whether it is a file of a model folder's own, which says little without the others."""
    home = path.parent.parent if path.parent.name in _PARTS else path.parent
    configurations = ("model_index.json", "config.json", *(f"{part}/config.json" for part in _PARTS))
    if not any((home / name).is_file() for name in configurations):
        return False
    is_shard = re.fullmatch(r".*-\d+-of-\d+\.\w+", path.name) is not None
    return path.name.startswith(WEIGHTS) or is_shard or path.suffix.lower() not in _SUFFIXES


def read_info(path: str | Path) -> ModelInfo:
    """What a model folder says about itself, without loading its weights. Raises Refusal where it cannot be opened."""
    return read_folder(find_model(path)).info


def open_model(
    path: str | Path,
    device: str = "auto",
    answers: Answers | None = None,
    on_progress: OnProgress = unheard,
    check: Callable[[], None] = never,
) -> OpenModel:
    """Open a bundled model, a model folder or a file of weights. Raises Refusal, in words, for everything that is not
    exactly covered.

    ``answers``, ``on_progress`` and ``check`` are those of ``core.checkpoints.opening.open_checkpoint``.
    ``info.precision`` is what "auto" means for this network on ``device``; the network itself stays on the CPU.
    """
    from core.checkpoints.opening import open_checkpoint, refuse_classifier
    from core.device import auto_precision, pick_device

    opened = open_checkpoint(find_model(path), answers or {}, on_progress, check)
    if not isinstance(opened, OpenModel):
        raise refuse_classifier(opened.info.ref.name)
    precision = auto_precision(pick_device(device), opened.network.flops(*opened.spec.size))
    return replace(opened, info=replace(opened.info, precision=precision))


def save_model(
    folder: str | Path,
    network: Network,
    info: ModelInfo,
    *,
    provenance: Mapping[str, Any] | None = None,
    half: bool = False,
    name: str = "",
    on_progress: OnProgress = unheard,
    check: Callable[[], None] = never,
) -> ModelInfo:
    """Write a folder, which diffusers opens too where it has such a network; other files in it stay. Returns ``info``
    as the folder now says it.

    The size comes from ``info.event_shape``, which is (channels, height, width). ``half`` stores the weights as
    float16, half as large; ``name`` is what the model is called where that is not its folder's name. A file is replaced
    as a whole or not at all; a new folder appears when it is complete.
    ``provenance`` is any JSON object: data, recipe, measured quality. ``on_progress`` is told the bytes of weights that
    are written, ``check`` is called meanwhile and may raise: nothing is left then. Raises Refusal where it cannot be
    written.
    """
    import torch

    folder = Path(folder)
    config = replace(network.config, sample_size=(info.event_shape[1], info.event_shape[2]))
    says = SchedulerSays(
        info.schedule,
        info.prediction,
        info.sampler,
        info.spacing,
        info.final_alpha_bar,
        info.steps_offset,
        info.variance,
    )
    scheduler = write_scheduler(says)
    dtype = torch.float16 if half else torch.float32
    with written_whole(folder) as staging:
        write_json(staging / "unet" / "config.json", {"_class_name": class_name(config), **_network_json(config)})
        write_json(staging / "scheduler" / "scheduler_config.json", scheduler)
        write_json(staging / "model_index.json", _index_json(scheduler["_class_name"], class_name(config)))
        write_json(staging / OWN_FILE, _own_json(info, provenance, name))
        with (staging / "unet" / f"{WEIGHTS}.safetensors").open("wb") as file:
            write_safetensors(file, network.state_dict(), {"format": "pt"}, dtype, on_progress, check)
    return read_info(folder)


def _network_json(config: NetworkConfig) -> dict[str, Any]:
    data = config.to_json()
    height, width = data["sample_size"]
    return {"_diffusers_version": "0.35.0", **data, "sample_size": height if height == width else [height, width]}


def _index_json(scheduler: str, network: str) -> dict[str, Any]:
    return {
        "_class_name": "DDPMPipeline" if scheduler == "DDPMScheduler" else "DDIMPipeline",
        "_diffusers_version": "0.35.0",
        "scheduler": ["diffusers", scheduler],
        "unet": ["diffusers", network],
    }


def _own_json(info: ModelInfo, provenance: Mapping[str, Any] | None, name: str) -> dict[str, Any]:
    said = {"guidance": info.usual_guidance, "steps": info.usual_steps}
    usual = {name: value for name, value in said.items() if value is not None}
    return {
        "format": 1,
        **({"name": name} if name else {}),
        "description": info.description,
        "licence": info.licence,
        "labels": list(info.labels),
        "null_label": info.null_label,
        **({} if info.variance == "fixed" else {"variance": info.variance}),
        **({"clip": info.sampler.clip} if info.sampler.clip == "rederive" else {}),
        "data_statistics": [float(value) for value in info.data_statistics if math.isfinite(value)],
        **({"usual": usual} if usual else {}),
        "provenance": dict(provenance or {}),
    }
