"""What the window says while something is dragged over it: what will happen, or why nothing can."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.theme import GRID, RADIUS, font, palette


class DropOverlay(QWidget):
    """A veil over its parent with one sentence in the middle; it takes no mouse and no drops itself."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._verb = ""
        self._what = ""
        self._refused = False
        self._covered = parent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        parent.installEventFilter(self)
        self.hide()

    @property
    def text(self) -> str:
        """What is said; "" while hidden."""
        return "" if self.isHidden() else f"{self._verb}: {self._what}" if self._what else self._verb

    @property
    def refuses(self) -> bool:
        """Whether a drop would do nothing."""
        return self._refused

    def promise(self, verb: str, what: str = "") -> None:
        """Say what a drop will do."""
        self._show(verb[:1].upper() + verb[1:], what, refused=False)

    def refuse(self, reason: str) -> None:
        """Say why a drop will do nothing."""
        self._show("This cannot be used here", reason, refused=True)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self._covered:
            self._cover()
        return False

    def paintEvent(self, _event: QPaintEvent) -> None:
        colours = palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(colours.window)
        veil.setAlphaF(0.88)
        painter.fillRect(self.rect(), veil)
        frame = QRectF(self.rect()).adjusted(*(sign * (1.5 * GRID + 0.5) for sign in (1, 1, -1, -1)))
        ink = QColor(colours.danger if self._refused else colours.text)
        painter.setPen(QPen(ink, 1, Qt.PenStyle.SolidLine if not self._refused else Qt.PenStyle.DashLine))
        painter.drawRoundedRect(frame, RADIUS, RADIUS)
        painter.setPen(ink)
        painter.setFont(font("title"))
        middle = frame.center().y()
        painter.drawText(QRectF(frame.x(), middle - 4 * GRID, frame.width(), 4 * GRID), _CENTRED, self._verb)
        painter.setPen(QColor(colours.quiet))
        painter.setFont(font("body"))
        below = QRectF(frame.x() + 4 * GRID, middle, frame.width() - 8 * GRID, 6 * GRID)
        painter.drawText(below, _CENTRED | Qt.TextFlag.TextWordWrap, self._what)

    def _show(self, verb: str, what: str, *, refused: bool) -> None:
        self._verb, self._what, self._refused = verb, what, refused
        self._cover()
        self.show()
        self.raise_()
        self.update()

    def _cover(self) -> None:
        self.setGeometry(self._covered.rect())


_CENTRED = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
