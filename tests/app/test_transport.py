"""The transport: what the person asks for with slider, keys, wheel, buttons and numbers."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.theme import colour
from app.widgets.transport import Transport

RUN = (999, 799, 599, 399, 199, -1)


@pytest.fixture
def forward(qtbot: QtBot) -> Transport:
    return made(qtbot, tuple(range(1000)), 400)


@pytest.fixture
def run(qtbot: QtBot) -> Transport:
    return made(qtbot, RUN, 0)


def made(qtbot: QtBot, times: tuple[int, ...], position: int) -> Transport:
    transport = Transport()
    qtbot.addWidget(transport)
    transport.set_positions(times)
    transport.set_position(position)
    transport.set_shown(position)
    transport.resize(900, 48)
    transport.show()
    return transport


def asked(transport: Transport) -> list[int]:
    requests: list[int] = []
    transport.position_requested.connect(requests.append)
    return requests


@pytest.mark.parametrize(
    ("key", "modifier", "there"),
    [
        (Qt.Key.Key_Right, Qt.KeyboardModifier.NoModifier, 401),
        (Qt.Key.Key_Left, Qt.KeyboardModifier.NoModifier, 399),
        (Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier, 410),
        (Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier, 390),
        (Qt.Key.Key_Home, Qt.KeyboardModifier.NoModifier, 0),
        (Qt.Key.Key_End, Qt.KeyboardModifier.NoModifier, 999),
        (Qt.Key.Key_PageUp, Qt.KeyboardModifier.NoModifier, 499),
    ],
)
def test_that_keys_move_the_slider(
    qtbot: QtBot, forward: Transport, key: Qt.Key, modifier: Qt.KeyboardModifier, there: int
) -> None:
    requests = asked(forward)
    qtbot.keyClick(forward.rail, key, modifier)
    forward.flush()
    assert requests == [there]
    assert forward.position == there


def test_that_many_moves_in_one_turn_are_one_request_for_the_latest(qtbot: QtBot, forward: Transport) -> None:
    requests = asked(forward)
    with qtbot.waitSignal(forward.position_requested, timeout=500):
        for _ in range(200):
            forward.rail.ask(forward.position + 1)
    assert requests == [600]


def test_that_a_drag_follows_the_pointer(qtbot: QtBot, forward: Transport) -> None:
    requests = asked(forward)
    rail = forward.rail
    qtbot.mousePress(rail, Qt.MouseButton.LeftButton, pos=QPoint(round(rail.place_of(250)), 14))
    qtbot.mouseMove(rail, QPoint(round(rail.place_of(700)), 14))
    qtbot.mouseRelease(rail, Qt.MouseButton.LeftButton, pos=QPoint(round(rail.place_of(700)), 14))
    forward.flush()
    assert requests[-1] == pytest.approx(700, abs=2)
    qtbot.mouseMove(rail, QPoint(10, 14))
    forward.flush()
    assert requests[-1] == pytest.approx(700, abs=2)


def test_that_the_wheel_moves_by_one_and_with_shift_by_ten(qtbot: QtBot, forward: Transport) -> None:
    for modifier, there in ((Qt.KeyboardModifier.NoModifier, 399), (Qt.KeyboardModifier.ShiftModifier, 389)):
        event = QWheelEvent(
            QPointF(50, 14),
            QPointF(50, 14),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            modifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(forward.rail, event)
        assert forward.position == there


def test_that_a_typed_time_goes_to_the_nearest_position_of_a_run(qtbot: QtBot, run: Transport) -> None:
    requests = asked(run)
    run.entry.setFocus()
    run.entry.selectAll()
    qtbot.keyClicks(run.entry, "410")
    qtbot.keyClick(run.entry, Qt.Key.Key_Return)
    run.flush()
    assert requests == [3]
    assert run.entry.text() == "399"


def test_that_the_last_position_of_a_run_is_called_data(run: Transport) -> None:
    run.set_position(5)
    assert run.entry.text() == "data"
    assert run.count.text() == "6 / 6"


def test_that_the_buttons_step_along_the_process(qtbot: QtBot, run: Transport) -> None:
    requests = asked(run)
    for button in (run.next, run.next, run.previous, run.last, run.first):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        run.flush()
    assert requests == [1, 2, 1, 5, 0]


def test_that_what_does_not_exist_yet_cannot_be_reached(qtbot: QtBot, run: Transport) -> None:
    requests = asked(run)
    run.set_available(3)
    qtbot.keyClick(run.rail, Qt.Key.Key_End)
    run.flush()
    assert requests == [2]


def test_that_setting_the_position_sends_nothing(qtbot: QtBot, forward: Transport) -> None:
    requests = asked(forward)
    forward.set_position(10)
    forward.flush()
    QApplication.processEvents()
    assert requests == []


def test_that_a_ring_shows_where_the_picture_is_when_it_lags_behind(qtbot: QtBot, forward: Transport) -> None:
    forward.set_position(900)
    forward.set_shown(900)
    without = forward.rail.grab().toImage()
    forward.set_shown(500)
    image = forward.rail.grab().toImage()
    x = round(forward.rail.place_of(500))
    top = [y for y in range(14) if image.pixelColor(x, y) != without.pixelColor(x, y)]
    assert top
    ink = colour("t")
    strongest = min((image.pixelColor(x, y) for y in top), key=lambda c: abs(c.red() - ink.red()))
    assert strongest.red() == pytest.approx(ink.red(), abs=60)


def test_that_playback_walks_to_the_end_and_stops(qtbot: QtBot, run: Transport) -> None:
    requests = asked(run)
    run.speed.setCurrentIndex(run.speed.findData(4.0))
    with qtbot.waitSignal(run.play_toggled, timeout=500, check_params_cb=lambda playing: playing):
        qtbot.mouseClick(run.play_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(run.play_toggled, timeout=3000, check_params_cb=lambda playing: not playing):
        pass
    run.flush()
    assert requests == [1, 2, 3, 4, 5]
    assert not run.is_playing


def test_that_playback_waits_for_what_is_still_being_computed(qtbot: QtBot, run: Transport) -> None:
    run.set_available(2)
    run.speed.setCurrentIndex(run.speed.findData(4.0))
    run.play()
    qtbot.waitUntil(lambda: run.position == 1, timeout=2000)
    qtbot.wait(300)
    assert run.is_playing
    assert run.position == 1
    run.set_available(6)
    qtbot.waitUntil(lambda: run.position > 1, timeout=2000)
    run.stop()


def test_that_a_loop_begins_again(qtbot: QtBot, run: Transport) -> None:
    requests = asked(run)
    qtbot.mouseClick(run.loop, Qt.MouseButton.LeftButton)
    run.set_position(4)
    run.speed.setCurrentIndex(run.speed.findData(4.0))
    run.play()
    qtbot.waitUntil(lambda: 0 in requests, timeout=2000)
    assert requests[:2] == [5, 0]
    run.stop()


def test_that_playing_at_the_end_begins_at_the_start(qtbot: QtBot, run: Transport) -> None:
    run.set_position(5)
    run.play()
    assert run.position == 0
    run.stop()


def test_that_hiding_stops_playback(qtbot: QtBot, run: Transport) -> None:
    run.play()
    run.hide()
    assert not run.is_playing


def test_that_a_shorter_process_pulls_the_position_in(forward: Transport) -> None:
    forward.set_position(900)
    forward.set_positions(RUN)
    assert forward.position == 5


def test_that_everything_has_a_name_and_a_tooltip(forward: Transport) -> None:
    controls = [forward.first, forward.previous, forward.play_button, forward.next, forward.last, forward.loop]
    for widget in (*controls, forward.rail, forward.entry, forward.speed):
        assert widget.accessibleName()
        assert widget.toolTip()


def test_that_the_place_where_a_process_turns_is_marked_under_the_rail(qtbot: QtBot, forward: Transport) -> None:
    rail = forward.rail
    plain = rail.grab().toImage()
    rail.set_turn(rail.maximum() // 2, "latent")
    marked = rail.grab().toImage()
    below = round(rail.place_of(rail.maximum() // 2))
    changed = [x for x in range(plain.width()) if any(plain.pixel(x, y) != marked.pixel(x, y) for y in range(22, 36))]
    assert changed
    assert abs(sum(changed) / len(changed) - below) < 8
    rail.set_turn(None)
    assert rail.grab().toImage() == plain


def test_that_tab_goes_from_the_slider_through_every_button(run: Transport, qtbot: QtBot) -> None:
    run.activateWindow()
    run.setFocus()
    buttons = [run.first, run.previous, run.play_button, run.next, run.last]
    met = []
    for _ in range(6):
        met.append(QApplication.focusWidget())
        qtbot.keyClick(met[-1], Qt.Key.Key_Tab)
    assert met == [run.rail, *(button for button in buttons)]
    assert QApplication.focusWidget() is run.entry
