"""Every command of the window, once: its words, its menu and its keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QMenuBar


@dataclass(frozen=True, slots=True)
class Command:
    """One command as data. ``menu`` is "Menu" or "Menu/Submenu"; ``group`` makes checkable ones exclude each other;
    ``separator`` draws a line above it, or above the submenu that begins with it."""

    id: str
    menu: str
    text: str
    tooltip: str
    shortcut: str = ""
    checkable: bool = False
    group: str = ""
    separator: bool = False


COMMANDS: tuple[Command, ...] = (
    Command("open", "File", "&Open picture…", "Open one or more pictures of your own", "Ctrl+O"),
    Command(
        "open_weights",
        "File",
        "Open model &file…",
        "Open a checkpoint: .safetensors, .pt, .ckpt …",
        "Ctrl+Alt+O",
        separator=True,
    ),
    Command("open_model", "File", "Open &model folder…", "Open a model in the diffusers layout", "Ctrl+Shift+O"),
    Command("about_model", "File", "About this mo&del…", "What is known of the open model, and how", "Ctrl+I"),
    Command("export_diffusers", "File/Export model", "For &diffusers…", "A folder that its pipelines load"),
    Command("export_copy", "File/Export model", "Safe &copy…", "A folder that opens here without questions"),
    Command(
        "open_session", "File", "Open sess&ion…", "Put back what was saved: pictures, runs and settings", separator=True
    ),
    Command("save_session", "File", "Sa&ve session as…", "Pictures, runs and settings as one file"),
    Command("restores", "File", "Restore at star&t", "Begin with what was there when the window closed", "", True),
    Command(
        "save_picture",
        "File",
        "&Save picture…",
        "Save the picture pointed at as PNG, at its own size",
        "Ctrl+S",
        separator=True,
    ),
    Command("export", "File", "&Export…", "Picture, grid, contact sheet, film or numbers as a file", "Ctrl+Shift+S"),
    Command(
        "clear_recent",
        "File/Open recent",
        "&Clear list",
        "Forget which pictures and models were opened last",
        "",
        separator=True,
    ),
    Command("quit", "File", "&Quit", "Stop what runs and close the window", "Ctrl+Q", separator=True),
    Command("undo", "Edit", "&Undo", "Take back what was changed last, in the stage where it was", "Ctrl+Z"),
    Command("redo", "Edit", "&Redo", "Do again what was taken back", "Ctrl+Shift+Z"),
    Command(
        "copy_picture",
        "Edit",
        "&Copy picture",
        "Copy the picture pointed at, at its own size",
        "Ctrl+C",
        separator=True,
    ),
    Command("paste", "Edit", "&Paste picture", "Use the picture, file or path on the clipboard", "Ctrl+V"),
    Command("use_picture", "Edit", "Use &as picture", "Noise, invert or morph the picture pointed at", "U"),
    Command("draw", "Edit", "&Draw a picture", "Draw a digit with the mouse and use it", "Ctrl+D"),
    Command("run", "Run", "&Run", "Press the stage's filled button", "Ctrl+Enter"),
    Command("toggle", "Run", "&Play or pause", "Play or pause what this stage shows", "Space"),
    Command("step", "Run", "&Single step", "Go on by one step and stay paused", "."),
    Command("stop", "Run", "S&top now", "Stop what runs; the steps already made stay", "Esc"),
    Command(
        "branch", "Run", "&Branch here", "Continue from the step shown with the present settings", "B", separator=True
    ),
    Command("new_seed", "Run", "&New noise", "Draw another seed for the noise ε", "R"),
    Command(
        "copy_command",
        "Run",
        "Copy as command &line",
        "The command that makes this run again",
        "Ctrl+Shift+C",
        separator=True,
    ),
    Command("copy_python", "Run", "Copy as P&ython", "Python that makes this run again, to read and to change"),
    Command(
        "compare",
        "Run",
        "Co&mpare runs",
        "Two runs beside each other, with one slider for both",
        "C",
        True,
        separator=True,
    ),
    Command("star_run", "Run/History", "&Star", "Mark the chosen run as worth coming back to, or no longer", "S"),
    Command("rename_run", "Run/History", "&Rename", "Give the chosen run a name (F2)"),
    Command(
        "delete_run", "Run/History", "&Delete", "Delete the chosen runs with their branches (Delete in the history)"
    ),
    Command("find_run", "Run/History", "&Find…", "Look for a run by its name or what it was made with", "Ctrl+F"),
    Command("starred_only", "Run/History", "Starred &only", "Hide the runs that are not starred", "", True),
    Command("left_panel", "View", "&Sources and history", "Show or fold the left panel", "F9", True, separator=True),
    Command("right_panel", "View", "S&chedule and equations", "Show or fold the right panel", "F10", True),
    Command("large_plot", "View", "Schedule in a &window", "Read, compare, zoom and export the schedule", "F8"),
    Command("full_screen", "View", "&Full screen", "Use the whole screen", "F11", True),
    Command("scheme_system", "View/Appearance", "As the &system", "Follow the system", "", True, "scheme"),
    Command("scheme_dark", "View/Appearance", "&Dark", "Light text on dark", "", True, "scheme"),
    Command("scheme_light", "View/Appearance", "&Light", "Dark text on light", "", True, "scheme"),
    Command("reset_layout", "View", "&Reset layout", "The window as it was at the first start", separator=True),
    Command("palette", "Help", "&Command palette…", "Find and do anything by a few letters", "Ctrl+Shift+P"),
    Command("keyboard", "Help", "&Keyboard", "All keys on one page", "F1"),
    Command("report", "Help", "&Report a problem…", "Versions, device and last error, to copy"),
    Command("open_log", "Help", "Open &log", "Show the log file"),
    Command("about", "Help", "&About Diffuscope", "What this program is", separator=True),
)

MENUS = ("File", "Edit", "Run", "View", "Help")
SUBMENUS: Mapping[str, str] = {"File/Export model": "Export mode&l", "File/Open recent": "Open &recent"}
"""What those are called whose first letter is another's."""

