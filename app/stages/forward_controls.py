"""What can be chosen in Forward: the schedule, one to compare it with, its length and ends, the noise, the display."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from app.stages.forward_scene import schedule_named
from app.stages.sampling_controls import stacked
from app.theme import GRID
from app.widgets.controls import Choice, MoreSection, NumberEdit, SeedBox, ValueSlider, label
from core.requests import ScheduleSpec
from core.schedules import make_schedule

SCHEDULES = {
    "linear": "Linear",
    "cosine": "Cosine",
    "quadratic": "Quadratic",
    "sigmoid": "Sigmoid",
    "sigmoid_alpha_bar": "Sigmoid of ᾱ",
    "constant": "Constant",
    "drawn": "Drawn by hand",
}
NO_GHOST = "none"
WITH_ENDS = ("linear", "quadratic", "sigmoid", "constant")


class ForwardControls(QWidget):
    """Signals: ``schedule_chosen(ScheduleSpec)``; ``ghost_chosen(str)``, a schedule's name or "none";
    ``normalised_changed(bool)``; ``seed_changed(int)``.
    """

    schedule_chosen = Signal(object)
    ghost_chosen = Signal(str)
    normalised_changed = Signal(bool)
    seed_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spec = ScheduleSpec()
        self.schedule = Choice(
            "Schedule",
            SCHEDULES,
            tooltip="How fast noise replaces the picture: β_t for t = 0..T−1.\n"
            "Linear: Ho et al. 2020, section 4. Cosine: Nichol & Dhariwal 2021, eq. 17.\n"
            "Sigmoid of ᾱ: Jabri et al. 2022, algorithm 1; the other one is of β.\n"
            "Drawn by hand: drag the points of the ᾱ plot.",
        )
        self.ghost = Choice(
            "Compare with",
            {NO_GHOST: "Nothing", **{name: text for name, text in SCHEDULES.items() if name != "drawn"}},
            tooltip="A second schedule: as a thin curve in the plots and a second strip of pictures "
            "(as in Nichol & Dhariwal 2021, figures 3 and 5).",
        )
        self.seed = SeedBox(lockable=False, tooltip="The seed of the noise ε; the networks get the same.")
        self.T = ValueSlider(
            "Timesteps T",
            2,
            4000,
            1000,
            step=10,
            ends=("coarse", "fine"),
            tooltip="In how many steps the picture becomes noise. Published linear ends are scaled by 1000/T, "
            "so that ᾱ_T stays (Nichol & Dhariwal 2021).",
        )
        self.mapping = Choice(
            "Show x_t",
            {"clamped": "clamped", "normalised": "normalised"},
            tooltip="Clamped: −1 is black, 1 is white, and what lies beyond is cut off.\n"
            "Normalised: the smallest number of this x_t is black, the largest white.",
        )
        self.beta_start = _beta("First β", "β of the first step; DDPM: 0.0001.")
        self.beta_end = _beta("Last β", "β of the last step; DDPM: 0.02.")
        self.zero_snr = QCheckBox("Zero SNR at the end")
        self.zero_snr.setAccessibleName("Zero SNR at the end")
        self.zero_snr.setToolTip(
            "Shifts and scales √ᾱ so that at the last timestep nothing of the picture is left (Lin et al. 2024, "
            "algorithm 1).\nThere ε is x_t itself and says nothing of x₀: a network has to predict v, x₀ or the mean."
        )
        self.more = MoreSection("More")
        self._lay_out()
        self.schedule.value_changed.connect(self._named)
        self.ghost.value_changed.connect(self.ghost_chosen)
        self.seed.seed_changed.connect(self.seed_changed)
        self.T.value_changed.connect(self._timed)
        self.mapping.value_changed.connect(self._mapped)
        self.beta_start.valueChanged.connect(self._ended)
        self.beta_end.valueChanged.connect(self._ended)
        self.zero_snr.toggled.connect(self._rescaled)

    def _lay_out(self) -> None:
        first = QHBoxLayout()
        first.setSpacing(2 * GRID)
        first.addWidget(self.schedule, 2)
        first.addWidget(self.ghost, 2)
        first.addWidget(self.seed, 2)
        folded = QWidget()
        second = QHBoxLayout(folded)
        second.setContentsMargins(0, 0, 0, 0)
        second.setSpacing(2 * GRID)
        second.addWidget(self.T, 2)
        self._ends = QWidget()
        ends = QHBoxLayout(self._ends)
        ends.setContentsMargins(0, 0, 0, 0)
        for name, edit in (("First β", self.beta_start), ("Last β", self.beta_end)):
            text = label(name)
            text.setBuddy(edit)
            ends.addWidget(text)
            ends.addWidget(edit)
        second.addWidget(self._ends)
        second.addWidget(stacked(self.mapping, self.zero_snr), 1)
        self.more.add(folded)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addLayout(first)
        column.addWidget(self.more)

    def spec(self) -> ScheduleSpec:
        return self._spec

    def set_spec(self, spec: ScheduleSpec) -> None:
        """Show a schedule without a signal."""
        self._spec = spec
        table = make_schedule(replace(spec, zero_snr=False))
        blocked = [
            QSignalBlocker(widget) for widget in (self.schedule, self.T, self.beta_start, self.beta_end, self.zero_snr)
        ]
        if spec.name not in self.schedule.options():
            self.schedule.set_options({**SCHEDULES, spec.name: "The model's own"})
        self.schedule.set_value(spec.name)
        self.T.set_value(spec.T)
        self.beta_start.setValue(float(table.betas[0]))
        self.beta_end.setValue(float(table.betas[-1]))
        self._ends.setVisible(spec.name in WITH_ENDS)
        self.beta_start.setEnabled(spec.name != "constant")
        self.zero_snr.setChecked(spec.zero_snr)
        self.zero_snr.setEnabled(spec.name != "drawn")
        del blocked

    def set_seed(self, seed: int) -> None:
        with QSignalBlocker(self.seed):
            self.seed.set_seed(seed)

    @Slot(str)
    def _named(self, name: str) -> None:
        self.schedule_chosen.emit(schedule_named(name, self._spec))

    @Slot(float)
    def _timed(self, T: float) -> None:
        self.schedule_chosen.emit(replace(self._spec, T=int(T)))

    @Slot(float)
    def _ended(self, _beta: float) -> None:
        start = None if self._spec.name == "constant" else self.beta_start.value()
        self.schedule_chosen.emit(replace(self._spec, beta_start=start, beta_end=self.beta_end.value()))

    @Slot(bool)
    def _rescaled(self, is_on: bool) -> None:
        self.schedule_chosen.emit(replace(self._spec, zero_snr=is_on))

    @Slot(str)
    def _mapped(self, mapping: str) -> None:
        self.normalised_changed.emit(mapping == "normalised")


def _beta(name: str, tooltip: str) -> NumberEdit:
    edit = NumberEdit(5)
    edit.setRange(0.00001, 0.99999)
    edit.setSingleStep(0.0001)
    edit.setAccessibleName(name)
    edit.setToolTip(tooltip)
    edit.setFixedWidth(9 * GRID)
    return edit
