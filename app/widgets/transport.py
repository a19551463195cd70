"""The transport: one slider along the process that is shown, whichever way it runs, and playback."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QElapsedTimer, QPointF, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QHideEvent, QIntValidator, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget

from app.theme import GRID, font, palette
from app.widgets.drag_out import ExportWanted
from app.widgets.rail import Rail

WHOLE_RUN_SECONDS = 10.0
"""How long playback from end to end lasts at speed 1."""
SLOWEST = 2.0
"""Positions a second at speed 1, however few there are."""
FRAME_MS = 16
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
DATA = "data"


class Transport(QWidget):
    """Slider with requested and shown position, step and play buttons, a typed time, speed and loop.

    The slider runs the way the process runs: what happens first is on the left. So in the forward process t rises
    from the data on the left to noise on the right, and in a sampling run it falls from noise on the left to the data
    on the right; arrows, Home and End follow that, and playback always moves to the right.

    Attributes: ``times`` (of each position; below 0 the data themselves), ``position`` (asked for), ``is_playing``.

    Signals: ``position_requested(index)`` when the person or playback moved, at most once a turn of the event loop
    and then the latest; ``play_toggled(bool)``.
    """

    position_requested = Signal(int)
    play_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.times: tuple[int, ...] = (0,)
        self.is_playing = False
        self._pending: int | None = None
        self._turn = QTimer(self, singleShot=True, interval=0)
        self._turn.timeout.connect(self.flush)
        self._frame = QTimer(self, interval=FRAME_MS)
        self._frame.setTimerType(Qt.TimerType.PreciseTimer)
        self._frame.timeout.connect(self._advance)
        self._clock = QElapsedTimer()
        self._from = 0

        self.rail = Rail()
        self.rail.setToolTip(
            "Where in the process you look (← → one position, with Shift ten, Home and End the ends).\n"
            "The disc is what you asked for, the ring what the picture shows."
        )
        self.rail.asked.connect(self._asked)
        self.first = _Button("first", "First position (Home)")
        self.previous = _Button("previous", "One position back (←)")
        self.play_button = _Button("play", "Play or pause (Space)")
        self.next = _Button("next", "One position on (→)")
        self.last = _Button("last", "Last position (End)")
        self.loop = _Button("loop", "Begin again at the end")
        self.loop.setCheckable(True)
        self.export = _Button("export", "Export what is gone through here: sheet, film, numbers (Ctrl+Shift+S)")
        self.export.clicked.connect(self._want_export)
        self.first.clicked.connect(self._go_first)
        self.previous.clicked.connect(self._go_back)
        self.play_button.clicked.connect(self.toggle_play)
        self.next.clicked.connect(self._go_on)
        self.last.clicked.connect(self._go_last)

        self.entry = QLineEdit()
        self.entry.setValidator(QIntValidator(-1, 999_999, self.entry))
        self.entry.setFixedWidth(7 * GRID)
        self.entry.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.entry.setFont(font("body", numbers=True))
        self.entry.setAccessibleName("Time t")
        self.entry.setToolTip("Type a time t and press Enter to go to the nearest position")
        self.entry.returnPressed.connect(self._typed)
        self.entry.editingFinished.connect(self._show_time)
        self.time_label = QLabel("t =")
        self.time_label.setBuddy(self.entry)
        self.count = QLabel()
        self.count.setProperty("role", "caption")
        self.count.setFont(font("caption", numbers=True))
        self.count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.speed = QComboBox()
        for value in SPEEDS:
            self.speed.addItem(f"{value:g}\u00d7", value)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.setAccessibleName("Playback speed")
        self.speed.setToolTip(f"Playback speed; at 1\u00d7 the whole process takes {WHOLE_RUN_SECONDS:g} seconds")
        self.speed.currentIndexChanged.connect(self._rebase)

        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID // 2)
        row.addWidget(self.rail, 1)  # first, for Tab comes to what has the focus of the whole, and goes on from there
        row.insertSpacing(0, GRID)
        for place, button in enumerate((self.first, self.previous, self.play_button, self.next, self.last)):
            row.insertWidget(place, button)
        row.addSpacing(GRID)
        for widget in (self.time_label, self.entry, self.count, self.loop, self.speed, self.export):
            row.addWidget(widget)
        self.setFocusProxy(self.rail)
        self.set_positions((0,))

    @Slot()
    def _want_export(self) -> None:
        QCoreApplication.sendEvent(self.window(), ExportWanted())

    @property
    def position(self) -> int:
        return self.rail.value()

    @property
    def available(self) -> int:
        """How many positions exist so far."""
        return self.rail.available

    def set_positions(self, times: Sequence[int]) -> None:
        """The time of every position, in the order of the process; all of them exist unless ``set_available``."""
        assert times, "a process has at least one position"
        self.times = tuple(times)
        self._pending = None
        self.rail.setRange(0, len(self.times) - 1)
        self.rail.set_available(len(self.times))
        self.rail.set_ends(
            *(f"t = {time} {_meaning(time, self.times)}" if time >= 0 else DATA for time in self._ends())
        )
        widest = f"{len(self.times)} / {len(self.times)}"
        self.count.setFixedWidth(self.count.fontMetrics().horizontalAdvance(widest) + GRID)
        self.set_position(min(self.position, len(self.times) - 1))
        self.set_shown(self.position)

    def set_available(self, count: int) -> None:
        """How many positions exist so far; the rest is drawn unfinished and cannot be reached."""
        self.rail.set_available(max(1, min(count, len(self.times))))

    def set_position(self, index: int) -> None:
        """Move the disc without a signal."""
        index = max(0, min(index, len(self.times) - 1))
        self.rail.setValue(index)
        self.count.setText(f"{index + 1} / {len(self.times)}")
        self._show_time()

    def set_shown(self, index: int) -> None:
        """The position of the picture on the screen; a ring shows it where it is not the one asked for."""
        self.rail.set_shown(index)

    def play(self) -> None:
        """Play to the end, from the beginning if already there."""
        if self.is_playing or len(self.times) < 2:
            return
        if self.position == len(self.times) - 1:
            self._ask(0)
        self.is_playing = True
        self._rebase()
        self._frame.start()
        self._show_playing()

    def stop(self) -> None:
        """Stop playing where it is."""
        if self.is_playing:
            self.is_playing = False
            self._frame.stop()
            self._show_playing()

    @Slot()
    def toggle_play(self) -> None:
        if self.is_playing:
            self.stop()
        else:
            self.play()

    @Slot()
    def flush(self) -> None:
        """Send the pending request now."""
        self._turn.stop()
        if self._pending is not None:
            index, self._pending = self._pending, None
            self.position_requested.emit(index)

    def rate(self) -> float:
        """Positions a second at the speed chosen."""
        return float(self.speed.currentData()) * max(SLOWEST, len(self.times) / WHOLE_RUN_SECONDS)

    def _ends(self) -> tuple[int, int]:
        return self.times[0], self.times[-1]

    def _ask(self, index: int) -> None:
        if index != self.position:
            self.set_position(index)
            self._pending = index
            self._turn.start()

    @Slot(int)
    def _asked(self, index: int) -> None:
        self._ask(index)
        self._rebase()

    @Slot()
    def _advance(self) -> None:
        end = len(self.times) - 1
        there = self._from + int(self._clock.elapsed() / 1000 * self.rate())
        if there >= self.available <= end:  # what does not exist yet is waited for
            self._ask(self.available - 1)
            self._rebase()
            return
        self._ask(min(there, end))
        if there > end and self.loop.isChecked():
            self._ask(0)
            self._rebase()
        elif there >= end and not self.loop.isChecked():
            self.stop()

    @Slot()
    def _rebase(self) -> None:
        """Play on from here."""
        self._from = self.position
        self._clock.start()

    @Slot()
    def _go_first(self) -> None:
        self.rail.ask(0)

    @Slot()
    def _go_back(self) -> None:
        self.rail.ask(self.position - 1)

    @Slot()
    def _go_on(self) -> None:
        self.rail.ask(self.position + 1)

    @Slot()
    def _go_last(self) -> None:
        self.rail.ask(len(self.times) - 1)

    @Slot()
    def _typed(self) -> None:
        if self.entry.hasAcceptableInput():
            wanted = int(self.entry.text())
            self.rail.ask(min(range(len(self.times)), key=lambda index: abs(self.times[index] - wanted)))
        self._show_time()
        self.rail.setFocus()

    @Slot()
    def _show_time(self) -> None:
        time = self.times[self.position]
        self.entry.setText(str(time) if time >= 0 else DATA)

    def _show_playing(self) -> None:
        self.play_button.set_icon("pause" if self.is_playing else "play")
        self.play_toggled.emit(self.is_playing)

    def hideEvent(self, event: QHideEvent) -> None:
        self.stop()


def _meaning(time: int, times: Sequence[int]) -> str:
    """What an end of the process is."""
    if len(times) == 1:
        return ""
    return "noise" if time == max(times) else DATA


_ICONS = {
    "play": (((0.2, 0.1), (0.9, 0.5), (0.2, 0.9)),),
    "pause": (((0.2, 0.1), (0.4, 0.1), (0.4, 0.9), (0.2, 0.9)), ((0.6, 0.1), (0.8, 0.1), (0.8, 0.9), (0.6, 0.9))),
    "next": (((0.15, 0.15), (0.65, 0.5), (0.15, 0.85)), ((0.7, 0.15), (0.82, 0.15), (0.82, 0.85), (0.7, 0.85))),
    "last": (
        ((0.05, 0.15), (0.45, 0.5), (0.05, 0.85)),
        ((0.4, 0.15), (0.8, 0.5), (0.4, 0.85)),
        ((0.82, 0.15), (0.94, 0.15), (0.94, 0.85), (0.82, 0.85)),
    ),
    "export": (
        ((0.5, 0.0), (0.8, 0.32), (0.58, 0.32), (0.58, 0.66), (0.42, 0.66), (0.42, 0.32), (0.2, 0.32)),
        ((0.06, 0.6), (0.2, 0.6), (0.2, 0.84), (0.8, 0.84), (0.8, 0.6), (0.94, 0.6), (0.94, 0.98), (0.06, 0.98)),
    ),
}
_MIRRORED = {"previous": "next", "first": "last"}
_NAMES = {
    "first": "First",
    "previous": "Back",
    "play": "Play",
    "next": "On",
    "last": "Last",
    "loop": "Loop",
    "export": "Export",
}


class _Button(QToolButton):
    """A tool button whose icon is painted in the text's colour."""

    def __init__(self, icon: str, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = icon
        self.setToolTip(tooltip)
        self.setAccessibleName(_NAMES[icon])
        self.setFixedSize(28, 28)

    def set_icon(self, icon: str) -> None:
        self._icon = icon
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(28, 28)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ink = QColor(
            palette().text if self.isEnabled() and (self._icon != "loop" or self.isChecked()) else palette().quiet
        )
        box = QRectF(8, 8, 12, 12)
        if self._icon == "loop":
            painter.setPen(ink)
            painter.drawArc(box, 60 * 16, 300 * 16)
            painter.setBrush(ink)
            painter.drawPolygon(QPolygonF([QPointF(15, 6), QPointF(19, 9), QPointF(14, 11)]))
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        mirrored = self._icon in _MIRRORED
        for shape in _ICONS[_MIRRORED.get(self._icon, self._icon)]:
            points = [QPointF(box.left() + 12 * (1 - x if mirrored else x), box.top() + 12 * y) for x, y in shape]
            painter.drawPolygon(QPolygonF(points))
