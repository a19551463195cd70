"""A number that can be dragged and typed, and whose ends say what they mean."""

from __future__ import annotations

from PySide6.QtCore import QLocale, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QSizePolicy, QSlider, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.labels import label


class Track(QSlider):
    """A horizontal slider drawn as a line and a disc; a click goes there, a double-click asks for the default.

    Signals: ``reset_requested()``.
    """

    reset_requested = Signal()
    _DISC = 14

    def __init__(self, quantity: str = "neutral", parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._quantity = quantity
        self.mark: int | None = None
        """A position to be pointed out."""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(8 * GRID)

    def sizeHint(self) -> QSize:
        return QSize(20 * GRID, self._DISC + 6)

    minimumSizeHint = sizeHint

    def _room(self) -> int:
        return max(1, self.width() - self._DISC - 4)

    def _x(self, position: int) -> float:
        span = max(1, self.maximum() - self.minimum())
        return (self._DISC + 4) / 2 + (position - self.minimum()) / span * self._room()

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
        colours, middle, x = palette(), self.height() / 2, self._x(self.sliderPosition())
        ink = colour(self._quantity) if self.isEnabled() else QColor(colours.line)
        painter.setPen(QPen(QColor(colours.line), 2, c=Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(3, middle), QPointF(self.width() - 3, middle))
        painter.setPen(QPen(ink, 2, c=Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(3, middle), QPointF(x, middle))
        if self.mark is not None:
            painter.setPen(QPen(QColor(colours.quiet), 2))
            at = self._x(self.mark)
            painter.drawLine(QPointF(at, middle - 4), QPointF(at, middle + 4))
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

    Signals: ``value_changed(float)``, only when the value differs from before; ``let_go()`` at the end of a drag.
    """

    value_changed = Signal(float)
    let_go = Signal()

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
        grid.addWidget(self._track, 1, 0, 1, 2)  # first, for Tab comes to what has the focus of the whole, and goes on
        grid.addWidget(self._edit, 0, 1, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self._ends[0], 2, 0)
        grid.addWidget(self._ends[1], 2, 1)
        grid.setColumnStretch(0, 1)
        self.setFocusProxy(self._track)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

        self._about = tooltip
        self.setToolTip(tooltip)
        self.setAccessibleName(name)
        for part, role in ((self._edit, "number"), (self._track, "slider")):
            part.setAccessibleName(f"{name}, {role}")
            part.setAccessibleDescription(tooltip)
        self.set_ends(*ends)
        self.set_range(minimum, maximum)
        self._track.valueChanged.connect(self._slid)
        self._track.reset_requested.connect(self.reset)
        self._track.sliderReleased.connect(self.let_go)
        self._edit.valueChanged.connect(self._typed)

    def value(self) -> float:
        return self._value

    def set_value(self, value: float) -> None:
        """Show and announce a value, rounded and clamped."""
        value = self._fitted(value)
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

    def set_default(self, value: float, why: str = "") -> None:
        """What ``reset`` returns to; where there is something to say of it, it is marked and told in the tooltip."""
        self._default = value
        self._track.mark = self._position(value) if why else None
        shown = f"{self._edit.textFromValue(value)}{self._edit.suffix()}"
        self.setToolTip(f"{self._about}\nThe mark: {shown}, {why}; a double-click goes there." if why else self._about)
        self._track.update()

    def set_ends(self, low: str, high: str) -> None:
        for end, text in zip(self._ends, (low, high), strict=True):
            end.setText(text)
            end.setVisible(bool(low or high))

    def is_default(self) -> bool:
        """Whether it is as ``reset`` leaves it."""
        return self._value == self._fitted(self._default)

    def _fitted(self, value: float) -> float:
        """Rounded and clamped."""
        return round(min(self._edit.maximum(), max(self._edit.minimum(), value)), self._edit.decimals())

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
