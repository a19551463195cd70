"""What a model folder says, looked through before a single weight is read (``core.model_folder`` tells the layout)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

from core.errors import Refusal
from core.json_file import Fields, read_json
from core.messages import ModelInfo
from core.network_config import NetworkConfig, config_of, unknown_fields
from core.requests import ClipPolicy, ModelRef, SamplerSpec, VarianceKind
from core.scheduler_config import SchedulerSays, read_scheduler
from core.unet_config import UNetConfig
from core.weights_file import WeightsFile, digest, look_through

WEIGHTS = "diffusion_pytorch_model"
OWN_FILE = "diffuscope.json"
MAX_NAME = 200

_PIPELINES = ("DDPMPipeline", "DDIMPipeline", "PNDMPipeline")
_MIDDLE_NORM = "mid_block.attentions.0.group_norm.weight"


@dataclass(frozen=True, slots=True)
class FolderContents:
    """A folder that has been looked through, its weights not yet read."""

    folder: Path
    config: NetworkConfig
    weights: tuple[WeightsFile, ...]
    info: ModelInfo
    notes: tuple[str, ...]


def read_folder(folder: Path) -> FolderContents:
    """Look through a nested or flat model folder. Raises Refusal, in words, for what cannot be opened."""
    notes: list[str] = []
    name = folder.resolve().name
    index = inside(folder, "model_index.json")
    if index is not None:
        _check_index(read_json(index))
    config_file = inside(folder, "unet/config.json") or inside(folder, "config.json")
    if config_file is None and (folder / "classifier" / "config.json").is_file():
        raise Refusal(
            f"“{name}” is a classifier: it recognises pictures and draws none. Open it where a classifier is "
            "asked for, to guide or to judge.",
            str(folder),
        )
    if config_file is None:
        raise Refusal(
            f"“{name}” is not a model folder: it has neither unet/config.json nor config.json. "
            "Choose the folder that holds model_index.json.",
            str(folder),
        )
    data = read_json(config_file)
    config = config_of(data)
    unknown = unknown_fields(config, data)
    if unknown:
        notes.append("Fields without a meaning for the network: " + ", ".join(unknown) + ".")
    weights = weights_of(folder, config_file.parent, notes)
    if isinstance(config, UNetConfig):
        config = _of_its_age(config, weights, notes)
    says = scheduler_of(folder, notes)
    info = _info(folder, config, says, weights, notes)
    return FolderContents(folder, config, weights, info, (*notes, *says.notes))


def _of_its_age(config: UNetConfig, weights: tuple[WeightsFile, ...], notes: list[str]) -> UNetConfig:
    """The configuration as it was meant when the weights were saved."""
    unnormalised = config.resnet_time_scale_shift == "scale_shift" and config.attn_norm_num_groups is None
    if not (unnormalised and any(_MIDDLE_NORM in file.shapes for file in weights)):
        return config
    notes.append("The attention in the middle is normalised: the weights are of the age when it always was.")
    return replace(config, attn_norm_num_groups=config.norm_num_groups)


def inside(folder: Path, name: str) -> Path | None:
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


def weights_of(folder: Path, home: Path, notes: list[str]) -> tuple[WeightsFile, ...]:
    """The plain file, else its half-precision variant, else the shards."""
    within = home.relative_to(folder)
    for name in (f"{WEIGHTS}.safetensors", f"{WEIGHTS}.fp16.safetensors"):
        path = inside(folder, str(within / name))
        if path is not None:
            if "fp16" in name:
                notes.append("Only weights in half precision are there; they are computed with in full.")
            return (look_through(path),)
    index = inside(folder, str(within / f"{WEIGHTS}.safetensors.index.json"))
    if index is not None:
        return _shards(folder, within, read_json(index))
    if (home / f"{WEIGHTS}.bin").is_file():
        raise Refusal(
            "This model's weights are a .bin file, a format that can hide programs. Get them as .safetensors "
            "(most models offer both), or convert them where you trust their source."
        )
    raise Refusal(
        f"The weights are missing: there is no {within / WEIGHTS}.safetensors in “{folder.resolve().name}”.",
        str(folder),
    )


def _shards(folder: Path, within: Path, index: Mapping[str, Any]) -> tuple[WeightsFile, ...]:
    names = index.get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise Refusal("The list of the weights' files is damaged. Download the model again.")
    files = []
    for name in sorted(set(names.values())):
        path = inside(folder, str(within / name)) if Path(name).name == name else None
        if path is None:
            raise Refusal(f"A part of the weights is missing: {name[:100]}.", str(folder))
        files.append(look_through(path))
    return tuple(files)


def scheduler_of(folder: Path, notes: list[str]) -> SchedulerSays:
    path = inside(folder, "scheduler/scheduler_config.json") or inside(folder, "scheduler_config.json")
    if path is None:
        notes.append(
            "The folder has no scheduler: the linear schedule of DDPM is assumed, and that noise is predicted."
        )
        return SchedulerSays()
    return read_scheduler(read_json(path))


def _info(
    folder: Path, config: NetworkConfig, says: SchedulerSays, weights: tuple[WeightsFile, ...], notes: list[str]
) -> ModelInfo:
    if config.out_channels not in (config.in_channels, 2 * config.in_channels):
        raise Refusal(
            f"This model takes {config.in_channels} channels and answers {config.out_channels}: "
            "it is conditioned on pictures, which Diffuscope does not compute yet."
        )
    if isinstance(config, UNetConfig) and config.class_embed_type is not None:
        raise Refusal("This model is told its class as numbers, not as one of a list, which is not computed yet.")
    if config.sides is None:
        raise Refusal("The configuration does not say how large the model's pictures are (sample_size): add it.")
    if any(side % config.side_multiple for side in config.sides):
        raise Refusal(
            f"The configuration says pictures of {config.sides[0]} × {config.sides[1]} pixels, but the network halves "
            f"them {config.side_multiple.bit_length() - 1} times: both must be multiples of {config.side_multiple}."
        )
    own_file = inside(folder, OWN_FILE)
    own = Fields({} if own_file is None else read_json(own_file), OWN_FILE)
    labels, null_label = _labels(config, own)
    variance = _variance(config, own, says, notes)
    said = [config.to_json(), says.prediction, *([] if variance == "fixed" else [variance])]
    identity = json.dumps(said, sort_keys=True)
    return ModelInfo(
        ref=ModelRef(
            own.text("name")[:MAX_NAME] or folder.resolve().name, digest((file.path for file in weights), identity)
        ),
        event_shape=(config.in_channels, *config.sides),
        schedule=says.schedule,
        prediction=says.prediction,
        labels=labels,
        null_label=null_label,
        sampler=_sampler(own, says),
        spacing=says.spacing,
        final_alpha_bar=says.final_alpha_bar,
        steps_offset=says.steps_offset,
        parameters=sum(file.parameters for file in weights),
        description=own.text("description"),
        licence=own.text("licence"),
        data_statistics=own.numbers("data_statistics"),
        variance=variance,
    )


def _sampler(own: Fields, says: SchedulerSays) -> SamplerSpec:
    """What the scheduler says, clipped as only ``OWN_FILE`` can say."""
    clip = own.text("clip", says.sampler.clip)
    if clip not in get_args(ClipPolicy):
        raise Refusal(f"{OWN_FILE} says that x_0 is clipped in a way that Diffuscope does not know ({clip[:60]}).")
    return replace(says.sampler, clip=cast(ClipPolicy, clip))


def _variance(config: NetworkConfig, own: Fields, says: SchedulerSays, notes: list[str]) -> VarianceKind:
    """What the second half of the network's channels means, where it has one."""
    said = own.text("variance") or says.variance
    if said not in get_args(VarianceKind):
        raise Refusal(f"{OWN_FILE} says that the network has learned a variance of an unknown kind ({said[:60]}).")
    if config.out_channels == config.in_channels:
        if said != "fixed":
            raise Refusal("The folder says that the network has learned its variance, but it answers none.")
        return "fixed"
    if said == "fixed":
        notes.append(
            "The network answers twice as many channels: the second half is taken as a learned variance between beta "
            "and beta_tilde, as Improved DDPM has it."
        )
        return "range"
    return cast(VarianceKind, said)


def _labels(config: NetworkConfig, own: Fields) -> tuple[tuple[str, ...], int | None]:
    """Names of the classes in index order, and the index that means "no class"."""
    labels, null_label = own.texts("labels"), own.maybe_whole("null_label")
    classes = config.num_class_embeds if isinstance(config, UNetConfig) else None
    if classes is None:
        if labels or null_label is not None:
            raise Refusal(f"{OWN_FILE} names classes, but the network knows none.")
        return (), None
    if not labels and null_label is None:
        return tuple(str(index) for index in range(classes)), None
    if null_label is not None and not 0 <= null_label < classes:
        raise Refusal(f"{OWN_FILE} says that the null label is {null_label}, but the network knows {classes} classes.")
    if len(labels) + (null_label is not None) != classes or (null_label is not None and null_label < len(labels)):
        raise Refusal(
            f"{OWN_FILE} names {len(labels)} classes, but the network knows {classes}, the null label included."
        )
    return labels, null_label
