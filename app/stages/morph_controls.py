"""What can be chosen in Morph. The controls hold one ``MorphSettings``; they know nothing of end points and runs."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.mementos import Entry, entries_of
from app.stages.morph_settings import MorphSettings
from app.stages.sampling_controls import (
    SPACINGS,
    clip_choice,
    convention_choice,
    eta_slider,
    guidance_slider,
    lay_out,
    precision_choice,
    refinement_slider,
    sampler_choice,
    show_scale,
    spacing_choice,
    stacked,
    steps_slider,
    timestep_slider,
)
from app.widgets.controls import Choice, MoreSection, SeedBox, ValueSlider
from app.widgets.conversion import ConversionBox
from core.messages import ModelInfo
from core.requests import (
    ClipPolicy,
    InversionConvention,
    MixName,
    MorphLayout,
    Precision,
    SamplerName,
    SpacingName,
)

SHEET = "sheet"
MIXES = {"slerp": "slerp", "lerp": "lerp", "ddpm": "DDPM at t", SHEET: "DDPM, t × λ"}
LAYOUTS = {"edges": "along the edges", "grid": "grid of four"}
AUTO = "auto"


class MorphControls(QWidget):
    """Signals: ``changed()`` after the person changed anything that a request is made of."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._has_grid = self._inverts = self._guides = False
        self._make_basic()
        self._make_more()
        self._lay_out()
        for choice in self._choices():
            choice.value_changed.connect(self._change)
        for slider in self._sliders():
            slider.value_changed.connect(self._change)
        self.seed.seed_changed.connect(self._change)
        self.mix.value_changed.connect(self._sampler_of_mix)
        self._show_what_counts()

    def _make_basic(self) -> None:
        self.mix = Choice(
            "Mix",
            MIXES,
            tooltip="How latents are mixed.\n"
            "slerp: along the sphere on which noise lies (DDIM, appendix D.5); lerp: straight through it.\n"
            "DDPM at t: both pictures noised to t with the same ε, mixed linearly, denoised (DDPM, section 4.3);\n"
            "t × λ: the same for nine t at once (DDPM, figure 9).",
        )
        defaults = MorphSettings()
        self.frames = ValueSlider(
            "Frames",
            2,
            33,
            defaults.frames,
            ends=("coarse", "smooth"),
            tooltip="From each end point to the next, both counted. The middle is made first, then the quarters.",
        )
        self.steps = steps_slider(
            defaults.steps,
            "How many of the T timesteps each way visits, up and down (DDIM, section 4.2).\n"
            "With few the inversion is coarse, and the end points come back changed.",
        )
        self.t = timestep_slider(
            "t",
            defaults.t,
            ("pixels mixed", "new pictures"),
            "Where the pictures are mixed: near 0 they shine through each other,\n"
            "near T the network draws new ones (DDPM, figure 9).",
        )

    def _make_more(self) -> None:
        self.layout_choice = Choice(
            "Layout",
            LAYOUTS,
            tooltip="From end point to end point and back to A, or everything between four corners:\n"
            "a slerp of slerps (DDIM, figure 6).",
        )
        self.sampler = sampler_choice("every frame gets the same noise")
        self.eta = eta_slider("noise, the same for every frame,")
        self.spacing = spacing_choice()
        self.guidance = guidance_slider(0, "It holds on both ways; above 0 the way up is harder to walk back.")
        self.convention = convention_choice()
        self.refinements = refinement_slider(", and the end points come back nearer to themselves")
        self.clip = clip_choice(
            "Where a picture is inverted it is not: clipping cannot be walked back.",
            more={AUTO: "as the end points need"},
        )
        self.precision = precision_choice("; below float32 an inversion loses its way by about 1 % a step.")
        self.batch = ValueSlider("Batch", 1, 64, 8, tooltip="How many frames are denoised together.")
        self.seed = SeedBox(
            lockable=False,
            tooltip="The noise ε of DDPM's interpolation, the same for all end points, and that of each step.",
        )
        self.conversion = ConversionBox()
        self.more = MoreSection("More")

    def _choices(self) -> tuple[Choice, ...]:
        return (
            *(self.mix, self.layout_choice, self.sampler, self.spacing, self.convention),
            *(self.clip, self.precision),
        )

    def _sliders(self) -> tuple[ValueSlider, ...]:
        return (self.frames, self.steps, self.t, self.eta, self.guidance, self.refinements, self.batch)

    def _lay_out(self) -> None:
        rows = (
            (self.layout_choice, self.sampler, self.spacing),
            (self.clip, self.precision, self.convention),
            (self.guidance, self.eta, self.refinements),
            (self.batch, self.seed),
            (self.conversion,),
        )
        lay_out(self, (stacked(self.mix), self.t, self.frames, self.steps), self.more, rows)

    @property
    def is_sheet(self) -> bool:
        """Whether nine t are asked for instead of one."""
        return self.mix.value() == SHEET

    def set_model(self, model: ModelInfo | None) -> None:
        """Offer what this model has."""
        if model is None:
            return
        self.steps.set_range(1, model.schedule.T)
        self.t.set_range(0, model.schedule.T - 1)
        self._guides = model.null_label is not None
        with QSignalBlocker(self.spacing):
            self.spacing.set_value(model.spacing if model.spacing in SPACINGS else "leading")
        self._show_what_counts()

    def set_ends(self, count: int, pictures: int) -> None:
        """How many end points there are, and how many of them pictures."""
        self._has_grid, self._inverts = count == 4, pictures > 0
        if not self._has_grid and self.layout_choice.value() == "grid":
            with QSignalBlocker(self.layout_choice):
                self.layout_choice.set_value("edges")
        self._show_what_counts()

    def settings(self) -> MorphSettings:
        clip = self.clip.value()
        return MorphSettings(
            mix=cast(MixName, "ddpm" if self.is_sheet else self.mix.value()),
            frames=int(self.frames.value()),
            steps=int(self.steps.value()),
            t=int(self.t.value()),
            layout=cast(MorphLayout, self.layout_choice.value()),
            sampler=cast(SamplerName, self.sampler.value()),
            eta=self.eta.value(),
            spacing=cast(SpacingName, self.spacing.value()),
            guidance=self.guidance.value(),
            convention=cast(InversionConvention, self.convention.value()),
            refinements=int(self.refinements.value()),
            seed=self.seed.seed(),
            clip=None if clip == AUTO else cast(ClipPolicy, clip),
            precision=cast(Precision, self.precision.value()),
            batch=int(self.batch.value()),
        )

    def set_settings(self, settings: MorphSettings, *, is_sheet: bool = False) -> None:
        """Show settings, those of a morph in the history for example, without a signal."""
        blocked = [QSignalBlocker(widget) for widget in (*self._choices(), *self._sliders(), self.seed)]
        self.mix.set_value(SHEET if is_sheet else settings.mix)
        self.frames.set_value(settings.frames)
        self.steps.set_value(settings.steps)
        self.t.set_value(settings.t)
        self.layout_choice.set_value(settings.layout)
        self.sampler.set_value(settings.sampler)
        self.eta.set_value(settings.eta)
        self.spacing.set_value(settings.spacing if settings.spacing in SPACINGS else "leading")
        self.guidance.set_value(settings.guidance)
        self.convention.set_value(settings.convention)
        self.refinements.set_value(settings.refinements)
        self.seed.set_seed(settings.seed)
        self.clip.set_value(settings.clip or AUTO)
        self.precision.set_value(settings.precision)
        self.batch.set_value(settings.batch)
        del blocked
        self._show_what_counts()

    def entries(self) -> dict[str, Entry]:
        """What can be set here."""
        return entries_of(self, shared=("seed",))

    def settle(self) -> None:
        """The controls have been set without a word: show what counts now, and tell."""
        self._change()

    def _show_what_counts(self) -> None:
        """Controls that would do nothing with the present choice are hidden or disabled."""
        ddpm = self.mix.value() in ("ddpm", SHEET)
        self.t.setVisible(self.mix.value() == "ddpm")
        self.layout_choice.setEnabled(self._has_grid and not self.is_sheet)
        self.eta.setEnabled(self.sampler.value() == "ddim")
        self.convention.setEnabled(self._inverts and not ddpm)
        self.refinements.setEnabled(self._inverts and not ddpm)
        self.guidance.setEnabled(self._guides)
        show_scale(self.guidance)
        draws = self.sampler.value() == "ddpm" or self.eta.value() > 0
        self.seed.setEnabled(ddpm or draws)

    @Slot(str)
    def _sampler_of_mix(self, mix: str) -> None:
        """Each way of mixing comes from a paper with a sampler of its own; another can be chosen afterwards."""
        wanted = "ddpm" if mix in ("ddpm", SHEET) else "ddim"
        if self.sampler.value() != wanted:
            self.sampler.set_value(wanted)

    @Slot()
    def _change(self) -> None:
        self._show_what_counts()
        self.changed.emit()
