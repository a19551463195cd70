"""What can be chosen before a training begins. The controls hold one ``TrainSettings``; they know nothing of runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.stages.train_settings import SIZES, TrainSettings, why_not_fine_tune
from app.theme import GRID
from app.widgets.controls import Choice, MoreSection, SeedBox, ValueSlider, label
from app.widgets.number_field import Duration, NumberField
from core.messages import ModelInfo
from core.requests import Precision, PredictionKind
from core.training.dataset import PictureFolder
from core.training.order import FINE_TUNING_LR, PresetName
from core.training.presets import PRESETS, parameters_of

PREDICTIONS = {"v": "v", "eps": "ε", "x0": "x₀"}
MODELS_OWN = "model"
"""The network of the model that is fine-tuned, among the presets."""
PRECISIONS = {"auto": "automatic", "float32": "float32", "bfloat16": "bfloat16"}


class TrainControls(QWidget):
    """Signals: ``changed()`` after anything of an order was changed; ``size_changed(int)``; ``folder_wanted()``."""

    changed = Signal()
    size_changed = Signal(int)
    folder_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: ModelInfo | None = None
        self._data: PictureFolder | None = None
        self._own = TrainSettings()
        """What was chosen for a training from the start, while the model that is fine-tuned brings its own."""
        self._rate_chosen = False
        self._make_basic()
        self._make_more()
        self._lay_out()
        for choice in (self.preset, self.prediction, self.precision):
            choice.value_changed.connect(self._choose)
        for number in (self.batch, self.lr, self.samples, self.every):
            number.value_changed.connect(self._slide)
        for box in (self.flip, self.fine_tune):
            box.toggled.connect(self._toggle)
        self.lr.value_changed.connect(self._rate)
        self.duration.duration_changed.connect(self.changed)
        self.seed.seed_changed.connect(self._seed)
        self.side.value_changed.connect(self._sized)
        self.folder.clicked.connect(self.folder_wanted)
        self.set_model(None)
        self.set_data(None, None)

    def _make_basic(self) -> None:
        says = TrainSettings()
        self.folder = QPushButton("Choose a folder…")
        self.folder.setAccessibleName("Folder of pictures")
        self.side = Choice(
            "Size",
            {str(side): f"{side} × {side}" for side in SIZES},
            str(says.size),
            tooltip="Pictures are cropped to the middle square and scaled to this.\n"
            "Work grows with the area: 64 × 64 takes four times as long as 32 × 32.",
        )
        self.preset = Choice(
            "Network", {name: name for name in PRESETS}, says.preset, tooltip="How large the U-Net is."
        )
        self.duration = Duration(
            "Train for",
            minutes=says.minutes or 20.0,
            tooltip="How long the training works, pauses excluded. The learning rate falls to 0 along half a cosine "
            "over this time\n(Loshchilov & Hutter 2017, eq. 5), so a run is at its best at its end.",
        )

    def _make_more(self) -> None:
        says = TrainSettings()
        self.prediction = Choice(
            "Predicts",
            PREDICTIONS,
            says.prediction,
            tooltip="What the network learns to answer: the noise ε (Ho et al. 2020, eq. 14), the picture x₀,\n"
            "or v = α ε − σ x₀, which is as sure in noise as near the picture (Salimans & Ho 2022, section 4).",
        )
        self.precision = Choice(
            "Precision",
            PRECISIONS,
            says.precision,
            tooltip="What the network computes in while it learns. Weights and their average stay in float32.\n"
            "Automatic: bfloat16 where this device is fast at it.",
        )
        self.batch = ValueSlider(
            "Batch",
            1,
            256,
            says.batch,
            ends=("noisy", "steady"),
            tooltip="Pictures in one step (Ho et al. 2020, Algorithm 1): each has its own t and its own ε.",
        )
        self.lr = NumberField(
            "Learning rate",
            0.00001,
            0.1,
            says.lr,
            step=0.0001,
            decimals=5,
            tooltip="How far a step goes against the gradient (AdamW). It rises over 100 steps, then falls to 0.\n"
            "If the loss jumps or stops being a number, take less.",
        )
        self.samples = ValueSlider(
            "Samples",
            1,
            64,
            says.samples,
            ends=("quick", "many"),
            tooltip="How many pictures are drawn from fixed seeds to watch the model learn: the same noise each time.",
        )
        self.every = NumberField(
            "Draw every",
            5,
            3600,
            says.sample_every,
            step=10,
            unit="s",
            tooltip="How often samples are drawn; oftener in the first minute. Drawing takes a share of the time.",
        )
        self.seed = SeedBox(
            says.seed, lockable=False, tooltip="Weights, order, t and ε of the training all follow from this number."
        )
        self.flip = QCheckBox("Mirror half of the pictures")
        self.flip.setToolTip(
            "Each picture is shown mirrored half of the time. Good for faces and landscapes;\n"
            "not for digits and letters, which become others."
        )
        self.fine_tune = QCheckBox("Fine-tune the open model")
        self.more = MoreSection("More")

    def _lay_out(self) -> None:
        basic = QHBoxLayout()
        basic.setSpacing(2 * GRID)
        named = QHBoxLayout()
        named.setSpacing(GRID)
        name = label("Pictures")
        name.setBuddy(self.folder)
        named.addWidget(name)
        named.addWidget(self.folder, 1)
        pictures = QHBoxLayout()
        pictures.addLayout(named)
        columns = QGridLayout()
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setHorizontalSpacing(2 * GRID)
        columns.setVerticalSpacing(GRID)
        columns.addLayout(pictures, 0, 0)
        columns.addWidget(self.side, 0, 1)
        columns.addWidget(self.preset, 1, 0)
        columns.addWidget(self.duration, 1, 1)
        for column in range(2):
            columns.setColumnStretch(column, 1)
        folded = QWidget()
        grid = QGridLayout(folded)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(GRID)
        rows: tuple[tuple[QWidget, ...], ...] = (
            (self.batch, self.samples, self.prediction),
            (self.lr, self.every, self.precision),
            (self.flip, self.fine_tune, self.seed),
        )
        for row, widgets in enumerate(rows):
            for column, widget in enumerate(widgets):
                grid.addWidget(widget, row, column)
        for column in range(3):
            grid.setColumnStretch(column, 1)
        self.more.add(folded)
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(0, 0, 0, 0)
        column_layout.setSpacing(GRID // 2)
        column_layout.addLayout(columns)
        column_layout.addWidget(self.more)

    def set_data(self, data: PictureFolder | None, folder: Path | None) -> None:
        """Which pictures it is about; without them a folder is asked for."""
        self.folder.setText(folder.name if folder is not None else "Choose a folder…")
        self.folder.setToolTip(
            "The folder whose pictures are learned; its sub-folders are classes. Drop another one anywhere.\n"
            f"{folder or ''}".strip()
        )
        self._data = data
        self._show_networks()

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
        options, words = {}, []
        for name, preset in PRESETS.items():
            count = parameters_of(name, side, channels, classes)
            options[name] = name if count is None else f"{name}, {millions(count)}"
            words.append(f"{name.capitalize()}. {preset.words}")
        with QSignalBlocker(self.preset):
            self.preset.set_options(options)
            self.preset.set_value(self._own.preset)
        self.preset.setToolTip("How large the U-Net is, in parameters.\n" + "\n".join(words))

    def set_model(self, model: ModelInfo | None) -> None:
        """The open model, which may be fine-tuned."""
        self._model = model
        why = why_not_fine_tune(model)
        self.fine_tune.setText("Fine-tune the open model" if model is None else f"Fine-tune “{model.ref.name}”")
        self.fine_tune.setEnabled(not why)
        self.fine_tune.setToolTip(
            why
            or "Go on from the weights of the open model, with its network, schedule and prediction.\n"
            "Classes with the same name keep what they mean."
        )
        if why:
            self.fine_tune.setChecked(False)
        self._follow_model()

    def settings(self) -> TrainSettings:
        return TrainSettings(
            size=int(self.side.value()),
            preset=self._own.preset,
            minutes=self.duration.minutes,
            steps=self.duration.steps,
            prediction=self._own.prediction,
            precision=cast(Precision, self.precision.value()),
            batch=int(self.batch.value()),
            lr=self.lr.value(),
            seed=self.seed.seed(),
            samples=int(self.samples.value()),
            sample_every=self.every.value(),
            flip=self.flip.isChecked(),
            fine_tune=self.fine_tune.isChecked(),
        )

    @property
    def predicts(self) -> PredictionKind:
        """What the network will answer: with fine-tuning what the open model does."""
        return self._tuned.prediction if self._tuned is not None else self._own.prediction

    @property
    def _tuned(self) -> ModelInfo | None:
        """The model that is to be trained further, if one is."""
        return self._model if self.fine_tune.isChecked() else None

    def _follow_model(self) -> None:
        """With fine-tuning, size, network and prediction are the model's, and steps are smaller at first."""
        model = self._tuned
        for choice in (self.side, self.preset, self.prediction):
            choice.setEnabled(model is None)
        side = self._own.size if model is None else model.event_shape[1]
        if str(side) not in self.side.options():
            self.side.set_options({str(s): f"{s} × {s}" for s in sorted({*SIZES, side})})
        self.side.set_value(str(side))
        with QSignalBlocker(self.prediction):
            self.prediction.set_value(self.predicts)
        if not self._rate_chosen:
            with QSignalBlocker(self.lr):
                self.lr.set_value(self._own.lr if model is None else FINE_TUNING_LR)
        self._show_networks()

    @Slot(float)
    def _rate(self, _value: float) -> None:
        """A learning rate of the person's own stays, whatever it is that is trained."""
        self._rate_chosen = True

    @Slot(str)
    def _sized(self, side: str) -> None:
        if self._tuned is None:
            self._own = replace(self._own, size=int(side))
        self.size_changed.emit(int(side))
        self.changed.emit()

    @Slot(str)
    def _choose(self, _key: str) -> None:
        if self._tuned is None:
            preset, prediction = self.preset.value(), self.prediction.value()
            self._own = replace(self._own, preset=cast(PresetName, preset), prediction=cast(PredictionKind, prediction))
        self.changed.emit()

    @Slot(float)
    def _slide(self, _value: float) -> None:
        self.changed.emit()

    @Slot(bool)
    def _toggle(self, _checked: bool) -> None:
        self._follow_model()
        self.changed.emit()

    @Slot(int)
    def _seed(self, _seed: int) -> None:
        self.changed.emit()


def millions(count: int) -> str:
    """A number of parameters in two figures: "2.6 M", "28 M"."""
    return f"{count / 1e6:.1f} M" if count < 9.95e6 else f"{count / 1e6:.0f} M"
