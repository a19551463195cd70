"""Opens what comes in from outside, in a worker, and puts it where it belongs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from app.incoming import Source
from app.log import logger
from app.stages.forward_scene import LARGEST
from app.widgets.conversion import SIDE as CROP_SIDE
from app.widgets.sources import SIDE as SOURCE_SIDE
from core.conversion import Pixels, display_pixels, prepare
from core.errors import Refusal
from core.images import OpenedImage, open_image
from core.recipe import Recipe, read_recipe

THUMBNAIL_SIDE = 128
SIDES = (2 * CROP_SIDE, SOURCE_SIDE, LARGEST)
"""In which the parts of the window show a picture."""


class Background(Protocol):
    """What the loader needs of ``app.bridge.Bridge``."""

    def in_background(
        self, work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[Exception], None]
    ) -> None: ...


class Loader(QObject):
    """Decodes pictures away from the GUI thread.

    Signals: ``opened(OpenedImage, path or None)``; ``recognised(OpenedImage, path or None, Recipe)`` in its place
    where a picture says how it was made, or a file that is none (then without a picture);
    ``thumbnail(path, pixels)``, ``failed(message, details)``.
    """

    opened = Signal(object, object)
    recognised = Signal(object, object, object)
    thumbnail = Signal(object, object)
    failed = Signal(str, str)

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background

    def open(self, sources: Sequence[Source], offers: bool = False) -> None:
        """Open pictures; they are announced in such an order that the first one is announced last, and so stays.

        Where it ``offers``, a picture that comes alone is looked through for its recipe.
        """
        for source in reversed(sources):
            self._open(source, offers and len(sources) == 1)

    def open_recipe(self, path: Path) -> None:
        """Read how a file was made that is no picture."""

        def work() -> Recipe:
            recipe = read_recipe(path)
            if recipe is None:
                raise Refusal(f"{path.name} does not say how it was made.")
            return recipe

        def done(recipe: Recipe) -> None:
            self.recognised.emit(None, path, recipe)

        self._background.in_background(work, done, self._failed)

    def open_now(self, source: Source) -> None:
        """Open a small picture without leaving the thread, before the engine's imports slow all threads down."""
        try:
            self.opened.emit(source.open(), source.content if isinstance(source.content, Path) else None)
        except Refusal as error:
            self._failed(error)

    def make_thumbnails(self, paths: Sequence[Path]) -> None:
        for path in paths:
            self._make_thumbnail(path)

    def _open(self, source: Source, offers: bool) -> None:
        path = source.content if isinstance(source.content, Path) else None

        def work() -> tuple[OpenedImage, Recipe | Refusal | None]:
            return opened(source), recipe_of(source) if offers else None

        def done(found: tuple[OpenedImage, Recipe | Refusal | None]) -> None:
            image, recipe = found
            if isinstance(recipe, Recipe):
                self.recognised.emit(image, path, recipe)
                return
            self.opened.emit(image, path)
            if recipe is not None:
                self.failed.emit(f"{recipe} The file is used as a picture.", recipe.details)

        self._background.in_background(work, done, self._failed)

    def _make_thumbnail(self, path: Path) -> None:
        def work() -> Pixels:
            return display_pixels(open_image(path).pixels, THUMBNAIL_SIDE)

        def done(pixels: Pixels) -> None:
            self.thumbnail.emit(path, pixels)

        def failed(error: Exception) -> None:
            logger.info("no thumbnail of %s: %s", path.name, error)

        self._background.in_background(work, done, failed)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, Refusal):
            self.failed.emit(str(error), error.details)
        else:
            logger.exception("opening a picture failed", exc_info=error)
            self.failed.emit("This picture cannot be opened. Save it in another format and try again.", repr(error))


def recipe_of(source: Source) -> Recipe | Refusal | None:
    """What a picture says of how it was made, or why that cannot be read; None where it says nothing."""
    if not isinstance(source.content, Path | bytes):
        return None
    try:
        return read_recipe(source.content)
    except Refusal as refusal:
        return refusal


def opened(source: Source) -> OpenedImage:
    """The picture, with what the window is about to ask of it. Raises Refusal."""
    image = source.open()
    prepare(image.pixels, SIDES)
    return image
