"""What a person has set, as plain JSON, and the way back into the controls.

What is read may be damaged, or another's: a value that its control cannot show leaves the control as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QSignalBlocker, Signal, SignalInstance
from PySide6.QtWidgets import QCheckBox, QLineEdit, QWidget

from app.widgets.controls import MAX_SEED, Choice, MoreSection, SeedBox, ValueSlider
from app.widgets.number_field import Duration, NumberField
from app.widgets.tabs import Tabs

MAX_TEXT = 4000
Memento = dict[str, Any]
"""Values by the name of their control: what JSON can say, and nothing else."""


@dataclass(frozen=True)
class Entry:
    """One thing that can be set. ``write`` raises ValueError for what cannot be shown.

    ``told``: the signals of a change; ``let_go``: that of the end of a gesture, such as a drag. ``is_view`` is how
    something is looked at, which is kept but is no setting; ``is_shared``, what the whole window has but once.
    ``is_gradual``: several changes in a row are one for a person. ``is_path``: it opens a file or folder.
    """

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]
    told: tuple[SignalInstance, ...] = ()
    let_go: SignalInstance | None = None
    quiet: tuple[QObject, ...] = ()
    is_view: bool = False
    is_shared: bool = False
    is_gradual: bool = False
    is_path: bool = False


class Mementos(QObject):
    """Everything that can be set in one place, by name. ``settle`` is called after a recall, which is silent but for
    that; without it the controls tell of each change, in the order of ``entries``.

    Attributes: ``awaited``, values that could not be shown yet: they belong to a model or a classifier that is still
    being opened. Signals: ``changed()`` by the person; ``let_go()`` when a drag has ended.
    """

    changed = Signal()
    let_go = Signal()

    def __init__(
        self,
        entries: Mapping[str, Entry],
        settle: Callable[[], object] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.entries = dict(entries)
        self._settle = settle
        self._unasked = 0
        self.awaited: Memento = {}
        for name, entry in self.entries.items():
            for told in entry.told:
                told.connect(self._teller(name))
            if entry.let_go is not None:
                entry.let_go.connect(self.let_go)

    @property
    def is_unasked(self) -> bool:
        """What changes now is no doing of the person's."""
        return self._unasked > 0

    @contextmanager
    def unasked(self) -> Iterator[None]:
        """Within it nothing counts as changed by the person."""
        self._unasked += 1
        try:
            yield
        finally:
            self._unasked -= 1

    def memento(self) -> Memento:
        """What is set now, with what is still awaited."""
        return {name: entry.read() for name, entry in self.entries.items()} | self.awaited

    def recall(
        self, memento: Mapping[str, Any], awaits: Callable[[Mapping[str, Any]], bool] = lambda _memento: False
    ) -> tuple[str, ...]:
        """Set what a memento says, as far as it can be; the names of what could not. These wait in
        ``awaited``; where the stage ``awaits`` a model or a folder that brings settings of its own, all does."""
        failed = []
        with self.unasked(), ExitStack() as blocked:
            if self._settle is not None:
                for entry in self.entries.values():
                    for widget in entry.quiet:
                        blocked.enter_context(QSignalBlocker(widget))
            for name, entry in self.entries.items():
                if name in memento:
                    try:
                        entry.write(memento[name])
                    except (ValueError, TypeError, OverflowError):
                        failed.append(name)
            blocked.close()
            if self._settle is not None:
                self._settle()
        known = {name: memento[name] for name in self.entries if name in memento}
        others = {name: value for name, value in self.awaited.items() if name not in known}
        self.awaited = others | (known if awaits(known) else {name: known[name] for name in failed})
        return tuple(failed)

    def forget(self) -> None:
        """Wait for nothing any more."""
        self.awaited = {}

    def _teller(self, name: str) -> Callable[..., None]:
        def tell(*_values: object) -> None:
            if not self.is_unasked:
                self.awaited.pop(name, None)
                self.changed.emit()

        return tell


