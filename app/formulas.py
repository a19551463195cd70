r"""Formulas and algorithms as data: LaTeX, the numbers they take, and the paper they come from.

``\textcolor{role}{...}`` gives a part a role: a quantity of theme.QUANTITIES gives it that quantity's colour; the
name of a number (see ``Formula.numbers``) marks the coefficient under which that number is printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.requests import SamplerName


@dataclass(frozen=True, slots=True)
class Formula:
    """One formula. ``numbers`` are the roles under which live numbers are printed, from left to right."""

    name: str
    latex: str
    numbers: tuple[str, ...]
    paper: str


@dataclass(frozen=True, slots=True)
class Listing:
    r"""An algorithm; line 1 is the paper's line 1. Mathematics stands between dollar signs, indentation is kept."""

    title: str
    lines: tuple[str, ...]
    paper: str


_X_T = r"\textcolor{x_t}{x_t}"
_X_PREV = r"\textcolor{x_t}{x_{t-1}}"
_X_0 = r"\textcolor{x_0}{x_0}"
_X0_HAT = r"\textcolor{x_0}{\hat{x}_0}"
_EPS = r"\textcolor{eps}{\epsilon}"
_EPS_HAT = r"\textcolor{eps}{\hat{\epsilon}}"
_EPS_THETA = r"\textcolor{eps}{\epsilon_\theta}"
_Z = r"\textcolor{eps}{z}"
_AB = r"\textcolor{alpha_bar}{\bar{\alpha}_t}"
_AB_PREV = r"\textcolor{alpha_bar}{\bar{\alpha}_{t-1}}"
_X_S = r"\textcolor{x_t}{x_s}"
_AB_S = r"\textcolor{alpha_bar}{\bar{\alpha}_s}"

