"""One end point of a morph: its picture, where that comes from, and its class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLocale, QPoint, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QFontMetrics,
    QImage,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.theme import GRID, RADIUS, font, palette, theme
from app.widgets.labels import label
from app.widgets.rasters import to_image
from app.widgets.seed_box import MAX_SEED

SIDE = 64
ROOMY = 260
"""Pixels from which there is room for a button beside the seed; below, its menu has the command."""
UNFINISHED = 0.55


class Thumbnail(QWidget):
    """A small picture in whole zoom, dimmed while it is not the last word. Attributes: ``image``."""

    def __init__(self, letter: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image: QImage | None = None
        self.is_dimmed = False
        self._letter = letter
        self.setFixedSize(SIDE, SIDE)
        theme().theme_changed.connect(self.update)

    def set_picture(self, picture: NDArray[np.uint8] | None, *, dimmed: bool = False) -> None:
        """uint8 (H, W, C), or nothing yet."""
        self.image, self.is_dimmed = None if picture is None else to_image(picture), dimmed
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self.image is None:
            painter.setPen(QPen(QColor(palette().line), 1, Qt.PenStyle.DashLine))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
            painter.setPen(QColor(palette().quiet))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._letter)
            return
        ratio = self.devicePixelRatioF()
        fit = SIDE * ratio / max(self.image.width(), self.image.height())
        zoom = (int(fit) if fit >= 1 else fit) / ratio
        width, height = self.image.width() * zoom, self.image.height() * zoom
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, fit < 1)
        painter.setOpacity(UNFINISHED if self.is_dimmed else 1.0)
        left, top = (round((SIDE - side) / 2 * ratio) / ratio for side in (width, height))
        painter.drawImage(QRectF(left, top, width, height), self.image)


class Promise(QWidget):
    """What a drop here will do, written over its parent."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.text = text
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(palette().text), 1))
        painter.setBrush(QColor(palette().raised))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text)


