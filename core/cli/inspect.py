"""``main.py inspect``: what a checkpoint is, how that is known, what was guessed, and why it is refused."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from core.checkpoints.description import Description, Origin, Question
from core.checkpoints.opening import describe
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
        path = find_model(options.path)
        described = describe(path, answers_of(options, path))
    except Refusal as refusal:
        if options.json:
            print(json.dumps({"refused": str(refusal), "details": refusal.details}))
        raise
    report(asdict(described), options.json, "\n".join(_lines(described)))
    return 0


def _lines(described: Description) -> Iterator[str]:
    size = f", {described.parameters:,} parameters in {described.tensors:,} tensors" if described.parameters else ""
    room = f", {described.nbytes / 2**20:,.1f} MiB" if described.nbytes else ""
    yield f"{described.name}: {described.family}, a {described.kind}{size}{room}"
    names = max((len(fact.name) for fact in described.facts), default=0)
    values = max((len(fact.value) for fact in described.facts), default=0)
    for fact in described.facts:
        yield f"  {fact.name:{names}}  {fact.value:{min(values, 60)}}  {ORIGINS[fact.origin]}"
    if described.questions:
        yield "guessed, because the file does not say:"
        for question in described.questions:
            yield from _asked(question)
    yield from (f"note: {note}" for note in described.notes)


def _asked(question: Question) -> Iterator[str]:
    others = [choice.value for choice in question.choices if choice.value != question.best]
    can_be = f"; or {', '.join(others)}" if others else ""
    if not question.choices:
        multiple = f", a multiple of {question.multiple}" if question.multiple > 1 else ""
        can_be = f"; {question.low} to {question.high}{multiple}"
    yield f"  {question.title}: --answer {question.key}={question.best}{can_be}"
    yield f"    {question.why}"