FORWARD = Formula(
    "Forward process",
    rf"{_X_T} = \textcolor{{alpha}}{{\sqrt{{{_AB}}}}}\,{_X_0} + \textcolor{{sigma}}{{\sqrt{{1 - {_AB}}}}}\,{_EPS}",
    ("alpha", "sigma"),
    "Ho et al. 2020, eq. 4",
)
X0_HAT = Formula(
    "The picture the network sees",
    rf"{_X0_HAT} = \left({_X_T} - \textcolor{{sigma}}{{\sqrt{{1 - {_AB}}}}}\,{_EPS_HAT}\right) / "
    rf"\textcolor{{alpha}}{{\sqrt{{{_AB}}}}}",
    ("sigma", "alpha"),
    "Ho et al. 2020, eq. 15",
)
SCORE = Formula(
    "Score",
    rf"\textcolor{{score}}{{\nabla \log q({_X_T})}} \approx -{_EPS_HAT} / \textcolor{{sigma}}{{\sqrt{{1 - {_AB}}}}}",
    ("sigma",),
    "Song et al. 2021, section 2",
)
DDIM_STEP = Formula(
    "DDIM step",
    rf"{_X_PREV} = \textcolor{{to_x0}}{{\sqrt{{{_AB_PREV}}}}}\,{_X0_HAT}"
    rf" + \textcolor{{to_eps}}{{\sqrt{{1 - {_AB_PREV} - \sigma_t^2}}}}\,{_EPS_HAT}"
    rf" + \textcolor{{to_z}}{{\sigma_t}}\,{_Z}",
    ("to_x0", "to_eps", "to_z"),
    "Song et al. 2021 (DDIM), eq. 12",
)
DDPM_STEP = Formula(
    "DDPM step",
    rf"{_X_PREV} = \textcolor{{to_x0}}{{\frac{{\sqrt{{{_AB_PREV}}}\,\beta_t}}{{1 - {_AB}}}}}\,{_X0_HAT}"
    rf" + \textcolor{{to_x_t}}{{\frac{{\sqrt{{\alpha_t}}\,(1 - {_AB_PREV})}}{{1 - {_AB}}}}}\,{_X_T}"
    rf" + \textcolor{{to_z}}{{\sigma_t}}\,{_Z}",
    ("to_x0", "to_x_t", "to_z"),
    "Ho et al. 2020, eq. 7",
)
DDIM_INVERSION = Formula(
    "DDIM inversion step",
    rf"{_X_T} = \textcolor{{to_x0}}{{\sqrt{{{_AB}}}}}\,{_X0_HAT}"
    rf" + \textcolor{{to_eps}}{{\sqrt{{1 - {_AB}}}}}\,{_EPS_HAT}({_X_S})\,,\; s < t",
    ("to_x0", "to_eps"),
    "Song et al. 2021 (DDIM), section 4.3: eq. 12 with eta = 0, taken upwards",
)
GUIDANCE = Formula(
    "Classifier-free guidance",
    rf"{_EPS_HAT} = \textcolor{{conditional}}{{(1 + w)}}\,{_EPS_THETA}({_X_T}, c)"
    rf" - \textcolor{{unconditional}}{{w}}\,{_EPS_THETA}({_X_T})",
    ("conditional", "unconditional"),
    "Ho & Salimans 2022, eq. 6",
)
_TILDE_T, _TILDE_PREV = r"\tilde{\sigma}_t", r"\tilde{\sigma}_{t-1}"
HEUN_STEP = Formula(
    "Heun step",
    rf"{_X_PREV} = \textcolor{{to_x_t}}{{\sqrt{{\frac{{{_AB_PREV}}}{{{_AB}}}}}}}\,{_X_T}"
    rf" + \textcolor{{to_eps}}{{\sqrt{{{_AB_PREV}}}\,({_TILDE_PREV} - {_TILDE_T})}}"
    rf"\,\frac{{{_EPS_HAT}_t + {_EPS_HAT}_{{t-1}}}}{{2}}",
    ("to_x_t", "to_eps"),
    "Karras et al. 2022, algorithm 1 without churn, on x / √ᾱ with σ̃ = √(1 − ᾱ) / √ᾱ; the last step is Euler's",
)
DPMPP_STEP = Formula(
    "DPM-Solver++ step",
    rf"{_X_PREV} = \textcolor{{to_x_t}}{{\frac{{\sigma_{{t-1}}}}{{\sigma_t}}}}\,{_X_T}"
    rf" + \textcolor{{to_x0}}{{\sqrt{{{_AB_PREV}}}\,(1 - e^{{-h}})}}"
    rf"\left(\textcolor{{now}}{{\left(1 + \frac{{1}}{{2r}}\right)}}\,{_X0_HAT}"
    rf" - \textcolor{{before}}{{\frac{{1}}{{2r}}}}\,\textcolor{{x_0}}{{\hat{{x}}_0^+}}\right)",
    ("to_x_t", "to_x0", "now", "before"),
    "Lu et al. 2022 (DPM-Solver++), algorithm 2: h is the step in half log-SNR, r the one before it over h, x̂₀⁺ what "
    "was seen one step before; the first step and the one to the data are of first order",
)
DDPM_LEARNED_STEP = Formula(
    "DDPM step with a learned variance",
    rf"{_X_PREV} = \textcolor{{to_x0}}{{\frac{{\sqrt{{{_AB_PREV}}}\,\beta_t}}{{1 - {_AB}}}}}\,{_X0_HAT}"
    rf" + \textcolor{{to_x_t}}{{\frac{{\sqrt{{\alpha_t}}\,(1 - {_AB_PREV})}}{{1 - {_AB}}}}}\,{_X_T}"
    rf" + \Sigma_\theta^{{1/2}}\,{_Z}",
    ("to_x0", "to_x_t"),
    "Ho et al. 2020, eq. 7; Σ_θ: Nichol & Dhariwal 2021, eq. 15, a variance for each pixel",
)
FORMULAS = (
    FORWARD,
    X0_HAT,
    SCORE,
    DDIM_STEP,
    DDPM_STEP,
    DDPM_LEARNED_STEP,
    HEUN_STEP,
    DPMPP_STEP,
    DDIM_INVERSION,
    GUIDANCE,
)

TRAINING = Listing(
    "Algorithm 1  Training",
    (
        "repeat",
        rf"  ${_X_0} \sim q({_X_0})$",
        r"  $\textcolor{t}{t} \sim$ Uniform$(\{0, \ldots, T-1\})$",
        rf"  ${_EPS} \sim \mathcal{{N}}(0, I)$",
        rf"  descend $\nabla_\theta \|{_EPS} - {_EPS_THETA}(\sqrt{{{_AB}}}\,{_X_0} + \sqrt{{1 - {_AB}}}\,{_EPS},"
        r" \textcolor{t}{t})\|^2$",
        "until converged",
    ),
    "Ho et al. 2020, Algorithm 1",
)
_START = r"$\textcolor{x_t}{x_T} \sim \mathcal{N}(0, I)$"
_LOOP = r"for $\textcolor{t}{t}$ in the timesteps, falling, do"
_ASKED = rf"{_EPS_THETA}({_X_T}, \textcolor{{t}}{{t}})"
_GRADIENT = rf"\textcolor{{score}}{{\nabla \log p(y \mid {_X_T})}}"
_LOOK = rf"  ${_EPS_HAT} = {_ASKED}$"
_SEE = rf"  ${_X0_HAT} = ({_X_T} - \sqrt{{1 - {_AB}}}\,{_EPS_HAT}) / \sqrt{{{_AB}}}$"
_GUIDE = rf"  ${_EPS_HAT} = (1 + w)\,{_EPS_THETA}({_X_T}, c) - w\,{_EPS_THETA}({_X_T})$"
_SHIFT = rf"  ${_EPS_HAT} \leftarrow {_EPS_HAT} - s \sqrt{{1 - {_AB}}}\,{_GRADIENT}$"
_END = ("end for", rf"return ${_X_0}$")
_EULER = (
    rf"${_X_PREV} = \sqrt{{{_AB_PREV}}} \left({_X_T} / \sqrt{{{_AB}}} + ({_TILDE_PREV} - {_TILDE_T})\,"
    rf"{_EPS_HAT}\right)$"
)
_MEAN_OF_BOTH = rf"${_EPS_HAT} \leftarrow ({_EPS_HAT} + {_EPS_THETA}({_X_PREV}, \textcolor{{t}}{{t-1}}))/2$"


