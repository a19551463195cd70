"""What a model folder says, looked through before a single weight is read (``core.model_folder`` tells the layout)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, cast, get_args

from core.checkpoints.description import Answers
from core.checkpoints.which_weights import named, wanted_weights
from core.errors import Refusal, shown
from core.folder_weights import WEIGHTS, has_both_kinds, inside, weights_of
from core.json_file import Fields, read_json
from core.messages import ModelInfo
from core.network_config import NetworkConfig, config_of, unknown_fields
from core.pipelines import check_pipeline
from core.requests import ClipPolicy, ModelRef, SamplerSpec, VarianceKind
from core.scheduler_config import SchedulerSays, read_scheduler
from core.unet_config import UNetConfig
from core.weights_file import WeightsFile, digest, never

__all__ = [
    "MAX_NAME",
    "OWN_FILE",
    "WEIGHTS",
    "FolderContents",
    "inside",
    "read_folder",
    "scheduler_of",
    "weights_of",
]

OWN_FILE = "diffuscope.json"
MAX_NAME = 200
MAX_GUIDANCE = 100

_MIDDLE_NORM = "mid_block.attentions.0.group_norm.weight"
_OLD_FIELDS = {
    "image_size": "sample_size",
    "num_res_blocks": "layers_per_block",
    "block_channels": "block_out_channels",
    "down_blocks": "down_block_types",
    "up_blocks": "up_block_types",
    "downscale_freq_shift": "freq_shift",
    "resnet_num_groups": "norm_num_groups",
    "resnet_act_fn": "act_fn",
    "resnet_eps": "norm_eps",
    "num_head_channels": "attention_head_dim",
}
_OLD_CLASS = "UNetUnconditionalModel"
_FILES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
_EMA_FIELDS = {
    *("decay", "min_decay", "optimization_step", "update_after_step", "use_ema_warmup", "inv_gamma", "power"),
    *("collected_params", "model_cls", "model_config"),
}


class UsualSettings(TypedDict):
    """The fields of a ``ModelInfo`` of the same names."""

    usual_guidance: float | None
    usual_steps: int | None


@dataclass(frozen=True, slots=True)
class FolderContents:
    """A folder that has been looked through, its weights not yet read. ``has_scheduler`` says whether it has a
    scheduler's configuration, or that was assumed; ``has_both`` whether it has raw and averaged weights, of which
    ``wanted`` ("ema", "raw", or "" where nobody said) are taken."""

    folder: Path
    config: NetworkConfig
    weights: tuple[WeightsFile, ...]
    info: ModelInfo
    notes: tuple[str, ...]
    has_scheduler: bool = True
    has_both: bool = False
    wanted: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its files of weights, from the folder on."""
        return tuple(file.path.relative_to(self.folder).as_posix() for file in self.weights)


def read_folder(
    folder: Path, answers: Answers | None = None, check: Callable[[], None] = never, *, hashed: bool = True
) -> FolderContents:
    """Look through a nested or flat model folder, or one that a training of diffusers has written.

    The answer to "weights" is "ema" or "raw", where both are there. ``check`` is called while files are hashed, and may
    raise; where they are not to be ``hashed`` the model has nothing to be known by. Raises Refusal, in words, for what
    cannot be opened.
    """
    notes: list[str] = []
    wanted = wanted_weights(answers or {})
    index = inside(folder, "model_index.json")
    if index is not None:
        check_pipeline(read_json(index))
    home = _home(folder, wanted, notes)
    data = _present_fields(read_json(home / "config.json"))
    config = config_of(data)
    unknown = [name for name in unknown_fields(config, data) if home.name != "unet_ema" or name not in _EMA_FIELDS]
    if unknown:
        notes.append("Fields without a meaning for the network: " + ", ".join(unknown) + ".")
    weights = weights_of(folder, home, notes, wanted)
    if isinstance(config, UNetConfig):
        config = _of_its_age(config, weights, notes)
    says = scheduler_of(folder, notes)
    has_both = has_both_kinds(folder, home)
    info = _info(folder, config, says, weights, notes, check if hashed else None)
    if has_both and wanted == "raw":
        info = replace(info, ref=replace(info.ref, name=named(info.ref.name, True)[:MAX_NAME]))
    has_scheduler = _scheduler_file(folder) is not None
    return FolderContents(folder, config, weights, info, (*notes, *says.notes), has_scheduler, has_both, wanted)


