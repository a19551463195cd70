r"""The mathematics beside a measurement."""

from __future__ import annotations

from app.formulas import Formula
from app.stages.measure_kinds import KindName
from core.measure_requests import MetricName

_X_T = r"\textcolor{x_t}{x_t}"
_X_PREV = r"\textcolor{x_t}{x_{t-1}}"
_X_0 = r"\textcolor{x_0}{x_0}"
_X0_HAT = r"\textcolor{x_0}{\hat{x}_0}"
_EPS = r"\textcolor{eps}{\epsilon}"
_EPS_HAT = r"\textcolor{eps}{\hat{\epsilon}}"

BOUND = Formula("The bound", r"L = L_T + \textstyle\sum_{t=1}^{T-1} L_t + L_0", (), "Ho et al. 2020, eq. 5")
TERM = Formula(
    "A term of the bound",
    rf"L_t = \mathrm{{KL}}\left(q({_X_PREV} \mid {_X_T}, {_X_0}) \,\|\, p_\theta({_X_PREV} \mid {_X_T})\right)",
    (),
    "Ho et al. 2020, eq. 5",
)
ERROR = Formula(
    "Error of the noise",
    rf"\mathrm{{E}}\,\left\|{_EPS} - {_EPS_HAT}({_X_T}, t)\right\|^2",
    (),
    "Ho et al. 2020, eq. 14",
)
DISTORTION = Formula(
    "Distortion",
    rf"\sqrt{{\mathrm{{E}}\,\left\|{_X_0} - {_X0_HAT}({_X_T})\right\|^2}}",
    (),
    "Ho et al. 2020, section 4.3",
)
RATE = Formula("Rate", r"L_T + \textstyle\sum_{s>t} L_s", (), "Ho et al. 2020, section 4.3")
FRECHET = Formula(
    "Fréchet distance",
    r"|\mu_1 - \mu_2|^2 + \mathrm{tr}\left(C_1 + C_2 - 2 (C_1 C_2)^{1/2}\right)",
    (),
    "Heusel et al. 2017, eq. 6",
)
KERNEL = Formula(
    "Kernel distance",
    r"\mathrm{E}\,k(x, x') + \mathrm{E}\,k(y, y') - 2\,\mathrm{E}\,k(x, y)",
    (),
    "Bińkowski et al. 2018, eq. 2: k(x, y) = (x·y / d + 1)³, x of samples, y of pictures",
)
GUIDED = Formula(
    "Guidance",
    rf"{_EPS_HAT} = (1 + w)\,{_EPS_HAT}_c - w\,{_EPS_HAT}_u",
    (),
    "Ho & Salimans 2022, eq. 6",
)
POSTERIOR = Formula(
    "What is shared", rf"p_\theta({_X_0} \mid {_X_T})", (), "Ho et al. 2020, section 4.3: samples of it are the rows"
)

NEAREST = Formula(
    "Distance to the nearest",
    r"d(x) = \min_i \|x - \textcolor{x_0}{x_0}^{(i)}\|",
    (),
    "Meehan et al. 2020: for samples, and for pictures that were not trained on",
)

FORMULAS = (BOUND, TERM, ERROR, DISTORTION, RATE, FRECHET, KERNEL, GUIDED, POSTERIOR, NEAREST)


def formula_of(kind: KindName, view: str, metric: MetricName = "kernel") -> Formula:
    """What is beside a plot of this kind of measurement."""
    if kind == "likelihood":
        return {"terms": TERM, "mse": ERROR, "distortion": DISTORTION, "rate": RATE}.get(view, BOUND)
    return {"coarse": POSTERIOR, "fidelity": GUIDED, "nearest": NEAREST}.get(
        kind, KERNEL if metric == "kernel" else FRECHET
    )
