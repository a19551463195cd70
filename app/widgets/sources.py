"""Where pictures and models come from: the one in use, bundled samples, recent files, a canvas to draw on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QMimeData, QPoint, QRectF, QSize, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QColor, QDrag, QIcon, QMouseEvent, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import (
    QApplication,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.theme import GRID, palette
from app.widgets.canvas import DrawingBoard
from app.widgets.labels import Lines, label
from app.widgets.model_chooser import ModelChooser
from app.widgets.rasters import to_image
from core.conversion import display_pixels
from core.images import OpenedImage

THUMBNAIL = 40
SIDE = 512
"""Of what is kept of a picture for showing it here."""
_COLUMNS = 4
_ROWS = 3
_PORTRAIT = 14 * GRID


class Portrait(QWidget):
    """A picture as large as it fits: whole zoom and sharp pixels for a small one, smooth for a large one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pixmap = QPixmap()
        self.setFixedHeight(_PORTRAIT)

    def set_pixels(self, pixels: NDArray[np.uint8] | None) -> None:
        self._pixmap = QPixmap() if pixels is None else QPixmap.fromImage(to_image(display_pixels(pixels, SIDE)))
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._pixmap.isNull():
            painter.setPen(QColor(palette().quiet))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No picture yet")
            return
        width, height = self._pixmap.width(), self._pixmap.height()
        fit = min(self.width() / width, self.height() / height)
        zoom = float(int(fit)) if fit >= 1 else fit
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, zoom < 1)
        left, top = (self.width() - zoom * width) // 2, (self.height() - zoom * height) // 2
        painter.drawPixmap(QRectF(left, top, zoom * width, zoom * height), self._pixmap, QRectF(self._pixmap.rect()))


class PictureButton(QToolButton):
    """A picture file to click, or to drag to where it is wanted."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__()
        self._path = path
        self._pressed = QPoint()
        self.setProperty("role", "thumbnail")
        self.setFixedSize(THUMBNAIL + 4, THUMBNAIL + 4)
        self.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        self.setToolTip(name)
        self.setAccessibleName(name)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        moved = (event.position().toPoint() - self._pressed).manhattanLength()
        if self.isDown() and moved >= QApplication.startDragDistance():
            self.setDown(False)  # it is not a click any more
            self.drag().exec(Qt.DropAction.CopyAction)
        else:
            super().mouseMoveEvent(event)

    def drag(self) -> QDrag:
        """The file as it comes from a file manager."""
        drag, mime = QDrag(self), QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(self._path))])
        drag.setMimeData(mime)
        drag.setPixmap(self.icon().pixmap(self.iconSize()))
        return drag


class Gallery(QWidget):
    """Pictures that are one click away. Attributes: ``before``, the widget from which Tab leads here. Signals:
    ``chosen(Path)``."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.before: QWidget | None = None
        self._buttons: dict[Path, QToolButton] = {}
        self._icons: dict[Path, QIcon] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        self._grid.setColumnStretch(_COLUMNS, 1)

    def paths(self) -> tuple[Path, ...]:
        return tuple(self._buttons)

    def button(self, path: Path) -> QToolButton:
        return self._buttons[path]

    def set_entries(self, entries: Sequence[tuple[str, Path]]) -> None:
        """Show these, in this order, as many as there is room for; thumbnails that are known stay."""
        wanted = {path: name for name, path in entries[: _COLUMNS * _ROWS]}
        for path in [path for path in self._buttons if path not in wanted]:
            button = self._buttons.pop(path)
            self._grid.removeWidget(button)
            button.hide()
            button.deleteLater()
        ordered = {}
        for place, (path, name) in enumerate(wanted.items()):
            ordered[path] = self._buttons.get(path) or self._new(path, name)
            self._grid.addWidget(ordered[path], *divmod(place, _COLUMNS))
        self._buttons = ordered
        before = () if self.before is None else (self.before,)
        for one, other in pairwise((*before, *ordered.values())):  # made later than what stands below them
            QWidget.setTabOrder(one, other)

    def set_thumbnail(self, path: Path, pixels: NDArray[np.uint8]) -> None:
        """The centre square of a picture for its button."""
        if path in self._buttons:
            pixels = display_pixels(pixels, SIDE)
            height, width = pixels.shape[:2]
            side = min(height, width)
            top, left = (height - side) // 2, (width - side) // 2
            part = to_image(display_pixels(pixels[top : top + side, left : left + side], 2 * THUMBNAIL))
            square = QPixmap.fromImage(part)
            self._icons[path] = QIcon(square.scaled(2 * THUMBNAIL, 2 * THUMBNAIL))
            self._buttons[path].setIcon(self._icons[path])

    def thumbnail(self, path: Path) -> QIcon:
        """The one that was made of a picture, if it is or was here; else an empty one."""
        return self._icons.get(path, QIcon())

    def wanting(self) -> tuple[Path, ...]:
        """Those that have no thumbnail yet."""
        return tuple(path for path, button in self._buttons.items() if button.icon().isNull())

    def _new(self, path: Path, name: str) -> PictureButton:
        button = PictureButton(path, name)
        button.setIcon(self.thumbnail(path))
        button.clicked.connect(lambda: self.chosen.emit(path))
        return button


