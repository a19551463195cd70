"""Weights of diffusers' UNet2DModel without their configuration: what shapes tell, and two or three ways to read them.

Google's DDPM models and those that diffusers' own examples train have the same tensors and mean different networks by
them, so which of them it is, is asked. Torch-free until a network is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.checkpoints.asking import Asking, shape_of
from core.checkpoints.description import Answers
from core.checkpoints.diffusers_anatomy import Anatomy, anatomy_of
from core.checkpoints.diffusers_questions import (
    PRESETS,
    groups_question,
    head_question,
    prediction_question,
    preset_question,
    schedule_question,
    size_question,
)
from core.checkpoints.family import Loose, Reading, Shapes, Tensors
from core.folder_weights import present_names
from core.requests import PredictionKind, SamplerSpec, ScheduleSpec
from core.scheduler_config import SchedulerSays
from core.unet_config import UNetConfig
from core.weights_file import compare

if TYPE_CHECKING:
    from torch import Tensor, nn

_SCHEDULES = {
    "linear": ScheduleSpec("linear", 1000, 1e-4, 0.02),
    "cosine": ScheduleSpec("cosine", 1000),
    "scaled_linear": ScheduleSpec("quadratic", 1000, 1e-4, 0.02),
}
_PREDICTIONS: dict[str, PredictionKind] = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}


@dataclass(frozen=True, slots=True)
class DiffusersWeights:
    """The family: anything with a first convolution and blocks on the way down of these names."""

    def recognises(self, shapes: Shapes) -> bool:
        return "conv_in.weight" in shapes and any(
            name.startswith(("down_blocks.0.resnets.", "downsample_blocks.0.resnets.")) for name in shapes
        )

    def read(self, found: Loose, answers: Answers) -> Reading:
        """Raises Refusal where the tensors are not all of one such network."""
        names = present_names(found.shapes)
        anatomy = anatomy_of({new: found.shapes[old] for old, new in names.items()}, found.file_name)
        asking = Asking(answers)
        _network_facts(asking, anatomy)
        preset = asking.settle(preset_question(anatomy, found.file_name))
        size = int(asking.settle(size_question(anatomy, preset)))
        head = _settled_head(asking, anatomy, preset)
        groups = _settled_groups(asking, anatomy)
        schedule = asking.settle(schedule_question())
        prediction = _PREDICTIONS[asking.settle(prediction_question())]
        config = UNetConfig(
            sample_size=size,
            **anatomy.options(groups),
            **PRESETS[preset].options,
            attention_head_dim=head,
            norm_num_groups=groups,
        )
        learned = anatomy.outputs == 2 * anatomy.inputs
        description = asking.description(
            "model",
            "diffusers, weights alone",
            found.file_name,
            found.shapes.values(),
            ("The configuration is missing: put config.json beside the weights, and nothing need be guessed.",),
        )
        return Reading(
            description=description,
            config=config,
            build=lambda: _build(config),
            convert=lambda tensors: _convert(tensors, config),
            event_shape=(anatomy.inputs, size, size),
            says=SchedulerSays(
                schedule=_SCHEDULES[schedule],
                prediction=prediction,
                sampler=SamplerSpec("ddpm", variance="learned" if learned else "small"),
                variance="range" if learned else "fixed",
            ),
            labels=tuple(str(index) for index in range(anatomy.classes)),
        )


def _network_facts(asking: Asking, anatomy: Anatomy) -> None:
    asking.note("channels of its pictures", str(anatomy.inputs), "shapes")
    asking.note("network", shape_of(anatomy.widths, anatomy.layers), "shapes")
    attending = [str(level + 1) for level, kind in enumerate(anatomy.down) if kind.startswith("Attn")]
    where = [f"at resolution {', '.join(attending)}"] if attending else []
    where += ["in the middle"] if anatomy.mid and anatomy.mid_attention else []
    asking.note("attention", " and ".join(where) or "none", "shapes")
    if anatomy.classes:
        asking.note("classes", str(anatomy.classes), "shapes")


def _settled_head(asking: Asking, anatomy: Anatomy, preset: str) -> int | None:
    """The width of a head where the preset's does not give the widths that are there."""
    head = PRESETS[preset].head
    if not anatomy.attended or anatomy.allows_head(head):
        return head
    return int(asking.settle(head_question(anatomy)))


def _settled_groups(asking: Asking, anatomy: Anatomy) -> int:
    if all(width % 32 == 0 for width in anatomy.widths):
        asking.note("groups of a normalisation", "32", "assumed")
        return 32
    return int(asking.settle(groups_question(anatomy)))


def _build(config: UNetConfig) -> nn.Module:
    import torch

    from core.unet import UNet

    with torch.device("meta"):
        return UNet(config)


def _convert(tensors: Tensors, config: UNetConfig) -> dict[str, Tensor]:
    present = {new: tensors[old] for old, new in present_names(tensors).items()}
    compare(_build(config), {name: tuple(tensor.shape) for name, tensor in present.items()})
    return present


FAMILY = DiffusersWeights()
