"""What the options of ``main.py train`` make of a training's order."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from core.cli.parser import parse
from core.cli.train import _settings, _shared_batch
from core.errors import Refusal
from core.training.group import Group
from core.training.order import TrainOrder
from tests.core.halves import REQUEST


def options(*more: str) -> Namespace:
    return parse(["train", "pictures", "--out", "run", *more])


def order(*more: str) -> TrainOrder:
    return TrainOrder(Path("run"), **_settings(options(*more), None, None))


def test_that_what_is_not_said_is_left_to_the_order() -> None:
    assert order() == TrainOrder(Path("run"))


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (("--keep-every", "500"), "keep_every", 500),
        (("--validation", "0"), "validation", 0),
        (("--samples-from", "raw"), "samples_from", "raw"),
        (("--no-compile",), "compile", False),
        (("--compile",), "compile", True),
    ],
)
def test_that_an_option_reaches_the_order(words: tuple[str, ...], name: str, value: object) -> None:
    assert getattr(order(*words), name) == value


@pytest.mark.parametrize("words", [("--keep-every", "0"), ("--validation", "-1"), ("--samples-from", "both")])
def test_that_nonsense_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(Refusal):
        options(*words)


def test_that_each_of_several_processes_takes_the_batch_that_was_named() -> None:
    pair = Group(0, 2)
    assert _shared_batch(options("--batch", "3"), None, pair) == {"batch": 6}
    assert _shared_batch(options(), None, pair) == {"batch": 2 * TrainOrder(Path()).batch}
    assert _shared_batch(options(), REQUEST, pair) == {}  # a run that goes on keeps its own
    assert _shared_batch(options("--batch", "3"), None, Group()) == {}
