"""A training to look at: its samples from fixed seeds, its figures, its loss, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from app.stages.run_instruments import button
from app.stages.train_aim import GOALS, OBJECTIVES, PREDICTIONS, Aim
from app.stages.train_compare_page import ComparePage
from app.stages.train_course import Course
from app.stages.train_curves import TrainCurves
from app.stages.train_figures import TrainFigures
from app.stages.train_nearest import WHAT, NearestPage
from app.stages.train_networks import millions
from app.stages.train_offer import TrainOffer
from app.stages.train_samples import SamplesPage
from app.theme import GRID
from app.widgets.accuracy_plot import AccuracyPlot
from app.widgets.controls import PrimaryButton, label
from app.widgets.number_field import Duration
from app.widgets.status import Hint
from app.widgets.tabs import Tabs
from app.widgets.title import Title

USE = {
    "diffusion": ("Use this model", "Open the model as it is now in every stage (Ctrl+Enter)"),
    "classifier": ("Use for guidance", "Open the classifier as it is now: Denoise can be guided by it (Ctrl+Enter)"),
    "judge": ("Use as a judge", "Open the classifier as it is now: Measure can judge by it (Ctrl+Enter)"),
}
STOP = "Stop and keep", "Save the model and end the training; it can be gone on with later (Esc)"
OUT_OF_QUEUE = "Leave the queue", "It has not begun, and will not (Esc)"
SAMPLES = "What it draws from fixed seeds, along two times: that of its training, and that of diffusion"
COMPARED = "Side by side with the trainings whose curves are laid over this one's: samples, and in what they differ"
RESULTS, CURVES = 5, 1
"""How they share the height: the pictures have the most of it."""


class TrainView(QWidget):
    """The page of one training: figures, what came of it so far, and its curves.

    Attributes: ``pages``, one for each way to look at what came of it: ``samples_page`` first (see there). Signals:
    ``new_wanted()``.
    """

    new_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = self._used = self._facts = ""
        self.name = Title()
        self.state = Hint()
        self.notes = label("", "caption")
        self.notes.setWordWrap(True)
        self.new = QPushButton("New training")
        self.new.setToolTip("Choose pictures and settings for another training; this one goes on")
        self.new.clicked.connect(self.new_wanted)
        self.more = button("More", "Branch off, compare, rename, export or delete this training")
        self.use = PrimaryButton(*USE["diffusion"])
        self.pause = button("Pause", "")
        self.stop = button(*STOP)
        self.length = Duration(
            "to",
            tooltip="How long the training is to be in all, what it has done included.\n"
            "The learning rate falls to 0 towards that end.",
        )
        self.offer = TrainOffer()
        self._row_of_figures = TrainFigures()
        self.figures = self._row_of_figures.figures
        self.samples_page = SamplesPage()
        self.samples = self.samples_page.pane
        self.pages = Tabs()
        self.pages.add("samples", "Samples", self.samples_page, SAMPLES)
        self.nearest_page = NearestPage()
        self.pages.add("nearest", "Nearest", self.nearest_page, WHAT)
        self.compared = ComparePage()
        self.pages.add("compare", "Compared", self.compared, COMPARED)
        self.pages.set_offered("compare", False)
        self.pages.add_corner(self.samples_page.controls)
        self.pages.add_corner(self.nearest_page.controls)
        self.nearest_page.controls.hide()
        self.pages.current_changed.connect(self._page_changed)
        self.accuracy = AccuracyPlot()
        self.results = QStackedWidget()
        self.results.addWidget(self.pages)
        self.results.addWidget(self.accuracy)
        self.curves = TrainCurves()
        self.plot = self.curves.plot
        self._lay_out()

    def _lay_out(self) -> None:
        title = QHBoxLayout()
        title.setSpacing(GRID)
        title.addWidget(self.name)
        title.addWidget(self.state, 1)
        title.addWidget(self.more)
        title.addWidget(self.new)
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID)
        buttons.addWidget(self.use, 1)
        for widget in (self.pause, self.length, self.stop):
            buttons.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addLayout(title)
        column.addWidget(self.notes)
        column.addWidget(self.offer)
        column.addLayout(buttons)
        column.addWidget(self._row_of_figures)
        column.addWidget(self.results, RESULTS)
        column.addWidget(self.curves, CURVES)

    def show_course(self, course: Course, waits_for: str) -> None:
        """The figures and the curve of a training; ``waits_for`` names what it makes way for, "" where nothing."""
        self.name.setText(course.name)
        self.name.setToolTip(course.name)
        self.accuracy.subject = course.name
        waits = f"waits for {waits_for}" if waits_for else ""
        state = course.state if course.diverged is None else f"diverged at step {course.diverged:,}"
        self._state = ", ".join(filter(None, (state, waits)))
        self._facts = facts_of(course)
        self._say_state()
        self.notes.setText("\n".join(course.notes))
        self.notes.setVisible(bool(course.notes))
        self.offer.show_course(course)
        self._row_of_figures.show_course(course, self.curves.summary())
        goal = course.aim.goal
        self.use.setText(USE[goal][0])
        self.use.setToolTip(USE[goal][1])
        self.results.setCurrentWidget(self.pages if goal == "diffusion" else self.accuracy)
        self._show_curves()
        self.accuracy.set_accuracy(course.accuracy, len(course.classes), is_coming=course.is_live)

    def say_used(self, words: str) -> None:
        """What has become of the model, such as "“digits” is open in every stage"; "" says no more of it."""
        self._used = words
        self._say_state()

    def _say_state(self) -> None:
        text = " · ".join(filter(None, (self._state, self._used, self._facts)))
        self.state.setText(text)
        self.state.setToolTip(text)

    def show_losses(self, course: Course) -> None:
        """The curves as they are now."""
        self.curves.show_course(course)

    @property
    def cell(self) -> int | None:
        """The sample that is shown alone, or beside a training picture."""
        if self.pages.current() == "nearest":
            return None if self.nearest_page.pair is None else self.nearest_page.pair.sample
        return self.samples_page.cell

    def enlarge(self, cell: int | None) -> None:
        """Show one sample alone, or all of them."""
        if cell is None:
            self.nearest_page.close_pair()
        self.samples_page.enlarge(cell)

    def _show_curves(self) -> None:
        """A table of pictures wants their room, and says nothing of steps."""
        at_table = self.results.currentWidget() is self.pages and self.pages.current() == "nearest"
        self.curves.setVisible(not at_table)

    @Slot(str)
    def _page_changed(self, key: str) -> None:
        self.samples_page.controls.setVisible(key == "samples")
        self.nearest_page.controls.setVisible(key == "nearest")
        self._show_curves()

    def show_buttons(
        self, course: Course, *, can_resume: bool, can_use: bool, waits: bool = False, after: str = ""
    ) -> None:
        """What can be done with it, which ``waits`` for another in the queue; ``after`` names the training that one to
        go on would wait for. The buttons know nothing themselves."""
        live = course.is_live
        self.samples_page.controls.show_course(course, self.samples_page.drawn)
        self.use.setEnabled(can_use)
        goes_on = not live or course.state == "paused"
        then = f", once {after} is over" if after else ""
        self.pause.setText("Train on" if course.state == "finished" else "Resume" if goes_on else "Pause")
        self.pause.setEnabled(can_resume if not live else course.state != "queued")
        self.pause.setToolTip(
            ("Go on (Space)" if course.state == "paused" else "Pause after this step, and save (Space)")
            if live
            else f"Go on with this training to the length beside, from its last checkpoint{then}"
            if can_resume
            else "Choose a length beyond what is done, or wait for what is under way."
        )
        self.stop.setVisible(live)
        self.stop.setText(OUT_OF_QUEUE[0] if waits else STOP[0])
        self.stop.setToolTip(OUT_OF_QUEUE[1] if waits else STOP[1])
        self.length.setVisible(not live)

    def show_as_part(self, course: Course, *, is_part: bool) -> None:
        """One of an ablation is as long as the others: it is gone on with from there alone."""
        self.pause.setVisible(course.is_live or not is_part)
        self.length.setVisible(not course.is_live and not is_part)

    def show_moment(self, course: Course, index: int | None) -> None:
        """The samples of one moment of training; None: there are none yet."""
        self.samples_page.show_moment(course, index)
        self.samples_page.controls.show_course(course, self.samples_page.drawn)
        self.curves.look_at(None if index is None else course.samples[index].step)


def facts_of(course: Course) -> str:
    """What a training is, in a line."""
    aim = course.aim
    learned = (
        (PREDICTIONS[aim.prediction], OBJECTIVES[aim.objective]) if aim.task == "diffusion" else (GOALS[aim.goal],)
    )
    is_named_so = course.name.startswith(course.data_name)
    parts = (
        *(learned if aim != Aim() else ()),
        (f"{course.count:,} pictures" if course.count else "pictures")
        + ("" if is_named_so else f" of {course.data_name}"),
        f"{len(course.classes)} classes" if course.classes else "",
        f"{course.size} × {course.size}" if course.size else "",
        f"{millions(course.parameters)} parameters" if course.parameters else "",
        f"batch {course.batch}" if course.batch else "",
        course.precision,
        "" if course.minutes is None else f"{course.minutes:g} minutes",
    )
    return " · ".join(filter(None, parts))
