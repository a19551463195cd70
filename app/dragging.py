"""Pictures dragged out of the window into other programs: as PNG with its recipe, and as a file that holds the same."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, Qt, QUrl, Slot
from PySide6.QtGui import QDrag, QDropEvent, QPixmap
from PySide6.QtWidgets import QWidget

from app.log import logger
from app.widgets.drag_out import DragWanted
from app.widgets.filmstrip import Filmstrip
from app.widgets.history import History
from app.widgets.picture_pane import PicturePane
from app.widgets.rasters import to_image
from core.errors import Refusal
from core.files import write_file
from core.folders import cache_folder
from core.recipe import Recipe, Shown
from core.render import Pixels, png_bytes
from core.requests import MorphRequest

if TYPE_CHECKING:
    from app.window import MainWindow

FOLDER = "dragged"
THUMBNAIL = 96
"""Pixels of the longer side of what hangs on the pointer."""
DROPS = (QEvent.Type.DragEnter, QEvent.Type.DragMove, QEvent.Type.Drop)

Taken = tuple[Pixels, str, Recipe | None]
"""A picture (H, W, C), what it is called, and how it is made again."""


class Dragging(QObject):
    """Answers ``DragWanted`` of the window's widgets. What leaves the window is no offer to the window itself."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._count = 0
        window.installEventFilter(self)
        window.bridge.ending.connect(self.clear)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, DragWanted):
            self.drag(event.source, event.index)
            return True
        if event.type() in DROPS and isinstance(event, QDropEvent) and event.source() is not None:
            event.ignore()
            return True
        return False

    def drag(self, source: QWidget, index: int) -> None:
        """Let a picture be dragged from a widget until it is dropped."""
        found = self._taken(source, index)
        if found is not None:
            pixels, name, recipe = found
            logger.info("dragged: %s", name)
            self._execute(source, self.mime(pixels, name, recipe), thumbnail(pixels))

    def mime(self, pixels: Pixels, name: str, recipe: Recipe | None) -> QMimeData:
        """The picture as PNG with its recipe, as an image, and as a file."""
        content = png_bytes(pixels, recipe)
        mime = QMimeData()
        mime.setData("image/png", content)  # first: it says how the picture is made
        mime.setImageData(to_image(pixels))
        try:
            mime.setUrls([QUrl.fromLocalFile(str(self._file(content, name)))])
        except Refusal as refusal:
            logger.warning("a dragged picture has no file: %s", refusal)
            self._window.status_line.set_hint(f"{refusal} The picture is dragged without a file.")
        return mime

    @Slot()
    def clear(self) -> None:
        """Remove the files of this process."""
        with contextlib.suppress(Refusal):
            shutil.rmtree(cache_folder() / FOLDER / str(os.getpid()), ignore_errors=True)

    def _execute(self, source: QWidget, mime: QMimeData, picture: QPixmap) -> None:
        drag = QDrag(source)
        drag.setMimeData(mime)
        drag.setPixmap(picture)
        size = picture.deviceIndependentSize().toSize()
        drag.setHotSpot(QPoint(size.width() // 2, size.height() // 2))
        drag.exec(Qt.DropAction.CopyAction)

    def _file(self, content: bytes, name: str) -> Path:
        """A file of its own for each drag: whoever was given an earlier one may not have read it yet."""
        from app.taking import file_name

        self._count += 1
        if self._count == 1:
            _clear_leftovers()
        folder = cache_folder() / FOLDER / str(os.getpid()) / str(self._count)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refusal(f"{folder} cannot be made ({error.strerror or error}).", repr(error)) from error
        path = folder / file_name(name)
        write_file(path, lambda stream: stream.write(content))
        return path

    # What is meant

    def _taken(self, source: QWidget, index: int) -> Taken | None:
        if isinstance(source, PicturePane):
            return _of_pane(source, index)
        if isinstance(source, Filmstrip):
            return self._of_strip(source, index)
        return self._of_run(index) if isinstance(source, History) else None

    def _of_strip(self, strip: Filmstrip, index: int) -> Taken | None:
        """Pressing a frame has gone there, so that the stage shows it at its own size; else what the strip has."""
        panes = [pane for pane in self._window.stage.findChildren(PicturePane) if pane.isVisible() and pane.content]
        wanted = [pane for pane in panes if pane.quantity == "x_t"] or [
            pane for pane in panes if pane.quantity == "x_0"
        ]
        if wanted and strip.current == index and not wanted[0].is_busy:
            return _of_pane(wanted[0], 0)
        picture = strip.picture(index)
        return None if picture is None else (picture, f"frame {index + 1}", None)

    def _of_run(self, job: int) -> Taken | None:
        """What a run has become, at its own size; of what is not there any more, its thumbnail."""
        run = self._window.state.runs.get(job)
        if run is None:
            return None
        name = self._window.state.name_of(job)
        if not isinstance(run.request, MorphRequest) and run.stored:
            stored = self._window.bridge.frame(job, run.stored)
            if stored is not None:
                return stored.x_t[0], name, Recipe(run.request, Shown("x_t", run.stored, (0,)))
        picture = self._window.state.thumbnails.get(job)
        return None if picture is None else (picture, name, None)


def thumbnail(pixels: Pixels) -> QPixmap:
    image = to_image(pixels)
    smooth = max(image.width(), image.height()) > THUMBNAIL
    how = Qt.TransformationMode.SmoothTransformation if smooth else Qt.TransformationMode.FastTransformation
    return QPixmap.fromImage(image.scaled(THUMBNAIL, THUMBNAIL, Qt.AspectRatioMode.KeepAspectRatio, how))


def _of_pane(pane: PicturePane, cell: int) -> Taken | None:
    content = pane.taken()
    if content is None:
        return None
    return content.pixels(cell), pane.name(cell), pane.recipe_of(cell)


def _clear_leftovers() -> None:
    """Remove the files of processes that did not come to it."""
    folder = cache_folder() / FOLDER
    if folder.is_dir():
        for left in folder.iterdir():
            if not (left.name.isdigit() and psutil.pid_exists(int(left.name))):
                shutil.rmtree(left, ignore_errors=True)
