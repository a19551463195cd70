"""A training gone through as a film of what it drew, along training time and diffusion time, wherever the focus is."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent

from app.stages.train_course import Course
from app.stages.train_instruments import TrainInstruments
from app.stages.train_moments import DATA
from app.stages.train_view import TrainView
from core.training.order import Instruction, WeightsName


class TrainFilm(QObject):
    """Attributes: ``course``, the training looked at; ``index``, the moment of training time; ``follows``, whether the
    newest moment is shown as it comes, until the person goes back.

    Signals: ``instructed(Instruction)``, what the training is asked for; ``moved()`` when a moment is shown."""

    instructed = Signal(object)
    moved = Signal()

    def __init__(self, view: TrainView, instruments: TrainInstruments, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._view, self._instruments, self._page = view, instruments, view.samples_page
        self.course: Course | None = None
        self.index = 0
        self.follows = True
        instruments.transport.position_requested.connect(self.go)
        instruments.strip.frame_clicked.connect(self.go)
        instruments.strip.wanted.connect(self._fill)
        view.curves.step_asked.connect(self._go_to_step)
        self._page.changed.connect(self._refill)
        self._page.moment_asked.connect(self.go)
        self._page.controls.weights_asked.connect(self._change_weights)
        self._page.controls.draw_asked.connect(self._draw)
        for widget in (instruments.transport.rail, instruments.strip, self._page):
            widget.installEventFilter(self)

    def show(self, course: Course | None) -> None:
        """Another training than before, at its newest moment, finished; None: none."""
        if course is not self.course:
            self._page.look_at_time(DATA)
        self.course, self.follows = course, True
        self.renew()

    def renew(self) -> None:
        """The training has drawn, or begun anew."""
        samples = self.course.samples if self.course is not None else ()
        newest = len(samples) - 1
        self.index = newest if self.follows else max(0, min(self.index, newest))
        self._instruments.show_sets(samples)
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
        self.moved.emit()

    @Slot()
    def _refill(self) -> None:
        """Other pictures are wanted in the strip: of another sample, or at another diffusion time."""
        if self.course is not None:
            self._instruments.strip.show_sets(self.course.samples)
            self._instruments.strip.set_current(max(0, self.index))

    @Slot(int)
    def _fill(self, index: int) -> None:
        if self.course is not None and index < len(self.course.samples):
            picture = self._page.picture(self.course.samples[index])
            if picture is not None:
                self._instruments.strip.set_frame(index, picture)

    # Whose weights

    @Slot(str)
    def _change_weights(self, weights: WeightsName) -> None:
        """Draw with them from now on; and look at what they drew nearest to the moment that is shown."""
        course = self.course
        if course is None:
            return
        if course.is_live:
            self.instructed.emit(Instruction(samples_from=weights))
        drawn = course.samples
        theirs = [index for index, known in enumerate(drawn) if known.weights == weights]
        if theirs:
            here = drawn[self.index].step
            nearest = min(theirs, key=lambda index: abs(drawn[index].step - here))
            if not course.is_live or drawn[nearest].step == here:
                self.go(nearest)
        self._show()

    @Slot()
    def _draw(self) -> None:
        self.instructed.emit(Instruction(draw=True))

    # Up and Down

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """They move in diffusion time, wherever the focus is among the samples."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and self._steps_by(event):
            return True
        return super().eventFilter(watched, event)

    def _steps_by(self, event: QKeyEvent) -> bool:
        is_mine = event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self._page.descent.isVisible()
        if is_mine:
            self._page.step_in_diffusion(event)
        return is_mine
