"""The noise schedule as small plots with one cursor that can be dragged in any of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, QPointF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QContextMenuEvent, QFocusEvent, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID
from app.widgets.control_points import ControlPoints, Point
from app.widgets.drawn_plot import add_menu_key
from app.widgets.schedule_panel import FOOTER, HEADER, SchedulePanel
from app.widgets.schedule_quantities import ALPHA_BAR, BETA, BETA_TILDE, LOG_SNR
from core.schedules import Schedule

GRAB_PIXELS = 9.0
NUDGE = 0.01

UNFOLDED_FIRST = (ALPHA_BAR, BETA, LOG_SNR, BETA_TILDE)
GAP = GRID // 2
LEAST_CURVE = 56
"""Pixels of height below which a curve cannot be read: it is folded then."""
DRAWING_HEIGHT = 118
"""The same for the plot that is drawn in, while it can be."""


class SchedulePlots(QWidget):
    """beta, alpha_bar, log SNR and the posterior variance over t, linked by one cursor.

    Where there is not the height for all four, some are folded to their symbol and value; a click or up and down
    unfold another. Dragging or clicking in any plot moves the cursor; left and right move it by 1, with Shift by 10,
    Home and End to the ends. Ctrl+E or the Menu key opens the menu of the plot last chosen. With control points
    (``set_editable``) alpha_bar is drawn by hand: points are dragged, a double click adds one, a right click or Delete
    removes one; with Ctrl the arrows choose a point (left, right) and move it (up, down).

    Attributes: ``panels``, ``schedule``, ``ghost`` and ``timesteps`` that are shown, ``cursor_t``, ``points`` (the
    control points, () while not editable).

    Signals: ``t_dragged(t)`` and ``points_edited(points)``, each at most once a turn of the event loop and then the
    latest; ``points`` is a tuple of (t / (T - 1), alpha_bar) from left to right. ``shown_changed()`` after another
    schedule, ghost or timesteps, ``cursor_moved(t)`` after every move; ``enlarge_requested(table)`` on a double click
    (where alpha_bar is drawn by hand, on its heading) or Enter (of the one last chosen).
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
        self.panels = [SchedulePanel(quantity, self) for quantity in quantities]
        self._drawing = self.panels[quantities.index(ALPHA_BAR)]
        self._chosen_panels = [self.panels[quantities.index(quantity)] for quantity in UNFOLDED_FIRST]
        for panel in self.panels:
            panel.installEventFilter(self)
        self._removed = False
        add_menu_key(self, self._open_menu)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Noise schedule")
        self.setAccessibleDescription(
            "beta, alpha bar, log SNR and posterior variance over t; left and right move the cursor, up and down unfold"
        )

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

    def set_band(self, ends: tuple[int, int] | None) -> None:
        """Shade the times between two, both counted: where guidance works, if it does not everywhere (None)."""
        for panel in self.panels:
            panel.set_band(None if ends is None else (min(ends), max(ends)))

    def set_editable(self, points: Sequence[Point] | None) -> None:
        """Control points (t / (T - 1), alpha_bar) that the person may move; None: the curve cannot be edited."""
        self._points = ControlPoints.of(points) if points else None
        if self._chosen is not None and self._chosen >= len(self.points):
            self._chosen = None
        self._arrange()
        self.updateGeometry()
        self._show_points()

    def unfold(self, panel: SchedulePanel) -> None:
        """Draw the curve of this panel, and fold that of the one which was chosen longest ago if need be."""
        self._chosen_panels.remove(panel)
        self._chosen_panels.insert(0, panel)
        self._arrange()
        self._frame()

    def sizeHint(self) -> QSize:
        return QSize(296, self._fixed_height() + len(self.panels) * LEAST_CURVE + self._extra())

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self._fixed_height() + 2 * LEAST_CURVE + self._extra())

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

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

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._frame()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._frame()

    def _frame(self) -> None:
        """Frame the plot last chosen while the keyboard is here."""
        for panel in self.panels:
            panel.is_chosen = self.hasFocus() and panel is self._chosen_panels[0]
            panel.update()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """By its key; a right click is the panel's."""
        self._open_menu()
        event.accept()

    @Slot()
    def _open_menu(self) -> None:
        """Of the plot last chosen."""
        self._chosen_panels[0].open_menu()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ContextMenu and self._removed:
            self._removed = False  # the click has had its effect
            return True
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
            self.enlarge_requested.emit(self._chosen_panels[0].quantity.table)
            handled = True
        else:
            moves = {
                Qt.Key.Key_Left: self.cursor_t - stride,
                Qt.Key.Key_Right: self.cursor_t + stride,
                Qt.Key.Key_Home: 0,
                Qt.Key.Key_End: self._T - 1,
            }
            turns = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
            handled = key in moves or key in turns
            if key in moves:
                self.move_cursor(moves[key])
            elif key in turns:
                place = self.panels.index(self._chosen_panels[0]) + turns[key]
                self.unfold(self.panels[min(max(0, place), len(self.panels) - 1)])
        if not handled:
            super().keyPressEvent(event)

    def _press(self, panel: SchedulePanel, at: QPointF, button: Qt.MouseButton) -> None:
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        hit = self._point_at(at) if panel is self._drawing else None
        self._removed = button == Qt.MouseButton.RightButton and hit is not None
        if button == Qt.MouseButton.RightButton and hit is not None:
            self._remove_point(hit)
        elif button == Qt.MouseButton.LeftButton and hit is not None:
            self._dragging = "point"
            self._choose(hit)
        elif button == Qt.MouseButton.LeftButton and panel.is_folded:
            self.unfold(panel)
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

    # Room

    def _fixed_height(self) -> int:
        """Of what is there however many curves are drawn."""
        return len(self.panels) * HEADER + (len(self.panels) - 1) * GAP + FOOTER

    def _extra(self) -> int:
        """What a plot to draw in takes beyond another."""
        return DRAWING_HEIGHT - LEAST_CURVE if self._points else 0

    def _arrange(self) -> None:
        """As many curves as there is the height for, those last chosen; of the others the symbol and the value."""
        wanted = sorted(self._chosen_panels, key=lambda panel: panel is not self._drawing) if self._points else None
        wanted = wanted or self._chosen_panels
        room = self.height() - self._fixed_height() - self._extra()
        drawn = set(wanted[: max(1, room // LEAST_CURVE)])
        lowest = max(drawn, key=self.panels.index)
        curve, spare = divmod(max(0, room), len(drawn))
        top = 0
        for panel in self.panels:
            height = HEADER
            if panel in drawn:
                height += curve + (spare if panel is lowest else 0) + (FOOTER if panel is lowest else 0)
                height += self._extra() if panel is self._drawing else 0
            panel.set_folded(panel not in drawn, panel is lowest)
            panel.setCursor(Qt.CursorShape.SizeHorCursor if panel in drawn else Qt.CursorShape.PointingHandCursor)
            click = "Drag: move t" if panel in drawn else "Click: unfold"
            panel.explain(f"{panel.quantity.meaning}\n{click}. Double-click: in a window of its own")
            panel.setGeometry(0, top, self.width(), height)
            top += height + GAP

    def _show_points(self) -> None:
        self._drawing.set_points(self.points, self._chosen)
