"""What a training will take, and what one should know before it begins. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, replace

import psutil

from core.classifier_config import classifier_network, classifier_parameters
from core.errors import Refusal
from core.training.order import PresetName, TaskName, TrainOrder
from core.training.parts import micro_batch
from core.training.picture_folder import PictureFolder
from core.training.presets import network_of
from core.training.training_pace import FORTH_AND_BACK, training_pace
from core.unet_config import UNetConfig
from core.unet_size import unet_parameters
from core.unet_work import Work, unet_work

FEW = 500
"""Pictures: below, networks of any size have been seen to return them."""
SOON, OFTEN = 20, 300
"""Times that each picture is seen: from which on few of them, and any that the network has room for, will be known."""
REPEATED = 0.05
"""The share of pictures that are nearly the same as others from which on it is said."""
COPIES = 5
"""Of every weight: itself, its gradient, Adam's two moments, its average."""
BESIDE = 400_000_000
"""Bytes of the program and its libraries."""
SIDES = range(8, 257, 4)


@dataclass(frozen=True, slots=True)
class Forecast:
    """``steps`` and ``seconds`` of the whole training, ``epochs`` that every picture is seen in it.

    ``memory`` is what it takes at most in bytes, ``parameters`` what the network learns, ``flops`` its operations for
    a picture. ``is_known``: a training like it has run on this machine; else its pace is a guess. ``warnings`` are
    sentences, the gravest first.
    """

    steps: int
    steps_per_second: float
    seconds: float
    epochs: float
    memory: int
    parameters: int
    flops: int
    is_known: bool
    warnings: tuple[str, ...] = ()


def forecast(
    order: TrainOrder,
    data: PictureFolder,
    *,
    device: str = "cpu",
    network: UNetConfig | None = None,
    memory: int | None = None,
) -> Forecast:
    """What ``order`` will take on these pictures. ``network`` is that of the model it begins from, where it does;
    ``memory`` the bytes that the device has, by itself those of this computer.

    Raises Refusal where the network cannot be made for pictures of this size, naming sizes for which it can.
    """
    config = network or _network(order, data)
    side, count = data.pictures.shape[1], max(1, len(data))
    work = unet_work(config, side, only_encoder=order.task == "classifier")
    parameters = _parameters(order, config, side, len(data.classes))
    pace = training_pace(device, work.flops)
    per_second = pace.flops / (FORTH_AND_BACK * max(1, work.flops) * order.batch)
    steps = order.steps if order.steps is not None else max(1, round(60 * (order.minutes or 0) * per_second))
    told = Forecast(
        steps=steps,
        steps_per_second=per_second,
        seconds=steps / per_second if order.steps is not None else 60 * (order.minutes or 0),
        epochs=steps * order.batch / count,
        memory=_memory(work, parameters, order, data, device),
        parameters=parameters,
        flops=work.flops,
        is_known=pace.is_known,
    )
    has = psutil.virtual_memory().total if memory is None else memory
    return replace(told, warnings=_warnings(told, order, data, has))


def sizes_for(preset: PresetName, task: TaskName = "diffusion") -> tuple[int, ...]:
    """The sides of pictures, 8 to 256 in steps of 4, for which a preset's network can be made."""
    return tuple(side for side in SIDES if _fits(preset, task, side))


def size_trouble(side: int, preset: PresetName, task: TaskName = "diffusion") -> str:
    """Why a preset's network cannot be made for pictures of this side, and for which it can; "" where it can."""
    if _fits(preset, task, side):
        return ""
    fitting = sizes_for(preset, task)
    below = max((one for one in fitting if one < side), default=None)
    above = min((one for one in fitting if one > side), default=None)
    named = " or ".join(f"{one} × {one}" for one in (below, above) if one is not None)
    return (
        f"The network halves its pictures again and again, which {side} × {side} does not allow: choose {named}. "
        "Pictures are scaled to the size chosen, or padded with bars where all of them is taken."
    )


def _fits(preset: PresetName, task: TaskName, side: int) -> bool:
    try:
        classifier_network(preset, side, 3) if task == "classifier" else network_of(preset, side, 3, 0)
    except Refusal:
        return False
    return True


