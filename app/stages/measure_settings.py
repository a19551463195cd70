"""What the controls of Measure say, as one value. No widget here, no tensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from app.stages.measure_kinds import KindName
from core.errors import Refusal
from core.evaluation import coarse_to_fine, plans
from core.measure_requests import MetricName
from core.messages import ModelInfo
from core.requests import Precision, SamplerName, SamplerSpec, SpacingName, VarianceName

LikelihoodClip = Literal["none", "clamp"]


@dataclass(frozen=True, slots=True)
class MeasureSettings:
    """The controls as one value.

    Of a likelihood: ``pictures`` of the folder, each noised ``draws`` times at ``timesteps`` of all t (T and more: at
    all), with the reverse ``variance``; ``labelled`` tells the network their classes. Of distances: ``samples`` a
    point, drawn by ``sampler`` in ``steps`` steps, of the classes ``labels`` in turn (None: all, (): none);
    ``features`` is the hash of the network whose features are compared. ``compared`` samplers have ``evaluations`` of
    the network each; guidance is swept over ``ws``, ``scales`` (of the classifier ``guide``, by its hash) and
    ``temperatures``; ``skipped`` shares of the reverse process are left out. Coarse to fine draws ``copies`` that share
    x_t where ``shared`` of the way is still to go. Of ``checked`` samples the nearest pictures are looked up.
    """

    kind: KindName = "likelihood"
    pictures: int = 100
    timesteps: int = 50
    draws: int = 1
    variance: VarianceName = "large"
    likelihood_clip: LikelihoodClip = "clamp"
    labelled: bool = True
    samples: int = 200
    features: str = ""
    metric: MetricName = "kernel"
    neighbours: int = 3
    sampler: SamplerSpec = field(default_factory=SamplerSpec)
    steps: int = 50
    spacing: SpacingName = "leading"
    guidance: float = 0.0
    labels: tuple[int, ...] | None = None
    compared: tuple[SamplerName, ...] = plans.SAMPLERS
    evaluations: tuple[int, ...] = plans.EVALUATIONS
    ws: tuple[float, ...] = plans.GUIDANCE
    scales: tuple[float, ...] = plans.SCALES
    guide: str = ""
    temperatures: tuple[float, ...] = plans.TEMPERATURES
    skipped: tuple[float, ...] = plans.SHARES
    shared: tuple[float, ...] = coarse_to_fine.SHARES
    copies: int = 4
    checked: int = 16
    seed: int = 0
    precision: Precision = "float32"


def numbers_of(text: str, name: str, low: float, high: float) -> tuple[float, ...]:
    """Numbers between commas, in their order, each once; () of nothing. Raises Refusal."""
    found: dict[float, None] = {}
    for part in (part.strip() for part in text.replace(";", ",").split(",")):
        if not part:
            continue
        try:
            value = float(part.replace("\u2212", "-"))
        except ValueError as error:
            raise Refusal(
                f"{name}: “{part}” is not a number. Write numbers between commas, such as 0, 1, 2."
            ) from error
        if not low <= value <= high:
            raise Refusal(f"{name}: {part} is not between {low:g} and {high:g}.")
        found[value] = None
    return tuple(found)


def whole_numbers_of(text: str, name: str, low: int, high: int) -> tuple[int, ...]:
    """The same for whole numbers. Raises Refusal."""
    values = numbers_of(text, name, low, high)
    odd = next((value for value in values if value != int(value)), None)
    if odd is not None:
        raise Refusal(f"{name}: {odd:g} is not a whole number.")
    return tuple(map(int, values))


def why_not(model: ModelInfo | None) -> str:
    """What keeps the open model from being measured on a folder of pictures, "" where nothing does."""
    if model is None:
        return "No model is open. Open one on the left to measure it."
    if len(model.event_shape) != 3 or model.event_shape[0] not in (1, 3):
        return f"“{model.ref.name}” is no model of pictures, so it cannot be measured on a folder of them."
    if model.event_shape[1] != model.event_shape[2]:
        return f"“{model.ref.name}” takes pictures that are not square; folders are cropped to squares."
    return ""
