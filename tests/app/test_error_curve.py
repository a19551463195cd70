"""The curve of the error: where points lie, what a click means, and what is told without seeing it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QColor, QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from app.theme import colour, palette
from app.widgets.error_curve import ErrorCurve, ErrorPoint

PAPER = {10: 0.014, 100: 0.0009, 1000: 0.0001}


@pytest.fixture
def curve(qtbot: QtBot) -> ErrorCurve:
    made = ErrorCurve()
    qtbot.addWidget(made)
    made.resize(400, 140)
    made.set_reference("DDIM paper, CIFAR-10", PAPER)
    made.set_points([ErrorPoint(7, 50, 0.002), ErrorPoint(3, 10, 0.01), ErrorPoint(9, 10, 1e-5, "refined 3")], 7)
    made.show()
    return made


def test_that_both_axes_are_logarithmic(curve: ErrorCurve) -> None:
    tenfold = [curve.place(steps, 0.001).x() for steps in (10, 100, 1000)]
    assert tenfold[2] - tenfold[1] == pytest.approx(tenfold[1] - tenfold[0])
    hundredth = [curve.place(10, error).y() for error in (1e-2, 1e-3, 1e-4)]
    assert hundredth[2] - hundredth[1] == pytest.approx(hundredth[1] - hundredth[0])
    assert hundredth[0] < hundredth[1]


def test_that_everything_fits_the_axes_however_small_or_perfect(curve: ErrorCurve) -> None:
    for error in (0.0, 1e-9, 0.3):
        curve.set_points([ErrorPoint(1, 1, error), ErrorPoint(2, 1000, error)])
        for point in curve.points:
            assert curve.rect().contains(curve._at(point).toPoint())
        curve.grab()


def test_that_a_click_on_a_point_means_its_run(curve: ErrorCurve, qtbot: QtBot) -> None:
    with qtbot.waitSignal(curve.point_clicked) as clicked:
        at = curve.place(10, 1e-5) + QPointF(3, 2)
        qtbot.mouseClick(curve, Qt.MouseButton.LeftButton, pos=at.toPoint())
    assert clicked.args == [9]
    with qtbot.assertNotEmitted(curve.point_clicked):
        qtbot.mouseClick(curve, Qt.MouseButton.LeftButton, pos=(at + QPointF(60, 0)).toPoint())


def test_that_points_are_chosen_with_the_keyboard(curve: ErrorCurve, qtbot: QtBot) -> None:
    curve.setFocus()
    qtbot.waitUntil(curve.hasFocus)
    with qtbot.assertNotEmitted(curve.point_clicked):
        qtbot.keyClick(curve, Qt.Key.Key_Return)
    for _ in range(2):
        qtbot.keyClick(curve, Qt.Key.Key_Right)
    with qtbot.waitSignal(curve.point_clicked) as clicked:
        qtbot.keyClick(curve, Qt.Key.Key_Return)
    assert clicked.args == [7]


def test_that_the_point_looked_at_has_the_cursors_colour(curve: ErrorCurve) -> None:
    ring = curve.place(50, 0.002) + QPointF(7, 0)
    seen, wanted = curve.grab().toImage().pixelColor(ring.toPoint()), colour("t")
    assert max(abs(a - b) for a, b in zip(seen.getRgb()[:3], wanted.getRgb()[:3], strict=True)) < 32


def test_that_plain_points_are_filled_and_special_ones_are_rings(curve: ErrorCurve) -> None:
    image = curve.grab().toImage()
    assert image.pixelColor(curve.place(10, 0.01).toPoint()) == QColor(colour("x_0"))
    assert image.pixelColor(curve.place(10, 1e-5).toPoint()) == QColor(palette().window)


def test_that_the_points_can_be_heard(curve: ErrorCurve) -> None:
    assert curve.accessibleDescription().splitlines() == [
        "10 steps: mean squared error 0.01",
        "50 steps: mean squared error 0.002",
        "10 steps, refined 3: mean squared error 1e-05",
    ]


def test_that_a_point_under_the_pointer_says_what_it_is(curve: ErrorCurve, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(QToolTip, "showText", lambda _at, text, *_: said.append(text))
    curve.setToolTip("The whole plot")
    at = curve.place(50, 0.002).toPoint()
    QApplication.sendEvent(curve, QHelpEvent(QEvent.Type.ToolTip, at, curve.mapToGlobal(at)))
    assert said == ["50 steps: mean squared error 0.002\nClick to see this inversion."]
