"""Questions that a file leaves open, as controls that begin with the best guess and say that it is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.theme import GRID
from app.widgets.choices import Choice
from app.widgets.labels import label
from app.widgets.number_field import NumberField
from core.checkpoints.description import Question

_BEST = {"guess": "Guessed", "usual": "Usual"}


class Asked(QWidget):
    """One question: its control, and below it whether the answer is a guess and why. It begins with what was ``said``
    before, else with the best guess, which is no guess but the ``usual`` where that is known.

    Signals: ``changed()``.
    """

    changed = Signal()

    def __init__(
        self, question: Question, said: str = "", *, usual: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.question = question
        self._best_is = "usual" if usual else "guess"
        self._said = said if _fits(question, said) else ""
        self.control = _control(question, self._said or question.best)
        self._origin = label("", "caption")
        self._origin.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.control)
        column.addWidget(self._origin)
        self.setFocusProxy(self.control)
        self.control.value_changed.connect(self._changed)
        self._say_origin()

    @property
    def answer(self) -> str:
        """What is chosen, as it is stored."""
        return self.control.value() if isinstance(self.control, Choice) else str(round(self.control.value()))

    @property
    def origin(self) -> str:
        """What is said below the control."""
        return self._origin.text()

    @Slot()
    def _changed(self) -> None:
        if isinstance(self.control, NumberField):
            multiple, value = self.question.multiple, round(self.control.value())
            fitting = max(multiple, round(value / multiple) * multiple)
            if fitting != value:
                self.control.set_value(fitting)  # and comes back here
                return
        self._say_origin()
        self.changed.emit()

    def _say_origin(self) -> None:
        question = self.question
        if self.answer == self._said:
            words = "As you said before."
        elif self.answer == question.best:
            words = f"{_BEST[self._best_is]}: {question.why}"
        else:
            words = f"Your choice. The {self._best_is} was {_words(question, question.best)}: {question.why}"
        self._origin.setText(words)


class Questions(QWidget):
    """All that is asked, one below the other; ``said`` is what was answered before, ``usual`` as for ``Asked``.

    Signals: ``changed()``.
    """

    changed = Signal()

    def __init__(
        self,
        questions: Sequence[Question],
        said: Mapping[str, str] | None = None,
        *,
        usual: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.asked = tuple(Asked(one, (said or {}).get(one.key, ""), usual=usual) for one in questions)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        for asked in self.asked:
            column.addWidget(asked)
            asked.changed.connect(self.changed)
        align(self)

    def answers(self) -> dict[str, str]:
        """What is chosen, by the keys of the questions."""
        return {asked.question.key: asked.answer for asked in self.asked}


def align(*groups: Questions) -> None:
    """Begin all controls of some questions at one edge."""
    every = [asked.control.findChild(QLabel) for group in groups for asked in group.asked]
    names = [name for name in every if name is not None]
    widest = max((name.sizeHint().width() for name in names), default=0)
    for name in names:
        name.setFixedWidth(widest)


def _control(question: Question, value: str) -> Choice | NumberField:
    if question.choices:
        options = {choice.value: choice.words for choice in question.choices}
        return Choice(question.title, options, value, tooltip=question.why)
    fitting = f" It is a multiple of {question.multiple}." if question.multiple > 1 else ""
    return NumberField(
        question.title,
        question.low,
        question.high,
        float(value),
        step=question.multiple,
        tooltip=question.why + fitting,
    )


def _fits(question: Question, said: str) -> bool:
    if question.choices:
        return any(choice.value == said for choice in question.choices)
    return said.isdecimal() and question.low <= int(said) <= question.high


def _words(question: Question, value: str) -> str:
    return next((choice.words for choice in question.choices if choice.value == value), value)
