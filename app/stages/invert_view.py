"""The pictures of an inversion: the picture, the walk, what the network sees in it, and how far the way back is off."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.stages.run_view import AGAIN
from app.stages.sights import Sight, Sights
from app.stages.walks import Walk
from app.state import Run
from app.widgets.picture_pane import CAPTION_HEIGHT
from app.widgets.pictures import PicturePane, PictureRow
from core.messages import Picture, Signed
from core.recipe import Quantity, Recipe, Shown

if TYPE_CHECKING:
    from app.bridge import Bridge

Batch = TypeVar("Batch", Picture, Signed)

NOTHING_YET = {
    "x_t": "The walk up to the latent, and down again.",
    "x0_hat": "What the network sees on the way; at the end, the picture that comes back.",
    "error": "How far the way down is from the way up at the same t; at the end, from the picture.",
}
CLAMPED = ("clamped to [−1, 1]",)


class InvertView(QWidget):
    """Panes x_0, x_t, x0_hat and error or, beside another way down from the latent, what had come back.

    ``show_walk`` shows a position; the network is asked for what no run has shown yet. A click on one of several
    samples enlarges it, another click brings the others back.

    Attributes: ``cell``, the enlarged sample or None. Signals: ``shown(int)``, the position to which all panes now
    belong; ``cell_changed()``.
    """

    shown = Signal(int)
    cell_changed = Signal()

    def __init__(self, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._sights = Sights(bridge, self)
        self._sights.learned.connect(self._learned)
        self._sights.failed.connect(self._give_up)
        self._walk = Walk()
        self._position = 0
        self._result = ""
        self._sight: Sight | None = None
        self.cell: int | None = None
        self.x_0 = PicturePane("x_0", "x_0")
        self.x_0.setToolTip("The picture as the network gets it, from −1 (black) to 1 (white)")
        self.x_t = PicturePane("x_t", "x_t")
        self.x_t.setToolTip("The state of the walk: up from the picture to the latent x_T, then down again")
        self.x0_hat = PicturePane("x0_hat", r"\hat{x}_0")
        self.x0_hat.setToolTip(
            "What the network takes the picture to be: x̂₀ = (x_t − σ_t ε̂) / α_t (DDPM, eq. 15).\n"
            "At the end of the way down it is what comes back."
        )
        self.error = PicturePane("neutral", r"\Delta x_t")
        self.error.setToolTip(
            "The way down minus the way up at the same t, purple below 0 and green above; at the end of the way\n"
            "down that is x̂₀ − x₀, the error of the reconstruction. Nothing is clamped in it, and its values go from\n"
            "−2 to 2: the square of its rms over 4 is the mean squared error in [0, 1]."
        )
        self.returned = PicturePane("x0_hat", r"\hat{x}_0")
        self.returned.setToolTip(
            "What came back from the same latent, to compare with what another label or w makes of it"
        )
        self.pictures = PictureRow([self.x_0, self.x_t, self.x0_hat, self.error, self.returned])
        self.pictures.setMinimumHeight(128 + CAPTION_HEIGHT)
        self.returned.hide()
        for pane in (self.x_t, self.x0_hat, self.error):
            pane.cell_clicked.connect(self._clicked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.pictures)

    def show_picture(self, picture: Picture | None, name: str) -> None:
        """The picture before any walk: uint8 (H, W, C), or none."""
        self._walk, self._position, self._sight, self.cell = Walk(), 0, None, None
        self.x_0.set_pictures(None if picture is None else picture[None])
        self.name_picture(name)
        self.x_0.set_placeholder("Drop a picture here, or choose one on the left.")
        for key, words in NOTHING_YET.items():
            pane: PicturePane = getattr(self, key)
            pane.set_pictures(None)
            pane.set_placeholder(words)
            pane.set_caption("")
            pane.set_names()
            pane.set_busy(False)
        self.error.show()
        self.returned.hide()

    def name_picture(self, name: str) -> None:
        self.x_0.set_caption(name)
        self.x_0.set_names([name])

    def show_noised(self, pictures: Picture, value_range: tuple[float, float], t: float) -> None:
        """What SDEdit would start from, before it is run: uint8 (n, H, W, C)."""
        self.x_t.set_pictures(pictures, None, value_range)
        self.x_t.set_caption(f"t = {t:.0f}, clamped")
        self.x0_hat.set_placeholder("Each noise leads to a result of its own.")
        self.error.hide()

    def show_walk(self, walk: Walk, position: int, result: str, *, is_coming: bool = False) -> None:
        """Show a position of a walk that has begun; ``result`` says what its end is.

        The network is asked for x0_hat, unless it ``is_coming`` by itself because the walk is watched live.
        """
        run, step = walk.at(position)
        if run is None:
            return
        before = self._walk.at(self._position)[0] if self._walk.levels else None
        if before is None or before.job != run.job:
            self.cell = None
        self._walk, self._position, self._result = walk, position, result
        self._sight = self._see(run, step)
        self.error.setVisible(walk.up_run is not None and self.returned.isHidden())
        self._paint()
        if self._sight is not None and self._sight.is_complete:
            self.shown.emit(position)
        elif not is_coming:
            self._sights.ask(run.job, step)

    def show_meanwhile(self, start: Picture | None, picture: Picture | None) -> None:
        """While all states of a run are made again: the picture that it begins with, and the small one (H, W, C) that
        is left of it."""
        self.pictures.empty(AGAIN, self.x_t)
        for pane, shown in ((self.x_0, start), (self.x0_hat, picture)):
            if shown is not None:
                pane.set_pictures(shown[None])
        self.x0_hat.set_busy(picture is not None)

    def show_returned(self, run: Run | None, words: str) -> None:
        """What came back from the same latent, in the place of the error that only a way back has; or none."""
        sight = None if run is None else self._sights.see(run.job, run.stored)
        self.returned.setVisible(sight is not None)
        self.error.setVisible(sight is None and self._walk.up_run is not None)
        if sight is not None:
            self.returned.set_pictures(sight.x_t)
            self.returned.set_caption(words)
            recipe = None if run is None else Recipe(run.request, Shown("x_t", run.stored))
            self.returned.set_names([words] * len(sight.x_t), CLAMPED, recipe)

    def error_at(self, position: int) -> Signed | None:
        """The way down minus the way up at that position's t, (n, C, H, W); None while either is missing."""
        walk = self._walk
        if walk.up_run is None or walk.down_run is None:
            return None
        above, below = walk.pair(position)
        up = self._bridge.values(walk.up_run.job, above)
        down = self._bridge.values(walk.down_run.job, below)
        return None if up is None or down is None else np.asarray(down - up, np.float32)

    def thumbnail(self, job: int, step: int) -> NDArray[np.uint8] | None:
        """The enlarged (or first) sample of a stored state, uint8 (H, W, C)."""
        sight = self._sights.see(job, step)
        return None if sight is None else sight.x_t[min(self.cell or 0, len(sight.x_t) - 1)]

    def enlarge(self, cell: int | None) -> None:
        """Show one sample alone, or all of them."""
        if cell != self.cell and self._sight is not None:
            self.cell = cell
            self.pictures.fit()
            self._paint()
            self.cell_changed.emit()

    @Slot(object)
    def receive(self, message: object) -> None:
        self._sights.receive(message)

    def _see(self, run: Run, step: int) -> Sight | None:
        """A state; of the latent, the way down knows what the network sees in it."""
        sight, down = self._sights.see(run.job, step), self._walk.down_run
        if down is not None and self._is_seen_by_the_way_down(run, step):
            return self._sights.memory.get(down.job, 0)
        return sight

    def _is_seen_by_the_way_down(self, run: Run, step: int) -> bool:
        """Whether it is the latent, and only the way down knows what the network sees in it."""
        sight, down = self._sights.see(run.job, step), self._walk.down_run
        if self._position != self._walk.top or down is None or sight is None or sight.is_complete:
            return False
        again = self._sights.memory.get(down.job, 0)
        return again is not None and len(again.x_t) == len(sight.x_t)

    @Slot(int)
    def _clicked(self, cell: int) -> None:
        if self._sight is not None and len(self._sight.x_t) > 1:
            self.enlarge(cell if self.cell is None else None)

    @Slot(int, int, object)
    def _learned(self, job: int, step: int, sight: Sight) -> None:
        run, here = self._walk.at(self._position) if self._walk.levels else (None, 0)
        if run is not None and (run.job, here) == (job, step):
            self._sight = sight
            self._paint()
            if sight.is_complete:
                self.shown.emit(self._position)

    @Slot()
    def _give_up(self) -> None:
        for pane in self.pictures.panes:
            pane.set_busy(False)

    def _paint(self) -> None:
        run, sight = self._walk.at(self._position)[0], self._sight
        assert run is not None
        self._paint_picture()
        self._paint_error()
        self.x_t.set_busy(sight is None)
        self.x0_hat.set_busy(sight is None or not sight.is_complete)
        if sight is None:
            return
        level = self._walk.level(self._position)
        when = "data" if level.is_clean else f"t = {level.t:.0f}"
        which = f", sample {self.cell + 1}" if self.cell is not None else ""
        names = [f"run {run.job}, sample {cell + 1}, {when}" for cell in range(len(sight.x_t))]
        self.x_t.set_pictures(self._cut(sight.x_t), None, sight.x_t_range)
        self.x_t.set_caption(f"{when}{self._way()}, clamped{which}")
        self.x_t.set_names(names if self.cell is None else names[self.cell :], CLAMPED, self._recipe("x_t"))
        if sight.x0_hat is not None:
            self.x0_hat.set_pictures(self._cut(sight.x0_hat))
            self.x0_hat.set_caption(self._what_is_seen(when) + which)
            seen = [f"x̂₀ of {name}" for name in names]
            shown = seen if self.cell is None else seen[self.cell :]
            self.x0_hat.set_names(shown, CLAMPED, self._recipe("x0_hat"))

    def _recipe(self, quantity: Quantity) -> Recipe | None:
        """How what a pane shows is made again."""
        (run, step), down = self._walk.at(self._position), self._walk.down_run
        if run is None:
            return None
        if quantity == "x0_hat" and self._is_seen_by_the_way_down(run, step) and down is not None:
            run, step = down, 0
        walked = quantity == "x0_hat" and self._sight is not None and self._sight.as_walked
        return Recipe(run.request, Shown(quantity, step, () if self.cell is None else (self.cell,), as_walked=walked))

    def _way(self) -> str:
        if self._walk.up_run is None:
            return ""
        if self._position == self._walk.top:
            return ", latent"
        return " ↑" if self._position < self._walk.top else " ↓"

    def _what_is_seen(self, when: str) -> str:
        if self._position == self._walk.last:
            return self._result
        return "the picture itself" if when == "data" else f"seen at {when}"

    def _paint_picture(self) -> None:
        up = self._walk.up_run
        start = None if up is None else self._sights.see(up.job, 0)
        if start is not None:
            self.x_0.set_pictures(start.x_t)

    def _paint_error(self) -> None:
        error = self.error_at(self._position)
        if error is None:
            self.error.set_signed(None)
            self.error.set_placeholder(NOTHING_YET["error"])
            self.error.set_caption("")
            return
        shown = self._cut(error) if len(error) > 1 else error
        self.error.set_signed(shown)
        rms = float(np.sqrt(np.mean(np.square(shown, dtype=np.float64))))
        self.error.set_caption(f"rms {rms:.2g}")

    def _cut(self, batch: Batch) -> Batch:
        return batch if self.cell is None else batch[self.cell : self.cell + 1]
