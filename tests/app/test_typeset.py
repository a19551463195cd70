"""The formulas that lie ready: all there, and as the typesetting library makes them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PySide6.QtCore import QRectF
from pytestqt.qtbot import QtBot

from app.formulas import FORWARD
from app.stages.denoise import DenoiseStage
from app.stages.forward import ForwardStage
from app.stages.invert import InvertStage
from app.stages.measure import MeasureStage
from app.stages.morph import MorphStage
from app.stages.train import TrainStage
from app.state import AppState
from app.widgets.algorithm import Algorithm
from app.widgets.equation import Equation
from app.widgets.pictures import PicturePane
from app.widgets.typeset import drawn_before, typeset
from app.widgets.typesetter import drawing
from resources import FORMULAS
from resources.recipes.formulas import shown
from tests.app.fake_engine import FakeBridge

STAGES = (ForwardStage, DenoiseStage, InvertStage, MorphStage, TrainStage, MeasureStage)
AGAIN = "Run python -m resources.recipes.formulas."


def test_that_every_formula_lies_ready_in_the_file() -> None:
    assert set(shown()) == set(drawn_before()), AGAIN


@pytest.mark.parametrize("latex", sorted(shown(), key=len)[::7])
def test_that_what_lies_ready_is_what_the_library_draws(latex: str) -> None:
    assert drawn_before()[latex] == drawing(latex), AGAIN


@pytest.mark.parametrize("make", STAGES)
def test_that_a_stage_shows_nothing_that_does_not_lie_ready(qtbot: QtBot, make: type) -> None:
    state = AppState()
    stage = make(state, FakeBridge(state))
    qtbot.addWidget(stage)
    widgets = [stage, *stage.right_widgets(), *stage.bottom_widgets()]
    for widget in widgets[1:]:
        qtbot.addWidget(widget)
    every = [one for widget in widgets for one in (widget, *widget.findChildren(object))]
    found = {one.latex for one in every if isinstance(one, Equation)}
    found |= {one.symbol for one in every if isinstance(one, PicturePane)}
    for one in every:
        if isinstance(one, Algorithm):
            found |= {part for line in one.lines for part in line.split("$")[1::2]}
    assert found - {""}
    assert found - {""} <= set(drawn_before()), f"Name it in resources/recipes/formulas.py. {AGAIN}"


def test_that_a_formula_from_the_file_needs_no_library() -> None:
    program = (
        "import sys; from app.widgets.typeset import typeset; from app.formulas import FORWARD; "
        "assert typeset(FORWARD.latex).pieces; assert 'ziamath' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert FORMULAS.is_file()


def test_that_a_formula_that_does_not_lie_ready_is_typeset_now() -> None:
    latex = r"\textcolor{x_t}{q} + 17"
    assert latex not in drawn_before()
    made = typeset(latex)
    assert [role for role, _path in made.pieces] == ["x_t", "", "", ""]
    assert made.boxes["x_t"].right() < made.bounds.right()


def test_that_the_pieces_fill_the_bounds() -> None:
    made = typeset(FORWARD.latex)
    covered = QRectF()
    for _role, path in made.pieces:
        covered = covered.united(path.boundingRect())
    assert made.bounds.adjusted(-1, -1, 1, 1).contains(covered)
    assert covered.width() > 0.95 * made.bounds.width()
