"""What a run asks of a model: pictures of which classes, guided how, held how."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from core.denoiser import Clipped, Condition, Denoiser, Guided, Interval
from core.errors import Refusal
from core.guidance import guided_by_classifier
from core.library import Check, Model, Recogniser
from core.messages import ModelInfo
from core.requests import ClassifierSpec, SamplerSpec


def on_device(condition: Condition | None, device: str) -> Condition | None:
    return None if condition is None else replace(condition, labels=condition.labels.to(device))


def condition_of(info: ModelInfo, labels: tuple[int | None, ...], count: int) -> Condition | None:
    """The labels of a batch as the network takes them; None is the null label.

    Raises:
        Refusal: labels that the model does not have, or none at all where it needs them.
    """
    if not info.labels:
        if any(label is not None for label in labels):
            raise Refusal(f"“{info.ref.name}” knows no labels. Leave the label out.")
        return None
    labels = labels or (None,) * count
    if len(labels) != count:
        raise Refusal(f"{len(labels)} labels were given for {count} samples. Give one label, or one for each sample.")
    indices: list[int] = []
    for label in labels:
        if label is None and info.null_label is None:
            raise Refusal(f"“{info.ref.name}” always needs a label: it was trained without the null label.")
        index = info.null_label if label is None else label
        if index is None or not 0 <= index < len(info.labels) + (info.null_label is not None):
            raise Refusal(f"“{info.ref.name}” has no label {label}; its labels are {', '.join(info.labels)}.")
        indices.append(index)
    return Condition(torch.tensor(indices), info.null_label)


@dataclass(frozen=True, slots=True)
class Guidance:
    """What pulls a walk towards a class, as a ``SampleRequest`` says it; ``recogniser`` is the classifier, opened, and
    ``classes`` what it is to see in each of the samples walked."""

    w: float = 0.0
    interval: Interval | None = None
    rescale: float = 0.0
    classifier: ClassifierSpec | None = None
    recogniser: Recogniser | None = None
    classes: tuple[int, ...] = ()


def denoiser_of(
    model: Model,
    device: str,
    precision: str,
    guidance: Guidance,
    sampler: SamplerSpec,
    between_batches: Check,
    within: Check,
    watched: bool = False,
) -> Denoiser:
    """The model as this sampler asks it: the network, guided, clipped.

    ``watched`` also finds what guidance is made of where it does not work, to be looked at. Raises Refusal where the
    model, or the classifier, cannot do what is asked.
    """
    denoise = model.denoiser(device, precision, between_batches=between_batches, within=within)
    if guidance.w != 0:
        if model.info.null_label is None:
            raise Refusal(
                f"“{model.info.ref.name}” has no null label, so classifier-free guidance is undefined. Set w to 0."
            )
        denoise = Guided(denoise, guidance.w, guidance.interval, guidance.rescale, watched)
    if guidance.classifier is not None and guidance.recogniser is not None:
        denoise = guided_by_classifier(
            denoise,
            guidance.recogniser,
            guidance.classifier,
            guidance.classes,
            sampler=sampler.name,
            event_shape=model.info.event_shape,
            interval=guidance.interval,
            check=within,
            device=device,
        )
    if sampler.clip != "none":
        denoise = Clipped(
            denoise, sampler.clip, model.spec.low, model.spec.high, percentile=sampler.percentile, limit=sampler.limit
        )
    return denoise
