"""Making end points: from seeds, pictures, bundled samples and the samples of runs. No widget here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.stages.morph_settings import MOST_ENDS, EndPoint, PicturePoint, converted, label_for
from app.stages.network_eye import takes_pictures
from app.state import AppState, Run
from app.widgets.conversion import conversion_for
from core.dataspec import ImageSpec
from core.images import OpenedImage, from_pixels, open_image
from core.likeness import likeness
from core.messages import ModelInfo
from core.noise import initial_noise
from core.requests import FromNoise, SampleRequest, SeedEnd
from resources import samples

Pixels = NDArray[np.uint8]
LIKED = ("digit 3", "digit 8", "digit 0", "digit 5")
"""Bundled pictures that are tried first."""


def first_look(state: AppState, model: ModelInfo) -> list[EndPoint]:
    """Two end points before anybody chose any: the window's picture if the model knows such ones, bundled ones that
    it knows, else seeds."""
    points = bundled(state, model)
    if state.image is not None and takes_pictures(model):
        own = picture_point(state, state.image, model)
        if warning(own, model) is None:
            points = [own, *unlike(points, [own], model)]
    return points[:2] if len(points) >= 2 else [seed_point(state.seed + k, first_label(model)) for k in range(2)]


def bundled(state: AppState, model: ModelInfo) -> list[EndPoint]:
    """Bundled pictures that are like what the model was trained on, as many as there can be end points and one."""
    if not takes_pictures(model) or not model.data_statistics:
        return []
    found = sorted(samples(), key=lambda sample: LIKED.index(sample.name) if sample.name in LIKED else len(LIKED))
    points: list[EndPoint] = []
    for sample in found:
        point = picture_point(state, open_image(sample.path, sample.name), model)
        if warning(point, model) is None:
            points.append(point)
        if len(points) > MOST_ENDS:
            break
    return points


def unlike(points: Sequence[EndPoint], taken: Sequence[EndPoint], model: ModelInfo) -> list[EndPoint]:
    """Those of ``points`` that show another picture than all of ``taken``, whatever they are called."""
    shown = {_pixels(point) for point in taken}
    return [point for point in points if _pixels(point) not in shown]


def _pixels(point: EndPoint) -> bytes | None:
    return converted(point.source).tobytes() if isinstance(point.source, PicturePoint) else None


def warning(point: EndPoint, model: ModelInfo) -> str | None:
    """How a picture is unlike what the model was trained on, in words."""
    if not isinstance(point.source, PicturePoint):
        return None
    return likeness(converted(point.source), model.data_statistics)


def picture_point(state: AppState, image: OpenedImage, model: ModelInfo) -> EndPoint:
    """A picture, converted as the person said where it is the window's; its class is the one its name names."""
    channels, *size = model.event_shape
    own = state.conversion
    fits = own is not None and own.channels == channels and own.size == tuple(size)
    is_the_windows = state.image is not None and image.sha256 == state.image.sha256
    conversion = own if own is not None and fits and is_the_windows else conversion_for(image, model)
    named = label_for(image.name, model.labels)
    return EndPoint(PicturePoint(image, conversion), first_label(model) if named is None else named, image.name)


def seed_point(seed: int, label: int | None) -> EndPoint:
    return EndPoint(SeedEnd(seed), label, f"seed {seed}")


def sample_point(state: AppState, run: Run, request: SampleRequest, index: int, picture: Pixels) -> EndPoint:
    """A finished sample, uint8 (H, W, C), by its number in the batch: its own noise where it began from noise, else
    its picture."""
    model = state.model
    assert model is not None
    name = f"run {run.job}, sample {index + 1}"
    place = index if len(request.labels) == request.count else request.samples.index(index)
    label = request.labels[place] if request.labels else None
    if isinstance(request.start, FromNoise) and request.model == model.ref:
        return EndPoint(SeedEnd(request.seed, request.count, index), label, name)
    return replace(
        picture_point(state, from_pixels(picture, name), model), label=fitting_label(label, model), name=name
    )


def adapted(state: AppState, point: EndPoint, model: ModelInfo) -> EndPoint:
    """The same end point for another model."""
    label = fitting_label(point.label, model)
    if not isinstance(point.source, PicturePoint):
        return replace(point, label=label)
    if takes_pictures(model):
        return replace(picture_point(state, point.source.image, model), label=label)
    return seed_point(state.seed, label)


def first_label(model: ModelInfo) -> int | None:
    """No class, unless the model must be told one."""
    return 0 if model.labels and model.null_label is None else None


def fitting_label(label: int | None, model: ModelInfo) -> int | None:
    return label if label is not None and label < len(model.labels) else first_label(model)


def seed_name(end: SeedEnd) -> str:
    return f"seed {end.seed}" if end.count == 1 else f"seed {end.seed}, sample {end.index + 1}"


def portrait(point: EndPoint, model: ModelInfo | None) -> Pixels | None:
    """An end point as a picture, uint8 (H, W, C): a seed's is its noise; None where the data are no pictures."""
    if isinstance(point.source, PicturePoint):
        return converted(point.source)
    if model is None or len(model.event_shape) != 3:
        return None
    noise = initial_noise(point.source.seed, (point.source.count, *model.event_shape))[point.source.index]
    picture: Pixels = ImageSpec(model.event_shape).to_picture(noise[None])[0]
    return picture
