"""What the sliders over positions of a walk have in common: only positions that exist can be reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractSlider, QWidget

STEP, PAGE = "step", "page"


class PositionSlider(QAbstractSlider):
    """Positions 0..maximum, of which the first ``available`` exist. Subclasses paint, and say where positions lie.

    ``KEYS`` move by one (with Shift by ten) or by a tenth, Home and End go to the ends; so does the wheel by one.

    Signals: ``asked(int)``, what the person wants.
    """

    KEYS: ClassVar[Mapping[Qt.Key, tuple[str, int]]] = {}

    asked = Signal(int)

    def __init__(self, orientation: Qt.Orientation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setOrientation(orientation)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.available = 1

    def place_of(self, position: float) -> float:
        """Where a position lies along the slider, in the widget's coordinates."""
        raise NotImplementedError

    def ask(self, position: int) -> None:
        """Ask for the nearest position that exists."""
        self.asked.emit(max(0, min(position, self.available - 1)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._ask_at(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._ask_at(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta().y() or event.angleDelta().x()  # with Shift some systems turn the wheel sideways
        if turned:
            self.ask(self.value() + (-1 if turned > 0 else 1) * _stride(event.modifiers()))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        lengths = {STEP: _stride(event.modifiers()), PAGE: max(1, self.maximum() // 10)}
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.ask(0 if key == Qt.Key.Key_Home else self.maximum())
        elif key in self.KEYS:
            length, sign = self.KEYS[key]
            self.ask(self.value() + sign * lengths[length])
        else:
            event.ignore()

    def _ask_at(self, point: QPointF) -> None:
        along = point.x() if self.orientation() == Qt.Orientation.Horizontal else point.y()
        first, last = self.place_of(0), self.place_of(self.maximum())
        self.ask(round((along - first) / max(1.0, last - first) * self.maximum()))


def _stride(modifiers: Qt.KeyboardModifier) -> int:
    return 10 if modifiers & Qt.KeyboardModifier.ShiftModifier else 1
