"""The controls of how a training goes about it: batch, learning rate, precision, what it begins from."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QObject, QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QWidget

from app.stages.train_settings import TrainSettings
from app.widgets.controls import Choice, SeedBox, ValueSlider
from app.widgets.number_field import NumberField
from core.messages import ModelInfo
from core.requests import Precision
from core.training.cpp_compiler import compiler
from core.training.order import FINE_TUNING_LR

COMPILE = (
    "Fuses the network's small operations into machine code (torch.compile; Ansel et al. 2024), in a process\n"
    "beside this one: the training begins at once and takes the faster way when it is ready. It needs a C++\n"
    "compiler."
)
NO_COMPILER = "There is no C++ compiler on this computer: the training goes on as it begins."
PRECISIONS = {"auto": "automatic", "float32": "float32", "bfloat16": "bfloat16"}


class TechniqueControls(QObject):
    """The controls, to be laid out by whoever has them. Signals: ``chosen()``; ``tuning_changed(bool)``."""

    chosen = Signal()
    tuning_changed = Signal(bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rate_chosen = False
        self._make()
        self.precision.value_changed.connect(self.chosen)
        for number in (self.batch, self.lr):
            number.value_changed.connect(self.chosen)
        self.compile.toggled.connect(self.chosen)
        self.seed.seed_changed.connect(self.chosen)
        self.lr.value_changed.connect(self._rate)
        self.fine_tune.toggled.connect(self._tune)

    def _make(self) -> None:
        says = TrainSettings()
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
        self.seed = SeedBox(
            says.seed, lockable=False, tooltip="Weights, order, t and ε of the training all follow from this number."
        )
        self.compile = QCheckBox("Compile the network")
        self.compile.setChecked(says.compile)
        has_compiler = compiler() is not None
        self.compile.setEnabled(has_compiler)
        self.compile.setToolTip(COMPILE if has_compiler else f"{NO_COMPILER}\n\n{COMPILE}")
        self.fine_tune = QCheckBox("Fine-tune the open model")

    @property
    def chosen_precision(self) -> Precision:
        return cast(Precision, self.precision.value())

    def follow(self, model: ModelInfo | None, why_not: str) -> None:
        """The open model, and what keeps it from being trained further."""
        self.fine_tune.setText("Fine-tune the open model" if model is None else f"Fine-tune “{model.ref.name}”")
        self.fine_tune.setEnabled(not why_not)
        self.fine_tune.setToolTip(
            why_not
            or "Go on from the weights of the open model, with its network, schedule and prediction.\n"
            "Classes with the same name keep what they mean."
        )
        if why_not:
            self.fine_tune.setChecked(False)

    @Slot(bool)
    def _tune(self, tuned: bool) -> None:
        """A model that is trained further begins with smaller steps, unless the person has chosen a rate."""
        if not self._rate_chosen:
            with QSignalBlocker(self.lr):
                self.lr.set_value(FINE_TUNING_LR if tuned else TrainSettings().lr)
        self.tuning_changed.emit(tuned)
        self.chosen.emit()

    @Slot(float)
    def _rate(self, _value: float) -> None:
        """A learning rate of the person's own stays, whatever it is that is trained."""
        self._rate_chosen = True
