"""A small button at the edge of the window that folds the panel beside it away, and brings it back."""

from __future__ import annotations

from typing import Literal

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QStyle, QStyleOptionToolButton, QToolButton, QWidget

from app.theme import palette

WIDTH, HEIGHT = 16.0, 12.0
PANEL = 5.0
Side = Literal["left", "right"]


class PanelButton(QToolButton):
    """Drawn as the window with its panel: filled where the panel is unfolded, an outline where it is folded."""

    def __init__(self, action: QAction, side: Side, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._side = side
        self.setDefaultAction(action)
        self.setAccessibleName(action.text().replace("&", ""))

    def sizeHint(self) -> QSize:
        return QSize(32, 28)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        option = QStyleOptionToolButton()
        self.initStyleOption(option)
        option.text = ""
        option.state &= ~QStyle.StateFlag.State_On
        self.style().drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option, painter, self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = QColor(palette().text if self.underMouse() else palette().quiet)
        frame = QRectF(0.0, 0.0, WIDTH, HEIGHT)
        frame.moveCenter(QRectF(self.rect()).center())
        frame.moveTo(round(frame.x()) + 0.5, round(frame.y()) + 0.5)  # on whole pixels, a line of one is sharp
        panel = QRectF(frame)
        if self._side == "left":
            panel.setRight(frame.left() + PANEL)
        else:
            panel.setLeft(frame.right() - PANEL)
        painter.setPen(QPen(ink, 1))
        painter.drawRoundedRect(frame, 2, 2)
        if self.isChecked():
            painter.fillRect(panel, ink)
        else:
            inner = panel.right() if self._side == "left" else panel.left()
            painter.drawLine(round(inner), round(frame.top()), round(inner), round(frame.bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.end()
