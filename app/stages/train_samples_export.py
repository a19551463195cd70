"""Samples of a training as files: what is shown, the map of both times, a film along either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from app.stages.train_sample_recipe import recipe_of
from app.stages.train_samples import SamplesPage
from app.taking import file_name
from core.errors import Refusal
from core.files import check_writable
from core.messages import Picture
from core.recipe import Recipe, as_sheet
from core.render import ANIMATIONS, enlarged, grid, sheet_of_states, write_png
from core.training.events import Drawn
from core.training.request import TrainRequest

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
    """What is looked at: sets of samples, which of them, the sample alone or None, t, and the states of the way; the
    ``training`` that drew them, as far as that is known."""

    name: str
    samples: Sequence[Drawn]
    index: int
    cell: int | None
    t: int
    kind: Kind
    training: TrainRequest | None = None

    @property
    def drawn(self) -> Drawn:
        return self.samples[self.index]

    def picture(self, drawn: Drawn, t: int) -> Picture:
        """One picture (H, W, C) of a set at a moment: of the sample alone, or of all."""
        return grid(as_one(pictures_at(drawn, t, self.kind), self.cell))

    def recipe(self, states: Sequence[tuple[Drawn, int]]) -> Recipe | None:
        """How pictures of these sets at these moments are made again."""
        alone = self.cell is not None and self.cell < len(self.drawn.pictures)
        return recipe_of(self.training, states, self.cell if alone else None, self.kind)

    def film(self, kind: str) -> tuple[list[tuple[Drawn, int]], list[str]]:
        """The states of a film along either time, and what each is."""
        if kind == "diffusion":
            times = times_of(self.drawn)
            return [(self.drawn, t) for t in times], [time_words(t) for t in times]
        return [(drawn, self.t) for drawn in self._alike], [step_words(drawn.step) for drawn in self._alike]

    def pictures(self, states: Sequence[tuple[Drawn, int]], *, has_blanks: bool = False) -> Picture:
        """One picture a state (n, H, W, C); where its way was not kept the finished one, or a white one."""
        blank = np.full_like(self.picture(self.drawn, DATA), BLANK)
        return np.stack(
            [blank if has_blanks and not has_moment(drawn, t) else self.picture(drawn, t) for drawn, t in states]
        )

    def sheet(self) -> tuple[list[tuple[Drawn, int]], list[str], int]:
        """The map: a row for each moment of diffusion, at most ``MOST_COLUMNS`` moments of training."""
        alike = self._alike
        sets = [alike[index] for index in spread(len(alike), MOST_COLUMNS, alike.index(self.drawn))]
        states = [(drawn, t) for t in longest_way(sets) for drawn in sets]
        names = [f"{drawn.step:,}, {time_words(t)}" if has_moment(drawn, t) else "not kept" for drawn, t in states]
        return states, names, len(sets)

    @property
    def _alike(self) -> list[Drawn]:
        """The sets that one film can show."""
        return [drawn for drawn in self.samples if drawn.pictures.shape == self.drawn.pictures.shape]

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
        return Shown(course.name, course.samples, page.index, page.cell, t, page.kind, course.request)

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
                recipe = looked_at.recipe([(looked_at.drawn, looked_at.t)])
                if recipe is not None:
                    recipe = replace(recipe, shown=replace(recipe.shown, zoom=settings.zoom))
                write_png(path, enlarged(picture, settings.zoom), recipe)
                return f"Picture written to {path}"
            if kind == "map":
                check_writable(path, ".png")
                states, names, columns = looked_at.sheet()
                pictures, recipe = looked_at.pictures(states, has_blanks=True), looked_at.recipe(states)
                zoom = max(1, min(settings.zoom, WIDEST // (columns * pictures.shape[2])))
                made = None if recipe is None else as_sheet(recipe, names, columns, zoom)
                write_png(path, sheet_of_states(pictures, names, columns, zoom), made)
                return f"Contact sheet of {len(pictures)} moments written to {path}"
            check_writable(path, *ANIMATIONS)
            states, names = looked_at.film(kind)
            return export(path, looked_at.pictures(states), names, 1, settings, looked_at.recipe(states))

        self._bridge.in_background(work, self.written.emit, self._not_written)

    def _not_written(self, error: Exception) -> None:
        if isinstance(error, Refusal):
            self.failed.emit(str(error), error.details)
        else:
            self.failed.emit("The samples could not be written. Name another place.", repr(error))


def _is_still(kind: str) -> bool:
    return kind in ("picture", "map")
