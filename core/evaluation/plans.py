"""What a person wishes to compare, as requests: torch-free, so that window and command line can say it beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import cast

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.measure_requests import DataRef, DistanceRequest, LikelihoodRequest, MetricName, Trial
from core.messages import ModelInfo
from core.paths import model_timesteps, spaced_timesteps
from core.requests import (
    ClassifierSpec,
    ClipPolicy,
    ModelRef,
    Precision,
    SampleRequest,
    SamplerName,
    SamplerSpec,
    SpacingName,
    VarianceName,
)
from core.schedules import make_schedule
from core.training.dataset import PictureFolder

SAMPLERS: tuple[SamplerName, ...] = ("ddim", "heun", "dpmpp", "ddpm")
EVALUATIONS = (5, 10, 20, 50)
GUIDANCE = (0.0, 0.5, 1.0, 2.0, 4.0)
SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)
TEMPERATURES = (1.0, 0.95, 0.9, 0.8, 0.7)
SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4)


@dataclass(frozen=True, slots=True)
class Draws:
    """How the samples of a comparison are drawn: what all of its trials have in common.

    ``samples`` are rounded up to whole batches of ``batch``. ``sampler`` and ``spacing`` None are what the model's
    folder says. The classes take turns; ``labels`` are those that do (None: every one that the model knows, and with
    classifier guidance every one that the classifier knows), empty for samples without a class.
    """

    info: ModelInfo
    samples: int = 200
    batch: int = 50
    seed: int = 0
    steps: int = 50
    sampler: SamplerSpec | None = None
    spacing: SpacingName | None = None
    guidance: float = 0.0
    precision: Precision = "float32"
    labels: tuple[int, ...] | None = None

    @property
    def count(self) -> int:
        """Samples of one batch."""
        return min(self.samples, self.batch)

    @property
    def batches(self) -> int:
        return -(-self.samples // self.count)

    def request(self, steps: int | None = None, sampler: SamplerSpec | None = None) -> SampleRequest:
        """The first batch's run. Raises Refusal where the steps do not fit."""
        info = self.info
        spacing = cast(SpacingName, self.spacing or info.spacing)
        return SampleRequest(
            model=info.ref,
            schedule=info.schedule,
            timesteps=model_timesteps(info, steps or self.steps, spacing),
            spacing=spacing,
            sampler=sampler or self.sampler or info.sampler,
            seed=self.seed,
            count=self.count,
            labels=self._labels(),
            guidance=self.guidance,
            precision=self.precision,
            final_alpha_bar=info.final_alpha_bar,
        )

    def trial(self, series: str, x: float, request: SampleRequest) -> Trial:
        return Trial(series, x, request, self.batches)

    def _labels(self) -> tuple[int | None, ...]:
        if not self.info.labels:
            return ()
        turns = tuple(range(len(self.info.labels))) if self.labels is None else self.labels
        return tuple(islice(cycle(turns), self.count)) if turns else (None,) * self.count


def evaluations_of(request: SampleRequest) -> int:
    """How often a run evaluates its network for each sample.

    Heun's method takes two a step, and one in the last; classifier-free guidance doubles those within its interval.
    """
    steps = len(request.timesteps)
    passes = [2] * (steps - 1) + [1] if request.sampler.name == "heun" else [1] * steps
    if request.guidance in (0, -1):
        return sum(passes)
    ends = request.interval or request.timesteps
    return sum(a * (2 if min(ends) <= t <= max(ends) else 1) for a, t in zip(passes, request.timesteps, strict=True))


def sampler_comparison(
    draws: Draws, samplers: Sequence[SamplerName | SamplerSpec] = SAMPLERS, evaluations: Sequence[int] = EVALUATIONS
) -> tuple[Trial, ...]:
    """Every sampler at every budget of evaluations of the network, on the same seeds; x is what it took.

    Heun's method, whose S steps take 2 S - 1, makes as many as fit; DDPM draws with the posterior's variance, the
    better of its two where steps are long, or with what the network has learned. A sampler may be given whole, to
    compare values of DDIM's eta as in Song et al. 2021, table 1. Raises Refusal where steps do not fit the schedule.
    """
    base = draws.sampler or draws.info.sampler
    variance: VarianceName = "learned" if draws.info.variance == "range" else "small"
    trials = []
    for sampler in samplers:
        chosen = replace(base, name=sampler, eta=0.0, variance=variance) if isinstance(sampler, str) else sampler
        for budget in evaluations:
            steps = (budget + 1) // 2 if chosen.name == "heun" else budget
            request = draws.request(steps, chosen)
            trials.append(draws.trial(series_of(chosen), evaluations_of(request), request))
    return tuple(trials)


def series_of(sampler: SamplerSpec) -> str:
    """What a sampler is called beside its curve."""
    names = {"ddpm": "DDPM", "ddim": "DDIM", "heun": "Heun", "dpmpp": "DPM-Solver++ 2M"}
    if sampler.name == "ddim" and sampler.eta:
        return f"DDIM, eta {sampler.eta:g}"
    if sampler.name == "ddpm" and sampler.variance != "small":
        return f"DDPM, {sampler.variance}"
    return names[sampler.name]


