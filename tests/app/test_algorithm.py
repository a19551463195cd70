"""Listings of algorithms: lines, the lit one, and how they read."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.formulas import SAMPLING, SAMPLING_DDIM, TRAINING, Listing
from app.theme import palette, theme
from app.widgets.algorithm import Algorithm


@pytest.fixture
def algorithm(qtbot: QtBot) -> Algorithm:
    made = Algorithm()
    qtbot.addWidget(made)
    made.resize(296, 100)
    made.set_algorithm(TRAINING.title, TRAINING.lines)
    made.show()
    QApplication.processEvents()
    return made


def line(algorithm: Algorithm, number: int) -> QImage:
    return algorithm.grab(algorithm.line_rect(number).toAlignedRect()).toImage()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_that_only_the_running_line_is_lit(algorithm: Algorithm, scheme: str) -> None:
    theme().override(scheme)  # type: ignore[arg-type]
    before = [line(algorithm, number) for number in range(1, 7)]
    algorithm.light(5)
    after = [line(algorithm, number) for number in range(1, 7)]
    assert [a != b for a, b in zip(before, after, strict=True)] == [False, False, False, False, True, False]
    assert after[4].pixelColor(after[4].width() // 2, 2) == QColor(palette().line)
    algorithm.light(None)
    assert line(algorithm, 5) == before[4]


@pytest.mark.parametrize("listing", [TRAINING, SAMPLING, SAMPLING_DDIM], ids=lambda listing: listing.title)
@pytest.mark.parametrize("width", [240, 296])
def test_that_every_listing_fits_a_narrow_panel(algorithm: Algorithm, listing: Listing, width: int) -> None:
    algorithm.resize(width, algorithm.height())
    algorithm.set_algorithm(listing.title, listing.lines)
    image = algorithm.grab().toImage()
    last = algorithm.line_rect(len(listing.lines))
    assert algorithm.height() >= last.bottom()
    edge = algorithm.grab(QRect(width - 1, 0, 1, algorithm.height())).toImage()
    assert all(edge.pixelColor(0, y) == image.pixelColor(0, 0) for y in range(edge.height()))


def test_that_lines_do_not_overlap(algorithm: Algorithm) -> None:
    algorithm.set_algorithm(SAMPLING.title, SAMPLING.lines)
    rects = [algorithm.line_rect(number) for number in range(1, len(SAMPLING.lines) + 1)]
    assert [rect.bottom() for rect in rects[:-1]] == [rect.top() for rect in rects[1:]]
    assert rects[3].height() > rects[0].height()


def test_that_another_listing_starts_with_no_line_lit(algorithm: Algorithm) -> None:
    algorithm.light(3)
    algorithm.set_algorithm(SAMPLING.title, SAMPLING.lines)
    assert algorithm.lit is None


def test_that_it_is_read_out_with_the_running_line(algorithm: Algorithm) -> None:
    algorithm.light(2)
    assert algorithm.accessibleName() == "Algorithm 1  Training"
    assert "now: 2 x₀ ∼ q(x₀)" in algorithm.accessibleDescription()
    assert algorithm.accessibleDescription().startswith("1 repeat")
