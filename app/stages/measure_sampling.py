"""What can be chosen where samples are compared with pictures: how they are drawn, what is swept, who compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QWidget

from app.mementos import Entry, entry_of
from app.stages.measure_kinds import PLOTLESS
from app.stages.measure_settings import MeasureSettings
from app.stages.measure_sweeps import SweepControls
from app.stages.sampling_controls import clip_choice, guidance_slider, sampler_choice, show_scale, spacing_choice
from app.theme import GRID
from app.widgets.controls import Choice, ValueSlider
from core.measure_requests import MetricName
from core.messages import ClassifierInfo, ModelInfo
from core.requests import ClipPolicy, SamplerName, SamplerSpec, SpacingName, VarianceName

FOLDER, FILE, NONE_OPEN = "folder", "file", "none"
EACH, NO_CLASS = "each", "none"
BROWSING = {FOLDER: "Open a folder…", FILE: "Open Inception weights…"}
METRICS = {"kernel": "kernel distance", "frechet": "Fréchet distance"}
COLUMNS = 3
OWN_SAMPLER = ("distance", "fidelity", "skip", *PLOTLESS)


class DistanceControls(QWidget):
    """Signals: ``changed()``; ``features_wanted(str)``, "folder" or "file"."""

    changed = Signal()
    features_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._judge = NONE_OPEN
        """The network that is chosen, for when opening another comes to nothing."""
        self._model: ModelInfo | None = None
        self._make_network()
        self._make_sampler()
        self.sweeps = SweepControls()
        self._lay_out()
        self._connect()
        self.set_classifiers(())

    def controls(self) -> dict[str, QWidget]:
        own = ("features", "metric_choice", "neighbours", "sampler", "steps", "spacing", "clip", "guidance", "label")
        return {name: getattr(self, name) for name in own} | self.sweeps.controls()

    def feature_entry(self) -> Entry:
        """The network whose features are compared, by its hash."""
        return replace(entry_of(self.features), write=self._recall_features)

    def _recall_features(self, sha256: object) -> None:
        if sha256 in BROWSING:
            raise ValueError("this is no network")
        self.features.set_value(str(sha256))
        self._judge = self.features.value()

    # What there is

    def set_model(self, model: ModelInfo | None) -> None:
        """Its own sampler, spacing and clipping are proposed; guidance needs its null label."""
        self._model = model
        self.sweeps.set_model(model)
        if model is None:
            return
        self.sampler.set_value(model.sampler.name)
        if model.spacing in self.spacing.options():
            self.spacing.set_value(model.spacing)
        if model.sampler.clip in self.clip.options():
            self.clip.set_value(model.sampler.clip)
        self.guidance.setEnabled(model.null_label is not None)
        self.label.setVisible(bool(model.labels))
        classes = {str(index): name for index, name in enumerate(model.labels)}
        unlabelled = {NO_CLASS: "no class"} if model.null_label is not None else {}
        self.label.set_options({EACH: "each in turn"} | unlabelled | classes)

    def set_classifiers(self, classifiers: Sequence[ClassifierInfo]) -> None:
        """Those that are open: any may compare, but one that guides never judges itself."""
        judges = {one.ref.sha256: _features_words(one) for one in sorted(classifiers, key=lambda one: one.noisy)}
        with QSignalBlocker(self.features):
            self.features.set_options((judges or {NONE_OPEN: "none is open"}) | BROWSING)
        self._judge = self.features.value()
        self.sweeps.set_classifiers(classifiers)

    def judge(self, sha256: str) -> None:
        """Choose the network whose features are compared."""
        if sha256 in self.features.options():
            self.features.set_value(sha256)

    def settle(self) -> None:
        """The controls have been set without a word: show what counts now."""
        show_scale(self.guidance)
        self.sweeps.settle()

    def show_kind(self, kind: str) -> None:
        """Show what means something for this kind of measurement."""
        self.sweeps.show_kind(kind)
        for widget in (self.sampler, self.steps):
            widget.setVisible(kind in OWN_SAMPLER)
        self.guidance.setVisible(kind != "fidelity")
        for widget in (self.features, self.metric_choice, self.neighbours):
            widget.setVisible(kind not in PLOTLESS)

    # What they say

    def fill(self, settings: MeasureSettings) -> MeasureSettings:
        """The settings with what these controls say. Raises Refusal where a list cannot be read."""
        features = self.features.value()
        settings = replace(
            settings,
            features="" if features in (FOLDER, FILE, NONE_OPEN) else features,
            metric=cast(MetricName, self.metric_choice.value()),
            neighbours=int(self.neighbours.value()),
            sampler=self._spec(),
            steps=int(self.steps.value()),
            spacing=cast(SpacingName, self.spacing.value()),
            guidance=self.guidance.value() if self.guidance.isEnabled() else 0.0,
            labels=self._labels(),
        )
        return self.sweeps.fill(settings)

    def _labels(self) -> tuple[int, ...] | None:
        chosen = self.label.value()
        return {EACH: None, NO_CLASS: ()}[chosen] if chosen in (EACH, NO_CLASS) else (int(chosen),)

    def _spec(self) -> SamplerSpec:
        base = self._model.sampler if self._model is not None else SamplerSpec()
        name = cast(SamplerName, self.sampler.value())
        learned = self._model is not None and self._model.variance != "fixed"
        variance: VarianceName = "learned" if learned else "small"
        kept = base if name == base.name else replace(base, name=name, eta=0.0, variance=variance)
        return replace(kept, clip=cast(ClipPolicy, self.clip.value()))

    # Making them

    def _make_network(self) -> None:
        says = MeasureSettings()
        self.features = Choice(
            "Features of",
            {NONE_OPEN: "none is open"},
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
        self.label = Choice(
            "Class",
            {EACH: "each in turn"},
            tooltip="Which class the samples are asked to be: each of the model's in turn, none,\n"
            "or one alone. Coarse to fine is one sample: in turn means that the seed says which.",
        )
        self.guidance = guidance_slider(says.guidance, "Both answers take twice the evaluations.")

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(GRID)
        grid.addWidget(self.sweeps, 0, 0, 1, COLUMNS)
        rows = (
            (self.features, self.metric_choice, self.guidance),
            (self.spacing, self.clip, self.neighbours),
            (self.sampler, self.steps, self.label),
        )
        for row, widgets in enumerate(rows, 1):
            for column, widget in enumerate(widgets):
                grid.addWidget(widget, row, column)
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)

    def _connect(self) -> None:
        for choice in (self.metric_choice, self.sampler, self.spacing, self.clip, self.label):
            choice.value_changed.connect(self._changed)
        self.features.value_changed.connect(self._features_chosen)
        for slider in (self.neighbours, self.steps, self.guidance):
            slider.value_changed.connect(self._changed)
        self.sweeps.changed.connect(self.changed)
        show_scale(self.guidance)

    @Slot(str)
    def _features_chosen(self, key: str) -> None:
        if key in (FOLDER, FILE):
            with QSignalBlocker(self.features):  # what was chosen before stays until the new one is open
                self.features.set_value(self._judge)
            self.features_wanted.emit(key)
            return
        self._judge = key
        self.changed.emit()

    @Slot()
    def _changed(self) -> None:
        show_scale(self.guidance)
        self.changed.emit()


def _features_words(info: ClassifierInfo) -> str:
    return f"{info.ref.name} (guides)" if info.noisy else info.ref.name
