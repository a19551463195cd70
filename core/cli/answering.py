"""What a person says on the command line of a checkpoint that does not say all itself."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.errors import Refusal


def add_answers(parser: argparse.ArgumentParser) -> None:
    """--answer, as often as there are questions."""
    parser.add_argument(
        "--answer",
        action="append",
        type=_answer,
        default=[],
        metavar="KEY=VALUE",
        help="what a model's file does not say, as main.py inspect asks it; may be repeated",
    )


def answers_of(options: argparse.Namespace, path: Path) -> dict[str, str]:
    """What was said in the window of this checkpoint, and now. Raises Refusal where it asks nothing of the kind."""
    from core.checkpoints.answers import AnswerBook
    from core.checkpoints.opening import describe

    given = getattr(options, "answer", [])  # which not every command with a model takes
    said = dict(given)
    if len(said) < len(given):
        raise Refusal("One --answer contradicts another: give each key once.")
    if said:
        known = describe(path, said)
        used = sum(fact.origin == "answered" for fact in known.facts)
        if used < len(said):
            asking = describe(path, {})
            keys = [question.key for question in (*asking.questions, *asking.options)]
            asked = f"it asks for {', '.join(keys)}" if keys else "it asks for nothing"
            raise Refusal(f"{path.name} does not ask for all of {', '.join(said)}: {asked}.")
    return {**(AnswerBook().of(path) or {}), **said}


def _answer(text: str) -> tuple[str, str]:
    key, is_given, value = text.partition("=")
    if not is_given or not key.strip() or not value.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return key.strip(), value.strip()
