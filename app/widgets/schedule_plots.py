"""The noise schedule as four small plots with one cursor that can be dragged in any of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from app.theme import GRID
from app.widgets.control_points import ControlPoints, Point
from app.widgets.schedule_panel import Quantity, SchedulePanel
from core.schedules import Schedule

GRAB_PIXELS = 9.0
NUDGE = 0.01

BETA = Quantity("betas", r"\beta_t", 5, "Variance of the noise that one step adds (Ho et al. 2020, eq. 2)")
ALPHA_BAR = Quantity(
    "alpha_bar",
    r"\bar{\alpha}_t",
    5,
    "Product of 1 − β up to t: how much of the picture's power is left (Ho et al. 2020, eq. 4)",
    falls_with_signal=True,
)
LOG_SNR = Quantity(
    "log_snr",
    r"\log\,\mathrm{SNR}_t",
    3,
    "log ᾱ / (1 − ᾱ): signal against noise (Kingma et al. 2021, eq. 2)",
    falls_with_signal=True,
)
BETA_TILDE = Quantity(
    "beta_tilde",
    r"\tilde{\beta}_t",
    5,
    "β (1 − ᾱ one step before) / (1 − ᾱ): variance of one step back where x_0 is known (Ho et al. 2020, eq. 7)",
)

DRAWING_HEIGHT = 136
"""Least height of the plot that is drawn in, while it can be."""


class SchedulePlots(QWidget):
    """beta, alpha_bar, log SNR and the posterior variance over t, linked by one cursor.

    Dragging or clicking in any plot moves the cursor; arrows move it by 1, with Shift by 10, Home and End to the
    ends. With control points (``set_editable``) alpha_bar is drawn by hand: points are dragged, a double click adds
    one, a right click or Delete removes one; with Ctrl the arrows choose a point (left, right) and move it (up, down).

    Attributes: ``panels``, ``schedule``, ``ghost`` and ``timesteps`` that are shown, ``cursor_t``, ``points`` (the
    control points, () while not editable).

    Signals: ``t_dragged(t)`` and ``points_edited(points)``, each at most once a turn of the event loop and then the
    latest; ``points`` is a tuple of (t / (T - 1), alpha_bar) from left to right. ``shown_changed()`` after another
    schedule, ghost or timesteps, ``cursor_moved(t)`` after every move; ``enlarge_requested(table)`` on a double click
    (where alpha_bar is drawn by hand, on its heading) or Enter.
    """

    t_dragged = Signal(int)
    points_edited = Signal(object)
    shown_changed = Signal()
    cursor_moved = Signal(float)
    enlarge_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.schedule: Schedule | None = None
        self.ghost: Schedule | None = None
        self.timesteps: tuple[int, ...] = ()
        self.cursor_t = 0.0
        self._T = 1
        self._points: ControlPoints | None = None
        self._chosen: int | None = None
        self._dragging: str | None = None  # "cursor" or "point"
        self._wanted_t: int | None = None
        self._edited = False
        self._turn = QTimer(self, singleShot=True, interval=0)
        self._turn.timeout.connect(self.flush)
        quantities = (BETA, ALPHA_BAR, LOG_SNR, BETA_TILDE)
        self.panels = [SchedulePanel(quantity, quantity is BETA_TILDE, self) for quantity in quantities]
        self._drawing = self.panels[quantities.index(ALPHA_BAR)]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        for panel in self.panels:
            panel.installEventFilter(self)
            panel.setCursor(Qt.CursorShape.SizeHorCursor)
            panel.setToolTip(f"{panel.quantity.meaning}\nDouble-click: in a window of its own")
            column.addWidget(panel, 1)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Noise schedule")
        self.setAccessibleDescription("beta, alpha bar, log SNR and posterior variance over t; arrows move the cursor")

    @property
    def points(self) -> tuple[Point, ...]:
        return self._points.points if self._points else ()

    def set_schedule(self, schedule: Schedule, ghost: Schedule | None = None) -> None:
        """Show the tables of a schedule, and dashed those of another to compare with."""
        self.schedule, self.ghost = schedule, ghost
        self._T = schedule.T
        for panel in self.panels:
            table = panel.quantity.table
            other = None if ghost is None else getattr(ghost, table)
            panel.set_curve(getattr(schedule, table), other, schedule.alpha_bar)
        self.shown_changed.emit()

    def set_cursor(self, t: float) -> None:
        """Move the cursor without a signal; below 0 (the data) it waits at 0."""
        self.cursor_t = t
        for panel in self.panels:
            panel.set_cursor(t)
        self.cursor_moved.emit(t)

    def move_cursor(self, t: float) -> None:
        """Move the cursor as the person does, with a signal; beyond the ends it stays at the end."""
        wanted = round(min(max(t, 0), self._T - 1))
        if wanted != self.cursor_t:
            self.set_cursor(wanted)
            self._wanted_t = wanted
            self._turn.start()

    def set_timesteps(self, timesteps: Sequence[int]) -> None:
        """Dots where a sampler visits the schedule; () shows none."""
        self.timesteps = tuple(timesteps)
        for panel in self.panels:
            panel.set_visited(timesteps)
        self.shown_changed.emit()

    def set_editable(self, points: Sequence[Point] | None) -> None:
        """Control points (t / (T - 1), alpha_bar) that the person may move; None: the curve cannot be edited."""
        self._points = ControlPoints.of(points) if points else None
        if self._chosen is not None and self._chosen >= len(self.points):
            self._chosen = None
        self._drawing.setMinimumHeight(DRAWING_HEIGHT if self._points else 0)
        self._show_points()

    @Slot()
    def flush(self) -> None:
        """Send what is pending now."""
        self._turn.stop()
        if self._wanted_t is not None:
            t, self._wanted_t = self._wanted_t, None
            self.t_dragged.emit(t)
        if self._edited:
            self._edited = False
            self.points_edited.emit(self.points)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(watched, SchedulePanel) or not isinstance(event, QMouseEvent):
            return False
        at = event.position()
        kind = event.type()
        if kind == QEvent.Type.MouseButtonPress:
            self._press(watched, at, event.button())
        elif kind == QEvent.Type.MouseMove and self._dragging == "point" and self._chosen is not None:
            self._move_point(self._chosen, self._drawing.time_at(at.x()), self._drawing.value_at(at.y()))
        elif kind == QEvent.Type.MouseMove and self._dragging == "cursor":
            self.move_cursor(watched.time_at(at.x()))
        elif kind == QEvent.Type.MouseButtonRelease:
            self._dragging = None
        elif kind == QEvent.Type.MouseButtonDblClick:
            self._double_click(watched, at)
        else:
            return False
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        stride = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier and self._points is not None:
            handled = self._point_key(key)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and self._chosen is not None:
            self._remove_point(self._chosen)
            handled = True
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.enlarge_requested.emit(self._drawing.quantity.table)
            handled = True
        else:
            moves = {
                Qt.Key.Key_Left: self.cursor_t - stride,
                Qt.Key.Key_Right: self.cursor_t + stride,
                Qt.Key.Key_Home: 0,
                Qt.Key.Key_End: self._T - 1,
            }
            handled = key in moves
            if handled:
                self.move_cursor(moves[key])
        if not handled:
            super().keyPressEvent(event)

    def _press(self, panel: SchedulePanel, at: QPointF, button: Qt.MouseButton) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        hit = self._point_at(at) if panel is self._drawing else None
        if button == Qt.MouseButton.RightButton and hit is not None:
            self._remove_point(hit)
        elif button == Qt.MouseButton.LeftButton and hit is not None:
            self._dragging = "point"
            self._choose(hit)
        elif button == Qt.MouseButton.LeftButton:
            self._dragging = "cursor"
            self.move_cursor(panel.time_at(at.x()))

    def _double_click(self, panel: SchedulePanel, at: QPointF) -> None:
        if panel is self._drawing and self._points is not None and at.y() >= panel.plot_rect().top():
            self._add_point(at)
        else:
            self._dragging = None
            self.enlarge_requested.emit(panel.quantity.table)

    def _point_at(self, at: QPointF) -> int | None:
        def distance(index: int) -> float:
            u, value = self.points[index]
            return (self._drawing.place(u * (self._T - 1), value) - at).manhattanLength()

        nearest = min(range(len(self.points)), key=distance, default=None)
        return nearest if nearest is not None and distance(nearest) <= GRAB_PIXELS else None

    def _choose(self, index: int | None) -> None:
        self._chosen = index
        self._show_points()

    def _move_point(self, index: int, t: float, value: float) -> None:
        assert self._points is not None
        self._edit(self._points.moved(index, t / max(1, self._T - 1), value))

    def _add_point(self, at: QPointF) -> None:
        assert self._points is not None
        points, index = self._points.added(
            self._drawing.time_at(at.x()) / max(1, self._T - 1), self._drawing.value_at(at.y())
        )
        self._chosen = index
        self._dragging = "point"
        self._edit(points)

    def _remove_point(self, index: int) -> None:
        assert self._points is not None
        self._chosen = None
        self._edit(self._points.removed(index))

    def _point_key(self, key: Qt.Key) -> bool:
        assert self._points is not None
        last = len(self.points) - 1
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            step = 1 if key == Qt.Key.Key_Right else -1
            self._choose(0 if self._chosen is None else min(max(self._chosen + step, 0), last))
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self._chosen is not None:
            u, value = self.points[self._chosen]
            self._edit(self._points.moved(self._chosen, u, value + (NUDGE if key == Qt.Key.Key_Up else -NUDGE)))
        else:
            return False
        return True

    def _edit(self, points: ControlPoints) -> None:
        if points != self._points:
            self._points = points
            self._edited = True
            self._turn.start()
        self._show_points()

    def _show_points(self) -> None:
        self._drawing.set_points(self.points, self._chosen)
