"""What the program remembers about the window from one start to the next, behind typed names."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings

from app.theme import SchemeName
from core.folders import config_folder

RECENT = 8


class Settings:
    """QSettings in one readable file of the configuration folder.

    A value that is missing or damaged reads as its default: settings never prevent a start.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._store = QSettings(str(path or config_folder() / "window.ini"), QSettings.Format.IniFormat)

    @property
    def geometry(self) -> QByteArray:
        value = self._store.value("window/geometry")
        return value if isinstance(value, QByteArray) else QByteArray()

    @geometry.setter
    def geometry(self, value: QByteArray) -> None:
        self._store.setValue("window/geometry", value)

    @property
    def left_panel(self) -> bool:
        return self._flag("window/left_panel", True)

    @left_panel.setter
    def left_panel(self, value: bool) -> None:
        self._store.setValue("window/left_panel", value)

    @property
    def right_panel(self) -> bool:
        return self._flag("window/right_panel", True)

    @right_panel.setter
    def right_panel(self, value: bool) -> None:
        self._store.setValue("window/right_panel", value)

    @property
    def scheme(self) -> SchemeName | None:
        """The colour scheme that was chosen; None follows the system."""
        match self._store.value("window/scheme"):
            case "dark":
                return "dark"
            case "light":
                return "light"
        return None

    @scheme.setter
    def scheme(self, value: SchemeName | None) -> None:
        self._store.setValue("window/scheme", value or "")

    @property
    def restores(self) -> bool:
        """Whether the last session is there again at the start."""
        return self._flag("session/restore", True)

    @restores.setter
    def restores(self, value: bool) -> None:
        self._store.setValue("session/restore", value)

    @property
    def recent_pictures(self) -> tuple[Path, ...]:
        return self._paths("recent/pictures")

    def remember_picture(self, path: Path) -> None:
        self._remember("recent/pictures", path)

    @property
    def recent_models(self) -> tuple[Path, ...]:
        return self._paths("recent/models")

    def remember_model(self, path: Path) -> None:
        self._remember("recent/models", path)

    def forget_recent(self) -> None:
        """Of pictures and models."""
        self._store.remove("recent/pictures")
        self._store.remove("recent/models")

    @property
    def recent_commands(self) -> tuple[str, ...]:
        """What was chosen in the command palette last, newest first."""
        value = self._store.value("recent/commands")
        texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        return tuple(text for text in texts if isinstance(text, str))[:RECENT]

    def remember_command(self, key: str) -> None:
        others = [known for known in self.recent_commands if known != key]
        self._store.setValue("recent/commands", [key, *others][:RECENT])

    @property
    def own_keys(self) -> dict[str, str]:
        """The keys that the person has given to commands, by their ids; "" for none."""
        self._store.beginGroup("keys")
        found = {command: self._store.value(command) for command in self._store.childKeys()}
        self._store.endGroup()
        return {command: keys for command, keys in found.items() if isinstance(keys, str)}

    def set_own_keys(self, command: str, keys: str | None) -> None:
        """None: those it comes with."""
        if keys is None:
            self._store.remove(f"keys/{command}")
        else:
            self._store.setValue(f"keys/{command}", keys)

    def forget_layout(self) -> None:
        self._store.remove("window")

    def save(self) -> None:
        self._store.sync()

    def _flag(self, key: str, default: bool) -> bool:
        return str(self._store.value(key, default)).lower() != "false"

    def _paths(self, key: str) -> tuple[Path, ...]:
        value = self._store.value(key)
        texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        return tuple(Path(text) for text in texts if isinstance(text, str) and text and os.path.exists(text))

    def _remember(self, key: str, path: Path) -> None:
        path = path.absolute()
        others = [known for known in self._paths(key) if known != path]
        self._store.setValue(key, [str(known) for known in (path, *others)][:RECENT])
