"""What a person has changed can be taken back: settings, picture, model, and what others push."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence, QUndoCommand, QUndoStack
from shiboken6 import isValid

from app.mementos import Memento
from app.state import AppState
from core.images import OpenedImage
from core.messages import ModelInfo
from core.requests import Conversion

if TYPE_CHECKING:
    from app.stages.base import Stage

LIMIT = 200
"""Steps that can be taken back."""
GESTURE_SECONDS = 1.0
"""Between two turns of a wheel, or two presses of a key, that are one step to take back."""


@dataclass(frozen=True)
class View:
    """What the whole window has but once."""

    image: OpenedImage | None
    conversion: Conversion | None
    seed: int


class Change(QUndoCommand):
    """One step. ``key`` says what it is about; two in a row about the same thing in one gesture are one."""

    def __init__(
        self, text: str, undo: Callable[[], object], redo: Callable[[], object], key: object = None, gesture: int = 0
    ) -> None:
        super().__init__(text)
        self._undo, self._redo = undo, redo
        self.key, self.gesture = key, gesture
        self._is_done = True

    def undo(self) -> None:
        self._undo()

    def redo(self) -> None:
        if self._is_done:  # when it is pushed
            self._is_done = False
        else:
            self._redo()

    def id(self) -> int:
        return 1 if self.key is not None else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, Change) or (self.key, self.gesture) != (other.key, other.gesture):
            return False
        self._redo = other._redo
        return True


class Undo(QObject):
    """Attributes: ``stack``. Signals: ``model_wanted(str)``, a folder whose model is to be open again.

    Changes are gathered until the event that brought them is over: what one drop changes is one step. What the engine
    or another stage moves makes none; it only becomes what the next step goes back to.
    """

    model_wanted = Signal(str)

    def __init__(self, state: AppState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.stack = QUndoStack(self)
        self.stack.setUndoLimit(LIMIT)
        self._stages: dict[str, Stage] = {}
        self._known: dict[str, Memento] = {}
        self._view = self._look()
        self._turned: set[str] = set()
        self._is_replaying = False
        self._model = state.model
        self._brought = False
        """A model has just come, and what it brings is no change by the person."""
        self._awaited: tuple[str, dict[str, Memento], View] | None = None
        """The model that is being opened again, and what is to be set when it is there."""
        self._gesture, self._last = 0, 0.0
        self._key: object = None
        self._gather = QTimer(self, singleShot=True, interval=0)
        self._gather.timeout.connect(self.flush)
        for moved in (state.image_changed, state.conversion_changed, state.seed_changed):
            moved.connect(self._window_turned)
        state.model_changed.connect(self._model_changed)
        for told in (state.cursor_changed, state.classifiers_changed, state.runs_changed):
            told.connect(self._look_again)

    def watch(self, stage: Stage) -> None:
        """Take back what is set in a stage from now on."""
        self._stages[stage.key] = stage
        self._known[stage.key] = stage.memento()
        stage.settings_changed.connect(lambda: self._stage_turned(stage.key))
        stage.mementos.let_go.connect(self._let_go)

    def push(self, text: str, undo: Callable[[], object], redo: Callable[[], object]) -> None:
        """Remember something that has just been done; ``text`` is what follows "Undo": "delete run 3". Both ways lead
        back to the stage where it was done."""
        self.flush()
        stage = self._state.cursor.stage
        self._push(text, stage, undo, redo)

    @Slot()
    def flush(self) -> None:
        """Make steps of what has changed, now."""
        self._gather.stop()
        if self._is_replaying:
            return
        before, after = self._view, self._look()
        turned, self._turned = set() if self._brought else self._turned, set()
        self._brought = False
        known = self._known
        self._view = after
        self._known = {key: stage.memento() for key, stage in self._stages.items()}
        differences = {key: self._difference(key, known[key]) for key in turned if key in self._stages}
        differences = {key: both for key, both in differences.items() if both[0]}
        is_windows = "window" in turned and before.image is not None and before != after
        if not differences and not is_windows:
            return
        texts, names = [], []
        if is_windows:
            texts.append(words_of(before, after))
            names.append(texts[0])
        for key, (old, _new) in differences.items():
            texts += [self._stages[key].mementos.entries[name].name for name in old]
            names += [f"{key}.{name}" for name in old]
        place = next(iter(differences), self._state.cursor.stage)
        old_settings = {key: old for key, (old, _new) in differences.items()}
        new_settings = {key: new for key, (_old, new) in differences.items()}
        self._push(
            texts[0],
            place,
            lambda: self._restore(old_settings, before if is_windows else None),
            lambda: self._restore(new_settings, after if is_windows else None),
            key=tuple(names) if self._is_gradual(differences, is_windows, before, after) else None,
        )

    # What has changed

    def _difference(self, stage: str, known: Memento) -> tuple[Memento, Memento]:
        """What was set before and what is now, where they differ and it is the stage's own."""
        entries, now = self._stages[stage].mementos.entries, self._known[stage]
        names = [
            name
            for name, entry in entries.items()
            if not (entry.is_view or entry.is_shared) and name in known and known[name] != now.get(name)
        ]
        return {name: known[name] for name in names}, {name: now[name] for name in names}

    def _is_gradual(
        self, differences: Mapping[str, tuple[Memento, Memento]], is_windows: bool, before: View, after: View
    ) -> bool:
        names = [(key, name) for key, (old, _new) in differences.items() for name in old]
        if is_windows:
            return not names and before.image is after.image
        return any(self._stages[key].mementos.entries[name].is_gradual for key, name in names)

    def _look(self) -> View:
        state = self._state
        return View(state.image, state.conversion, state.seed)

    @Slot()
    def _look_again(self) -> None:
        """Something may have been moved by others: what is known before the next change is that."""
        self._gather.start()

    def _stage_turned(self, key: str) -> None:
        if not self._is_replaying:
            self._turned.add(key)
            self._gather.start()

    @Slot()
    def _window_turned(self) -> None:
        if self._is_replaying:
            return
        if not any(stage.mementos.is_unasked for stage in self._stages.values()):
            self._turned.add("window")
        self._gather.start()

    @Slot(object)
    def _model_changed(self, model: ModelInfo | None) -> None:
        """Another model was opened: it brings settings of its own, which are taken back with it."""
        before, self._model = self._model, model
        known, view = self._known, self._view
        self._brought = True
        self._gather.start()
        if self._awaited is not None:
            awaited, self._awaited = self._awaited, None
            if model is not None and model.ref.sha256 == awaited[0]:
                QTimer.singleShot(0, self, lambda: self._restore(awaited[1], awaited[2]))
            return
        folders = self._state.folders
        if before is None or model is None or not {before.ref.sha256, model.ref.sha256} <= set(folders):
            return
        self._push(
            f"open {model.ref.name}",
            self._state.cursor.stage,
            lambda: self._reopen(before.ref.sha256, known, view),
            lambda: self._reopen(model.ref.sha256, {}, replace(view, conversion=None)),
        )

    def _reopen(self, sha256: str, settings: dict[str, Memento], view: View) -> None:
        self._awaited = (sha256, settings, view)
        self.model_wanted.emit(self._state.folders[sha256])

    # Steps

    def _push(
        self,
        text: str,
        stage: str,
        undo: Callable[[], object],
        redo: Callable[[], object],
        key: object = None,
    ) -> None:
        now = time.monotonic()
        is_held = QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
        if key != self._key or (now - self._last > GESTURE_SECONDS and not is_held):
            self._gesture += 1
        self._key, self._last = key, now
        self.stack.push(Change(text, self._replaying(stage, undo), self._replaying(stage, redo), key, self._gesture))

    @Slot()
    def _let_go(self) -> None:
        self.flush()
        self._key = None

    def _replaying(self, stage: str, action: Callable[[], object]) -> Callable[[], None]:
        """``action`` in the stage where it belongs; what it changes makes no step of its own."""

        def replay() -> None:
            self.flush()
            self._is_replaying = True
            try:
                self._state.move(stage=stage)
                action()
            finally:
                self._is_replaying = False
            self._key = None
            self._turned.clear()
            self.flush()

        return replay

    def _restore(self, settings: Mapping[str, Mapping[str, Any]], view: View | None) -> None:
        was_replaying, self._is_replaying = self._is_replaying, True
        try:
            if view is not None:
                self._state.set_image(view.image)
                if view.conversion is not None:
                    self._state.set_conversion(view.conversion)
                self._state.set_seed(view.seed)
            for key, memento in settings.items():
                self._stages[key].recall(memento)
        finally:
            self._is_replaying = was_replaying
        self._gather.start()


