"""What can be chosen in Denoise. The controls hold one ``DenoiseSettings``; they know nothing of runs."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.mementos import Entry, entries_of
from app.stages.denoise_fields import NOBODY, DenoiseFields
from app.stages.denoise_settings import DenoiseSettings, Labels, settings_for, usual_guidance, usual_steps
from app.stages.sampling_controls import NO_LIMIT, NOT_LEARNED, evaluations, show_scale
from app.widgets.controls import Choice, SeedBox, ValueSlider
from core.errors import Refusal
from core.messages import ModelInfo
from core.paths import model_timesteps
from core.requests import ClipPolicy, Precision, SamplerName, SamplerSpec, SpacingName, VarianceName

EACH, OWN = "each", "own"


class DenoiseControls(DenoiseFields):
    """Signals: ``changed()`` after the person changed anything that a request is made of; ``seed_changed(int)``."""

    changed = Signal()
    seed_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: ModelInfo | None = None
        self._touched = False
        self._spaced = cast(SpacingName, self.spacing.value())
        """The last choice of spacing that was not by hand."""
        self.spacing.value_changed.connect(self._spell_out)
        for choice in (self.label, self.sampler, self.spacing, self.clip, self.variance, self.precision, self.start):
            choice.value_changed.connect(self._choose)
        self.first.value_changed.connect(self._push_last)
        self.last.value_changed.connect(self._push_first)
        for slider in self._sliders():
            slider.value_changed.connect(self._choose)
        for edit in (self.own_labels, self.hand):
            edit.editingFinished.connect(self.changed)
        for scheduler in (self.sampler, self.spacing, self.clip, self.variance):
            scheduler.value_changed.connect(self._touch)
        self.seed.seed_changed.connect(self._seed)
        self.classifier.changed.connect(self._choose)
        self._show_what_counts()

    def _sliders(self) -> list[ValueSlider]:
        return [widget for widget in vars(self).values() if isinstance(widget, ValueSlider)]

    def set_model(self, model: ModelInfo | None) -> None:
        """Offer what this model has; its scheduler's choices hold until the person has made others, and how it is
        usually sampled where nothing else was chosen than what was usual before."""
        self._model = model
        if model is None:
            return
        before = self._settings_without_text()
        own_guidance, own_steps = not self.guidance.is_default(), not self.steps.is_default()
        self.classifier.set_model(model)
        self.variance.refuse("learned", NOT_LEARNED if model.variance == "fixed" else "")
        with QSignalBlocker(self.label):
            names = {str(i): name for i, name in enumerate(model.labels)}
            options = {EACH: "each in turn", **names, OWN: "one for each sample…"} if names else {}
            if model.null_label is not None or not names:
                options[NOBODY] = "none"
            self.label.set_options(options)
        blocked = [QSignalBlocker(slider) for slider in (self.steps, self.start_t, self.first, self.last)]
        self.steps.set_range(1, model.schedule.T)
        for slider in (self.start_t, self.first, self.last):
            slider.set_range(0, model.schedule.T - 1)
        self.first.set_default(model.schedule.T - 1)
        del blocked
        self._mark_usual(model)
        says = settings_for(model, before)
        if own_steps:
            says = replace(says, steps=before.steps)
        if own_guidance and model.null_label is not None:
            says = replace(says, guidance=before.guidance)
        if self._touched:
            says = replace(says, sampler=_possible(before.sampler, model), spacing=before.spacing)
        self.set_settings(says)

    def _mark_usual(self, model: ModelInfo) -> None:
        """What a double-click returns to is what the model is usually sampled with."""
        guidance, steps = usual_guidance(model), usual_steps(model)
        self.guidance.set_default(guidance, "" if model.usual_guidance is None else f"usual for {model.ref.name}")
        self.steps.set_default(steps, "" if model.usual_steps is None else f"usual for {model.ref.name}")

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
        self.percentile.set_value(100 * settings.sampler.percentile)
        self.limit.set_value(settings.sampler.limit or NO_LIMIT)
        self.steps.set_value(settings.steps)
        self.spacing.set_value(settings.spacing)
        self._spaced = settings.spacing if settings.spacing != "hand" else self._spaced
        self.hand.setText(", ".join(map(str, settings.hand)))
        self.guidance.set_value(settings.guidance)
        self.seed.set_seed(settings.seed)
        self.count.set_value(settings.count)
        self.precision.set_value(settings.precision)
        self.start.set_value("picture" if settings.from_picture else "noise")
        self.start_t.set_value(settings.start_t)
        first, last = settings.interval or (self.first.range()[1], 0)
        self.first.set_value(first)
        self.last.set_value(last)
        self.rescale.set_value(settings.rescale)
        self.temperature.set_value(settings.temperature)
        self.classifier.set_settings(settings.classifier, self._namesakes(settings))
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
                *self._thresholds(),
            ),
            steps=int(self.steps.value()),
            spacing=cast(SpacingName, self.spacing.value()),
            guidance=self.guidance.value(),
            seed=self.seed.seed(),
            count=int(self.count.value()),
            precision=cast(Precision, self.precision.value()),
            from_picture=self.start.value() == "picture",
            start_t=int(self.start_t.value()),
            interval=self._interval(),
            rescale=self.rescale.value(),
            temperature=self.temperature.value(),
            classifier=self.classifier.settings(),
        )

    def _thresholds(self) -> tuple[float, float | None]:
        """Percentile as a share and limit: where they do nothing, those that a request has by default."""
        if self.clip.value() != "dynamic":
            return SamplerSpec().percentile, None
        limit = self.limit.value()
        return round(self.percentile.value() / 100, 4), limit if limit < NO_LIMIT else None

    def _interval(self) -> tuple[int, int] | None:
        """None where guidance works all the way down."""
        first, last = int(self.first.value()), int(self.last.value())
        return None if (first, last) == (self.first.range()[1], 0) else (first, last)

    def _namesakes(self, settings: DenoiseSettings) -> tuple[int, ...]:
        """The classes of the classifier that have the names of the labels asked for."""
        names = self._model.labels if self._model else ()
        classes = settings.classifier.info.labels if settings.classifier else ()
        asked = [names[label] for label in settings.labels if label is not None and label < len(names)]
        return tuple(classes.index(name) for name in asked if name in classes)

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
        in_turn = tuple(range(min(len(names), max(2, int(self.count.value())))))  # fewer samples than classes
        if names and labels in (tuple(range(len(names))), in_turn):
            key = EACH
        elif len(labels) == 1:
            key = NOBODY if labels[0] is None else str(labels[0])
        else:
            key = OWN
        own = (NOBODY if i is None else names[i] if i < len(names) else str(i) for i in labels)  # of another model
        self.own_labels.setText(", ".join(own) if key == OWN else "")
        if key in self.label.options():
            self.label.set_value(key)

    def _show_what_counts(self) -> None:
        """Controls that would do nothing with the present choice are hidden or disabled."""
        sampler = self.sampler.value()
        by_hand = self.spacing.value() == "hand"
        from_picture = self.start.value() == "picture"
        is_dynamic = self.clip.value() == "dynamic"
        self.eta.setVisible(sampler == "ddim")
        self.variance.setVisible(sampler == "ddpm")
        self.percentile.setVisible(is_dynamic)
        self.limit.setVisible(is_dynamic)
        self.hand.setVisible(by_hand)
        self.steps.setEnabled(not by_hand)
        self.own_labels.setVisible(self.label.value() == OWN)
        has_null = self._model is not None and self._model.null_label is not None
        self.label.setEnabled(self._model is not None and bool(self._model.labels))
        self.guidance.setEnabled(has_null)
        adds_label = has_null and self.guidance.value() not in (0, -1)
        for slider in (self.first, self.last):
            slider.setEnabled(adds_label or self.classifier.info is not None)
        self.rescale.setEnabled(adds_label)
        self.classifier.set_is_ancestral(sampler == "ddpm")
        self.start_t.setVisible(from_picture)
        self.temperature.setVisible(not from_picture)
        self.conversion.setVisible(from_picture)
        show_scale(self.guidance)
        steps = int(self.steps.value())
        asked = evaluations(sampler, steps)
        self.steps.set_ends("fast", "1 evaluation" if asked == 1 else f"{asked} evaluations")

    def entries(self) -> dict[str, Entry]:
        """What can be set here."""
        touched = Entry("", lambda: self._touched, self._recall_touched, is_view=True)
        return entries_of(self, shared=("seed",)) | self.classifier.entries() | {"own_sampler": touched}

    def settle(self) -> None:
        """The controls have been set without a word: show what counts now, and tell."""
        if self.spacing.value() != "hand":
            self._spaced = cast(SpacingName, self.spacing.value())
        self._choose()

    def _recall_touched(self, touched: object) -> None:
        self._touched = touched is True

    @Slot(str)
    def _spell_out(self, spacing: SpacingName) -> None:
        """By hand one begins with the timesteps that were visited so far."""
        if spacing != "hand":
            self._spaced = spacing
        elif self._model is not None and not self.hand.text():
            timesteps = model_timesteps(self._model, int(self.steps.value()), self._spaced)
            self.hand.setText(", ".join(map(str, timesteps)))
            self.hand.setCursorPosition(0)

    @Slot(float)
    def _push_last(self, first: float) -> None:
        """Guidance begins at the larger t: one end of its interval takes the other along."""
        self.last.set_value(min(first, self.last.value()))

    @Slot(float)
    def _push_first(self, last: float) -> None:
        self.first.set_value(max(last, self.first.value()))

    @Slot()
    def _choose(self) -> None:
        self._show_what_counts()
        self.changed.emit()

    @Slot()
    def _touch(self) -> None:
        self._touched = True

    @Slot(int)
    def _seed(self, seed: int) -> None:
        self.seed_changed.emit(seed)
        self.changed.emit()


def _possible(sampler: SamplerSpec, model: ModelInfo) -> SamplerSpec:
    """The sampler with a variance that this model has."""
    has_it = sampler.variance != "learned" or model.variance != "fixed"
    return sampler if has_it else replace(sampler, variance="small")


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
