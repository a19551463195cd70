"""A measurement of this session: what was asked, for which model and pictures, and what is known so far."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.stages.measure_kinds import KindName
from app.widgets.measured_curve import number
from core.measure_requests import LikelihoodRequest, QualityRequest
from core.messages import (
    Distances,
    Failed,
    Likelihood,
    Measured,
    MeasureStarted,
    Quality,
    RunEnded,
    RunPaused,
    RunResumed,
)

LIVE = ("queued", "running", "paused")
METRICS = {"frechet": "Fréchet distance", "kernel": "kernel distance"}


@dataclass
class Record:
    """``state`` is "queued", "running", "paused", "finished", "stopped" or "failed"; ``shown`` says whether its
    curves are drawn together with others of its kind. ``classes`` are the names of the model's labels, ``weights`` says
    in words whether its weights are averages. ``made`` is when it was asked for, in seconds since 1970; 0 where that is
    not known."""

    job: int
    kind: KindName
    request: QualityRequest
    model: str
    data: str
    classes: tuple[str, ...] = ()
    weights: str = ""
    state: str = "queued"
    result: Quality | None = None
    done: int = 0
    total: int = 0
    eta: float | None = None
    shown: bool = True
    seconds: float = 0.0
    made: float = 0.0

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def progress(self) -> float:
        return self.done / self.total if self.total else 0.0

    @property
    def length(self) -> int:
        """T of the schedule it was measured on."""
        request = self.request
        return (request if isinstance(request, LikelihoodRequest) else request.trials[0].request).schedule.T

    @property
    def headline(self) -> str:
        """The one number, or how many there are."""
        match self.result:
            case Likelihood(bits_per_dim=bits, bits_error=error):
                return _bits(bits, error)
            case Distances(points=points, metric=metric) if len(points) == 1:
                return f"{METRICS[metric]} {_with_error(points[0].value, points[0].error)}"
            case Distances(points=points, metric=metric) if points:
                best = min(points, key=lambda point: point.value)
                return f"{METRICS[metric]} down to {_with_error(best.value, best.error)} ({best.series}, {best.x:g})"
        return ""

    def receive(self, message: object) -> bool:
        """Take what the engine tells of it; whether it is told something."""
        match message:
            case MeasureStarted(total=total):
                self.state, self.total = "running", total
            case Measured(result=Likelihood() | Distances() as result):
                self.result, self.done, self.total = result, message.done, message.total
                self.eta = message.eta
            case RunPaused():
                self.state = "paused"
            case RunResumed():
                self.state = "running"
            case RunEnded(reason=reason, seconds=seconds):
                self.state, self.eta, self.seconds = reason, None, seconds
            case Failed():
                self.state, self.eta = "failed", None
            case _:
                return False
        return True


def _bits(bits: float, error: float) -> str:
    if not math.isfinite(bits):
        return ""
    return f"{bits:.3f} ± {error:.3f} bits a value" if math.isfinite(error) else f"{bits:.3f} bits a value"


def _with_error(value: float, error: float) -> str:
    return f"{number(value)} ± {number(error, 2)}" if math.isfinite(error) else number(value)
