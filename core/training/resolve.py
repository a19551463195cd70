"""From what a person asks for to what decides a run's bits."""

from __future__ import annotations

from dataclasses import replace

import torch

from core.classifier_config import classifier_network
from core.device import auto_precision
from core.errors import Refusal
from core.library import NetworkModel
from core.requests import Precision, PredictionKind
from core.schedules import make_schedule
from core.training.checkpoint import read_request
from core.training.combinations import objection
from core.training.dataset import PictureFolder
from core.training.fine_tune import Beginning, beginning
from core.training.order import PresetName, TrainOrder
from core.training.parts import micro_batch
from core.training.presets import answered, network_of
from core.training.request import TrainRequest
from core.training.split import Rows
from core.unet import UNet
from core.unet_config import UNetConfig

CLASSIFIER_WEIGHT_DECAY = 0.05
"""Of a noisy classifier (Dhariwal & Nichol 2021, appendix H); diffusion models are trained without."""
CLASSIFIER_SHIFT = 16
"""Of a picture's side, by up to which share it is moved: what the published classifiers get from random crops."""


def resolved(
    order: TrainOrder,
    data: PictureFolder,
    base: NetworkModel | None,
    device: str,
    network: UNetConfig | None = None,
    aside: Rows | None = None,
) -> tuple[TrainRequest, PictureFolder, Beginning | None]:
    """The request of a run, its pictures in the network's channels, and what it begins from where that is a model.

    A run that goes on keeps its own request, but for its length where the order names one. ``network`` takes the place
    of the preset's; ``aside`` are the pictures that are kept aside. Raises Refusal where the folder holds something
    else, or the pictures do not fit.
    """
    before = read_request(order.out)
    if before is not None:
        return _continued(order, before, data)
    if (order.out / "model_index.json").exists():
        raise Refusal(f"{order.out} holds a model that is no training run. Name another folder for this one.")
    if order.base is not None and base is None:
        raise Refusal(f"The model “{order.base.name}” that this training begins from is not open. Open it first.")
    begin, data = None, data.unflipped(order.never_flipped)
    if base is not None:
        _refuse_to_begin_from(base, order)
        data = data.in_channels(base.network.config.in_channels)
        begin = beginning(base, data)
        network = begin.network
    elif network is None:
        network = preset_network(order.preset, data.pictures.shape[1], data.pictures.shape[3], len(data.classes), order)
    else:
        network = replace(network, out_channels=answered(network.in_channels, order.variance))
    flops = _flops(network, data.pictures.shape[1])
    prediction = base.info.prediction if base else order.prediction
    classifies = order.task == "classifier"
    request = TrainRequest(
        data_name=data.name,
        data_sha256=data.sha256,
        network=network,
        labels=data.classes,
        schedule=base.info.schedule if base else order.schedule,
        prediction=prediction,
        steps=order.steps,
        minutes=order.minutes,
        batch=order.batch,
        seed=order.seed,
        lr=order.lr,
        label_dropout=0.0 if classifies else 0.1,
        flip=order.flip,
        never_flipped=order.never_flipped,
        precision=_precision(order, prediction, device, flops),
        micro_batch=micro_batch(flops, device, order.batch),
        base=base.info.ref if base else None,
        task=order.task,
        objective=order.objective,
        variance=base.info.variance if base else order.variance,
        timestep_sampler=order.timestep_sampler,
        weight_decay=CLASSIFIER_WEIGHT_DECAY if classifies else 0.0,
        noised=order.noised,
        shift=data.pictures.shape[1] // CLASSIFIER_SHIFT if classifies else 0,
        reading=data.reading,
        validation=0 if classifies or aside is None else len(aside),
        aside=() if aside is None else tuple(aside.tolist()),
    )
    return request, data, begin


def refuse_nonsense(order: TrainOrder) -> None:
    """Raises Refusal for what is no training from the start, whatever the pictures."""
    make_schedule(order.schedule)
    if order.task == "diffusion":
        words = objection(order.prediction, order.objective, order.variance, order.schedule)
        if words is not None:
            raise Refusal(words)


def preset_network(
    preset: PresetName, size: int, channels: int, classes: int, of: TrainOrder | TrainRequest
) -> UNetConfig:
    """A preset's network for pictures of ``size`` x ``size`` and what a training teaches. Raises Refusal."""
    if of.task == "classifier":
        return replace(classifier_network(preset, size, channels), num_train_timesteps=of.schedule.T)
    return network_of(preset, size, channels, classes, of.variance, of.schedule.T)


def _continued(
    order: TrainOrder, before: TrainRequest, data: PictureFolder
) -> tuple[TrainRequest, PictureFolder, Beginning | None]:
    if not order.resume:
        raise Refusal(f"{order.out} already holds a training run. Go on with it, or name another folder.")
    request = before
    if order.steps is not None or order.minutes is not None:
        request = replace(before, steps=order.steps, minutes=order.minutes)
    side = data.pictures.shape[1]
    if request.network.sides not in (None, (side, side)):
        sides = " × ".join(map(str, request.network.sides or ()))
        raise Refusal(f"This run was trained on pictures of {sides}, not {side} × {side}. Choose that size.")
    return request, data.in_channels(request.network.in_channels).unflipped(request.never_flipped), None


def _refuse_to_begin_from(base: NetworkModel, order: TrainOrder) -> None:
    if order.task != "diffusion":
        raise Refusal("A classifier is trained from the start: do not begin it from a model.")
    if base.info.variance != "fixed" and order.objective not in ("hybrid", "vlb"):
        raise Refusal(
            f"“{base.info.ref.name}” has learned its variance, and this objective would let it forget: choose hybrid "
            "or vlb."
        )


def _precision(order: TrainOrder, prediction: PredictionKind, device: str, flops: int) -> Precision:
    """What "auto" means; of a mean, which differs little from x_t, half of the digits would be left in bfloat16."""
    if order.precision != "auto":
        return order.precision
    return "float32" if prediction == "mean" else auto_precision(device, flops)


def _flops(network: UNetConfig, side: int) -> int:
    with torch.device("meta"):
        return UNet(network).flops(side, side)
