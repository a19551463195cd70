"""Has a model learned pictures by heart? The training pictures nearest to its samples, beside a yardstick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import Refusal
from core.evaluation.distances import check_features
from core.evaluation.looks import Eye, RecogniserEye, directions, eye_of
from core.evaluation.measuring import Check, Part
from core.evaluation.neighbours import SPARE, NearestSearch, differences, mirror, pieces
from core.evaluation.verdict import judged
from core.library import Library
from core.measure_requests import DataRef, NearestRequest
from core.messages import Nearest, Neighbours, Picture, frozen
from core.training.dataset import PictureFolder
from core.training.split import kept_aside

AT_ONCE = 32
"""Pictures whose features are taken, or which are compared exactly, in a piece of work."""
MOST_VALUES = 200_000_000
"""Of all pictures that are compared with the training pictures, mirrored ones too: 0.8 GB."""

Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Found:
    """The nearest pictures of every query, nearest first, each as it is meant: (q, k) and (q, k, H, W, C)."""

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]
    mirrored: NDArray[np.bool_]


class NearestMeasuring:
    """The work of a ``NearestRequest``: all training pictures met once by their pixels, once by their features.

    What is compared with them are the samples, held-out pictures (those that ``data`` keeps aside, where there are no
    others) and, evenly spread, training pictures themselves.
    Candidates are found with a matrix product and measured exactly. Features are compared by their direction from the
    mean over the spread training pictures. Memory does not grow with the training pictures, which may lie on the disk.
    """

    def __init__(
        self,
        request: NearestRequest,
        library: Library,
        device: str,
        data: PictureFolder,
        beside: Sequence[PictureFolder],
        *,
        check: Check,
        breathe: Check,
    ) -> None:
        """``beside`` are the samples and the held-out pictures. Raises Refusal where they are not, or do not fit."""
        if request.data.sha256 != data.sha256:
            raise Refusal(f"The pictures in {data.name} are not those this measurement was made for. Begin it anew.")
        if request.neighbours < 1:
            raise Refusal("Ask for at least 1 neighbour.")
        if request.aside:
            data = kept_aside(data, np.array(request.aside, np.int64))[0]
        samples = _among(beside, request.samples)
        held_out = None if request.held_out is None else _among(beside, request.held_out)
        sets = [samples, data] if held_out is None else [samples, data, held_out]
        for pictures in sets:
            _check_fit(pictures, data)
        self._check, self._breathe, self._device = check, breathe, device
        self._data, self._samples = data, samples.pictures
        self._channels = max(pictures.pictures.shape[3] for pictures in sets)
        self._rows = data.trained_on
        spread = self._rows[_spread(len(self._rows), request.yardstick)]
        self._own = spread if len(self._rows) > 1 else spread[:0]
        apart = data.at(_some(data.aside, request.yardstick))
        if held_out is not None:
            apart = held_out.at(_spread(len(held_out), request.yardstick))
        self._held_out = len(apart)
        queries = [samples.pictures, data.at(self._own), apart]
        self._queries = np.concatenate([_in_channels(pictures, self._channels) for pictures in queries])
        self._itself = torch.full((len(self._queries),), -1, dtype=torch.int64)
        self._itself[len(self._samples) : len(self._samples) + len(self._own)] = torch.from_numpy(self._own)
        self._k = min(request.neighbours, len(self._rows))
        self._mirrored = request.mirrored and bool(data.flippable.any())
        self._may_mirror = torch.from_numpy(data.flippable)
        self._eye = self._open_eye(request, library, device)
        values = self._queries[0].size
        if values * len(self._queries) * self._forms > MOST_VALUES:
            most = MOST_VALUES // (values * self._forms) - len(self._own) - self._held_out
            raise Refusal(f"So many samples cannot be compared at once: choose at most {max(1, most):,}.")
        self._pieces = list(pieces(len(self._rows), len(self._queries) * self._forms, values))
        looks = _parts(len(self._queries)) * self._forms + _parts(len(self._rows))
        self.total = 1 + len(self._pieces) + _parts(len(self._queries)) + (looks if self._eye is not None else 0)

    @property
    def _forms(self) -> int:
        return 2 if self._mirrored else 1

    def work(self) -> Iterator[Part]:
        """First nothing, then what the pixels say, then what the features say as well."""
        done, pixels = 1, None
        yield Part(done, self._result(None, None))
        search = self._pixel_search()
        for here in self._pieces:
            self._breathe()
            rows = self._rows[here]
            search.look_at(_flat(self._training(rows)), torch.from_numpy(rows), self._may_mirror[rows])
            done += 1
            yield Part(done, None)
        exact: list[_Found] = []
        for found in self._measured(search.found[1]):
            exact.append(found)
            done += 1
            if done < 1 + len(self._pieces) + _parts(len(self._queries)):
                yield Part(done, None)
        pixels = self._neighbours(_joined(exact))
        yield Part(done, self._result(pixels, None))
        if self._eye is None:
            return
        seen: list[Tensor] = []
        forms = [self._queries, mirror(self._queries)][: self._forms]
        for pictures in forms:
            for looked in self._seen(pictures, self._eye):
                seen.append(looked)
                done += 1
                yield Part(done, None)
        direct = directions(self._centre(torch.cat(seen)))
        search = self._feature_search(torch.cat(seen), direct)
        for start in range(0, len(self._rows), AT_ONCE):
            self._breathe()
            rows = self._rows[start : start + AT_ONCE]
            points = direct(self._eye.features(self._training(rows), self._check))
            search.look_at(points, torch.from_numpy(rows), self._may_mirror[rows], exact=True)
            done += 1
            if done < self.total:
                yield Part(done, None)
        features = self._neighbours(self._by_features(search, torch.cat(seen), direct))
        yield Part(done, self._result(pixels, features))

    # ------------------------------------------------------------------------------------------------ by pixels

    def _pixel_search(self) -> NearestSearch:
        queries = _flat(self._queries)
        mirrored = _flat(mirror(self._queries)) if self._mirrored else None
        return NearestSearch(queries, self._k + SPARE, self._itself, mirrored)

    def _measured(self, candidates: NDArray[np.int64]) -> Iterator[_Found]:
        """The candidates of every query in their exact order, some queries at a time."""
        may = self._data.flippable if self._mirrored else np.zeros(len(self._data), dtype=np.bool_)
        for start in range(0, len(self._queries), AT_ONCE):
            self._breathe()
            rows = range(start, min(start + AT_ONCE, len(self._queries)))
            yield _joined([self._one(row, candidates[row], may) for row in rows])

    def _one(self, row: int, candidates: NDArray[np.int64], may: NDArray[np.bool_]) -> _Found:
        own = int(self._itself[row])
        numbers = np.sort(candidates[candidates != own])
        others = _in_channels(self._data.at(numbers), self._channels)
        upright = differences(self._queries[row], others)
        turned = np.where(may[numbers], differences(self._queries[row], mirror(others)), np.inf)
        distances = np.minimum(upright, turned)
        best = np.argsort(distances, kind="stable")[: self._k]
        return _padded(numbers[best], distances[best], (turned < upright)[best], self._k)

    # ------------------------------------------------------------------------------------------------ by features

    def _open_eye(self, request: NearestRequest, library: Library, device: str) -> Eye | None:
        if request.features is None:
            return None
        eye = eye_of(request.features, library, device)
        if isinstance(eye, RecogniserEye):
            height, width = self._data.pictures.shape[1:3]
            check_features(eye.recogniser, (self._channels, height, width), f"“{self._data.name}”")
        else:
            _check_network(library.model(request.features).info.event_shape, self._data, request.features.name)
        return eye

    def _seen(self, pictures: Pictures, eye: Eye) -> Iterator[Tensor]:
        for start in range(0, len(pictures), AT_ONCE):
            self._breathe()
            yield eye.features(pictures[start : start + AT_ONCE], self._check)

    def _centre(self, seen: Tensor) -> Tensor:
        """The mean over the spread training pictures; over all that are compared where those are too few."""
        first, many = len(self._samples), len(self._own)
        return seen[first : first + many].mean(dim=0) if many else seen.mean(dim=0)

    def _feature_search(self, seen: Tensor, direct: Callable[[Tensor], Tensor]) -> NearestSearch:
        upright, *turned = torch.split(direct(seen), len(self._queries))
        return NearestSearch(upright, self._k, self._itself, turned[0] if turned else None)

    def _by_features(self, search: NearestSearch, seen: Tensor, direct: Callable[[Tensor], Tensor]) -> _Found:
        """Angles between directions in degrees; which of the samples' neighbours are meant mirrored is seen by
        looking at these again."""
        squares, indices = search.found
        mirrored = np.zeros(indices.shape, dtype=np.bool_)
        if self._mirrored and self._eye is not None:
            upright, turned = torch.split(direct(seen), len(self._queries))
            for row in range(len(self._samples)):
                self._breathe()
                others = self._eye.features(self._training(indices[row]), self._check)
                points = direct(others).double()
                apart = [(points - query[row].double()).square().sum(dim=1) for query in (upright, turned)]
                mirrored[row] = (apart[1] < apart[0]).numpy() & self._data.flippable[indices[row]]
        return _Found(indices, np.degrees(2 * np.arcsin(np.minimum(np.sqrt(squares) / 2, 1))), mirrored)

    # ------------------------------------------------------------------------------------------------ what is told

    def _training(self, rows: NDArray[np.int64]) -> Pictures:
        return _in_channels(self._data.at(rows), self._channels)

    def _neighbours(self, found: _Found) -> Neighbours:
        n, own = len(self._samples), len(self._own)
        nearest = found.distances[:, 0]
        held_out, others = np.sort(nearest[n + own :]), np.sort(nearest[n : n + own])
        verdict = judged(nearest[:n], held_out, others)
        return Neighbours(
            frozen(found.indices[:n]),
            frozen(found.distances[:n]),
            frozen(found.mirrored[:n]),
            frozen(self._pictures(found.indices[:n], found.mirrored[:n])),
            frozen(held_out),
            frozen(others),
            verdict.sign,
            verdict.words,
            verdict.limit,
        )

    def _pictures(self, indices: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> Picture:
        pictures: Picture = self._data.at(indices.ravel())
        turned = mirrored.ravel()
        pictures[turned] = mirror(pictures[turned])
        return pictures.reshape(*indices.shape, *pictures.shape[1:])

    def _result(self, pixels: Neighbours | None, features: Neighbours | None) -> Nearest:
        data, met = self._data, [one.indices.ravel() for one in (pixels, features) if one is not None]
        numbers = np.unique(np.concatenate(met)).tolist() if met else []
        return Nearest(
            frozen(self._samples),
            len(self._rows),
            pixels,
            features,
            "" if self._eye is None else self._eye.name,
            {number: data.paths[number] for number in numbers} if data.paths else {},
            {number: data.classes[data.labels[number]] for number in numbers} if data.classes else {},
        )


def _among(beside: Sequence[PictureFolder], wanted: DataRef) -> PictureFolder:
    found = next((pictures for pictures in beside if pictures.sha256 == wanted.sha256), None)
    if found is None or not len(found):
        raise Refusal(f"The pictures “{wanted.name}” are not at hand. Begin this measurement anew.")
    return found


def _check_fit(pictures: PictureFolder, data: PictureFolder) -> None:
    (height, width), (tall, wide) = pictures.pictures.shape[1:3], data.pictures.shape[1:3]
    if (height, width) != (tall, wide):
        raise Refusal(
            f"Pictures of {width} × {height} pixels ({pictures.name}) cannot be compared with pictures of {wide} × "
            f"{tall} ({data.name}). Open both at one size."
        )


def _check_network(event_shape: tuple[int, ...], data: PictureFolder, name: str) -> None:
    if event_shape[1:] != data.pictures.shape[1:3]:
        side = "{1} × {0}".format(*data.pictures.shape[1:3])
        raise Refusal(f"“{name}” does not look at pictures of {side} pixels, as those of {data.name} are.")


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of 0..count-1, evenly spread."""
    wanted = min(count, max(0, most))
    return (np.arange(wanted) * 2 + 1) * count // (2 * max(1, wanted))


