"""Writes the frames of the morph looked at where the person says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.exports.saving import ask_file
from app.stages.morph_export import FORMATS, export
from app.stages.morph_export_menu import ExportMenu
from app.stages.morph_maths import Pixels
from app.stages.morph_record import Record
from app.stages.morph_screen import MorphScreen
from core.errors import Refusal
from core.recipe import Recipe, Shown

if TYPE_CHECKING:
    from app.bridge import Bridge

BLANK = 255
"""Grey value of a frame that was not made, on a contact sheet."""
MOST_COLUMNS = 12
"""Of a contact sheet that is one long row otherwise."""


class MorphExporter(QObject):
    """Attributes: ``menu``. Signals: ``written(str)``, what went where; ``failed(str, str)``, words and details."""

    written = Signal(str)
    failed = Signal(str, str)

    def __init__(self, screen: MorphScreen, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self._screen, self._bridge, self._window = screen, bridge, parent
        self.menu = ExportMenu(parent)
        self.menu.chosen.connect(self.choose_file)

    @Slot(str)
    def choose_file(self, ending: str) -> None:
        """Ask where the frames go, and write them."""
        ask_file(self._window, "Export the morph", f"morph{ending}", FORMATS[ending], (ending,), self.write)

    def write(self, path: Path) -> None:
        """Write the finished frames in the format of the path's ending, in a worker."""
        if self._screen.run is None:
            return
        frames, names, columns = self._selection(path.suffix.lower() == ".png")
        settings, recipe = self.menu.settings(), self._recipe(path.suffix.lower() == ".png")
        self._bridge.in_background(
            lambda: export(path, frames, names, columns, settings, recipe), self.written.emit, self._not_written
        )

    def _recipe(self, is_sheet: bool) -> Recipe | None:
        """How the frames are made again; of a sheet over t and lambda all rows but the mixed pixels."""
        run, record, rows, runs = self._screen.run, self._screen.record, self._screen.rows, self._screen.state.runs
        assert run is not None
        assert record is not None
        shown = Shown(step=run.steps, cells=tuple(sorted(record.finished)))
        if not is_sheet or rows is None:
            return Recipe(run.request, shown)
        requests = [runs[job].request for job in rows.jobs if job in runs]
        return Recipe(requests[0], Shown(step=runs[rows.jobs[0]].steps), tuple(requests[1:]))

    def _selection(self, is_sheet: bool) -> tuple[Pixels, list[str], int]:
        """Frames (n, H, W, C), their names and the columns of a sheet; a sheet over t and lambda has all its rows."""
        run, record, rows = self._screen.run, self._screen.record, self._screen.rows
        assert run is not None
        assert record is not None
        made, request = self._screen.pictures(run.job), record.request
        if not made:
            return np.empty((0, 1, 1, 1), np.uint8), [], 1
        cells = [(name, made.get(frame)) for frame, name in enumerate(record.names)]
        if is_sheet and rows is not None:
            cells = [cell for job, t in zip(rows.jobs, rows.times, strict=True) for cell in self._row(job, t, record)]
            cells += [(f"pixels, {name}", picture) for name, picture in zip(record.names, rows.pixels, strict=True)]
            columns = len(rows.pixels)
        elif request.layout == "grid":
            columns = request.frames
        else:
            columns = request.frames - 1 if len(request.ends) > 2 else min(request.frames, MOST_COLUMNS)
        if not is_sheet:
            cells = [cell for cell in cells if cell[1] is not None]
        blank = np.full_like(next(iter(made.values())), BLANK)
        pictures = np.stack([blank if picture is None else picture for _, picture in cells])
        return pictures, [name if picture is not None else "not made" for name, picture in cells], columns

    def _row(self, job: int, t: int, record: Record) -> list[tuple[str, Pixels | None]]:
        made = self._screen.pictures(job)
        return [(f"t {t}, {name}", made.get(frame)) for frame, name in enumerate(record.names)]

    def _not_written(self, error: Exception) -> None:
        if isinstance(error, Refusal):
            self.failed.emit(str(error), error.details)
        else:
            self.failed.emit("The morph could not be written. Name another place.", repr(error))
