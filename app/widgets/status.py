"""The line at the bottom: what is being done, how far, how fast, how long, where, and how much memory it takes."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QStatusBar, QToolButton, QWidget

from app.state import AppState, Measuring, Training
from app.theme import GRID, PANEL_PADDING, font
from app.widgets.controls import label
from core.messages import EngineState, Status
from core.requests import InvertRequest, MorphRequest, SampleRequest

WORDS = {
    EngineState.STARTING: "Starting",
    EngineState.IDLE: "Ready",
    EngineState.LOADING: "Opening model",
    EngineState.SAVING: "Saving model",
    EngineState.SAMPLING: "Sampling",
    EngineState.MEASURING: "Measuring",
    EngineState.TRAINING: "Training",
    EngineState.PAUSED: "Paused",
    EngineState.CANCELLING: "Stopping",
    EngineState.FAILED: "Failed",
}
_LEAVE_OPENING = "Leave what is being opened; the model of before stays open"
_LEAVE_SAVING = "Leave what is being saved; nothing of it stays on the disk"
VERBS = {SampleRequest: "Sampling", InvertRequest: "Inverting", MorphRequest: "Morphing"}


class Hint(QLabel):
    """A line that ends in "…" where it has no room, and is whole in its tooltip; the fields beside it stay whole."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "caption")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def shown(self) -> str:
        """What is painted at the present width."""
        return self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, self.shown())


class Loading(QWidget):
    """How far a model or a classifier is read or written, and ``cancel`` to leave it; hidden while none is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(12 * GRID)
        self._read = label("", "caption")
        self._read.setFont(font("caption", numbers=True))
        self.cancel = QToolButton()
        self.cancel.setText("Cancel")
        self.cancel.setToolTip(_LEAVE_OPENING)
        self.cancel.setFixedHeight(2 * GRID + 2)  # the line stays as low as it is without
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        for part in (self._bar, self._read, self.cancel):
            row.addWidget(part)
        self.hide()

    @property
    def words(self) -> str:
        """What is said; "" while hidden."""
        return "" if self.isHidden() else self._read.text()

    def tell(self, name: str, done: int, total: int, *, saving: bool = False) -> None:
        """``done`` of ``total`` bytes of the file are read, or where it is ``saving`` written."""
        self._bar.setRange(0, 1000)
        self._bar.setValue(1000 * done // max(1, total))
        self._read.setText(f"{done / 2**20:.0f} of {total / 2**20:.0f} MiB")
        doing = f"Saving {name}" if saving else f"Opening {name}"
        self.setToolTip(doing)
        self.setAccessibleName(doing)
        self.cancel.setToolTip(_LEAVE_SAVING if saving else _LEAVE_OPENING)
        self.cancel.setAccessibleName("Cancel saving" if saving else "Cancel opening")
        self.show()


class StatusLine(QStatusBar):
    """Fields of fixed width with figures of fixed width, so that nothing moves while numbers run.

    Attributes: ``loading``. Signals: ``cancel_requested()``, to leave what is being opened or saved.
    """

    cancel_requested = Signal()

    def __init__(self, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.setSizeGripEnabled(False)
        self._hint = Hint()
        self.setContentsMargins(PANEL_PADDING - 2, 0, PANEL_PADDING - 2, 0)
        state_word = self._field("Opening model", "What the engine does")
        state_word.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.loading = Loading()
        self.loading.cancel.clicked.connect(self.cancel_requested)
        self.addWidget(state_word)
        self.addWidget(self.loading)
        self.loading.hide()  # which being added undoes
        self.addWidget(self._hint, 1)
        self.fields = {
            "state": state_word,
            "step": self._field("step 99999/99999", "Steps done of this run or training"),
            "rate": self._field("9999.9 steps/s", "Steps a second, pauses excluded; of a training its smoothed loss"),
            "eta": self._field("ETA 0:00:00", "Time to go, pauses excluded"),
            "device": self._field("cuda:0", "Where the network runs"),
            "memory": self._field("99.9/99.9 GB", "Memory used, of the device where it has its own"),
        }
        for name, field in self.fields.items():
            if name != "state":
                self.addPermanentWidget(field)
        state.status_changed.connect(self._show_status)
        state.runs_changed.connect(self._show_run)
        state.training_changed.connect(self._show_progress)
        state.measuring_changed.connect(self._show_progress)
        self._show_status(state.status)

    def set_hint(self, text: str) -> None:
        """One line about what can be done here."""
        self._hint.setText(text)
        self._hint.setToolTip(text)

    def _field(self, widest: str, tooltip: str) -> QLabel:
        field = label(widest, "caption")
        field.setFont(font("caption", numbers=True))
        field.setFixedWidth(field.fontMetrics().horizontalAdvance(widest) + 12)
        field.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        field.setToolTip(tooltip)
        field.setAccessibleName(tooltip)
        field.clear()
        return field

    @Slot(object)
    def _show_status(self, status: Status) -> None:
        self.fields["device"].setText(status.device)
        self.fields["memory"].setText(memory(status))
        self._show_progress()

    @Slot(int)
    def _show_run(self, job: int) -> None:
        if job == self._state.status.job:
            self._show_progress()

    @Slot()
    def _show_progress(self) -> None:
        """The run under way; where there is none, the measurement or the training; while nothing is, the hint has
        their room."""
        self._fill_progress()
        fields = [self.fields[name] for name in ("step", "rate", "eta")]
        is_under_way = any(field.text() for field in fields)
        for field in fields:
            field.setVisible(is_under_way)

    def _fill_progress(self) -> None:
        status, training, measuring = self._state.status, self._state.training, self._state.measuring
        run = None if status.job is None else self._state.runs.get(status.job)
        self.fields["state"].setText(WORDS[status.state])
        if measuring is not None and status.job == measuring.job:
            self._show_measuring(measuring)
            return
        if run is None and training is not None and training.state in ("running", "paused"):
            self._show_training(training)
            return
        if run is not None and status.state is EngineState.SAMPLING:
            self.fields["state"].setText(VERBS[type(run.request)])
        self.fields["step"].setText("" if run is None else f"step {run.stored}/{run.total}")
        self.fields["rate"].setText("" if run is None or run.rate <= 0 else f"{run.rate:.1f} steps/s")
        self.fields["eta"].setText("" if run is None or run.rate <= 0 else f"ETA {clock(run.eta)}")

    def _show_measuring(self, measuring: Measuring) -> None:
        self.fields["step"].setText(f"part {measuring.done}/{measuring.total}")
        self.fields["rate"].clear()
        self.fields["eta"].setText(f"ETA {clock(measuring.eta)}" if measuring.done and measuring.eta else "")

    def _show_training(self, training: Training) -> None:
        if training.state == "paused":
            self.fields["state"].setText("Paused")
        of = "" if training.total is None else f"/{training.total}"
        self.fields["step"].setText(f"step {training.step}{of}")
        self.fields["rate"].setText(f"loss {training.loss:.4f}" if training.loss > 0 else "")
        self.fields["eta"].setText(f"ETA {clock(training.eta)}" if training.eta > 0 else "")


def memory(status: Status) -> str:
    """ "1.2/8.0 GB", without the total where it is unknown, "" where nothing is."""
    if status.memory_used <= 0:
        return ""
    used = status.memory_used / 1e9
    return f"{used:.1f}/{status.memory_total / 1e9:.1f} GB" if status.memory_total > 0 else f"{used:.1f} GB"


def clock(seconds: float) -> str:
    """ "0:07", "12:00" or "1:02:03"."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
