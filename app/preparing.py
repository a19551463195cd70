"""What is not shown yet is imported before it is asked for, a little at a time."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module

from PySide6.QtCore import QObject, QTimer, Slot

import app.stages
import app.widgets

PAUSE_MS = 40
"""Between two imports, each of some milliseconds."""
HEAVY = frozenset({"app.widgets.large_plot"})
"""Brings pyqtgraph, a tenth of a second in one piece: left until it is asked for."""


def modules() -> Iterator[str]:
    """What stages are made of, the parts before the wholes: "morph_view" before "morph"."""
    for package in (app.widgets, app.stages):
        names = [f"{package.__name__}.{module.name}" for module in pkgutil.iter_modules(package.__path__)]
        yield from sorted(names, key=len, reverse=True)


class Preparation(QObject):
    """Imports one module after the other, from ``begin`` on, in the thread of the window: PySide6 makes its classes
    when they are first met, and two threads that do so at once crash."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._names: Iterator[str] = iter(())
        self._timer = QTimer(self, interval=PAUSE_MS)
        self._timer.timeout.connect(self._import_next)

    def begin(self) -> None:
        self._names = modules()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    @property
    def is_under_way(self) -> bool:
        return self._timer.isActive()

    @Slot()
    def _import_next(self) -> None:
        name = next((name for name in self._names if name not in sys.modules and name not in HEAVY), None)
        if name is None:
            self._timer.stop()
        else:
            import_module(name)
