"""What is dragged over the window: it says beforehand what a drop will do, and then does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QDragEnterEvent, QDragMoveEvent, QDropEvent

from app.incoming import Offer, offer
from app.recipes import recipe_in
from app.widgets.drop import DropOverlay
from core.errors import Refusal
from core.training.draw_request import TrainingDraw

if TYPE_CHECKING:
    from app.window import MainWindow


class Dropping:
    """The window passes its drag events on; ``overlay`` covers it meanwhile."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self.overlay = DropOverlay(window)

    def enter(self, event: QDragEnterEvent) -> None:
        # Accepted even where it is refused: only then does the window hear when the drag leaves.
        _accept(event)
        try:
            found = offer(event.mimeData())
        except Refusal as refusal:
            self.overlay.refuse(str(refusal))
        else:
            self.overlay.promise(*self._promise(found, event.mimeData()))

    def move(self, event: QDragMoveEvent) -> None:
        _accept(event)
        event.setAccepted(not self.overlay.refuses)

    def leave(self) -> None:
        self.overlay.hide()

    def drop(self, event: QDropEvent) -> None:
        self.overlay.hide()
        _accept(event)
        self._window.commands.take(event.mimeData())

    def _promise(self, found: Offer, mime: QMimeData) -> tuple[str, str]:
        stage = self._window.stage
        verb, name = stage.drop_verbs(mime), found.paths[0].name if found.paths else "the picture"
        recipe = recipe_in(found)
        if recipe is not None:
            what = "training" if isinstance(recipe.request, TrainingDraw) else "run"
            return f"restore this {what}", name if found.kind == "recipe" else f"{name}, or use it as a picture"
        if found.kind == "recipe":
            return "look at this file", name
        if found.kind == "session":
            return "open this session", f"{name}; what is here stays"
        if found.kind == "model":
            return "open this model", name
        if found.kind == "classifier":
            return stage.classifier_verb, name
        if found.kind == "folder":
            return verb, f"the pictures in {name}"
        if len(found.paths) > 1:
            return verb, f"{name}; the other {len(found.paths) - 1} are kept at hand"
        return verb, name


def _accept(event: QDropEvent) -> None:
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()
