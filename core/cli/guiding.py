"""What guides a sampling run, as a command's options say it."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from core.cli.bench import Bench
from core.cli.labels import labels_among, labels_of
from core.errors import Refusal
from core.messages import ClassifierInfo, ModelInfo
from core.requests import ClassifierSpec, SampleRequest

DEFAULT_SCALE = 1.0


def open_guide(bench: Bench, options: argparse.Namespace) -> tuple[ClassifierInfo | None, tuple[str, ...]]:
    """The classifier that the options name, opened beside the model, and what a person should know of it. Raises
    Refusal."""
    if options.classifier is None:
        if options.classifier_scale is not None or options.classifier_at is not None:
            raise Refusal("--classifier-scale and --classifier-at belong to a classifier. Name one with --classifier.")
        return None, ()
    from core.checkpoints.answers import AnswerBook
    from core.recognisers import open_recogniser

    said = AnswerBook().of(Path(options.classifier)) or {}
    opened = open_recogniser(options.classifier, bench.device, said)
    bench.library.add_recogniser(opened.recogniser)
    info = opened.recogniser.info
    return info, tuple(f"{info.ref.name}: {note}" for note in opened.notes)


def guided(
    request: SampleRequest, info: ModelInfo, options: argparse.Namespace, guide: ClassifierInfo | None
) -> SampleRequest:
    """The request with labels and guidance as the options say. Raises Refusal where they say nothing to each other."""
    if options.rescale and options.guidance in (0, -1):
        raise Refusal("--rescale holds back guided predictions. Give --guidance as well, or leave --rescale out.")
    if options.interval is not None and options.guidance == 0 and guide is None:
        raise Refusal("--interval says when guidance works. Give --guidance or --classifier, or leave it out.")
    request = replace(request, guidance=options.guidance, interval=options.interval, rescale=options.rescale)
    if guide is None:
        return replace(request, labels=labels_of(info, options.label, request.count))
    if options.label is None:
        raise Refusal("A classifier guides towards a class. Give one with --label, or one for each sample.")
    if options.classifier_at is not None and request.sampler.name != "ddpm":
        raise Refusal("--classifier-at belongs to DDPM: the others shift the score at x_t. Leave it out.")
    if not info.labels:
        classes = labels_among(guide.labels, guide.ref.name, options.label, request.count)
    else:
        request = replace(request, labels=labels_of(info, options.label, request.count))
        classes = tuple(_same(info, guide, label) for label in request.labels)
    if any(label is None for label in classes):
        raise Refusal("A classifier guides towards a class, and “none” is none. Leave --classifier out for that.")
    scale = DEFAULT_SCALE if options.classifier_scale is None else options.classifier_scale
    chosen = tuple(label for label in classes if label is not None)
    return replace(request, classifier=ClassifierSpec(guide.ref, chosen, scale, options.classifier_at or "x_t"))


def _same(info: ModelInfo, guide: ClassifierInfo, label: int | None) -> int | None:
    """The classifier's class of the same name as the model's."""
    if label is None:
        return None
    if info.labels[label] not in guide.labels:
        raise Refusal(f"The classifier {guide.ref.name} has no class {info.labels[label]!r}, as the model has.")
    return guide.labels.index(info.labels[label])
