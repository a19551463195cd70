"""How the person's picture meets the network: crop, size, grey, negative; shown and adjustable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.theme import GRID, colour, palette
from app.widgets.controls import Choice, label
from app.widgets.rasters import to_image
from core.conversion import centre_crop, convert, default_conversion, display_pixels
from core.images import OpenedImage
from core.likeness import likeness
from core.messages import ModelInfo
from core.requests import Conversion

Crop = tuple[float, float, float, float]
SIDE = 96
_SMALLEST = 1 / 32
_BACKGROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128)}


def moved(crop: Crop, dx: float, dy: float) -> Crop:
    """The crop shifted by fractions of the picture, stopping at its edges."""
    left, top, right, bottom = crop
    dx = min(max(dx, -left), 1 - right)
    dy = min(max(dy, -top), 1 - bottom)
    return left + dx, top + dy, right + dx, bottom + dy


def scaled(crop: Crop, factor: float) -> Crop:
    """The crop made larger or smaller about its centre in the same proportions, within the picture."""
    left, top, right, bottom = crop
    width, height = right - left, bottom - top
    factor = min(factor, 1 / max(width, height))
    factor = max(factor, min(1.0, _SMALLEST / min(width, height)))
    width, height = width * factor, height * factor
    x = min(max((left + right - width) / 2, 0.0), 1 - width)
    y = min(max((top + bottom - height) / 2, 0.0), 1 - height)
    return x, y, min(1.0, x + width), min(1.0, y + height)


class CropView(QWidget):
    """A picture with the part that the network gets; the rest is dimmed.

    Dragging and arrow keys move the crop, wheel and + - change its size, double-click and 0 put the largest in the
    centre. Signals: ``crop_changed(tuple)``; ``reset_requested()``.
    """

    crop_changed = Signal(tuple)
    reset_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = QImage()
        self._crop: Crop = (0.0, 0.0, 1.0, 1.0)
        self._grip: QPointF | None = None
        self.setFixedSize(round(SIDE * 1.5), SIDE)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.SizeAllCursor)
        self.setAccessibleName("Crop")
        self.setToolTip(
            "The part of the picture that the network gets. Drag it or use the arrow keys; wheel or + and − change "
            "its size; double-click takes the centre."
        )

    def set_picture(self, pixels: NDArray[np.uint8] | None) -> None:
        self._image = QImage() if pixels is None else to_image(display_pixels(pixels, 2 * SIDE))
        self.update()

    def set_crop(self, crop: Crop) -> None:
        self._crop = crop
        self.update()

    def crop(self) -> Crop:
        return self._crop

    def _area(self) -> QRectF:
        size = QSize(self._image.size()).scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        return QRectF((self.width() - size.width()) / 2, (self.height() - size.height()) / 2, *size.toTuple())

    def _change(self, crop: Crop) -> None:
        if crop != self._crop and not self._image.isNull():
            self._crop = crop
            self.update()
            self.crop_changed.emit(crop)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._grip = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None and not self._image.isNull():
            by, area = event.position() - self._grip, self._area()
            self._grip = event.position()
            self._change(moved(self._crop, by.x() / area.width(), by.y() / area.height()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.angleDelta().y():
            self._change(scaled(self._crop, 1 / 1.1 if event.angleDelta().y() > 0 else 1.1))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        by = 0.1 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0.01
        ways = {
            Qt.Key.Key_Left: (-by, 0.0),
            Qt.Key.Key_Right: (by, 0.0),
            Qt.Key.Key_Up: (0.0, -by),
            Qt.Key.Key_Down: (0.0, by),
        }
        key = Qt.Key(event.key())
        if key in ways:
            self._change(moved(self._crop, *ways[key]))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._change(scaled(self._crop, 1 / 1.1))
        elif key == Qt.Key.Key_Minus:
            self._change(scaled(self._crop, 1.1))
        elif key == Qt.Key.Key_0:
            self.reset_requested.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._image.isNull():
            return
        painter, area = QPainter(self), self._area()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(area, self._image)
        left, top, right, bottom = self._crop
        kept = QRectF(
            area.x() + left * area.width(),
            area.y() + top * area.height(),
            (right - left) * area.width(),
            (bottom - top) * area.height(),
        )
        veil = QColor(palette().window)
        veil.setAlpha(190)
        for part in _around(area, kept):
            painter.fillRect(part, veil)
        painter.setPen(QPen(colour("x_0"), 2 if self.hasFocus() else 1))
        painter.drawRect(kept.adjusted(0.5, 0.5, -0.5, -0.5))


class NetworkView(QWidget):
    """The converted picture as the network gets it, each of its pixels visible."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = QImage()
        self.setFixedSize(SIDE, SIDE)
        self.setAccessibleName("What the network gets")

    def set_picture(self, pixels: NDArray[np.uint8] | None) -> None:
        self._image = QImage() if pixels is None else to_image(pixels)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._image.isNull():
            size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            QPainter(self).drawImage(QRectF(0, 0, *size.toTuple()), self._image)


