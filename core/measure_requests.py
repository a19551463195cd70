"""Requests for measurements: how good a model is, and whether its samples are copies.

Like all requests they are resolved, immutable and serialisable (see core/codec.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.requests import ClipPolicy, ModelRef, Precision, SampleRequest, ScheduleSpec, VarianceName

MetricName = Literal["frechet", "kernel"]


@dataclass(frozen=True, slots=True)
class DataRef:
    """Pictures of a folder by the hash of what is decoded of them (see ``PictureFolder.sha256``)."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class LikelihoodRequest:
    """How many bits a value the model needs for pictures of ``data``: L_0 .. L_T in the papers' accounting.

    ``pictures`` are indices into the data; each is noised ``draws`` times at every one of ``timesteps`` (falling; all
    T for the exact sum, fewer are taken as strata of t). Its noise depends on ``seed``, its index, t and the number of
    the draw alone, so that two models meet the same. ``labelled`` gives the network each picture's class, where it
    knows it. ``variance`` is that of the reverse step, ``clip`` holds x0_hat ("none" or "clamp").
    """

    model: ModelRef
    schedule: ScheduleSpec
    data: DataRef
    pictures: tuple[int, ...]
    timesteps: tuple[int, ...]
    draws: int = 1
    seed: int = 0
    labelled: bool = True
    variance: VarianceName = "large"
    clip: ClipPolicy = "clamp"
    precision: Precision = "float32"


@dataclass(frozen=True, slots=True)
class Trial:
    """A point of a comparison: the samples of ``request``, drawn ``batches`` times with seeds counted up from its own,
    as the point ``x`` of the curve ``series``."""

    series: str
    x: float
    request: SampleRequest
    batches: int = 1


@dataclass(frozen=True, slots=True)
class DistanceRequest:
    """How far samples are from pictures of ``data``, for each of ``trials``.

    ``metric`` is the Frechet distance (Heusel et al. 2017) or the unbiased kernel distance (Binkowski et al. 2018), in
    the features of the network ``features``; ``pictures`` are indices of the reference. ``neighbours`` is the k of
    precision and recall (Kynkaanniemi et al. 2019). ``seed`` draws the subsets that error bars come from.
    """

    trials: tuple[Trial, ...]
    data: DataRef
    pictures: tuple[int, ...]
    features: ModelRef
    metric: MetricName = "kernel"
    neighbours: int = 3
    seed: int = 0


QualityRequest = LikelihoodRequest | DistanceRequest
"""How good a model is."""


@dataclass(frozen=True, slots=True)
class NearestRequest:
    """The nearest pictures of ``data``, on which a model was trained, to each of ``samples``: ``neighbours`` of them.

    By pixels, and by features of the network ``features`` (a recogniser, or a model's own; None: by pixels alone).
    ``mirrored`` counts mirrored pictures of ``data`` too, but for those that are never mirrored. The training kept
    ``aside`` the pictures of ``data`` with these numbers: they are no neighbours. The yardstick are as many as
    ``yardstick`` pictures of ``held_out`` (None: of those kept aside), and of ``data`` itself beside its others.
    """

    samples: DataRef
    data: DataRef
    held_out: DataRef | None = None
    features: ModelRef | None = None
    neighbours: int = 3
    mirrored: bool = False
    aside: tuple[int, ...] = ()
    yardstick: int = 500


MeasureRequest = QualityRequest | NearestRequest
"""What the engine measures."""
