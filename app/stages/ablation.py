"""The ablation in Train: prepared, trained, gone on with, measured; what its page and its table show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.stages.ablation_measuring import AblationMeasuring
from app.stages.ablation_record import AblationRecord, aim_of, how_far
from app.stages.ablation_table import AblationTable
from app.stages.ablation_view import AblationView
from app.stages.ablations import Ablations
from app.stages.folder_dialog import choose_folder
from app.stages.train_aim import Aim
from app.stages.train_loader import FolderLoader
from app.stages.train_settings import TrainSettings
from app.stages.trainings import Trainings
from app.state import AppState
from core.errors import Refusal
from core.messages import ClassifierInfo, EngineState
from core.training.ablation import Ablation, check_pictures
from core.training.dataset import PictureFolder
from core.training.runs import new_run_folder
from resources import FOLDER as RESOURCES

if TYPE_CHECKING:
    from app.bridge import Bridge

JUDGE = "digits-judge"
REFRESH_MS = 250
Step = Literal["train", "measure", ""]


class AblationDesk(QObject):
    """Attributes: ``view``, the page; ``table``; ``ablations``; ``measuring``.

    Signals: ``opened()`` when another ablation is to be looked at; ``changed()``; ``cell_chosen(Course)``;
    ``refused(message, details)``.
    """

    opened = Signal()
    changed = Signal()
    cell_chosen = Signal(object)
    refused = Signal(str, str)

    def __init__(self, state: AppState, bridge: Bridge, trainings: Trainings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge, self._trainings = state, bridge, trainings
        self.view, self.table = AblationView(), AblationTable()
        self.ablations = Ablations(bridge, trainings, self)
        self.measuring = AblationMeasuring(bridge, self)
        self._loader = FolderLoader(bridge, self)
        self._pending: Step = ""
        """What waits for the pictures to be read."""
        self._judges: dict[str, ClassifierInfo] = {}
        self._refresh = QTimer(self, singleShot=True)
        self._refresh.timeout.connect(self.show)
        view = self.view
        view.next.clicked.connect(self.press)
        view.pause.clicked.connect(self.ablations.pause_or_resume)
        view.stop.clicked.connect(self.stop)
        view.settings_changed.connect(self._plan_again)
        view.cell_chosen.connect(self._choose)
        self.ablations.changed.connect(self._later)
        self.ablations.opened.connect(self._read)
        self.ablations.refused.connect(self.refused)
        self.measuring.changed.connect(self._later)
        self.measuring.refused.connect(self.refused)
        self._loader.opened.connect(self._loaded)
        self._loader.failed.connect(self._not_loaded)
        state.classifiers_changed.connect(self._list_judges)
        state.status_changed.connect(self._later)

    # What is looked at

    @property
    def record(self) -> AblationRecord | None:
        return self.ablations.record

    @property
    def is_busy(self) -> bool:
        """Whether it trains, or measures."""
        return self.ablations.goes_on or self.ablations.is_live or self.measuring.is_live

    @property
    def aim(self) -> Aim:
        """Of the training under way, or the one that comes next."""
        record = self.record
        assert record is not None
        one = record.live or record.next or record.cells[-1]
        return aim_of(record.plan, one.cell)

    def prepare(self, settings: TrainSettings, data: PictureFolder) -> None:
        """Look at an ablation of these pictures, to be begun; one at work stays."""
        if not self.is_busy:
            plan = Ablation(
                data_name=data.name,
                size=data.pictures.shape[1],
                steps=settings.steps or int(self.view.steps.value()),
                data_sha256=data.sha256,
                preset=settings.preset,
                batch=settings.batch,
                seed=settings.seed,
                lr=settings.lr,
                flip=settings.flip,
                never_flipped=settings.never_flipped,
                reading=data.reading,
                schedule=replace(settings.aim.schedule, zero_snr=False),
                timestep_sampler=settings.aim.timestep_sampler,
                samples=settings.samples,
                hybrid=self.view.hybrid.isChecked(),
            )
            self.view.steps.set_value(plan.steps)
            folder = new_run_folder(f"{data.name} ablation").resolve()
            self.ablations.prepare(AblationRecord(folder, plan, data.source), data)
        self._read()

    def open(self, folder: Path) -> None:
        """Look at one that lies on the disk; where another is at work, that one stays."""
        if self.is_busy and self.record is not None and self.record.folder != folder:
            self.refused.emit(f"{self.record.name} is at work: stop it before you look at another ablation.", "")
        else:
            self.ablations.open(folder)

    @Slot()
    def _read(self) -> None:
        known = any(not one.noisy for one in self._state.classifiers)
        if not known and (RESOURCES / "classifiers" / JUDGE).is_dir():
            self._bridge.open_classifier(JUDGE)
        self._list_judges()
        self.opened.emit()
        self.show()

    @Slot(int)
    def _choose(self, place: int) -> None:
        course = self.record.cells[place].course if self.record is not None else None
        if course is not None:
            self.cell_chosen.emit(course)

    @Slot()
    def _plan_again(self) -> None:
        record = self.record
        if record is not None and not record.is_begun:
            steps, hybrid = int(self.view.steps.value()), self.view.hybrid.isChecked()
            record.planned(replace(record.plan, steps=steps, hybrid=hybrid))
            self.show()

    @Slot()
    def _list_judges(self) -> None:
        record, data = self.record, self.ablations.data
        if record is None:
            return
        side = record.plan.size
        fitting = [one for one in self._state.classifiers if one.event_shape[1:] == (side, side)]
        if data is not None:
            fitting = [one for one in fitting if one.event_shape[0] == data.pictures.shape[3]]
        self._judges = {one.ref.sha256: one for one in sorted(fitting, key=lambda one: one.noisy)}
        self.view.set_judges({key: one.ref.name for key, one in self._judges.items()})

    # What can be done

    @property
    def next(self) -> Step:
        """What the filled button does."""
        record = self.record
        if record is None or self.is_busy or self._loader.folder is not None:
            return ""
        if record.next is not None:
            return "train" if self._trainings.live is None else ""
        return "measure" if record.trained else ""

    @Slot()
    def press(self) -> None:
        """Train what is not trained, or measure what is."""
        step, record, data = self.next, self.record, self.ablations.data
        if not step or record is None:
            return
        if data is None:
            self._pending = step
            if record.pictures is None or not record.pictures.is_dir():
                choose_folder(self.view, f"Where are the pictures “{record.plan.data_name}”?", self.load)
            else:
                self.load(record.pictures)
        elif step == "train":
            self.ablations.go_on(data)
        else:
            self.measuring.start(record, data, self._judges.get(self.view.judge.value()))

    def load(self, folder: Path) -> None:
        """Read its pictures from this folder, then do what was asked for."""
        if self.record is not None:
            plan = self.record.plan
            self._loader.open(folder, plan.reading or plan.size)
            self.show()

    @Slot()
    def stop(self) -> None:
        """Nothing more is trained or measured; what there is stays."""
        if self.measuring.is_live:
            self.measuring.stop()
        elif self.ablations.is_live or self.ablations.goes_on:
            self.ablations.stop()
        else:
            self._loader.cancel()
            self.show()

    def leave(self) -> None:
        """The window is closed."""
        self._loader.cancel()

    @Slot(object, object)
    def _loaded(self, data: PictureFolder, folder: Path) -> None:
        pending, self._pending = self._pending, ""
        record = self.record
        if record is None:
            return
        try:
            check_pictures(record.plan, data)
        except Refusal as refusal:
            self.refused.emit(str(refusal), refusal.details)
            self.show()
            return
        self.ablations.data, record.pictures = data, folder
        self._list_judges()
        if pending:
            self.press()
        self.show()

    @Slot(str, str)
    def _not_loaded(self, message: str, details: str) -> None:
        self._pending = ""
        self.refused.emit(message, details)
        self.show()

    # What is shown

    @Slot()
    def _later(self) -> None:
        if not self._refresh.isActive():
            self._refresh.start(REFRESH_MS)

    @Slot()
    def show(self) -> None:
        """Show the newest state now."""
        self._refresh.stop()
        record = self.record
        if record is None:
            return
        self.view.show_record(record)
        self.table.show_record(record)
        self._show_state(record)
        self._show_buttons(record)
        self.changed.emit()

    def _show_state(self, record: AblationRecord) -> None:
        diverged, plan = sum(one.diverged is not None for one in record.cells), record.plan
        doing = how_far(len(record.trained), diverged, len(record.cells)) if record.is_begun else "not begun"
        if self.measuring.is_live:
            doing = f"measuring, {self.measuring.progress:.0%}"
        elif self._loader.folder is not None:
            doing = "reading the pictures"
        elif record.live is not None and record.live.course is not None:
            doing = f"{doing}, {record.live.name}: {record.live.course.state}"
        facts = (f"{plan.steps:,} steps each", f"network {plan.preset}", f"batch {plan.batch}", plan.schedule.name)
        text = " · ".join((doing, *facts))
        self.view.state.setText(text)
        self.view.state.setToolTip(text)

    def _show_buttons(self, record: AblationRecord) -> None:
        view, step, is_busy = self.view, self.next, self.is_busy
        number = "seven" if record.plan.hybrid else "six"
        trains = f"Train all {number}" if not record.is_begun else "Go on"
        measures = "Measure again" if record.is_measured else "Measure"
        view.next.setText(trains if record.next is not None and not is_busy else measures)
        view.next.setEnabled(bool(step) and self._state.status.state is not EngineState.FAILED)
        view.next.setToolTip(self._says(record, step))
        live = record.live
        paused = live is not None and live.course is not None and live.course.state == "paused"
        view.pause.setText("Resume" if paused else "Pause")
        view.pause.setToolTip("Go on (Space)" if paused else "Pause the training under way, and save (Space)")
        view.pause.setVisible(live is not None)
        view.stop.setVisible(is_busy)
        view.stop.setText("Stop" if self.measuring.is_live else "Stop and keep")
        view.stop.setToolTip("Measure no more (Esc)" if self.measuring.is_live else "Save, and go on later (Esc)")
        for widget in (view.steps, view.hybrid):
            widget.setVisible(not record.is_begun)
        view.judge.setVisible(record.is_begun and record.next is None and not is_busy)
        view.common.setVisible(record.is_begun)

    def _says(self, record: AblationRecord, step: Step) -> str:
        if step == "train":
            return "Train them one after the other, as many as are not trained yet (Ctrl+Enter)"
        if step == "measure":
            return "Bits a value of 64 pictures, and the distance of 200 samples, of each model (Ctrl+Enter)"
        if self.is_busy:
            return "Wait until the trainings have ended, or stop them."
        live = self._trainings.live
        if live is not None:
            return f"{live.name} is being trained: stop it first, or wait."
        return "None of them was trained to its end." if record.next is None else "The pictures are still being read."
