"""What every plot of measurements has in common: it is drawn the same on the screen and into a file, and has a menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QAction, QColor, QContextMenuEvent, QGuiApplication, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QWidget

from app.theme import palette, theme

Table = Sequence[Sequence[str | float]]
FILES = {".svg": "Save as &SVG…", ".png": "Save as &PNG…", ".csv": "Save its numbers as &CSV…"}
KEYS = "Ctrl+E"


class DrawnPlot(QWidget):
    """A plot by QPainter. Subclasses override ``draw`` and ``table``, and may name themselves in ``title``;
    those that stand on a panel say so with ``on_panel``.

    The menu (right click, Menu key or Ctrl+E) saves it and copies its numbers.

    Signals: ``export_wanted(str)`` with ".svg", ".png" or ".csv".
    """

    export_wanted = Signal(str)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self.on_panel = False
        self.setAccessibleName(title)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        opener = QAction("Save this plot", self)
        opener.setShortcut(QKeySequence(KEYS))
        opener.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        opener.triggered.connect(lambda: self.open_menu())
        self.addAction(opener)
        theme().theme_changed.connect(self.update)

    def draw(self, painter: QPainter, size: QSizeF) -> None:
        """Paint the plot into the rectangle from (0, 0) of this size, without anything of the moment."""
        raise NotImplementedError

    def draw_moment(self, painter: QPainter, size: QSizeF) -> None:
        """What belongs to the screen alone: what is pointed at, what has the keyboard."""

    def table(self) -> Table:
        """The numbers that are drawn: a row of names, then the rows."""
        raise NotImplementedError

    @property
    def is_empty(self) -> bool:
        """Nothing is drawn: there is nothing to save."""
        return len(self.table()) < 2

    @property
    def surface(self) -> QColor:
        """What it stands on."""
        return QColor(palette().panel if self.on_panel else palette().window)

    def export_size(self) -> QSize:
        """Of the drawing in a file, in pixels of the screen."""
        return self.size()

    def menu(self) -> QMenu:
        """Save it, copy its numbers."""
        made = QMenu(self)
        for ending, words in FILES.items():
            made.addAction(words).triggered.connect(self._wants(ending))
        made.addSeparator()
        made.addAction("&Copy its numbers").triggered.connect(lambda: self.copy_numbers())
        for action in made.actions():
            action.setEnabled(not self.is_empty)
        return made

    def open_menu(self, at: QPoint | None = None) -> QMenu:
        made = self.menu()
        made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        made.popup(at if at is not None else self.mapToGlobal(self.rect().center()))
        return made

    def copy_numbers(self) -> None:
        """To the clipboard, as a spreadsheet takes them."""
        text = "\n".join("\t".join(map(str, row)) for row in self.table())
        QGuiApplication.clipboard().setText(text)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.open_menu(event.globalPos())
        event.accept()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self.surface)
        size = QSizeF(self.size())
        self.draw(painter, size)
        self.draw_moment(painter, size)

    def _wants(self, ending: str) -> Callable[[], None]:
        return lambda: self.export_wanted.emit(ending)
