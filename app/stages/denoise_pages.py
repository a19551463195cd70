"""What stands in the middle of Denoise: the run, or in its place the guidance sheet or the nearest pictures."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QPushButton, QStackedWidget, QWidget

from app.stages.denoise_settings import DenoiseSettings
from app.stages.guidance_plan import SheetPlan, plan
from app.stages.guidance_sheet import GuidanceSheet
from core.messages import ModelInfo
from core.requests import ImageRef


class DenoisePages(QStackedWidget):
    """The buttons ``to_sheet`` and ``to_nearest`` are checked while that is looked at. Signals: ``turned()`` to another
    page."""

    turned = Signal()

    def __init__(
        self,
        run: QWidget,
        sheet: GuidanceSheet,
        to_sheet: QPushButton,
        nearest: QWidget,
        to_nearest: QPushButton,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._sheet, self._to_sheet, self._to_nearest = sheet, to_sheet, to_nearest
        self._planned: SheetPlan | None = None
        self.addWidget(run)
        self.addWidget(sheet.page)
        self.addWidget(nearest)
        to_sheet.toggled.connect(self._turn)
        to_nearest.toggled.connect(self._turn)

    @property
    def is_sheet(self) -> bool:
        return self._to_sheet.isChecked()

    @property
    def is_nearest(self) -> bool:
        return self._to_nearest.isChecked()

    @Slot()
    def leave_sheet(self) -> None:
        """Show the run."""
        self._to_sheet.setChecked(False)
        self._to_nearest.setChecked(False)

    def plan_sheet(self, settings: DenoiseSettings, model: ModelInfo, picture: ImageRef | None) -> None:
        """Show what the sheet would be, while it is looked at. Raises Refusal where it cannot be had."""
        page = self._sheet.page
        page.set_possible(model, settings.classifier.info if settings.classifier else None)
        self._planned = None
        if self.is_sheet:
            over, values, by = page.rows()
            self._planned = plan(settings, over, values, by, model, picture)
            self._sheet.show_plan(self._planned)

    @property
    def planned(self) -> SheetPlan | None:
        """The sheet that the controls come to, while it is looked at."""
        return self._planned

    def render_sheet(self) -> None:
        """Make the runs of the sheet shown."""
        if self._planned is not None:
            self._sheet.render(self._planned)

    @Slot(bool)
    def _turn(self, is_on: bool) -> None:
        if is_on:
            other = self._to_nearest if self.sender() is self._to_sheet else self._to_sheet
            other.setChecked(False)
        self.setCurrentIndex(1 if self.is_sheet else 2 if self.is_nearest else 0)
        self.turned.emit()
