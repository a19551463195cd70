"""Samples drawn for each trial of a comparison, by the code that runs use, and how far they are from the data."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from core.errors import Refusal
from core.evaluation.distance import Distance, frechet, kernel_distance, may_use_frechet, precision_and_recall
from core.evaluation.looks import as_input
from core.evaluation.measuring import Check, Part, check_data, pictures_as
from core.evaluation.plans import evaluations_of, some_pictures
from core.jobs import SampleRun
from core.levels import CLEAN
from core.library import Library, Recogniser
from core.measure_requests import DistanceRequest, Trial
from core.messages import DistancePoint, Distances, frozen
from core.requests import SampleRequest
from core.training.dataset import PictureFolder

AT_ONCE = 16
"""Pictures whose features are taken in a piece of work."""
SHOWN = 16
MOST_VALUES = 250_000_000
"""Of features, samples times dimensions: 2 GB."""
MAX_SEED = 2**64 - 1

Features = NDArray[np.float64]
Pictures = NDArray[np.uint8]


class DistanceMeasuring:
    """The work of a ``DistanceRequest``: features of the reference, then trial by trial its samples and distances.

    Samples are judged as the pictures they would be saved as: 8 bits, clamped to the data's range. A classifier's
    features are divided by their root mean square over the reference, because the kernel is made for values about 1;
    those of a network with published figures stay as they are.
    """

    def __init__(
        self,
        request: DistanceRequest,
        library: Library,
        device: str,
        data: PictureFolder,
        *,
        check: Check,
        breathe: Check,
    ) -> None:
        """Raises: Refusal where request, models, feature network and pictures do not fit."""
        check_data(request.data, request.pictures, data)
        if not request.trials:
            raise Refusal("There is nothing to measure: name at least one trial.")
        self._request, self._library, self._device = request, library, device
        self._check, self._breathe, self._scale = check, breathe, 1.0
        self._recogniser = library.recogniser(request.features)
        for trial in request.trials:
            self._check_fit(trial, data)
        counts = [_samples_of(trial) for trial in request.trials]
        self._check_size(max(*counts, len(request.pictures)))
        shape = library.model(request.trials[0].request.model).info.event_shape
        pictures = pictures_as(data, shape, request.trials[0].request.model.name)
        self._reference = pictures[list(request.pictures)]
        self._labels, self._outside = data.labels, self._apart(data)
        self._real = pictures[self._outside]
        dimensions = self._recogniser.info.features
        whole = all(may_use_frechet(count, len(self._reference), dimensions) for count in counts)
        self._metric = request.metric if whole else "kernel"
        self._note = "" if request.metric == self._metric else _why_kernel(counts, len(self._reference), dimensions)
        looks = _pieces(len(self._reference)) + (_pieces(len(self._real)) + 1 if len(self._real) else 0)
        self.total = looks + sum(_pieces_of(trial) for trial in request.trials)

    def work(self) -> Iterator[Part]:
        done = 0
        reference: list[Features] = []
        for looked in self._features(self._reference):
            reference.append(looked)
            done += 1
            yield Part(done, None if done > 1 else self._result([], len(self._reference), math.nan))
        self._scale = _scale_of(np.concatenate(reference), self._recogniser)
        theirs, real = self._scale * np.concatenate(reference), float("nan")
        if len(self._real):
            outside: list[Features] = []
            for looked in self._features(self._real):
                outside.append(looked)
                done += 1
                yield Part(done, None)
            real = self._distance(self._scale * np.concatenate(outside), theirs, self._labels[self._outside]).value
            done += 1
            yield Part(done, self._result([], len(theirs), real))
        points: list[DistancePoint] = []
        for trial in self._request.trials:
            drawn = _Drawn()
            for _ in self._draw(trial, drawn):
                done += 1
                yield Part(done, None)
            points.append(self._point(trial, drawn, theirs))
            done += 1
            yield Part(done, self._result(points, len(theirs), real))

    def _draw(self, trial: Trial, drawn: _Drawn) -> Iterator[None]:
        """The samples of all batches and what is seen in them, a step or a look at a time."""
        served = [0.0]

        def breathe() -> None:
            began = time.perf_counter()
            self._breathe()
            served[0] += time.perf_counter() - began

        for number in range(trial.batches):
            request = replace(trial.request, seed=trial.request.seed + number)
            run = SampleRun(request, self._library, self._device, cap=0)
            run.watch(self._check, breathe)
            steps = run.steps()
            while True:
                began, waited = time.perf_counter(), served[0]
                step = next(steps, None)
                drawn.seconds += time.perf_counter() - began - (served[0] - waited)
                if step is None:
                    break
                yield
            x = run.trajectory.frame(request.steps)
            drawn.are_numbers &= bool(np.isfinite(x).all())
            pictures = run.model.spec.to_picture(x)
            drawn.pictures.extend(pictures[: SHOWN - len(drawn.pictures)])
            classes = self._classes_of(request)
            for looked, recognised in self._looks(pictures, classes):
                drawn.features.append(looked)
                drawn.recognised += recognised
                yield

    def _point(self, trial: Trial, drawn: _Drawn, reference: Features) -> DistancePoint:
        features = self._scale * np.concatenate(drawn.features)
        distance, precision, recall = Distance(math.nan, math.nan), math.nan, math.nan
        if drawn.are_numbers:
            distance = self._distance(features, reference, _strata_of(trial))
            precision, recall = precision_and_recall(features, reference, self._request.neighbours, self._breathe)
        else:
            self._note += (" " if self._note else "") + _why_none(trial)
        return DistancePoint(
            series=trial.series,
            x=trial.x,
            value=distance.value,
            error=distance.error,
            precision=precision,
            recall=recall,
            recognised=float(np.mean(drawn.recognised)) if drawn.recognised else float("nan"),
            count=len(features),
            evaluations=evaluations_of(trial.request),
            seconds=drawn.seconds,
            pictures=frozen(np.stack(drawn.pictures)),
        )

    def _distance(self, features: Features, reference: Features, drawn_as: NDArray[np.int64] | None) -> Distance:
        if self._metric == "frechet":
            return frechet(features, reference, self._request.seed, self._breathe)
        strata = drawn_as, self._labels[list(self._request.pictures)]
        return kernel_distance(features, reference, self._request.seed, self._breathe, strata)

    def _result(self, points: Sequence[DistancePoint], reference: int, real: float) -> Distances:
        dimensions = self._recogniser.info.features
        return Distances(tuple(points), self._metric, dimensions, reference, real, self._note)

    def _features(self, pictures: Pictures) -> Iterator[Features]:
        for looked, _ in self._looks(pictures, ()):
            yield looked

    def _looks(self, pictures: Pictures, classes: Sequence[int | None]) -> Iterator[tuple[Features, list[bool]]]:
        """Features of pictures, some at a time, and whether those with a class (an index of the feature network's) are
        recognised as it."""
        info = self._recogniser.info
        for start in range(0, len(pictures), AT_ONCE):
            self._breathe()
            x = as_input(pictures[start : start + AT_ONCE], info.event_shape[0]).to(self._device)
            features = self._recogniser.features(x, self._check).double().cpu().numpy()
            asked = list(classes[start : start + AT_ONCE])
            recognised: list[bool] = []
            if any(label is not None for label in asked):
                said = self._recogniser.log_probabilities(x, CLEAN, self._check).argmax(dim=1).tolist()
                recognised = [a == b for a, b in zip(asked, said, strict=True) if a is not None]
            yield features, recognised

    def _classes_of(self, request: SampleRequest) -> tuple[int | None, ...]:
        """The feature network's class that each sample was asked to be, by its name; None where it knows none."""
        names: list[str | None]
        guide = request.classifier
        labels = self._library.model(request.model).info.labels
        if labels and any(label is not None for label in request.labels):
            names = [labels[label] if label is not None and label < len(labels) else None for label in request.labels]
        elif guide is not None:
            known = self._library.recogniser(guide.model).info.labels
            names = [known[label] if label < len(known) else None for label in guide.labels]
        else:
            return (None,) * len(request.samples)
        ours = {name: index for index, name in enumerate(self._recogniser.info.labels)}
        classes = [ours.get(name) if name is not None else None for name in names]
        return tuple(classes[cell] for cell in request.samples)

    def _apart(self, data: PictureFolder) -> list[int]:
        """As many pictures outside of the reference as there are samples; none where the folder has not that many."""
        wanted = max(_samples_of(trial) for trial in self._request.trials)
        outside = np.setdiff1d(np.arange(len(data)), self._request.pictures)
        if len(outside) < wanted:
            return []
        return [int(outside[place]) for place in some_pictures(data.labels[outside], wanted, self._request.seed)]

    def _check_fit(self, trial: Trial, data: PictureFolder) -> None:
        model = self._library.model(trial.request.model).info
        pictures_as(data, model.event_shape, model.ref.name)
        check_features(self._recogniser, model.event_shape, f"“{model.ref.name}”")
        if _samples_of(trial) < 2 or len(self._request.pictures) < 2:
            raise Refusal("A distance needs at least two samples and two pictures.")
        if trial.request.seed + trial.batches - 1 > MAX_SEED:
            raise Refusal(
                f"The seed of “{trial.series}” leaves no seeds for {trial.batches} batches: choose a lower one."
            )
        SampleRun(trial.request, self._library, self._device, cap=0)  # what it refuses is refused now, not hours later

    def _check_size(self, most: int) -> None:
        dimensions = self._recogniser.info.features
        if most * dimensions > MOST_VALUES:
            raise Refusal(
                f"{most:,} samples with {dimensions} features each are more than can be compared at once: choose at "
                f"most {MOST_VALUES // dimensions:,}."
            )


@dataclass(slots=True)
class _Drawn:
    """What a trial has drawn: some of its pictures, the features of all, whether each was recognised, the seconds it
    took, and whether it came to numbers."""

    pictures: list[Pictures] = field(default_factory=list)
    features: list[Features] = field(default_factory=list)
    recognised: list[bool] = field(default_factory=list)
    seconds: float = 0.0
    are_numbers: bool = True


def check_features(recogniser: Recogniser, event_shape: tuple[int, ...], who: str) -> None:
    """Raise Refusal where a feature network does not look at what ``who`` makes."""
    info = recogniser.info
    if info.event_shape[1:] != event_shape[1:] and not _is_published(recogniser):
        height, width = info.event_shape[1:]
        raise Refusal(
            f"“{info.ref.name}” looks at pictures of {width} × {height} pixels, not at those of {who}. "
            "Choose another feature network, such as Inception's weights, which takes pictures of any size."
        )


def _is_published(recogniser: Recogniser) -> bool:
    """Whether it is a network whose distances are compared across papers; those take pictures of any size."""
    return bool(getattr(recogniser, "published", False))


def _scale_of(reference: Features, recogniser: Recogniser) -> float:
    if _is_published(recogniser):
        return 1.0
    size = float(np.sqrt(np.square(reference).mean()))
    return 1 / size if size > 0 else 1.0


def _samples_of(trial: Trial) -> int:
    return len(trial.request.samples) * trial.batches


def _strata_of(trial: Trial) -> NDArray[np.int64]:
    """The class that each sample was drawn as, the same number of each in every batch; -1 for none."""
    request = trial.request
    labels: Sequence[int | None] = request.labels
    if request.classifier is not None and all(label is None for label in labels):
        labels = request.classifier.labels
    asked = labels if len(labels) == request.count else (None,) * request.count
    classes = [-1 if asked[cell] is None else asked[cell] for cell in request.samples]
    return np.tile(np.array(classes, dtype=np.int64), trial.batches)


def _pieces(pictures: int) -> int:
    return -(-pictures // AT_ONCE)


def _pieces_of(trial: Trial) -> int:
    return trial.batches * (trial.request.steps + _pieces(len(trial.request.samples))) + 1


def _why_kernel(counts: Sequence[int], reference: int, dimensions: int) -> str:
    return (
        f"The kernel distance instead of the Fréchet distance: with {dimensions} features that needs at least "
        f"{5 * dimensions} samples and as many pictures; there are {min(counts)} and {reference}."
    )


def _why_none(trial: Trial) -> str:
    return (
        f"Some samples of {trial.series}, {trial.x:g} hold values that are no numbers, so they have no distance: guide "
        "less, clip x0_hat, or compute in float32."
    )
