"""The surfaces around the stage."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from app.window import MainWindow
from tests.app.toy_stage import Forward


class Greedy(QLabel):
    """Wants all the height there is, needs none."""

    def sizeHint(self) -> QSize:
        return QSize(100, 4000)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 0)


@pytest.mark.parametrize(("strip", "least"), [(20, 140), (180, 196)])
def test_that_the_bottom_gets_what_its_page_needs_however_much_the_stage_wants(
    window: MainWindow, qtbot: QtBot, strip: int, least: int
) -> None:
    stage = window.stage
    assert isinstance(stage, Forward)
    stage.bottom.setFixedHeight(strip)
    _fill(stage.content)
    qtbot.waitUntil(lambda: window.bottom_panel.height() >= least, timeout=1000)
    QApplication.processEvents()
    assert window.bottom_panel.height() == least


def test_that_a_bottom_without_anything_on_it_takes_no_room(window: MainWindow, qtbot: QtBot) -> None:
    stage = window.stage
    assert isinstance(stage, Forward)
    qtbot.waitUntil(lambda: window.bottom_panel.height() == 140, timeout=1000)
    stage.bottom.hide()
    qtbot.waitUntil(lambda: window.bottom_panel.height() == 0, timeout=1000)
    stage.bottom.show()
    qtbot.waitUntil(lambda: window.bottom_panel.height() == 140, timeout=1000)


def _fill(content: QWidget) -> None:
    column = content.layout()
    assert column is not None
    column.addWidget(Greedy())