def sampling(sampler: SamplerName, guided: bool = False, classifier: bool = False) -> Listing:
    """The walk down, with the lines of classifier-free guidance and of a classifier's where they work."""
    shift = (_SHIFT,) if classifier else ()
    look = (_GUIDE if guided else _LOOK, *shift)
    if sampler == "ddpm":
        guide = (_GUIDE,) if guided else ()
        eps = _EPS_HAT if guided else _ASKED
        mean = (
            rf"\frac{{1}}{{\sqrt{{\alpha_t}}}}\left({_X_T} - "
            rf"\frac{{1 - \alpha_t}}{{\sqrt{{1 - {_AB}}}}}{eps}\right)"
        )
        shifted = (rf"  $\mu = {mean}$", rf"  ${_X_PREV} = \mu + s\,\sigma_t^2 {_GRADIENT} + \sigma_t {_Z}$")
        return Listing(
            "Algorithm 2  Sampling (DDPM)",
            (
                _START,
                r"for $\textcolor{t}{t} = T-1, \ldots, 0$ do",
                *guide,
                rf"  ${_Z} \sim \mathcal{{N}}(0, I)$ if $\textcolor{{t}}{{t}} > 0$, else ${_Z} = 0$",
                *(shifted if classifier else (rf"  ${_X_PREV} = {mean} + \sigma_t {_Z}$",)),
                *_END,
            ),
            "Ho et al. 2020, Algorithm 2" + ("; Dhariwal & Nichol 2021, algorithm 1" if classifier else ""),
        )
    if sampler == "heun":
        update = (f"  {_EULER}", f"  but for the last: {_MEAN_OF_BOTH}", f"    and again {_EULER}")
        return Listing(
            "Sampling (Heun)", (_START, _LOOP, *look, *update, *_END), "Karras et al. 2022, algorithm 1 without churn"
        )
    if sampler == "dpmpp":
        combined = rf"  $D = (1 + \frac{{1}}{{2r}})\,{_X0_HAT} - \frac{{1}}{{2r}}\,\textcolor{{x_0}}{{\hat{{x}}_0^+}}$"
        step = rf"  ${_X_PREV} = \frac{{\sigma_{{t-1}}}}{{\sigma_t}}{_X_T} + \sqrt{{{_AB_PREV}}}\,(1 - e^{{-h}})\,D$"
        return Listing(
            "Sampling (DPM-Solver++ 2M)",
            (_START, _LOOP, *look, _SEE, combined, step, *_END),
            "Lu et al. 2022 (DPM-Solver++), algorithm 2",
        )
    step = (
        rf"  ${_X_PREV} = \sqrt{{{_AB_PREV}}}\,{_X0_HAT} + \sqrt{{1 - {_AB_PREV} - \sigma_t^2}}\,{_EPS_HAT}"
        rf" + \sigma_t {_Z}$"
    )
    return Listing("Sampling (DDIM)", (_START, _LOOP, *look, _SEE, step, *_END), "Song et al. 2021 (DDIM), eq. 12")


SAMPLING, SAMPLING_DDIM = sampling("ddpm"), sampling("ddim")

ALGORITHM_1 = TRAINING.title, TRAINING.lines
ALGORITHM_2 = SAMPLING.title, SAMPLING.lines
ALGORITHM_DDIM = SAMPLING_DDIM.title, SAMPLING_DDIM.lines

_A, _B = r"\textcolor{x_t}{x_T^A}", r"\textcolor{x_t}{x_T^B}"
_MIXED = r"\textcolor{x_t}{x_T^\lambda}"
_NOISED_A, _NOISED_B = r"\textcolor{x_t}{x_t^A}", r"\textcolor{x_t}{x_t^B}"

