"""What stands beside a number: of what it is, of how much, measured how."""

from __future__ import annotations

import math
from collections.abc import Iterable

from app.stages.measure_kinds import KINDS
from app.stages.measure_pace import duration
from app.stages.measure_record import METRICS, Record
from app.widgets.measure_list import Entry
from app.widgets.measured_curve import number
from core.evaluation.plans import series_of
from core.measure_requests import DistanceRequest, LikelihoodRequest
from core.messages import DistancePoint, Distances, Likelihood
from core.requests import SampleRequest

KNOWN_FROM = 0.02
"""Share of a measurement from which on its own rate says how long the rest takes."""
CLIPS = {
    "none": "x₀ not clipped",
    "clamp": "x₀ clamped",
    "rederive": "x₀ clamped, ε re-derived",
    "dynamic": "x₀ thresholded dynamically",
}


def beside(record: Record) -> str:
    """n, reference, feature network, clip mode, spacing and the rest, in a line."""
    match record.request:
        case LikelihoodRequest() as request:
            return _likelihood_words(record, request)
        case DistanceRequest() as request:
            return _distance_words(record, request)


def entry(record: Record, waits: str) -> Entry:
    """The record in the list."""
    title = f"{KINDS[record.kind]}: {record.model}"
    state = record.state
    if record.is_live and waits:
        state = f"waiting for {waits}"
    elif record.state == "running" and record.total:
        state = f"{100 * record.progress:.0f} %"
    words = " · ".join(filter(None, (record.headline, "" if state == "finished" else state)))
    return Entry(record.job, title, words or state, f"{title} on {record.data}\n{beside(record)}", record.shown)


def progress_words(record: Record, waits: str) -> str:
    """How far it has come, and how long it will take."""
    if waits:
        return f"Waiting for {waits}."
    if record.state == "paused":
        return f"Paused at {100 * record.progress:.0f} %."
    if record.state == "queued" or not record.total:
        return "Beginning."
    left = "" if record.eta is None or record.progress < KNOWN_FROM else f", {duration(record.eta)} left"
    return f"{100 * record.progress:.0f} % measured{left}."


def point_words(record: Record, point: DistancePoint) -> str:
    """A point of a comparison with all that was found there."""
    metric = METRICS[record.result.metric] if isinstance(record.result, Distances) else "distance"
    spread = f" ± {number(point.error, 2)}" if math.isfinite(point.error) else ""
    facts = [
        f"{metric} {number(point.value)}{spread}",
        f"precision {point.precision:.3f}" if math.isfinite(point.precision) else "",
        f"recall {point.recall:.3f}" if math.isfinite(point.recall) else "",
        f"{point.recognised:.1%} recognised" if math.isfinite(point.recognised) else "",
        f"{point.count:,} samples, {point.evaluations:,} evaluations each",
        f"{point.seconds:.1f} s" if math.isfinite(point.seconds) else "",
    ]
    return " · ".join(filter(None, facts))


def _likelihood_words(record: Record, request: LikelihoodRequest) -> str:
    result = record.result
    done = result.pictures if isinstance(result, Likelihood) else 0
    T, at = request.schedule.T, len(request.timesteps)
    facts = (
        f"{done:,} of {len(request.pictures):,} pictures of {record.data}",
        f"exact: all {T:,} t" if at == T else f"estimated from {at:,} strata of {T:,} t",
        f"{request.draws} ε each" if request.draws > 1 else "",
        f"Σ {request.variance}",
        CLIPS[request.clip],
        ("told the class" if request.labelled else "not told the class") if record.classes else "",
        request.precision if request.precision != "float32" else "",
        f"seed {request.seed}",
        f"weights {record.weights}" if record.weights else "",
    )
    return " · ".join(filter(None, facts))


def _distance_words(record: Record, request: DistanceRequest) -> str:
    result = record.result
    runs = [trial.request for trial in request.trials]
    first, count = runs[0], request.trials[0].batches * len(runs[0].samples)
    facts = [f"n = {count:,} a point"]
    if isinstance(result, Distances):
        facts.append(f"reference: {result.reference:,} pictures of {record.data}")
        facts.append(f"{result.dimensions:,} features of {request.features.name}")
        facts.append(f"real pictures {number(result.real)}" if math.isfinite(result.real) else "")
    else:
        facts.append(f"reference: {len(request.pictures):,} pictures of {record.data}")
        facts.append(f"features of {request.features.name}")
    facts += [_same(f"{run.steps} steps" for run in runs), _same(series_of(run.sampler) for run in runs)]
    facts += [_same(_spacing(run) for run in runs), _same(CLIPS[run.sampler.clip] for run in runs)]
    facts += [_same(f"w = {run.guidance:g}" for run in runs) if any(run.guidance for run in runs) else ""]
    facts += [
        first.precision if first.precision != "float32" else "",
        f"k = {request.neighbours}",
        f"seed {first.seed}",
        f"weights {record.weights}" if record.weights else "",
    ]
    return " · ".join(filter(None, facts))


def _spacing(run: SampleRequest) -> str:
    return f"{run.spacing} spacing" if run.spacing != "hand" else ""


def _same(words: Iterable[str]) -> str:
    """What is said of all alike."""
    said = set(words)
    return said.pop() if len(said) == 1 else ""
