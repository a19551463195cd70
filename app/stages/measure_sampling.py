"""What can be chosen where samples are compared with pictures: how they are drawn, what is swept, who compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLineEdit, QWidget

from app.stages.measure_settings import MeasureSettings, numbers_of, whole_numbers_of
from app.stages.sampling_controls import clip_choice, guidance_slider, sampler_choice, show_scale, spacing_choice
from app.theme import GRID
from app.widgets.controls import Choice, ValueSlider, label
from core.evaluation.plans import SAMPLERS, series_of
from core.messages import ClassifierInfo, ModelInfo
from core.requests import ClipPolicy, MetricName, SamplerName, SamplerSpec, SpacingName

FOLDER, FILE = "folder", "file"
NOBODY = "none"
BROWSING = {FOLDER: "Open a folder…", FILE: "Open Inception weights…"}
METRICS = {"kernel": "kernel distance", "frechet": "Fréchet distance"}
COLUMNS = 3
SWEEPS: Mapping[str, tuple[str, ...]] = {
    "samplers": ("compared", "evaluations"),
    "fidelity": ("ws", "temperatures", "guide", "scales"),
    "skip": ("skipped",),
    "coarse": ("shared",),
}
"""The controls that a kind has for itself."""
OWN_SAMPLER = ("distance", "fidelity", "skip", "coarse")


class DistanceControls(QWidget):
    """Signals: ``changed()``; ``features_wanted(str)``, "folder" or "file"."""

    changed = Signal()
    features_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._classifiers: tuple[ClassifierInfo, ...] = ()
        self._model: ModelInfo | None = None
        self._make_network()
        self._make_sampler()
        self._make_sweeps()
        self._lay_out()
        self._connect()
        self.set_classifiers(())

    def controls(self) -> dict[str, QWidget]:
        names = (
            *(
                "features",
                "metric_choice",
                "neighbours",
                "sampler",
                "steps",
                "spacing",
                "clip",
                "guidance",
                "evaluations",
            ),
            *("ws", "scales", "guide", "temperatures", "skipped", "shared"),
        )
        return {name: getattr(self, name) for name in names} | {f"use_{k}": box for k, box in self.compared.items()}

    # What there is

    def set_model(self, model: ModelInfo | None) -> None:
        """Its own sampler, spacing and clipping are proposed; guidance needs its null label."""
        self._model = model
        if model is None:
            return
        self.sampler.set_value(model.sampler.name)
        if model.spacing in self.spacing.options():
            self.spacing.set_value(model.spacing)
        if model.sampler.clip in self.clip.options():
            self.clip.set_value(model.sampler.clip)
        for widget in (self.guidance, self.ws):
            widget.setEnabled(model.null_label is not None)

    def set_classifiers(self, classifiers: Sequence[ClassifierInfo]) -> None:
        """Those that are open: any may compare, but one that guides never judges itself."""
        self._classifiers = tuple(classifiers)
        judges = {one.ref.sha256: _features_words(one) for one in sorted(classifiers, key=lambda one: one.noisy)}
        with QSignalBlocker(self.features):
            self.features.set_options(
                (judges or {"": "none is open"}) | {FOLDER: "Open a folder…", FILE: "Open Inception weights…"}
            )
        guides = {one.ref.sha256: one.ref.name for one in classifiers if one.noisy and one.labels}
        with QSignalBlocker(self.guide):
            self.guide.set_options({NOBODY: "none"} | guides)
        self.scales.setEnabled(self.guide.value() != NOBODY)

    def judge(self, sha256: str) -> None:
        """Choose the network whose features are compared."""
        if sha256 in self.features.options():
            self.features.set_value(sha256)

    def show_kind(self, kind: str) -> None:
        """Show what means something for this kind of measurement."""
        own = SWEEPS.get(kind, ())
        for name, row in self._rows.items():
            row.setVisible(name in own)
        for widget in (self.sampler, self.steps):
            widget.setVisible(kind in OWN_SAMPLER)
        self.guidance.setVisible(kind != "fidelity")
        for widget in (self.features, self.metric_choice, self.neighbours):
            widget.setVisible(kind != "coarse")

    # What they say

    def fill(self, settings: MeasureSettings) -> MeasureSettings:
        """The settings with what these controls say. Raises Refusal where a list cannot be read."""
        features, guide = self.features.value(), self.guide.value()
        own = SWEEPS.get(settings.kind, ())
        settings = replace(
            settings,
            features="" if features in (FOLDER, FILE) else features,
            metric=cast(MetricName, self.metric_choice.value()),
            neighbours=int(self.neighbours.value()),
            sampler=self._spec(),
            steps=int(self.steps.value()),
            spacing=cast(SpacingName, self.spacing.value()),
            guidance=self.guidance.value() if self.guidance.isEnabled() else 0.0,
            compared=tuple(name for name, box in self.compared.items() if box.isChecked()),
            guide="" if guide == NOBODY else guide,
        )
        if "evaluations" in own:
            budgets = whole_numbers_of(self.evaluations.text(), "Evaluations", 1, 2000)
            settings = replace(settings, evaluations=budgets)
        if "ws" in own:
            settings = replace(
                settings,
                ws=numbers_of(self.ws.text(), "Guidance w", -1, 100) if self.ws.isEnabled() else (),
                scales=numbers_of(self.scales.text(), "Classifier scale", 0, 1000),
                temperatures=numbers_of(self.temperatures.text(), "Temperature", 0, 4),
            )
        if "skipped" in own:
            settings = replace(settings, skipped=numbers_of(self.skipped.text(), "Skipped", 0, 1))
        if "shared" in own:
            settings = replace(settings, shared=numbers_of(self.shared.text(), "Shared x_t", 0, 1))
        return settings

    def _spec(self) -> SamplerSpec:
        base = self._model.sampler if self._model is not None else SamplerSpec()
        name = cast(SamplerName, self.sampler.value())
        learned = self._model is not None and self._model.variance != "fixed"
        kept = (
            base if name == base.name else replace(base, name=name, eta=0.0, variance="learned" if learned else "small")
        )
        return replace(kept, clip=cast(ClipPolicy, self.clip.value()))

    # Making them

    def _make_network(self) -> None:
        says = MeasureSettings()
        self.features = Choice(
            "Features of",
            {"": "none is open"},
            tooltip="The network in whose features pictures and samples are compared: the bundled judge of digits, a "
            "classifier's folder of your own,\n"
            "or a file of Inception-v3 weights (pytorch-fid's or torch-fidelity's), "
            "with which numbers compare with published ones. Never downloaded by itself.",
        )
        self.metric_choice = Choice(
            "Metric",
            METRICS,
            says.metric,
            tooltip="Fréchet: |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½) (Heusel et al. 2017); only of at least "
            "five times as "
            "many samples as features.\nKernel: the squared MMD with (x·y / d + 1)³, unbiased at any n "
            "(Bińkowski et al. 2018).",
        )
        self.neighbours = ValueSlider(
            "Neighbours k",
            1,
            10,
            says.neighbours,
            ends=("strict", "lenient"),
            tooltip="Precision and recall call near what is within the k-th neighbour's distance (Kynkäänniemi "
            "et al. 2019).",
        )

    def _make_sampler(self) -> None:
        says = MeasureSettings()
        self.sampler = sampler_choice()
        self.steps = ValueSlider(
            "Steps",
            2,
            1000,
            says.steps,
            quantity="x_t",
            ends=("fast", "faithful"),
            tooltip="Steps of each sample; the network is asked once in each, by Heun's method twice.",
        )
        self.spacing = spacing_choice()
        self.clip = clip_choice()
        self.guidance = guidance_slider(says.guidance, "Both answers take twice the evaluations.")

    def _make_sweeps(self) -> None:
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
        places: tuple[tuple[QWidget, int, int, int], ...] = (
            (self._rows["compared"], 0, 0, 2),
            (self._rows["evaluations"], 0, 2, 1),
            (self._rows["ws"], 0, 0, 1),
            (self._rows["temperatures"], 0, 1, 1),
            (self._rows["guide"], 0, 2, 1),
            (self._rows["scales"], 1, 0, 1),
            (self._rows["skipped"], 0, 0, 3),
            (self._rows["shared"], 0, 0, 3),
            (self.features, 2, 0, 1),
            (self.metric_choice, 2, 1, 1),
            (self.guidance, 2, 2, 1),
            (self.spacing, 3, 0, 1),
            (self.clip, 3, 1, 1),
            (self.neighbours, 3, 2, 1),
            (self.sampler, 4, 0, 1),
            (self.steps, 4, 1, 1),
        )
        for widget, at, column, span in places:
            grid.addWidget(widget, at, column, 1, span)
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)

    def _connect(self) -> None:
        for choice in (self.metric_choice, self.sampler, self.spacing, self.clip, self.guide):
            choice.value_changed.connect(self._changed)
        self.features.value_changed.connect(self._features_chosen)
        for slider in (self.neighbours, self.steps, self.guidance):
            slider.value_changed.connect(self._changed)
        for line in (self.evaluations, self.ws, self.scales, self.temperatures, self.skipped, self.shared):
            line.editingFinished.connect(self._changed)
        for box in self.compared.values():
            box.toggled.connect(self._changed)
        show_scale(self.guidance)

    @Slot(str)
    def _features_chosen(self, key: str) -> None:
        if key in (FOLDER, FILE):
            with QSignalBlocker(self.features):  # what was chosen before stays until the new one is open
                self.features.set_value(self.features.options()[0])
            self.features_wanted.emit(key)
        self.changed.emit()

    @Slot()
    def _changed(self) -> None:
        show_scale(self.guidance)
        self.scales.setEnabled(self.guide.value() != NOBODY)
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


def _features_words(info: ClassifierInfo) -> str:
    return f"{info.ref.name} (guides)" if info.noisy else info.ref.name
