"""Where what a recipe names lies on this computer: models, classifiers, pictures, the training that drew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.images import OpenedImage
from core.known_models import place_of
from core.known_pictures import known_pictures
from core.recipe import Request, classifiers_of, images_of, models_of
from core.training.draw_request import TrainingDraw
from core.training.kept_draws import find_training
from core.training.runs import RunSummary


@dataclass(frozen=True, slots=True)
class Found:
    """Where what a recipe names lies: models and classifiers by hash (None: nowhere), its pictures, its training."""

    places: dict[str, str | None]
    pictures: tuple[OpenedImage, ...]
    training: RunSummary | None = None


def look_for(
    requests: Sequence[Request], known: Sequence[OpenedImage], folders: dict[str, str], files: Sequence[Path]
) -> Found:
    """Where models, classifiers and pictures of these requests are: ``known`` ones, ``folders`` by hash, ``files`` of
    pictures, what is bundled and what was opened before."""
    refs = {ref.sha256: ref for request in requests for ref in (*models_of(request), *classifiers_of(request))}
    places = {sha256: folders.get(sha256) or place_of(ref) for sha256, ref in refs.items()}
    wanted = {image.sha256 for request in requests for image in images_of(request)}
    here = {image.sha256: image for image in known if image.sha256 in wanted}
    there = known_pictures([sha256 for sha256 in wanted if sha256 not in here], files)
    drawn = next((request for request in requests if isinstance(request, TrainingDraw)), None)
    return Found(places, (*here.values(), *there), None if drawn is None else find_training(drawn.training))
