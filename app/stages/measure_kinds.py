"""What can be measured, and in which ways the result of each is plotted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

KindName = Literal["likelihood", "distance", "samplers", "fidelity", "skip", "coarse", "nearest"]

KINDS: Mapping[str, str] = {
    "likelihood": "Likelihood",
    "distance": "Distance",
    "samplers": "Samplers",
    "fidelity": "Guidance",
    "skip": "Skipped share",
    "coarse": "Coarse to fine",
    "nearest": "Memorisation",
}
PLOTLESS: frozenset[str] = frozenset({"coarse", "nearest"})
"""Kinds that are looked at as pictures."""
ABOUT: Mapping[str, str] = {
    "likelihood": "How many bits a value the model needs for pictures: L_t at every t, their sum, rate and "
    "distortion "
    "(Ho et al. 2020, section 4.3)",
    "distance": "How far samples are from the pictures, in a network's features: Fréchet or kernel distance, "
    "precision "
    "and recall",
    "samplers": "Distance and time against evaluations of the network, for every sampler on the same seeds "
    "(Song et al. 2021, table 1)",
    "fidelity": "Fidelity against diversity: precision and recall over w, the classifier's scale and the temperature "
    "of the first noise (Ho & Salimans 2022, figure 1; Dhariwal & Nichol 2021, figure 4)",
    "skip": "Distance where the first part of the reverse process is skipped: how little of it a schedule needs "
    "(Nichol & Dhariwal 2021, figure 4)",
    "coarse": "What is decided early and what late: x̂₀ over time, and samples that share x_t "
    "(Ho et al. 2020, figures 6 and 7)",
    "nearest": "Whether samples are copies: the nearest pictures of the folder beside each, and how near pictures are "
    "that the model never saw (Meehan et al. 2020; Carlini et al. 2023)",
}


@dataclass(frozen=True, slots=True)
class View:
    """A way to plot a result; ``about`` is its formula and paper."""

    name: str
    about: str
    log_x: bool = False
    log_y: bool = False


LIKELIHOOD_VIEWS: Mapping[str, View] = {
    "terms": View(
        "L_t by t",
        "What the reverse step at t must be told: KL(q(x_t−1 | x_t, x_0) ‖ p(x_t−1 | x_t)) in bits a value, "
        "mean over "
        "pictures\n(Ho et al. 2020, eq. 5); at t = 0 the decoder, −log p(x_0 | x_1).",
        log_y=True,
    ),
    "mse": View(
        "error of ε̂ by t",
        "‖ε − ε̂(x_t, t)‖² a value: what L_simple averages over t (Ho et al. 2020, eq. 14).",
        log_y=True,
    ),
    "distortion": View(
        "distortion by reverse step",
        "√ mean (x_0 − x̂_0(x_t))² in 8-bit values, after as many reverse steps (Ho et al. 2020, figure 5, left).",
    ),
    "rate": View(
        "rate by reverse step",
        "Bits a value received so far: L_T + Σ L_s over s > t (Ho et al. 2020, figure 5, middle).",
    ),
    "rate_distortion": View(
        "distortion against rate",
        "What is lost for the bits received so far (Ho et al. 2020, figure 5, right; algorithms 3 and 4).",
    ),
}

DISTANCE_VIEWS: Mapping[str, View] = {
    "value": View("distance", "Distance between samples and pictures in the features of the network named beside it."),
    "fidelity": View(
        "precision against recall",
        "Precision: the share of samples near pictures, fidelity. Recall: the share of pictures near samples, "
        "diversity.\nNear: within the k-th neighbour's distance (Kynkäänniemi et al. 2019).",
    ),
    "precision": View("precision", "The share of samples that lie near pictures (Kynkäänniemi et al. 2019)."),
    "recall": View("recall", "The share of pictures that lie near samples (Kynkäänniemi et al. 2019)."),
    "recognised": View(
        "share recognised", "The share of samples that the feature network takes for the class they were asked to be."
    ),
    "seconds": View(
        "distance against time", "The same distance against the seconds that all samples took.", log_x=True
    ),
}

VIEWS: Mapping[str, Mapping[str, View]] = {
    kind: LIKELIHOOD_VIEWS if kind == "likelihood" else DISTANCE_VIEWS for kind in KINDS if kind not in PLOTLESS
}
FIRST_VIEW: Mapping[str, str] = {"likelihood": "terms", "fidelity": "fidelity"}
"""The view of a result that is new; else "value"."""

X_NAMES: Mapping[str, str] = {
    "distance": "samples",
    "samplers": "evaluations of the network a sample",
    "fidelity": "w, classifier scale or temperature",
    "skip": "share of the reverse process skipped",
}
