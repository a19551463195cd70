"""An ablation as the paper prints it: a row for each training, what came of it, and what the paper found."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from app.stages.ablation_card import with_error
from app.stages.ablation_record import LOSSES, ROWS, VARIANCES, AblationRecord, CellRecord
from app.theme import GRID, font
from app.widgets.controls import label
from app.widgets.loss_plot import loss_text

COLUMNS = ("predicts", "loss", "variance", "outcome", "final loss", "bits/dim", "distance", "FID in the paper")
SAYS = (
    "What the network predicts: the posterior's mean μ̃ (Ho et al. 2020, eq. 8) or the noise ε (eq. 12)",
    "The bound L (Ho et al. 2020, eq. 5), L_simple (eq. 14), or L_hybrid (Nichol & Dhariwal 2021, eq. 16)",
    "Of the reverse step (Ho et al. 2020, section 3.2)",
    "How the training ended",
    "Mean over the last 100 steps, in what the loss is counted in: compare only along one loss",
    "What the model needs for a value of a picture, the same pictures and noise for all; ± standard error",
    "Of samples drawn from the same seeds from pictures, in a classifier's features; the less the better",
    "Ho et al. 2020, table 2, CIFAR-10: what was unstable there has no figure",
)


class AblationTable(QWidget):
    """Attributes: ``rows``, the texts shown, a tuple a training."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[tuple[str, ...], ...] = ()
        self._cells: list[list[QLabel]] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(3 * GRID)
        self._grid.setVerticalSpacing(0)
        for column, (name, says) in enumerate(zip(COLUMNS, SAYS, strict=True)):
            head = label(name, "caption")
            head.setToolTip(says)
            self._grid.addWidget(head, 0, column)
        self._grid.setColumnStretch(len(COLUMNS), 1)
        self._grid.setRowStretch(99, 1)
        self.setAccessibleName("Table of the ablation")

    def show_record(self, record: AblationRecord) -> None:
        self.rows = tuple(row_of(one) for one in record.cells)
        while len(self._cells) < len(self.rows):
            self._cells.append([self._cell(len(self._cells) + 1, column) for column in range(len(COLUMNS))])
        for place, cells in enumerate(self._cells):
            texts = self.rows[place] if place < len(self.rows) else ("",) * len(COLUMNS)
            for cell, text in zip(cells, texts, strict=True):
                cell.setText(text)
        self.setAccessibleDescription("\n".join(", ".join(row) for row in self.rows))

    def _cell(self, row: int, column: int) -> QLabel:
        made = QLabel("")
        made.setFont(font("caption", numbers=True))
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._grid.addWidget(made, row, column)
        return made


def row_of(one: CellRecord) -> tuple[str, ...]:
    """A training in the table's columns."""
    cell, course, found = one.cell, one.course, one.figures
    known = course is not None and one.diverged is None and course.step > 0
    last = course.losses[-100:] if course is not None else ()
    loss = loss_text(float(sum(last)) / len(last)) if known and len(last) else "–"
    published = "not in it" if cell.extra else "unstable" if cell.published is None else f"{cell.published:.2f}"
    return (
        ROWS[cell.prediction],
        LOSSES[cell.objective],
        VARIANCES[cell.variance].replace(" Σ", ""),
        one.state,
        loss,
        with_error(found.bits_per_dim, found.bits_error, 3),
        with_error(found.distance, found.distance_error, 4),
        published,
    )
