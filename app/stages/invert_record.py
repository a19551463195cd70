"""What was measured of inversions: the error of each, what its refinements missed, and its latent's statistics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from app.state import Run
from app.widgets.error_curve import ErrorPoint
from core.inversion_plan import reconstruction
from core.measures import LatentStatistics, latent_statistics, mean_squared_error
from core.messages import Refined
from core.requests import InvertRequest, SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge

Misses = dict[int, tuple[float, ...]]
"""Step of the way up to what each of its refinements missed."""


class InvertRecord:
    """Keeps numbers by the job of the way up; the states they were taken from may be forgotten by then."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._errors: dict[int, tuple[InvertRequest, float]] = {}
        self._statistics: dict[int, LatentStatistics] = {}
        self._misses: dict[int, Misses] = {}

    def __len__(self) -> int:
        """How many errors are known."""
        return len(self._errors)

    def note(self, message: Refined) -> None:
        """Keep what a refined step missed."""
        self._misses.setdefault(message.job, {})[message.step - 1] = message.misses

    def measure(self, up: Run, down: Run) -> None:
        """The error of a reconstruction that has come to its end."""
        picture = self._bridge.values(up.job, 0)
        again = self._bridge.values(down.job, down.steps)
        if picture is not None and again is not None and isinstance(up.request, InvertRequest):
            error = float(mean_squared_error(again, picture).mean())
            if math.isfinite(error):
                self._errors[up.job] = up.request, error

    def error(self, job: int) -> float | None:
        """Mean squared error a value in [0, 1] of what came back from this inversion's latent."""
        return self._errors[job][1] if job in self._errors else None

    def misses(self, job: int) -> Mapping[int, tuple[float, ...]]:
        return self._misses.get(job, {})

    def statistics(self, run: Run) -> LatentStatistics | None:
        """Of the latent, as soon as the way up has come to it; None where it is not numbers any more."""
        if run.job not in self._statistics and run.stored >= run.steps:
            latent = self._bridge.values(run.job, run.steps)
            if latent is not None and np.isfinite(latent).all():
                self._statistics[run.job] = latent_statistics(latent)
        return self._statistics.get(run.job)

    def points(self, like: InvertRequest) -> tuple[ErrorPoint, ...]:
        """Of every inversion of the same picture with the same model, the latest where two are alike."""
        latest = {
            request: ErrorPoint(job, len(request.timesteps), error, kind(request))
            for job, (request, error) in self._errors.items()
            if request.images == like.images and request.model == like.model
        }
        return tuple(latest.values())

    def has(self, request: InvertRequest) -> bool:
        return any(known == request for known, _error in self._errors.values())


def ways_down(up: Run, runs: Mapping[int, Run]) -> Iterator[Run]:
    """The runs that began from the latent of an inversion, in order of start."""
    for run in runs.values():
        start = run.request.start if isinstance(run.request, SampleRequest) else None
        if start is not None and getattr(start, "parent", None) == up.request:
            yield run


def is_reconstruction(down: Run, up: Run) -> bool:
    return isinstance(up.request, InvertRequest) and down.request == reconstruction(up.request)


def kind(request: InvertRequest) -> str:
    """What is special about an inversion, steps apart: "refined 3, w 1.5"."""
    label = request.labels[0] if request.labels else None
    words = [
        f"refined {request.refinements}" if request.refinements else "",
        "" if label is None else f"label {label}",
        f"w {request.guidance:g}" if request.guidance else "",
        "" if request.clip == "none" else "clipped",
        "" if request.precision == "float32" else request.precision,
        "" if request.convention == "diffusers" else "OpenAI",
        "" if request.spacing == "leading" else request.spacing,
    ]
    return ", ".join(filter(None, words))
