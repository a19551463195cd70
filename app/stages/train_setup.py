"""The page on which a training is prepared: the folder, what is in it, and how it is to be learned."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.log import logger
from app.stages.ablation_view import WHAT
from app.stages.train_controls import TrainControls
from app.stages.train_data import DataView, report_of
from app.stages.train_forecast import Forecaster, details, line, question
from app.stages.train_loader import FolderLoader
from app.stages.train_plan import Plan
from app.stages.train_preview import Preview
from app.stages.train_settings import order_of
from app.state import AppState
from app.theme import GRID
from app.widgets.controls import PrimaryButton
from core.errors import Refusal
from core.training.dataset import PictureFolder
from core.training.forecast import Forecast
from core.training.mirroring import flip_suggestion
from core.training.prospect import prospects
from core.training.reading import FolderReport, Reading
from core.training.standing import Note, Standing

ABLATION = "Train all that the paper compares, with network, batch, learning rate, schedule and seed as chosen here."


class TrainSetup(QWidget):
    """Attributes: ``data``, the pictures to train on, None while there are none; ``folder``, where they lie.

    Signals: ``changed()``; ``folder_wanted()``; ``refused(message, details)`` where a folder cannot be trained on;
    ``accepted()`` where it can.
    """

    changed = Signal()
    folder_wanted = Signal()
    refused = Signal(str, str)
    accepted = Signal()

    def __init__(self, loader: FolderLoader, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.loader = loader
        self.forecaster = Forecaster(loader.background, self)
        self.data: PictureFolder | None = None
        self.folder: Path | None = None
        self._example: Path | None = None
        self._can_train = self._is_ablation = False
        self._at_work = ""
        self._known = ("", "")
        self._prospect: tuple[Note, ...] = ()
        self.controls = TrainControls()
        self.start = PrimaryButton("Start")
        self.back = QPushButton()
        self.ablation = QPushButton("Ablation…")
        self.preview = Preview(self.controls.reading, loader.background)
        self.plan = Plan()
        self.view = DataView(self.preview, self.plan)
        self.controls.more.add_beside(self.start, 2)
        self.controls.more.add_beside(self.ablation)
        self.controls.more.add_beside(self.back)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self.controls)
        column.addWidget(self.view, 1)
        self.controls.changed.connect(self._changed)
        self.controls.folder_wanted.connect(self.folder_wanted)
        self.controls.reading_changed.connect(self._read_otherwise)
        self.view.cancelled.connect(self.cancel)
        self.forecaster.answered.connect(self._show_forecast)
        state.model_changed.connect(self._model_changed)
        self.view.follow(loader)
        loader.opened.connect(self._opened)
        loader.failed.connect(self._failed)

    def open(self, folder: Path, *, is_example: bool = False) -> None:
        """Read a folder, in the place of the one before; ``is_example``: a bundled one, until there is another."""
        self._example = folder if is_example else self._example
        self.view.show_reading(folder)
        self.loader.open(folder, self.controls.settings().reading)
        self._show_start()
        self.changed.emit()

    @property
    def example(self) -> Path | None:
        """The bundled folder, once it has been opened."""
        return self._example

    def show_buttons(self, *, can_train: bool, at_work: str, is_ablation: bool = False) -> None:
        """``can_train``: the engine is there; ``at_work`` names the training that it works on, if any, which may be one
        of an ablation's."""
        self._can_train, self._is_ablation = can_train, is_ablation
        known = (at_work, self._state.status.device)
        if known != self._known:  # a training that has ended has shown how fast this machine is
            self._known = known
            self._forecast()
        self.back.setText(f"Back to {at_work}")
        self.back.setToolTip(f"Look at the training of {at_work} again")
        self.back.setVisible(bool(at_work))
        self._at_work = at_work
        self._show_start()

    @property
    def why_not(self) -> str:
        """What keeps a training of these pictures from beginning, "" where nothing does."""
        if self._is_ablation:
            return "An ablation is being trained: stop it first, or wait."
        if self.loader.folder is not None:
            return "The folder is still being read."
        if self.data is None:
            return "Choose a folder of pictures first."
        if self._at_work and self.controls.settings().fine_tune:
            return f"{self._at_work} is being trained: a model is trained further once it is over."
        if self.controls.aim.task == "classifier" and len(self.data.classes) < 2:
            return (
                f"{self.data.name} has no sub-folders, and so no classes to tell apart. "
                "Choose a folder with a sub-folder for each class."
            )
        return ""

    @property
    def why_not_ablation(self) -> str:
        """What keeps an ablation from being prepared, "" where nothing does."""
        if self._at_work:
            return f"{self._at_work} is being trained: stop it first, or wait."
        if self.data is not None and self.controls.settings().fine_tune:
            return "An ablation trains from the start: leave fine-tuning out."
        return self.why_not

    @property
    def prospect(self) -> tuple[Note, ...]:
        """What is to be expected of a training of these pictures, () while that is not known."""
        return self._prospect

    def _expect(self) -> tuple[Note, ...]:
        told, asked = self.forecaster.answer, self.forecaster.question
        if not isinstance(told, Forecast) or asked is None:
            return ()
        order, data = asked.order, asked.data
        standing = Standing(
            step=0,
            progress=0.0,
            pictures=len(data),
            batch=order.batch,
            classes=len(data.classes),
            task=order.task,
            prediction=order.prediction,
            objective=order.objective,
            schedule=order.schedule,
        )
        return prospects(standing, told, data.pictures)

    def _show_start(self) -> None:
        why = self.why_not
        self.start.setEnabled(self._can_train and not why)
        waits = bool(self._at_work) and not self._is_ablation
        self.start.setText("Queue" if waits else "Start")
        then = f", once {self._at_work} is over" if waits else ""
        self.start.setToolTip(why or f"Train a network on these pictures{then} (Ctrl+Enter)")
        self.ablation.setEnabled(self._can_train and self.why_not_ablation == "")
        self.ablation.setToolTip(self.why_not_ablation or f"{ABLATION}\n{WHAT}")
        self.view.say(why if self.data is not None and self.loader.folder is None else "")

    @Slot()
    def _changed(self) -> None:
        self._show_start()
        self.preview.refresh()
        self._forecast()
        self.changed.emit()

    @Slot()
    def _read_otherwise(self) -> None:
        folder = self.loader.folder or self.folder
        self.preview.set_reading(self.controls.settings().reading)
        if folder is not None:
            self.view.show_reading(folder)
            self.loader.open(folder, self.controls.settings().reading)
        self._show_data()

    @Slot(object, object)
    def _opened(self, data: PictureFolder, folder: Path) -> None:
        self.data, self.folder = data, folder
        self.loader.ask_kept()
        self._show_data()
        self._suggest_flip(data)
        self.accepted.emit()
        self.changed.emit()

    def _suggest_flip(self, data: PictureFolder) -> None:
        """Find out whether mirroring suits these pictures."""

        def done(suggestion: tuple[bool, str]) -> None:
            if self.data is data:
                self.controls.reading.suggest_flip(*suggestion)
                self.preview.refresh()

        def failed(error: Exception) -> None:
            logger.error("whether mirroring suits a folder is not known", exc_info=error)

        self.loader.background.in_background(lambda: flip_suggestion(data), done, failed, "forecasts")

    @Slot(str, str)
    def _failed(self, message: str, details: str) -> None:
        """What was there before stays."""
        self._show_data()
        self.refused.emit(message, details)
        self.changed.emit()

    @Slot()
    def cancel(self) -> None:
        """Read no further; what was there before stays."""
        self.loader.cancel()
        self._show_data()
        self.changed.emit()

    def _show_data(self) -> None:
        self.view.show_reading(self.loader.folder)
        if self.view.data is not self.data or self.data is None:
            self.view.show_data(self.data, is_example=self.folder is not None and self.folder == self._example)
        self.controls.set_data(self.data, self.folder)
        self.controls.reading.grey(*changes_nothing(report_of(self.data), self.controls.settings().reading))
        self.preview.set_reading(self.controls.settings().reading)
        self.preview.set_data(self.data)
        self._forecast()

    @Slot(object)
    def _model_changed(self, _model: object) -> None:
        """What is trained further may be another network now."""
        if self.controls.settings().fine_tune:
            self._forecast()

    def _forecast(self) -> None:
        """Ask what a training of these pictures would take."""
        settings, model = self.controls.settings(), self._state.model
        asked = None
        if self.data is not None and self.loader.folder is None:
            base = self._state.folders.get(model.ref.sha256, "") if model is not None and settings.fine_tune else ""
            with suppress(Refusal):
                asked = question(order_of(settings, Path(), model), self.data, self._state.status, base)
        self.forecaster.ask(asked)

    @Slot()
    def _show_forecast(self) -> None:
        self._prospect = self._expect()
        told, asked = self.forecaster.answer, self.forecaster.question
        if isinstance(told, Forecast) and asked is not None:
            self.view.show_plan(line(told, asked.order), details(told, asked.order), told.warnings)
        else:
            self.view.show_plan("", {}, (told,) if isinstance(told, str) else ())


def changes_nothing(report: FolderReport, reading: Reading) -> tuple[str, str, str]:
    """Why crop, background and frames would change nothing about a folder, "" where they would, or nobody knows."""
    known = dict(report.kinds)
    squares = report.different_sizes == len(report.sizes) > 0 and all(w == h for w, h, _count in report.sizes)
    is_bare = bool(report.sizes) and not known.get("transparent") and (squares or reading.crop == "middle")
    moves = known.get("animated") or known.get("several pages")
    return (
        "Every picture of this folder is square." if squares else "",
        "Nothing in this folder is transparent, and there are no bars." if is_bare else "",
        "Nothing in this folder is animated." if report.sizes and not moves else "",
    )