def entries_of(panel: object, *, prefix: str = "", shared: tuple[str, ...] = ()) -> dict[str, Entry]:
    """An entry for each control that an object names its own, by the name it gives it; ``shared`` names those that
    the whole window has."""
    return {
        f"{prefix}{name}": entry_of(control, is_shared=name in shared)
        for name, control in vars(panel).items()
        if not name.startswith("_") and isinstance(control, KINDS)
    }


def entry_of(control: QWidget, *, is_shared: bool = False) -> Entry:
    """The entry of a control of one of the ``KINDS``."""
    match control:
        case Choice():
            return Entry(
                control.name,
                control.value,
                lambda value: control.set_value(_text(value)),
                (control.value_changed,),
                quiet=(control,),
            )
        case ValueSlider():
            return Entry(
                control.name,
                control.value,
                lambda value: control.set_value(_number(value)),
                (control.value_changed,),
                control.let_go,
                quiet=(control,),
                is_gradual=True,
            )
        case NumberField():
            return Entry(
                control.name,
                control.value,
                lambda value: control.set_value(_number(value)),
                (control.value_changed,),
                quiet=(control,),
                is_gradual=True,
            )
        case Duration():
            return Entry(
                control.name,
                lambda: {control.unit(): control.minutes if control.steps is None else control.steps},
                lambda value: _set_duration(control, value),
                (control.duration_changed,),
                quiet=(control,),
                is_gradual=True,
            )
        case SeedBox():
            return Entry(
                "Seed",
                lambda: {"seed": control.seed(), "locked": control.locked()},
                lambda value: _set_seed(control, value),
                (control.seed_changed, control.locked_changed),
                quiet=(control,),
                is_shared=is_shared,
                is_gradual=True,
            )
        case QCheckBox():
            return Entry(
                control.accessibleName() or control.text(),
                control.isChecked,
                lambda value: control.setChecked(_flag(value)),
                (control.toggled,),
                quiet=(control,),
            )
        case QLineEdit():
            return Entry(
                control.accessibleName(),
                control.text,
                lambda value: _set_text(control, value),
                (control.editingFinished,),
                quiet=(control,),
            )
        case MoreSection():
            return Entry(
                control.title(),
                control.is_open,
                lambda value: control.set_open(_flag(value)),
                (control.open_changed,),
                is_view=True,
            )
        case Tabs():
            return Entry(
                "page",
                control.current,
                lambda value: _set_page(control, value),
                (control.current_changed,),
                is_view=True,
            )
    raise TypeError(f"a {type(control).__name__} is no control that is remembered")


KINDS = (Choice, ValueSlider, SeedBox, NumberField, Duration, QLineEdit, QCheckBox, MoreSection, Tabs)


def known_folder(path: object) -> Path:
    """A folder by its path. Raises ValueError where there is none."""
    folder = Path(_text(path))
    try:
        if folder.is_dir():
            return folder
    except (OSError, ValueError):
        pass
    raise ValueError("there is no such folder")


def _set_duration(control: Duration, value: object) -> None:
    if not isinstance(value, dict) or len(value) != 1 or not set(value) <= {"minutes", "steps"}:
        raise ValueError("a duration is a number of minutes or steps")
    ((unit, length),) = value.items()
    number = _number(length)
    control.set_duration(**({"minutes": number} if unit == "minutes" else {"steps": int(number)}))


def _set_seed(control: SeedBox, value: object) -> None:
    if not isinstance(value, dict):
        raise ValueError("a seed comes with its lock")
    seed = _number(value.get("seed"))
    if seed != int(seed) or not 0 <= seed <= MAX_SEED:
        raise ValueError("this is no seed")
    control.set_locked(_flag(value.get("locked")))
    control.set_seed(int(seed))


def _set_text(control: QLineEdit, value: object) -> None:
    control.setText(_text(value))
    control.setCursorPosition(0)
    control.editingFinished.emit()


def _set_page(control: Tabs, value: object) -> None:
    if value not in control.offered():
        raise ValueError("there is no such page")
    control.set_current(_text(value))


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError("a text is expected")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("a number is expected")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")
    return value