MIX_SLERP = Formula(
    "Spherical interpolation",
    rf"\frac{{{_MIXED}}}{{\|{_MIXED}\|}} = \textcolor{{to_a}}{{\frac{{\sin((1-\lambda)\theta)}}{{\sin\theta}}}}"
    rf"\,\frac{{{_A}}}{{\|{_A}\|}}"
    rf" + \textcolor{{to_b}}{{\frac{{\sin(\lambda\theta)}}{{\sin\theta}}}}\,\frac{{{_B}}}{{\|{_B}\|}}",
    ("to_a", "to_b"),
    "Song et al. 2021 (DDIM), appendix D.5; Shoemake 1985. The norm goes evenly from one to the other.",
)
MIX_LERP = Formula(
    "Linear interpolation",
    rf"{_MIXED} = \textcolor{{to_a}}{{(1-\lambda)}}\,{_A} + \textcolor{{to_b}}{{\lambda}}\,{_B}",
    ("to_a", "to_b"),
    "Half-way between independent noises the norm is 1/√2 of theirs: no noise that the network knows.",
)
MIX_DDPM = Formula(
    "DDPM's interpolation",
    rf"\textcolor{{x_t}}{{\bar{{x}}_t}} = \textcolor{{to_a}}{{(1-\lambda)}}\,{_NOISED_A}"
    rf" + \textcolor{{to_b}}{{\lambda}}\,{_NOISED_B}",
    ("to_a", "to_b"),
    "Ho et al. 2020, section 4.3: both noised with the same ε",
)
MORPH_LATENT = Listing(
    "Interpolation of latents",
    (
        rf"${_A}, {_B}$: pictures inverted, seeds drawn",
        r"for $\lambda = 0, 1, \frac{1}{2}, \frac{1}{4}, \ldots$ do",
        rf"  ${_MIXED} = $ mix$({_A}, {_B}; \lambda)$",
        r"  for $\textcolor{t}{t}$ in the timesteps, falling, do",
        rf"    ${_X_PREV} = $ step$({_X_T}, {_EPS_THETA}({_X_T}, \textcolor{{t}}{{t}}))$",
        "  end for",
        rf"  frame $\lambda$ = ${_X_0}$",
        "end for",
    ),
    "Song et al. 2021 (DDIM), section 5.3",
)
MORPH_DDPM = Listing(
    "Interpolation of noised pictures",
    (
        rf"${_EPS} \sim \mathcal{{N}}(0, I)$",
        rf"${_NOISED_A}, {_NOISED_B} = \sqrt{{{_AB}}}\,{_X_0} + \sqrt{{1 - {_AB}}}\,{_EPS}$ of A, B",
        r"for $\lambda = 0, 1, \frac{1}{2}, \frac{1}{4}, \ldots$ do",
        rf"  $\textcolor{{x_t}}{{\bar{{x}}_t}} = (1-\lambda)\,{_NOISED_A} + \lambda\,{_NOISED_B}$",
        r"  for $\textcolor{t}{s} = \textcolor{t}{t}, \ldots, 0$ do",
        r"    $\textcolor{x_t}{x_{s-1}} \sim p_\theta(\textcolor{x_t}{x_{s-1}} \mid "
        r"\textcolor{x_t}{x_s})$",
        "  end for",
        rf"  frame $\lambda$ = ${_X_0}$",
        "end for",
    ),
    "Ho et al. 2020, section 4.3",
)


def inversion(asked_at: str, refined: bool) -> Listing:
    """The walk up. ``asked_at`` is the time the network is told about x_s: "t", the target's, or "s", its own."""
    correction = rf"\sqrt{{{_AB} / {_AB_S}}}\,({_X_S} - \mathrm{{down}}({_X_T}))"
    refinement = (rf"  ${_X_T} \leftarrow {_X_T} + {correction}$, repeated",)
    return Listing(
        "DDIM inversion, refined" if refined else "DDIM inversion",
        (
            rf"${_X_S} = {_X_0}$, the picture",
            r"for $\textcolor{t}{t}$ in the timesteps, rising, do",
            rf"  ${_EPS_HAT} = {_EPS_THETA}({_X_S}, \textcolor{{t}}{{{asked_at}}})$",
            rf"  ${_X0_HAT} = ({_X_S} - \sqrt{{1 - {_AB_S}}}\,{_EPS_HAT}) / \sqrt{{{_AB_S}}}$",
            rf"  ${_X_T} = \sqrt{{{_AB}}}\,{_X0_HAT} + \sqrt{{1 - {_AB}}}\,{_EPS_HAT}$",
            *(refinement if refined else ()),
            "end for",
            r"return $\textcolor{x_t}{x_T}$, the latent",
        ),
        "Song et al. 2021 (DDIM), section 4.3" + ("; Pan et al. 2023, section 3" if refined else ""),
    )
