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
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.dataspec import ImageSpec
from core.errors import Refusal
from core.files import write_json, written_whole
from core.folder_contents import OWN_FILE, WEIGHTS, read_folder
from core.messages import ModelInfo
from core.network_config import NetworkConfig, class_name, network_of
from core.scheduler_config import SchedulerSays, write_scheduler
from core.weights_file import WeightsFile, fill

if TYPE_CHECKING:
    from core.network import Network

BUNDLED = Path(__file__).resolve().parent.parent / "resources" / "models"

_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model with its weights in memory: ``network`` float32 on the CPU; ``notes`` are for the person."""

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
    """The folder of a bundled model's name, or of a path to a model folder or a file in one. Raises Refusal."""
    if str(name_or_path) in bundled_models():
        return BUNDLED / name_or_path
    path = Path(os.path.expanduser(name_or_path))
    if os.path.isfile(path):
        path = path.parent
    if path.name in ("unet", "scheduler") and (path.parent / "unet" / "config.json").is_file():
        path = path.parent
    if os.path.isdir(path):
        return path
    names = ", ".join(bundled_models()) or "none"
    raise Refusal(f"There is no model “{name_or_path}”. Give a model's folder, or one of the bundled names: {names}.")


def read_info(path: str | Path) -> ModelInfo:
    """What a model folder says about itself, without loading its weights. Raises Refusal where it cannot be opened."""
    return read_folder(find_model(path)).info


def open_model(path: str | Path, device: str = "auto") -> OpenModel:
    """Open a model folder. Raises Refusal, in words, for everything that is not exactly covered.

    ``info.precision`` is what "auto" means for this network on ``device``; the network itself stays on the CPU.
    """
    from core.device import auto_precision, pick_device

    contents = read_folder(find_model(path))
    network = _load_network(contents.config, contents.weights)
    spec = ImageSpec(contents.info.event_shape)
    precision = auto_precision(pick_device(device), network.flops(*spec.size))
    info = replace(contents.info, precision=precision)
    return OpenModel(info, spec, network, contents.config, contents.folder, contents.notes)


def save_model(
    folder: str | Path,
    network: Network,
    info: ModelInfo,
    *,
    provenance: Mapping[str, Any] | None = None,
    half: bool = False,
    name: str = "",
) -> ModelInfo:
    """Write a folder, which diffusers opens too where it has such a network; other files in it stay. Returns ``info``
    as the folder now says it.

    The size comes from ``info.event_shape``, which is (channels, height, width). ``half`` stores the weights as
    float16, half as large; ``name`` is what the model is called where that is not its folder's name. A file is replaced
    as a whole or not at all; a new folder appears when it is complete.
    ``provenance`` is any JSON object: data, recipe, measured quality. Raises Refusal where it cannot be written.
    """
    import torch
    from safetensors.torch import save

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
    tensors = {
        name: tensor.detach().to("cpu", dtype, copy=True, memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
    with written_whole(folder) as staging:
        write_json(staging / "unet" / "config.json", {"_class_name": class_name(config), **_network_json(config)})
        write_json(staging / "scheduler" / "scheduler_config.json", scheduler)
        write_json(staging / "model_index.json", _index_json(scheduler["_class_name"], class_name(config)))
        write_json(staging / OWN_FILE, _own_json(info, provenance, name))
        (staging / "unet" / f"{WEIGHTS}.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))
    return read_info(folder)


def _load_network(config: NetworkConfig, weights: tuple[WeightsFile, ...]) -> Network:
    """The network with every tensor of the files in its place, once."""
    import torch

    with torch.device("meta"):
        network = network_of(config)
    fill(network, weights, _new_name)
    return network.eval()


def _new_name(name: str) -> str:
    """The present name of a tensor; attention layers had others until 2023."""
    match = re.fullmatch(r"(.*\.attentions\.\d+\.)(query|key|value|proj_attn)(\.\w+)", name)
    return name if match is None else f"{match[1]}{_OLD_ATTENTION[match[2]]}{match[3]}"


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
        "provenance": dict(provenance or {}),
    }
