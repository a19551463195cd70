"""What is asked of a memorisation check. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.evaluation.plans import data_ref
from core.messages import ClassifierInfo
from core.requests import ModelRef, NearestRequest
from core.training.dataset import PictureFolder


def as_pictures(name: str, pictures: NDArray[np.uint8]) -> PictureFolder:
    """Pictures uint8 (n, H, W, C) that lie in no folder, such as samples, as those of one."""
    return PictureFolder(name, pictures, np.zeros(len(pictures), dtype=np.int64), ())


def nearest_request(
    samples: PictureFolder,
    data: PictureFolder,
    held_out: PictureFolder | None = None,
    features: ModelRef | None = None,
    *,
    mirrored: bool = False,
    neighbours: int = 3,
) -> NearestRequest:
    """The ``neighbours`` training pictures nearest to each sample; see ``NearestRequest``."""
    return NearestRequest(
        samples=data_ref(samples),
        data=data_ref(data),
        held_out=None if held_out is None or not len(held_out) else data_ref(held_out),
        features=features,
        neighbours=neighbours,
        mirrored=mirrored,
    )


def fitting_judge(
    judges: Sequence[ClassifierInfo], event_shape: tuple[int, ...], labels: tuple[str, ...]
) -> ClassifierInfo | None:
    """Of recognisers the one to compare a model's pictures by: trained on clean pictures of this shape, and of classes
    that have the names of the model's. None where none is."""
    fit = (one for one in judges if not one.noisy and one.event_shape == event_shape and one.labels == labels)
    return next(fit, None)
