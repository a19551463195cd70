"""The mathematics beside a training: its loss, and DDPM's Algorithm 1 with it; what the loss is counted in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from app.formulas import TRAINING, Formula, Listing
from app.stages.train_aim import OBJECTIVES, PREDICTIONS, Aim
from core.requests import PredictionKind
from core.training.order import ObjectiveName

_X_T, _T = r"\textcolor{x_t}{x_t}", r"\textcolor{t}{t}"
_X_PREV = r"\textcolor{x_t}{x_{t-1}}"
_X_0 = r"\textcolor{x_0}{x_0}"
_SEES = rf"({_X_T}, {_T})"
_L = r"\textcolor{loss}{L} ="
_E = r"\mathrm{E}\,"
_V = "v"
_TARGETS: Mapping[PredictionKind, tuple[str, str]] = {
    "eps": (r"\textcolor{eps}{\epsilon}", r"\textcolor{eps}{\epsilon_\theta}"),
    "x0": (r"\textcolor{x_0}{x_0}", r"\textcolor{x_0}{x_\theta}"),
    "v": (_V, r"v_\theta"),
    "mean": (r"\tilde{\mu}_t", r"\mu_\theta"),
}
_WEIGHTS: Mapping[PredictionKind, str] = {
    "eps": r"\frac{\beta_t}{2 \alpha_t (1 - \textcolor{alpha_bar}{\bar{\alpha}_t})}",
    "x0": r"\frac{\textcolor{alpha_bar}{\bar{\alpha}_{t-1}}\,\beta_t}{2 (1 - \textcolor{alpha_bar}{\bar{\alpha}_t})^2}",
    "v": r"\frac{\textcolor{alpha_bar}{\bar{\alpha}_{t-1}}\,\beta_t}{2 (1 - \textcolor{alpha_bar}{\bar{\alpha}_t})}",
    "mean": r"\frac{1}{2 \beta_t}",
}
"""Of the squared error in the bound, with sigma_t^2 = beta_t: DDPM eq. 8 and 12, and the same for x_0 and v."""
_MIN_SNR: Mapping[PredictionKind, str] = {
    "eps": r"\frac{\min(\mathrm{SNR}, 5)}{\mathrm{SNR}}",
    "x0": r"\min(\mathrm{SNR}, 5)",
    "v": r"\frac{\min(\mathrm{SNR}, 5)}{\mathrm{SNR} + 1}",
    "mean": r"\min(\mathrm{SNR}, 5)\,\frac{(1 - \textcolor{alpha_bar}{\bar{\alpha}_t})^2}"
    r"{\textcolor{alpha_bar}{\bar{\alpha}_{t-1}}\,\beta_t^2}",
}
_PAPERS: Mapping[PredictionKind, str] = {
    "eps": "Ho et al. 2020, eq. 14",
    "x0": "Ho et al. 2020, section 3.2: the network predicts x₀",
    "v": "Salimans & Ho 2022, appendix D: v = α ε − σ x₀",
    "mean": "Ho et al. 2020, eq. 8: the network predicts the mean of q(x_t−1 | x_t, x₀)",
}
_OBJECTIVE_PAPERS: Mapping[ObjectiveName, str] = {
    "simple": "",
    "weighted": "Ho et al. 2020, eq. 12, with σ² = β",
    "vlb": "Ho et al. 2020, eq. 5: in bits a value, without the prior's term L_T, which nothing can change",
    "hybrid": "Nichol & Dhariwal 2021, eq. 16: λ = 0.001, and L_vlb teaches the variance alone",
    "min_snr": "Hang et al. 2023, section 3.4: γ = 5",
}
_VLB = (
    rf"D_{{KL}}\!\left(q({_X_PREV} | {_X_T}, {_X_0}) \,\|\, p_\theta({_X_PREV} | {_X_T})\right)"
    rf" - \log p_\theta({_X_0} | \textcolor{{x_t}}{{x_1}})"
)
_CLASSIFIER = "Dhariwal & Nichol 2021, section 4: a classifier of noised pictures"
_SURPRISE = "−log p(y | x), how surprised the classifier is by a picture's class"
_NAMES: Mapping[PredictionKind, str] = {"eps": "ε", "x0": "x₀", "v": "v", "mean": "μ̃"}
_NOISE = (
    r"  $\textcolor{x_t}{x_t} = \sqrt{\textcolor{alpha_bar}{\bar{\alpha}_t}}\,\textcolor{x_0}{x_0}"
    r" + \sqrt{1 - \textcolor{alpha_bar}{\bar{\alpha}_t}}\,\textcolor{eps}{\epsilon}$"
)
_TARGET_V = (
    rf"  ${_V} = \sqrt{{\textcolor{{alpha_bar}}{{\bar{{\alpha}}_t}}}}\,\textcolor{{eps}}{{\epsilon}}"
    r" - \sqrt{1 - \textcolor{alpha_bar}{\bar{\alpha}_t}}\,\textcolor{x_0}{x_0}$"
)


@dataclass(frozen=True, slots=True)
class LossWords:
    """What the loss plotted is called, what it is counted in ("" for a squared error), and what it means."""

    name: str
    unit: str
    meaning: str


def words_of(aim: Aim) -> LossWords:
    """The loss that a training's curve shows."""
    if aim.task == "classifier":
        return LossWords("Cross-entropy", "nats", f"{_SURPRISE}; ln of the number of classes is guessing.")
    error = f"the mean squared error of {_NAMES[aim.prediction]}"
    match aim.objective:
        case "weighted":
            meaning = f"{error}, with its weights in the bound, summed over t (Ho et al. 2020, eq. 12)."
            return LossWords("L, weighted error", "bits/dim", meaning)
        case "vlb":
            meaning = "the variational bound without L_T, which nothing can change (Ho et al. 2020, eq. 5)."
            return LossWords("L_vlb", "bits/dim", meaning)
        case "hybrid":
            meaning = f"{error}, plus 0.001 of L_vlb in bits/dim (Nichol & Dhariwal 2021, eq. 16)."
            return LossWords("L_hybrid", "", meaning)
        case "min_snr":
            return LossWords("min-SNR-5", "", f"{error}, weighted by min(SNR, 5) (Hang et al. 2023).")
    return LossWords("L_simple", "", f"{error} (Ho et al. 2020, eq. 14).")