def _network(order: TrainOrder, data: PictureFolder) -> UNetConfig:
    side, channels = data.pictures.shape[1], data.pictures.shape[3]
    trouble = size_trouble(side, order.preset, order.task)
    if trouble:
        raise Refusal(trouble)
    if order.task == "classifier":
        return classifier_network(order.preset, side, channels)
    return network_of(order.preset, side, channels, len(data.classes), order.variance, order.schedule.T)


def _parameters(order: TrainOrder, config: UNetConfig, side: int, classes: int) -> int:
    if order.task == "classifier":
        return classifier_parameters(order.preset, side, config.in_channels, max(1, classes)) or 0
    return unet_parameters(config)


def _memory(work: Work, parameters: int, order: TrainOrder, data: PictureFolder, device: str) -> int:
    at_once = micro_batch(work.flops, device, order.batch)
    bytes_each = 4 if order.precision == "float32" else 3  # of mixed precision some are halved
    batch = 3 * 4 * order.batch * int(data.pictures[0].size)
    return BESIDE + COPIES * 4 * parameters + at_once * bytes_each * work.activations + batch


# ------------------------------------------------------------------------------------------------ warnings


def _warnings(told: Forecast, order: TrainOrder, data: PictureFolder, memory: int) -> tuple[str, ...]:
    return tuple(
        filter(
            None,
            (
                _too_much_memory(told, memory),
                _by_heart(told, order, data),
                _smaller_than_a_batch(order, data),
                _one_class(data),
                _repeated(data),
                _enlarged(data),
            ),
        )
    )


def _too_much_memory(told: Forecast, memory: int) -> str:
    if told.memory <= memory:
        return ""
    return (
        f"This training takes about {told.memory / 1e9:.1f} GB of memory, and there are {memory / 1e9:.1f}: choose a "
        "smaller network, smaller pictures or a smaller batch."
    )


def _smaller_than_a_batch(order: TrainOrder, data: PictureFolder) -> str:
    count = len(data)
    if count >= order.batch and count > 1:
        return ""
    if count == 1:
        return "There is one picture alone: the network can learn nothing but to return it."
    return (
        f"Every step looks at a batch of {order.batch} pictures, but there are only {count:,}: it sees some of them "
        f"more than once. A batch of {count} would do."
    )


def _by_heart(told: Forecast, order: TrainOrder, data: PictureFolder) -> str:
    """Whether samples will likely be training pictures (Carlini et al. 2023; Gu et al. 2023, "On memorization in
    diffusion models": the fewer pictures, the larger the network and the longer the training)."""
    count, values = len(data), int(data.pictures.size)
    if order.task != "diffusion" or count == 1:
        return ""
    seen = f"Each of the {count:,} pictures is seen about {told.epochs:,.0f} times"
    if count < FEW and told.epochs > SOON:
        return (
            f"{seen}: with fewer than about {FEW} a network learns them by heart instead of what they share. Look at "
            "the nearest training pictures beside its samples."
        )
    if told.epochs > OFTEN and told.parameters > values / 4:
        return (
            f"{seen}, by a network of {told.parameters / 1e6:.1f} million numbers, enough to hold what all of them "
            f"are made of ({values / 1e6:.1f} million values): it will likely learn them by heart. More pictures, a "
            "smaller network or a shorter training help; look at the nearest training pictures beside its samples."
        )
    return ""


def _one_class(data: PictureFolder) -> str:
    if data.classes or not data.paths or not all("/" in path for path in data.paths):
        return ""
    return (
        f"All pictures lie in the sub-folder “{data.paths[0].split('/')[0]}”: one class is none, and the model learns "
        "without classes."
    )


def _repeated(data: PictureFolder) -> str:
    repeated = data.report.duplicate_pictures
    if repeated < REPEATED * len(data) or not repeated:
        return ""
    return (
        f"{repeated:,} of {len(data):,} pictures are nearly the same as others: what is repeated is learned by heart "
        "first (Somepalli et al. 2023)."
    )


def _enlarged(data: PictureFolder) -> str:
    side, largest = data.pictures.shape[1], max(data.report.largest)
    if not 0 < largest < side:
        return ""
    return (
        f"The largest picture has {largest} pixels on its longer side: at {side} × {side} the network learns how "
        "pictures are enlarged."
    )
