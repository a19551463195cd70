"""Recipes in the window: offered where a picture brings one, copied as a command or as Python."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QObject, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from app.incoming import Offer
from app.log import logger
from app.restored_settings import fields_of
from app.restoring import Restoring
from core.errors import Refusal
from core.images import OpenedImage
from core.known_models import remember
from core.messages import ClassifierOpened, ModelInfo, ModelOpened
from core.recipe import Recipe, images_of, of_request, read_recipe
from core.request_words import count_of, printable, summary
from core.requests import InspectImage, NoiseRequest
from core.training.draw_request import TrainingDraw

if TYPE_CHECKING:
    from app.window import MainWindow

NOTHING = "There is no run or picture here that tells how it is made."
COPIES = ("copy_command", "copy_python")


class Recipes(QObject):
    """Attributes: ``restoring``; ``offered``, the picture (None: the file is none), its file and the recipe that wait
    for an answer, or None."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.restoring = Restoring(window)
        self.offered: tuple[OpenedImage | None, Path | None, Recipe] | None = None
        self._files: dict[str, Path] = {}
        """Of pictures that were opened, by their hash."""
        self._in_menu: Recipe | None = None
        bar = window.recipe_bar
        bar.restored.connect(self._restore)
        bar.chosen.connect(self._restore)
        bar.used.connect(self._use)
        bar.dismissed.connect(self._dismiss)
        self.restoring.done.connect(self._dismiss)
        self.restoring.said.connect(window.status_line.set_hint)
        self.restoring.refused.connect(self._refuse)
        window.bridge.message.connect(self._note)
        window.registry.connect_to({name: partial(self.copy, name) for name in COPIES})

    # Offered

    def offer(self, image: OpenedImage | None, path: Path | None, recipe: Recipe) -> None:
        """A picture, or another file, has come that carries a recipe."""
        self.offered = image, path, recipe
        name = image.name if image is not None else path.name if path is not None else "This"
        logger.info("a recipe has come with %s: %s", name, recipe.sentence)
        words = f"{printable(name)} tells how it was made: {_summary(recipe)}"
        use = "" if image is None else self._window.stage.drop_verbs(QMimeData())
        self._window.recipe_bar.offer(words, recipe.sentence, fields_of(recipe.request), use)

    def opened(self, image: OpenedImage, path: Path | None) -> None:
        """Remember where a picture lies, for commands that need its file."""
        if path is not None:
            self._files[image.sha256] = path

    @Slot()
    @Slot(object)
    def _restore(self, fields: frozenset[str] | None = None) -> None:
        if self.offered is not None:
            self._window.stage.errors.dismiss()
            self.restoring.begin(self.offered[2], fields)

    @Slot()
    def _use(self) -> None:
        if self.offered is not None:
            image, path, _ = self.offered
            self._dismiss()
            if image is not None:
                self._window.commands.loader.opened.emit(image, path)

    @Slot()
    def _dismiss(self) -> None:
        self.offered = None
        self._window.recipe_bar.hide()

    @Slot(str, str)
    def _refuse(self, words: str, details: str) -> None:
        self._window.status_line.set_hint("")
        self._window.show_error(words, details)

    @Slot(object)
    def _note(self, message: object) -> None:
        """Where a model lies that a recipe may name later."""
        if isinstance(message, ModelOpened | ClassifierOpened) and message.folder:
            work = partial(remember, message.info.ref, message.folder)
            self._window.bridge.in_background(work, _nothing, _not_remembered, "recipes")

    # Copied

    def copy(self, form: str) -> None:
        """Put the run looked at (or the picture whose menu is open) on the clipboard, as "copy_command" or
        "copy_python"."""
        recipe = self._in_menu or self._meant()
        if recipe is None:
            self._window.status_line.set_hint(NOTHING)
            return
        files = [self._files[ref.sha256] for ref in images_of(recipe.request) if ref.sha256 in self._files]
        work = partial(code_of, form, recipe, self._window.state.model, files)
        self._window.bridge.in_background(work, self._copied, self._not_copied, "recipes")

    def _copied(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        lines = text.strip().splitlines()
        self._window.status_line.set_hint(f"Copied: {lines[0] if len(lines) == 1 else f'{len(lines)} lines of Python'}")

    def _not_copied(self, error: Exception) -> None:
        if not isinstance(error, Refusal):
            logger.error("a run could not be copied", exc_info=error)
            error = Refusal("This run could not be written as code.", repr(error))
        self._window.show_error(str(error), error.details)

    def _meant(self) -> Recipe | None:
        """The run that the cursor is on, all of it; without one, the picture that commands would mean."""
        state = self._window.state
        run = None if state.cursor.run is None else state.runs.get(state.cursor.run)
        return self._window.commands.taking.recipe() if run is None else of_request(run.request)

    def add_to(self, menu: QMenu, recipe: Recipe) -> None:
        """Offer to copy a recipe in a menu about to be shown."""
        for name in COPIES:
            command = self._window.registry[name]
            action = menu.addAction(command.text())
            action.setToolTip(command.toolTip())
            action.triggered.connect(partial(self._copy_in_menu, name, recipe))

    def _copy_in_menu(self, name: str, recipe: Recipe, _checked: bool = False) -> None:
        self._in_menu = recipe
        try:
            self.copy(name)
        finally:
            self._in_menu = None


def code_of(form: str, recipe: Recipe, model: ModelInfo | None, files: list[Path]) -> str:
    """The recipe as a command line or as Python. Raises Refusal."""
    from core.as_code import command_line, python_code  # not needed before

    return command_line(recipe, model, files) if form == "copy_command" else python_code(recipe, files)


def recipe_in(found: Offer) -> Recipe | None:
    """What a single file on the pointer says of itself; None where it says nothing, or nothing that can be read."""
    if found.kind not in ("pictures", "recipe") or len(found.paths) != 1:
        return None
    try:
        return read_recipe(found.paths[0])
    except Refusal:
        return None


def _summary(recipe: Recipe) -> str:
    request = recipe.request
    if isinstance(request, NoiseRequest):
        return f"forward process, t = {request.timesteps[0]}, seed {request.seed}."
    if isinstance(request, TrainingDraw):
        return f"{count_of(request)} of a training on “{printable(request.training.data_name)}”."
    model = printable(request.model.name)
    if isinstance(request, InspectImage):
        return f"what {model} sees at t = {request.t}."
    rows = len(recipe.requests)
    several = f"a sheet of {rows} runs, the first " if rows > 1 and not recipe.shown.onward else ""
    return f"{several}{summary(request)}, with {model}."


def _nothing(_result: object) -> None:
    pass


def _not_remembered(error: Exception) -> None:
    logger.warning("where a model lies is not remembered: %r", error)
