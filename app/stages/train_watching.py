"""The controls of how a training is watched and what is kept of it: samples, pictures kept aside, checkpoints."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QWidget

from app.stages.train_settings import TrainSettings
from app.widgets.controls import Choice, ValueSlider
from app.widgets.number_field import NumberField
from core.training.order import WeightsName

AUTO = "auto"
ASIDE = {AUTO: "1 in 20", "0": "none", "16": "16", "64": "64", "256": "256", "1024": "1,024"}
WEIGHTS: dict[WeightsName, str] = {"ema": "averaged, EMA", "raw": "raw"}
SAMPLES = "How many pictures are drawn from fixed seeds to watch the model learn: the same noise each time."
EVERY = "How often samples are drawn; oftener in the first minute. Drawing takes a share of the time."
FROM = (
    "The weights that samples are drawn with: their exponential moving average (Ho et al. 2020, appendix B), which\n"
    "draws better pictures, or the raw ones of the last step. It can be changed while the model learns."
)
VALIDATION = (
    "Pictures kept aside, evenly spread over the folder: never trained on, only measured, with the same noise and t\n"
    "each time. Where their loss rises while that of the training falls, the network learns by heart.\n"
    "1 in 20: of at least 100 pictures, and at most 256."
)
KEEP_EVERY = (
    "Besides the latest checkpoint, that of every so many steps is kept; at 0 of none. Each has weights, average and\n"
    "optimiser (AdamW; Loshchilov & Hutter 2019): 16 bytes a parameter."
)
KEEP_BEST = "Keeps the checkpoint with the lowest loss on the pictures kept aside (early stopping; Prechelt 1998)."
DRAWS_NOTHING = "A classifier draws no pictures."
NONE_ASIDE = "There is no best without pictures kept aside."


class WatchControls(QObject):
    """The controls, to be laid out by whoever has them. Signals: ``chosen()``."""

    chosen = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        says = TrainSettings()
        self.samples = ValueSlider("Samples", 1, 64, says.samples, ends=("quick", "many"), tooltip=SAMPLES)
        self.every = NumberField("Draw every", 5, 3600, says.sample_every, step=10, unit="s", tooltip=EVERY)
        self.weights = Choice("Drawn with", WEIGHTS, says.samples_from, tooltip=FROM)
        self.validation = Choice("Kept aside", ASIDE, AUTO, tooltip=VALIDATION)
        self.keep_every = NumberField(
            "Keep every", 0, 1e6, 0, step=1000, unit="steps", least="latest alone", tooltip=KEEP_EVERY
        )
        self.keep_best = QCheckBox("Keep the best")
        self.keep_best.setChecked(says.keep_best)
        for choice in (self.weights, self.validation):
            choice.value_changed.connect(self.chosen)
        for number in (self.samples, self.every, self.keep_every):
            number.value_changed.connect(self.chosen)
        self.keep_best.toggled.connect(self.chosen)
        self.validation.value_changed.connect(self._show_best)
        self._show_best()

    @property
    def count_aside(self) -> int | None:
        """How many pictures are kept aside; None: as many as suit the folder."""
        value = self.validation.value()
        return None if value == AUTO else int(value)

    @property
    def kept_every(self) -> int | None:
        return int(self.keep_every.value()) or None

    @property
    def drawn_with(self) -> WeightsName:
        return cast(WeightsName, self.weights.value())

    def follow(self, *, draws: bool) -> None:
        """``draws``: what is trained draws samples."""
        for widget, says in ((self.samples, SAMPLES), (self.every, EVERY), (self.weights, FROM)):
            widget.setEnabled(draws)
            widget.setToolTip(says if draws else DRAWS_NOTHING)

    @Slot()
    def _show_best(self) -> None:
        is_measured = self.count_aside != 0
        self.keep_best.setEnabled(is_measured)
        self.keep_best.setToolTip(KEEP_BEST if is_measured else f"{NONE_ASIDE}\n\n{KEEP_BEST}")
