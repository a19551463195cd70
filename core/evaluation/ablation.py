"""What is measured of an ablation's models, alike for all: bits a value, and the distance of samples. Torch-free."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.evaluation.plans import Draws, distance_request, likelihood_request
from core.measure_requests import DistanceRequest, LikelihoodRequest
from core.messages import ClassifierInfo, Distances, Likelihood, ModelInfo
from core.requests import SamplerSpec, VarianceName
from core.training.ablation import Figures
from core.training.dataset import PictureFolder

PICTURES = 64
TIMESTEPS = 50
SAMPLES = 200
BATCH = 50
STEPS = 50


def likelihood_of(info: ModelInfo, data: PictureFolder, seed: int = 0) -> LikelihoodRequest:
    """Bits a value of the same pictures under the same noise for every model."""
    return likelihood_request(info, data, pictures=PICTURES, timesteps=TIMESTEPS, seed=seed)


def distances_of(
    models: Mapping[str, ModelInfo], data: PictureFolder, features: ClassifierInfo, seed: int = 0
) -> DistanceRequest:
    """As many samples of each model, drawn by DDPM's own steps from the same seeds, with the posterior's variance or a
    learned range's: a learned diagonal is that of single timesteps, and says nothing of fewer. A curve is the key of a
    model. Raises Refusal where the steps do not fit."""
    trials = []
    for place, (key, info) in enumerate(models.items()):
        variance: VarianceName = "learned" if info.variance == "range" else "small"
        sampler = SamplerSpec("ddpm", variance=variance, clip="clamp")
        draws = Draws(info, SAMPLES, BATCH, seed, STEPS, sampler)
        trials.append(draws.trial(key, float(place), draws.request()))
    return distance_request(trials, data, features.ref, seed=seed)


def figures_of(
    likelihoods: Mapping[str, Likelihood], distances: Distances | None, features: ClassifierInfo | None
) -> dict[str, Figures]:
    """What was measured, by the models' keys."""
    points = {point.series: point for point in distances.points} if distances is not None else {}
    figures = {}
    for key in dict.fromkeys((*likelihoods, *points)):
        bits, point = likelihoods.get(key), points.get(key)
        figures[key] = Figures(
            bits_per_dim=_known(bits.bits_per_dim) if bits is not None else None,
            bits_error=_known(bits.bits_error) if bits is not None else None,
            distance=_known(point.value) if point is not None else None,
            distance_error=_known(point.error) if point is not None else None,
            metric=distances.metric if distances is not None and point is not None else "",
            features=features.ref.name if features is not None and point is not None else "",
        )
    return figures


def judges(classifiers: Sequence[ClassifierInfo], info: ModelInfo) -> tuple[ClassifierInfo, ...]:
    """Those in whose features this model's samples can be compared with pictures; clean ones first."""
    fitting = (one for one in classifiers if one.event_shape == info.event_shape)
    return tuple(sorted(fitting, key=lambda one: one.noisy))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
