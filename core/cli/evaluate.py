"""``main.py evaluate``: bits a value, and distances of samples from a folder's pictures, without a window."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from core.cli.bench import Bench, open_bench
from core.cli.output import Progress, report
from core.cli.reading import said_reading
from core.errors import Refusal
from core.evaluation import measurement_of
from core.evaluation.plans import (
    Draws,
    distance_request,
    likelihood_request,
    sampler_comparison,
)
from core.evaluation.strata import edges
from core.evaluation.weights import weights_of
from core.measure_requests import DistanceRequest, LikelihoodRequest, QualityRequest, Trial
from core.messages import DistancePoint, Distances, Likelihood
from core.model_folder import find_model
from core.requests import ClipPolicy, Precision, SamplerSpec, SpacingName, VarianceName
from core.training.dataset import PictureFolder, open_folder
from core.training.reading import Reading

FEATURES = "digits-judge"
STEPS = 50


def evaluate(options: argparse.Namespace) -> int:
    """Measure, and print figures; raises Refusal."""
    nll, distance = options.nll or not options.distance, options.distance
    _refuse_what_is_not_asked(options, nll, distance)
    progress = Progress(options.progress)
    bench = open_bench(options)
    shape = bench.info.event_shape
    if len(shape) != 3 or shape[1] != shape[2]:
        raise Refusal(f"“{bench.info.ref.name}” does not work on square pictures, which a folder's are cropped to.")
    reading = Reading(shape[1], **said_reading(options))
    data = open_folder(options.data, reading, lambda done, total: progress.step(done, total, unit="file"))
    result: dict[str, Any] = {
        "model": {"name": bench.info.ref.name, "sha256": bench.info.ref.sha256},
        "weights": weights_of(find_model(options.model)),
        "data": {"name": data.name, "sha256": data.sha256, "pictures": len(data), "skipped": len(data.skipped)},
        "device": bench.device,
        "precision": _precision(bench, options),
        "seed": options.seed,
        "notes": list(bench.notes),
    }
    lines = []
    if nll:
        likelihood = _likelihood_request(bench, data, options)
        found = _measured(likelihood, bench, data, progress, "bits")
        assert isinstance(found, Likelihood)
        result |= _bits(found, likelihood)
        lines.append(_bits_words(found, likelihood))
    if distance:
        comparison = _distance_request(bench, data, options)
        apart = _measured(comparison, bench, data, progress, "distance")
        assert isinstance(apart, Distances)
        result["distance"] = _distances(apart, comparison)
        lines += _distance_words(apart, comparison)
    progress.close()
    report(result, options.json, "\n".join([f"{bench.info.ref.name}: weights {result['weights']}", *lines]))
    return 0


def _refuse_what_is_not_asked(options: argparse.Namespace, nll: bool, distance: bool) -> None:
    """What belongs to the measurement that is not made would be ignored without a word."""
    of = {
        "--nll": (nll, ("timesteps", "draws")),
        "--distance": (distance, ("sampler", "steps", "features", "metric", "eta", "guidance", "spacing")),
    }
    for flag, (asked, names) in of.items():
        given = [name for name in names if getattr(options, name) is not None]
        if given and not asked:
            raise Refusal(f"--{given[0]} belongs to {flag}. Add {flag}, or leave --{given[0]} out.")
    if options.eta is not None and "ddim" not in (options.sampler or ["ddim"]):
        raise Refusal("--eta belongs to DDIM. Add ddim to --sampler, or leave --eta out.")


def _precision(bench: Bench, options: argparse.Namespace) -> Precision:
    """Float32 unless it is asked for otherwise: rounding would be measured too."""
    return cast(Precision, "float32" if options.precision == "auto" else options.precision)


def _likelihood_request(bench: Bench, data: PictureFolder, options: argparse.Namespace) -> LikelihoodRequest:
    return likelihood_request(
        bench.info,
        data,
        pictures=options.count,
        timesteps=None if options.timesteps == "all" else options.timesteps or 50,
        draws=options.draws or 1,
        seed=options.seed,
        labelled=not options.unlabelled,
        variance=cast("VarianceName | None", options.variance),
        clip=cast(ClipPolicy, options.clip or "clamp"),
        precision=_precision(bench, options),
    )


def _distance_request(bench: Bench, data: PictureFolder, options: argparse.Namespace) -> DistanceRequest:
    from core.recognisers import open_recogniser

    recogniser = open_recogniser(options.features or FEATURES, bench.device).recogniser
    bench.library.add_recogniser(recogniser)
    base = replace(bench.info.sampler, **({"clip": options.clip} if options.clip else {}))
    if options.variance is not None:
        base = replace(base, variance=options.variance)
    draws = Draws(
        bench.info,
        samples=options.count,
        batch=options.batch,
        seed=options.seed,
        sampler=base,
        spacing=cast("SpacingName | None", options.spacing),
        guidance=options.guidance or 0.0,
        precision=_precision(bench, options),
        labels=() if options.unlabelled else None,
    )
    samplers = [_sampler(name, base, options) for name in options.sampler or [base.name]]
    return distance_request(
        sampler_comparison(draws, samplers, options.steps or [STEPS]),
        data,
        recogniser.info.ref,
        metric=options.metric or "kernel",
        seed=options.seed,
    )


def _sampler(name: str, base: SamplerSpec, options: argparse.Namespace) -> SamplerSpec:
    chosen = replace(base, name=name)  # type: ignore[arg-type]
    return replace(chosen, eta=options.eta if name == "ddim" and options.eta is not None else 0.0)


def _measured(
    request: QualityRequest, bench: Bench, data: PictureFolder, progress: Progress, unit: str
) -> Likelihood | Distances:
    measuring = measurement_of(request, bench.library, bench.device, data, check=_nothing, breathe=_nothing)
    result: Likelihood | Distances | None = None
    for part in measuring.work():
        if isinstance(part.result, Likelihood | Distances):
            result = part.result
        progress.step(part.done, measuring.total, _so_far(result), unit=f"{unit} part")
    assert result is not None
    return result


def _nothing() -> None:
    pass


def _so_far(result: Likelihood | Distances | None) -> str:
    if isinstance(result, Likelihood) and math.isfinite(result.bits_per_dim):
        return f"{result.bits_per_dim:.4f} bits/dim over {result.pictures} pictures"
    if isinstance(result, Distances) and result.points:
        point = result.points[-1]
        return f"{point.series} {point.x:g}: {point.value:.4g}"
    return ""


# ------------------------------------------------------------------------------------------------ what is said


def _bits(found: Likelihood, request: LikelihoodRequest) -> dict[str, Any]:
    bounds = edges(found.timesteps.tolist(), request.schedule.T)
    return {
        "bits_per_dim": _number(found.bits_per_dim),
        "bits_error": _number(found.bits_error),
        "prior": _number(found.prior),
        "decoder": _number(float(found.terms[0])),
        "pictures": found.pictures,
        "draws": request.draws,
        "exact": len(found.timesteps) == request.schedule.T,
        "clip": request.clip,
        "variance": request.variance,
        "labelled": request.labelled,
        "timesteps": found.timesteps.tolist(),
        "strata": [int(width) for width in bounds[1:] - bounds[:-1]],
        **{
            name: [_number(value) for value in getattr(found, name).tolist()]
            for name in ("terms", "terms_error", "mse", "mse_error", "distortion", "per_picture")
        },
    }


def _bits_words(found: Likelihood, request: LikelihoodRequest) -> str:
    between = found.bits_per_dim - found.prior - float(found.terms[0])
    T = request.schedule.T
    met = "all timesteps" if len(found.timesteps) == T else f"{len(found.timesteps)} strata of {T} timesteps"
    return (
        f"{found.bits_per_dim:.4f} ± {found.bits_error:.4f} bits/dim (prior {found.prior:.5f}, L_1..T-1 {between:.4f}, "
        f"L_0 {found.terms[0]:.4f}) over {found.pictures} pictures, {met}, {request.variance} variance, "
        f"clip {request.clip}"
    )


def _distances(found: Distances, request: DistanceRequest) -> dict[str, Any]:
    sample = request.trials[0].request
    return {
        "metric": found.metric,
        "features": request.features.name,
        "dimensions": found.dimensions,
        "reference": found.reference,
        "real": _number(found.real),
        "note": found.note,
        "clip": sample.sampler.clip,
        "spacing": sample.spacing,
        "guidance": sample.guidance,
        "neighbours": request.neighbours,
        "points": [_point(*pair) for pair in zip(found.points, request.trials, strict=True)],
    }


def _point(point: DistancePoint, trial: Trial) -> dict[str, Any]:
    numbers = ("value", "error", "precision", "recall", "recognised")
    return {
        "series": point.series,
        "steps": trial.request.steps,
        "evaluations": point.evaluations,
        "n": point.count,
        **{name: _number(getattr(point, name)) for name in numbers},
        "seconds": round(point.seconds, 3),
    }


def _distance_words(found: Distances, request: DistanceRequest) -> list[str]:
    metric = {"frechet": "Fréchet distance", "kernel": "kernel distance"}[found.metric]
    first = request.trials[0].request
    head = (
        f"{metric} in the {found.dimensions} features of {request.features.name} to {found.reference} pictures "
        f"(real pictures {_shown(found.real)}), clip {first.sampler.clip}, spacing {first.spacing}"
    )
    return [*([found.note] if found.note else []), head, *(_point_words(point) for point in found.points)]


def _point_words(point: DistancePoint) -> str:
    parts: Sequence[str] = (
        f"{point.series}, {point.evaluations} evaluations: {_shown(point.value)} ± {_shown(point.error)}",
        f"precision {_shown(point.precision)}, recall {_shown(point.recall)}",
        "" if math.isnan(point.recognised) else f"recognised {point.recognised:.1%}",
        f"{point.count} samples in {point.seconds:.1f} s",
    )
    return ", ".join(part for part in parts if part)


def _shown(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.4g}"


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
