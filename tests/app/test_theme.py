"""Colours, type and the switch between dark and light."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.theme import PALETTES, QUANTITIES, colour, diverging_lut, font, palette, signal_colour, theme


def luminance(name: str) -> float:
    """Relative luminance as in WCAG 2.1."""
    channels = [QColor(name).redF(), QColor(name).greenF(), QColor(name).blueF()]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_that_text_can_be_read_on_every_surface(scheme: str) -> None:
    colours = PALETTES[scheme]
    for surface in (colours.window, colours.panel, colours.raised):
        assert contrast(colours.text, surface) > 7
        assert contrast(colours.quiet, surface) > 4.5
        assert contrast(colours.danger, surface) > 4.5
        assert contrast(colours.faint, surface) > 3


@pytest.mark.parametrize(("scheme", "index"), [("dark", 0), ("light", 1)])
def test_that_what_is_written_in_the_colour_of_a_quantity_can_be_read(scheme: str, index: int) -> None:
    for quantity, values in QUANTITIES.items():
        for surface in (PALETTES[scheme].window, PALETTES[scheme].panel):
            assert contrast(values[index], surface) > 4.5, quantity


def test_that_an_estimate_has_the_colour_of_what_it_estimates(qapp: QApplication) -> None:
    assert colour("x0_hat") == colour("x_0")
    assert colour("eps_hat") == colour("eps")
    with pytest.raises(KeyError):
        colour("no such quantity")


def test_that_the_scheme_switches_while_widgets_are_open(qapp: QApplication, qtbot: QtBot) -> None:
    widget = QLabel("text")
    qtbot.addWidget(widget)
    theme().override("dark")
    assert colour("x_0").name() == "#56b4e9"
    with qtbot.waitSignal(theme().theme_changed):
        theme().override("light")
    assert colour("x_0").name() == "#0067a5"
    assert palette().name == "light"
    QApplication.processEvents()  # a widget that was never shown hears of it then
    assert widget.palette().windowText().color().name() == "#191c22"
    assert "#F5F6F8" in qapp.styleSheet()


def test_that_widgets_that_were_switched_look_like_those_made_in_the_scheme(qapp: QApplication, qtbot: QtBot) -> None:
    def panel() -> QWidget:
        made = QWidget()
        qtbot.addWidget(made)
        column = QVBoxLayout(made)
        for part in (QLabel("text"), QPushButton("button"), QLineEdit("line"), QCheckBox("box"), QComboBox()):
            column.addWidget(part)
        return made

    theme().override("dark")
    switched, not_seen = panel(), panel()
    dark = switched.grab().toImage()
    theme().override("light")
    QApplication.processEvents()
    light = panel().grab().toImage()
    assert light != dark
    assert switched.grab().toImage() == light
    assert not_seen.grab().toImage() == light


def test_that_choosing_the_same_scheme_again_announces_nothing(qapp: QApplication, qtbot: QtBot) -> None:
    theme().override("dark")
    with qtbot.assertNotEmitted(theme().theme_changed):
        theme().override("dark")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_that_the_map_of_signed_values_runs_from_purple_over_neutral_to_green(qapp: QApplication, scheme: str) -> None:
    theme().override(scheme)
    lut = diverging_lut()
    assert lut.shape == (256, 3)
    assert lut.dtype == np.uint8
    assert QColor(*map(int, lut[0])) == colour("eps")
    assert QColor(*map(int, lut[255])) == colour("score")
    middle = lut[127:129].astype(int)
    assert middle.max() - middle.min() < 16
    steps = np.abs(np.diff(lut.astype(int), axis=0)).sum(axis=1)
    assert steps.max() <= 6


def test_that_alpha_bar_goes_from_the_colour_of_noise_to_that_of_data(qapp: QApplication) -> None:
    assert signal_colour(0.0).name() == colour("x_t").name()
    assert signal_colour(1.0).name() == colour("x_0").name()
    assert signal_colour(7.0) == signal_colour(1.0)


def test_that_there_are_three_sizes_of_type(qapp: QApplication) -> None:
    assert [font(size).pixelSize() for size in ("title", "body", "caption")] == [18, 13, 11]


def test_that_numbers_are_equally_wide(qapp: QApplication) -> None:
    from PySide6.QtGui import QFontMetricsF

    metrics = QFontMetricsF(font("body", numbers=True))
    assert len({metrics.horizontalAdvance(digit * 4) for digit in "0123456789"}) == 1


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_that_hints_and_what_cannot_be_pressed_can_be_read(qapp: QApplication, qtbot: QtBot, scheme: str) -> None:
    theme().apply(qapp)
    theme().override(scheme)
    widget = QWidget()
    qtbot.addWidget(widget)
    column = QVBoxLayout(widget)
    edit, button = QLineEdit(), QPushButton("Pause")
    edit.setPlaceholderText("Search")
    button.setEnabled(False)
    column.addWidget(edit)
    column.addWidget(button)
    widget.show()
    assert edit.palette().placeholderText().color() == QColor(PALETTES[scheme].quiet)
    assert button.palette().buttonText().color() == QColor(PALETTES[scheme].faint)
    assert button.palette().buttonText().color().alpha() == 255


def test_that_a_folded_section_that_has_the_focus_is_underlined(qapp: QApplication) -> None:
    theme().apply(qapp)
    assert 'QToolButton[role="more"]:focus { text-decoration: underline; }' in qapp.styleSheet()
