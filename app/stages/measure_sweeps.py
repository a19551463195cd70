"""What is compared: samplers and their evaluations, strengths of guidance, temperatures, shares that are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLineEdit, QWidget

from app.stages.measure_settings import MeasureSettings, numbers_of, whole_numbers_of
from app.theme import GRID
from app.widgets.controls import Choice, label
from core.evaluation.plans import SAMPLERS, series_of
from core.messages import ClassifierInfo, ModelInfo
from core.requests import SamplerSpec

NOBODY = "none"
COLUMNS = 3
SWEEPS: Mapping[str, tuple[str, ...]] = {
    "samplers": ("compared", "evaluations"),
    "fidelity": ("ws", "temperatures", "guide", "scales"),
    "skip": ("skipped",),
    "coarse": ("shared",),
}
"""The controls that a kind has for itself."""


class SweepControls(QWidget):
    """Attributes: the controls, and ``compared``, a box a sampler. Signals: ``changed()``."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make()
        self._lay_out()
        for line in (self.evaluations, self.ws, self.scales, self.temperatures, self.skipped, self.shared):
            line.editingFinished.connect(self._changed)
        for box in self.compared.values():
            box.toggled.connect(self._changed)
        self.guide.value_changed.connect(self._changed)
        self.set_classifiers(())

    def controls(self) -> dict[str, QWidget]:
        names = ("evaluations", "ws", "scales", "guide", "temperatures", "skipped", "shared")
        return {name: getattr(self, name) for name in names} | {f"use_{k}": box for k, box in self.compared.items()}

    def set_model(self, model: ModelInfo | None) -> None:
        """Guidance without a classifier needs the model's null label."""
        self.ws.setEnabled(model is not None and model.null_label is not None)

    def set_classifiers(self, classifiers: Sequence[ClassifierInfo]) -> None:
        """Those that are open, of which the ones that know noise can guide."""
        guides = {one.ref.sha256: one.ref.name for one in classifiers if one.noisy and one.labels}
        with QSignalBlocker(self.guide):
            self.guide.set_options({NOBODY: "none"} | guides)
        self.scales.setEnabled(self.guide.value() != NOBODY)

    def settle(self) -> None:
        """The controls have been set without a word: show what counts now."""
        self.scales.setEnabled(self.guide.value() != NOBODY)

    def show_kind(self, kind: str) -> None:
        for name, row in self._rows.items():
            row.setVisible(name in SWEEPS.get(kind, ()))
        self.setVisible(kind in SWEEPS)

    def fill(self, settings: MeasureSettings) -> MeasureSettings:
        """The settings with what these controls say. Raises Refusal where a list cannot be read."""
        match settings.kind:
            case "samplers":
                compared = tuple(name for name, box in self.compared.items() if box.isChecked())
                budgets = whole_numbers_of(self.evaluations.text(), "Evaluations", 1, 2000)
                return replace(settings, compared=compared, evaluations=budgets)
            case "fidelity":
                return replace(
                    settings,
                    ws=numbers_of(self.ws.text(), "Guidance w", -1, 100) if self.ws.isEnabled() else (),
                    scales=numbers_of(self.scales.text(), "Classifier scales", 0, 1000),
                    guide="" if self.guide.value() == NOBODY else self.guide.value(),
                    temperatures=numbers_of(self.temperatures.text(), "Temperatures", 0, 4),
                )
            case "skip":
                return replace(settings, skipped=numbers_of(self.skipped.text(), "Shares skipped", 0, 1))
            case "coarse":
                return replace(settings, shared=numbers_of(self.shared.text(), "Shared x_t", 0, 1))
        return settings

    def _make(self) -> None:
        says = MeasureSettings()
        words = {name: series_of(SamplerSpec(name)) for name in SAMPLERS}
        self.compared = {name: QCheckBox(words[name]) for name in SAMPLERS}
        for name, box in self.compared.items():
            box.setChecked(name in says.compared)
            box.setToolTip(f"Draw with {words[name]} as well, from the same seeds")
        self.evaluations = _line(
            says.evaluations,
            "Evaluations",
            "How often each sampler may ask the network for a sample; Heun's method makes as many steps as fit\n"
            "(Song et al. 2021, table 1).",
        )
        self.ws = _line(
            says.ws,
            "Guidance w",
            "Values of w in ε̂ = (1 + w) ε̂(x, label) − w ε̂(x, none) (Ho & Salimans 2022, figure 1); nothing "
            "leaves it out.",
        )
        self.temperatures = _line(
            says.temperatures,
            "Temperatures",
            "What the first noise is multiplied with: truncation, the way of GANs from diversity to fidelity, "
            "to compare guidance with\n(see Ho & Salimans 2022, section 1); nothing leaves it out.",
        )
        self.guide = Choice(
            "Classifier",
            {NOBODY: "none"},
            tooltip="The noisy classifier that guides (Dhariwal & Nichol 2021). It should not be the network "
            "whose features judge.",
        )
        self.scales = _line(
            says.scales,
            "Classifier scales",
            "Scales s of ∇ log p(y | x_t) (Dhariwal & Nichol 2021, figure 4); nothing leaves it out.",
        )
        self.skipped = _line(
            says.skipped,
            "Shares skipped",
            "Shares of the T timesteps that are left out at the beginning: the run starts from N(0, I) at a "
            "lower t\n(Nichol & Dhariwal 2021, figure 4: with a linear schedule 20 % cost hardly anything).",
        )
        self.shared = _line(
            says.shared,
            "Shared x_t",
            "Where samples leave the run they share, as shares of its way still to go: 1 only x_T, near 0 "
            "nearly everything\n(Ho et al. 2020, figure 7).",
        )

    def _lay_out(self) -> None:
        boxes = QWidget()
        row = QHBoxLayout(boxes)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        for box in self.compared.values():
            row.addWidget(box)
        row.addStretch(1)
        self._rows: dict[str, QWidget] = {
            "compared": boxes,
            "evaluations": _named("Evaluations", self.evaluations),
            "ws": _named("Guidance w", self.ws),
            "temperatures": _named("Temperatures", self.temperatures),
            "guide": self.guide,
            "scales": _named("Classifier scales", self.scales),
            "skipped": _named("Shares skipped", self.skipped),
            "shared": _named("Shared x_t", self.shared),
        }
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(GRID)
        places = {
            "compared": (0, 0, 1, 2),
            "evaluations": (0, 2, 1, 1),
            "ws": (0, 0, 1, 1),
            "temperatures": (0, 1, 1, 2),
            "guide": (1, 0, 1, 1),
            "scales": (1, 1, 1, 2),
            "skipped": (0, 0, 1, COLUMNS),
            "shared": (0, 0, 1, COLUMNS),
        }
        for name, place in places.items():
            grid.addWidget(self._rows[name], *place)
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)

    @Slot()
    def _changed(self) -> None:
        self.settle()
        self.changed.emit()


def _line(values: Sequence[float], name: str, tooltip: str) -> QLineEdit:
    made = QLineEdit(", ".join(f"{value:g}" for value in values))
    made.setCursorPosition(0)
    made.setAccessibleName(name)
    made.setToolTip(tooltip)
    made.setPlaceholderText("left out")
    made.setAcceptDrops(False)  # a dropped file belongs to the window
    return made


def _named(name: str, line: QLineEdit) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(GRID)
    said = label(name)
    said.setBuddy(line)
    row.addWidget(said)
    row.addWidget(line, 1)
    holder.setToolTip(line.toolTip())
    return holder
