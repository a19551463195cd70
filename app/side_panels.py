"""The panels left and right of a stage, which fold away: because a person says so, or for want of room."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.actions import Actions
from app.panels import line
from app.settings import Settings

NARROW = 1190
"""Below this width (pixels) there is no room for both side panels: they fold away by themselves."""


class SidePanels:
    """``left`` and ``right`` with the ``edges`` between them and the stage."""

    def __init__(self, left: QWidget, right: QWidget, settings: Settings, registry: Actions) -> None:
        self._panels = {"left": left, "right": right}
        self.edges = {"left": line(vertical=True), "right": line(vertical=True)}
        self._settings, self._registry = settings, registry
        self._shown_when_narrow = dict.fromkeys(self._panels, False)
        self._narrow = False

    def toggle(self, side: str) -> None:
        """Show or fold "left" or "right"; at a narrow width one at a time, and this is not remembered."""
        shown = self._panels[side].isHidden()
        if self._narrow:
            self._shown_when_narrow = {each: each == side and shown for each in self._panels}
        elif side == "left":
            self._settings.left_panel = shown
        else:
            self._settings.right_panel = shown
        self.fold()

    def show(self, side: str) -> None:
        if self._panels[side].isHidden():
            self.toggle(side)

    def fit(self, width: int) -> None:
        """The window is ``width`` pixels wide now."""
        if self._narrow != (width < NARROW):
            self._narrow = width < NARROW
            self.fold()

    def reset(self) -> None:
        """As at the first start, once the settings have forgotten what was chosen."""
        self._shown_when_narrow = dict.fromkeys(self._panels, False)
        self.fold()

    def fold(self) -> None:
        """Show what was chosen for this width."""
        chosen = {"left": self._settings.left_panel, "right": self._settings.right_panel}
        for side, panel in self._panels.items():
            shown = (self._shown_when_narrow if self._narrow else chosen)[side]
            panel.setVisible(shown)
            self.edges[side].setVisible(shown)
            self._registry[f"{side}_panel"].setChecked(shown)
