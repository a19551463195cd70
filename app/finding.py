"""What the command palette finds: commands, controls of the stage that is shown, runs, models and pictures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Slot
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QAbstractButton, QScrollArea, QWidget

from app.recent import where
from app.widgets.palette import CommandPalette, Entry
from app.widgets.run_words import summary
from app.widgets.sections import MoreSection
from app.widgets.tabs import Tabs
from resources import models, samples

if TYPE_CHECKING:
    from app.window import MainWindow

NOT_NOW = "Not at this moment"
NOT_HERE = {
    "run": "This stage has nothing to run now",
    "branch": "Denoise and Invert branch, from a step that is there",
    "step": "There is nothing to go on with by one step",
    "stop": "Nothing runs",
    "undo": "Nothing has been changed yet",
    "redo": "Nothing was taken back",
    "large_plot": "This stage shows no schedule",
    "open_log": "The log could not be written",
}
"""Why a command is greyed, by its id."""


class Finding(QObject):
    """The palette of the window, and the entries it is given each time it opens."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        window.registry.connect_to({"palette": self.begin})

    @cached_property
    def palette(self) -> CommandPalette:
        """Made when it is first asked for: no start waits for it."""
        made = CommandPalette(self._window)
        made.used.connect(self._remember)
        return made

    def begin(self) -> None:
        """Open the palette; where it is open, close it."""
        if self.palette.isVisible():
            self.palette.end()
        else:
            self.palette.begin([*self.entries()], self._window.settings.recent_commands)

    def entries(self) -> Iterator[Entry]:
        """Everything that can be done, commands first."""
        yield from self._commands()
        yield from self._controls()
        yield from self._runs()
        yield from self._sources()

    @Slot(str)
    def _remember(self, key: str) -> None:
        self._window.settings.remember_command(key)

    def _commands(self) -> Iterator[Entry]:
        registry = self._window.registry
        for command in registry:
            action = registry[command.id]
            if command.id == "palette":
                continue
            menu, _, under = command.menu.partition("/")
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            why_not = "" if action.isEnabled() else NOT_HERE.get(command.id, NOT_NOW)
            state = " (on)" if action.isChecked() and not command.group else ""
            title = f"{under}: {registry.text(command.id)}" if under else f"{registry.text(command.id)}{state}"
            yield Entry(command.id, title, f"{menu} · {command.tooltip}", keys, why_not, action.trigger)

    def _controls(self) -> Iterator[Entry]:
        """Those of the stage that is shown that have a name: to go there."""
        stage = self._window.stage
        known: set[str] = set()
        for part in (stage, *stage.right_widgets(), *stage.bottom_widgets()):
            for widget in part.findChildren(QWidget):
                name = _name(widget)
                if name and name not in known and widget.isEnabled() and _can_be_reached(widget, part):
                    known.add(name)
                    about = f"{stage.title} · go to this control"
                    yield Entry(f"control/{stage.key}/{name}", name, about, act=partial(go_to, widget))

    def _runs(self) -> Iterator[Entry]:
        state = self._window.state
        history = self._window.history
        for job, run in reversed(state.runs.items()):
            about = f"History · {summary(run.request)}"
            yield Entry(f"run/{job}", history.name(job), about, act=partial(history.choose, job))

    def _sources(self) -> Iterator[Entry]:
        settings, commands = self._window.settings, self._window.commands
        for model in models():
            yield Entry(
                f"model/{model.name}", model.name, "Model · bundled", act=partial(commands.open_model, model.name)
            )
        for kind, paths in (("Model", settings.recent_models), ("Picture", settings.recent_pictures)):
            for path in paths:
                key, about = f"{kind.lower()}/{path}", f"{kind} · {where(path)}"
                yield Entry(key, path.name, about, act=partial(commands.open_path, path))
        for sample in samples():
            key, about = f"picture/{sample.path}", "Picture · bundled"
            yield Entry(key, sample.name, about, act=partial(commands.open_path, sample.path))


def go_to(widget: QWidget) -> None:
    """Unfold what hides a control, scroll to it and give it the focus."""
    around = [*_around(widget)]
    for above in around:
        if isinstance(above, MoreSection):
            above.set_open(True)
        elif isinstance(above, Tabs) and above.key_of(widget):
            above.set_current(above.key_of(widget))
    for above in around:
        if isinstance(above, QScrollArea):
            above.ensureWidgetVisible(widget)
    widget.setFocus(Qt.FocusReason.ShortcutFocusReason)


def _name(widget: QWidget) -> str:
    """What a control is called; "" for what is none."""
    if not widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
        return ""
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    words = (widget.accessibleName() or text.replace("&", "")).partition(",")[0].strip()
    return words[:1].upper() + words[1:] if any(letter.isalnum() for letter in words) else ""


def _can_be_reached(widget: QWidget, part: QWidget) -> bool:
    """Whether nothing hides it but sections that are folded and pages that can be turned to."""
    hidden = widget
    for above in _around(widget):
        if hidden is part:
            return True
        folded = isinstance(above, MoreSection) and not above.is_open()
        turned = isinstance(above, Tabs) and above.key_of(hidden) in above.offered()
        if hidden.isHidden() and not (folded or turned):
            return False
        hidden = above
    return hidden is part


def _around(widget: QWidget) -> Iterator[QWidget]:
    """All that a widget stands in, from within."""
    above = widget.parentWidget()
    while above is not None:
        yield above
        above = above.parentWidget()
