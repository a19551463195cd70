"""What can be chosen in Invert. The controls hold one ``InvertSettings``; they know nothing of runs."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.mementos import Entry, entries_of
from app.stages.invert_settings import EACH, InvertSettings, Method, settings_for
from app.stages.sampling_controls import (
    clip_choice,
    convention_choice,
    eta_slider,
    guidance_slider,
    lay_out,
    precision_choice,
    refinement_slider,
    show_scale,
    spacing_choice,
    stacked,
    steps_slider,
    timestep_slider,
)
from app.widgets.controls import Choice, MoreSection, SeedBox, ValueSlider
from app.widgets.conversion import ConversionBox
from core.messages import ModelInfo
from core.requests import ClipPolicy, InversionConvention, Precision, SpacingName

METHODS = {"invert": "DDIM inversion", "edit": "SDEdit"}
NOBODY, EVERY = "none", "each"


class InvertControls(QWidget):
    """Signals: ``changed()`` after the person changed anything that a request is made of; ``seed_changed(int)``."""

    changed = Signal()
    seed_changed = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model: ModelInfo | None = None
        self._make_basic()
        self._make_more()
        self.conversion = ConversionBox()
        self._lay_out()
        choices = (self.method, self.label, self.convention, self.spacing, self.clip, self.edit_clip, self.precision)
        for choice in choices:
            choice.value_changed.connect(self._change)
        for slider in (self.guidance, self.steps, self.refinements, self.t, self.count, self.eta):
            slider.value_changed.connect(self._change)
        self.seed.seed_changed.connect(self._seed)
        self._show_what_counts()

    def _make_basic(self) -> None:
        self.method = Choice(
            "Method",
            METHODS,
            tooltip="DDIM inversion: the deterministic walk up to the latent, and down again (Song et al. 2021, 4.3).\n"
            "SDEdit: noise to t with ε ∼ N(0, I), then denoise (Meng et al. 2022): the result is new, the gist stays.",
        )
        self.label = Choice(
            "Label",
            {NOBODY: "none"},
            tooltip="The class that the network is asked for, up and down. Another one after the inversion is for "
            "Regenerate;\n“each in turn” makes one result for every class.",
        )
        self.guidance = guidance_slider(
            0, "Inversion is most faithful at w = 0: guidance magnifies the error of each step."
        )
        self.steps = steps_slider(
            50,
            "Steps of each way: the more, the nearer the discrete walk is to the ODE that can be walked back\n"
            "(Song et al. 2021, section 4.3 and table 2).",
        )
        self.t = timestep_slider(
            "Noise to t",
            InvertSettings().t,
            ("t = 0: the picture", "t = T: noise"),
            "x_t = √ᾱ_t x₀ + √(1 − ᾱ_t) ε: how far the picture is noised before it is denoised "
            "(Meng et al. 2022).\nWhat noise has drowned by t is drawn anew, the rest stays.",
        )

    def _make_more(self) -> None:
        self.convention = convention_choice()
        self.refinements = refinement_slider("")
        self.spacing = spacing_choice()
        self.clip = clip_choice("Clipping cannot be walked back: off for inversion.")
        self.edit_clip = clip_choice(value="clamp")
        self.precision = precision_choice(
            ". bfloat16 rounds its answers by about 1 %: no harm to samples, but an inversion stays off by that."
        )
        self.eta = eta_slider()
        self.count = ValueSlider(
            "Results", 1, 64, InvertSettings().count, tooltip="How many results, each with a noise ε of its own."
        )
        self.seed = SeedBox(tooltip="The seed of the noise ε: the same seed gives the same results everywhere.")
        self.more = MoreSection("More")

    def _lay_out(self) -> None:
        rows = (
            (self.convention, self.spacing, self.precision),
            (self.refinements, self.clip),
            (self.conversion,),
        )
        basic = (stacked(self.method, self.label), self.guidance, self.steps, self.t)
        grid = lay_out(self, basic, self.more, rows)
        grid.addWidget(self.seed, 0, 0)  # in the places of what SDEdit does not have
        grid.addWidget(self.eta, 1, 0)
        grid.addWidget(self.edit_clip, 1, 1)
        grid.addWidget(self.count, 1, 2)

    def set_model(self, model: ModelInfo | None) -> None:
        """Offer what this model has."""
        self._model = model
        if model is None:
            return
        before = self.settings()
        with QSignalBlocker(self.label):
            names = {str(index): name for index, name in enumerate(model.labels)}
            none = {NOBODY: "none"} if model.null_label is not None or not names else {}
            self.label.set_options({**none, **names, **({EVERY: "each in turn"} if names else {})})
        self.steps.set_range(1, model.schedule.T)
        self.t.set_range(0, model.schedule.T - 1)
        self.set_settings(settings_for(model, before))

    def settings(self) -> InvertSettings:
        """What the controls say."""
        label = self.label.value()
        return InvertSettings(
            method=cast(Method, self.method.value()),
            steps=int(self.steps.value()),
            spacing=cast(SpacingName, self.spacing.value()),
            label=EACH if label == EVERY else int(label) if label.isdecimal() else None,
            guidance=self.guidance.value(),
            precision=cast(Precision, self.precision.value()),
            convention=cast(InversionConvention, self.convention.value()),
            refinements=int(self.refinements.value()),
            clip=cast(ClipPolicy, self.clip.value()),
            t=int(self.t.value()),
            count=int(self.count.value()),
            seed=self.seed.seed(),
            eta=self.eta.value(),
            edit_clip=cast(ClipPolicy, self.edit_clip.value()),
        )

    def set_settings(self, settings: InvertSettings) -> None:
        """Show settings, those of a run in the history for example, without a signal."""
        widgets = [widget for widget in vars(self).values() if isinstance(widget, (Choice, ValueSlider, SeedBox))]
        blocked = [QSignalBlocker(widget) for widget in widgets]
        key = NOBODY if settings.label is None else EVERY if settings.label == EACH else str(settings.label)
        if key in self.label.options():
            self.label.set_value(key)
        if settings.spacing in self.spacing.options():  # those of a run of the command line may be by hand
            self.spacing.set_value(settings.spacing)
        for name in ("method", "convention", "clip", "edit_clip", "precision"):
            getattr(self, name).set_value(getattr(settings, name))
        for name in ("steps", "guidance", "refinements", "t", "count", "eta"):
            getattr(self, name).set_value(getattr(settings, name))
        self.seed.set_seed(settings.seed)
        del blocked
        self._show_what_counts()

    def entries(self) -> dict[str, Entry]:
        """What can be set here."""
        return entries_of(self, shared=("seed",))

    def settle(self) -> None:
        """The controls have been set without a word: show what counts now, and tell."""
        self._change()

    def set_method(self, method: Method) -> None:
        """Invert, or noise and denoise; without a signal."""
        if method != self.method.value():
            self.set_settings(replace(self.settings(), method=method))

    def _show_what_counts(self) -> None:
        """Controls that would do nothing with the present choice are hidden or disabled."""
        inverts = self.method.value() == "invert"
        of_inversion: tuple[QWidget, ...] = (self.convention, self.refinements, self.clip)
        of_edit: tuple[QWidget, ...] = (self.t, self.eta, self.edit_clip, self.count, self.seed)
        for widget in (*of_inversion, *of_edit):
            widget.setVisible(inverts == (widget in of_inversion))
        model = self._model
        self.label.setEnabled(model is not None and bool(model.labels))
        self.guidance.setEnabled(model is not None and model.null_label is not None)
        show_scale(self.guidance)

    @Slot()
    def _change(self) -> None:
        self._show_what_counts()
        self.changed.emit()

    @Slot(int)
    def _seed(self, seed: int) -> None:
        self.seed_changed.emit(seed)
        self.changed.emit()
