"""What can be chosen for a likelihood."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QWidget

from app.stages.measure_settings import LikelihoodClip, MeasureSettings
from app.stages.sampling_controls import NOT_LEARNED, VARIANCES
from app.theme import GRID
from app.widgets.controls import Choice, ValueSlider
from core.messages import ModelInfo
from core.requests import VarianceName

CLIPS = {"clamp": "clamp x̂₀", "none": "none"}
COLUMNS = 3


class LikelihoodControls(QWidget):
    """Signals: ``changed()``."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        says = MeasureSettings()
        self.timesteps = ValueSlider(
            "Timesteps",
            2,
            1000,
            says.timesteps,
            quantity="t",
            ends=("quick", "exact: all t"),
            tooltip="At how many t L_t is measured. Fewer than all stand for their neighbours (strata of t):\n"
            "the sum is then an estimate, whose standard error is said. At the right end it is exact.",
        )
        self.draws = ValueSlider(
            "Draws",
            1,
            10,
            says.draws,
            quantity="eps",
            ends=("one ε", "ten"),
            tooltip="How often each picture is noised at each t: L_t is an expectation over ε (Ho et al. 2020, eq. 8).",
        )
        self.variance = Choice(
            "Variance",
            VARIANCES,
            says.variance,
            tooltip="Σ of the reverse step in KL(q ‖ p). Large: β_t, best for x_0 of unit variance; small: "
            "β̃_t, best "
            "for a single picture\n(Ho et al. 2020, section 3.2). Learned: what the network says (Nichol & "
            "Dhariwal 2021, eq. 15).",
        )
        self.likelihood_clip = Choice(
            "x̂₀",
            CLIPS,
            says.likelihood_clip,
            tooltip="Whether x̂₀ is held within the data's range before the mean is made of it (as in OpenAI's bound).",
        )
        self.labelled = QCheckBox("Tell the class")
        self.labelled.setChecked(says.labelled)
        self.labelled.setToolTip(
            "The network is told each picture's class, where it knows one of that name: bits given the class.\n"
            "Otherwise it is asked without a class."
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(GRID)
        for place, widget in enumerate(self.controls().values()):
            grid.addWidget(widget, *divmod(place, COLUMNS))
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)
        for slider in (self.timesteps, self.draws):
            slider.value_changed.connect(self._changed)
        for choice in (self.variance, self.likelihood_clip):
            choice.value_changed.connect(self._changed)
        self.labelled.toggled.connect(self._changed)

    def controls(self) -> dict[str, QWidget]:
        names = ("timesteps", "draws", "variance", "likelihood_clip", "labelled")
        return {name: getattr(self, name) for name in names}

    def set_model(self, model: ModelInfo | None) -> None:
        if model is None:
            return
        kept = self.timesteps.value()
        self.timesteps.set_range(2, max(3, model.schedule.T))
        self.timesteps.set_value(min(kept, model.schedule.T))
        has_learned = model.variance != "fixed"
        self.variance.refuse("learned", "" if has_learned else NOT_LEARNED)
        self.variance.set_value("learned" if has_learned else "large")
        self.labelled.setEnabled(bool(model.labels))

    def fill(self, settings: MeasureSettings) -> MeasureSettings:
        """The settings with what these controls say."""
        return replace(
            settings,
            timesteps=int(self.timesteps.value()),
            draws=int(self.draws.value()),
            variance=cast(VarianceName, self.variance.value()),
            likelihood_clip=cast(LikelihoodClip, self.likelihood_clip.value()),
            labelled=self.labelled.isChecked(),
        )

    @Slot()
    def _changed(self) -> None:
        self.changed.emit()
