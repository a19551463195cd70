"""What a classifier makes of a long run, drawn as often as the run makes a step."""

import time

import pytest
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.theme import colour
from app.widgets.rail import Rail
from app.widgets.recognition_curve import RecognitionCurve

STEPS = 1000


@pytest.fixture
def curve(qtbot: QtBot) -> RecognitionCurve:
    holder, rail = QWidget(), Rail()
    qtbot.addWidget(holder)
    column = QVBoxLayout(holder)
    rail.setRange(0, STEPS)
    made = RecognitionCurve(rail, holder)
    column.addWidget(rail)
    column.addWidget(made)
    holder.resize(900, 200)
    holder.show()
    made.kept = holder  # type: ignore[attr-defined]
    return made


def test_that_a_thousand_steps_of_sixteen_samples_are_drawn_in_no_time(curve: RecognitionCurve) -> None:
    curve.set_values({step: tuple(-0.001 * step - 0.1 * sample for sample in range(16)) for step in range(STEPS)})
    curve.grab()
    began = time.process_time()
    curve.grab()
    assert time.process_time() - began < 0.15


def test_that_the_last_known_step_of_a_long_run_is_drawn(curve: RecognitionCurve) -> None:
    curve.set_values({step: (-2.0 if step == STEPS - 1 else -1.0,) for step in range(STEPS)})
    end = curve.place(STEPS - 1, -2.0).toPoint()
    image = curve.grab().toImage()
    near = [image.pixelColor(end.x() + x, end.y() + y) for x in range(-2, 2) for y in range(-3, 1)]
    assert any(abs(seen.hue() - colour("gradient").hue()) < 12 and seen.saturation() > 60 for seen in near)
