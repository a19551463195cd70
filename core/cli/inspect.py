"""``main.py inspect``: what a checkpoint is, how that is known, what was guessed, and why it is refused."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from core.checkpoints.description import Description, Fact, Origin, Question
from core.checkpoints.opening import describe
from core.classifier_folder import bundled_classifiers, find_classifier, is_classifier, read_classifier
from core.cli.answering import answers_of
from core.cli.output import report
from core.errors import Refusal
from core.model_folder import find_model

ORIGINS: Mapping[Origin, str] = {
    "file": "read in the file",
    "shapes": "from the shapes",
    "table": "known of the published model",
    "assumed": "assumed",
    "guessed": "guessed",
    "answered": "answered",
}


def inspect(options: argparse.Namespace) -> int:
    """Print what is known; raises Refusal, which --json prints as well."""
    try:
        described = _described(options)
    except Refusal as refusal:
        if options.json:
            print(json.dumps({"refused": str(refusal), "details": refusal.details}))
        raise
    report(asdict(described), options.json, "\n".join(_lines(described)))
    return 0


def _described(options: argparse.Namespace) -> Description:
    if options.path in bundled_classifiers() or is_classifier(Path(options.path)):
        return _of_classifier(find_classifier(options.path))
    path = find_model(options.path)
    return describe(path, answers_of(options, path))


def _of_classifier(folder: Path) -> Description:
    info = read_classifier(folder)
    channels, height, width = info.event_shape
    facts = (
        Fact("pictures", f"{width} × {height}, {channels} channels", "file"),
        Fact("classes", str(len(info.labels)), "file"),
        Fact("trained on", "noised pictures, so it guides" if info.noisy else "clean pictures: it judges", "file"),
        Fact("noise schedule", f"{info.schedule.name}, {info.schedule.T} steps", "file"),
    )
    return Description("classifier", "Diffuscope", info.ref.name, facts, parameters=info.parameters)


def _lines(described: Description) -> Iterator[str]:
    size = f", {described.parameters:,} parameters" if described.parameters else ""
    tensors = f" in {described.tensors:,} tensors" if described.tensors else ""
    room = f", {described.nbytes / 2**20:,.1f} MiB" if described.nbytes else ""
    yield f"{described.name}: {described.family}, a {described.kind}{size}{tensors}{room}"
    names = max((len(fact.name) for fact in described.facts), default=0)
    for fact in described.facts:
        yield f"  {fact.name:{names}}  {fact.value} ({ORIGINS[fact.origin]})"
    if described.questions:
        yield "guessed, because the file does not say:"
        for question in described.questions:
            yield from _asked(question)
    if described.options:
        yield "a choice:"
        for option in described.options:
            yield from _asked(option)
    yield from (f"note: {note}" for note in described.notes)


def _asked(question: Question) -> Iterator[str]:
    others = [choice.value for choice in question.choices if choice.value != question.best]
    can_be = f"; or {', '.join(others)}" if others else ""
    if not question.choices:
        multiple = f", a multiple of {question.multiple}" if question.multiple > 1 else ""
        can_be = f"; {question.low} to {question.high}{multiple}"
    yield f"  {question.title}: --answer {question.key}={question.best}{can_be}"
    yield f"    {question.why}"
