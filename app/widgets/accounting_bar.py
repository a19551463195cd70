"""The bits of a picture in the papers' accounting, a bar a model: prior, reverse steps, decoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QLinearGradient, QPainter
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.theme import GRID, colour, font, palette
from app.widgets.drawn_plot import DrawnPlot, Table

ROW = 36
"""Height of a model's row, where there are as many as have room."""
TALLEST = 72
"""Of a row where there are fewer."""
NAMED = 18
"""Height of the line above a bar."""
MOST = 3
"""Models that have room; of more the first ones are drawn, and all are saved."""
MEANING = (
    "Bits a value (a pixel's channel) that the model needs for a picture: L = L_T + Σ L_t + L₀ (Ho et al. 2020, "
    "eq. 5).\n"
    "L_T: what is left of the picture in x_T, costs nothing where all is noise. L_1 … L_T−1: what each reverse "
    "step must "
    "be told,\nthe rate. L₀: the last step to whole pixel values, by a discretised Gaussian (section 3.3)."
)


@dataclass(frozen=True, slots=True)
class Account:
    """Bits a value: ``prior`` L_T, ``reverse`` the sum of L_1 .. L_T-1, ``decoder`` L_0; NaN where not yet known."""

    name: str
    prior: float
    reverse: float
    decoder: float
    total: float
    error: float

    @property
    def parts(self) -> tuple[tuple[str, float], ...]:
        return ("L_T", self.prior), ("L₁ … L_T−1", self.reverse), ("L₀", self.decoder)

    @property
    def sum_words(self) -> str:
        if not math.isfinite(self.total):
            return "not all terms are known yet"
        spread = f" ± {self.error:.3f}" if math.isfinite(self.error) else ""
        return f"{self.total:.3f}{spread} bits a value"


class AccountingBar(DrawnPlot):
    """Attributes: ``accounts``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Bits in the papers' accounting", parent)
        self.on_panel = True
        self.accounts: tuple[Account, ...] = ()
        self.explain(MEANING)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_accounts(self, accounts: Sequence[Account]) -> None:
        self.accounts = tuple(accounts)
        self.setAccessibleDescription("\n".join(f"{account.name}: {account.sum_words}" for account in self.accounts))
        self.update()

    def table(self) -> Table:
        names = ("series", "L_T", "L_1 to L_T-1", "L_0", "bits a value", "standard error")
        return [names, *((a.name, a.prior, a.reverse, a.decoder, a.total, a.error) for a in self.accounts)]

    def export_size(self) -> QSize:
        return QSize(max(560, self.width()), max(1, len(self.accounts)) * ROW + 2 * self.file_margin)

    def sizeHint(self) -> QSize:
        return QSize(560, MOST * ROW)

    def minimumSizeHint(self) -> QSize:
        return QSize(260, MOST * ROW)

    def draw(self, painter: QPainter) -> None:
        size = self.extent
        painter.setFont(font("caption", numbers=True))
        most = max(1, int(size.height() // ROW))
        row_height = min(TALLEST, size.height() / max(1, min(most, len(self.accounts))))
        longest = max((a.total for a in self.accounts if math.isfinite(a.total)), default=0.0)
        for row, account in enumerate(self.accounts[:most]):
            self._draw_row(painter, account, QRectF(0, row * row_height, size.width(), row_height), longest)

    def _draw_row(self, painter: QPainter, account: Account, room: QRectF, longest: float) -> None:
        metrics = QFontMetricsF(painter.font())
        said = f"{account.name}: {account.sum_words}"
        parts = "    ".join(f"{name} {value:.4f}" for name, value in account.parts if math.isfinite(value))
        baseline = room.top() + 12
        painter.setPen(QColor(palette().quiet))
        wide = metrics.horizontalAdvance(parts)
        painter.drawText(QPointF(room.right() - wide, baseline), parts)
        painter.setPen(QColor(palette().text))
        painter.drawText(
            QPointF(0, baseline), metrics.elidedText(said, Qt.TextElideMode.ElideMiddle, room.width() - wide - 2 * GRID)
        )
        bar = QRectF(0, room.top() + NAMED, room.width(), room.height() - NAMED - 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(palette().line))
        painter.drawRect(bar)
        if not math.isfinite(account.total) or longest <= 0:
            return
        left = bar.left()
        for (name, value), paint in zip(account.parts, _paints(bar), strict=True):
            width = max(0.0, value) / longest * bar.width() if math.isfinite(value) else 0.0
            painter.setBrush(paint)
            painter.drawRect(QRectF(left, bar.top(), width, bar.height()))
            if width > metrics.horizontalAdvance(name) + GRID:
                painter.setPen(QColor(palette().window))
                painter.drawText(QRectF(left, bar.top(), width, bar.height()), Qt.AlignmentFlag.AlignCenter, name)
                painter.setPen(Qt.PenStyle.NoPen)
            left += width + (1 if width else 0)


def _paints(bar: QRectF) -> tuple[QColor | QLinearGradient, ...]:
    """Noise, the way from noise to signal, signal."""
    way = QLinearGradient(bar.topLeft(), bar.topRight())
    way.setColorAt(0, colour("x_t"))
    way.setColorAt(1, colour("alpha_bar"))
    return colour("eps"), way, colour("x_0")
