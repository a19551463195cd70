"""A line above the stage: this picture says how it was made. Make it again, take some of its settings, or use it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from app.theme import GRID
from app.widgets.controls import label


class FieldsMenu(QMenu):
    """Which settings are taken, each with a tick, all at first.

    Attributes: ``boxes`` by field; ``take``, the button under them. Signals: ``chosen(frozenset)``, the fields ticked.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes: dict[str, QCheckBox] = {}
        self.take = QPushButton("Take these settings")
        self.take.setToolTip("Set the controls as they were, and run nothing")
        self.take.clicked.connect(self._take)

    def set_fields(self, fields: Mapping[str, tuple[str, str]]) -> None:
        """The fields there are: their names, and what they say in this recipe."""
        self.take.setParent(None)
        self.clear()
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(GRID // 2)
        self.boxes = {}
        for field, (name, says) in fields.items():
            box = self.boxes[field] = QCheckBox(f"{name}: {says}".replace("&", "&&"))
            box.setToolTip(f"Take the {name.lower()} of the recipe")
            box.setChecked(True)
            box.toggled.connect(self._count)
            column.addWidget(box)
        column.addWidget(self.take)
        place = QWidgetAction(self)
        place.setDefaultWidget(body)
        self.addAction(place)
        self._count()

    @Slot()
    def _count(self) -> None:
        self.take.setEnabled(any(box.isChecked() for box in self.boxes.values()))

    @Slot()
    def _take(self) -> None:
        self.close()
        self.chosen.emit(frozenset(field for field, box in self.boxes.items() if box.isChecked()))


class RecipeBar(QFrame):
    """Hidden while nothing is offered.

    Attributes: ``restore``, ``choose``, ``use``, ``close_button``, ``menu``. Signals: ``restored()``, all of it;
    ``chosen(frozenset)``, some fields; ``used()``, as a picture; ``dismissed()``.
    """

    restored = Signal()
    chosen = Signal(object)
    used = Signal()
    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "offer")
        self._words = label("")
        self._words.setTextFormat(Qt.TextFormat.PlainText)  # a stranger's names are in it
        self._words.setWordWrap(True)
        self.restore = QPushButton("Restore all")
        self.restore.setToolTip("Open its model, set all as it was, and make it again")
        self.choose = QPushButton("Restore some…")
        self.choose.setToolTip("Choose which of its settings are taken")
        self.use = QPushButton("Use as picture")
        self.close_button = QPushButton("Close")
        self.close_button.setToolTip("Leave everything as it is")
        for button in (self.use, self.close_button):
            button.setProperty("role", "flat")
        self.menu = FieldsMenu(self)
        self.menu.chosen.connect(self.chosen)
        self.restore.clicked.connect(self.restored)
        self.choose.clicked.connect(self._open_menu)
        self.use.clicked.connect(self.used)
        self.close_button.clicked.connect(self.dismissed)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID + 4, GRID // 2, GRID, GRID // 2)
        row.setSpacing(GRID)
        row.addWidget(self._words, 1)
        for button in (self.restore, self.choose, self.use, self.close_button):
            row.addWidget(button)
        self.hide()

    def words(self) -> str:
        """What is offered; "" while nothing is."""
        return "" if self.isHidden() else self._words.text()

    def offer(self, words: str, whole: str, fields: Mapping[str, tuple[str, str]], use: str) -> None:
        """Offer a recipe in a line, ``whole`` when the pointer rests on it; ``fields`` as in ``FieldsMenu``, ``use``
        is what the stage would do with the picture itself, "" where there is none."""
        self._words.setText(words)
        self._words.setToolTip(f"<p>{escaped(whole)}</p>")
        self.setAccessibleName(words)
        self.menu.set_fields(fields)
        self.use.setVisible(bool(use))
        self.use.setToolTip(f"Leave the recipe, and take the picture: {use}")
        self.show()

    @Slot()
    def _open_menu(self) -> None:
        self.menu.popup(self.choose.mapToGlobal(QPoint(0, self.choose.height())))


def escaped(text: str) -> str:
    """Text as it is within HTML, which tooltips are."""
    return text.replace("&", "&amp;").replace("<", "&lt;")
