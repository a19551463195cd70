"""What can be chosen before a training begins. The controls hold one ``TrainSettings``; they know nothing of runs."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.stages.train_aim import GOALS, Aim, Goal
from app.stages.train_grid import page_of, three_columns
from app.stages.train_networks import millions, offered
from app.stages.train_objective import ObjectiveControls
from app.stages.train_reading import ReadingControls
from app.stages.train_settings import SIZES, TrainSettings, why_not_fine_tune
from app.stages.train_sides import sides
from app.stages.train_technique import TechniqueControls
from app.stages.train_watching import WatchControls
from app.theme import GRID
from app.widgets.controls import Choice, MoreSection, align, label
from app.widgets.number_field import Duration
from app.widgets.tabs import Tabs
from core.messages import ModelInfo
from core.training.dataset import PictureFolder
from core.training.forecast import size_trouble
from core.training.order import PresetName
from core.training.presets import PRESETS
from core.training.reading import FolderReport

MODELS_OWN = "model"
"""The network of the model that is fine-tuned, among the presets."""


class TrainControls(QWidget):
    """Attributes: ``reading``, the controls of how files become pictures, laid out where these are seen.

    Signals: ``changed()`` after anything of an order was changed; ``reading_changed()`` where the folder is to be read
    in another way; ``folder_wanted()``.
    """

    changed = Signal()
    reading_changed = Signal()
    folder_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: ModelInfo | None = None
        self._data: PictureFolder | None = None
        self._own_preset = TrainSettings().preset
        self._own_size = TrainSettings().size
        """What was chosen for a training from the start, while the model that is fine-tuned brings its own."""
        self._make_basic()
        self._objective, self._technique = ObjectiveControls(self), TechniqueControls(self)
        self._watching, self.reading = WatchControls(self), ReadingControls(self)
        self._name_parts()
        self.more = MoreSection("More")
        self._lay_out()
        self.goal.value_changed.connect(self._aim_elsewhere)
        self.preset.value_changed.connect(self._choose_preset)
        self.duration.duration_changed.connect(self.changed)
        self.side.value_changed.connect(self._sized)
        self.folder.clicked.connect(self.folder_wanted)
        self._objective.chosen.connect(self._aimed)
        for part in (self._technique, self._watching, self.reading):
            part.chosen.connect(self.changed)
        self.reading.reading_changed.connect(self._read_otherwise)
        self._technique.tuning_changed.connect(self._follow_model)
        self.set_model(None)
        self.set_data(None, None)

    def _make_basic(self) -> None:
        says = TrainSettings()
        self.goal = Choice(
            "Trains a",
            GOALS,
            tooltip="Diffusion model: draws pictures like these (Ho et al. 2020).\n"
            "Noisy classifier: tells the folder's classes apart at every noise level, and so guides a diffusion model\n"
            "by ∇ log p(y | x_t) (Dhariwal & Nichol 2021, section 4).\n"
            "Clean classifier: tells them apart without noise; it judges samples, and says how far they are from data.",
        )
        self.folder = QPushButton("Choose a folder…")
        self.folder.setAccessibleName("Folder of pictures")
        self.side = Choice(
            "Size",
            {str(side): f"{side} × {side}" for side in SIZES},
            str(says.size),
            tooltip="Pictures are scaled to squares of this side.\n"
            "Work grows with the area: 64 × 64 takes four times as long as 32 × 32.",
        )
        self.preset = Choice(
            "Network",
            {name: name for name in PRESETS},
            says.preset,
            tooltip="How large the network, a U-Net, is, in millions of parameters.\n"
            "A larger one can learn finer detail, and takes longer for every step.",
        )
        self.duration = Duration(
            "Train for",
            minutes=says.minutes or 20.0,
            tooltip="How long the training works, pauses excluded. The learning rate falls to 0 along half a cosine "
            "over this time\n(Loshchilov & Hutter 2017, eq. 5), so a run is at its best at its end.",
        )

    def _name_parts(self) -> None:
        aim, how, watch, read = self._objective, self._technique, self._watching, self.reading
        self.prediction, self.objective, self.variance = aim.prediction, aim.objective, aim.variance
        self.schedule, self.length, self.timesteps, self.zero_snr = (
            aim.schedule,
            aim.length,
            aim.timesteps,
            aim.zero_snr,
        )
        self.batch, self.lr, self.precision, self.seed = how.batch, how.lr, how.precision, how.seed
        self.compile, self.fine_tune = how.compile, how.fine_tune
        self.samples, self.every, self.weights = watch.samples, watch.every, watch.weights
        self.validation, self.keep_every, self.keep_best = watch.validation, watch.keep_every, watch.keep_best
        self.crop, self.background, self.colour = read.crop, read.background.choice, read.background.edit
        self.frames, self.flip, self.never = read.frames, read.flip, read.never

    def _lay_out(self) -> None:
        named = QHBoxLayout()
        named.setSpacing(GRID)
        name = label("Pictures")
        name.setBuddy(self.folder)
        named.addWidget(name)
        named.addWidget(self.folder, 1)
        columns = three_columns()
        columns.addWidget(self.goal, 0, 0)
        columns.addLayout(named, 0, 1)
        columns.addWidget(self.side, 0, 2)
        columns.addWidget(self.preset, 1, 0)
        columns.addWidget(self.duration, 1, 1, 1, 2)
        align((self.goal, self.preset))
        align((name, self.duration))
        self.tabs = Tabs()
        self.tabs.add(
            "objective",
            "Objective",
            page_of(
                (self.prediction, self.objective, self.variance),
                (self.schedule, self.length, self.timesteps),
                (self.zero_snr,),
            ),
            "What a step lowers, and at which noise",
        )
        self.tabs.add(
            "technique",
            "Technique",
            page_of((self.batch, self.lr, self.precision), (self.seed, self.compile, self.fine_tune)),
            "Batch, learning rate, precision, and what it begins from",
        )
        self.tabs.add(
            "watching",
            "Watching and keeping",
            page_of((self.samples, self.every, self.weights), (self.validation, self.keep_every, self.keep_best)),
            "What is drawn and measured along the way, and which checkpoints are kept",
        )
        self.more.add(self.tabs)
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(0, 0, 0, 0)
        column_layout.setSpacing(GRID // 2)
        column_layout.addLayout(columns)
        column_layout.addWidget(self.more)

    def set_data(self, data: PictureFolder | None, folder: Path | None) -> None:
        """Which pictures it is about; without them a folder is asked for."""
        self.folder.setText(f"{folder.name}…" if folder is not None else "Choose a folder…")
        self.folder.setToolTip(
            "The folder whose pictures are learned; its sub-folders are classes. Drop another one anywhere.\n"
            f"{folder or ''}".strip()
        )
        self._data = data
        self.reading.set_data(data)
        self._offer_sides()
        self._show_networks()

    def _offer_sides(self) -> None:
        """The usual sizes and the folder's own; those that no network can be made for say why."""
        report = self._data.report if self._data is not None else FolderReport()
        model = self._tuned
        options = sides(report, self._own_size if model is None else model.event_shape[1])
        with QSignalBlocker(self.side):
            self.side.set_options(options)
        preset, task = self._own_preset, self.aim.task
        fits = model is not None  # it brings its own network and size
        self.side.set_reasons({side: "" if fits else size_trouble(int(side), preset, task) for side in options})

    def _show_networks(self) -> None:
        """How large each network is for these pictures; of a fine-tuning, the model's own."""
        model, data, side = self._tuned, self._data, int(self.side.value())
        if model is not None:
            name = model.ref.name
            size = f", {millions(model.parameters)}" if model.parameters else ""
            with QSignalBlocker(self.preset):
                self.preset.set_options({MODELS_OWN: name + size})
            self.preset.setToolTip(f"The network of “{name}”, which is trained further.")
            return
        channels, classes = (data.pictures.shape[3], len(data.classes)) if data is not None else (3, 0)
        names, says = offered(side, channels, classes, self.aim)
        with QSignalBlocker(self.preset):
            self.preset.set_options(names)
            self.preset.set_value(self._own_preset)
        self.preset.setToolTip(says)

    def set_model(self, model: ModelInfo | None) -> None:
        """The open model, which may be fine-tuned."""
        self._model = model
        self._follow_model()

    def settings(self) -> TrainSettings:
        return TrainSettings(
            reading=self.reading.reading(int(self.side.value())),
            preset=self._own_preset,
            minutes=self.duration.minutes,
            steps=self.duration.steps,
            aim=self.aim,
            precision=self._technique.chosen_precision,
            batch=int(self.batch.value()),
            lr=self.lr.value(),
            seed=self.seed.seed(),
            samples=int(self.samples.value()),
            sample_every=self.every.value(),
            flip=self.flip.isChecked(),
            never_flipped=self.reading.never_flipped,
            fine_tune=self.fine_tune.isChecked(),
            samples_from=self._watching.drawn_with,
            validation=self._watching.count_aside,
            keep_every=self._watching.kept_every,
            keep_best=self.keep_best.isChecked(),
            compile=self.compile.isChecked(),
        )

    @property
    def aim(self) -> Aim:
        """What is to be learned: with fine-tuning, in large part what the open model has."""
        return self._objective.aim

    @property
    def _tuned(self) -> ModelInfo | None:
        """The model that is to be trained further, if one is."""
        return self._model if self.fine_tune.isChecked() else None

    @Slot()
    def _follow_model(self) -> None:
        """With fine-tuning, size, network and most of the objective are the model's."""
        draws = self.aim.task == "diffusion"
        self._technique.follow(self._model, why_not_fine_tune(self._model, self.aim))
        self._watching.follow(draws=draws)
        model = self._tuned
        self._objective.set_model(model)
        for choice in (self.side, self.preset):
            choice.setEnabled(model is None)
        side = self._own_size if model is None else model.event_shape[1]
        self._offer_sides()
        self.side.set_value(str(side))
        self._show_networks()

    @Slot(str)
    def _aim_elsewhere(self, goal: str) -> None:
        self._objective.set_goal(cast(Goal, goal))
        self._follow_model()
        self.changed.emit()

    @Slot()
    def _aimed(self) -> None:
        self._show_networks()
        self.changed.emit()

    @Slot(str)
    def _sized(self, side: str) -> None:
        if self._tuned is None:
            self._own_size = int(side)
        self._read_otherwise()

    @Slot()
    def _read_otherwise(self) -> None:
        self.reading_changed.emit()
        self.changed.emit()

    @Slot(str)
    def _choose_preset(self, preset: str) -> None:
        if self._tuned is None:
            self._own_preset = cast(PresetName, preset)
            self._offer_sides()
        self.changed.emit()
