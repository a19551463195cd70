"""The tree of runs and branches."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit

from app.state import AppState
from app.widgets.history import History
from core.requests import FromStep, SampleRequest, SamplerSpec
from tests.app.fake_engine import DIGITS, FakeBridge

REQUEST = SampleRequest(
    model=DIGITS.ref,
    schedule=DIGITS.schedule,
    timesteps=(900, 600, 300, 0),
    spacing="hand",
    sampler=SamplerSpec("ddim", eta=0.5),
    seed=1,
    count=2,
    labels=(3, 4),
    guidance=1.5,
)


@pytest.fixture
def scene(qtbot):
    state = AppState()
    bridge = FakeBridge(state)
    bridge.ready()
    history = History(state)
    bridge.message.connect(history.receive)
    qtbot.addWidget(history)
    history.resize(220, 400)
    history.show()
    yield state, bridge, history
    state.deleteLater()


def shown(history, *path):
    item = history.topLevelItem(path[0])
    for row in path[1:]:
        item = item.child(row)
    return item.data(0, Qt.ItemDataRole.DisplayRole)


def test_that_a_run_shows_its_sampler_steps_guidance_and_how_far_it_is(scene):
    _, bridge, history = scene
    job = bridge.submit(REQUEST)
    bridge.begin(job)
    assert shown(history, 0).split("\n") == ["Run 1", "running 0/4", "DDIM 4 · w 1.5 · η 0.5"]
    bridge.advance(job, 2)
    assert "running 2/4" in shown(history, 0)
    bridge.end(job, "stopped")
    assert "stopped 2/4" in shown(history, 0)


def test_that_progress_is_repainted(scene, qtbot):
    _, bridge, history = scene
    job = bridge.submit(REQUEST)
    bridge.begin(job)
    with qtbot.waitSignal(history.model().dataChanged):
        bridge.advance(job, 1)


def test_that_a_branch_hangs_under_its_run_and_says_where_it_left(scene):
    _, bridge, history = scene
    first = bridge.submit(REQUEST)
    bridge.run_to_end(first)
    bridge.submit(
        SampleRequest(
            model=DIGITS.ref,
            schedule=DIGITS.schedule,
            timesteps=(300, 0),
            spacing="hand",
            sampler=SamplerSpec("ddpm"),
            seed=2,
            start=FromStep(REQUEST, 2),
        )
    )
    bridge.begin(2)
    assert history.topLevelItemCount() == 1
    assert shown(history, 0, 0).splitlines()[0] == "Run 2, branch at 2"
    assert "DDPM 2" in shown(history, 0, 0)


def test_that_choosing_a_run_moves_the_cursor_to_its_last_state(scene, qtbot):
    state, bridge, history = scene
    for _ in range(2):
        bridge.run_to_end(bridge.submit(REQUEST))
    state.move(stage="forward", run=None)
    with qtbot.waitSignal(history.run_selected) as chosen:
        qtbot.mouseClick(
            history.viewport(),
            Qt.MouseButton.LeftButton,
            pos=history.visualItemRect(history.topLevelItem(1)).center(),
        )
    assert chosen.args == [2]
    assert (state.cursor.stage, state.cursor.run, state.cursor.step, state.cursor.t) == ("denoise", 2, 4, -1)


def test_that_the_tree_follows_the_cursor_without_moving_it(scene, qtbot):
    state, bridge, history = scene
    for _ in range(2):
        bridge.run_to_end(bridge.submit(REQUEST))
    with qtbot.assertNotEmitted(history.run_selected):
        state.move(stage="denoise", run=1, step=2, t=300)
    assert history.currentItem() is history.topLevelItem(0)
    assert state.cursor.step == 2


def test_that_arrow_keys_walk_from_run_to_branch(scene, qtbot):
    state, bridge, history = scene
    for _ in range(2):
        bridge.run_to_end(bridge.submit(REQUEST))
    state.move(stage="denoise", run=1, step=0)
    qtbot.keyClick(history, Qt.Key.Key_Down)
    assert state.cursor.run == 2


def test_that_a_run_can_be_named_and_the_name_outlives_progress(scene, qtbot):
    state, bridge, history = scene
    job = bridge.submit(REQUEST)
    bridge.begin(job)
    state.move(run=job)
    history.setFocus()
    history.editItem(history.topLevelItem(0), 0)
    editor = history.findChild(QLineEdit)
    assert editor.text() == "Run 1"
    editor.setText("  threes \n and fours ")
    bridge.advance(job, 1)
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: history.name(job) == "threes and fours")
    assert shown(history, 0).startswith("threes and fours\nrunning 1/4")


def test_that_the_thumbnail_is_what_the_run_has_become(scene):
    _, bridge, history = scene
    job = bridge.submit(REQUEST)
    bridge.begin(job)

    def grey():
        return history.topLevelItem(0).thumbnail.pixmap(40, 40).toImage().pixelColor(20, 20).red()

    before = grey()
    bridge.advance(job, 1)
    assert before == 0
    assert grey() == 250
    history.set_thumbnail(job, np.full((8, 8, 3), 77, np.uint8))
    assert grey() == 77


def test_that_an_empty_history_says_what_will_be_there(scene):
    _state, bridge, history = scene

    def marks() -> int:
        shot = history.viewport().grab().toImage()
        paper = shot.pixel(shot.width() - 1, shot.height() - 1)
        return sum(shot.pixel(x, y) != paper for x in range(shot.width()) for y in range(40))

    assert marks() > 100
    bridge.begin(bridge.submit(REQUEST))
    history.topLevelItem(0).setHidden(True)
    assert marks() == 0
