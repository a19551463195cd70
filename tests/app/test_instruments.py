"""What holds for every instrument on the screen: it can be deleted, it follows the scheme, it fits twice the pixels."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.formulas import ALGORITHM_1, FORWARD
from app.theme import theme
from app.widgets.algorithm import Algorithm
from app.widgets.equation import Equation
from app.widgets.filmstrip import Filmstrip
from app.widgets.histogram import Histogram
from app.widgets.pictures import PicturePane, PictureRow
from app.widgets.schedule_plots import SchedulePlots
from app.widgets.transport import Transport
from core.requests import ScheduleSpec
from core.schedules import make_schedule


def pictures() -> QWidget:
    pane = PicturePane("x_t", "x_t")
    pane.set_pictures(np.zeros((2, 8, 8, 3), np.uint8))
    return PictureRow([pane, PicturePane("eps", r"\epsilon")])


def transport() -> QWidget:
    made = Transport()
    made.set_positions(range(10))
    return made


def filmstrip() -> QWidget:
    made = Filmstrip()
    made.set_frames(10, range(10))
    return made


def plots() -> QWidget:
    made = SchedulePlots()
    made.set_schedule(make_schedule(ScheduleSpec("linear")))
    return made


def equation() -> QWidget:
    made = Equation()
    made.set_formula(FORWARD.latex, {"alpha": 0.6, "sigma": 0.8})
    return made


def algorithm() -> QWidget:
    made = Algorithm()
    made.set_algorithm(*ALGORITHM_1)
    made.light(3)
    return made


def histogram() -> QWidget:
    made = Histogram()
    made.set_values(np.zeros(100))
    return made


INSTRUMENTS = (pictures, transport, filmstrip, plots, equation, algorithm, histogram)


@pytest.mark.parametrize("make", INSTRUMENTS, ids=lambda make: make.__name__)
def test_that_an_instrument_dies_with_its_last_reference(qtbot: QtBot, make: Callable[[], QWidget]) -> None:
    gc.collect()
    gc.disable()
    try:
        widget = make()
        widget.resize(400, 300)
        widget.show()
        QCoreApplication.processEvents()
        widget.grab()
        widget.close()
        watched = weakref.ref(widget)
        widget.deleteLater()
        del widget
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QCoreApplication.processEvents()
        assert watched() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("make", INSTRUMENTS, ids=lambda make: make.__name__)
def test_that_an_instrument_is_repainted_when_the_scheme_switches(qtbot: QtBot, make: Callable[[], QWidget]) -> None:
    theme().override("dark")
    widget = make()
    qtbot.addWidget(widget)
    widget.resize(400, 300)
    widget.show()
    dark = widget.grab().toImage()
    theme().override("light")
    light = widget.grab().toImage()
    theme().override("dark")
    assert light != dark
    assert widget.grab().toImage() == dark


def test_that_at_twice_the_pixels_pictures_and_formulas_are_drawn_twice_as_fine() -> None:
    program = """
import numpy as np
from PySide6.QtWidgets import QApplication
from app.formulas import FORWARD
from app.widgets.equation import Equation
from app.widgets.picture_pane import CAPTION_HEIGHT, PicturePane
application = QApplication([])
pane = PicturePane("x_0", "x_0")
pane.resize(100, 100 + CAPTION_HEIGHT)
pane.set_pictures(np.arange(4, dtype=np.uint8).reshape(1, 2, 2, 1) * 60)
pane.show()
image = pane.grab().toImage()
assert (image.width(), pane.zoom()) == (200, 100), (image.width(), pane.zoom())
assert image.pixelColor(99, 99).red() == 0 and image.pixelColor(100, 100).red() == 180
equation = Equation()
equation.resize(296, equation.height())
equation.set_formula(FORWARD.latex, {"alpha": 0.6, "sigma": 0.8})
fine = equation.grab().toImage()
coarse = fine.scaled(fine.size() / 2).scaled(fine.size())
assert fine != coarse
"""
    environment = {"QT_SCALE_FACTOR": "2", "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
