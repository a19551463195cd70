"""Trainings side by side: what they drew after about as many steps, and in what they differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontMetrics
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.panels import SCROLL_BAR, scrolled
from app.stages.train_course import Course
from app.theme import GRID, font, theme
from app.widgets.controls import label
from app.widgets.sheet import Sheet
from core.training.comparison import Difference
from core.training.events import Drawn

Colour = Callable[[], QColor]
SAMPLES = 12
"""Pictures in all, as far as there are so many, but at least ``LEAST`` of each training."""
LEAST = 4
NAME = 14
"""Characters of a name beside a row."""
HEAD = 11 * GRID
"""Width of the names of what differs."""
COLUMN = 14 * GRID
WIDEST = 52 * GRID
"""Width of the table: the pictures are to have the rest."""
SAME = "They differ in nothing but their names."


class ComparePage(QWidget):
    """Attributes: ``sheet``, a row of samples for each training; ``rows``, the texts of the table, names first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[tuple[str, ...], ...] = ()
        self._colours: tuple[Colour, ...] = ()
        self.sheet = Sheet()
        self.sheet.setAccessibleName("Samples side by side")
        self.sheet.setToolTip(
            "What each draws from the same seeds: that of the moment looked at, and of the others the set drawn after "
            "the nearest number of steps"
        )
        self._table = QWidget()
        self._grid = QGridLayout(self._table)
        self._grid.setContentsMargins(0, 0, GRID // 2, 0)
        self._grid.setHorizontalSpacing(GRID)
        self._grid.setVerticalSpacing(0)
        self._table.setAccessibleName("In what the trainings differ")
        self._same = label(SAME, "quiet")
        self._same.setWordWrap(True)
        self._table.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._side = QWidget()
        column = QVBoxLayout(self._side)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._table)
        column.addWidget(self._same)
        column.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * GRID)
        row.addWidget(self.sheet, 1)
        self._beside = scrolled(self._side, WIDEST)
        row.addWidget(self._beside)
        theme().theme_changed.connect(self._paint_names)

    def show_samples(self, courses: Sequence[Course], step: int | None) -> None:
        """What the trainings drew, the first after ``step`` steps, the others after about as many."""
        sets = [drawn_near(course, step) for course in courses]
        count = min((len(drawn.pictures) for drawn in sets if drawn is not None), default=0)
        columns = min(max(LEAST, SAMPLES // max(1, len(courses))), count)
        names = [
            f"{_short(course.name)} · {drawn.step:,}" if drawn is not None else f"{_short(course.name)}: none"
            for course, drawn in zip(courses, sets, strict=True)
        ]
        self.sheet.set_cells(names, [courses[0].class_of(place) for place in range(columns)] if courses else [])
        for row, drawn in enumerate(sets):
            for place in range(columns if drawn is not None else 0):
                assert drawn is not None
                self.sheet.put(row * columns + place, drawn.pictures[place], finished=True)

    def show_differences(
        self, courses: Sequence[Course], found: Sequence[Difference], colours: Sequence[Colour]
    ) -> None:
        """A column for each training, its name in the colour of its curve, and a row for each difference."""
        self.rows = (("", *(course.name for course in courses)), *((one.name, *one.values) for one in found))
        self._colours = tuple(colours)
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        room = min(COLUMN, (WIDEST - HEAD - 2 * SCROLL_BAR) // max(1, len(courses)) - GRID)
        for row, texts in enumerate(self.rows):
            for column, text in enumerate(texts):
                self._grid.addWidget(_cell(text, room if column else HEAD, is_head=not (row and column)), row, column)
        width = self._table.sizeHint().width() if found else COLUMN + HEAD
        self._side.setFixedWidth(width)
        self._beside.setFixedWidth(width + SCROLL_BAR)
        self._table.setAccessibleDescription("\n".join(", ".join(texts) for texts in self.rows))
        self._same.setVisible(not found)
        self._paint_names()

    def _paint_names(self) -> None:
        for place, colour in enumerate(self._colours, 1):
            item = self._grid.itemAtPosition(0, place)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.setStyleSheet(f"color: {colour().name()}")


def drawn_near(course: Course, step: int | None) -> Drawn | None:
    """The samples that it drew after about so many steps (None: the last), None where it drew none."""
    if not course.samples:
        return None
    return course.samples[-1] if step is None else min(course.samples, key=lambda drawn: abs(drawn.step - step))


def _short(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def _cell(text: str, room: int, *, is_head: bool) -> QLabel:
    """As much of a text as there is room for; all of it in its tooltip."""
    made = label("", "caption") if is_head else QLabel()
    made.setFont(font("caption", numbers=True))
    made.setText(QFontMetrics(made.font()).elidedText(text, Qt.TextElideMode.ElideRight, room))
    made.setToolTip(text)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made
