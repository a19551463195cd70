"""What every plot has in common: it is drawn the same on the screen and into a file, and has a menu."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

from PySide6.QtCore import QCoreApplication, QEvent, QMargins, QPoint, QRect, QRectF, QSize, QSizeF, Qt, Slot
from PySide6.QtGui import (
    QAction,
    QColor,
    QContextMenuEvent,
    QGuiApplication,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QMenu, QWidget

from app.theme import GRID, palette, theme

Table = Sequence[Sequence[str | float]]
FILES = {".svg": "Save as &SVG…", ".png": "Save as &PNG…", ".csv": "Save its numbers as &CSV…"}
KEYS = "Ctrl+E"
MENU_WORDS = f"Right click or {KEYS}: save it, copy its numbers."
LEAST_FILE = QSize(480, 240)
"""Of the drawing in a file, in pixels of the screen: as large as it is shown, and large enough to be read alone."""


class SaveWanted(QEvent):
    """A plot's menu was used: its window is to save ``plot`` in a file with this ``ending``."""

    TYPE = QEvent.Type(QEvent.registerEventType())

    def __init__(self, plot: DrawnPlot, ending: str) -> None:
        super().__init__(self.TYPE)
        self.plot, self.ending = plot, ending


class DrawnPlot(QWidget):
    """A plot by QPainter. Subclasses override ``draw`` and ``table``, and lay out what they draw in ``extent``.

    The menu (right click, Menu key or Ctrl+E) copies its numbers, or asks the window to save it: see ``SaveWanted``.

    Attributes: ``file_margin`` (pixels of a file around the drawing); ``title`` for people; ``subject`` (the model or
    run it shows, "" where its window knows); ``on_panel`` (it stands on a panel).
    """

    file_margin: ClassVar[int] = GRID

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self.subject = ""
        self.on_panel = False
        self._file: QSizeF | None = None
        self.setAccessibleName(title)
        self.setToolTip(MENU_WORDS)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        add_menu_key(self, self._open_menu)
        theme().theme_changed.connect(self.update)

    def draw(self, painter: QPainter) -> None:
        """Paint the plot into the rectangle from (0, 0) to ``extent``, without anything of the moment."""
        raise NotImplementedError

    def draw_moment(self, painter: QPainter) -> None:
        """What belongs to the screen alone: what is pointed at or looked at."""

    def table(self) -> Table:
        """The numbers that are drawn: a row of names with symbols and units, then the rows."""
        raise NotImplementedError

    @property
    def extent(self) -> QSizeF:
        """Of the drawing in hand: the widget's, or the file's."""
        return self._file or QSizeF(self.size())

    @property
    def has_keyboard(self) -> bool:
        """Keys mean this plot: it is framed."""
        return self.hasFocus()

    @property
    def in_file(self) -> bool:
        """The drawing in hand is that of a file."""
        return self._file is not None

    @property
    def is_empty(self) -> bool:
        """Nothing is drawn: there is nothing to save."""
        return len(self.table()) < 2

    @property
    def file_name(self) -> str:
        """What a file of it is called, without its subject."""
        return self.title.lower()

    @property
    def surface(self) -> QColor:
        """What it stands on."""
        return QColor(palette().panel if self.on_panel else palette().window)

    def explain(self, meaning: str) -> None:
        """The tooltip: what is plotted, and what can be done with any plot."""
        self.setToolTip(f"{meaning}\n{MENU_WORDS}")

    def export_size(self) -> QSize:
        """Of the drawing in a file, in pixels of the screen."""
        return self.size().expandedTo(LEAST_FILE)

    def draw_file(self, painter: QPainter) -> None:
        """Paint what a file shows, of ``export_size``."""
        size, margin = self.export_size(), self.file_margin
        self._file = QSizeF(size.shrunkBy(QMargins(margin, margin, margin, margin)))
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.fillRect(QRect(QPoint(), size), self.surface)
            painter.translate(margin, margin)
            self.draw(painter)
        finally:
            self._file = None

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
        QGuiApplication.clipboard().setText("\n".join("\t".join(map(cell, row)) for row in self.table()))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.open_menu(event.globalPos())
        event.accept()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.draw(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.draw_moment(painter)
        if self.has_keyboard:
            painter.setPen(QPen(QColor(palette().quiet), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(0.5, 0.5, self.width() - 1, self.height() - 1))

    @Slot()
    def _open_menu(self) -> None:
        self.open_menu()

    def _wants(self, ending: str) -> Callable[[], None]:
        def wanted() -> None:
            QCoreApplication.sendEvent(self.window(), SaveWanted(self, ending))

        return wanted


def add_menu_key(widget: QWidget, open_menu: Callable[[], None]) -> None:
    """Let the widget open a plot's menu by ``KEYS`` while it has the keyboard."""
    opener = QAction("Save this plot", widget)
    opener.setShortcut(QKeySequence(KEYS))
    opener.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
    opener.triggered.connect(open_menu)
    widget.addAction(opener)


def cell(value: str | float) -> str:
    """An entry of a table as it is written: all digits, so that it reads back to the same bits; NaN as nothing."""
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else repr(value)