KEYS_WITHOUT_COMMAND: Mapping[str, str] = {
    "← →": "Move along t, or along the steps of a run",
    "Shift+← →": "The same, ten at a time",
    "Home, End": "First and last position",
    "Wheel": "Over a picture: zoom; over a slider: one step",
    "Double-click": "On a slider: first value; on a picture: fit; on a schedule plot: enlarge it",
    "Right click, Menu": "On a picture: use it, copy it, save it, export it; on a plot: save it, copy its numbers",
    "Drag the ↗ of a picture": "Into another program, with its recipe; so too from a filmstrip or the history",
    "+, −, 0": "On a picture: zoom in, zoom out, fit",
    "Arrows, Enter": "On a grid of pictures: choose one, enlarge it",
    "↑ ↓": "On the schedule plots: unfold another; Enter enlarges it",
    "↑ ↓ in Morph": "Along the way down of the frame shown",
    "↑ ↓ in Train": "Along the diffusion time of the samples shown; ← → move in training time",
    "Ctrl+arrows, Delete": "In a schedule drawn by hand: choose a point (← →), move it (↑ ↓), remove it",
    "F2, Delete": "In the history: name the run; delete it with its branches",
    "Ctrl+click": "In the history: a second run, to compare the two (Ctrl+Space by keyboard)",
    "← → on a wipe": "Move the line between two pictures",
    "Ctrl+E": "On a plot: save it as SVG or PNG, or its numbers as CSV; copy its numbers",
}


class Actions(QObject):
    """The registry: a QAction for each command, by id, attached to the window so that its keys work."""

    def __init__(self, window: QMainWindow, commands: tuple[Command, ...] = COMMANDS) -> None:
        super().__init__(window)
        self._window = window
        self._commands: dict[str, Command] = {}
        self._actions: dict[str, QAction] = {}
        self._groups: dict[str, QActionGroup] = {}
        self._keys: dict[str, str] = {}
        for command in commands:
            self.add(command)

    def __getitem__(self, command: str) -> QAction:
        return self._actions[command]

    def __iter__(self) -> Iterator[Command]:
        return iter(self._commands.values())

    def add(self, command: Command) -> QAction:
        """Register a command; ValueError where its id or keys are taken."""
        if command.id in self._commands:
            raise ValueError(f"two commands are called {command.id!r}")
        for other in self._commands.values():
            if command.shortcut and command.shortcut == other.shortcut:
                raise ValueError(f"{command.id!r} and {other.id!r} share the keys {command.shortcut}")
        action = QAction(command.text, self)
        action.setObjectName(command.id)
        action.setCheckable(command.checkable)
        if command.group:
            self._groups.setdefault(command.group, QActionGroup(self)).addAction(action)
        self._commands[command.id] = command
        self._actions[command.id] = action
        self._window.addAction(action)
        self.set_keys(command.id, command.shortcut)
        return action

    def keys(self, command: str) -> str:
        """Its keys as they are now ("Ctrl+O"); "" for none."""
        return self._keys[command]

    def default_keys(self, command: str) -> str:
        """The keys it comes with."""
        return self._commands[command].shortcut

    def holder(self, keys: str) -> str | None:
        """The command that has these keys."""
        wanted = QKeySequence(keys)
        return next((one for one, its in self._keys.items() if keys and its and QKeySequence(its) == wanted), None)

    def set_keys(self, command: str, keys: str) -> None:
        """Give a command other keys, "" for none; ValueError where they are another's."""
        if self.holder(keys) not in (None, command):
            raise ValueError(f"{command!r} and {self.holder(keys)!r} share the keys {keys}")
        self._keys[command] = keys
        both = dict.fromkeys((keys, keys.replace("Enter", "Return"))) if keys else ()  # keypad and main key
        self._actions[command].setShortcuts([QKeySequence(one) for one in both])
        tooltip = self._commands[command].tooltip
        self._actions[command].setToolTip(f"{tooltip} ({keys})" if keys else tooltip)

    def connect_to(self, handlers: Mapping[str, Callable[[], object]]) -> None:
        """Connect commands to handlers without arguments (``action.isChecked()`` says the rest)."""
        for command, handler in handlers.items():
            self._actions[command].triggered.connect(_without_argument(handler))

    def text(self, command: str) -> str:
        """The words of a command without the mark of its key."""
        return self._commands[command].text.replace("&", "").rstrip("…")


def fill_menu_bar(bar: QMenuBar, actions: Actions) -> dict[str, QMenu]:
    """Put every command into its menu; the menus by name ("View", "View/Appearance")."""
    menus = {name: bar.addMenu(f"&{name}") for name in MENUS}
    for command in actions:
        above, _, title = command.menu.rpartition("/")
        is_new = command.menu not in menus
        if command.separator:
            menus[above if is_new else command.menu].addSeparator()
        if is_new:
            menus[command.menu] = menus[above].addMenu(SUBMENUS.get(command.menu, f"&{title}"))
        menus[command.menu].addAction(actions[command.id])
        menus[command.menu].setToolTipsVisible(True)
    return menus


def _without_argument(handler: Callable[[], object]) -> Callable[[bool], None]:
    def triggered(_checked: bool = False) -> None:
        handler()

    return triggered
