"""From results to curves and bars: rate, distortion, the papers' accounting. Numpy alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from app.stages.measure_kinds import DISTANCE_VIEWS, LIKELIHOOD_VIEWS, X_NAMES
from app.stages.measure_record import METRICS, Record
from app.widgets.accounting_bar import Account
from app.widgets.measured_curve import MeasuredCurve, Values, number
from app.widgets.plot_layout import Frame
from core.evaluation.strata import edges
from core.measure_requests import LikelihoodRequest
from core.messages import DistancePoint, Distances, Likelihood

DDPM_REVERSE = (1000, 900, 800, 700, 600, 500, 400, 300)
DDPM_RATE = (1.77581, 0.11994, 0.05415, 0.02866, 0.01507, 0.00716, 0.00282, 0.00081)
DDPM_DISTORTION = (0.95136, 12.02, 18.47, 24.44, 30.81, 38.03, 46.13, 54.19)
"""Progressive coding of the CIFAR-10 test set (Ho et al. 2020, table 4)."""
PUBLISHED = "DDPM on CIFAR-10 (Ho et al. 2020)"

_OF_POINT: Mapping[str, str] = {
    "value": "value",
    "seconds": "value",
    "precision": "precision",
    "fidelity": "precision",
    "recall": "recall",
    "recognised": "recognised",
}


def account(name: str, result: Likelihood) -> Account:
    """L_T, L_1 + .. + L_T-1 and L_0 of a result, NaN where not all of it is known."""
    decoder = float(result.terms[0]) if len(result.timesteps) and result.timesteps[0] == 0 else math.nan
    reverse = result.bits_per_dim - result.prior - decoder
    return Account(name, result.prior, reverse, decoder, result.bits_per_dim, result.bits_error)


def rate(result: Likelihood, T: int) -> Values:
    """Bits a value that lead from nothing to x_t, for every t of the result: L_T and the terms of all later s > t, a
    timestep standing for its stratum. NaN where one of them is not known yet."""
    strata = edges(result.timesteps.tolist(), T)
    weighted = result.terms * np.diff(strata)
    later = np.concatenate((np.cumsum(weighted[::-1])[::-1][1:], [0.0]))
    own = (strata[1:] - 1 - result.timesteps) * result.terms  # what of its own stratum lies after it
    return np.asarray(result.prior + later + np.where(strata[1:] - 1 > result.timesteps, own, 0.0))


def likelihood_curves(records: Sequence[Record], view: str, names: Mapping[int, str]) -> tuple[MeasuredCurve, ...]:
    """A curve a measurement; ``names`` by job."""
    curves = []
    for style, record in enumerate(records):
        result = record.result
        if isinstance(result, Likelihood):
            curves.append(_likelihood_curve(result, record.length, view, names[record.job], style))
    if view in ("distortion", "rate", "rate_distortion"):
        curves.append(_published(view))
    return tuple(curves)


def likelihood_frame(view: str, T: int, *, log_x: bool, log_y: bool) -> Frame:
    names = {
        "terms": ("t", "L_t, bits a value"),
        "mse": ("t", "mean squared error of ε̂"),
        "distortion": ("reverse steps, T − t", "distortion, 0 … 255"),
        "rate": ("reverse steps, T − t", "rate, bits a value"),
        "rate_distortion": ("rate, bits a value", "distortion, 0 … 255"),
    }[view]
    span = {"terms": (0.0, T - 1.0), "mse": (0.0, T - 1.0), "distortion": (0.0, T), "rate": (0.0, T)}.get(view, ())
    return Frame(*names, log_x=log_x, log_y=log_y, x_span=span)


def distance_curves(records: Sequence[Record], view: str, names: Mapping[int, str]) -> tuple[MeasuredCurve, ...]:
    """A curve a series of each measurement."""
    curves: list[MeasuredCurve] = []
    for record in records:
        if isinstance(record.result, Distances):
            for series in series_of(record.result):
                name = (
                    names[record.job]
                    if not series
                    else f"{names[record.job]}: {series}"
                    if names[record.job]
                    else series
                )
                curves.append(_distance_curve(record.result, series, view, name, len(curves)))
    return tuple(curves)


def distance_frame(records: Sequence[Record], view: str, *, log_x: bool, log_y: bool) -> Frame:
    kinds = {record.kind for record in records}
    results = [record.result for record in records if isinstance(record.result, Distances)]
    metrics = sorted({METRICS[result.metric] for result in results}) or ["distance"]
    value = ", ".join(metrics)
    y_names = {"value": value, "seconds": value, "fidelity": "precision", "recognised": "share recognised"}
    x_name = X_NAMES[next(iter(kinds))] if len(kinds) == 1 else "x"
    x_name = {"fidelity": "recall", "seconds": "seconds for all samples"}.get(view, x_name)
    real = [result.real for result in results if math.isfinite(result.real)] if view in ("value", "seconds") else []
    levels = tuple(("real pictures", value) for value in dict.fromkeys(real))
    y_zero = view in ("value", "seconds")
    return Frame(x_name, y_names.get(view, view), log_x=log_x, log_y=log_y, y_zero=y_zero, levels=levels)


def series_of(result: Distances) -> tuple[str, ...]:
    """The names of the series, in the order in which they were begun."""
    return tuple(dict.fromkeys(point.series for point in result.points))


def points_of(result: Distances, series: str) -> tuple[DistancePoint, ...]:
    """The points of a series along rising x, as they lie on its curve."""
    return tuple(sorted((point for point in result.points if point.series == series), key=lambda point: point.x))


def point_at(records: Sequence[Record], curve: int, point: int) -> tuple[Record, DistancePoint] | None:
    """Whose point it is that lies at this place of ``distance_curves``."""
    for record in records:
        if isinstance(record.result, Distances):
            for series in series_of(record.result):
                if curve == 0:
                    return record, points_of(record.result, series)[point]
                curve -= 1
    return None


def paired(records: Sequence[Record], names: Mapping[int, str]) -> str:
    """Of two likelihoods of the same pictures and draws: who needs fewer bits, beyond two standard errors of the
    difference picture by picture; "" where they cannot be compared so."""
    if len(records) != 2:
        return ""
    one, other = records
    a, b = one.result, other.result
    if not (isinstance(a, Likelihood) and isinstance(b, Likelihood)) or not _met_the_same(one, other):
        return ""
    count = min(len(a.per_picture), len(b.per_picture))
    if count < 2:
        return ""
    differences = a.per_picture[:count] - b.per_picture[:count]
    mean, error = float(differences.mean()), float(differences.std(ddof=1)) / math.sqrt(count)
    first, second = names[one.job], names[other.job]
    said = f"Paired over {count:,} pictures, {first} − {second} is {number(mean, 3)} ± {number(error, 2)} bits a value"
    if abs(mean) <= 2 * error:
        return f"{said}: no difference beyond two standard errors."
    return f"{said}: {second if mean > 0 else first} needs fewer."


def _met_the_same(one: Record, other: Record) -> bool:
    """Whether they are of the same pictures, noised as often from the same seed."""
    a, b = one.request, other.request
    if not (isinstance(a, LikelihoodRequest) and isinstance(b, LikelihoodRequest)):
        return False
    return (a.data.sha256, a.pictures, a.draws, a.seed) == (b.data.sha256, b.pictures, b.draws, b.seed)


def _likelihood_curve(result: Likelihood, T: int, view: str, name: str, style: int) -> MeasuredCurve:
    times = result.timesteps.astype(np.float64)
    notes = tuple(f"t = {t}" for t in result.timesteps)
    reverse = T - times
    match view:
        case "terms":
            return MeasuredCurve(name, times, result.terms, result.terms_error, style, notes)
        case "mse":
            return MeasuredCurve(name, times, result.mse, result.mse_error, style, notes)
        case "distortion":
            return MeasuredCurve(name, reverse, result.distortion, style=style, notes=notes)
        case "rate":
            return MeasuredCurve(name, reverse, rate(result, T), style=style, notes=notes)
    at = rate(result, T)
    notes = tuple(f"t = {t}, {number(bits)} bits" for t, bits in zip(result.timesteps, at.tolist(), strict=True))
    return MeasuredCurve(name, at, np.where(np.isfinite(at), result.distortion, np.nan), style=style, notes=notes)


def _published(view: str) -> MeasuredCurve:
    steps, rates, lost = (np.array(values) for values in (DDPM_REVERSE, DDPM_RATE, DDPM_DISTORTION))
    x, y = {"distortion": (steps, lost), "rate": (steps, rates), "rate_distortion": (rates, lost)}[view]
    notes = tuple(f"{step} reverse steps" for step in DDPM_REVERSE)
    return MeasuredCurve(PUBLISHED, x.astype(np.float64), y.astype(np.float64), notes=notes, published=True)


def _distance_curve(result: Distances, series: str, view: str, name: str, style: int) -> MeasuredCurve:
    points = points_of(result, series)
    y = np.array([getattr(point, _OF_POINT[view]) for point in points])
    x = np.array([{"fidelity": p.recall, "seconds": p.seconds}.get(view, p.x) for p in points])
    if view in ("value", "seconds"):
        error = np.array([point.error for point in points])
    else:
        error = np.array([_binomial(share, point.count) for share, point in zip(y.tolist(), points, strict=True)])
    return MeasuredCurve(name, x, y, error, style, tuple(note_of(point, view) for point in points))


def note_of(point: DistancePoint, view: str = "") -> str:
    """Which point it is, and where it lies when that is no number of its own."""
    named = {
        "Classifier-free guidance": f"w = {point.x:g}",
        "Classifier guidance": f"scale {point.x:g}",
        "Temperature": f"temperature {point.x:g}",
        "Skipped": f"{100 * point.x:g} % skipped",
        "": f"{point.count:,} samples",
    }
    said = named.get(point.series, f"{point.x:g} evaluations")
    beside = {"fidelity": f", recall {point.recall:.3f}", "seconds": f", {point.seconds:.1f} s"}
    return said + beside.get(view, "")


def _binomial(share: float, count: int) -> float:
    """The standard error of a share of independent samples."""
    return math.sqrt(share * (1 - share) / count) if count and 0 <= share <= 1 else math.nan


def has(view: str, records: Sequence[Record]) -> bool:
    """Whether any of the measurements has something to plot there."""
    if view in LIKELIHOOD_VIEWS:
        return True
    assert view in DISTANCE_VIEWS
    results = [record.result for record in records if isinstance(record.result, Distances)]
    return any(math.isfinite(getattr(point, _OF_POINT[view])) for result in results for point in result.points)
