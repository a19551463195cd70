"""The page of the guidance sheet: what its rows and columns are, and the sheet itself."""

from __future__ import annotations

from typing import cast

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.stages.guidance_plan import VALUES, By, Over, values_of
from app.theme import GRID
from app.widgets.controls import Choice
from app.widgets.labels import Lines
from app.widgets.sheet import Sheet
from core.messages import ClassifierInfo, ModelInfo

OVER = {"w": "guidance w", "scale": "classifier s"}
BY = {"noise": "noise", "labels": "label"}


class GuidancePage(QWidget):
    """Attributes: ``over``, ``values``, ``by`` (controls), ``save``, ``sheet``, ``note``. Signals: ``changed()``."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.over = Choice(
            "Rows",
            OVER,
            tooltip="What grows from row to row: w of classifier-free guidance (Ho & Salimans 2022, figure 1) or the "
            "scale of the classifier (Dhariwal & Nichol 2021, figure 3).",
        )
        self.values = QLineEdit(VALUES["w"])
        self.values.setAccessibleName("Values of the rows")
        self.values.setToolTip("A row for each of these numbers, separated by commas.")
        self.by = Choice(
            "Columns",
            BY,
            tooltip="Noise: the samples chosen above, each with its own noise. Label: every class once.\n"
            "A column has the same noise in every row, so that only guidance differs.",
        )
        self.save = QPushButton("Save…")
        self.save.setToolTip("Save the sheet as a picture (PNG) with the names of its rows and columns")
        self.sheet = Sheet()
        self.sheet.setToolTip("Click a picture to see its whole trajectory")
        self.note = Lines("caption")
        row = QHBoxLayout()
        row.setSpacing(2 * GRID)
        row.addWidget(self.over, 2)
        row.addWidget(self.values, 3)
        row.addWidget(self.by, 2)
        row.addWidget(self.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addLayout(row)
        column.addWidget(self.sheet, 1)
        column.addWidget(self.note)
        self.over.value_changed.connect(self._turn)
        self.values.editingFinished.connect(self.changed)
        self.by.value_changed.connect(self.changed)

    def set_possible(self, model: ModelInfo | None, classifier: ClassifierInfo | None) -> None:
        """Grey what this model, and this classifier, have no use for."""
        has_null = model is not None and model.null_label is not None
        has_labels = classifier is not None or (model is not None and bool(model.labels))
        self.over.refuse("w", "" if has_null else "This model has no null label, and so no w.")
        self.over.refuse("scale", "" if classifier is not None else "Choose a classifier first: More, Guidance.")
        self.by.refuse("labels", "" if has_labels else "There are no labels.")
        if not has_null and classifier is not None and self.over.value() == "w":
            self.over.set_value("scale")
        elif classifier is None and has_null and self.over.value() == "scale":
            self.over.set_value("w")

    def rows(self) -> tuple[Over, tuple[float, ...], By]:
        """What varies from row to row, its values, and what varies from column to column. Raises Refusal."""
        over = cast(Over, self.over.value())
        return over, values_of(self.values.text(), over), cast(By, self.by.value())

    @Slot(str)
    def _turn(self, over: Over) -> None:
        if self.values.text() in VALUES.values():
            self.values.setText(VALUES[over])
        self.changed.emit()
