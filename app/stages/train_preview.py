"""What the network sees, beside what lies in the folder: originals, and the squares that the reading makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.stages.train_loader import Background
from app.stages.train_originals import Original, Originals
from app.stages.train_reading import ReadingControls
from app.theme import GRID
from app.widgets.controls import label
from app.widgets.pairs import Pair, PairSheet
from core.conversion import centre_crop
from core.training.dataset import PictureFolder
from core.training.decoding import square
from core.training.reading import Reading

WHOLE = (0.0, 0.0, 1.0, 1.0)


class Preview(QWidget):
    """Attributes: ``sheet``, the pairs; ``others``, which draws other pictures; ``originals``, those it is about."""

    def __init__(self, controls: ReadingControls, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controls = controls
        self._data: PictureFolder | None = None
        self._reading = Reading()
        self._draw = 0
        self.originals = Originals(background, self)
        self.sheet = PairSheet()
        self.others = QPushButton("Other pictures")
        self.others.setToolTip("Look at other pictures of the folder; unusual ones come first")
        self._waiting = label("Opening originals…", "quiet")
        self._lay_out()
        self.others.clicked.connect(self._draw_others)
        self.originals.read.connect(self._show)

    def _lay_out(self) -> None:
        read = self._controls
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(GRID)
        mirrored = QHBoxLayout()
        mirrored.setSpacing(GRID)
        mirrored.addWidget(read.flip)
        mirrored.addWidget(read.classes)
        mirrored.addWidget(read.never, 1)
        mirrored.addWidget(self.others)
        for column, widget in enumerate((read.crop, read.background, read.frames)):
            grid.addWidget(widget, 0, column)
            grid.setColumnStretch(column, 1)
        grid.addLayout(mirrored, 1, 0, 1, 3)
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(0, 0, 0, 0)
        column_layout.setSpacing(GRID)
        column_layout.addLayout(grid)
        column_layout.addWidget(self.sheet, 1)
        column_layout.addWidget(read.why)
        column_layout.addWidget(self._waiting)

    def set_data(self, data: PictureFolder | None) -> None:
        """Which pictures it is about."""
        before, self._data = self._data, data
        if data is None:
            self.originals.forget()
        elif before is None or (before.source, before.paths) != (data.source, data.paths):
            self._draw = 0
            self.originals.forget()  # they are numbered as in the folder before
            self._ask()
        self._show()

    def set_reading(self, reading: Reading) -> None:
        """How they are to be read; what is shown of it before they have been is a first look."""
        self._reading = reading
        self._show()

    @Slot()
    def refresh(self) -> None:
        """Show what is mirrored now."""
        self._show()

    @Slot()
    def _draw_others(self) -> None:
        self._draw += 1
        self._ask()
        self._show()

    def _ask(self) -> None:
        if self._data is not None:
            self._waiting.setVisible(True)
            self.originals.ask(self._data, self._draw)

    @Slot()
    def _show(self) -> None:
        data, found = self._data, self.originals.found
        self._waiting.setVisible(data is not None and not found and data.source is not None)
        can_draw = data is not None and bool(found) and len(data) > len(found)
        self.others.setEnabled(can_draw)
        if data is None:
            self.sheet.set_pairs(())
            return
        flip, never = self._controls.flip.isChecked(), self._controls.never_flipped
        self.sheet.set_pairs(pairs(data, found, self._reading, flip=flip, never=never))


def pairs(
    data: PictureFolder, found: Sequence[Original], reading: Reading, *, flip: bool, never: tuple[str, ...]
) -> list[Pair]:
    """Each original with what becomes of it: the training's own pixels where the folder was read in this way, a first
    look where it is still to be. Of those that may be mirrored every second one is."""
    indices = [original.index for original in found]
    seen = replace(
        data,
        pictures=data.pictures[indices],
        labels=data.labels[indices],
        paths=tuple(original.path for original in found),
    )
    flippable = seen.unflipped(never).flippable & flip
    is_read = data.reading == reading
    made, mirrored = [], False
    for original, picture, may in zip(found, seen.pictures, flippable, strict=True):
        after = picture if is_read else square(original.pixels, reading)
        mirrored = not mirrored if may else mirrored
        is_mirrored = bool(may) and mirrored
        mark = "mirrored" if is_mirrored else "as it is" if flip and not may else ""
        width, height = original.size
        notes = "".join(f"\n{note}" for note in original.notes)
        made.append(
            Pair(
                before=original.pixels,
                after=after[:, ::-1] if is_mirrored else after,
                crop=centre_crop((height, width), (1, 1)) if reading.crop == "middle" else WHOLE,
                note=" · ".join((f"{width} × {height}", *original.notes)),
                mark=mark,
                words=f"{original.path}\n{width} × {height}{notes}",
                exact=is_read,
            )
        )
    return made
