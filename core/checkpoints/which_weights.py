"""Raw or averaged weights, where a checkpoint holds both: which are taken, why, and the choice of the other ones."""

from __future__ import annotations

from core.checkpoints.description import Answers, Choice, Fact, Origin, Question
from core.errors import Refusal, shown

WEIGHTS_KEY = "weights"
"""Of the answer that says which weights are wanted."""

QUESTION = Question(
    WEIGHTS_KEY,
    "Weights",
    "ema",
    "Averages over a training (EMA) draw better pictures than the weights of its last step, as DDPM's own were drawn.",
    (Choice("ema", "averaged (EMA)"), Choice("raw", "raw, of the last step")),
)


def wanted_weights(answers: Answers) -> str:
    """Which weights are wanted where there are raw and averaged ones: "ema", "raw" or "". Raises Refusal."""
    wanted = answers.get(WEIGHTS_KEY, "")
    if wanted not in ("", "ema", "raw"):
        raise Refusal(f"“{WEIGHTS_KEY}” can be ema or raw, not “{shown(wanted)}”.")
    return wanted


def options(has_both: bool) -> tuple[Question, ...]:
    """What can be chosen of the weights."""
    return (QUESTION,) if has_both else ()


def named(name: str, is_raw: bool) -> str:
    """What a model is called: where both are there, the raw weights are another model, and people must see it."""
    return f"{name} (raw)" if is_raw else name


def taken(averaged: bool, has_both: bool, answers: Answers, files: str = "") -> Fact:
    """The weights that are taken, as a fact; ``files`` are where they lie, where that says more."""
    words = "averaged (EMA)" if averaged else "raw"
    origin: Origin = "answered" if WEIGHTS_KEY in answers else "assumed" if has_both else "file"
    return Fact(WEIGHTS_KEY, f"{words}: {files}" if files else words, origin)
