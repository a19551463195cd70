"""Samples of a training as files: what is shown, the map of both times, a film along either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from app.exports.saving import ask_file
from app.stages.morph_export import FORMATS, export
from app.stages.morph_export_menu import ExportMenu
from app.stages.train_moments import (
    DATA,
    Kind,
    as_one,
    has_moment,
    longest_way,
    pictures_at,
    spread,
    step_words,
    time_words,
    times_of,
)
from app.stages.train_samples import SamplesPage
from app.taking import file_name
from core.errors import Refusal
from core.files import check_writable
from core.messages import Picture
from core.render import ANIMATIONS, contact_sheet, enlarged, grid, write_png
from core.training.events import Drawn

if TYPE_CHECKING:
    from app.bridge import Bridge

KINDS = {
    "picture": "Picture shown",
    "map": "Map of training × diffusion, contact sheet",
    "training": "Film along training time",
    "diffusion": "Film along diffusion time",
}
PNG = "Picture (*.png)"
FILMS = ";;".join(words for ending, words in FORMATS.items() if ending != ".png")
NO_WAY = "The way to these samples was not kept."
ONE_SET = "There is one set of samples so far."
MOST_COLUMNS = 16
WIDEST = 8000
"""Pixels of a contact sheet."""
BLANK = 255


@dataclass(frozen=True)
class Shown:
    """What is looked at: sets of samples, which of them, the sample alone or None, t, and the states of the way."""

    name: str
    samples: Sequence[Drawn]
    index: int
    cell: int | None
    t: int
    kind: Kind

    @property
    def drawn(self) -> Drawn:
        return self.samples[self.index]

    def picture(self, drawn: Drawn, t: int) -> Picture:
        """One picture (H, W, C) of a set at a moment: of the sample alone, or of all."""
        return grid(as_one(pictures_at(drawn, t, self.kind), self.cell))

    def frames(self, kind: str) -> tuple[Picture, list[str]]:
        """The frames (n, H, W, C) of a film along either time, and what each is."""
        if kind == "diffusion":
            times = times_of(self.drawn)
            return np.stack([self.picture(self.drawn, t) for t in times]), [time_words(t) for t in times]
        alike = [drawn for drawn in self.samples if drawn.pictures.shape == self.drawn.pictures.shape]
        return np.stack([self.picture(drawn, self.t) for drawn in alike]), [step_words(drawn.step) for drawn in alike]

    def sheet(self) -> tuple[Picture, list[str], int]:
        """The map: a row for each moment of diffusion, at most ``MOST_COLUMNS`` moments of training."""
        alike = [drawn for drawn in self.samples if drawn.pictures.shape == self.drawn.pictures.shape]
        sets = [alike[index] for index in spread(len(alike), MOST_COLUMNS, alike.index(self.drawn))]
        blank = np.full_like(self.picture(self.drawn, DATA), BLANK)
        cells, names = [], []
        for t in longest_way(sets):
            for drawn in sets:
                known = has_moment(drawn, t)
                cells.append(self.picture(drawn, t) if known else blank)
                names.append(f"{drawn.step:,}, {time_words(t)}" if known else "not kept")
        return np.stack(cells), names, len(sets)

    def file_name(self, kind: str) -> str:
        which = "" if self.cell is None else f" sample {self.cell + 1}"
        where = {
            "picture": f" {step_words(self.drawn.step)} {time_words(self.t)}",
            "map": " training and diffusion",
            "training": f" training at {time_words(self.t)}",
            "diffusion": f" diffusion {step_words(self.drawn.step)}",
        }[kind]
        return str(Path(file_name(f"{self.name}{which}{where}")).with_suffix(".png" if _is_still(kind) else ".gif"))


class SamplesExporter(QObject):
    """Attributes: ``menu``. Signals: ``written(str)``, what went where; ``failed(str, str)``, words and details."""

    written = Signal(str)
    failed = Signal(str, str)

    def __init__(self, page: SamplesPage, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self._page, self._bridge, self._window = page, bridge, parent
        self.menu = ExportMenu(parent, KINDS)
        self.menu.chosen.connect(self.choose_file)
        page.controls.export.clicked.connect(self.offer)

    @Slot()
    def offer(self) -> None:
        """Show what can be written of what is looked at."""
        shown = self._shown()
        if shown is not None:
            self._refuse("map", "" if len(longest_way(shown.samples)) > 1 else NO_WAY)
            self._refuse("training", "" if len(shown.samples) > 1 else ONE_SET)
            self._refuse("diffusion", "" if shown.drawn.timesteps else NO_WAY)
            self.menu.open_at(self._page.controls.export)

    def _refuse(self, kind: str, why: str) -> None:
        self.menu.formats[kind].setEnabled(not why)
        self.menu.formats[kind].setToolTip(why)

    def _shown(self) -> Shown | None:
        page, course = self._page, self._page.course
        if course is None or page.index is None or page.drawn is None:
            return None
        t = page.t if has_moment(page.drawn, page.t) else DATA
        return Shown(course.name, course.samples, page.index, page.cell, t, page.kind)

    @Slot(str)
    def choose_file(self, kind: str) -> None:
        """Ask where it goes, and write what was shown when the question came."""
        shown = self._shown()
        if shown is None:
            return
        kinds, endings = (PNG, (".png",)) if _is_still(kind) else (FILMS, tuple(ANIMATIONS))
        name = shown.file_name(kind)
        ask_file(self._window, "Export samples", name, kinds, endings, lambda path: self.write(kind, path, shown))

    def write(self, kind: str, path: Path, shown: Shown | None = None) -> None:
        """Write it in a worker: "picture", "map", or a film along "training" or "diffusion" time."""
        looked_at = shown or self._shown()
        if looked_at is None:
            return
        settings = self.menu.settings()

        def work() -> str:
            if kind == "picture":
                check_writable(path, ".png")
                picture = looked_at.picture(looked_at.drawn, looked_at.t)
                write_png(path, enlarged(picture, settings.zoom))
                return f"Picture written to {path}"
            if kind == "map":
                check_writable(path, ".png")
                pictures, names, columns = looked_at.sheet()
                zoom = max(1, min(settings.zoom, WIDEST // (columns * pictures.shape[2])))
                write_png(path, contact_sheet(pictures, names, columns, zoom))
                return f"Contact sheet of {len(pictures)} moments written to {path}"
            check_writable(path, *ANIMATIONS)
            return export(path, *looked_at.frames(kind), 1, settings)

        self._bridge.in_background(work, self.written.emit, self._not_written)

    def _not_written(self, error: Exception) -> None:
        if isinstance(error, Refusal):
            self.failed.emit(str(error), error.details)
        else:
            self.failed.emit("The samples could not be written. Name another place.", repr(error))


def _is_still(kind: str) -> bool:
    return kind in ("picture", "map")
