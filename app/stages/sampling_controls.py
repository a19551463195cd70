"""The controls that Denoise, Invert and Morph have in common: the same term, range and colour wherever it is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.theme import GRID
from app.widgets.controls import Choice, MoreSection, ValueSlider, align

SAMPLERS = {"ddim": "DDIM", "ddpm": "DDPM", "heun": "Heun", "dpmpp": "DPM-Solver++"}
SPACINGS = {
    "leading": "leading",
    "linspace": "linspace",
    "trailing": "trailing",
    "quadratic": "quadratic (to 0.8 T)",
    "quadratic_full": "quadratic (to T−1)",
    "log_snr": "even in log-SNR",
}
CLIPS = {
    "none": "none",
    "clamp": "clamp x₀",
    "rederive": "clamp x₀, re-derive ε",
    "dynamic": "dynamic: percentile of |x₀|",
}
VARIANCES = {"small": "small: β̃_t", "large": "large: β_t", "learned": "learned: Σ_θ"}
NOT_LEARNED = "This model has not learned a variance: train one with the objective that does (Nichol & Dhariwal 2021)."
PRECISIONS = {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16"}
CONVENTIONS = {"diffusers": "diffusers", "openai": "OpenAI"}
COLUMNS = 3
NO_LIMIT = 20.0
"""Where the slider of dynamic thresholding's limit says that there is none."""


def guidance_slider(value: float, consequence: str) -> ValueSlider:
    return ValueSlider(
        "Guidance w",
        -1,
        8,
        value,
        step=0.1,
        decimals=1,
        quantity="score",
        tooltip=f"ε̂ = (1 + w) ε̂(x, label) − w ε̂(x, none) (Ho & Salimans 2022, eq. 6).\n{consequence}",
    )


def show_scale(guidance: ValueSlider) -> None:
    """Print what other tools would call the value."""
    guidance.set_ends("label ignored", f"scale 1 + w = {1 + guidance.value():.1f}")


def steps_slider(value: int, meaning: str) -> ValueSlider:
    return ValueSlider("Steps", 1, 1000, value, quantity="x_t", ends=("fast", "faithful"), tooltip=meaning)


def timestep_slider(name: str, value: int, ends: tuple[str, str], meaning: str) -> ValueSlider:
    return ValueSlider(name, 0, 999, value, quantity="t", ends=ends, tooltip=meaning)


def eta_slider(noise: str = "new noise") -> ValueSlider:
    return ValueSlider(
        "η",
        0,
        1,
        0,
        step=0.05,
        decimals=2,
        quantity="eps",
        ends=("deterministic", "as DDPM"),
        tooltip=f"How much {noise} each step down adds: σ_t(η) of DDIM, eq. 16.",
    )


def refinement_slider(consequence: str) -> ValueSlider:
    return ValueSlider(
        "Refinement",
        0,
        5,
        0,
        quantity="x_0",
        ends=("plain", "5 iterations a step"),
        tooltip="Fixed-point iterations a step: x_t moves by what the step down from it misses x_s by, times "
        f"√(ᾱ_t / ᾱ_s)\n(Pan et al. 2023, section 3). Each asks the network once more{consequence}.",
    )


def sampler_choice(of_ddpm: str = "new noise in every step") -> Choice:
    return Choice(
        "Sampler",
        SAMPLERS,
        tooltip="DDIM: deterministic at η = 0, few steps (Song et al. 2021, eq. 12).\n"
        f"DDPM: ancestral, {of_ddpm} (Ho et al. 2020, algorithm 2).\n"
        "Heun: second order on the probability-flow ODE, the network is asked twice a step (Karras et al. 2022, "
        "algorithm 1).\n"
        "DPM-Solver++: second order by remembering the step before, asked once (2M; Lu et al. 2022, algorithm 2).",
    )


def evaluations(sampler: str, steps: int) -> int:
    """How often the network is asked for a batch; Heun's last step is Euler's."""
    return 2 * steps - 1 if sampler == "heun" else steps


def variance_choice() -> Choice:
    return Choice(
        "Variance",
        VARIANCES,
        tooltip="The variance of the noise that each DDPM step adds.\n"
        "Small and large: β̃_t or β_t (Ho et al. 2020, section 3.2). "
        "Learned: between both, by the network, at each pixel (Nichol & Dhariwal 2021, eq. 15).",
    )


def percentile_slider() -> ValueSlider:
    return ValueSlider(
        "Percentile",
        50,
        100,
        99.5,
        step=0.1,
        decimals=1,
        unit="%",
        quantity="x_0",
        ends=("half is held", "the largest too"),
        tooltip="Dynamic thresholding: x̂₀ of each picture is held within s = this percentile of its own |x̂₀|, where "
        "s > 1, and divided by it (Saharia et al. 2022, section 2.3).",
    )


