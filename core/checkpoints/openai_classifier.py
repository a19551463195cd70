"""Noisy classifiers of guided-diffusion (Dhariwal & Nichol 2021, section 4): the way down of its U-Net under a pool.

The network is ``core.classifier.Classifier``; its features are what the pool gives its last layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.checkpoints.asking import Asking
from core.checkpoints.description import Answers, Origin
from core.checkpoints.family import Loose, Reading, Shapes
from core.checkpoints.openai import network_config, network_facts, settled_order, table_notes
from core.checkpoints.openai_anatomy import Anatomy, classifier_anatomy, strange
from core.checkpoints.openai_layout import compare, converted, layout
from core.checkpoints.openai_questions import heads_question, schedule_question, size_question, timesteps_question
from core.checkpoints.openai_table import Published, published_classifier, size_of
from core.classifier_config import ClassifierConfig
from core.requests import SamplerSpec, ScheduleSpec
from core.scheduler_config import SchedulerSays

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class OpenAIClassifier:
    """The family: a way down without a way up."""

    def recognises(self, shapes: Shapes) -> bool:
        return (
            "time_embed.0.weight" in shapes
            and "input_blocks.0.0.weight" in shapes
            and not any(name.startswith("output_blocks.") for name in shapes)
            and any(name.startswith("out.") for name in shapes)
        )

    def read(self, found: Loose, answers: Answers) -> Reading:
        """Raises Refusal for pools that are not computed, and for changed programs' files."""
        anatomy = classifier_anatomy(found.shapes)
        parts = layout(anatomy)
        compare(parts, found.shapes)
        known, asking = published_classifier(anatomy), Asking(answers)
        asking.note("tells apart", f"{anatomy.outputs} classes", "shapes")
        network_facts(asking, anatomy)
        size = _settled_size(asking, anatomy, found.file_name)
        heads = asking.settle(heads_question(anatomy, only_channels=True), *_heads(anatomy, known))
        order = settled_order(asking, anatomy, heads, "legacy", "assumed" if known is None else "table")
        settings = None if known is None else known.settings
        schedule = asking.settle(schedule_question(anatomy), None if settings is None else settings.schedule)
        T = int(asking.settle(timesteps_question(anatomy), None if settings is None else str(settings.T)))
        encoder = network_config(anatomy, heads, size)
        config = ClassifierConfig(encoder, anatomy.outputs, "mean" if anatomy.pool == "adaptive" else "attention")
        description = asking.description(
            "classifier",
            "OpenAI guided-diffusion",
            found.file_name,
            [part.shape for part in parts],
            table_notes(known, found.file_name),
        )
        return Reading(
            description=description,
            config=config,
            build=lambda: _build(config),
            convert=lambda tensors: converted(parts, tensors, encoder.heads, order),
            event_shape=config.event_shape,
            says=SchedulerSays(
                schedule=ScheduleSpec("cosine" if schedule == "cosine" else "linear", T), sampler=SamplerSpec("ddpm")
            ),
            labels=tuple(str(index) for index in range(anatomy.outputs)),
        )


def _settled_size(asking: Asking, anatomy: Anatomy, file_name: str) -> int:
    """The pool has a position for each pixel of the coarsest resolution; a mean has none."""
    if anatomy.pool == "attention":
        side = math.isqrt(anatomy.tokens)
        if side * side != anatomy.tokens:
            raise strange(f"a pool of {anatomy.tokens} pixels, which are no square")
        size = side * anatomy.side_multiple
        asking.note("side of its pictures", str(size), "shapes")
        return size
    return int(asking.settle(size_question(anatomy, *size_of(anatomy, file_name))))


def _heads(anatomy: Anatomy, known: Published | None) -> tuple[str | None, Origin]:
    """The program gives all its classifiers heads of 64 channels."""
    if known is not None:
        return known.settings.heads, "table"
    return ("channels-64" if all(width % 64 == 0 for width in anatomy.attended) else None), "assumed"


def _build(config: ClassifierConfig) -> nn.Module:
    import torch

    from core.classifier import Classifier

    with torch.device("meta"):
        return Classifier(config)


CLASSIFIER = OpenAIClassifier()
