"""Checkpoints of denoising-diffusion-pytorch, from its version 1.8 on. Torch-free until a network is built.

Its diffusion stores the schedule's tables and the loss weights beside the network: they tell schedule and objective.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.checkpoints.asking import Asking
from core.checkpoints.description import Answers, Choice, Question
from core.checkpoints.family import Loose, Reading, Shapes, Tensors
from core.checkpoints.lucidrains_layout import anatomy, converted, refuse_relatives
from core.checkpoints.lucidrains_schedule import (
    likely_prediction,
    named_schedule,
    predicted,
    schedule_words,
    stored_schedule,
)
from core.checkpoints.unwrap import BUFFERS
from core.lucidrains_config import GROUPS, MAX_SIDE, LucidrainsConfig
from core.requests import PredictionKind, SamplerSpec, ScheduleSpec
from core.scheduler_config import SchedulerSays
from core.schedules import MAX_T
from core.weights_file import compare

if TYPE_CHECKING:
    from torch import Tensor, nn

_NETS = ("init_conv.weight", "net.init_conv.weight", "input_block.weight")
_TIMES = ("time_mlp.1.weight", "net.time_mlp.1.weight", "to_time_emb.1.weight", "classes_emb.weight")
_PREDICTIONS: dict[PredictionKind, str] = {
    "eps": "the noise (pred_noise)",
    "x0": "the picture (pred_x0)",
    "v": "v (pred_v)",
}


class Lucidrains:
    """The family: anything with a first convolution and a time embedding of these names."""

    def recognises(self, shapes: Shapes) -> bool:
        return any(name in shapes for name in _NETS) and any(name in shapes for name in _TIMES)

    def read(self, found: Loose, answers: Answers) -> Reading:
        """Raises Refusal, by its name, for what that package makes beside this network, and for versions before 1.8."""
        network = {name: shape for name, shape in found.shapes.items() if name not in BUFFERS}
        refuse_relatives(found.shapes, found.extras.get("version"))
        known = anatomy(network)
        asking = Asking(answers)
        _say_the_network(asking, known.config)
        size = int(asking.settle(_size_question(known.config)))
        schedule = stored_schedule(found)
        if schedule is None:
            schedule = _asked_schedule(asking)
        else:
            asking.note("noise schedule", f"{schedule_words(schedule)}, {schedule.T} timesteps", "file")
        learned = known.config.out_channels == 2 * known.config.in_channels
        prediction = _prediction(asking, found, learned)
        config = known.config_of(size)
        return Reading(
            description=asking.description(
                "model", "denoising-diffusion-pytorch", found.file_name, network.values(), known.notes
            ),
            config=config,
            build=lambda: _build(config),
            convert=lambda tensors: _convert(config, tensors),
            event_shape=(config.in_channels, size, size),
            says=SchedulerSays(
                schedule=schedule,
                prediction=prediction,
                sampler=SamplerSpec("ddpm", variance="learned") if learned else SamplerSpec("ddim", clip="rederive"),
                spacing="trailing",
                variance="range" if learned else "fixed",
            ),
        )


def _build(config: LucidrainsConfig) -> nn.Module:
    import torch

    from core.lucidrains_unet import LucidrainsUnet

    with torch.device("meta"):
        return LucidrainsUnet(config)


def _convert(config: LucidrainsConfig, tensors: Tensors) -> dict[str, Tensor]:
    ours = converted(config, {name: tensor for name, tensor in tensors.items() if name not in BUFFERS})
    compare(_build(config), {name: tuple(tensor.shape) for name, tensor in ours.items()})
    return ours


def _say_the_network(asking: Asking, config: LucidrainsConfig) -> None:
    widths = ", ".join(map(str, config.widths))
    asking.note("channels of its pictures", str(config.in_channels), "shapes")
    asking.note("network", f"{config.levels} resolutions, {widths} channels", "shapes")
    heads = sorted(set(zip(config.heads, config.head_width, strict=True)))
    said = ", ".join(f"{count} heads of {width} channels" for count, width in heads)
    asking.note("attention", said, "shapes" if config.memory else "assumed")
    full = [str(level + 1) for level, is_full in enumerate(config.full_attention) if is_full]
    where = f"at resolution {', '.join(full)} and in the middle" if full else "in the middle"
    asking.note("full attention", where, "shapes")
    if config.norm == "group":
        asking.note("norm", f"over {GROUPS} groups (versions before 2)", "shapes")
    if config.fourier is None:
        asking.note("frequencies of the time", "1 … 1/10000", "assumed")


def _size_question(config: LucidrainsConfig) -> Question:
    multiple = config.side_multiple
    return Question(
        "size",
        "Side of its pictures",
        str(min(16 * multiple, MAX_SIDE // multiple * multiple)),
        "The file does not say it; the package’s own example has 16 pixels a side at the coarsest resolution.",
        low=multiple,
        high=MAX_SIDE // multiple * multiple,
        multiple=multiple,
    )


def _asked_schedule(asking: Asking) -> ScheduleSpec:
    """Of a network that was saved without its diffusion."""
    why = "The file holds the network alone; the package’s defaults are the sigmoid schedule and 1000 timesteps."
    choices = (Choice("sigmoid", "sigmoid"), Choice("cosine", "cosine"), Choice("linear", "linear"))
    name = asking.settle(Question("schedule", "Noise schedule", "sigmoid", why, choices))
    T = int(asking.settle(Question("timesteps", "Timesteps", "1000", why, low=2, high=MAX_T)))
    return named_schedule(name, T)


def _prediction(asking: Asking, found: Loose, learned: bool) -> PredictionKind:
    if learned:  # its LearnedGaussianDiffusion trains for the noise, whatever else it is told
        asking.note("predicts", "the noise, and the variance of a step", "shapes")
        return "eps"
    said = predicted(found)
    choices = tuple(Choice(value, words) for value, words in _PREDICTIONS.items())
    best, why = likely_prediction(found.extras.get("version"))
    value = asking.settle(Question("prediction", "What it predicts", best, why, choices), said, "file")
    return next(kind for kind in _PREDICTIONS if kind == value)


FAMILY = Lucidrains()