def limit_slider() -> ValueSlider:
    return ValueSlider(
        "Limit of s",
        1,
        NO_LIMIT,
        NO_LIMIT,
        step=0.1,
        decimals=1,
        quantity="x_0",
        ends=("as clamping", "no limit"),
        tooltip=f"Dynamic thresholding: s is at most this; at 1 it is plain clamping, {NO_LIMIT:g} is without limit.",
    )


def interval_sliders() -> tuple[ValueSlider, ValueSlider]:
    """Where guidance begins and where it ends, on the way down."""
    meaning = (
        "Guidance of either kind works from the first to the last of these timesteps alone; at high noise it costs "
        "variety, at low noise it changes little (Kynkäänniemi et al. 2024)."
    )
    first = ValueSlider("Guided from t", 0, 999, 999, quantity="score", ends=("data", "noise"), tooltip=meaning)
    last = ValueSlider("down to t", 0, 999, 0, quantity="score", ends=("data", "noise"), tooltip=meaning)
    return first, last


def rescale_slider() -> ValueSlider:
    return ValueSlider(
        "Rescale",
        0,
        1,
        0,
        step=0.05,
        decimals=2,
        quantity="score",
        ends=("as guided", "as unguided"),
        tooltip="How far each guided prediction goes back to the standard deviation of the conditional one, against "
        "pictures that are too bright (Lin et al. 2024, eqs. 15 and 16).",
    )


def temperature_slider() -> ValueSlider:
    return ValueSlider(
        "Temperature",
        0,
        2,
        1,
        step=0.05,
        decimals=2,
        quantity="x_t",
        ends=("no noise", "twice the noise"),
        tooltip="What the initial noise x_T is multiplied with: below 1 samples vary less, as with truncation in GANs "
        "(compare Dhariwal & Nichol 2021, section 4.3).",
    )


def spacing_choice(more: Mapping[str, str] | None = None) -> Choice:
    return Choice(
        "Spacing",
        {**SPACINGS, **(more or {})},
        tooltip="Which timesteps are visited.\n"
        "Leading and quadratic: DDIM, appendix D.2; trailing: Lin et al. 2023, table 2.",
    )


def clip_choice(consequence: str = "", value: str = "", more: Mapping[str, str] | None = None) -> Choice:
    said = "Whether x̂₀ is held within [−1, 1] in every step, and whether ε̂ is then made to agree with it."
    return Choice("Clip", {**(more or {}), **CLIPS}, value, tooltip=f"{said}\n{consequence}".rstrip())


def precision_choice(consequence: str) -> Choice:
    return Choice("Precision", PRECISIONS, tooltip=f"What the network computes in{consequence}")


def convention_choice() -> Choice:
    return Choice(
        "Convention",
        CONVENTIONS,
        tooltip="Where the network is asked on a step up from s to t. diffusers: about x_s at t, the picture being "
        "clean (ᾱ = 1).\nOpenAI (guided-diffusion): about x_s at s, the picture taken as x at t = 0.",
    )


def stacked(*widgets: QWidget) -> QWidget:
    """One above the other, from the top."""
    stack = QWidget()
    column = QVBoxLayout(stack)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(GRID // 2)
    for widget in widgets:
        column.addWidget(widget)
    column.addStretch(1)
    align(widgets)
    return stack


def rows_of(rows: Sequence[Sequence[QWidget]]) -> tuple[QWidget, QGridLayout]:
    """Controls in rows of three, of which a lone one takes all the width; and the grid, for what shares a place."""
    body = QWidget()
    grid = QGridLayout(body)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(2 * GRID)
    grid.setVerticalSpacing(GRID)
    for row, widgets in enumerate(rows):
        for column, widget in enumerate(widgets):
            grid.addWidget(widget, row, column, 1, COLUMNS if len(widgets) == 1 else 1)
    for together in zip_longest(*(widgets for widgets in rows if len(widgets) > 1)):
        align(together)
    for column in range(COLUMNS):
        grid.setColumnStretch(column, 1)
    return body, grid


def lay_out(
    panel: QWidget, basic: Sequence[QWidget], more: MoreSection, rows: Sequence[Sequence[QWidget]]
) -> QGridLayout:
    """The basic controls side by side, the others folded under them in rows; their grid."""
    folded, grid = rows_of(rows)
    stand_above(panel, basic, more, folded)
    return grid


def stand_above(panel: QWidget, basic: Sequence[QWidget], more: MoreSection, folded: QWidget) -> None:
    """The basic controls side by side, the others folded under them."""
    beside = QHBoxLayout()
    beside.setSpacing(2 * GRID)
    for widget in basic:
        beside.addWidget(widget, 1)
    more.add(folded)
    column = QVBoxLayout(panel)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(GRID // 2)
    column.addLayout(beside)
    column.addWidget(more)
