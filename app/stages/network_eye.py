"""What the network sees in the noised picture: x0_hat and score at the cursor, on the converted picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.stages.forward_scene import same_noise
from app.state import AppState
from app.theme import GRID
from app.widgets.controls import Choice, MoreSection, ValueSlider
from app.widgets.conversion import ConversionBox, conversion_for, conversion_words
from app.widgets.pictures import PicturePane
from core.messages import Failed, Inspection, ModelInfo
from core.recipe import Recipe, Shown
from core.requests import ImageRef, InspectImage, Precision
from core.schedules import Schedule, make_schedule

if TYPE_CHECKING:
    from app.bridge import Bridge

NO_LABEL = "none"


class NetworkEye(QObject):
    """The two panes of the network, the folded section with how the picture is converted, and the questions asked.

    Attributes: ``x0_hat`` and ``score`` (panes), ``section`` (folded), ``label``, ``guidance``, ``conversion``.

    Signals: ``shown(int)`` with the cursor's t to which the panes now belong; ``changed()`` when something other than
    t makes a new look necessary.
    """

    shown = Signal(int)
    changed = Signal()

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._asked: InspectImage | None = None
        self._asked_t = 0
        self._waiting = False
        self.x0_hat = PicturePane("x0_hat", r"\hat{x}_0")
        self.x0_hat.setToolTip("What the network takes the picture to be: x̂₀ = (x_t − σ_t ε̂) / α_t (DDPM, eq. 15)")
        self.score = PicturePane("score", r"\nabla \log q(x_t)")
        self.score.setToolTip("Where the picture is more likely: the score −ε̂ / √(1 − ᾱ_t) (Song et al. 2021)")
        self.conversion = ConversionBox()
        self.label = Choice(
            "Label",
            {NO_LABEL: "none"},
            tooltip="What the network is told the picture shows; none is the null label of classifier-free guidance.",
        )
        self.guidance = ValueSlider(
            "Guidance w",
            -1,
            8,
            0,
            step=0.1,
            decimals=1,
            quantity="score",
            ends=("w = −1: label ignored", "label exaggerated"),
            tooltip="ε̂ = (1 + w) ε̂(x, label) − w ε̂(x, none) (Ho & Salimans 2022, eq. 6)",
        )
        self.section = MoreSection("What the network gets")
        self._told = QWidget()
        self._lay_out()
        self.conversion.conversion_changed.connect(state.set_conversion)
        self.label.value_changed.connect(self._told_otherwise)
        self.guidance.value_changed.connect(self._told_otherwise)
        state.image_changed.connect(self._meet)
        state.model_changed.connect(self._meet)
        state.conversion_changed.connect(self._converted)
        self._meet()

    def _lay_out(self) -> None:
        told = QHBoxLayout(self._told)
        told.setContentsMargins(0, 0, 0, 0)
        told.setSpacing(2 * GRID)
        told.addWidget(self.label, 1)
        told.addWidget(self.guidance, 2)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.conversion)
        column.addWidget(self._told)
        self.section.add(body)

    def fits(self) -> str:
        """Why there is nothing to see; "" where the network can look."""
        model, image = self._state.model, self._state.image
        if model is None:
            return "The network is not there yet."
        if image is None:
            return "Open a picture for the network to look at."
        return "" if takes_pictures(model) else f"“{model.ref.name}” does not look at pictures."

    def look(self, t: int, schedule: Schedule) -> None:
        """Ask for the network's view at time ``t`` of ``schedule``; the answer replaces what is shown when it comes."""
        model, image, conversion = self._state.model, self._state.image, self._state.conversion
        why_not = self.fits()
        if why_not or model is None or image is None or conversion is None:
            self._asked = None
            for pane in (self.x0_hat, self.score):
                pane.set_pictures(None)
                pane.set_placeholder(why_not)
                pane.set_caption("")
            self._set_waiting(False)
            self.shown.emit(t)
            return
        choice = self.label.value()
        request = InspectImage(
            model=model.ref,
            schedule=model.schedule,
            image=ImageRef(image.sha256, conversion),
            t=same_noise(t, schedule, make_schedule(model.schedule)),
            seed=self._state.seed,
            label=None if choice == NO_LABEL else int(choice),
            guidance=self.guidance.value() if self._told.isEnabled() else 0.0,
            precision=cast(Precision, model.precision),
        )
        self._asked_t = t
        if request == self._asked:
            if not self._waiting:
                self.shown.emit(t)
            return
        self._asked = request
        for pane in (self.x0_hat, self.score):
            pane.set_placeholder("The network is looking.")
        self._set_waiting(True)
        self._bridge.ask(request)

    @Slot(object)
    def receive(self, message: object) -> None:
        if isinstance(message, Inspection) and message.request == self._asked:
            self._show(message)
        elif isinstance(message, Failed) and message.job is None:
            self._set_waiting(False)

    def _show(self, answer: Inspection) -> None:
        request = answer.request
        assert isinstance(request, InspectImage)
        self.x0_hat.set_pictures(answer.x0_hat)
        self.score.set_signed(answer.score)
        height, width = request.image.conversion.size
        name = self._state.image.name if self._state.image else ""
        of = f"of {name}, t = {request.t}"
        self.x0_hat.set_names([f"x̂₀ {of}"], ("clamped to [−1, 1]",), Recipe(request, Shown("x0_hat")))
        self.score.set_names([f"score {of}"], (), Recipe(request, Shown("score")))
        where = f"t = {request.t}, {width} × {height}"
        for pane in (self.x0_hat, self.score):
            pane.set_caption(where if pane is self.x0_hat else f"t = {request.t}")
        self._set_waiting(False)
        self.shown.emit(self._asked_t)

    def _set_waiting(self, waiting: bool) -> None:
        self._waiting = waiting
        for pane in (self.x0_hat, self.score):
            pane.set_busy(waiting)

    @Slot()
    def _meet(self) -> None:
        """A picture meets a model: how it is converted is decided anew."""
        model, image = self._state.model, self._state.image
        labels = {} if model is None else {str(i): name for i, name in enumerate(model.labels)}
        has_null = model is not None and model.null_label is not None
        if labels:
            self.label.set_options({NO_LABEL: "none", **labels} if has_null else labels)
        self._told.setVisible(bool(labels))
        self.guidance.setEnabled(has_null)
        if image is not None:
            self._bridge.add_image(image)
        if model is None or image is None or not takes_pictures(model):
            self.conversion.set_picture(None, None)
            self._state.set_conversion(None)
        else:
            self.conversion.set_picture(image, model)
            self._state.set_conversion(conversion_for(image, model))
        self._converted()

    @Slot()
    def _converted(self) -> None:
        image, conversion = self._state.image, self._state.conversion
        self.conversion.set_conversion(conversion)
        title = "What the network gets"
        if image is not None and conversion is not None:
            title = f"{title}: {conversion_words(image, conversion)}"
            if self.conversion.warning():
                title += " — unlike its training data"
        self.section.set_title(title)
        self.changed.emit()

    @Slot()
    def _told_otherwise(self) -> None:
        self.changed.emit()


def takes_pictures(model: ModelInfo) -> bool:
    """Whether the model's data are grey or colour images."""
    return len(model.event_shape) == 3 and model.event_shape[0] in (1, 3)