class Sources(QWidget):
    """The upper part of the left panel.

    Signals: ``open_requested()``, ``paste_requested()``, ``picture_chosen(Path)``, ``drawn(OpenedImage)``; those of
    ``models`` and ``gallery`` are their own.
    """

    open_requested = Signal()
    paste_requested = Signal()
    drawn = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._portrait = Portrait()
        self._name = Lines()
        self._notes = Lines("caption")
        self.gallery = Gallery()
        self.models = ModelChooser()
        self.board = DrawingBoard()
        self._open = QPushButton("Open…")
        self._open.setToolTip("Open pictures of your own (Ctrl+O), or drop them anywhere on the window")
        self._paste = QPushButton("Paste")
        self._paste.setToolTip("Use the picture, file or path on the clipboard (Ctrl+V)")
        self._draw = QPushButton("Draw")
        self._draw.setToolTip("Draw a digit with the mouse (Ctrl+D)")
        self.gallery.before = self._draw

        picture = QWidget()
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID // 2)
        for button in (self._open, self._paste, self._draw):
            button.setProperty("role", "narrow")
            buttons.addWidget(button, 1)
        column = QVBoxLayout(picture)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self._portrait)
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(self._name)
        words.addWidget(self._notes)
        column.addLayout(words)
        column.addLayout(buttons)
        column.addWidget(self.gallery)
        column.addStretch()

        self._pages = QStackedWidget()
        self._pages.addWidget(picture)
        self._pages.addWidget(self.board)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(GRID)
        whole.addWidget(self._pages)
        whole.addSpacing(GRID)
        whole.addWidget(label("Model", "caption"))
        whole.addWidget(self.models)
        whole.addSpacing(GRID)
        self._open.clicked.connect(self.open_requested)
        self._paste.clicked.connect(self.paste_requested)
        self._draw.clicked.connect(self.draw)
        self.board.closed.connect(self.show_picture)
        self.board.used.connect(self._drawn)

    @Slot(object)
    def set_image(self, image: OpenedImage | None) -> None:
        self._portrait.set_pixels(None if image is None else image.pixels)
        name = "" if image is None else image.name
        self._name.set_lines(name)
        self._notes.set_lines("" if image is None else facts(image))
        self._portrait.setAccessibleName(f"The picture in use: {name}" if name else "No picture")

    @Slot()
    def draw(self) -> None:
        """Show the canvas in place of the picture."""
        self._pages.setCurrentWidget(self.board)
        self.board.canvas.setFocus()

    @Slot()
    def show_picture(self) -> None:
        self._pages.setCurrentIndex(0)

    @Slot(object)
    def _drawn(self, image: OpenedImage) -> None:
        self.show_picture()
        self.drawn.emit(image)


def facts(image: OpenedImage) -> str:
    """Size, colours, and what was done to open the picture."""
    height, width, channels = image.pixels.shape
    colours = {1: "grey", 3: "colour", 4: "colour, transparent"}[channels]
    return "\n".join((f"{width} × {height}, {colours}", *image.notes))
