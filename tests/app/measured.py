"""Results of measurements made by hand, and pictures to measure on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from core.measure_requests import DistanceRequest
from core.messages import ClassifierInfo, DistancePoint, Distances, Likelihood, frozen
from core.requests import ModelRef, ScheduleSpec

JUDGE = ClassifierInfo(
    ref=ModelRef("digits-judge", "e" * 64),
    event_shape=(1, 32, 32),
    labels=tuple("0123456789"),
    schedule=ScheduleSpec("linear"),
    features=32,
    noisy=False,
)
TIMES = (0, 100, 500, 999)


def likelihood(pictures: int = 50, known: int = 4, shift: float = 0.0) -> Likelihood:
    """Four timesteps of a thousand, of which the first ``known`` are measured."""

    def of(*values: float) -> np.ndarray:
        array = np.array(values) + (shift if len(values) > 1 else 0.0)
        array[known:] = np.nan
        return frozen(array)

    return Likelihood(
        timesteps=frozen(np.array(TIMES)),
        terms=of(1.0, 0.004, 0.0005, 0.00001),
        terms_error=frozen(np.array([0.02, 0.0004, 0.00005, 0.000001])),
        mse=of(0.9, 0.1, 0.02, 0.001),
        mse_error=frozen(np.full(4, 0.0005)),
        distortion=of(1.0, 12.0, 38.0, 80.0),
        prior=0.00002,
        bits_per_dim=2.25 + shift if known == 4 else float("nan"),
        bits_error=0.03,
        pictures=pictures,
        per_picture=frozen(np.full(pictures, 2.25)),
    )


def distances(request: DistanceRequest, done: int | None = None, real: float = 0.002) -> Distances:
    """A point for each of the first ``done`` trials, no two alike."""
    points = tuple(
        DistancePoint(
            series=trial.series,
            x=trial.x,
            value=0.2 / (1 + number),
            error=0.01 / (1 + number),
            precision=0.5 + 0.02 * number,
            recall=0.8 - 0.03 * number,
            recognised=0.9 - 0.01 * number,
            count=trial.batches * trial.request.count,
            evaluations=trial.request.steps,
            seconds=1.0 + number,
            pictures=frozen(np.full((10, 32, 32, 1), 20 * number % 256, np.uint8)),
        )
        for number, trial in enumerate(request.trials[:done])
    )
    return Distances(points, request.metric, 32, len(request.pictures), real)


def folder_of_pictures(at: Path, count: int = 12, size: int = 40, classes: tuple[str, ...] = ("0", "1")) -> Path:
    """Grey noise in sub-folders."""
    rng = np.random.default_rng(3)
    for name in classes:
        (at / name).mkdir(parents=True, exist_ok=True)
        for number in range(count // len(classes)):
            pixels = rng.integers(0, 256, (size, size), np.uint8)
            Image.fromarray(pixels).save(at / name / f"{number}.png")
    return at
