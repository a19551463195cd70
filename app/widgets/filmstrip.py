"""The filmstrip: the process as thumbnails, evenly chosen, with the frame looked at in the cursor's yellow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QHideEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette, theme
from app.widgets.drag_out import want_drag
from app.widgets.rasters import to_image

KEPT = 128
"""Larger pictures are reduced to this many pixels: a thousand of them stay under 70 MB."""
LABEL = 16
GAP = 4
MARGIN = 6
SIDE = 64
"""The least height of a frame: a picture of 32 × 32 stays at twice its pixels."""
WIDEST = 2.0
"""Width by height of the widest frame."""
PREVIEW = 160


class Filmstrip(QWidget):
    """As many frames of the process as fit, evenly chosen, with the first, the last and the current one.

    A click goes to a frame, hovering shows it larger, arrows walk over the frames shown, and dragging one takes its
    picture away. A frame not yet computed is an empty dashed box. Where not every frame fits, the current one takes
    the place nearest to it.

    Attributes: ``count``, ``available`` (frames that exist), ``current``, ``name``.

    Signals: ``frame_clicked(index)``; ``wanted(index)`` for every frame in view that exists and has no picture, at most
    once a turn of the event loop, again whenever the frames in view or the current one have changed.
    """

    frame_clicked = Signal(int)
    wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.count = 0
        self.available = 0
        self.current = 0
        self._times: tuple[int, ...] = ()
        self._images: dict[int, QImage] = {}
        self._chosen: tuple[int, ...] = ()
        self._shown: tuple[int, ...] = ()
        self._aspect = 1.0
        self.name = ""
        self._pressed: tuple[QPoint, int] | None = None
        self._turn = QTimer(self, singleShot=True, interval=0)
        self._turn.timeout.connect(self.flush)
        self._preview = _Preview(self)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName("Filmstrip")
        self.setToolTip("The process as pictures: click to go there, drag one into another program")
        theme().theme_changed.connect(self.update)

    def set_frames(self, count: int, times: Sequence[int]) -> None:
        """A process of ``count`` frames with these times, all of which exist, and none of which has a picture yet."""
        self._images.clear()
        self.count, self.available, self._times = count, count, tuple(times)
        self.current = min(self.current, max(0, count - 1))
        self._choose()

    def set_name(self, name: str) -> None:
        """What tells this strip from another one: "Linear" writes "Linear, t = 0" under the first frame."""
        if name != self.name:
            self.name = name
            self.update()

    def set_frame(self, index: int, picture: NDArray[np.uint8]) -> None:
        """The picture of a frame, uint8 (height, width, channels)."""
        image = to_image(picture)
        if max(image.width(), image.height()) > KEPT:
            image = image.scaled(KEPT, KEPT, Qt.AspectRatioMode.KeepAspectRatio, _SMOOTH)
        self._images[index] = image
        aspect = min(max(1.0, image.width() / image.height()), WIDEST)
        if aspect != self._aspect:
            self._aspect = aspect
            self._choose()
        if index in self._shown or index in self._chosen:
            self.update()
        if self._preview.frame == index:
            self._show_preview(index)

    def set_available(self, count: int) -> None:
        """How many frames exist so far; later ones are not asked for."""
        if count != self.available:
            self.available = count
            self._turn.start()

    def has_frame(self, index: int) -> bool:
        return index in self._images

    def picture(self, index: int) -> NDArray[np.uint8] | None:
        """A frame as the strip has it, uint8 (height, width, 3); None where it has none."""
        image = self._images.get(index)
        if image is None:
            return None
        image = image.convertToFormat(QImage.Format.Format_RGB888)
        rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
        return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()

    def set_current(self, index: int) -> None:
        """The frame looked at."""
        if index != self.current:
            self.current = index
            self.setAccessibleDescription(self._label(index))
            self._show_chosen()

    def clear(self) -> None:
        """No process at all."""
        self.set_frames(0, ())

    @Slot()
    def flush(self) -> None:
        """Ask now for the pictures that are missing."""
        self._turn.stop()
        if self.isVisible():
            for index in self._shown:
                if index < self.available and index not in self._images:
                    self.wanted.emit(index)

    @property
    def shown(self) -> tuple[int, ...]:
        """The frames that have a place at the present width."""
        return self._shown

    def frame_rect(self, index: int) -> QRect:
        """Where a shown frame is drawn."""
        return QRect(round(self._left(self._shown.index(index))), 2, self._frame_width(), self._side())

    def sizeHint(self) -> QSize:
        return QSize(600, SIDE + LABEL + MARGIN)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, SIDE + LABEL + MARGIN)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._choose()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self._frame_at(event.position().x())
        if event.button() == Qt.MouseButton.LeftButton and index is not None:
            self._hide_preview()
            self._pressed = event.position().toPoint(), index
            self.frame_clicked.emit(index)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._pressed = None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is not None and event.buttons() & Qt.MouseButton.LeftButton:
            start, taken = self._pressed
            if (event.position().toPoint() - start).manhattanLength() >= QApplication.startDragDistance():
                self._pressed = None
                want_drag(self, taken)  # until it is dropped, and the button is up
            return
        index = self._frame_at(event.position().x())
        if index is None or not self.has_frame(index):
            self._hide_preview()
        elif index != self._preview.frame:
            self._show_preview(index)

    def leaveEvent(self, event: QEvent) -> None:
        self._hide_preview()

    def showEvent(self, event: QShowEvent) -> None:
        self._turn.start()

    def hideEvent(self, event: QHideEvent) -> None:
        self._hide_preview()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._shown:
            super().keyPressEvent(event)
            return
        place, last = self._shown.index(self.current), len(self._shown) - 1
        moves = {Qt.Key.Key_Left: place - 1, Qt.Key.Key_Right: place + 1, Qt.Key.Key_Home: 0, Qt.Key.Key_End: last}
        there = moves.get(Qt.Key(event.key()))
        if there is None:
            super().keyPressEvent(event)
        elif 0 <= there <= last:
            self.frame_clicked.emit(self._shown[there])

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if not self._shown:
            return
        painter.setFont(font("caption", numbers=True))
        for place, index in enumerate(self._shown):
            rect = self.frame_rect(index)
            self._paint_frame(painter, self._pictured(place), rect)
            painter.setPen(QColor(palette().text if index == self.current else palette().quiet))
            below = QRect(rect.left() - GAP, rect.bottom() + 2, rect.width() + 2 * GAP, LABEL)
            if self.name and place == 0:
                painter.drawText(rect.left(), below.top() + painter.fontMetrics().ascent(), self._first_label(index))
            else:
                painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, self._label(index))
        painter.setPen(QPen(colour("t"), 2))
        painter.drawRect(self.frame_rect(self.current).adjusted(-1, -1, 1, 1))

    def _paint_frame(self, painter: QPainter, index: int, rect: QRect) -> None:
        image = self._images.get(index)
        if image is None:
            painter.setPen(QPen(QColor(palette().line), 1, Qt.PenStyle.DashLine))
            painter.drawRect(rect.adjusted(0, 0, -1, -1))
            return
        _paint_fitting(painter, image, rect, self.devicePixelRatioF())

    def _choose(self) -> None:
        """Which frames are shown: all where they fit, else as many as fit at equal distances."""
        room = max(2, (self.width() + GAP) // (self._frame_width() + GAP))
        if self.count <= room:
            self._chosen = tuple(range(self.count))
        else:
            self._chosen = tuple(round(place * (self.count - 1) / (room - 1)) for place in range(room))
        self._show_chosen()

    def _show_chosen(self) -> None:
        """The frames chosen, with the current one in the nearest place; the first and the last stay."""
        self._shown = self._chosen
        if self._chosen and self.current not in self._chosen:
            inner = range(1, len(self._chosen) - 1) or range(len(self._chosen))
            place = min(inner, key=lambda place: abs(self._chosen[place] - self.current))
            self._shown = tuple(sorted((*self._chosen[:place], self.current, *self._chosen[place + 1 :])))
        self._hide_preview()
        self._turn.start()
        self.update()

    def _pictured(self, place: int) -> int:
        """The frame whose picture stands in a place: the one chosen for it until the current one has its own."""
        index = self._shown[place]
        return index if self.has_frame(index) else self._chosen[place]

    def _side(self) -> int:
        return max(16, self.height() - LABEL - MARGIN)

    def _frame_width(self) -> int:
        """As wide as the pictures, as long as no frame loses its place by that."""
        side, share = self._side(), (self.width() + GAP) // max(1, self.count) - GAP
        return min(round(self._aspect * side), max(side, share))

    def _left(self, place: int) -> float:
        """Frames are spread over the whole width."""
        many = len(self._shown)
        return 2 + place * (self.width() - self._frame_width() - 4) / (many - 1) if many > 1 else 2.0

    def _frame_at(self, x: float) -> int | None:
        width = self._frame_width()
        for place, index in enumerate(self._shown):
            if self._left(place) - GAP / 2 <= x < self._left(place) + width + GAP / 2:
                return index
        return None

    def _label(self, index: int) -> str:
        if not 0 <= index < len(self._times):
            return ""
        return f"{self._times[index]}" if self._times[index] >= 0 else "data"

    def _first_label(self, index: int) -> str:
        """With the name, and room left for the label of the second frame."""
        room = self._left(1) if len(self._shown) > 1 else self.width()
        text = f"{self.name}, t = {self._label(index)}"
        return QFontMetrics(font("caption", numbers=True)).elidedText(text, Qt.TextElideMode.ElideRight, int(room))

    def _show_preview(self, index: int) -> None:
        rect = self.frame_rect(index)
        self._preview.show_frame(index, self._images[index], self._label(index))
        window = self.window()
        if self._preview.parentWidget() is not window:
            self._preview.setParent(window)
        at = self.mapTo(window, QPoint(rect.center().x() - self._preview.width() // 2, -self._preview.height() - GRID))
        rightmost = max(0, window.width() - self._preview.width())
        self._preview.move(min(max(0, at.x()), rightmost), max(0, at.y()))
        self._preview.show()
        self._preview.raise_()

    @Slot()
    def _hide_preview(self) -> None:
        self._preview.frame = None
        self._preview.hide()


class _Preview(QWidget):
    """One frame larger, over the rest of the window."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFixedSize(PREVIEW + 2 * GRID, PREVIEW + 2 * GRID + LABEL)
        self.hide()
        self.frame: int | None = None
        self._image = QImage()
        self._text = ""

    def show_frame(self, frame: int, image: QImage, text: str) -> None:
        self.frame, self._image, self._text = frame, image, text
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(palette().raised))
        painter.setPen(QColor(palette().line))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        _paint_fitting(painter, self._image, QRect(GRID, GRID, PREVIEW, PREVIEW), self.devicePixelRatioF())
        painter.setPen(QColor(palette().text))
        painter.setFont(font("caption", numbers=True))
        below = QRectF(0, PREVIEW + GRID + 2, self.width(), LABEL)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self._text)


_SMOOTH = Qt.TransformationMode.SmoothTransformation


def _paint_fitting(painter: QPainter, image: QImage, rect: QRect, ratio: float) -> None:
    """Paint an image in the middle of ``rect``: whole zoom and sharp where it is smaller, smooth where larger."""
    space_width, space_height = rect.width() * ratio, rect.height() * ratio
    zoom = min(space_width / image.width(), space_height / image.height())
    if zoom >= 1:
        zoom = float(int(zoom))
    width, height = image.width() * zoom / ratio, image.height() * zoom / ratio
    left = round((rect.x() + (rect.width() - width) / 2) * ratio) / ratio
    top = round((rect.y() + (rect.height() - height) / 2) * ratio) / ratio
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, zoom < 1)
    painter.drawImage(QRectF(left, top, width, height), image)
