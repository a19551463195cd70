"""A model as a folder in the diffusers layout, both ways.

    model_index.json                            which pipeline and components
    unet/config.json                            the network's options
    unet/diffusion_pytorch_model.safetensors    its weights
    scheduler/scheduler_config.json             schedule, prediction, sampler
    diffuscope.json                             what that layout has no field for: labels, licence, provenance

Folders in which everything lies flat are opened as well. ``read_info`` and ``find_model`` need no torch.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.dataspec import ImageSpec
from core.errors import Refusal
from core.json_file import Fields, read_json
from core.messages import ModelInfo
from core.requests import ModelRef
from core.scheduler_config import SchedulerSays, read_scheduler, write_scheduler
from core.unet_config import UNetConfig, unknown_fields
from core.weights_file import WeightsFile, digest, look_through

if TYPE_CHECKING:
    from torch import Tensor

    from core.unet import UNet

BUNDLED = Path(__file__).resolve().parent.parent / "resources" / "models"

_PIPELINES = ("DDPMPipeline", "DDIMPipeline", "PNDMPipeline")
_WEIGHTS = "diffusion_pytorch_model"
_OWN_FILE = "diffuscope.json"
_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_MIDDLE_NORM = "mid_block.attentions.0.group_norm.weight"


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A model with its weights in memory: ``network`` float32 on the CPU; ``notes`` are for the person."""

    info: ModelInfo
    spec: ImageSpec
    network: UNet
    config: UNetConfig
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
    path = Path(name_or_path).expanduser()
    if path.is_file():
        path = path.parent
    if path.name in ("unet", "scheduler") and (path.parent / "unet" / "config.json").is_file():
        path = path.parent
    if path.is_dir():
        return path
    names = ", ".join(bundled_models()) or "none"
    raise Refusal(f"There is no model “{name_or_path}”. Give a model's folder, or one of the bundled names: {names}.")


def read_info(path: str | Path) -> ModelInfo:
    """What a model folder says about itself, without loading its weights. Raises Refusal where it cannot be opened."""
    return _read_folder(find_model(path)).info


def open_model(path: str | Path, device: str = "auto") -> OpenModel:
    """Open a model folder. Raises Refusal, in words, for everything that is not exactly covered.

    ``info.precision`` is what "auto" means for this network on ``device``; the network itself stays on the CPU.
    """
    from core.device import auto_precision, pick_device

    contents = _read_folder(find_model(path))
    network = _load_network(contents.config, contents.weights)
    spec = ImageSpec(contents.info.event_shape)
    precision = auto_precision(pick_device(device), network.flops(*spec.size))
    info = replace(contents.info, precision=precision)
    return OpenModel(info, spec, network, contents.config, contents.folder, contents.notes)


