"""The controls that every stage is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QDoubleSpinBox, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from app.widgets.controls import MAX_SEED, Choice, MoreSection, PrimaryButton, SeedBox, Track, ValueSlider


@pytest.fixture
def slider(qtbot: QtBot) -> ValueSlider:
    made = ValueSlider("guidance w", -1, 8, 1.5, step=0.1, decimals=1, ends=("unconditional", "sharp"), tooltip="CFG")
    qtbot.addWidget(made)
    made.resize(300, 60)
    made.show()
    return made


def track(slider: ValueSlider) -> Track:
    return slider.findChild(Track)


def edit(slider: ValueSlider) -> QDoubleSpinBox:
    return slider.findChild(QDoubleSpinBox)


def test_that_arrow_keys_move_by_one_step_and_shift_by_ten(slider: ValueSlider, qtbot: QtBot) -> None:
    qtbot.keyClick(track(slider), Qt.Key.Key_Right)
    assert slider.value() == 1.6
    qtbot.keyClick(track(slider), Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert slider.value() == 0.6


def test_that_home_and_end_go_to_the_ends(slider: ValueSlider, qtbot: QtBot) -> None:
    qtbot.keyClick(track(slider), Qt.Key.Key_Home)
    assert slider.value() == -1
    qtbot.keyClick(track(slider), Qt.Key.Key_End)
    assert slider.value() == 8


def test_that_a_typed_number_counts_when_it_is_done_and_only_once(slider: ValueSlider, qtbot: QtBot) -> None:
    heard: list[float] = []
    slider.value_changed.connect(heard.append)
    edit(slider).selectAll()
    qtbot.keyClicks(edit(slider), "4.2")
    assert heard == []
    qtbot.keyClick(edit(slider), Qt.Key.Key_Return)
    assert heard == [4.2]


def test_that_a_wheel_notch_is_one_step(slider: ValueSlider) -> None:
    middle = QPointF(track(slider).rect().center())
    for notch, value in ((120, 1.6), (-120, 1.5)):
        event = QWheelEvent(
            middle,
            QPointF(track(slider).mapToGlobal(middle.toPoint())),
            QPoint(),
            QPoint(0, notch),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(track(slider), event)
        assert slider.value() == value


def test_that_a_click_on_the_line_goes_there(slider: ValueSlider, qtbot: QtBot) -> None:
    qtbot.mouseClick(track(slider), Qt.MouseButton.LeftButton, pos=QPoint(track(slider).width() - 1, 10))
    assert slider.value() == 8
    qtbot.mouseClick(track(slider), Qt.MouseButton.LeftButton, pos=QPoint(track(slider).width() // 2, 10))
    assert slider.value() == pytest.approx(3.5, abs=0.15)


def test_that_a_double_click_returns_to_the_first_value(slider: ValueSlider, qtbot: QtBot) -> None:
    slider.set_value(7)
    qtbot.mouseDClick(track(slider), Qt.MouseButton.LeftButton)
    assert slider.value() == 1.5


def test_that_the_same_value_is_not_announced_twice(slider: ValueSlider) -> None:
    heard: list[float] = []
    slider.value_changed.connect(heard.append)
    for value in (2.0, 2.0, 2.04, 3.0):
        slider.set_value(value)
    assert heard == [2.0, 3.0]


def test_that_a_narrower_range_clamps_the_value_and_says_so(slider: ValueSlider) -> None:
    heard: list[float] = []
    slider.value_changed.connect(heard.append)
    slider.set_range(2, 4)
    assert slider.value() == 2
    assert heard == [2.0]
    assert slider.range() == (2, 4)


def test_that_the_number_keeps_its_place_and_a_full_stop(slider: ValueSlider) -> None:
    widths = set()
    for value in (-1, 0.5, 8):
        slider.set_value(value)
        widths.add(edit(slider).width())
        assert edit(slider).text() == f"{value:.1f}"
    assert len(widths) == 1


def test_that_a_slider_tells_its_name_and_purpose_to_a_screen_reader(slider: ValueSlider) -> None:
    assert track(slider).accessibleName() == "guidance w, slider"
    assert edit(slider).accessibleName() == "guidance w, number"
    assert track(slider).accessibleDescription() == "CFG"
    assert slider.toolTip() == "CFG"


@given(
    low=st.integers(-1000, 1000),
    span=st.integers(1, 2000),
    value=st.floats(-5000, 5000),
    step=st.sampled_from((1, 0.1)),
)
def test_that_any_value_ends_inside_the_range_and_on_a_whole_decimal(
    qapp_session: QApplication, low: int, span: int, value: float, step: float
) -> None:
    slider = ValueSlider("t", low, low + span, low, step=step, decimals=1)
    slider.set_value(value)
    assert low <= slider.value() <= low + span
    assert round(slider.value(), 1) == slider.value()
    slider.deleteLater()


@pytest.fixture(scope="module")
def qapp_session() -> QApplication:
    return QApplication.instance() or QApplication([])


def test_that_a_choice_speaks_in_keys_and_shows_texts(qtbot: QtBot) -> None:
    choice = Choice("Sampler", {"ddim": "DDIM", "ddpm": "DDPM"}, "ddpm")
    qtbot.addWidget(choice)
    assert choice.value() == "ddpm"
    with qtbot.waitSignal(choice.value_changed) as heard:
        qtbot.keyClick(choice.focusProxy(), Qt.Key.Key_Up)
    assert heard.args == ["ddim"]
    with pytest.raises(ValueError, match="no option"):
        choice.set_value("heun")


def test_that_new_options_keep_the_choice_where_it_still_exists(qtbot: QtBot) -> None:
    choice = Choice("Label", ["0", "1", "2"], "1")
    qtbot.addWidget(choice)
    heard: list[str] = []
    choice.value_changed.connect(heard.append)
    choice.set_options(["1", "2"])
    assert (choice.value(), heard) == ("1", [])
    choice.set_options(["cat", "dog"])
    assert (choice.value(), heard) == ("cat", ["cat"])


def test_that_a_locked_seed_stays_and_an_unlocked_one_is_drawn_for_each_run(qtbot: QtBot) -> None:
    box = SeedBox(7)
    qtbot.addWidget(box)
    assert [box.next(), box.next()] == [7, 7]
    qtbot.keyClick(box.findChild(QCheckBox), Qt.Key.Key_Space)
    assert not box.locked()
    drawn = [box.next() for _ in range(4)]
    assert len(set(drawn)) == 4
    assert all(0 <= seed <= MAX_SEED for seed in drawn)
    assert box.seed() == drawn[-1]


def test_that_new_draws_another_seed_and_announces_it(qtbot: QtBot) -> None:
    box = SeedBox(7)
    qtbot.addWidget(box)
    with qtbot.waitSignal(box.seed_changed) as heard:
        qtbot.mouseClick(box.findChild(QPushButton), Qt.MouseButton.LeftButton)
    assert heard.args == [box.seed()]


def test_that_a_more_section_opens_with_the_keyboard_and_shows_what_is_in_it(qtbot: QtBot) -> None:
    section = MoreSection()
    inside = QPushButton("inside")
    section.add(inside)
    qtbot.addWidget(section)
    section.show()
    assert not inside.isVisible()
    qtbot.keyClick(section.findChild(QToolButton), Qt.Key.Key_Space)
    assert inside.isVisible()
    assert section.is_open()


def test_that_the_primary_button_is_filled_with_the_text_colour(qtbot: QtBot) -> None:
    from app.theme import palette

    button = PrimaryButton("Denoise")
    qtbot.addWidget(button)
    button.resize(200, 32)
    button.show()
    assert button.grab().toImage().pixelColor(20, 16).name().upper() == palette().text


def test_that_a_default_with_a_reason_is_marked_told_and_returned_to(slider: ValueSlider, qtbot: QtBot) -> None:
    plain = slider.grab().toImage()
    slider.set_default(3.0, "usual for insects")
    assert slider.grab().toImage() != plain
    assert "3.0, usual for insects" in slider.toolTip()
    qtbot.mouseDClick(track(slider), Qt.MouseButton.LeftButton)
    assert slider.value() == 3.0
    slider.set_default(1.5)
    assert slider.toolTip() == "CFG"


def test_that_tab_leads_from_a_slider_to_its_number_and_back(slider: ValueSlider, qtbot: QtBot) -> None:
    slider.activateWindow()
    slider.setFocus()
    assert track(slider).hasFocus()
    qtbot.keyClick(track(slider), Qt.Key.Key_Tab)
    assert edit(slider).hasFocus()
    qtbot.keyClick(edit(slider), Qt.Key.Key_Backtab)
    assert track(slider).hasFocus()