def guidance_sweep(draws: Draws, ws: Sequence[float] = GUIDANCE) -> tuple[Trial, ...]:
    """Classifier-free guidance, x = w (Ho & Salimans 2022, figure 1 and table 1)."""
    if draws.info.null_label is None:
        raise Refusal(f"“{draws.info.ref.name}” has no null label, so there is no guidance without a classifier.")
    return tuple(draws.trial("Classifier-free guidance", w, replace(draws.request(), guidance=w)) for w in ws)


def classifier_sweep(
    draws: Draws, classifier: ModelRef, classes: Sequence[str], scales: Sequence[float] = SCALES
) -> tuple[Trial, ...]:
    """Guidance by a classifier with these classes, x = its scale (Dhariwal & Nichol 2021, figure 4).

    A model with the same classes is told them as well; one without is led by the classifier alone.
    """
    request = draws.request()
    names = [None if label is None else draws.info.labels[label] for label in request.labels]
    if any(name is not None for name in names):
        unknown = sorted({name for name in names if name is not None and name not in classes})
        if unknown:
            raise Refusal(f"The classifier does not know the class {unknown[0]!r}. Choose among the classes it knows.")
        targets = tuple(classes.index(name) for name in names if name is not None)
    else:
        targets = tuple(islice(cycle(draws.labels or range(len(classes))), request.count))
    guided = [replace(request, classifier=ClassifierSpec(classifier, targets, scale)) for scale in scales]
    return tuple(draws.trial("Classifier guidance", scale, one) for scale, one in zip(scales, guided, strict=True))


def temperature_sweep(draws: Draws, temperatures: Sequence[float] = TEMPERATURES) -> tuple[Trial, ...]:
    """The initial noise scaled, x = its temperature: truncation without guidance (Ho & Salimans 2022, section 1)."""
    return tuple(draws.trial("Temperature", x, replace(draws.request(), temperature=x)) for x in temperatures)


def skip_sweep(draws: Draws, shares: Sequence[float] = SHARES) -> tuple[Trial, ...]:
    """The first part of the reverse process left out, x = its share of the T timesteps.

    A run begins from N(0, I) at a later timestep, as if nothing of the picture were left there either (Nichol &
    Dhariwal 2021, section 3.2: with the linear schedule up to 20 % cost hardly anything).
    """
    request, T = draws.request(), draws.info.schedule.T
    trials = []
    for share in shares:
        kept = tuple(t for t in request.timesteps if t <= (1 - share) * (T - 1))
        if not kept:
            raise Refusal(f"Nothing is left of the run where {share:.0%} of it are left out. Choose a smaller share.")
        trials.append(draws.trial("Skipped", share, replace(request, timesteps=kept, spacing="hand")))
    return tuple(trials)


def distance_request(
    trials: Sequence[Trial],
    data: PictureFolder,
    features: ModelRef,
    *,
    metric: MetricName = "kernel",
    reference: int | None = None,
    neighbours: int = 3,
    seed: int = 0,
) -> DistanceRequest:
    """The distance of the trials' samples from ``reference`` pictures of the data (None: as many as samples, if there
    are), drawn with ``seed``; those left over serve as the real pictures to compare with."""
    samples = max(trial.request.count * trial.batches for trial in trials)
    return DistanceRequest(
        trials=tuple(trials),
        data=data_ref(data),
        pictures=some_pictures(data.labels, reference or samples, seed),
        features=features,
        metric=metric,
        neighbours=neighbours,
        seed=seed,
    )


def likelihood_request(
    info: ModelInfo,
    data: PictureFolder,
    *,
    pictures: int = 64,
    timesteps: int | None = 50,
    draws: int = 1,
    seed: int = 0,
    labelled: bool = True,
    variance: VarianceName | None = None,
    clip: ClipPolicy = "clamp",
    precision: Precision = "float32",
) -> LikelihoodRequest:
    """The bits that a model needs for some pictures, drawn with ``seed``; ``timesteps`` None is exact over all of them.

    ``variance`` None is what the network has learned, and else the larger one, as papers report it.
    """
    return LikelihoodRequest(
        model=info.ref,
        schedule=info.schedule,
        data=data_ref(data),
        pictures=some_pictures(data.labels, pictures, seed),
        timesteps=likelihood_timesteps(info, timesteps),
        draws=draws,
        seed=seed,
        labelled=labelled,
        variance=variance or ("large" if info.variance == "fixed" else "learned"),
        clip=clip,
        precision=precision,
    )


def likelihood_timesteps(info: ModelInfo, count: int | None) -> tuple[int, ...]:
    """``count`` falling timesteps, closer to each other at little noise, where the bits are; None: all of them."""
    T = info.schedule.T
    if count is None or count >= T:
        return tuple(range(T - 1, -1, -1))
    return spaced_timesteps(make_schedule(info.schedule), max(2, count), "quadratic_full")


def data_ref(data: PictureFolder) -> DataRef:
    return DataRef(data.name, data.sha256)


def some_pictures(labels: NDArray[np.int64], count: int, seed: int) -> tuple[int, ...]:
    """``count`` of the pictures with these labels (all, where there are no more), drawn with ``seed``, rising: of every
    class its share."""
    total = len(labels)
    if count >= total:
        return tuple(range(total))
    order = np.random.default_rng(abs(seed)).permutation(total)
    by_class = order[np.argsort(labels[order], kind="stable")]
    spread = (np.arange(count) + 0.5) * total / count
    return tuple(sorted(by_class[spread.astype(np.int64)].tolist()))
