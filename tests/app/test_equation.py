"""The live equation, and the typesetting beneath it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.formulas import FORMULAS, FORWARD, Formula
from app.theme import colour, palette, theme
from app.widgets import typeset
from app.widgets.equation import DECIMALS, NUMBERS, Equation


@pytest.fixture
def equation(qtbot: QtBot) -> Equation:
    made = Equation()
    qtbot.addWidget(made)
    made.resize(296, made.height())
    made.set_formula(FORWARD.latex, {"alpha": 0.6, "sigma": 0.8})
    made.show()
    QApplication.processEvents()
    return made


def formula_part(equation: Equation) -> QImage:
    return equation.grab(QRect(0, 0, equation.width(), equation.height() - NUMBERS)).toImage()


def number_part(equation: Equation) -> QImage:
    return equation.grab(QRect(0, equation.height() - NUMBERS, equation.width(), NUMBERS)).toImage()


def columns_of(image: QImage, wanted: QColor) -> list[int]:
    """The columns in which a colour occurs at nearly full strength."""
    found = set()
    for x in range(image.width()):
        for y in range(image.height()):
            seen = image.pixelColor(x, y)
            if max(abs(a - b) for a, b in zip(seen.getRgb()[:3], wanted.getRgb()[:3], strict=True)) < 24:
                found.add(x)
    return sorted(found)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_that_symbols_have_their_quantities_colours_from_left_to_right(equation: Equation, scheme: str) -> None:
    theme().override(scheme)  # type: ignore[arg-type]
    image = formula_part(equation)
    places = [columns_of(image, colour(quantity)) for quantity in ("x_t", "x_0", "eps")]
    assert all(places)
    assert max(places[0]) < min(places[1])
    assert max(places[1]) < min(places[2])


def test_that_new_numbers_change_only_their_own_line(equation: Equation) -> None:
    formula, numbers = formula_part(equation), number_part(equation)
    equation.set_formula(FORWARD.latex, {"alpha": 0.61, "sigma": 0.7924})
    assert formula_part(equation) == formula
    assert number_part(equation) != numbers


def test_that_each_number_stands_under_its_coefficient(equation: Equation) -> None:
    text = QColor(palette().text)
    equation.set_formula(FORWARD.latex, {"alpha": 0.6})
    alpha = columns_of(number_part(equation), text)
    equation.set_formula(FORWARD.latex, {"sigma": 0.8})
    sigma = columns_of(number_part(equation), text)
    formula = formula_part(equation)
    x_0, eps = columns_of(formula, colour("x_0")), columns_of(formula, colour("eps"))
    assert max(columns_of(formula, colour("x_t"))) < sum(alpha) / len(alpha) < min(x_0)
    assert max(x_0) < sum(sigma) / len(sigma) < min(eps)


def test_that_numbers_are_printed_equally_wide(equation: Equation) -> None:
    printed = set()
    for value in (0.0, 1.0, -0.5, 0.99999, 1e-9):
        equation.set_formula(FORWARD.latex, {"alpha": value})
        printed.add(len(equation.number_text("alpha")))
    assert printed == {len(f"-0.{'0' * DECIMALS}")}


def test_that_it_is_read_out_with_its_numbers(equation: Equation) -> None:
    assert equation.accessibleName().startswith("xₜ = √")
    assert "sigma  0.8000" in equation.accessibleDescription()


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
@pytest.mark.parametrize("width", [220, 320])
def test_that_every_formula_fits_a_narrow_panel(equation: Equation, formula: Formula, width: int) -> None:
    equation.setMinimumWidth(0)
    equation.resize(width, equation.height())
    equation.set_formula(formula.latex, dict.fromkeys(formula.numbers, 0.5))
    image = equation.grab().toImage()
    background = image.pixelColor(0, 0)
    edges = [image.pixelColor(x, y) for x in (0, image.width() - 1) for y in range(image.height())]
    assert all(edge == background for edge in edges)
    assert len(columns_of(number_part(equation), QColor(palette().text))) > 5 * len(formula.numbers)


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
def test_that_every_number_named_has_a_coefficient(equation: Equation, formula: Formula) -> None:
    assert set(formula.numbers) <= set(typeset.typeset(formula.latex).boxes)


def test_that_a_role_reaches_over_what_is_nested_in_it() -> None:
    boxes = typeset.typeset(r"\textcolor{outer}{a + \textcolor{inner}{b} + c}\,\textcolor{inner}{d}").boxes
    assert boxes["outer"].left() < boxes["inner"].left() < boxes["outer"].right()
    assert boxes["inner"].right() > boxes["outer"].right()


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\hat{x}_0", "x\u0302₀"),
        (r"\textcolor{x_t}{x_t}", "xₜ"),
        (r"\bar{\alpha}_t", "α\u0304ₜ"),
        (r"\nabla \log q(x_t)", "∇ log q(xₜ)"),
        (r"\frac{1}{2}\,\epsilon", "1/2 ε"),
    ],
)
def test_that_plain_characters_keep_the_meaning(latex: str, text: str) -> None:
    assert typeset.plain(latex) == text