class EndCard(QWidget):
    """An end point. It knows its letter, and shows what it is told.

    Signals: ``seed_typed(int)``; ``seed_wanted()``, another one; ``picture_wanted()``, the window's;
    ``label_chosen(str)`` with a key; ``removed()``; ``bundled_opened(QMenu)`` before the bundled pictures are offered,
    ``menu_opened(QMenu)`` before the samples of finished runs are; ``dropped(QMimeData)``.
    """

    seed_typed = Signal(int)
    seed_wanted = Signal()
    picture_wanted = Signal()
    label_chosen = Signal(str)
    removed = Signal()
    bundled_opened = Signal(object)
    menu_opened = Signal(object)
    dropped = Signal(object)

    def __init__(self, letter: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.letter = letter
        self._name = self._warning = ""
        self._removable = False
        self.thumbnail = Thumbnail(letter)
        self._make()
        self._lay_out()
        self.promise = Promise(f"End point {letter}", self)
        self.setAcceptDrops(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(18 * GRID)
        self.setAccessibleName(f"End point {letter}")

    def _make(self) -> None:
        self.source = QPushButton()
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.source.setProperty("role", "flat")
        self.source.setAccessibleName(f"Source of end point {self.letter}")
        self.menu = menu = QMenu(self.source)
        self.use_picture = menu.addAction("Use the window's picture")
        self.use_picture.setToolTip("The picture on the left, inverted to its latent")
        self.use_picture.triggered.connect(lambda _checked=False: self.picture_wanted.emit())
        self.bundled = menu.addMenu("A bundled picture")
        self.bundled.aboutToShow.connect(lambda: self.bundled_opened.emit(self.bundled))
        self.use_seed = menu.addAction("Use a new seed")
        self.use_seed.triggered.connect(lambda _checked=False: self.seed_wanted.emit())
        self.samples = menu.addMenu("A sample of a run")
        self.samples.aboutToShow.connect(lambda: self.menu_opened.emit(self.samples))
        self.leave = menu.addAction("Remove")
        self.leave.triggered.connect(lambda _checked=False: self.removed.emit())
        self.source.clicked.connect(self._open_menu)

        self.remove = QToolButton()
        self.remove.setText("×")
        self.remove.setProperty("role", "more")
        self.remove.setToolTip(f"Remove end point {self.letter}")
        self.remove.setAccessibleName(f"Remove end point {self.letter}")
        self.remove.clicked.connect(lambda _checked=False: self.removed.emit())

        self.seed = QSpinBox()
        self.seed.setLocale(QLocale.c())
        self.seed.setGroupSeparatorShown(False)
        self.seed.setRange(0, MAX_SEED)
        self.seed.setKeyboardTracking(False)
        self.seed.setFont(font("body", numbers=True))
        self.seed.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.seed.setMinimumWidth(6 * GRID)
        self.seed.lineEdit().setTextMargins(GRID // 2, 0, GRID // 2, 0)
        self.seed.lineEdit().setAcceptDrops(False)  # a dropped file belongs to the card
        self.seed.setAccessibleName(f"Seed of end point {self.letter}")
        self.seed.setToolTip("The latent is drawn from this seed: x_T ∼ N(0, I), the same as a run of Denoise draws.")
        self.seed.valueChanged.connect(self.seed_typed)
        self.new = QToolButton()
        self.new.setText("New")
        self.new.setToolTip("Draw another seed")
        self.new.setAccessibleName(f"New seed for end point {self.letter}")
        self.new.clicked.connect(lambda _checked=False: self.seed_wanted.emit())
        self.note = label("", "caption")
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

        self.label = QComboBox()
        self.label.setAccessibleName(f"Class of end point {self.letter}")
        self.label.setToolTip("The class that the network is told: for the way up, and for the frames nearest to here.")
        self.label.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.label.setMinimumContentsLength(3)
        self.label.activated.connect(lambda _index: self.label_chosen.emit(str(self.label.currentData())))

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(0)
        head.addWidget(self.source, 1)
        head.addWidget(self.seed, 1)
        head.addWidget(self.new)
        head.addWidget(self.remove)
        below = QHBoxLayout()
        below.setSpacing(GRID)
        below.addWidget(self.label, 2)
        below.addWidget(self.note, 3)
        words = QVBoxLayout()
        words.setSpacing(GRID // 2)
        words.addLayout(head)
        words.addLayout(below)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID // 2, GRID // 2, GRID // 2, GRID // 2)
        row.setSpacing(GRID)
        row.addWidget(self.thumbnail)
        row.addLayout(words, 1)

    # What is shown

    def show_seed(self, seed: int, name: str = "") -> None:
        """A latent drawn from a seed; ``name`` says more than the number where that alone does not tell it."""
        self.seed.blockSignals(True)
        self.seed.setValue(seed)
        self.seed.blockSignals(False)
        self.seed.setVisible(not name)
        self._warning = ""
        self._show(
            name or "seed", f"{name or f'seed {seed}'}\nClick to use a picture, another seed or a sample of a run."
        )

    def show_picture(self, name: str, warning: str = "") -> None:
        """A picture; ``warning`` says how it is unlike the training data."""
        self.seed.hide()
        self._warning = warning
        words = f"{name}\nClick to use another picture, a seed or a sample of a run. Or drop a picture here."
        self._show(name, f"{words}\n{warning}" if warning else words)

    def set_labels(self, options: Mapping[str, str], chosen: str) -> None:
        """The classes by key; without any there is nothing to choose."""
        self.label.clear()
        for key, text in options.items():
            self.label.addItem(text, key)
        self.label.setCurrentIndex(max(0, self.label.findData(chosen)))
        self.label.setVisible(bool(options))

    def set_removable(self, removable: bool) -> None:
        self._removable = removable
        self.leave.setEnabled(removable)
        self._make_room()

    def _show(self, name: str, tooltip: str) -> None:
        self._name = name
        self.source.setToolTip(tooltip)
        self.note.setToolTip(self._warning)
        self._make_room()
        self._cut()

    @Slot()
    def _open_menu(self) -> None:
        self.menu.popup(self.source.mapToGlobal(QPoint(0, self.source.height())))

    def _cut(self) -> None:
        """The name as far as there is room; the arrow goes first."""
        room, metrics = max(3 * GRID, self.source.width() - 2 * GRID - 2), QFontMetrics(self.source.font())
        whole = f"{self.letter}  {self._name} ▾"
        if metrics.horizontalAdvance(whole) > room and not self.seed.isHidden():
            whole = f"{self.letter} ▾"
        elif metrics.horizontalAdvance(whole) > room:
            whole = metrics.elidedText(whole.removesuffix(" ▾"), Qt.TextElideMode.ElideRight, room)
        self.source.setText(whole)
        words = QFontMetrics(self.note.font())
        self.note.setText(words.elidedText(self._warning, Qt.TextElideMode.ElideRight, self.note.width()))

    def _make_room(self) -> None:
        """What is in the menu as well is a button only where there is room for it."""
        roomy = self.width() >= ROOMY
        self.new.setVisible(roomy and not self.seed.isHidden())
        self.remove.setVisible(roomy and self._removable)
        self.note.setVisible(roomy and bool(self._warning))

    def sizeHint(self) -> QSize:
        return QSize(30 * GRID, max(SIDE + GRID, super().sizeHint().height()))

    # Events

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()
        self._cut()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self._aim(True)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self._aim(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._aim(False)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.dropped.emit(event.mimeData())

    def _aim(self, target: bool) -> None:
        self.promise.setGeometry(self.rect())
        self.promise.setVisible(target)
        self.promise.raise_()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(palette().line), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)
