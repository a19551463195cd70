"""A frame of a morph: its picture, or x_t and x0_hat on its way down; beside it the sheet it is a cell of."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.stages.morph_settings import NAMES
from app.stages.readiness import LIVE
from app.stages.run_view import AGAIN, CLAMPED
from app.state import UNMADE, Run
from app.theme import GRID
from app.widgets.descent import Descent
from app.widgets.pictures import PicturePane, PictureRow
from app.widgets.sheet import Sheet
from core.levels import Path
from core.messages import Failed, Inspection, Picture, Preview
from core.recipe import Quantity, Recipe, Shown
from core.requests import InspectStep, RunRequest

if TYPE_CHECKING:
    from app.bridge import Bridge

KEPT_BYTES = 64 * 2**20
"""States of single frames are remembered, with what the network saw in them, up to this."""

TO_COME = "This frame is still to come."
STOPPED = "This frame was not made before the morph was stopped."
LOST = "The states of this morph are no longer kept. Press Morph to make it again."


@dataclass(frozen=True, eq=False)
class Sight:
    """What is known of a state of one frame: pictures uint8 (1, H, W, C), x0_hat None until the network has looked;
    ``as_walked``: on its way, with other frames; else it was asked again, for this frame alone."""

    x_t: Picture
    x_t_range: tuple[float, float] | None
    x0_hat: Picture | None
    as_walked: bool = False

    @property
    def nbytes(self) -> int:
        return self.x_t.nbytes + (0 if self.x0_hat is None else self.x0_hat.nbytes)


class Memory:
    """The sights last seen, so that going back to one costs nothing. Attributes: ``nbytes``."""

    def __init__(self, cap: int = KEPT_BYTES) -> None:
        self._cap = cap
        self._sights: OrderedDict[InspectStep, Sight] = OrderedDict()
        self.nbytes = 0

    def put(self, state: InspectStep, sight: Sight) -> None:
        before = self._sights.pop(state, None)
        self._sights[state] = sight
        self.nbytes += sight.nbytes - (before.nbytes if before else 0)
        while self.nbytes > self._cap and len(self._sights) > 1:
            self.nbytes -= self._sights.popitem(last=False)[1].nbytes

    def get(self, state: InspectStep) -> Sight | None:
        return self._sights.get(state)


class MorphView(QWidget):
    """Attributes: ``memory``. Signals: ``shown(int, int)``, the frame and step to which all panes now belong."""

    shown = Signal(int, int)

    def __init__(self, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self.memory = Memory()
        self._at: InspectStep | None = None
        self._asked: InspectStep | None = None
        self._name = ""
        self._request: RunRequest | None = None
        self._absence = ""
        """Why the state looked at is not there, if it is not."""
        self._path: Path = ()
        self.frame = PicturePane("x_0", "x_0")
        self.frame.setToolTip("A frame of the morph: what the network makes of its latent")
        self.x_t = PicturePane("x_t", "x_t")
        self.x_t.setToolTip("The state of this frame on its way down from its latent")
        self.x0_hat = PicturePane("x0_hat", r"\hat{x}_0")
        self.x0_hat.setToolTip("What the network takes the picture to be: x̂₀ = (x_t − σ_t ε̂) / α_t (DDPM, eq. 15)")
        self.pictures = PictureRow([self.frame, self.x_t, self.x0_hat])
        self.sheet = Sheet()
        self.sheet.hide()
        self.descent = Descent()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.sheet, 5)
        row.addWidget(self.pictures, 4)
        row.addWidget(self.descent)
        self._show_panes(at_data=True)

    def show_ends(self, pictures: Picture | None, caption: str, placeholder: str = "") -> None:
        """Before there is a morph: its end points, uint8 (n, H, W, C)."""
        self._at = None
        self._show_panes(at_data=True)
        self.frame.set_busy(False)
        self.frame.set_names([f"end point {name}" for name in NAMES])
        self.frame.set_pictures(pictures)
        self.frame.set_caption(caption)
        self.frame.set_placeholder(placeholder)

    def show_path(self, path: Path) -> None:
        """The levels of each frame's way down."""
        self._path = path
        self.descent.set_positions([int(level.t) for level in path], [level.alpha**2 for level in path])

    def show_climb(self, message: Preview, of: int) -> None:
        """The end points' pictures on their way up to their latents, before there is a frame; ``of`` steps in all."""
        self._at = None
        self.frame.hide()
        self.x0_hat.hide()
        self.x_t.show()
        self.x_t.set_names()
        self.x_t.set_pictures(message.x_t, None, message.x_t_range)
        self.x_t.set_caption(f"end points on their way up, t = {max(0, message.level.t):.0f}, clamped")
        self.x_t.set_busy(True, message.step / max(1, of))

    def show_picture(self, picture: Picture, caption: str) -> None:
        """A picture that no network made, uint8 (1, H, W, C)."""
        self._at = None
        self._show_panes(at_data=True)
        self.frame.set_busy(False)
        self.frame.set_pictures(picture)
        self.frame.set_names([caption])
        self.frame.set_caption(caption)
        self.descent.set_position(0, 1)

    def show_state(self, run: Run, frame: int, step: int, *, available: int, name: str, is_coming: bool) -> None:
        """A state of one frame, of which ``available`` exist: what is known at once, the rest dimmed until it is.

        The network is asked for x0_hat unless it ``is_coming`` by itself, because the morph is watched live.
        """
        if run.path != self._path:
            self.show_path(run.path)
        self._at, self._name, self._request = InspectStep(run.job, step, frame), name, run.request
        self._show_panes(at_data=step == run.steps)
        self.descent.set_position(step, available)
        sight = self._sight(self._at)
        is_again = run.state in UNMADE
        self._absence = AGAIN if is_again else LOST if available > 1 else TO_COME if run.state in LIVE else STOPPED
        self._paint(sight)
        if step == run.steps or (sight is not None and sight.x0_hat is not None):
            self.shown.emit(frame, step)
        elif sight is not None and not is_coming and self._asked != self._at:
            self._asked = self._at
            self._bridge.ask(self._at)

    def show_meanwhile(self, picture: Picture | None) -> None:
        """While the frames are made again: the small picture (H, W, C) that is left of the morph."""
        self._show_panes(at_data=True)
        self._paint_nothing(AGAIN)
        if picture is not None:
            self.frame.set_pictures(picture[None])
            self.frame.set_caption("")
            self.frame.set_busy(True)

    @Slot(object)
    def receive(self, message: object) -> None:
        """Take what the engine shows of frames; it is painted if it is the state looked at."""
        if isinstance(message, Preview) and message.frames:
            self._learn_frames(message)
        elif isinstance(message, Inspection) and isinstance(message.request, InspectStep):
            if message.request == self._asked:
                self._asked = None
            if message.request.frame is not None:
                known = self._sight(message.request)
                self._learn(message.request, Sight(message.x_t, known.x_t_range if known else None, message.x0_hat))
        elif isinstance(message, Failed):
            self._asked = None
            for pane in self.pictures.panes:
                pane.set_busy(False)

    def _learn_frames(self, message: Preview) -> None:
        for cell, frame in enumerate(message.frames):
            x_t, x0_hat = (
                None if batch is None else batch[cell : cell + 1].copy() for batch in (message.x_t, message.x0_hat)
            )
            assert x_t is not None
            self._learn(InspectStep(message.job, message.step, frame), Sight(x_t, message.x_t_range, x0_hat, True))

    def _learn(self, state: InspectStep, sight: Sight) -> None:
        self.memory.put(state, sight)
        if state == self._at:
            self._paint(sight)
            if sight.x0_hat is not None and state.frame is not None:
                self.shown.emit(state.frame, state.step)

    def _sight(self, state: InspectStep) -> Sight | None:
        known = self.memory.get(state)
        if known is not None:
            return known
        stored = self._bridge.frame(state.run, state.step, state.frame)
        return None if stored is None else Sight(stored.x_t, stored.x_t_range, stored.x0_hat)

    def _paint(self, sight: Sight | None) -> None:
        assert self._at is not None
        level = self._path[self._at.step]
        if sight is None:
            self._paint_nothing(self._absence)
            return
        if self._at.step == len(self._path) - 1:
            self.frame.set_busy(False)
            self.frame.set_pictures(sight.x_t)
            self.frame.set_names([self._full_name()], _clamping(sight), self._recipe("x_t"))
            self.frame.set_caption(self._name)
            return
        self.x_t.set_busy(False)
        self.x0_hat.set_busy(sight.x0_hat is None)
        self.x_t.set_pictures(sight.x_t, None, sight.x_t_range)
        self.x_t.set_caption(f"t = {level.t:.0f}, clamped")
        self.x_t.set_names([f"{self._full_name()}, t = {level.t:.0f}"], _clamping(sight), self._recipe("x_t"))
        if sight.x0_hat is not None:
            self.x0_hat.set_pictures(sight.x0_hat)
            self.x0_hat.set_caption(f"{self._name}, t = {level.t:.0f}")
            seen = f"x̂₀ of {self._full_name()}, t = {level.t:.0f}"
            self.x0_hat.set_names([seen], CLAMPED, self._recipe("x0_hat", sight.as_walked))

    def _recipe(self, quantity: Quantity, as_walked: bool = False) -> Recipe | None:
        """How what a pane shows is made again."""
        if self._at is None or self._at.frame is None or self._request is None:
            return None
        return Recipe(self._request, Shown(quantity, self._at.step, (self._at.frame,), as_walked=as_walked))

    def _full_name(self) -> str:
        """What the frame is called where it is taken elsewhere."""
        assert self._at is not None
        return f"morph {self._at.run}, {self._name}"

    def _paint_nothing(self, why: str) -> None:
        for pane in self.pictures.panes:
            pane.set_busy(False)
            pane.set_pictures(None)
            pane.set_caption(self._name if pane is not self.x0_hat else "")
            pane.set_placeholder(why if pane is not self.x0_hat else "")

    def _show_panes(self, *, at_data: bool) -> None:
        self.frame.setVisible(at_data)
        self.x_t.setVisible(not at_data)
        self.x0_hat.setVisible(not at_data)


def _clamping(sight: Sight) -> tuple[str, ...]:
    """What was done to a state to make a picture of it."""
    low, high = sight.x_t_range or (-1.0, 1.0)
    return CLAMPED if low < -1 or high > 1 else ()
