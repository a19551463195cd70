"""The mathematics beside a training: the loss of what the network predicts, and DDPM's Algorithm 1 with it."""

from __future__ import annotations

from collections.abc import Mapping

from app.formulas import TRAINING, Formula, Listing
from core.requests import PredictionKind

_SEES = r"(\textcolor{x_t}{x_t}, \textcolor{t}{t})"
_L = r"\textcolor{loss}{L} = \mathrm{E}\,"
_V = "v"
_TARGETS: Mapping[PredictionKind, tuple[str, str]] = {
    "eps": (r"\textcolor{eps}{\epsilon}", r"\textcolor{eps}{\epsilon_\theta}"),
    "x0": (r"\textcolor{x_0}{x_0}", r"\textcolor{x_0}{x_\theta}"),
    "v": (_V, r"v_\theta"),
}
_PAPERS: Mapping[PredictionKind, str] = {
    "eps": "Ho et al. 2020, eq. 14",
    "x0": "Ho et al. 2020, section 3.2: the network predicts x₀",
    "v": "Salimans & Ho 2022, appendix D: v = α ε − σ x₀",
}
_NOISE = (
    r"  $\textcolor{x_t}{x_t} = \sqrt{\textcolor{alpha_bar}{\bar{\alpha}_t}}\,\textcolor{x_0}{x_0}"
    r" + \sqrt{1 - \textcolor{alpha_bar}{\bar{\alpha}_t}}\,\textcolor{eps}{\epsilon}$"
)
_TARGET_V = (
    rf"  ${_V} = \sqrt{{\textcolor{{alpha_bar}}{{\bar{{\alpha}}_t}}}}\,\textcolor{{eps}}{{\epsilon}}"
    r" - \sqrt{1 - \textcolor{alpha_bar}{\bar{\alpha}_t}}\,\textcolor{x_0}{x_0}$"
)


def loss_of(prediction: PredictionKind) -> Formula:
    """L_simple where the network predicts ε, x₀ or v; the number "loss" stands under L."""
    wanted, answered = _TARGETS[prediction]
    latex = rf"{_L}\left\|{wanted} - {answered}{_SEES}\right\|^2"
    return Formula(f"Loss of {prediction}", latex, ("loss",), _PAPERS[prediction])


def algorithm_of(prediction: PredictionKind) -> Listing:
    """DDPM's Algorithm 1, with the target of another prediction in the place of ε."""
    if prediction == "eps":
        return TRAINING
    wanted, answered = _TARGETS[prediction]
    descent = rf"  descend $\nabla_\theta \left\|{wanted} - {answered}{_SEES}\right\|^2$"
    lines = (*TRAINING.lines[:4], _NOISE, *((_TARGET_V,) if prediction == "v" else ()), descent, TRAINING.lines[-1])
    return Listing(TRAINING.title, lines, f"{TRAINING.paper}; {_PAPERS[prediction]}")


def line_of(prediction: PredictionKind, state: str) -> int | None:
    """The line (1 is the first) a training is at: the gradient step while it runs, the end where it has converged."""
    lines = len(algorithm_of(prediction).lines)
    return {"running": lines - 1, "finished": lines}.get(state)
