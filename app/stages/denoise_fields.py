"""The controls of Denoise and where they stand: a few that everybody sees, the others on three pages under More."""

from __future__ import annotations

from PySide6.QtWidgets import QLineEdit, QWidget

from app.stages.classifier_controls import ClassifierControls
from app.stages.denoise_settings import START_T, DenoiseSettings
from app.stages.sampling_controls import (
    clip_choice,
    eta_slider,
    guidance_slider,
    interval_sliders,
    limit_slider,
    percentile_slider,
    precision_choice,
    rescale_slider,
    rows_of,
    sampler_choice,
    spacing_choice,
    stacked,
    stand_above,
    steps_slider,
    temperature_slider,
    timestep_slider,
    variance_choice,
)
from app.widgets.controls import Choice, MoreSection, SeedBox, ValueSlider
from app.widgets.conversion import ConversionBox
from app.widgets.tabs import Tabs

NOBODY = "none"
SAMPLER, GUIDANCE, START = "sampler", "guidance", "start"


class DenoiseFields(QWidget):
    """The widgets alone, with the values they begin with. Attributes: every control; ``more``, ``tabs``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._make_basic()
        self._make_sampling()
        self.first, self.last = interval_sliders()
        self.rescale = rescale_slider()
        self.classifier = ClassifierControls(self)
        self._make_start()
        self.more = MoreSection("More")
        self.tabs = Tabs()
        self._lay_out()

    def _make_basic(self) -> None:
        self.label = Choice(
            "Label", {NOBODY: "none"}, tooltip="The class that the network is asked for: one for all, or one for each."
        )
        self.own_labels = _line(
            "Classes of the samples",
            "one class for each sample, such as 3, 1, 4",
            "Classes separated by commas, dealt out to the samples in turn.",
        )
        self.guidance = guidance_slider(
            DenoiseSettings().guidance, "w = 0 is the plain conditional model; other tools print the scale 1 + w."
        )
        self.sampler = sampler_choice()
        self.steps = steps_slider(
            50,
            "How many of the T timesteps the sampler visits: the dots in the plots (DDIM, section 4.2).\n"
            "Evaluations: how often the network is asked for that; Heun asks twice a step, but for the last.",
        )
        self.seed = SeedBox(tooltip="The seed of the noise: the same seed starts from the same noise everywhere.")

    def _make_sampling(self) -> None:
        self.eta = eta_slider()
        self.variance = variance_choice()
        self.spacing = spacing_choice({"hand": "by hand"})
        self.hand = _line("Timesteps by hand", "900, 600, 300, 0", "Timesteps that fall, separated by commas.")
        self.clip = clip_choice()
        self.percentile, self.limit = percentile_slider(), limit_slider()
        self.precision = precision_choice("; the mathematics around it is always float32 and float64.")

    def _make_start(self) -> None:
        self.count = ValueSlider("Samples", 1, 64, 10, tooltip="How many samples are drawn at once.")
        self.start = Choice(
            "Start from",
            {"noise": "noise", "picture": "my picture"},
            tooltip="Pure noise x_T, or the picture noised to t (Meng et al. 2022, SDEdit).",
        )
        self.start_t = timestep_slider(
            "at t",
            START_T,
            ("t = 0: the picture", "t = T: noise"),
            "How far the picture is noised before it is denoised: what is below t is drawn anew.",
        )
        self.temperature = temperature_slider()
        self.conversion = ConversionBox()

    def _lay_out(self) -> None:
        sampling, _ = rows_of(
            (
                (
                    stacked(self.spacing, self.hand, self.precision),
                    stacked(self.clip, self.percentile),
                    stacked(self.eta, self.variance, self.limit),
                ),
            )
        )
        guide = self.classifier
        guidance, _ = rows_of(
            (
                (
                    stacked(guide.choice, guide.target, guide.at),
                    stacked(guide.scale, self.rescale),
                    stacked(self.first, self.last),
                ),
                (guide.note,),
            )
        )
        start, grid = rows_of(((self.count, stacked(self.start)), (self.conversion,)))
        for only_one in (self.temperature, self.start_t):
            grid.addWidget(only_one, 0, 2)
        self.tabs.add(SAMPLER, "Sampler", sampling, "Which timesteps, how much noise, and how x̂₀ is held in range")
        self.tabs.add(GUIDANCE, "Guidance", guidance, "When guidance works, and a classifier that guides")
        self.tabs.add(START, "Start", start, "How many samples, and what they begin from")
        stand_above(
            self,
            (
                stacked(self.label, self.own_labels, self.sampler, self.seed),
                stacked(self.guidance),
                stacked(self.steps),
            ),
            self.more,
            self.tabs,
        )


def _line(name: str, example: str, tooltip: str) -> QLineEdit:
    edit = QLineEdit()
    edit.setPlaceholderText(example)
    edit.setAccessibleName(name)
    edit.setToolTip(tooltip)
    return edit
