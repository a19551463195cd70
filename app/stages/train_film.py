"""The moments at which a training drew samples, gone through as a film: transport, filmstrip, curve and picture."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from app.stages.train_course import Course
from app.stages.train_instruments import TrainInstruments
from app.stages.train_view import TrainView


class TrainFilm(QObject):
    """Attributes: ``course``, the training looked at; ``index``, the moment; ``follows``, whether the newest moment is
    shown as it comes, until the person goes back."""

    def __init__(self, view: TrainView, instruments: TrainInstruments, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._view, self._instruments = view, instruments
        self.course: Course | None = None
        self.index = 0
        self.follows = True
        instruments.transport.position_requested.connect(self.go)
        instruments.strip.frame_clicked.connect(self.go)
        instruments.strip.wanted.connect(self._fill)
        view.plot.step_asked.connect(self._go_to_step)
        view.cell_changed.connect(self._refill)

    def show(self, course: Course | None) -> None:
        """Another training than before, at its newest moment; None: none."""
        self.course, self.follows = course, True
        self.renew()

    def renew(self) -> None:
        """The training has drawn, or begun anew."""
        moments = self.course.moments if self.course is not None else ()
        newest = len(moments) - 1
        self.index = newest if self.follows else max(0, min(self.index, newest))
        self._instruments.show_moments(moments)
        self._show()

    @Slot(int)
    def go(self, index: int) -> None:
        """Look at a moment; at the newest, later ones are followed again."""
        newest = len(self.course.samples) - 1 if self.course is not None else -1
        if newest >= 0:
            self.index = max(0, min(index, newest))
            self.follows = self.index == newest
            self._show()

    @Slot(int)
    def _go_to_step(self, step: int) -> None:
        moments = self.course.moments if self.course is not None else ()
        if moments:
            self.go(min(range(len(moments)), key=lambda index: abs(moments[index] - step)))

    def _show(self) -> None:
        if self.course is None:
            return
        self._view.show_moment(self.course, self.index if self.course.samples else None)
        self._instruments.look_at(max(0, self.index))

    @Slot()
    def _refill(self) -> None:
        """Another sample is wanted in the strip."""
        if self.course is not None:
            self._instruments.strip.set_frames(len(self.course.samples), self.course.moments)
            self._instruments.strip.set_current(max(0, self.index))

    @Slot(int)
    def _fill(self, index: int) -> None:
        if self.course is not None and index < len(self.course.samples):
            picture = self._view.thumbnail(self.course, index)
            if picture is not None:
                self._instruments.strip.set_frame(index, picture)
