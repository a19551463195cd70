"""Everything that can be done, found by typing a few letters of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QFocusEvent, QFont, QFontMetrics, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.fuzzy import match
from app.theme import GRID

WIDTH, ROWS = 72 * GRID, 11
ROW = 5 * GRID
NOTHING = "Nothing here is called that. Fewer letters find more."
ENTRY = Qt.ItemDataRole.UserRole
PLACES = Qt.ItemDataRole.UserRole + 1

_KEYS = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_WORSE = 0.6
"""What a letter in the words beside a title counts, of one in the title."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be done. ``key`` names it for the list of those used last; ``about`` is what is said beside
    its title, ``why_not`` the reason where it cannot be done at this moment."""

    key: str
    title: str
    about: str = ""
    keys: str = ""
    why_not: str = ""
    act: Callable[[], object] = field(default=lambda: None, compare=False)


def ranked(entries: Sequence[Entry], typed: str, recent: Sequence[str] = ()) -> list[tuple[Entry, tuple[int, ...]]]:
    """Those that fit what is typed, best first, with the letters that did; those used last first among equals.

    Without anything typed all of them, those used last first.
    """
    last = {key: place for place, key in enumerate(recent)}
    if not typed.strip():
        return [(entry, ()) for entry in sorted(entries, key=lambda entry: last.get(entry.key, math.inf))]
    found: list[tuple[float, int, int, Entry, tuple[int, ...]]] = []
    for number, entry in enumerate(entries):
        fits = match(typed, entry.title)
        about = None if fits else match(typed, f"{entry.title} {entry.about}")
        if fits is not None:
            rank, places = fits.score, fits.places
        elif about is not None:
            rank, places = _WORSE * about.score, tuple(place for place in about.places if place < len(entry.title))
        else:
            continue
        found.append((-rank, last.get(entry.key, len(last)), number, entry, places))
    return [(entry, places) for *_, entry, places in sorted(found, key=lambda one: one[:3])]


class _Found(QAbstractListModel):
    """What is found, as rows."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.rows: list[tuple[Entry, tuple[int, ...]]] = []

    def show(self, rows: list[tuple[Entry, tuple[int, ...]]]) -> None:
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        entry, places = self.rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return entry.title
            case Qt.ItemDataRole.ToolTipRole:
                return entry.why_not or entry.about
            case Qt.ItemDataRole.AccessibleTextRole:
                return ", ".join(filter(None, (entry.title, entry.keys, entry.why_not or entry.about)))
        return {int(ENTRY): entry, int(PLACES): places}.get(int(role))


class _Row(QStyledItemDelegate):
    """The title with the letters that were found, what is said of it below, and its keys at the right."""

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(WIDTH, ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        entry: Entry = index.data(ENTRY)
        colours = theme.palette()
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(colours.line))
        inner = rect.adjusted(GRID, 3, -GRID, -3)
        ink = QColor(colours.quiet if entry.why_not else colours.text)
        small, body = theme.font("caption"), theme.font("body")
        painter.setFont(small)
        painter.setPen(QColor(colours.quiet))
        keys = QFontMetrics(small).horizontalAdvance(entry.keys)
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, entry.keys)
        below = QRect(inner.x(), inner.y() + inner.height() // 2, inner.width(), inner.height() // 2)
        words = QFontMetrics(small).elidedText(
            entry.why_not or entry.about, Qt.TextElideMode.ElideRight, below.width() - GRID
        )
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)
        above = QRect(inner.x(), inner.y(), inner.width() - keys - GRID, inner.height() // 2)
        painter.setPen(ink)
        _write(painter, above, entry.title, set(index.data(PLACES)), body)
        painter.restore()


def _write(painter: QPainter, rect: QRect, text: str, places: set[int], body: QFont) -> None:
    """Letter by letter, those found underlined."""
    painter.setFont(body)
    metrics = painter.fontMetrics()
    x, line = rect.x(), rect.y() + metrics.ascent() + (rect.height() - metrics.height()) // 2
    for place, letter in enumerate(metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())):
        painter.drawText(x, line, letter)
        width = metrics.horizontalAdvance(letter)
        if place in places:
            painter.fillRect(x, line + 2, width, 1, painter.pen().color())
        x += width


