"""What the engine tells the window of a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from core.arrays import Picture
from core.measure_requests import MeasureRequest, MetricName


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """What is known so far of how well a model codes pictures; arrays by t are float64 (k,) along rising ``timesteps``.

    ``terms`` are the means over pictures of L_t in bits a value (t = 0: the decoder's, by the discretised Gaussian),
    NaN where t has not been met yet; ``mse`` that of eps_hat, ``distortion`` the root of the mean squared error of
    x0_hat in 8-bit values (0..255). ``*_error`` are standard errors over the ``pictures`` pictures that are done.
    ``prior`` is L_T, and ``bits_per_dim`` the sum of all, fewer timesteps standing for their strata.
    """

    timesteps: NDArray[np.int64]
    terms: NDArray[np.float64]
    terms_error: NDArray[np.float64]
    mse: NDArray[np.float64]
    mse_error: NDArray[np.float64]
    distortion: NDArray[np.float64]
    prior: float
    bits_per_dim: float
    bits_error: float
    pictures: int
    per_picture: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """Bits a value of every picture that is done, for comparing two models picture by picture."""


@dataclass(frozen=True, slots=True, eq=False)
class DistancePoint:
    """A trial that is done: ``value`` of the metric with its standard error ``error`` (NaN where there is none), over
    ``count`` samples. ``precision`` and ``recall`` 0..1; ``recognised`` is the share that the feature network takes for
    the class asked for (NaN without classes); ``evaluations`` of the network a sample, ``seconds`` for all samples.
    ``pictures`` are the first samples."""

    series: str
    x: float
    value: float
    error: float
    precision: float
    recall: float
    recognised: float
    count: int
    evaluations: int
    seconds: float
    pictures: Picture


@dataclass(frozen=True, slots=True, eq=False)
class Distances:
    """The trials that are done, in their order. ``metric`` is what was measured (see ``note`` where that is another
    than asked for), ``real`` the same distance of as many real pictures from outside the reference, NaN where there are
    none; ``dimensions`` of the features, ``reference`` pictures."""

    points: tuple[DistancePoint, ...]
    metric: MetricName
    dimensions: int
    reference: int
    real: float = float("nan")
    note: str = ""


Quality = Likelihood | Distances


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """For each of n samples the k pictures it was trained on that are nearest by one distance, nearest first.

    ``indices`` int64 and ``distances`` float64 (n, k); ``mirrored`` (n, k) is true where the picture's mirror image is
    meant; ``pictures`` uint8 (n, k, H, W, C) are as they are meant. ``held_out`` and ``own`` are distances of pictures
    kept aside, and of pictures trained on, to the nearest other one. ``sign`` is what follows of learning by heart:
    "none", "nearer", "copies" or "unknown"; ``verdict`` says it in words. What is nearer than ``limit`` is nearer than
    (nearly) all of the yardstick; NaN where there is no such limit.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]
    mirrored: NDArray[np.bool_]
    pictures: Picture
    held_out: NDArray[np.float64]
    own: NDArray[np.float64]
    sign: str
    verdict: str
    limit: float = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The nearest of ``count`` pictures to each of ``samples`` uint8 (n, H, W, C), None by what is not yet measured.

    ``pixels`` are root mean squares of differences in 8-bit values (0..255), ``features`` angles (0..180 degrees)
    between what ``by`` sees in them. ``names`` are files, and ``classes`` the classes, of the pictures met, by index.
    """

    samples: Picture
    count: int
    pixels: Neighbours | None = None
    features: Neighbours | None = None
    by: str = ""
    names: Mapping[int, str] = field(default_factory=dict)
    classes: Mapping[int, str] = field(default_factory=dict)


Measurement = Quality | Nearest


@dataclass(frozen=True, slots=True)
class MeasureStarted:
    """A measurement has begun; ``total`` counts its parts."""

    job: int
    request: MeasureRequest
    total: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known after ``done`` of ``total`` parts; ``eta`` in seconds. The last one is the whole."""

    job: int
    result: Measurement
    done: int
    total: int
    eta: float
