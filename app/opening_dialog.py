"""The page about a checkpoint: what it is, how that is known, and what only the person can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.theme import GRID, PANEL_PADDING
from app.widgets.controls import PrimaryButton, Unfolded, label
from app.widgets.questions import Questions, align
from core.checkpoints.description import Description, Fact, Origin

WIDTH = 80 * GRID

ORIGINS: Mapping[Origin, str] = {
    "file": "read in the file",
    "shapes": "from the shapes of its weights",
    "table": "known of the model published with this signature",
    "assumed": "assumed: what such files mean where they say nothing",
    "guessed": "a guess",
    "answered": "you said so",
}
SHORT: Mapping[Origin, str] = {
    "file": "file",
    "shapes": "shapes",
    "table": "published",
    "assumed": "assumed",
    "guessed": "guessed",
    "answered": "your answer",
}
APART: Mapping[Origin, str] = {
    "assumed": "Assumed, as such files mean it where they say nothing",
    "guessed": "Guessed, as such files differ there",
}
"""What is not known for certain stands apart, under these words."""


class CheckpointDialog(QDialog):
    """What is known of a checkpoint, its questions filled with the best guesses, and what to do with it.

    Attributes: ``questions`` and ``options``, the controls; ``open_button``; ``copy_button``; ``change_button``;
    ``close_button``. Signals: ``open_wanted(dict)`` and ``copy_wanted(dict)`` with the answers; ``change_wanted()``, to
    be asked again. Whatever is pressed closes it.
    """

    open_wanted = Signal(dict)
    copy_wanted = Signal(dict)
    change_wanted = Signal()

    def __init__(
        self,
        description: Description,
        said: Mapping[str, str] | None = None,
        *,
        opened: bool = False,
        changeable: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """``said`` is what was answered before; ``opened`` is true for the page about a model that is open, whose
        answers may be ``changeable``."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"About {description.name}" if opened else f"Open {description.name}")
        self._is_open, self._description = opened, description
        unsure = any(fact.origin in ("answered", "guessed") for fact in description.facts)
        self._can_change = changeable and (unsure or bool(description.options))
        self.questions = Questions(() if opened else description.questions, said)
        self.options = Questions(() if opened else description.options, said, usual=True)
        align(self.questions, self.options)
        self.open_button = PrimaryButton(*_opening(description))
        self.copy_button = QPushButton("Save a safe copy…")
        self.copy_button.setToolTip(
            "Write it, with these answers, to a folder of its own that every program can open safely, and open that"
        )
        self.change_button = QPushButton("Change answers…")
        self.change_button.setToolTip("Be asked again what the file does not say, and what can be chosen")
        self.close_button = QPushButton("Close" if opened else "Cancel")
        self.close_button.setToolTip("Close this page (Esc)" if opened else "Leave it closed (Esc)")
        self._lay_out()
        self.open_button.clicked.connect(self._open)
        self.copy_button.clicked.connect(self._copy)
        self.change_button.clicked.connect(self._change)
        self.close_button.clicked.connect(self.reject)

    def answers(self) -> dict[str, str]:
        """What is chosen, by the keys of the questions."""
        return self.questions.answers() | self.options.answers()

    @Slot()
    def _open(self) -> None:
        self.accept()
        self.open_wanted.emit(self.answers())

    @Slot()
    def _copy(self) -> None:
        self.accept()
        self.copy_wanted.emit(self.answers())

    @Slot()
    def _change(self) -> None:
        self.accept()
        self.change_wanted.emit()

    def _lay_out(self) -> None:
        described = self._description
        scroll = Unfolded()
        body = QVBoxLayout(scroll.body)
        body.setContentsMargins(0, 0, GRID, 0)
        body.setSpacing(PANEL_PADDING)
        if self.questions.asked:
            body.addWidget(label("The file does not say", "caption"))
            body.addWidget(self.questions)
        if self.options.asked:
            body.addWidget(label("You can choose", "caption"))
            body.addWidget(self.options)
        chosen = {asked.question.key for asked in self.options.asked}
        facts = [fact for fact in described.facts if fact.name not in chosen]
        known = [fact for fact in facts if fact.origin not in APART]
        apart = {APART[origin]: [fact for fact in facts if fact.origin == origin] for origin in APART}
        if self.questions.asked:
            apart[APART["guessed"]] = []  # they stand above
        for caption, listed in ({"What is known": known} | apart).items():
            if listed:
                body.addWidget(label(caption, "caption"))
                body.addWidget(_table(listed))
        for note in described.notes:
            body.addWidget(_wrapped(note, "quiet"))
        body.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * PANEL_PADDING, 2 * PANEL_PADDING, 2 * PANEL_PADDING, PANEL_PADDING)
        column.setSpacing(PANEL_PADDING)
        head = QVBoxLayout()
        head.setSpacing(2)
        head.addWidget(_wrapped(described.name, "title"))
        head.addWidget(_wrapped(summary(described), "quiet"))
        column.addLayout(head)
        column.addWidget(scroll, 1)
        column.addLayout(self._buttons())
        self.setMinimumWidth(WIDTH)
        self.setMaximumHeight(78 * GRID)
        self.adjustSize()
        (self.close_button if self._is_open else self.open_button).setFocus()

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addStretch()
        shown = {
            self.change_button: self._is_open and self._can_change,
            self.close_button: True,
            self.copy_button: not self._is_open,
            self.open_button: not self._is_open,
        }
        for button, is_shown in shown.items():
            row.addWidget(button)
            button.setVisible(is_shown)
            button.setAutoDefault(False)
        (self.close_button if self._is_open else self.open_button).setDefault(True)
        return row


def summary(described: Description) -> str:
    """Whose format it is, and how large, in a line."""
    size = f"{described.parameters / 1e6:,.1f} M parameters" if described.parameters else ""
    mib = described.nbytes / 2**20
    room = f"{mib:,.0f} MiB" if mib >= 10 else f"{mib:.1f} MiB" if described.nbytes else ""
    kind = "a classifier, which guides" if described.kind == "classifier" else ""
    return " · ".join(filter(None, (described.family, kind, size, room)))


def _opening(described: Description) -> tuple[str, str]:
    if described.kind == "classifier":
        return "Guide with it", "Open it in Denoise, to guide towards a class"
    return "Open", "Open the model with these answers, which are remembered (Enter)"


def _table(facts: Sequence[Fact]) -> QWidget:
    table = QWidget()
    grid = QGridLayout(table)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(2 * GRID)
    grid.setVerticalSpacing(GRID // 2)
    grid.setColumnStretch(1, 1)
    for row, fact in enumerate(facts):
        for place, (words, role) in enumerate(
            ((fact.name, "quiet"), (fact.value, ""), (SHORT[fact.origin], "caption"))
        ):
            cell = _wrapped(words, role) if place == 1 else label(words, role)
            cell.setToolTip(ORIGINS[fact.origin])
            grid.addWidget(cell, row, place, Qt.AlignmentFlag.AlignTop)
    return table


def _wrapped(words: str, role: str) -> QLabel:
    made = label(words, role)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made
