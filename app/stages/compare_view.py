"""The pictures of two runs: in one place with a line between them, side by side, or one minus the other."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.stages.compare_plan import Pair, Spot
from app.stages.compare_sights import Apart, Side, What
from app.widgets.pictures import PicturePane, PictureRow
from app.widgets.wipe_pane import WipePane
from core.recipe import Recipe, Shown

SYMBOLS = {"x_t": r"x_t", "x0_hat": r"\hat{x}_0", "x_0": "x_0"}
CLAMPED = ("clamped to [−1, 1]",)


class CompareView(QWidget):
    """Attributes: ``first``, ``second``, ``wipe``, ``difference`` (panes); ``mode``. Signals: ``cell_clicked(int)``."""

    cell_clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mode = ""
        self.first, self.second, self.difference = (PicturePane("x_t", r"x_t") for _ in range(3))
        self.wipe = WipePane("x_t", r"x_t")
        self.first.setToolTip("The first run")
        self.second.setToolTip("The second run")
        self.wipe.setToolTip("The first run left of the line, the second right of it; drag the line, or press ← →")
        self.difference.setToolTip("First minus second: green where the first is more, purple where it is less")
        self.row = PictureRow([self.first, self.second, self.wipe, self.difference])
        self.row.cell_clicked.connect(self.cell_clicked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.row)
        self.set_mode("wipe")

    def set_mode(self, mode: str) -> None:
        """ "wipe", "beside" or "difference"."""
        if mode == self.mode:
            return
        self.mode = mode
        self.first.setVisible(mode == "beside")
        self.second.setVisible(mode == "beside")
        self.wipe.setVisible(mode == "wipe")
        self.difference.setVisible(mode == "difference")

    def show_nothing(self, why: str) -> None:
        """No pictures, and the reason."""
        self.wipe.set_pair(None, None)
        for pane in self.row.panes:
            pane.set_pictures(None)
            pane.set_caption("")
            pane.set_busy(False)
            pane.set_placeholder("" if pane is self.second else why)

    def set_busy(self, busy: bool) -> None:
        """What is shown is of another state, until more is known."""
        for pane in self.row.panes:
            pane.set_busy(busy)

    def show_pair(self, sides: tuple[Side, Side], difference: Apart | None, quantity: str) -> None:
        """Show two states; ``difference`` is None where they cannot be laid over each other."""
        for pane in self.row.panes:
            pane.set_quantity(quantity, SYMBOLS[quantity])
        for pane, side in zip((self.first, self.second), sides, strict=True):
            pane.set_pictures(side.pictures, None, side.value_range)
        if difference is None:
            self.wipe.set_pair(None, None)
            self.difference.set_signed(None)
        else:
            self.wipe.set_pair(sides[0].pictures, sides[1].pictures)
            self.difference.set_signed(difference.signed)

    def say(self, captions: tuple[str, str], both: str, minus: str) -> None:
        """What stands under each, under the wipe and under the difference."""
        self.first.set_caption(captions[0])
        self.second.set_caption(captions[1])
        self.wipe.set_caption(both)
        self.difference.set_caption(minus)

    def name(self, pair: Pair, spots: tuple[Spot, Spot], names: tuple[str, str], what: What) -> None:
        """What the pictures are called, and how they are made again, where they are taken elsewhere."""
        called = [_names(spot, name) for spot, name in zip(spots, names, strict=True)]
        recipes = [_recipe(pair, spot, what) for spot in spots]
        notes = CLAMPED if what == "x_t" else ()
        self.first.set_names(called[0], notes, recipes[0])
        self.second.set_names(called[1], notes, recipes[1])
        self.wipe.set_names(called[0], notes, recipes[0])
        self.wipe.set_names_beside(called[1], recipes[1])
        self.difference.set_names([f"{one} minus {other}" for one, other in zip(*called, strict=False)])


def both(names: Sequence[str], places: Sequence[str], shown: Sequence[str], sign: str) -> str:
    """Two states in a line: the names of their runs, where they are and which sample is ``shown`` (", sample 2"); what
    they have in common is said once."""
    if shown[0] != shown[1]:
        places, shown = [f"{place}{one}" for place, one in zip(places, shown, strict=True)], ["", ""]
    if places[0] == places[1]:
        return f"{names[0]} {sign} {names[1]}, {places[0]}{shown[0]}"
    return f"{names[0]}, {places[0]} {sign} {names[1]}, {places[1]}{shown[0]}"


def _names(spot: Spot, name: str) -> list[str]:
    if spot.frame is not None:
        return [f"{name}, frame {spot.frame + 1}"]
    return [f"{name}, sample {number}, step {spot.step}" for number in spot.numbers]


def _recipe(pair: Pair, spot: Spot, what: What) -> Recipe:
    run = pair.first if spot.job == pair.first.job else pair.second
    cells = spot.cells if spot.frame is None else (spot.frame,)
    return Recipe(run.request, Shown(what, spot.step, cells))