def _some(rows: Sequence[int], most: int) -> NDArray[np.int64]:
    return np.asarray(rows, dtype=np.int64)[_spread(len(rows), most)]


def _parts(pictures: int) -> int:
    return -(-pictures // AT_ONCE)


def _in_channels(pictures: Pictures, channels: int) -> Pictures:
    """Grey as equal colours where others are coloured."""
    has = pictures.shape[-1]
    return pictures if has == channels else np.repeat(pictures, channels, axis=-1)


def _flat(pictures: Pictures) -> Tensor:
    """float32 (n, values), centred, which keeps more digits of what differs."""
    return torch.from_numpy(np.array(pictures, dtype=np.float32).reshape(len(pictures), -1)).sub_(127.5)


def _padded(indices: NDArray[np.int64], distances: NDArray[np.float64], mirrored: NDArray[np.bool_], k: int) -> _Found:
    """One query's neighbours as a row of ``k``; a training picture beside itself alone has fewer."""
    missing = k - len(indices)
    return _Found(
        np.pad(indices, (0, missing), constant_values=-1)[None],
        np.pad(distances, (0, missing), constant_values=np.inf)[None],
        np.pad(mirrored, (0, missing))[None],
    )


def _joined(parts: Sequence[_Found]) -> _Found:
    return _Found(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Found.__slots__))