class ConversionBox(QWidget):
    """Both pictures side by side, with what can be changed and, where it is so, how the result is unlike the data.

    Signals: ``conversion_changed(Conversion)`` when the person changes it.
    """

    conversion_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: OpenedImage | None = None
        self._model: ModelInfo | None = None
        self._conversion: Conversion | None = None
        self._crop = CropView()
        self._network = NetworkView()
        self._caption = label("", "caption")
        self._invert = QCheckBox("Negative")
        self._invert.setToolTip("Swap dark and light: the network learned from pictures of the other kind.")
        self._background = Choice(
            "Background", list(_BACKGROUNDS), tooltip="What the transparent parts of the picture become."
        )
        self._centre = QPushButton("Reset")
        self._centre.setToolTip("The largest crop in the centre, as a negative if the training data ask for it.")
        self._warning = label("", "quiet")
        self._warning.setWordWrap(True)
        self._warning.setMinimumWidth(20 * GRID)
        self._warning.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

        side = QVBoxLayout()
        side.setSpacing(GRID // 2)
        buttons = QHBoxLayout()
        buttons.addWidget(self._invert)
        buttons.addWidget(self._background)
        buttons.addWidget(self._centre)
        buttons.addStretch(1)
        for part in (self._caption, self._warning):
            side.addWidget(part)
        side.addLayout(buttons)
        side.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self._crop)
        row.addWidget(self._network)
        row.addLayout(side, 1)

        self._crop.crop_changed.connect(self._cropped)
        self._crop.reset_requested.connect(self.reset)
        self._centre.clicked.connect(self.reset)
        self._invert.toggled.connect(self._inverted)
        self._background.value_changed.connect(self._backed)

    def set_picture(self, image: OpenedImage | None, model: ModelInfo | None) -> None:
        """Which picture meets which model; the conversion itself is set apart."""
        self._image, self._model = image, model
        self._crop.set_picture(None if image is None else image.pixels)
        self._background.setVisible(image is not None and image.pixels.shape[2] == 4)
        self._show()

    def set_conversion(self, conversion: Conversion | None) -> None:
        self._conversion = conversion
        self._show()

    def warning(self) -> str:
        """How the converted picture is unlike the training data; "" where it is like them."""
        return self._warning.text()

    @Slot()
    def reset(self) -> None:
        if self._image is not None and self._model is not None:
            self._change(conversion_for(self._image, self._model))

    def _change(self, conversion: Conversion) -> None:
        if conversion != self._conversion:
            self.set_conversion(conversion)
            self.conversion_changed.emit(conversion)

    @Slot(tuple)
    def _cropped(self, crop: Crop) -> None:
        if self._conversion is not None:
            self._change(replace(self._conversion, crop=crop))

    @Slot(bool)
    def _inverted(self, invert: bool) -> None:
        if self._conversion is not None:
            self._change(replace(self._conversion, invert=invert))

    @Slot(str)
    def _backed(self, name: str) -> None:
        if self._conversion is not None:
            self._change(replace(self._conversion, background=_BACKGROUNDS[name]))

    def _show(self) -> None:
        conversion, image, model = self._conversion, self._image, self._model
        if conversion is None or image is None or model is None:
            self._network.set_picture(None)
            self._caption.setText("")
            self._warning.setText("")
            return
        self._crop.set_crop(conversion.crop)
        self._invert.setChecked(conversion.invert)
        name = next((name for name, value in _BACKGROUNDS.items() if value == conversion.background), "white")
        self._background.set_value(name)
        picture = convert(image.pixels, conversion)
        self._network.set_picture(picture)
        self._caption.setText(conversion_words(image, conversion))
        self._warning.setText(likeness(picture, model.data_statistics) or "")


def conversion_for(image: OpenedImage, model: ModelInfo) -> Conversion:
    """How this picture meets this model unless the person says otherwise."""
    channels, height, width = model.event_shape
    return default_conversion(image.pixels, (height, width), channels, model.data_statistics)


def conversion_words(image: OpenedImage, conversion: Conversion) -> str:
    """The conversion in words: "640 × 480 RGB → 32 × 32 grey, cropped, negative"."""
    height, width, channels = image.pixels.shape
    to_height, to_width = conversion.size
    kinds = {1: "grey", 3: "RGB", 4: "RGBA"}
    words = [f"{width} × {height} {kinds[channels]} → {to_width} × {to_height} {kinds[conversion.channels]}"]
    if conversion.crop != (0.0, 0.0, 1.0, 1.0):
        centred = np.allclose(conversion.crop, centre_crop((height, width), conversion.size), atol=1e-6)
        words.append("centre" if centred else "cropped")
    if conversion.invert:
        words.append("negative")
    return ", ".join(words)


def _around(area: QRectF, kept: QRectF) -> tuple[QRectF, ...]:
    return (
        QRectF(area.left(), area.top(), area.width(), kept.top() - area.top()),
        QRectF(area.left(), kept.bottom(), area.width(), area.bottom() - kept.bottom()),
        QRectF(area.left(), kept.top(), kept.left() - area.left(), kept.height()),
        QRectF(kept.right(), kept.top(), area.right() - kept.right(), kept.height()),
    )
