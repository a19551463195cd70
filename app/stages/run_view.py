"""A state of a run as pictures: x_t from the store at once, x0_hat and eps_hat when the network has looked again."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.stages.sights import Sight, Sights
from app.state import Run
from app.widgets.pictures import PicturePane, PictureRow
from core.messages import Picture, Signed
from core.recipe import Quantity, Recipe, Shown

if TYPE_CHECKING:
    from app.bridge import Bridge

Batch = TypeVar("Batch", Picture, Signed)

AGAIN = "Made again, bit for bit, from its settings."
CLAMPED = ("clamped to [−1, 1]",)


class RunView(QWidget):
    """The panes of a run; a click on a sample enlarges it, another click brings the others back.

    What guides a run has panes of its own, which are there only for runs that are guided.

    Attributes: ``cell``, the enlarged sample or None. Signals: ``shown(int)``, the step to which all panes now
    belong; ``cell_changed()``.
    """

    shown = Signal(int)
    cell_changed = Signal()

    def __init__(self, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sights = Sights(bridge, self)
        self._sights.learned.connect(self._learned)
        self._sights.failed.connect(self._give_up)
        self._run: Run | None = None
        self._step = 0
        self._sight: Sight | None = None
        self.cell: int | None = None
        self.x_t = PicturePane("x_t", "x_t")
        self.x_t.setToolTip("The state of the run: what the network is given")
        self.x0_hat = PicturePane("x0_hat", r"\hat{x}_0")
        self.x0_hat.setToolTip("What the network takes the picture to be: x̂₀ = (x_t − σ_t ε̂) / α_t (DDPM, eq. 15)")
        self.eps_hat = PicturePane("eps", r"\hat{\epsilon}")
        self.eps_hat.setToolTip("The noise that the network sees in x_t: ε̂ = ε_θ(x_t, t) (DDPM, eq. 11)")
        self.difference = PicturePane("guidance", r"\epsilon_c - \epsilon_u")
        self.difference.setToolTip(
            "What the label changes in the noise that the network sees; classifier-free guidance adds it w times "
            "(Ho & Salimans 2022, eq. 6)"
        )
        self.gradient = PicturePane("gradient", r"\nabla \log p(y|x_t)")
        self.gradient.setToolTip(
            "Where x_t would have to change for the classifier to be surer of the class, before the scale s "
            "(Dhariwal & Nichol 2021, section 4)"
        )
        self.pictures = PictureRow([self.x_t, self.x0_hat, self.eps_hat, self.difference, self.gradient])
        self.pictures.cell_clicked.connect(self._clicked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.pictures)

    def show_nothing(self, why: str) -> None:
        """No state at all, and the reason."""
        self._run, self._sight, self.cell = None, None, None
        for pane in self.pictures.panes:
            pane.set_pictures(None)
            pane.set_caption("")
            pane.set_names()
            pane.set_busy(False)
            pane.set_placeholder(why if pane is self.x_t else "")
        self._offer(is_guided=False, is_classified=False)

    def show_start(self, pictures: Picture, value_range: tuple[float, float], t: float) -> None:
        """Where a run would begin, before it is run: uint8 (n, H, W, C) and the range of the numbers behind it."""
        self.show_nothing("")
        self.x0_hat.set_placeholder("Press Denoise.")
        self.x_t.set_pictures(pictures, None, value_range)
        self.x_t.set_caption(f"t = {t:.0f}, clamped")

    def show_state(self, run: Run, step: int, is_coming: bool = False) -> None:
        """Show state ``step`` of a run: what is known at once, the rest dimmed until it is.

        The network is asked for the rest, unless it ``is_coming`` by itself because the run is watched live.
        """
        if self._run is None or run.job != self._run.job:
            self.cell = None
            self._offer(run.sampling.guidance != 0 and bool(run.sampling.labels), run.sampling.classifier is not None)
        self._run, self._step = run, step
        self._sight = self._sights.see(run.job, step)
        self._paint()
        if self._sight is not None and self._sight.is_complete:
            self.shown.emit(step)
        if self._sight is None or not self._sight.is_complete:
            wanted = step
        else:
            wanted = self._guided_step(run)
            guided = self._sights.see(run.job, wanted)
            if guided is not None and self._is_whole(guided):
                return
        if not is_coming:
            self._sights.ask(run.job, wanted)

    def show_meanwhile(self, picture: Picture | None) -> None:
        """While all states of a run are made again: the small picture (H, W, C) that is left of it."""
        self.pictures.empty(AGAIN, self.x_t)
        if picture is not None:
            self.x0_hat.set_pictures(picture[None])
            self.x0_hat.set_busy(True)

    def thumbnail(self, job: int, step: int) -> NDArray[np.uint8] | None:
        """The enlarged (or first) sample of a stored state, uint8 (H, W, C)."""
        sight = self._sights.see(job, step)
        return None if sight is None else sight.x_t[self.cell or 0]

    @Slot(object)
    def receive(self, message: object) -> None:
        """Take what the engine shows; it is painted if it is the state looked at."""
        self._sights.receive(message)

    def enlarge(self, cell: int | None) -> None:
        """Show one sample alone, or all of them."""
        if cell != self.cell and self._run is not None:
            self.cell = cell
            for pane in (self.difference, self.gradient):
                pane.set_signed(None)  # of other samples
            self.pictures.fit()
            self._paint()
            self.cell_changed.emit()

    def _offer(self, is_guided: bool, is_classified: bool) -> None:
        """Panes appear only where they mean something; what they showed was another run's."""
        for pane in (self.difference, self.gradient):
            pane.set_signed(None)
            pane.set_caption("")
        self.difference.setVisible(is_guided)
        self.gradient.setVisible(is_classified)

    def _is_whole(self, sight: Sight) -> bool:
        """Whether all that the panes of guidance could show of a state is known."""
        lacks_difference = not self.difference.isHidden() and sight.difference is None
        lacks_gradient = not self.gradient.isHidden() and sight.gradient is None
        return sight.is_complete and not lacks_difference and not lacks_gradient

    @Slot(int)
    def _clicked(self, cell: int) -> None:
        if self._run is not None and len(self._run.sampling.samples) > 1:
            self.enlarge(cell if self.cell is None else None)

    @Slot(int, int, object)
    def _learned(self, job: int, step: int, sight: Sight) -> None:
        if self._run is None or job != self._run.job:
            return
        if step == self._step:
            self._sight = sight
            self._paint()
            if sight.is_complete:
                self.shown.emit(step)
        elif step == self._guided_step(self._run) and self._sight is not None:
            self._paint()

    @Slot()
    def _give_up(self) -> None:
        for pane in self.pictures.panes:
            pane.set_busy(False)

    def _paint(self) -> None:
        run, sight = self._run, self._sight
        assert run is not None
        level = run.path[self._step]
        number = self._number()
        which = "" if number is None else f", sample {number + 1} of {run.sampling.count}"
        when = "data" if level.is_clean else f"t = {level.t:.0f}"
        self.x_t.set_busy(sight is None)
        for pane in (self.x0_hat, self.eps_hat):
            pane.set_busy(sight is None or not sight.is_complete)
        if sight is None:
            return
        self._name(run.job, sight, "" if level.is_clean else f", t = {level.t:.0f}")
        self.x_t.set_pictures(self._cut(sight.x_t), None, sight.x_t_range)
        self.x_t.set_caption(f"{when}, clamped{which}")
        if sight.x0_hat is not None:
            self.x0_hat.set_pictures(self._cut(sight.x0_hat))
            self.x0_hat.set_caption(when + which)
            self.eps_hat.set_signed(None if sight.eps_hat is None else self._cut(sight.eps_hat))
            self.eps_hat.set_placeholder("No noise is left.")
            self.eps_hat.set_caption(when + which)
        self._paint_guidance(run, sight)

    def _paint_guidance(self, run: Run, sight: Sight) -> None:
        """What guides the state; at the data, what has guided the last step to them. What was seen last stays, dimmed,
        until that is known."""
        step = self._guided_step(run)
        before = sight if step == self._step else self._sights.see(run.job, step)
        signed = (None, None) if before is None else (before.difference, before.gradient)
        for pane, values in zip((self.difference, self.gradient), signed, strict=True):
            pane.set_busy(values is None)
            if values is not None:
                pane.set_signed(self._cut(values))
                pane.set_caption(f"t = {run.path[step].t:.0f}")  # the symbols leave no room to name the sample again

    def _guided_step(self, run: Run) -> int:
        """The state whose guidance is shown: nothing guides the data themselves."""
        is_guided = not (self.difference.isHidden() and self.gradient.isHidden())
        return self._step - 1 if is_guided and run.path[self._step].is_clean and self._step > 0 else self._step

    def _number(self) -> int | None:
        """Which sample of its batch is shown alone, if one is."""
        assert self._run is not None
        request = self._run.sampling
        alone = len(request.samples) == 1 and request.count > 1
        return request.samples[self.cell or 0] if alone or self.cell is not None else None

    def _name(self, job: int, sight: Sight, when: str) -> None:
        """What the pictures are called where they are taken elsewhere."""
        assert self._run is not None
        numbers = self._run.sampling.samples
        shown = numbers if self.cell is None else numbers[self.cell : self.cell + 1]
        several = self._run.sampling.count > 1
        samples = [f"run {job}, sample {number + 1}{when}" if several else f"run {job}{when}" for number in shown]
        low, high = sight.x_t_range or (-1.0, 1.0)
        made = self._recipe
        self.x_t.set_names(samples, CLAMPED if low < -1 or high > 1 else (), made("x_t", self._step))
        walked = sight.as_walked
        self.x0_hat.set_names([f"x̂₀ of {sample}" for sample in samples], CLAMPED, made("x0_hat", self._step, walked))
        self.eps_hat.set_names([f"ε̂ of {sample}" for sample in samples], (), made("eps_hat", self._step, walked))
        guided = self._guided_step(self._run)
        self.difference.set_names([f"ε_c − ε_u of {sample}" for sample in samples], (), made("difference", guided))
        self.gradient.set_names([f"∇ log p(y | x_t) of {sample}" for sample in samples], (), made("gradient", guided))

    def _recipe(self, quantity: Quantity, step: int, as_walked: bool = False) -> Recipe:
        """How what a pane shows is made again."""
        assert self._run is not None
        cells = tuple(range(len(self._run.sampling.samples))) if self.cell is None else (self.cell,)
        return Recipe(self._run.request, Shown(quantity, step, cells, as_walked=as_walked))

    def _cut(self, batch: Batch) -> Batch:
        return batch if self.cell is None else batch[self.cell : self.cell + 1]