def save_model(
    folder: str | Path,
    network: UNet,
    info: ModelInfo,
    *,
    provenance: Mapping[str, Any] | None = None,
    half: bool = False,
) -> ModelInfo:
    """Write a folder that diffusers opens too; other files in it stay. Returns ``info`` as the folder now says it.

    The size comes from ``info.event_shape``, which is (channels, height, width). ``half`` stores the weights as
    float16, half as large. A file is replaced as a whole or not at all; a new folder appears when it is complete.
    ``provenance`` is any JSON object: data, recipe, measured quality. Raises Refusal where it cannot be written.
    """
    import torch
    from safetensors.torch import save_file

    folder = Path(folder)
    config = replace(network.config, sample_size=(info.event_shape[1], info.event_shape[2]))
    says = SchedulerSays(info.schedule, info.prediction, info.sampler, info.spacing, info.final_alpha_bar)
    scheduler = write_scheduler(says)
    dtype = torch.float16 if half else torch.float32
    tensors = {
        name: tensor.detach().to("cpu", dtype, copy=True, memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
    with _written_whole(folder) as staging:
        _write_json(staging / "unet" / "config.json", {"_class_name": "UNet2DModel", **_network_json(config)})
        _write_json(staging / "scheduler" / "scheduler_config.json", scheduler)
        _write_json(staging / "model_index.json", _index_json(scheduler["_class_name"]))
        _write_json(staging / _OWN_FILE, _own_json(info, provenance))
        save_file(tensors, staging / "unet" / f"{_WEIGHTS}.safetensors", metadata={"format": "pt"})
    return read_info(folder)


@dataclass(frozen=True, slots=True)
class _Contents:
    """A folder that has been looked through, its weights not yet read."""

    folder: Path
    config: UNetConfig
    weights: tuple[WeightsFile, ...]
    info: ModelInfo
    notes: tuple[str, ...]


def _read_folder(folder: Path) -> _Contents:
    notes: list[str] = []
    index = _inside(folder, "model_index.json")
    if index is not None:
        _check_index(read_json(index))
    config_file = _inside(folder, "unet/config.json") or _inside(folder, "config.json")
    if config_file is None:
        raise Refusal(
            f"“{folder.name}” is not a model folder: it has neither unet/config.json nor config.json. "
            "Choose the folder that holds model_index.json.",
            str(folder),
        )
    data = read_json(config_file)
    network_class = data.get("_class_name", "UNet2DModel")
    if network_class != "UNet2DModel":
        raise Refusal(f"This model's network is a {str(network_class)[:60]}; Diffuscope opens UNet2DModel.")
    config = UNetConfig.from_json(data)
    if unknown_fields(data):
        notes.append("Fields without a meaning for the network: " + ", ".join(unknown_fields(data)) + ".")
    weights = _weights(folder, config_file.parent, notes)
    unnormalised = config.resnet_time_scale_shift == "scale_shift" and config.attn_norm_num_groups is None
    if unnormalised and any(_MIDDLE_NORM in file.shapes for file in weights):
        config = replace(config, attn_norm_num_groups=config.norm_num_groups)
        notes.append("The attention in the middle is normalised: the weights are of the age when it always was.")
    says = _scheduler(folder, notes)
    info = _info(folder, config, says, weights)
    return _Contents(folder, config, weights, info, (*notes, *says.notes))


def _inside(folder: Path, name: str) -> Path | None:
    """The file of this name, or None. Refuses links that lead out of the folder.

    The cache of the hub is one folder although its snapshots link to blobs that lie beside them.
    """
    path = folder / name
    if not path.is_file():
        return None
    real, home = path.resolve(), folder.resolve()
    in_hub_cache = home.parent.name == "snapshots" and real.is_relative_to(home.parent.parent / "blobs")
    if not (real.is_relative_to(home) or in_hub_cache):
        raise Refusal(
            f"{name} is a link that leads out of the model's folder; it is not followed.", f"{path} -> {real}"
        )
    return path


def _check_index(index: Mapping[str, Any]) -> None:
    pipeline = index.get("_class_name", "DDPMPipeline")
    parts = {
        name: part for name, part in index.items() if not name.startswith("_") and part not in (None, [None, None])
    }
    for name in parts:
        if name in ("vae", "vqvae", "text_encoder"):
            raise Refusal(
                "This model works on a hidden code of pictures or on text; Diffuscope opens pixel-space models."
            )
    if pipeline not in _PIPELINES:
        raise Refusal(f"This model belongs to {str(pipeline)[:60]}; Diffuscope opens {', '.join(_PIPELINES)}.")
    for name, part in parts.items():
        if name not in ("unet", "scheduler"):
            raise Refusal(f"This model has a part that Diffuscope does not know: {name[:60]}.")
        if not isinstance(part, list) or len(part) != 2 or part[0] != "diffusers":
            raise Refusal(
                f"This model brings program code of its own ({name}), which Diffuscope does not run.", str(part)
            )


def _weights(folder: Path, home: Path, notes: list[str]) -> tuple[WeightsFile, ...]:
    """The plain file, else its half-precision variant, else the shards."""
    within = home.relative_to(folder)
    for name in (f"{_WEIGHTS}.safetensors", f"{_WEIGHTS}.fp16.safetensors"):
        path = _inside(folder, str(within / name))
        if path is not None:
            if "fp16" in name:
                notes.append("Only weights in half precision are there; they are computed with in full.")
            return (look_through(path),)
    index = _inside(folder, str(within / f"{_WEIGHTS}.safetensors.index.json"))
    if index is not None:
        return _shards(folder, within, read_json(index))
    if (home / f"{_WEIGHTS}.bin").is_file():
        raise Refusal(
            "This model's weights are a .bin file, a format that can hide programs. Get them as .safetensors "
            "(most models offer both), or convert them where you trust their source."
        )
    raise Refusal(
        f"The weights are missing: there is no {within / _WEIGHTS}.safetensors in “{folder.name}”.", str(folder)
    )


def _shards(folder: Path, within: Path, index: Mapping[str, Any]) -> tuple[WeightsFile, ...]:
    names = index.get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise Refusal("The list of the weights' files is damaged. Download the model again.")
    files = []
    for name in sorted(set(names.values())):
        path = _inside(folder, str(within / name)) if Path(name).name == name else None
        if path is None:
            raise Refusal(f"A part of the weights is missing: {name[:100]}.", str(folder))
        files.append(look_through(path))
    return tuple(files)


def _scheduler(folder: Path, notes: list[str]) -> SchedulerSays:
    path = _inside(folder, "scheduler/scheduler_config.json") or _inside(folder, "scheduler_config.json")
    if path is None:
        notes.append(
            "The folder has no scheduler: the linear schedule of DDPM is assumed, and that noise is predicted."
        )
        return SchedulerSays()
    return read_scheduler(read_json(path))


def _info(folder: Path, config: UNetConfig, says: SchedulerSays, weights: tuple[WeightsFile, ...]) -> ModelInfo:
    if config.out_channels == 2 * config.in_channels:
        raise Refusal("This model has learned its variance too, which Diffuscope does not compute yet.")
    if config.out_channels != config.in_channels:
        raise Refusal(
            f"This model takes {config.in_channels} channels and answers {config.out_channels}: "
            "it is conditioned on pictures, which Diffuscope does not compute yet."
        )
    if config.class_embed_type is not None:
        raise Refusal("This model is told its class as numbers, not as one of a list, which is not computed yet.")
    if config.sides is None:
        raise Refusal("The configuration does not say how large the model's pictures are (sample_size): add it.")
    if any(side % config.side_multiple for side in config.sides):
        raise Refusal(
            f"The configuration says pictures of {config.sides[0]} × {config.sides[1]} pixels, but the network halves "
            f"them {len(config.block_out_channels) - 1} times: both must be multiples of {config.side_multiple}."
        )
    own_file = _inside(folder, _OWN_FILE)
    own = Fields({} if own_file is None else read_json(own_file), _OWN_FILE)
    labels, null_label = _labels(config, own)
    identity = json.dumps([config.to_json(), says.prediction], sort_keys=True)
    return ModelInfo(
        ref=ModelRef(folder.resolve().name, digest((file.path for file in weights), identity)),
        event_shape=(config.in_channels, *config.sides),
        schedule=says.schedule,
        prediction=says.prediction,
        labels=labels,
        null_label=null_label,
        sampler=says.sampler,
        spacing=says.spacing,
        final_alpha_bar=says.final_alpha_bar,
        parameters=sum(file.parameters for file in weights),
        description=own.text("description"),
        licence=own.text("licence"),
        data_statistics=own.numbers("data_statistics"),
    )


def _labels(config: UNetConfig, own: Fields) -> tuple[tuple[str, ...], int | None]:
    """Names of the classes in index order, and the index that means "no class"."""
    labels, null_label, classes = own.texts("labels"), own.maybe_whole("null_label"), config.num_class_embeds
    if classes is None:
        if labels or null_label is not None:
            raise Refusal(f"{_OWN_FILE} names classes, but the network knows none.")
        return (), None
    if not labels and null_label is None:
        return tuple(str(index) for index in range(classes)), None
    if null_label is not None and not 0 <= null_label < classes:
        raise Refusal(f"{_OWN_FILE} says that the null label is {null_label}, but the network knows {classes} classes.")
    if len(labels) + (null_label is not None) != classes or (null_label is not None and null_label < len(labels)):
        raise Refusal(
            f"{_OWN_FILE} names {len(labels)} classes, but the network knows {classes}, the null label included."
        )
    return labels, null_label


def _load_network(config: UNetConfig, weights: tuple[WeightsFile, ...]) -> UNet:
    """The network with every tensor of the files in its place, once; shapes are compared before any is read."""
    import torch

    from core.unet import UNet

    with torch.device("meta"):
        network = UNet(config)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found: dict[str, tuple[int, ...]] = {}
    for file in weights:
        for name, shape in file.shapes.items():
            if _new_name(name) in found:
                raise Refusal(f"The weights hold {_new_name(name)} twice. Download the model again.")
            found[_new_name(name)] = shape
    _compare(expected, found)
    tensors: dict[str, Tensor] = {}
    for file in weights:
        tensors.update((_new_name(name), tensor) for name, tensor in file.load().items())
    network.load_state_dict(tensors, strict=True, assign=True)
    return network.eval()


def _new_name(name: str) -> str:
    """The present name of a tensor; attention layers had others until 2023."""
    match = re.fullmatch(r"(.*\.attentions\.\d+\.)(query|key|value|proj_attn)(\.\w+)", name)
    return name if match is None else f"{match[1]}{_OLD_ATTENTION[match[2]]}{match[3]}"


def _compare(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    missing, surplus = sorted(expected.keys() - found.keys()), sorted(found.keys() - expected.keys())
    if missing or surplus:
        raise Refusal(
            "The weights do not belong to the network's configuration: "
            f"{len(missing)} tensors are missing, {len(surplus)} are not known.",
            details="\n".join([f"missing: {name}" for name in missing] + [f"unknown: {name}" for name in surplus]),
        )
    for name, shape in expected.items():
        if found[name] != shape:
            raise Refusal(
                f"The weights do not fit the network's configuration: {name} has the shape {found[name]}, not {shape}."
            )


def _network_json(config: UNetConfig) -> dict[str, Any]:
    data = config.to_json()
    height, width = data["sample_size"]
    return {"_diffusers_version": "0.35.0", **data, "sample_size": height if height == width else [height, width]}


def _index_json(scheduler: str) -> dict[str, Any]:
    return {
        "_class_name": "DDPMPipeline" if scheduler == "DDPMScheduler" else "DDIMPipeline",
        "_diffusers_version": "0.35.0",
        "scheduler": ["diffusers", scheduler],
        "unet": ["diffusers", "UNet2DModel"],
    }


def _own_json(info: ModelInfo, provenance: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "format": 1,
        "description": info.description,
        "licence": info.licence,
        "labels": list(info.labels),
        "null_label": info.null_label,
        "data_statistics": [float(value) for value in info.data_statistics if math.isfinite(value)],
        "provenance": dict(provenance or {}),
    }


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


@contextmanager
def _written_whole(folder: Path) -> Iterator[Path]:
    """A place beside ``folder`` to write to; what is there in the end is moved into it, file by file, each at once."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            yield staging
            files = [path for path in staging.rglob("*") if path.is_file()]
            for path in files:
                with path.open("rb+") as file:
                    os.fsync(file.fileno())
            if not folder.exists():
                staging.chmod(0o755)
                staging.rename(folder)
                return
            for path in files:
                target = folder / path.relative_to(staging)
                target.parent.mkdir(exist_ok=True)
                path.replace(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise Refusal(f"The model cannot be saved to {folder} ({error.strerror or error}).", repr(error)) from error