def _home(folder: Path, wanted: str, notes: list[str]) -> Path:
    """Where the network's configuration is; averaged weights go before raw ones."""
    names = ("unet", "") if wanted == "raw" else ("unet_ema", "unet", "")
    name = folder.resolve().name
    for within in ("", *_checkpoints(folder)):
        for part in names:
            if inside(folder, str(Path(within, part, "config.json"))) is not None:
                if within:
                    notes.append(f"The latest of the training's checkpoints is opened ({within}).")
                if part == "unet_ema" and (folder / within / "unet" / "config.json").is_file():
                    notes.append("The averaged weights are opened (unet_ema), not the raw ones beside them.")
                return folder / within / part
    if (folder / "classifier" / "config.json").is_file():
        raise Refusal(
            f"“{name}” is a classifier: it recognises pictures and draws none. Open it where a classifier is "
            "asked for, to guide or to judge.",
            str(folder),
        )
    files = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _FILES)[-3:]
    instead = f"Open a file in it ({', '.join(map(shown, files))})" if files else "Choose the one with model_index.json"
    raise Refusal(
        f"“{shown(name)}” is not a model folder: it has neither unet/config.json nor config.json. {instead}.",
        str(folder),
    )


def _checkpoints(folder: Path) -> list[str]:
    """The folders of a training's checkpoints (checkpoint-500), the latest first."""
    try:
        names = [entry.name for entry in folder.iterdir() if re.fullmatch(r"checkpoint-\d{1,12}", entry.name)]
    except OSError:
        return []
    return sorted(names, key=lambda name: -int(name.removeprefix("checkpoint-")))


def _present_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields under their present names; those of 2022 had others."""
    present = {_OLD_FIELDS.get(name, name): value for name, value in data.items() if name in _OLD_FIELDS}
    present.update({name: value for name, value in data.items() if name not in _OLD_FIELDS})
    if present.get("_class_name") == _OLD_CLASS:
        del present["_class_name"]
    return present


def _of_its_age(config: UNetConfig, weights: tuple[WeightsFile, ...], notes: list[str]) -> UNetConfig:
    """The configuration as it was meant when the weights were saved."""
    unnormalised = config.resnet_time_scale_shift == "scale_shift" and config.attn_norm_num_groups is None
    if not (unnormalised and any(_MIDDLE_NORM in file.shapes for file in weights)):
        return config
    notes.append("The attention in the middle is normalised: the weights are of the age when it always was.")
    return replace(config, attn_norm_num_groups=config.norm_num_groups)


def scheduler_of(folder: Path, notes: list[str]) -> SchedulerSays:
    path = _scheduler_file(folder)
    if path is None:
        notes.append(
            "The folder has no scheduler: the linear schedule of DDPM is assumed, and that noise is predicted."
        )
        return SchedulerSays()
    return read_scheduler(read_json(path))


def _scheduler_file(folder: Path) -> Path | None:
    return inside(folder, "scheduler/scheduler_config.json") or inside(folder, "scheduler_config.json")


def _info(
    folder: Path,
    config: NetworkConfig,
    says: SchedulerSays,
    weights: tuple[WeightsFile, ...],
    notes: list[str],
    check: Callable[[], None] | None,
) -> ModelInfo:
    if config.out_channels not in (config.in_channels, 2 * config.in_channels):
        raise Refusal(
            f"This model takes {config.in_channels} channels and answers {config.out_channels}: "
            "it is conditioned on pictures, which Diffuscope does not compute yet. Open a model that draws without any."
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
    sha256 = "" if check is None else digest((file.path for file in weights), identity, check)
    return ModelInfo(
        ref=ModelRef(own.text("name")[:MAX_NAME] or folder.resolve().name, sha256),
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
        **_usual(own, says.schedule.T),
    )


def _sampler(own: Fields, says: SchedulerSays) -> SamplerSpec:
    """What the scheduler says, clipped as only ``OWN_FILE`` can say."""
    clip = own.text("clip", says.sampler.clip)
    if clip not in get_args(ClipPolicy):
        raise Refusal(f"{OWN_FILE} says that x_0 is clipped in a way that Diffuscope does not know ({clip[:60]}).")
    return replace(says.sampler, clip=cast(ClipPolicy, clip))


def _usual(own: Fields, T: int) -> UsualSettings:
    """How the model is usually sampled, where ``OWN_FILE`` says so."""
    said = own.data.get("usual") or {}
    if not isinstance(said, dict):
        raise Refusal(f"{OWN_FILE} cannot be read: usual must be an object.")
    usual = Fields(said, OWN_FILE)
    guidance = usual.number("guidance", 0.0) if "guidance" in said else None
    steps = usual.maybe_whole("steps")
    if guidance is not None and not -1 <= guidance <= MAX_GUIDANCE:
        raise Refusal(f"{OWN_FILE} says a usual guidance of {guidance:g}; it is between -1 and {MAX_GUIDANCE}.")
    if steps is not None and not 1 <= steps <= T:
        raise Refusal(f"{OWN_FILE} says that the model usually takes {steps} steps; its schedule has {T}.")
    return {"usual_guidance": guidance, "usual_steps": steps}


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
