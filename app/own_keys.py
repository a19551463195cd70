"""The keys of commands as the person has set them, kept in the settings."""

from __future__ import annotations

from PySide6.QtGui import QKeySequence

from app.actions import Actions
from app.settings import Settings

OF_WIDGETS = (
    *("Left", "Right", "Up", "Down", "Home", "End", "PgUp", "PgDown", "Shift+Left", "Shift+Right"),
    *("Tab", "Shift+Tab", "Backtab", "Shift+Backtab", "Return", "Enter", "Backspace", "Del", "Menu"),
    *("+", "-", "0", "F2", "Ctrl+A", "Ctrl+X", "Ctrl+E"),
)
"""What lists, pictures, plots and lines of text listen to themselves."""


class OwnKeys:
    """Which keys a command has, beside those it comes with. What the settings say and cannot be is passed over."""

    def __init__(self, actions: Actions, settings: Settings) -> None:
        self._actions, self._settings = actions, settings
        known = {command.id for command in actions}
        changed = {command: keys for command, keys in settings.own_keys.items() if command in known}
        for command in changed:
            actions.set_keys(command, "")
        for command, keys in changed.items():
            if not self.obstacle(command, keys):
                actions.set_keys(command, keys)
        for command in changed:  # where the settings were damaged, back to what it comes with, if that is free
            default = actions.default_keys(command)
            if not actions.keys(command) and changed[command] and actions.holder(default) is None:
                actions.set_keys(command, default)

    def obstacle(self, command: str, keys: str) -> str:
        """Why the keys cannot be those of a command, in a sentence; "" where they can."""
        sequence = QKeySequence(keys)
        if keys and (sequence.isEmpty() or not sequence.toString()):
            return "These are no keys of a keyboard."
        if sequence.count() > 1:
            return "One key at a time: two after one another are not used here."
        if sequence.toString() in OF_WIDGETS:
            return "Lists, pictures and lines of text use this key themselves."
        holder = self._actions.holder(keys)
        if holder is not None and holder != command:
            return f"These are the keys of “{self._actions.text(holder)}”."
        return ""

    def set(self, command: str, keys: str) -> None:
        """Give a command other keys ("" for none), taking them from the command that has them; ValueError where they
        are no command's to have."""
        holder = self._actions.holder(keys)
        if holder is not None and holder != command:
            self._give(holder, "")
        words = self.obstacle(command, keys)
        if words:
            raise ValueError(words)
        self._give(command, keys)

    def reset(self, command: str) -> None:
        """The keys it comes with, taken back from whoever has them."""
        self.set(command, self._actions.default_keys(command))

    def reset_all(self) -> None:
        changed = [command.id for command in self._actions if self.is_changed(command.id)]
        for command in changed:
            self._actions.set_keys(command, "")
        for command in changed:
            self._give(command, self._actions.default_keys(command))

    def is_changed(self, command: str) -> bool:
        return self._actions.keys(command) != self._actions.default_keys(command)

    def _give(self, command: str, keys: str) -> None:
        self._actions.set_keys(command, keys)
        self._settings.set_own_keys(command, keys if self.is_changed(command) else None)