def loss_of(aim: Aim) -> Formula:
    """The loss that a training lowers; the number "loss" stands under L."""
    if aim.task == "classifier":
        seen = rf"{_X_T}, {_T}" if aim.noised else _X_0
        name = f"Loss of a {'noisy' if aim.noised else 'clean'} classifier"
        latex = rf"{_L} {_E}\left[-\log p_\phi(y | {seen})\right]"
        return Formula(name, latex, ("loss",), _CLASSIFIER if aim.noised else f"Cross-entropy: {_SURPRISE}")
    paper = "; ".join(filter(None, (_OBJECTIVE_PAPERS[aim.objective], _PAPERS[aim.prediction])))
    return Formula(f"Loss {aim.objective} of {aim.prediction}", f"{_L} {_body(aim)}", ("loss",), paper)


def _body(aim: Aim) -> str:
    error = _error(aim.prediction)
    match aim.objective:
        case "weighted":
            return rf"\sum_t {_E}{_WEIGHTS[aim.prediction]}{error}"
        case "vlb":
            return rf"\sum_t {_E}{_VLB}"
        case "hybrid":
            return rf"{_E}{error} + \lambda\,L_{{vlb}}(\Sigma_\theta)"
        case "min_snr":
            return rf"{_E}{_MIN_SNR[aim.prediction]}{error}"
    return rf"{_E}{error}"


def _error(prediction: PredictionKind) -> str:
    wanted, answered = _TARGETS[prediction]
    return rf"\left\|{wanted} - {answered}{_SEES}\right\|^2"


def algorithm_of(aim: Aim) -> Listing:
    """DDPM's Algorithm 1, with another target or loss in the place of its own."""
    lines, first = TRAINING.lines, rf"  ${_X_0}, y \sim q({_X_0}, y)$"
    if aim.task == "classifier":
        descent = rf"  descend $-\nabla_\phi \log p_\phi(y | {rf'{_X_T}, {_T}' if aim.noised else _X_0})$"
        noising = (lines[2], lines[3], _NOISE) if aim.noised else ()
        return Listing("Training a classifier", (lines[0], first, *noising, descent, lines[-1]), loss_of(aim).paper)
    if aim.prediction == "eps" and aim.objective == "simple":
        return TRAINING
    target = (_TARGET_V,) if aim.prediction == "v" and aim.objective != "vlb" else ()
    descent = {
        "vlb": r"  descend $\nabla_\theta\,T\,L_{t}$",
        "hybrid": rf"  descend $\nabla_\theta \left({_error(aim.prediction)} + \lambda\,T\,L_t(\Sigma_\theta)\right)$",
        "weighted": rf"  descend $\nabla_\theta\,w_t {_error(aim.prediction)}$",
        "min_snr": rf"  descend $\nabla_\theta\,w_t {_error(aim.prediction)}$",
    }.get(aim.objective, rf"  descend $\nabla_\theta {_error(aim.prediction)}$")
    made = (*lines[:4], _NOISE, *target, descent, lines[-1])
    return Listing(TRAINING.title, made, f"{TRAINING.paper}; {loss_of(aim).paper}")


def aims() -> Iterator[Aim]:
    """Of every loss with mathematics of its own, one aim."""
    for prediction in PREDICTIONS:
        for objective in OBJECTIVES:
            yield Aim(prediction=prediction, objective=objective)
    yield Aim().towards("classifier")
    yield Aim().towards("judge")


def line_of(aim: Aim, state: str) -> int | None:
    """The line (1 is the first) a training is at: the gradient step while it runs, the end where it has converged."""
    lines = len(algorithm_of(aim).lines)
    return {"running": lines - 1, "finished": lines}.get(state)
