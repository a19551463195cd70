"""The filmstrips of Forward: the picture at ten times, and under a second schedule the same again."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.forward_controls import SCHEDULES
from app.stages.forward_scene import ForwardScene, strip_times
from app.widgets.filmstrip import Filmstrip
from core.schedules import Schedule

HEIGHT = 86
"""Of each of the two, so that the window's bottom grows when there is something to compare."""


class ForwardStrips(QObject):
    """Attributes: ``strip`` and ``ghost``, which is hidden while there is nothing to compare with.

    Signals: ``chosen(int)``, the t of a frame that was clicked.
    """

    chosen = Signal(int)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.strip, self.ghost = Filmstrip(), Filmstrip()
        self._times: tuple[int, ...] = ()
        for strip in (self.strip, self.ghost):
            strip.setFixedHeight(HEIGHT)
            strip.frame_clicked.connect(self._clicked)
        self.ghost.hide()

    def fill(self, scene: ForwardScene | None, schedule: Schedule, other: Schedule | None) -> None:
        """Show a scene under its schedule and, where there is one, under the ``other``."""
        self._times = strip_times(schedule.T)
        self.ghost.setVisible(other is not None)
        for strip, shown in ((self.strip, schedule), (self.ghost, other)):
            if shown is None or scene is None:
                strip.clear()
                continue
            times, name = strip_times(shown.T), SCHEDULES.get(shown.spec.name, "Own")
            strip.setAccessibleName(f"Filmstrip, {name} schedule")
            strip.set_name("" if other is None else name)
            strip.setToolTip(f"The picture under the {shown.spec.name} schedule: click to go to that t")
            strip.set_frames(len(times), times)
            for frame, picture in enumerate(scene.strip(shown)):
                strip.set_frame(frame, picture)

    def mark(self, t: int) -> None:
        """Frame the time nearest to t."""
        nearest = min(range(len(self._times)), key=lambda frame: abs(self._times[frame] - t))
        self.strip.set_current(nearest)
        self.ghost.set_current(nearest)

    @Slot(int)
    def _clicked(self, frame: int) -> None:
        self.chosen.emit(self._times[frame])
