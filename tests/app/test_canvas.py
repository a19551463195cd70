"""Drawing a digit: the strokes become the pixels that will be used."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app.widgets.canvas import SIDE, Canvas, DrawingBoard


@pytest.fixture
def board(qtbot: QtBot) -> DrawingBoard:
    made = DrawingBoard()
    qtbot.addWidget(made)
    made.resize(6 * SIDE, 300)
    made.show()
    qtbot.waitExposed(made)
    return made


def stroke(qtbot: QtBot, canvas: Canvas, *points: tuple[float, float]) -> None:
    """Through these points, in pixels of the 32 × 32 picture."""
    square = canvas._square()
    scale = square.width() / SIDE
    places = [QPoint(round(square.x() + x * scale), round(square.y() + y * scale)) for x, y in points]
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=places[0])
    for place in places[1:]:
        qtbot.mouseMove(canvas, place)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=places[-1])


def button(board: DrawingBoard, text: str) -> QPushButton:
    return next(button for button in board.findChildren(QPushButton) if button.text() == text)


def test_that_an_empty_canvas_is_black_and_cannot_be_used(board: DrawingBoard) -> None:
    assert board.canvas.pixels().shape == (SIDE, SIDE, 1)
    assert not board.canvas.pixels().any()
    assert not button(board, "Use").isEnabled()
    assert not button(board, "Undo").isEnabled()


def test_that_a_stroke_is_white_where_the_mouse_went_and_soft_at_its_sides(board: DrawingBoard, qtbot: QtBot) -> None:
    stroke(qtbot, board.canvas, (16, 4), (16, 28))
    pixels = board.canvas.pixels()[..., 0]
    assert (pixels[8:24, 16] > 200).all()
    assert not pixels[:, :12].any()
    assert not pixels[:, 20:].any()
    soft = pixels[16][(pixels[16] > 0) & (pixels[16] < 255)]
    assert soft.size >= 2


def test_that_a_click_leaves_a_round_dot(board: DrawingBoard, qtbot: QtBot) -> None:
    stroke(qtbot, board.canvas, (16, 16))
    pixels = board.canvas.pixels()[..., 0].astype(float)
    assert pixels.sum() / 255 == pytest.approx(np.pi * 1.2**2, rel=0.15)


def test_that_undo_takes_back_exactly_the_last_stroke(board: DrawingBoard, qtbot: QtBot) -> None:
    stroke(qtbot, board.canvas, (6, 6), (26, 6), (10, 26))
    before = board.canvas.pixels()
    stroke(qtbot, board.canvas, (20, 20), (28, 28))
    assert (board.canvas.pixels() != before).any()
    board.canvas.setFocus()
    qtbot.keyClick(board.canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (board.canvas.pixels() == before).all()
    qtbot.mouseClick(button(board, "Undo"), Qt.MouseButton.LeftButton)
    assert board.canvas.is_empty


def test_that_clear_starts_again(board: DrawingBoard, qtbot: QtBot) -> None:
    stroke(qtbot, board.canvas, (6, 6), (26, 6))
    qtbot.mouseClick(button(board, "Clear"), Qt.MouseButton.LeftButton)
    assert not board.canvas.pixels().any()
    stroke(qtbot, board.canvas, (6, 6), (26, 6))
    qtbot.keyClick(board.canvas, Qt.Key.Key_Delete)
    assert board.canvas.is_empty


def test_that_use_hands_over_the_very_pixels_on_the_canvas(board: DrawingBoard, qtbot: QtBot) -> None:
    stroke(qtbot, board.canvas, (8, 8), (24, 24))
    with qtbot.waitSignal(board.used) as used:
        qtbot.mouseClick(button(board, "Use"), Qt.MouseButton.LeftButton)
    image = used.args[0]
    assert (image.pixels == board.canvas.pixels()).all()
    assert image.name == "drawing"
    assert len(image.sha256) == 64


def test_that_the_canvas_shows_the_pixels_it_will_hand_over(board: DrawingBoard, qtbot: QtBot) -> None:
    stroke(qtbot, board.canvas, (8, 16), (24, 16))
    shown = board.canvas.grab().toImage()
    square = board.canvas._square()
    scale = square.width() // SIDE
    pixels = board.canvas.pixels()[..., 0]
    for x, y in ((16, 16), (16, 14), (9, 17), (4, 4)):
        colour = shown.pixelColor(square.x() + x * scale + scale // 2, square.y() + y * scale + scale // 2)
        assert colour.red() == pixels[y, x]