class CommandPalette(QFrame):
    """A line to type in and the list of what it finds, over the window. Up and Down choose, Enter does it, Escape and a
    click elsewhere close it, and the focus goes back to where it was.

    Signals: ``used(str)``, the key of the entry that was done.
    """

    used = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._covered = parent
        self._entries: Sequence[Entry] = ()
        self._recent: Sequence[str] = ()
        self._before: QWidget | None = None
        self.setProperty("role", "palette")
        self.line = QLineEdit()
        self.line.setPlaceholderText("Type what you want to do: a command, a control, a run, a model…")
        self.line.setAccessibleName("What do you want to do?")
        self.line.setClearButtonEnabled(True)
        self.line.installEventFilter(self)
        self.list = QListView()
        self.list.setAccessibleName("What can be done")
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._found = _Found(self)
        self.list.setModel(self._found)
        self.list.setItemDelegate(_Row(self.list))
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(GRID // 2)
        column.addWidget(self.line)
        column.addWidget(self.list)
        self.line.textChanged.connect(self._seek)
        self.list.clicked.connect(self._act)
        self.list.entered.connect(self.list.setCurrentIndex)
        parent.installEventFilter(self)
        self.hide()

    def begin(self, entries: Sequence[Entry], recent: Sequence[str] = ()) -> None:
        """Show these, those used last (by their keys) first, and take what is typed."""
        self._entries, self._recent = entries, recent
        self._before = QApplication.focusWidget()
        self.line.clear()
        self._seek("")
        self._place()
        self.show()
        self.raise_()
        self.line.setFocus(Qt.FocusReason.PopupFocusReason)

    def end(self) -> None:
        """Close, and give the focus back."""
        if self.isHidden():
            return
        before, self._before = self._before, None
        if before is not None and before.isVisible():
            before.setFocus(Qt.FocusReason.PopupFocusReason)
        self.hide()

    @property
    def found(self) -> tuple[Entry, ...]:
        """What the list shows, from top to bottom."""
        return tuple(entry for entry, _ in self._found.rows)

    @Slot(str)
    def _seek(self, typed: str) -> None:
        rows = ranked(self._entries, typed, self._recent)
        self._found.show(rows or [(Entry("", NOTHING, why_not=" "), ())])
        self.list.setCurrentIndex(self._found.index(0, 0))
        self.list.scrollToTop()
        self._place()

    @Slot(QModelIndex)
    def _act(self, index: QModelIndex) -> None:
        entry = self._found.rows[index.row()][0] if index.isValid() else None
        if entry is None or entry.why_not:
            return  # its line says why
        self.end()
        self.used.emit(entry.key)
        entry.act()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._covered:
            if event.type() == QEvent.Type.Resize and self.isVisible():
                self._place()
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()  # what is typed here is no command of the window
            return True
        if event.type() == QEvent.Type.FocusOut and isinstance(event, QFocusEvent):
            if event.reason() not in (Qt.FocusReason.ActiveWindowFocusReason, Qt.FocusReason.PopupFocusReason):
                self._before = None  # the person has gone elsewhere
                self.end()
            return False
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._key(event)
        return False

    def _key(self, event: QKeyEvent) -> bool:
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape:
            self.end()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._act(self.list.currentIndex())
        elif key in _KEYS:
            QApplication.sendEvent(self.list, event)
        else:
            return False
        return True

    def _place(self) -> None:
        """In the middle above, as high as its rows; never higher than the window."""
        width = min(WIDTH, self._covered.width() - 4 * GRID)
        rows = max(1, min(ROWS, len(self._found.rows)))
        height = min(rows * ROW + self.line.sizeHint().height() + 3 * GRID, self._covered.height() - 12 * GRID)
        self.setGeometry((self._covered.width() - width) // 2, 5 * GRID, width, height)
