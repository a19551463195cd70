"""What is known, answered or guessed of a checkpoint, collected while it is read."""

from __future__ import annotations

import math
from collections.abc import Collection

from core.checkpoints.description import Answers, Description, Fact, Kind, Origin, Question
from core.errors import Refusal


class Asking:
    """Settles one question after another; ``facts`` are what came of them, ``questions`` those where it was a guess."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.facts: list[Fact] = []
        self.questions: list[Question] = []

    def note(self, name: str, value: str, origin: Origin) -> None:
        """A fact that nobody is asked for."""
        self.facts.append(Fact(name, value, origin))

    def settle(self, question: Question, known: str | None = None, origin: Origin = "table") -> str:
        """The person's answer, else what is ``known`` (and from where), else the best guess.

        Raises Refusal where the answer is none of those that there are.
        """
        value: str = question.best
        source: Origin = "guessed"
        if question.key in self._answers:
            value, source = validated(question, self._answers[question.key]), "answered"
        elif known is not None:
            value, source = known, origin
        else:
            self.questions.append(question)
        self.facts.append(Fact(question.title[:1].lower() + question.title[1:], words(question, value), source))
        return value

    def description(
        self, kind: Kind, family: str, name: str, shapes: Collection[tuple[int, ...]], notes: tuple[str, ...] = ()
    ) -> Description:
        """All that has come of it, about a network whose tensors have these shapes."""
        return Description(
            kind=kind,
            family=family,
            name=name,
            facts=tuple(self.facts),
            questions=tuple(self.questions),
            notes=notes,
            tensors=len(shapes),
            parameters=sum(map(math.prod, shapes)),
        )


def validated(question: Question, answer: str) -> str:
    """The answer as it is stored. Raises Refusal where the question has no such answer."""
    if question.choices:
        if any(choice.value == answer for choice in question.choices):
            return answer
        known = ", ".join(choice.value for choice in question.choices)
        raise Refusal(f"“{question.title}” ({question.key}) can be {known}, not “{answer[:60]}”.")
    low, high, multiple = question.low, question.high, question.multiple
    if not answer.isascii() or not answer.isdigit() or len(answer) > 9:
        raise Refusal(f"“{question.title}” ({question.key}) is a whole number, not “{answer[:60]}”.")
    number = int(answer)
    if not low <= number <= high or number % multiple:
        steps = "" if multiple == 1 else f", a multiple of {multiple}"
        raise Refusal(
            f"“{question.title}” ({question.key}) lies between {low} and {high}{steps}; it cannot be {number}."
        )
    return str(number)


def shape_of(widths: Collection[int], blocks: int) -> str:
    """A U-Net of these widths, from the finest resolution on, with so many residual blocks at each, in words."""
    channels = ", ".join(map(str, widths))
    return f"{len(widths)} resolutions of {channels} channels, {blocks} residual block{'s' if blocks > 1 else ''} each"


def words(question: Question, value: str) -> str:
    """An answer in words for a person."""
    return next((choice.words for choice in question.choices if choice.value == value), value)
