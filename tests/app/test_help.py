"""The pages of the Help menu."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QApplication, QDialog, QDialogButtonBox, QLabel, QPushButton, QTextBrowser, QWidget
from pytestqt.qtbot import QtBot

from app.help import about_page
from app.theme import theme
from core.version import VERSION
from resources import licences


@pytest.fixture
def about(qapp, qtbot: QtBot) -> Iterator[QDialog]:
    theme().apply(qapp)
    parent = QWidget()
    qtbot.addWidget(parent)
    yield about_page(parent)
    parent.close()


def test_that_about_says_which_version_it_is(about: QDialog) -> None:
    assert f"Diffuscope {VERSION}" in [words.text() for words in about.findChildren(QLabel)]


def test_that_the_licences_of_all_that_is_bundled_are_read_from_there(about: QDialog) -> None:
    button = next(one for one in about.findChildren(QPushButton) if one.text() == "Licences…")
    assert button.toolTip()
    button.click()
    text = about.findChild(QTextBrowser).toPlainText()
    assert {"emoji", "digits", "digits-guide", "photos"} <= {name for name, _path in licences()}
    for said in ("Twemoji, copyright 2020 Twitter", "CC BY-SA 3.0", "Stefan van der Walt"):
        assert said in text


def test_that_buttons_of_dialogs_have_no_icons_whatever_the_desktop_says(about: QDialog) -> None:
    assert about.findChild(QDialogButtonBox) is not None
    assert "QDialogButtonBox { dialogbuttonbox-buttons-have-icons: 0; }" in QApplication.instance().styleSheet()
