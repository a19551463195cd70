"""What a training that is being prepared will take, worked out beside the window, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.log import logger
from app.stages.measure_pace import duration
from app.stages.train_loader import Background
from core.errors import Refusal
from core.json_file import read_json
from core.messages import Status
from core.network_config import config_of, trainable
from core.training.dataset import PictureFolder
from core.training.forecast import Forecast, forecast
from core.training.order import TrainOrder
from core.unet_config import UNetConfig

CPU = "cpu"


@dataclass(frozen=True, eq=False)
class Question:
    """What is to be trained, on which pictures and where; ``base`` is the folder of the model it begins from."""

    order: TrainOrder
    data: PictureFolder
    device: str = CPU
    memory: int | None = None
    base: str = ""


def question(order: TrainOrder, data: PictureFolder, status: Status, base: str) -> Question:
    """The engine's device is where it will run, once that is known."""
    device = status.device or CPU
    return Question(order, data, device, status.memory_total if not device.startswith(CPU) else None, base)


class Forecaster(QObject):
    """Answers the last question put; those in between are left out.

    Attributes: ``answer``, a Forecast, or why there is none, in words; None until there is one. ``question``, to which.
    Signals: ``answered()``.
    """

    answered = Signal()

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._at_work = False
        self._next: Question | None = None
        self.answer: Forecast | str | None = None
        self.question: Question | None = None

    def ask(self, asked: Question | None) -> None:
        """Work out what this will take; None: nothing is asked any more."""
        self._next = asked
        if asked is None:
            self.answer = self.question = None
            self.answered.emit()
        elif not self._at_work:
            self._begin()

    def _begin(self) -> None:
        asked, self._next = self._next, None
        if asked is None:
            return
        self._at_work = True

        def done(answer: Forecast | str) -> None:
            self._at_work = False
            self.answer, self.question = answer, asked
            self.answered.emit()
            self._begin()

        def failed(error: Exception) -> None:
            self._at_work = False
            logger.error("a forecast failed", exc_info=error)
            self._begin()

        self._background.in_background(lambda: answer_to(asked), done, failed, "forecasts")


def answer_to(asked: Question) -> Forecast | str:
    """The forecast, or why there is none."""
    try:
        network = _network_in(Path(asked.base)) if asked.base else None
        return forecast(asked.order, asked.data, device=asked.device, network=network, memory=asked.memory)
    except Refusal as refusal:
        return str(refusal)


def _network_in(model: Path) -> UNetConfig:
    """That of a folder. Raises Refusal where it is none that can be trained, and for a file."""
    for place in (model / "unet" / "config.json", model / "config.json"):
        if place.is_file():
            return trainable(config_of(read_json(place)))
    raise Refusal(f"How long it takes shows when it has begun: “{model.name}” does not say how large its network is.")


# ------------------------------------------------------------------------------------------------ words


def line(told: Forecast, order: TrainOrder) -> str:
    """ "20 minutes: about 13,000 steps, each picture seen about 240 times · 0.9 GB of memory"."""
    if order.steps is not None:
        length = f"{order.steps:,} steps: {duration(told.seconds)}"
    else:
        length = f"{order.minutes:g} minutes: about {about(told.steps)} steps"
    guess = "" if told.is_known else ", at a guess"
    return f"{length}{guess} · each picture seen about {times(told.epochs)} · {gigabytes(told.memory)} of memory"


def details(told: Forecast, order: TrainOrder) -> dict[str, str]:
    """Every figure of a forecast in words, by its name."""
    how = (
        "as a training much like it ran on this machine"
        if told.is_known
        else "a guess, from a moment's arithmetic: no training like it has run on this machine yet"
    )
    seconds = 1 / told.steps_per_second
    pace = f"{told.steps_per_second:.1f} steps a second" if seconds < 1 else f"{seconds:.1f} s a step"
    return {
        "Steps": f"about {about(told.steps)}, of {order.batch} pictures each",
        "Time": duration(told.seconds) + " of work",
        "Pace": f"{pace}, {pictures(told.steps_per_second * order.batch)} pictures a second: {how}",
        "Passes": f"each picture is seen about {times(told.epochs)}",
        "Memory": f"about {gigabytes(told.memory)} at most",
        "Network": f"{told.parameters:,} parameters, {told.flops / 1e9:.2f} GFLOP a picture",
    }


def about(count: float) -> str:
    """Two figures of a large number are known, not more: "13,000"."""
    digits = max(0, len(str(int(count))) - 2)
    return f"{round(count / 10**digits) * 10**digits:,}"


def times(count: float) -> str:
    return f"{count:.1f} times" if count < 9.5 else f"{about(count)} times"


def gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"


def pictures(rate: float) -> str:
    return f"{rate:.1f}" if rate < 9.5 else about(rate)
