"""The cards of end points: what they show, and what a person does with them."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QSignalSpy

from app.widgets.end_points import EndPoints


@pytest.fixture
def cards(qtbot):
    cards = EndPoints("ABCD")
    qtbot.addWidget(cards)
    cards.resize(1000, 90)
    cards.show()
    return cards


def test_that_two_are_there_and_cannot_be_removed(cards):
    assert [card.isVisible() for card in cards.cards] == [True, True, False, False]
    assert cards.add.isVisible()
    assert not cards.cards[0].remove.isVisible()
    assert not cards.cards[0].leave.isEnabled()


def test_that_more_can_be_added_up_to_four(cards, qtbot):
    with qtbot.waitSignal(cards.added):
        cards.add.click()
    cards.set_count(4)
    assert not cards.add.isVisible()
    cards.cards[3].show_picture("d")
    spy = QSignalSpy(cards.removed)
    cards.cards[3].leave.trigger()
    assert spy.at(0) == [3]


def test_that_a_seed_is_typed_and_drawn_anew(cards, qtbot):
    card = cards.cards[1]
    card.show_seed(7)
    assert card.seed.isVisible()
    assert card.seed.value() == 7
    typed, wanted = QSignalSpy(cards.seed_typed), QSignalSpy(cards.seed_wanted)
    card.seed.lineEdit().setText("12")
    qtbot.keyClick(card.seed, Qt.Key.Key_Return)
    assert typed.at(0) == [1, 12]
    card.new.click()
    assert wanted.at(0) == [1]


def test_that_showing_a_seed_is_no_typing(cards):
    spy = QSignalSpy(cards.seed_typed)
    cards.cards[0].show_seed(99)
    assert spy.count() == 0


def test_that_a_picture_has_its_name_and_what_is_odd_about_it(cards):
    card = cards.cards[0]
    card.show_picture("cat", "Unlike the training data: darker.")
    assert not card.seed.isVisible()
    assert "cat" in card.source.text()
    assert "darker" in card.source.toolTip()
    assert card.note.isVisible()


def test_that_a_name_without_room_is_cut_and_whole_in_the_tooltip(cards):
    cards.set_count(4)
    cards.resize(640, 90)
    card = cards.cards[0]
    card.show_picture("a picture with a long name")
    assert card.source.text().endswith("…")
    assert "a picture with a long name" in card.source.toolTip()
    assert not card.remove.isVisible()


def test_that_a_class_is_chosen_where_the_model_has_classes(cards):
    card = cards.cards[0]
    card.set_labels({"none": "no label", "3": "label 3"}, "3")
    assert card.label.currentData() == "3"
    spy = QSignalSpy(cards.label_chosen)
    card.label.setCurrentIndex(0)
    card.label.activated.emit(0)
    assert spy.at(0) == [0, "none"]
    card.set_labels({}, "none")
    assert not card.label.isVisible()


def test_that_the_window_s_picture_and_samples_are_in_the_menu(cards):
    wanted, opened = QSignalSpy(cards.picture_wanted), QSignalSpy(cards.menu_opened)
    cards.cards[1].use_picture.trigger()
    cards.cards[1].samples.aboutToShow.emit()
    assert wanted.at(0) == [1]
    assert opened.at(0)[0] == 1


def test_that_a_drop_on_a_card_is_that_card_s(cards):
    card, mime = cards.cards[1], QMimeData()
    mime.setUrls([QUrl.fromLocalFile("/a.png")])
    spy = QSignalSpy(cards.dropped)
    arguments = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    enter = QDragEnterEvent(QPoint(5, 5), *arguments)
    card.dragEnterEvent(enter)
    assert enter.isAccepted()
    assert card.promise.isVisible()
    assert card.promise.text == "End point B"
    card.dropEvent(QDropEvent(QPointF(5, 5), *arguments))
    assert spy.at(0)[0] == 1
    assert spy.at(0)[1].urls() == mime.urls()
    assert not card.promise.isVisible()


def test_that_the_thumbnail_is_dimmed_until_it_is_the_last_word(cards, qtbot):
    thumbnail = cards.cards[0].thumbnail
    white = np.full((32, 32, 1), 255, np.uint8)
    thumbnail.set_picture(white, dimmed=True)
    dimmed = thumbnail.grab().toImage().pixelColor(32, 32).lightness()
    thumbnail.set_picture(white)
    assert thumbnail.grab().toImage().pixelColor(32, 32).lightness() == 255 > dimmed
