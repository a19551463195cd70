"""The controls that Denoise, Invert and Morph have in common: the same term, range and colour wherever it is met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from app.theme import GRID
from app.widgets.controls import Choice, MoreSection, ValueSlider

SAMPLERS = {"ddim": "DDIM", "ddpm": "DDPM"}
SPACINGS = {
    "leading": "leading",
    "linspace": "linspace",
    "trailing": "trailing",
    "quadratic": "quadratic (to 0.8 T)",
    "quadratic_full": "quadratic (to T−1)",
    "log_snr": "even in log-SNR",
}
CLIPS = {"none": "none", "clamp": "clamp x₀", "rederive": "clamp x₀, re-derive ε"}
VARIANCES = {"small": "small: posterior", "large": "large: β"}
PRECISIONS = {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16"}
CONVENTIONS = {"diffusers": "diffusers", "openai": "OpenAI"}
COLUMNS = 3


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
        f"DDPM: ancestral, {of_ddpm} (Ho et al. 2020, algorithm 2).",
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
    return stack


def lay_out(
    panel: QWidget, basic: Sequence[QWidget], more: MoreSection, rows: Sequence[Sequence[QWidget]]
) -> QGridLayout:
    """The basic controls side by side, the others folded under them in rows of three, of which a lone last one takes
    all the width; the grid, for what shares a place."""
    beside = QHBoxLayout()
    beside.setSpacing(2 * GRID)
    for widget in basic:
        beside.addWidget(widget, 1)
    folded = QWidget()
    grid = QGridLayout(folded)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(2 * GRID)
    grid.setVerticalSpacing(GRID)
    for row, widgets in enumerate(rows):
        for column, widget in enumerate(widgets):
            grid.addWidget(widget, row, column, 1, COLUMNS if len(widgets) == 1 else 1)
    for column in range(COLUMNS):
        grid.setColumnStretch(column, 1)
    more.add(folded)
    column_layout = QVBoxLayout(panel)
    column_layout.setContentsMargins(0, 0, 0, 0)
    column_layout.setSpacing(GRID // 2)
    column_layout.addLayout(beside)
    column_layout.addWidget(more)
    return grid
