"""Taking a picture off the screen: to use it as the window's picture, to copy it, to save it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QObject, QPoint, Qt, QTimer, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from app.dragging import Dragging
from app.exports.exporter import Exporter
from app.exports.plan import Still
from app.exports.saving import ask_file
from app.incoming import PICTURE_ENDINGS
from app.log import logger
from app.widgets.picture_pane import PicturePane
from app.widgets.rasters import to_image
from core.errors import Refusal
from core.files import check_writable
from core.images import OpenedImage, from_pixels
from core.recipe import Recipe
from core.render import png_bytes, write_png

if TYPE_CHECKING:
    from app.window import MainWindow

NOTHING = "There is no picture here yet."
SIGNED = "These colours show signed numbers, not a picture: point at x_t or x̂₀."

Place = tuple[PicturePane, int]
"""A pane and the cell of it that is meant."""


class Taking(QObject):
    """What the picture commands do. They mean the pane under the pointer, else the one with the focus, else the
    largest of the stage; in a grid the sample under the pointer, else the framed one, else the first.

    Attributes: ``exporter``; ``dragging``, pictures on their way out of the window.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.exporter = Exporter(window, self.still, file_name)
        self.dragging = Dragging(window)
        self._in_menu: Place | None = None
        self._handlers: dict[str, Callable[[], object]] = {
            "use_picture": self.use,
            "copy_picture": self.copy,
            "save_picture": self.save,
            "export": self.export,
        }
        """Of the commands that stand in the menu of a picture."""
        window.registry.connect_to(self._handlers)

    def use(self) -> None:
        """Make it the window's picture, ready to be noised, inverted or morphed."""
        place = self._place()
        if place is None or place[0].content is None:
            self._say(NOTHING)
        elif place[0].content.signed is not None:
            self._say(SIGNED)
        else:
            image, state = taken(*place), self._window.state
            if state.image is None or state.image.sha256 != image.sha256:
                state.set_image(image)
                logger.info("picture taken: %s", image.name)
            self._say(f"The picture is now {image.name}.")

    def copy(self) -> None:
        """Put it on the clipboard at its own size."""
        place = self._place()
        if place is None:
            self._say(NOTHING)
            return
        image = taken(*place)
        content = QMimeData()
        content.setData("image/png", png_bytes(image.pixels, place[0].recipe_of(place[1])))  # first: it says how
        content.setImageData(to_image(image.pixels))
        QGuiApplication.clipboard().setMimeData(content)
        self._say(f"Copied {image.name}.")

    def save(self) -> None:
        """Ask where it is to be saved; it is the one that was there when the question came."""
        place = self._place()
        if place is None:
            self._say(NOTHING)
            return
        image, recipe = taken(*place), place[0].recipe_of(place[1])
        ask_file(
            self._window,
            "Save the picture",
            file_name(image.name),
            "Picture (*.png)",
            (".png",),
            lambda path: self.write(image, path, recipe),
        )

    def export(self) -> None:
        """Put an export together, of the picture that is meant and of all that it belongs to."""
        self.exporter.open()

    def still(self) -> Still | None:
        """The pane that is meant, as it is now."""
        place = self._place()
        content = None if place is None else place[0].taken()
        if place is None or content is None:
            return None
        pane, cell = place
        pictures = [content.pixels(index) for index in range(content.shape[0])]
        return Still(pane.name(cell), pictures, cell, pane.recipe_of_all())

    def write(self, image: OpenedImage, path: Path, recipe: Recipe | None = None) -> None:
        """Save a picture as PNG, its own pixels and how they are made; an older file stays where that fails."""
        try:
            check_writable(path, ".png")
            write_png(path, image.pixels, recipe)
        except Refusal as refusal:
            self._window.show_error(str(refusal), refusal.details)
        else:
            self._say(f"Saved {path}")

    def menu(self, child: QWidget | None, where: QPoint) -> QMenu | None:
        """Offer the commands for the pane that ``child`` is; None where it is none, or empty."""
        if not isinstance(child, PicturePane) or child.content is None:
            return None
        place = child, child.pointed()
        menu = QMenu(self._window)
        menu.setToolTipsVisible(True)
        for name in self._handlers:
            menu.addAction(self._window.registry[name])
        recipe = child.recipe_of(place[1])
        if recipe is not None:
            menu.addSeparator()
            self._window.commands.recipes.add_to(menu, recipe)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._in_menu = place
        menu.aboutToHide.connect(self._menu_closed)
        menu.popup(where)
        return menu

    def recipe(self) -> Recipe | None:
        """How the picture that is meant is made."""
        place = self._place()
        return None if place is None else place[0].recipe_of(place[1])

    @Slot()
    def _menu_closed(self) -> None:
        QTimer.singleShot(0, self, self._forget)  # what was chosen is triggered after the menu is gone

    @Slot()
    def _forget(self) -> None:
        self._in_menu = None

    def _place(self) -> Place | None:
        if self._in_menu is not None:
            return self._in_menu
        panes = [pane for pane in self._window.stage.findChildren(PicturePane) if pane.isVisible() and pane.content]
        focus = QApplication.focusWidget()
        meant = [pane for pane in panes if pane.is_pointed] or [pane for pane in panes if pane is focus]
        pictures = [pane for pane in panes if pane.content and pane.content.signed is None]
        pane = next(iter(meant), None) or max(pictures, key=_area, default=None)
        return None if pane is None else (pane, pane.pointed())

    def _say(self, words: str) -> None:
        self._window.status_line.set_hint(words)


def taken(pane: PicturePane, cell: int) -> OpenedImage:
    """One picture of a pane as if it had been opened."""
    content = pane.taken()
    assert content is not None
    return from_pixels(content.pixels(cell), pane.name(cell), pane.notes)


def file_name(name: str) -> str:
    """A picture's name as that of a PNG file, without what a file's name may not hold."""
    endings = "|".join(re.escape(ending) for ending in PICTURE_ENDINGS)
    bare = re.sub(rf"({endings})(?=,|$)", "", name, flags=re.IGNORECASE)
    safe = re.sub(r"[^\w =,.()+-]", "_", bare).strip()
    return f"{safe or 'picture'}.png"


def _area(pane: PicturePane) -> tuple[int, bool]:
    """How large a pane is; of equal ones x_0 comes last, which most often is the window's picture already."""
    return pane.width() * pane.height(), pane.quantity != "x_0"
