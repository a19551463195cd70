"""Colours, type and the one style sheet, dark and light, following the system and switching while the window is open.

A quantity has the same colour in the equation, the plot, the caption and the filmstrip: ask ``colour("x_t")`` whenever
you paint, and repaint on ``theme().theme_changed`` (widgets also receive a PaletteChange event).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

from app.style_sheet import style_sheet
from core.signed import diverging

SchemeName = Literal["dark", "light"]
Size = Literal["title", "body", "caption"]
RGB = tuple[int, int, int]

GRID = 8
"""Pixels; every distance in the window is a multiple of half of it."""
RADIUS = 6
PANEL_PADDING = 12
FONT_PIXELS: Mapping[Size, int] = {"title": 18, "body": 13, "caption": 11}

QUANTITIES: Mapping[str, tuple[str, str]] = {
    "x_0": ("#56B4E9", "#0067A5"),
    "x_t": ("#E69F00", "#9C6300"),
    "eps": ("#CC79A7", "#9B3F77"),
    "score": ("#2FBF8F", "#007A55"),
    "alpha_bar": ("#9FAA8E", "#56686C"),
    "t": ("#F0E442", "#7E6F00"),
    "neutral": ("#E7E9ED", "#191C22"),
}
"""Quantity to its colour on dark and on light (Okabe and Ito's family). "alpha_bar" is a single colour where a
gradient cannot be drawn; where it can, use ``signal_colour``."""

_SAME_AS = {
    "x0": "x_0",
    "x0_hat": "x_0",
    "signal": "x_0",
    "x_T": "x_t",
    "eps_hat": "eps",
    "noise": "eps",
    "guidance": "score",
    "gradient": "score",
    "snr": "alpha_bar",
    "beta": "neutral",
    "beta_tilde": "neutral",
    "variance": "neutral",
}


@dataclass(frozen=True, slots=True)
class Palette:
    """The surfaces of one scheme, as ``#RRGGBB``; ``faint`` are the words of what cannot be pressed now."""

    name: SchemeName
    window: str
    panel: str
    raised: str
    line: str
    text: str
    quiet: str
    faint: str
    danger: str

    @property
    def is_dark(self) -> bool:
        return self.name == "dark"


PALETTES: Mapping[SchemeName, Palette] = {
    "dark": Palette("dark", "#14161A", "#1B1E24", "#242830", "#313742", "#E7E9ED", "#9BA4B3", "#737C8B", "#FF9466"),
    "light": Palette("light", "#F5F6F8", "#FFFFFF", "#FFFFFF", "#DDE1E8", "#191C22", "#5A6371", "#828A97", "#B3400F"),
}


class Theme(QObject):
    """The scheme in force.

    Attributes: ``palette``. Signals: ``theme_changed()`` after the application has been restyled.
    """

    theme_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._override: SchemeName | None = None
        self._applied: QApplication | None = None
        self.palette = PALETTES[self._wanted()]

    def apply(self, app: QApplication) -> None:
        """Style the application and follow the system from now on."""
        self._applied = app
        app.setStyle("Fusion")
        app.styleHints().colorSchemeChanged.connect(self._follow)
        self._restyle()

    def override(self, scheme: SchemeName | None) -> None:
        """Hold one scheme; None follows the system again."""
        self._override = scheme
        if self._applied is not None:
            wanted = {"dark": Qt.ColorScheme.Dark, "light": Qt.ColorScheme.Light}.get(scheme or "")
            self._applied.styleHints().setColorScheme(wanted or Qt.ColorScheme.Unknown)
        self._follow()

    @Slot()
    def _follow(self) -> None:
        palette = PALETTES[self._wanted()]
        if palette is self.palette:
            return
        self.palette = palette
        if self._applied is not None:
            self._restyle()
        self.theme_changed.emit()

    def _wanted(self) -> SchemeName:
        if self._override is not None:
            return self._override
        if QGuiApplication.instance() is None:
            return "dark"
        light = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Light
        return "light" if light else "dark"

    def _restyle(self) -> None:
        assert self._applied is not None
        self._applied.setFont(font("body"))
        self._applied.setPalette(_qt_palette(self.palette))
        self._applied.setStyleSheet("")  # from sheet to sheet Qt takes six times as long as by way of none
        self._applied.setStyleSheet(style_sheet(self.palette, RADIUS, FONT_PIXELS["caption"], FONT_PIXELS["title"]))


_theme: Theme | None = None


def theme() -> Theme:
    """The one Theme of the process, made at first use."""
    global _theme
    if _theme is None:
        _theme = Theme()
    return _theme


def palette() -> Palette:
    """The surfaces of the scheme in force."""
    return theme().palette


def colour(quantity: str) -> QColor:
    """The colour of a quantity (a key of ``QUANTITIES``, or a relative such as "x0_hat") in the scheme in force."""
    dark, light = QUANTITIES[_SAME_AS.get(quantity, quantity)]
    return QColor(dark if palette().is_dark else light)


def signal_colour(share: float) -> QColor:
    """The colour of alpha_bar where ``share`` (0..1) of the signal is left: from x_t's orange to x_0's blue."""
    share = min(1.0, max(0.0, share))
    noisy, clean = colour("x_t"), colour("x_0")
    return QColor.fromRgbF(
        noisy.redF() + share * (clean.redF() - noisy.redF()),
        noisy.greenF() + share * (clean.greenF() - noisy.greenF()),
        noisy.blueF() + share * (clean.blueF() - noisy.blueF()),
    )


def diverging_lut() -> NDArray[np.uint8]:
    """Colours of signed values, shape (256, 3): purple below zero, the scheme's neutral at zero, green above.

    Zero lies between entries 127 and 128; show values v with index round(127.5 + 127.5 * v / limit).
    """
    return diverging(*diverging_stops())


def diverging_stops() -> tuple[RGB, RGB, RGB]:
    """The colours (RGB) of ``diverging_lut`` at its low end, at zero and at its high end."""
    zero = QColor(palette().raised if palette().is_dark else "#F3F3F5")
    low, middle, high = ((c.red(), c.green(), c.blue()) for c in (colour("eps"), zero, colour("score")))
    return low, middle, high


def font(size: Size = "body", *, numbers: bool = False, bold: bool = False) -> QFont:
    """The system's font in one of three sizes; ``numbers`` asks for figures that are all equally wide."""
    made = QFont(QGuiApplication.font().family()) if QGuiApplication.instance() is not None else QFont()
    made.setPixelSize(FONT_PIXELS[size])
    if numbers:
        made.setFeature(QFont.Tag("tnum"), 1)
    if bold:
        made.setWeight(QFont.Weight.DemiBold)
    return made


def _qt_palette(colours: Palette) -> QPalette:
    role = QPalette.ColorRole
    made = QPalette()
    for name, value in {
        role.Window: colours.window,
        role.WindowText: colours.text,
        role.Base: colours.raised,
        role.AlternateBase: colours.panel,
        role.Text: colours.text,
        role.Button: colours.raised,
        role.ButtonText: colours.text,
        role.BrightText: colours.text,
        role.ToolTipBase: colours.raised,
        role.ToolTipText: colours.text,
        role.PlaceholderText: colours.quiet,
        role.Mid: colours.line,
        role.Light: colours.line,
        role.Dark: colours.line,
        role.Highlight: colours.quiet,
        role.HighlightedText: colours.window,
        role.Link: colours.text,
        role.Accent: colours.quiet,
    }.items():
        made.setColor(name, QColor(value))
    for name in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, name, QColor(colours.faint))
    return made
