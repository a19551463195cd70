"""What can be chosen in Denoise. The controls hold one ``DenoiseSettings``; they know nothing of runs."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QLineEdit, QWidget

from app.stages.denoise_settings import DenoiseSettings, Labels, settings_for
from app.stages.sampling_controls import (
    VARIANCES,
    clip_choice,
    eta_slider,
    guidance_slider,
    lay_out,
    precision_choice,
    sampler_choice,
    show_scale,
    spacing_choice,
    stacked,
    steps_slider,
    timestep_slider,
)
from app.widgets.controls import Choice, MoreSection, SeedBox, ValueSlider
from app.widgets.conversion import ConversionBox
from core.errors import Refusal
from core.messages import ModelInfo
from core.requests import ClipPolicy, Precision, SamplerName, SamplerSpec, SpacingName, VarianceName

EACH, NOBODY, OWN = "each", "none", "own"


class DenoiseControls(QWidget):
    """Signals: ``changed()`` after the person changed anything that a request is made of; ``seed_changed(int)``."""

    changed = Signal()
    seed_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: ModelInfo | None = None
        self._touched = False
        self._make_basic()
        self._make_more()
        self.conversion = ConversionBox()
        self._lay_out()
        for choice in (self.label, self.sampler, self.spacing, self.clip, self.variance, self.precision, self.start):
            choice.value_changed.connect(self._choose)
        for slider in (self.guidance, self.steps, self.eta, self.count, self.start_t):
            slider.value_changed.connect(self._slide)
        for edit in (self.own_labels, self.hand):
            edit.editingFinished.connect(self._type)
        for scheduler in (self.sampler, self.spacing, self.clip, self.variance):
            scheduler.value_changed.connect(self._touch)
        self.seed.seed_changed.connect(self._seed)
        self._show_what_counts()

    def _make_basic(self) -> None:
        self.label = Choice(
            "Label", {NOBODY: "none"}, tooltip="The class that the network is asked for: one for all, or one for each."
        )
        self.own_labels = QLineEdit()
        self.own_labels.setPlaceholderText("one class for each sample, such as 3, 1, 4")
        self.own_labels.setAccessibleName("Classes of the samples")
        self.own_labels.setToolTip("Classes separated by commas, dealt out to the samples in turn.")
        self.guidance = guidance_slider(
            DenoiseSettings().guidance, "w = 0 is the plain conditional model; other tools print the scale 1 + w."
        )
        self.steps = steps_slider(
            50, "How many of the T timesteps the sampler visits: the dots in the plots (DDIM, section 4.2)."
        )

    def _make_more(self) -> None:
        self.sampler = sampler_choice()
        self.eta = eta_slider()
        self.variance = Choice(
            "Variance",
            VARIANCES,
            tooltip="The variance of the noise that each DDPM step adds: β̃_t or β_t (Ho et al. 2020, section 3.2).",
        )
        self.spacing = spacing_choice({"hand": "by hand"})
        self.hand = QLineEdit()
        self.hand.setPlaceholderText("900, 600, 300, 0")
        self.hand.setAccessibleName("Timesteps by hand")
        self.hand.setToolTip("Timesteps that fall, separated by commas.")
        self.clip = clip_choice()
        self.count = ValueSlider("Samples", 1, 64, 10, tooltip="How many samples are drawn at once.")
        self.precision = precision_choice("; the mathematics around it is always float32 and float64.")
        self.start = Choice(
            "Start from",
            {"noise": "noise", "picture": "my picture"},
            tooltip="Pure noise x_T, or the picture noised to t (Meng et al. 2022, SDEdit).",
        )
        self.start_t = timestep_slider(
            "at t",
            600,
            ("t = 0: the picture", "t = T: noise"),
            "How far the picture is noised before it is denoised: what is below t is drawn anew.",
        )
        self.seed = SeedBox(tooltip="The seed of the noise: the same seed starts from the same noise everywhere.")
        self.more = MoreSection("More")

    def _lay_out(self) -> None:
        rows = (
            (self.sampler, self.spacing, self.clip),
            (self.eta, self.precision, self.start),
            (self.count, self.seed, self.start_t),
            (self.hand,),
            (self.conversion,),
        )
        basic = (stacked(self.label, self.own_labels), self.guidance, self.steps)
        grid = lay_out(self, basic, self.more, rows)
        grid.addWidget(self.variance, 1, 0)  # in the place of eta, which DDPM does not have

    def set_model(self, model: ModelInfo | None) -> None:
        """Offer what this model has; its scheduler's choices hold until the person has made others."""
        self._model = model
        if model is None:
            return
        before = self._settings_without_text()
        with QSignalBlocker(self.label):
            names = {str(i): name for i, name in enumerate(model.labels)}
            options = {EACH: "each in turn", **names, OWN: "one for each sample…"} if names else {}
            if model.null_label is not None or not names:
                options[NOBODY] = "none"
            self.label.set_options(options)
        self.steps.set_range(1, model.schedule.T)
        self.start_t.set_range(0, model.schedule.T - 1)
        says = settings_for(model, before)
        if self._touched:
            says = replace(says, sampler=before.sampler, spacing=before.spacing)
        self.set_settings(says)

    def settings(self) -> DenoiseSettings:
        """What the controls say. Raises Refusal where typed classes or timesteps cannot be read."""
        settings = replace(self._settings_without_text(), labels=self._labels())
        if settings.spacing == "hand":
            hand = _numbers(self.hand.text())
            settings = replace(settings, hand=hand, steps=len(hand))
        return settings

    def set_settings(self, settings: DenoiseSettings) -> None:
        """Show settings, those of a run in the history for example, without a signal."""
        widgets = [widget for widget in vars(self).values() if isinstance(widget, (Choice, ValueSlider, SeedBox))]
        blocked = [QSignalBlocker(widget) for widget in widgets]
        self.sampler.set_value(settings.sampler.name)
        self.eta.set_value(settings.sampler.eta)
        self.variance.set_value(settings.sampler.variance)
        self.clip.set_value(settings.sampler.clip)
        self.steps.set_value(settings.steps)
        self.spacing.set_value(settings.spacing)
        self.hand.setText(", ".join(map(str, settings.hand)))
        self.guidance.set_value(settings.guidance)
        self.seed.set_seed(settings.seed)
        self.count.set_value(settings.count)
        self.precision.set_value(settings.precision)
        self.start.set_value("picture" if settings.from_picture else "noise")
        self.start_t.set_value(settings.start_t)
        self._show_labels(settings.labels)
        del blocked
        self._show_what_counts()

    def _settings_without_text(self) -> DenoiseSettings:
        return DenoiseSettings(
            sampler=SamplerSpec(
                cast(SamplerName, self.sampler.value()),
                self.eta.value() if self.sampler.value() == "ddim" else 0.0,
                cast(VarianceName, self.variance.value()),
                cast(ClipPolicy, self.clip.value()),
            ),
            steps=int(self.steps.value()),
            spacing=cast(SpacingName, self.spacing.value()),
            guidance=self.guidance.value(),
            seed=self.seed.seed(),
            count=int(self.count.value()),
            precision=cast(Precision, self.precision.value()),
            from_picture=self.start.value() == "picture",
            start_t=int(self.start_t.value()),
        )

    def _labels(self) -> Labels:
        names = self._model.labels if self._model else ()
        match self.label.value():
            case "each":
                return tuple(range(len(names)))
            case "own":
                return tuple(_class(word.strip(), names) for word in self.own_labels.text().split(","))
            case "none" | "":
                return (None,)
            case chosen:
                return (int(chosen),)

    def _show_labels(self, labels: Labels) -> None:
        names = self._model.labels if self._model else ()
        if labels == tuple(range(len(names))) and names:
            key = EACH
        elif len(labels) == 1:
            key = NOBODY if labels[0] is None else str(labels[0])
        else:
            key = OWN
        self.own_labels.setText(", ".join(NOBODY if i is None else names[i] for i in labels) if key == OWN else "")
        if key in self.label.options():
            self.label.set_value(key)

    def _show_what_counts(self) -> None:
        """Controls that would do nothing with the present choice are hidden or disabled."""
        is_ddim = self.sampler.value() == "ddim"
        by_hand = self.spacing.value() == "hand"
        from_picture = self.start.value() == "picture"
        self.eta.setVisible(is_ddim)
        self.variance.setVisible(not is_ddim)
        self.hand.setVisible(by_hand)
        self.steps.setEnabled(not by_hand)
        self.own_labels.setVisible(self.label.value() == OWN)
        has_null = self._model is not None and self._model.null_label is not None
        self.label.setEnabled(self._model is not None and bool(self._model.labels))
        self.guidance.setEnabled(has_null)
        self.start_t.setVisible(from_picture)
        self.conversion.setVisible(from_picture)
        show_scale(self.guidance)

    @Slot(str)
    def _choose(self, _key: str) -> None:
        self._show_what_counts()
        self.changed.emit()

    @Slot(float)
    def _slide(self, _value: float) -> None:
        self._show_what_counts()
        self.changed.emit()

    @Slot()
    def _type(self) -> None:
        self.changed.emit()

    @Slot(str)
    def _touch(self, _key: str) -> None:
        self._touched = True

    @Slot(int)
    def _seed(self, seed: int) -> None:
        self.seed_changed.emit(seed)
        self.changed.emit()


def _class(word: str, names: tuple[str, ...]) -> int | None:
    if word == NOBODY:
        return None
    if word not in names:
        raise Refusal(f"There is no class “{word}”. The classes are {', '.join(names)}; “none” is no class.")
    return names.index(word)


def _numbers(text: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() for word in words):
        raise Refusal("Timesteps by hand are whole numbers separated by commas, such as 900, 600, 300, 0.")
    return tuple(map(int, words))
