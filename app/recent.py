"""File → Open recent: the pictures and the models that were opened last, apart, and a way to forget them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction

if TYPE_CHECKING:
    from app.window import MainWindow

MENU = "File/Open recent"
LONGEST = 60
"""Letters of a line."""


class Recent(QObject):
    """Fills the menu each time it opens: what is not there any more is left out."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._menu = window.menus[MENU]
        self._clear = window.registry["clear_recent"]
        self._lines: list[QAction] = []
        self._menu.aboutToShow.connect(self.fill)
        self._menu.menuAction().setToolTip("Pictures and models that were opened last")
        window.registry.connect_to({"clear_recent": self.clear})

    @Slot()
    def fill(self) -> None:
        """List what there is, pictures with their thumbnails where these are known."""
        for line in self._lines:
            self._menu.removeAction(line)
            line.deleteLater()
        self._lines = []
        settings, commands = self._window.settings, self._window.commands
        self._list("Pictures", settings.recent_pictures, commands.open_path)
        self._list("Models", settings.recent_models, lambda path: commands.open_model(str(path)))
        if not self._lines:
            self._say("Nothing yet")
        self._clear.setEnabled(any(line.isEnabled() for line in self._lines))
        self._lines.append(self._menu.insertSeparator(self._clear))

    def clear(self) -> None:
        """Forget them; files and folders stay where they are."""
        self._window.settings.forget_recent()
        self._window.commands.list_pictures()

    def _list(self, caption: str, paths: Sequence[Path], act: Callable[[Path], None]) -> None:
        if not paths:
            return
        self._say(caption)
        for path, words in zip(paths, named_apart(paths), strict=True):
            line = self._add(words.replace("&", "&&"))
            line.setIcon(self._window.sources.gallery.thumbnail(path))
            line.setIconVisibleInMenu(True)
            line.setToolTip(str(path))
            line.triggered.connect(partial(self._open, act, path))

    @staticmethod
    def _open(act: Callable[[Path], None], path: Path, _checked: bool = False) -> None:
        act(path)

    def _say(self, words: str) -> None:
        self._add(words).setEnabled(False)

    def _add(self, words: str) -> QAction:
        line = QAction(words, self)
        self._menu.insertAction(self._clear, line)
        self._lines.append(line)
        return line


def named_apart(paths: Sequence[Path]) -> tuple[str, ...]:
    """What each is called, with its folder where two are called the same."""
    names = Counter(path.name for path in paths)
    return tuple(
        _short(path.name) if names[path.name] == 1 else f"{_short(path.name)} — {_short(where(path))}" for path in paths
    )


def where(path: Path) -> str:
    """A folder in few letters, without the name of the person's own."""
    home, folder = Path.home(), path.parent
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)


def _short(words: str) -> str:
    """The end of it tells more than the middle."""
    return words if len(words) <= LONGEST else f"{words[: LONGEST // 3]}…{words[-2 * LONGEST // 3 :]}"
