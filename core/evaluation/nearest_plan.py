"""What is asked of a memorisation check. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.codec import field_from_json
from core.errors import Refusal
from core.evaluation.plans import data_ref
from core.json_file import Fields, read_json
from core.measure_requests import NearestRequest
from core.messages import ClassifierInfo
from core.requests import ModelRef
from core.training.dataset import PictureFolder
from core.training.reading import Reading
from core.training.split import evenly

FILE = "diffuscope.json"


def as_pictures(name: str, pictures: NDArray[np.uint8]) -> PictureFolder:
    """Pictures uint8 (n, H, W, C) that lie in no folder, such as samples, as those of one."""
    return PictureFolder(name, pictures, np.zeros(len(pictures), dtype=np.int64), ())


@dataclass(frozen=True, slots=True)
class Trained:
    """How a model's pictures were used: ``reading`` (None: as usual), the hash of what was read, what was mirrored, and
    which were kept ``aside`` (None: not said) of how many for ``validation``."""

    reading: Reading | None = None
    data_sha256: str = ""
    flip: bool = False
    never_flipped: tuple[str, ...] = ()
    validation: int = 0
    aside: tuple[int, ...] | None = None

    def aside_of(self, data: PictureFolder) -> tuple[int, ...]:
        """The numbers of the pictures of ``data`` that were kept aside; of other pictures none were."""
        if self.data_sha256 not in ("", data.sha256):
            return ()
        rows = evenly(len(data), self.validation).tolist() if self.aside is None else self.aside
        return tuple(row for row in rows if row < len(data))


def trained_as(folder: Path) -> Trained:
    """What the folder of a model says of that; as usual where it says nothing, or nothing that can be read."""
    try:
        training = read_json(folder / FILE)["provenance"]["training"]
        wanted = {item.name for item in fields(Trained)} & training.keys() - {"never_flipped"}
        values = {name: field_from_json(Trained, name, training[name]) for name in wanted}
        return Trained(**values, never_flipped=Fields(training, FILE).texts("never_flipped"))
    except (Refusal, OSError, KeyError, TypeError, AttributeError):
        return Trained()


def nearest_request(
    samples: PictureFolder,
    data: PictureFolder,
    held_out: PictureFolder | None = None,
    features: ModelRef | None = None,
    *,
    mirrored: bool = False,
    aside: tuple[int, ...] = (),
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
        aside=aside,
    )


def fitting_judge(
    judges: Sequence[ClassifierInfo], event_shape: tuple[int, ...], labels: tuple[str, ...]
) -> ClassifierInfo | None:
    """Of recognisers the one to compare a model's pictures by: trained on clean pictures of this shape, and of classes
    that have the names of the model's. None where none is."""
    fit = (one for one in judges if not one.noisy and one.event_shape == event_shape and one.labels == labels)
    return next(fit, None)
