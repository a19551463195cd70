"""What a beginner does not need, folded under a title, and scrolled where there is no room for it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.theme import GRID


class Unfolded(QScrollArea):
    """As high as what is in it; where there is not the room, it is scrolled rather than cropped."""

    LEAST = 12 * GRID

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.body = QWidget()
        self.setWidget(self.body)
        self.body.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def sizeHint(self) -> QSize:
        return self.body.sizeHint()

    def minimumSizeHint(self) -> QSize:
        least = self.body.minimumSizeHint()
        return QSize(least.width(), min(self.LEAST, least.height()))


class MoreSection(QWidget):
    """Controls that a beginner does not need, folded under a title.

    Signals: ``open_changed(bool)``.
    """

    open_changed = Signal(bool)

    def __init__(self, title: str = "More", *, is_open: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._head = QToolButton()
        self._head.setText(title)
        self._head.setCheckable(True)
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setProperty("role", "more")
        self._head.setAccessibleName(title)
        self._say_what_it_does(is_open=False)
        self._body = Unfolded()
        self._content = QVBoxLayout(self._body.body)
        self._content.setContentsMargins(0, GRID // 2, 0, 0)
        self._content.setSpacing(GRID)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._row = QHBoxLayout()
        self._row.setSpacing(GRID)
        self._row.addWidget(self._head)
        self._row.addStretch(1)
        column.addLayout(self._row)
        column.addWidget(self._body)
        self._head.toggled.connect(self._toggled)
        self._body.hide()
        self._head.setArrowType(Qt.ArrowType.RightArrow)
        self.set_open(is_open)

    def add(self, widget: QWidget) -> None:
        self._content.addWidget(widget)

    def add_beside(self, widget: QWidget, stretch: int = 0) -> None:
        """Put a widget at the right of the title, where it stays while the section is folded."""
        self._row.addWidget(widget, stretch)

    def title(self) -> str:
        return self._head.text()

    def set_title(self, title: str) -> None:
        """What is said even while the section is folded."""
        self._head.setText(title)
        self._head.setAccessibleName(title)

    def is_open(self) -> bool:
        return self._head.isChecked()

    def set_open(self, is_open: bool) -> None:
        self._head.setChecked(is_open)

    @Slot(bool)
    def _toggled(self, is_open: bool) -> None:
        self._head.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self._body.setVisible(is_open)
        self._say_what_it_does(is_open=is_open)
        self.open_changed.emit(is_open)

    def _say_what_it_does(self, *, is_open: bool) -> None:
        self._head.setToolTip("Fold these settings away again" if is_open else "Show settings that are seldom needed")
