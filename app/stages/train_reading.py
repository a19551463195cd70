"""The controls of how the files of a folder become what the network sees; what would change nothing says why."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import QObject, QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QLineEdit, QMenu, QPushButton, QWidget

from app.widgets.controls import Choice, label
from app.widgets.hex_colour import HexColour
from core.training.dataset import PictureFolder
from core.training.reading import CropName, FramesName, Reading

CROPS: dict[CropName, str] = {"middle": "the middle square", "whole": "all of it, with bars"}
FRAMES: dict[FramesName, str] = {"first": "the first", "all": "all of them"}
CROP = (
    "What is taken of a picture that is not square: its middle, as is usual with photographs,\n"
    "or all of it between bars, which the network then learns as well."
)
BACKGROUND = "What is put under transparent parts, and the colour of bars: x₀ = a · picture + (1 − a) · background."
ANIMATED = "What is taken of an animated picture: its first frame, or each frame as a picture of its own."
FLIP = (
    "Each picture is shown mirrored half of the time: x₀ and its mirror image become equally likely (Ho et al. 2020,\n"
    "appendix B, on CIFAR-10). Good for faces and landscapes; digits and letters become others."
)
NEVER = (
    "Pictures that are never mirrored, by their path in the folder: patterns separated by commas, in which * stands\n"
    "for anything. “Flags/*” is everything in the sub-folder Flags, “*left*” whatever has left in its name."
)
NOT_FLIPPED = "Nothing is mirrored: tick the box beside it first."


class ReadingControls(QObject):
    """The controls, to be laid out by whoever has them.

    Attributes: ``crop``, ``background``, ``frames``, ``flip``, ``never`` and ``classes``, a menu of what to write
    there; ``why``, words on whether mirroring suits the folder. Signals: ``reading_changed()`` where the folder has to
    be read again; ``chosen()`` where not.
    """

    reading_changed = Signal()
    chosen = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        says = Reading()
        self.crop = Choice("Crop", CROPS, says.crop, tooltip=CROP)
        self.background = HexColour("Background", says.background, tooltip=BACKGROUND)
        self.frames = Choice("Frames", FRAMES, says.frames, tooltip=ANIMATED)
        self.flip = QCheckBox("Mirror half of the pictures")
        self.flip.setToolTip(FLIP)
        self.never = QLineEdit()
        self.never.setAccessibleName("Never mirrored")
        self.classes = QPushButton("but never…")
        self.classes.setMenu(QMenu(self.classes))
        self.why = label("", "quiet")
        self.why.setWordWrap(True)
        self._data: PictureFolder | None = None
        self._flip_chosen = False
        self._show_never()
        self.crop.value_changed.connect(self._read_otherwise)
        self.background.colour_changed.connect(self._read_otherwise)
        self.frames.value_changed.connect(self._read_otherwise)
        self.flip.toggled.connect(self._flip)
        self.never.editingFinished.connect(self._name)
        self.classes.menu().triggered.connect(self._class_toggled)

    def reading(self, size: int) -> Reading:
        """How a folder is to be read at ``size``."""
        return Reading(
            size=size,
            crop=cast(CropName, self.crop.value()),
            background=self.background.colour(),
            frames=cast(FramesName, self.frames.value()),
        )

    @property
    def never_flipped(self) -> tuple[str, ...]:
        """The patterns; none where nothing is mirrored at all."""
        words = (word.strip() for word in self.never.text().split(","))
        return tuple(filter(None, words)) if self.flip.isChecked() else ()

    def set_data(self, data: PictureFolder | None) -> None:
        """Which pictures it is about. Another folder's classes are others, and so is what may be mirrored."""
        is_new = data is not None and (self._data is None or data.source != self._data.source)
        self._data = data
        if is_new:
            self._flip_chosen = False
            self.never.clear()
            self._offer_classes(data.classes if data is not None else ())
        self._show_never()

    def choose_flip(self, flip: bool) -> None:
        """Mirror, or do not, whatever is suggested."""
        self._flip_chosen = True
        self.flip.setChecked(flip)

    def suggest_flip(self, flip: bool, why: str) -> None:
        """What suits the folder, and why; it holds until the person chooses."""
        self.why.setText(why)
        if not self._flip_chosen:
            with QSignalBlocker(self.flip):
                self.flip.setChecked(flip)
            self._show_never()

    def grey(self, crop: str, background: str, frames: str) -> None:
        """Why a control would change nothing about this folder, "" where it would."""
        for choice, says, why in (
            (self.crop, CROP, crop),
            (self.background.choice, BACKGROUND, background),
            (self.frames, ANIMATED, frames),
        ):
            choice.setEnabled(not why)
            choice.setToolTip(f"{why}\n\n{says}" if why else says)
        self.background.edit.setEnabled(not background)

    @Slot()
    def _read_otherwise(self) -> None:
        self.reading_changed.emit()

    @Slot(bool)
    def _flip(self, _is_on: bool) -> None:
        self._flip_chosen = True
        self._show_never()
        self.chosen.emit()

    @Slot()
    def _name(self) -> None:
        self._mark_classes()
        self.chosen.emit()

    def _show_never(self) -> None:
        is_on = self.flip.isChecked()
        for widget in (self.never, self.classes):
            widget.setEnabled(is_on)
            widget.setToolTip(NEVER if is_on else f"{NOT_FLIPPED}\n\n{NEVER}")
        self.never.setPlaceholderText("none, or such as Flags/*, *left*" if is_on else "")

    def _offer_classes(self, classes: tuple[str, ...]) -> None:
        menu = self.classes.menu()
        menu.clear()
        for name in classes:
            action = menu.addAction(name)
            action.setCheckable(True)
            action.setData(pattern_of(name))
        if not classes:
            menu.addAction("This folder has no classes").setEnabled(False)

    def _mark_classes(self) -> None:
        named = self.never_flipped
        for action in self.classes.menu().actions():
            action.setChecked(action.data() in named)

    @Slot(object)
    def _class_toggled(self, _action: object) -> None:
        """What was typed besides the names of classes stays."""
        actions = [action for action in self.classes.menu().actions() if action.isCheckable()]
        theirs = {str(action.data()) for action in actions}
        typed = [pattern for pattern in self.never_flipped if pattern not in theirs]
        self.never.setText(", ".join([str(action.data()) for action in actions if action.isChecked()] + typed))
        self.never.setCursorPosition(0)
        self.chosen.emit()


def pattern_of(name: str) -> str:
    """A pattern for the pictures of a class: what has a meaning in patterns, or between them, is put another way."""
    return "".join("?" if sign == "," else f"[{sign}]" if sign in "*?[" else sign for sign in name) + "/*"
