"""What every stage is: a page in the centre of the window that answers to drops, to Run and to being looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from PySide6.QtCore import QMimeData, Signal, Slot
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.mementos import Entry, Memento, Mementos
from app.state import AppState
from app.widgets.error_bar import ErrorBar
from core.checkpoints.description import Answers
from core.images import OpenedImage

if TYPE_CHECKING:
    from app.exports.ways import Way


class Stage(QWidget):
    """A page of the window.

    Subclasses set ``key`` (as in ``Cursor.stage``), ``title`` and ``classifier_verb``, what is done here with a
    classifier that is dropped; they put their widgets into ``content`` and override
    what they need. ``errors`` is the stage's own error bar, above the content; ``mementos``, all that can be set here.

    Signals: ``hint_changed(str)``, one line for the status bar; ``commands_changed()`` when ``commands`` has changed;
    ``settings_changed()`` after the person has set something; ``branched(job)``, a run that goes on from the one shown
    was asked for.
    """

    key: ClassVar[str] = ""
    title: ClassVar[str] = ""
    classifier_verb: ClassVar[str] = "guide with this classifier"

    hint_changed = Signal(str)
    commands_changed = Signal()
    settings_changed = Signal()
    branched = Signal(int)

    def __init__(self, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.errors = ErrorBar()
        self.content = QWidget()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.errors)
        column.addWidget(self.content, 1)
        self.mementos = Mementos({}, parent=self)

    def remember(self, entries: Mapping[str, Entry], settle: Callable[[], object] | None = None) -> None:
        """Say what can be set here, when all of it is made and connected; ``settle`` as in ``Mementos``."""
        self.mementos = Mementos(entries, settle, self)
        self.mementos.changed.connect(self.settings_changed)
        self.state.model_changed.connect(self.retry)
        self.state.classifiers_changed.connect(self.retry)

    def memento(self) -> Memento:
        """All that is set here, as plain JSON."""
        return self.mementos.memento()

    def recall(self, memento: Mapping[str, Any]) -> tuple[str, ...]:
        """Set what a memento says; the names of what cannot be set, or not yet. It is no change by the person."""
        return self.mementos.recall(memento, self.awaits)

    def awaits(self, memento: Mapping[str, Any]) -> bool:
        """Whether something is on its way that brings settings of its own, after which these are to be set again."""
        return self.state.model is None

    @Slot()
    def retry(self) -> None:
        """What could not be set before may be possible now."""
        if self.mementos.awaited:
            self.recall(self.mementos.awaited)

    def restore_run(self, job: int) -> None:
        """Set the controls again as a run was made, which the cursor is on."""

    @property
    def primary_action(self) -> QPushButton | None:
        """The one filled button; Ctrl+Enter presses it."""
        return None

    @property
    def subject(self) -> str:
        """What a plot of this stage is of, in a few words for the name of its file."""
        return "" if self.state.model is None else self.state.model.ref.name

    @property
    def commands(self) -> frozenset[str]:
        """Which of "stop", "toggle", "step" and "branch" mean something at this moment; menus follow."""
        names = ("stop", "toggle", "step", "branch")
        return frozenset(name for name in names if getattr(type(self), name) is not getattr(Stage, name))

    def right_widgets(self) -> Sequence[QWidget]:
        """What the right panel shows while this stage is active, from top to bottom."""
        return ()

    def bottom_widgets(self) -> Sequence[QWidget]:
        """Transport and filmstrip of this stage, from top to bottom."""
        return ()

    def ways(self) -> Sequence[Way]:
        """What is looked at here and can be exported state by state."""
        return ()

    def drop_verbs(self, mime: QMimeData) -> str:
        """What a dropped picture will become here, in two or three words ("noise it")."""
        return "open it"

    def handle_drop(self, image: OpenedImage) -> None:
        """Take a picture that was dropped, pasted, drawn or chosen. By default it becomes the window's picture."""
        self.state.set_image(image)

    def handle_folder(self, folder: Path) -> bool:
        """Take a dropped folder of pictures; False where this stage has no use for one."""
        return False

    def handle_classifier(self, path: Path, answers: Answers | None = None) -> bool:
        """Take a dropped classifier's folder or file, with ``answers`` to what it does not say; False where this stage
        has no use for one."""
        return False

    def activate(self) -> None:
        """The stage is shown from now on."""

    def deactivate(self) -> None:
        """Another stage is shown; anything that moves by itself stops."""

    def stop(self) -> None:
        """Esc: stop what runs."""

    def toggle(self) -> None:
        """Space: play or pause."""

    def step(self) -> None:
        """Full stop: one single step."""

    def branch(self) -> None:
        """B: continue from the state that is shown."""

    def seek(self, steps: int) -> None:
        """Arrow keys that no widget wanted: move the cursor by so many positions; the stage clamps."""
