"""The controls every stage is made of: a slider that says what its ends mean, a choice, a seed, a folded section."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from PySide6.QtCore import QEvent, QLocale, QObject, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.theme import GRID, colour, font, palette

MAX_SEED = 2**31 - 1


def label(text: str, role: str = "") -> QLabel:
    """A label in one of the style sheet's roles: "", "title", "quiet" or "caption"."""
    made = QLabel(text)
    if role:
        made.setProperty("role", role)
    return made


class PrimaryButton(QPushButton):
    """The one filled button of a stage: the thing to do next."""

    def __init__(self, text: str, tooltip: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setProperty("role", "primary")
        self.setToolTip(tooltip)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


class Track(QSlider):
    """A horizontal slider drawn as a line and a disc; a click goes there, a double-click asks for the default.

    Signals: ``reset_requested()``.
    """

    reset_requested = Signal()
    _DISC = 14

    def __init__(self, quantity: str = "neutral", parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._quantity = quantity
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(8 * GRID)

    def sizeHint(self) -> QSize:
        return QSize(20 * GRID, self._DISC + 6)

    minimumSizeHint = sizeHint

    def _room(self) -> int:
        return max(1, self.width() - self._DISC - 4)

    def _centre(self) -> float:
        span = max(1, self.maximum() - self.minimum())
        return (self._DISC + 4) / 2 + (self.sliderPosition() - self.minimum()) / span * self._room()

    def _at(self, x: float) -> int:
        share = (x - (self._DISC + 4) / 2) / self._room()
        return self.minimum() + round(min(1.0, max(0.0, share)) * (self.maximum() - self.minimum()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self.setSliderPosition(self._at(event.position().x()))
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self.setSliderPosition(self._at(event.position().x()))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.setSliderDown(False)
        self.reset_requested.emit()
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() or event.angleDelta().x()
        self.setValue(self.value() + (self.singleStep() if notches > 0 else -self.singleStep() if notches < 0 else 0))
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_Up: 1}
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        by = self.pageStep() if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else self.singleStep()
        self.setValue(self.value() + step * by)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, middle, x = palette(), self.height() / 2, self._centre()
        ink = colour(self._quantity) if self.isEnabled() else QColor(colours.line)
        painter.setPen(QPen(QColor(colours.line), 2, c=Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(3, middle), QPointF(self.width() - 3, middle))
        painter.setPen(QPen(ink, 2, c=Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(3, middle), QPointF(x, middle))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        radius = self._DISC / 2
        painter.drawEllipse(QRectF(x - radius, middle - radius, self._DISC, self._DISC))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(colours.quiet), 1))
            painter.drawEllipse(QRectF(x - radius - 2, middle - radius - 2, self._DISC + 4, self._DISC + 4))


class NumberEdit(QDoubleSpinBox):
    """A typed number with fixed decimals and a full stop, whatever the system's language.

    Nothing is sent while a number is being typed, only when it is done.
    """

    def __init__(self, decimals: int = 0, unit: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "number")
        self.setLocale(QLocale.c())
        self.setDecimals(decimals)
        self.setSuffix(f" {unit}" if unit else "")
        self.setKeyboardTracking(False)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setFont(font("body", numbers=True))
        self.lineEdit().setAcceptDrops(False)  # a dropped file belongs to the window

    def stepBy(self, steps: int) -> None:
        super().stepBy(steps)
        self.lineEdit().deselect()


class ValueSlider(QWidget):
    """A number on a slider: its name, its value with unit, and the meaning of both ends.

    Arrows and wheel move by one step, Shift with arrows and Page keys by ten, a double-click returns to the first
    value, and the number can be typed. Values are rounded to ``decimals`` and clamped to the range.

    Signals: ``value_changed(float)``, only when the value differs from before.
    """

    value_changed = Signal(float)

    def __init__(
        self,
        name: str,
        minimum: float,
        maximum: float,
        value: float,
        *,
        step: float = 1.0,
        decimals: int = 0,
        unit: str = "",
        ends: tuple[str, str] = ("", ""),
        tooltip: str = "",
        quantity: str = "neutral",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.name = name
        self._default = value
        self._step = step
        self._value = value
        self._label = label(name)
        self._edit = NumberEdit(decimals, unit)
        self._edit.setSingleStep(step)
        self._track = Track(quantity)
        self._track.setPageStep(10)
        self._ends = (label("", "caption"), label("", "caption"))
        self._ends[1].setAlignment(Qt.AlignmentFlag.AlignRight)
        self._label.setBuddy(self._edit)

        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(0)
        grid.addWidget(self._label, 0, 0)
        grid.addWidget(self._edit, 0, 1, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self._track, 1, 0, 1, 2)
        grid.addWidget(self._ends[0], 2, 0)
        grid.addWidget(self._ends[1], 2, 1)
        grid.setColumnStretch(0, 1)
        self.setFocusProxy(self._track)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

        self.setToolTip(tooltip)
        self.setAccessibleName(name)
        for part, role in ((self._edit, "number"), (self._track, "slider")):
            part.setAccessibleName(f"{name}, {role}")
            part.setAccessibleDescription(tooltip)
        self.set_ends(*ends)
        self.set_range(minimum, maximum)
        self._track.valueChanged.connect(self._slid)
        self._track.reset_requested.connect(self.reset)
        self._edit.valueChanged.connect(self._typed)

    def value(self) -> float:
        return self._value

    def set_value(self, value: float) -> None:
        """Show and announce a value, rounded and clamped."""
        value = round(min(self._edit.maximum(), max(self._edit.minimum(), value)), self._edit.decimals())
        changed = value != self._value
        self._value = value
        for part, shown in ((self._edit, value), (self._track, self._position(value))):
            blocked = part.blockSignals(True)
            part.setValue(shown)  # type: ignore[arg-type]
            part.blockSignals(blocked)
        self._track.update()
        if changed:
            self.value_changed.emit(value)

    def range(self) -> tuple[float, float]:
        return self._edit.minimum(), self._edit.maximum()

    def set_range(self, minimum: float, maximum: float) -> None:
        for part in (self._edit, self._track):
            part.blockSignals(True)
        self._edit.setRange(minimum, maximum)
        self._track.setRange(0, max(0, round((maximum - minimum) / self._step)))
        for part in (self._edit, self._track):
            part.blockSignals(False)
        digits = max(len(self._edit.textFromValue(v)) for v in (minimum, maximum)) + len(self._edit.suffix())
        self._edit.setFixedWidth(self._edit.fontMetrics().horizontalAdvance("0") * (digits + 1) + 2 * GRID)
        self.set_value(self._value)

    def set_default(self, value: float) -> None:
        """What ``reset`` returns to."""
        self._default = value

    def set_ends(self, low: str, high: str) -> None:
        for end, text in zip(self._ends, (low, high), strict=True):
            end.setText(text)
            end.setVisible(bool(low or high))

    @Slot()
    def reset(self) -> None:
        self.set_value(self._default)

    def _position(self, value: float) -> int:
        return round((value - self._edit.minimum()) / self._step)

    @Slot(int)
    def _slid(self, position: int) -> None:
        self.set_value(self._edit.minimum() + position * self._step)

    @Slot(float)
    def _typed(self, value: float) -> None:
        self.set_value(value)


class Choice(QWidget):
    """One of several named options, with its label on the left.

    ``options`` are keys, or keys with the texts to show. Signals: ``value_changed(str)`` with the key.
    """

    value_changed = Signal(str)

    def __init__(
        self,
        name: str,
        options: Mapping[str, str] | Iterable[str],
        value: str = "",
        *,
        tooltip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.name = name
        self._label = label(name)
        self._combo = QComboBox()
        self._combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._combo.setMinimumContentsLength(6)
        self._label.setBuddy(self._combo)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self._label)
        row.addWidget(self._combo, 1)
        self.setFocusProxy(self._combo)
        self.setToolTip(tooltip)
        self.setAccessibleName(name)
        self._combo.setAccessibleName(name)
        self._combo.setAccessibleDescription(tooltip)
        self.set_options(options)
        if value:
            self.set_value(value)
        self._combo.currentIndexChanged.connect(self._chosen)

    def value(self) -> str:
        """The key chosen; "" while there are no options."""
        return str(self._combo.currentData() or "")

    def set_value(self, key: str) -> None:
        """Choose and announce an option; an unknown key is a programming error (ValueError)."""
        index = self._combo.findData(key)
        if index < 0:
            raise ValueError(f"{self.name} has no option {key!r}")
        self._combo.setCurrentIndex(index)

    def options(self) -> tuple[str, ...]:
        return tuple(self._combo.itemData(i) for i in range(self._combo.count()))

    def set_options(self, options: Mapping[str, str] | Iterable[str]) -> None:
        """Replace the options; the chosen one stays where it still exists, otherwise the first is chosen."""
        texts = dict(options) if isinstance(options, Mapping) else {key: key for key in options}
        kept = self.value()
        self._combo.blockSignals(True)
        self._combo.clear()
        for key, text in texts.items():
            self._combo.addItem(text, key)
        self._combo.setCurrentIndex(max(0, self._combo.findData(kept)))
        self._combo.blockSignals(False)
        if self.value() != kept and kept:
            self.value_changed.emit(self.value())

    @Slot(int)
    def _chosen(self, _index: int) -> None:
        self.value_changed.emit(self.value())


class SeedBox(QWidget):
    """The seed of the noise: typed, drawn anew, or locked.

    Unlocked, ``next()`` draws a new seed for each run; locked, it keeps the one shown, so that the same settings give
    the same picture. Where nothing runs there is nothing to lock: ``lockable`` False leaves the lock out.

    Signals: ``seed_changed(int)``, ``locked_changed(bool)``.
    """

    seed_changed = Signal(int)
    locked_changed = Signal(bool)

    def __init__(
        self,
        seed: int = 42,
        *,
        locked: bool = True,
        lockable: bool = True,
        tooltip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        tooltip = tooltip or "The same seed gives the same noise ε on every machine."
        self._edit = QSpinBox()
        self._edit.setLocale(QLocale.c())
        self._edit.setGroupSeparatorShown(False)
        self._edit.setRange(0, MAX_SEED)
        self._edit.setValue(seed)
        self._edit.setKeyboardTracking(False)
        self._edit.setFont(font("body", numbers=True))
        self._edit.setMinimumWidth(10 * GRID)
        self._edit.lineEdit().setTextMargins(GRID // 2, 0, GRID // 2, 0)
        self._edit.lineEdit().setAcceptDrops(False)  # a dropped file belongs to the window
        self._new = QPushButton("New")
        self._lock = QCheckBox("Lock")
        self._lock.setChecked(locked)
        if not lockable:
            self._lock.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        name = label("Seed")
        name.setBuddy(self._edit)
        row.addWidget(name)
        row.addWidget(self._edit, 1)
        row.addWidget(self._new)
        row.addWidget(self._lock)
        self.setToolTip(tooltip)
        self.setAccessibleName("Seed")
        self._edit.setAccessibleName("Seed")
        self._new.setAccessibleName("New seed")
        self._new.setToolTip("Draw another seed")
        self._lock.setAccessibleName("Lock the seed")
        self._lock.setToolTip("Locked: every run uses this seed. Unlocked: every run draws a new one.")
        self.setFocusProxy(self._edit)
        self._edit.valueChanged.connect(self.seed_changed)
        self._lock.toggled.connect(self.locked_changed)
        self._new.clicked.connect(self._draw)

    def seed(self) -> int:
        return self._edit.value()

    def set_seed(self, seed: int) -> None:
        self._edit.setValue(seed)

    def locked(self) -> bool:
        return self._lock.isChecked()

    def set_locked(self, locked: bool) -> None:
        self._lock.setChecked(locked)

    def next(self) -> int:
        """The seed for a run that starts now."""
        if not self.locked():
            self._draw()
        return self.seed()

    @Slot()
    def _draw(self) -> None:
        self.set_seed(random.SystemRandom().randint(0, MAX_SEED))


class Unfolded(QScrollArea):
    """As high as what is in it; where there is not the room, it is scrolled rather than cropped."""

    LEAST = 12 * GRID

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.body = QWidget()
        self.setWidget(self.body)
        self.body.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def sizeHint(self) -> QSize:
        return self.body.sizeHint()

    def minimumSizeHint(self) -> QSize:
        least = self.body.minimumSizeHint()
        return QSize(least.width(), min(self.LEAST, least.height()))


class MoreSection(QWidget):
    """Controls that a beginner does not need, folded under a title.

    Signals: ``open_changed(bool)``.
    """

    open_changed = Signal(bool)

    def __init__(self, title: str = "More", *, is_open: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._head = QToolButton()
        self._head.setText(title)
        self._head.setCheckable(True)
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setProperty("role", "more")
        self._head.setAccessibleName(title)
        self._body = Unfolded()
        self._content = QVBoxLayout(self._body.body)
        self._content.setContentsMargins(0, GRID // 2, 0, 0)
        self._content.setSpacing(GRID)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._row = QHBoxLayout()
        self._row.setSpacing(GRID)
        self._row.addWidget(self._head)
        self._row.addStretch(1)
        column.addLayout(self._row)
        column.addWidget(self._body)
        self._head.toggled.connect(self._toggled)
        self._body.hide()
        self._head.setArrowType(Qt.ArrowType.RightArrow)
        self.set_open(is_open)

    def add(self, widget: QWidget) -> None:
        self._content.addWidget(widget)

    def add_beside(self, widget: QWidget, stretch: int = 0) -> None:
        """Put a widget at the right of the title, where it stays while the section is folded."""
        self._row.addWidget(widget, stretch)

    def title(self) -> str:
        return self._head.text()

    def set_title(self, title: str) -> None:
        """What is said even while the section is folded."""
        self._head.setText(title)
        self._head.setAccessibleName(title)

    def is_open(self) -> bool:
        return self._head.isChecked()

    def set_open(self, is_open: bool) -> None:
        self._head.setChecked(is_open)

    @Slot(bool)
    def _toggled(self, is_open: bool) -> None:
        self._head.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self._body.setVisible(is_open)
        self.open_changed.emit(is_open)