class UndoActions(QObject):
    """Keeps the two actions of the menu true: what they would do, and whether they can."""

    def __init__(self, undo: Undo, back: QAction, forth: QAction) -> None:
        super().__init__(undo)
        self._undo = undo
        self._actions = {back: (back.text(), undo.stack.undo), forth: (forth.text(), undo.stack.redo)}
        for action, (_text, do) in self._actions.items():
            action.triggered.connect(self._doer(do))
        forth.setShortcuts([*forth.shortcuts(), QKeySequence("Ctrl+Y")])
        undo.stack.indexChanged.connect(self._show)
        self._show()

    def _doer(self, do: Callable[[], None]) -> Callable[[], None]:
        def done() -> None:
            self._undo.flush()
            do()

        return done

    @Slot()
    def _show(self) -> None:
        stack = self._undo.stack
        if not isValid(stack):  # it is emptied when the window goes
            return
        says = (stack.undoText(), stack.canUndo()), (stack.redoText(), stack.canRedo())
        for (action, (text, _do)), (what, can) in zip(self._actions.items(), says, strict=True):
            action.setText(f"{text} {what}".rstrip())
            action.setEnabled(can)


def words_of(before: View, after: View) -> str:
    """What the whole window has otherwise than before."""
    if before.image is not after.image:
        return "picture"
    return "seed" if before.seed != after.seed else "crop and background"
