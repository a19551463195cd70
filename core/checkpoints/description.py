"""What is known of a checkpoint before its weights are read: facts, each with its origin, and what must be asked.

Needs no torch: the window shows it, ``main.py inspect`` prints it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Origin = Literal["file", "shapes", "table", "assumed", "guessed", "answered"]
"""Where a fact is from: read in the file, inferred from the shapes of its tensors, known of the published model with
this signature, what such files mean where they say nothing, a guess, or the person."""

Answers = Mapping[str, str]
"""What a person said, by the key of the question."""

Kind = Literal["model", "classifier"]
ExportForm = Literal["diffusers", "copy"]
"""How a model is written: as a folder that diffusers opens, or as one that opens here without questions."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of what is known, in words for a person ("attention heads", "64 channels a head")."""

    name: str
    value: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class Choice:
    """A possible answer: ``value`` is stored, ``words`` are shown."""

    value: str
    words: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a file cannot say. Without ``choices`` the answer is a whole number (``low`` to ``high``, a multiple of
    ``multiple``). ``best`` is the guess it begins with, ``why`` the reason for it, in a sentence."""

    key: str
    title: str
    best: str
    why: str
    choices: tuple[Choice, ...] = ()
    low: int = 1
    high: int = 8192
    multiple: int = 1


@dataclass(frozen=True, slots=True)
class Description:
    """A checkpoint that can be opened. ``family`` is whose format it is ("OpenAI guided-diffusion"); ``kind`` what it
    becomes here. ``questions`` are those whose answer would be a guess: without any, it opens by itself. ``options``
    can be chosen otherwise, but what is usual is known."""

    kind: Kind
    family: str
    name: str
    facts: tuple[Fact, ...] = ()
    questions: tuple[Question, ...] = ()
    options: tuple[Question, ...] = ()
    notes: tuple[str, ...] = ()
    tensors: int = 0
    parameters: int = 0
    nbytes: int = 0
