"""The tree of runs and branches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit

from app.state import AppState
from app.widgets.history import History
from app.widgets.run_words import summary
from core.levels import Level
from core.messages import Preview
from core.requests import (
    Conversion,
    FromImage,
    FromLatent,
    FromStep,
    ImageEnd,
    ImageRef,
    InvertRequest,
    MorphRequest,
    SampleRequest,
    SamplerSpec,
    SeedEnd,
)
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

PICTURE = ImageRef("a" * 64, Conversion((32, 32), 1))
INVERSION = InvertRequest(
    DIGITS.ref, DIGITS.schedule, (0, 250, 500, 750), "hand", (PICTURE,), labels=(3,), guidance=0.5, refinements=2
)
MORPH = MorphRequest(
    DIGITS.ref,
    DIGITS.schedule,
    (750, 500, 250, 0),
    "hand",
    SamplerSpec("ddim"),
    (ImageEnd(PICTURE), SeedEnd(7)),
    frames=5,
    batch=2,
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
    tooltip = history.topLevelItem(0).child(0).data(0, Qt.ItemDataRole.ToolTipRole)
    assert tooltip.splitlines()[:2] == ["Run 2, branch at 2", "DDPM, variance β̃_t"]


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


def grey_of(history, row):
    return history.topLevelItem(row).thumbnail.pixmap(40, 40).toImage().pixelColor(20, 20).red()


def picture(job, grey, frames=(), step=1):
    """A preview whose samples are ``grey``, grey + 1, …"""
    pictures = np.repeat(np.arange(grey, grey + max(1, len(frames)), dtype=np.uint8), 64).reshape(-1, 8, 8, 1)
    return Preview(job, step, Level(500, 0.5, 0.8), pictures, pictures, None, (-1.0, 1.0), frames)


def test_that_an_inversion_is_told_by_its_steps_and_refinements_and_shown_by_its_picture(scene):
    _, bridge, history = scene
    job = bridge.submit(INVERSION)
    bridge.begin(job)
    assert shown(history, 0).split("\n") == ["Run 1", "running 0/4", "invert 4 · refined 2 · w 0.5"]
    bridge.say(picture(job, 90, step=0))
    bridge.say(picture(job, 120, step=3))
    assert grey_of(history, 0) == 90
    assert "2 refinements" in history.topLevelItem(0).data(0, Qt.ItemDataRole.ToolTipRole)


def test_that_a_reconstruction_hangs_under_its_inversion(scene):
    state, bridge, history = scene
    bridge.run_to_end(bridge.submit(INVERSION))
    reconstruction = replace(REQUEST, start=FromLatent(INVERSION), count=1, labels=(3,))
    bridge.run_to_end(bridge.submit(reconstruction))
    assert history.topLevelItemCount() == 1
    assert shown(history, 0, 0).split("\n") == ["Run 2, from latent", "finished", "DDIM 4 · w 1.5 · η 0.5"]
    history.setCurrentItem(history.topLevelItem(0).child(0))
    assert (state.cursor.stage, state.cursor.run, state.cursor.step) == ("invert", 2, 4)
    history.setCurrentItem(history.topLevelItem(0))
    assert (state.cursor.stage, state.cursor.run, state.cursor.step, state.cursor.t) == ("invert", 1, 4, 750)


def test_that_a_run_from_a_noised_picture_says_from_which_t(scene):
    _, bridge, history = scene
    bridge.begin(bridge.submit(replace(REQUEST, start=FromImage(PICTURE))))
    assert shown(history, 0).split("\n")[2] == "SDEdit t 900 · DDIM 4 · w 1.5 · η 0.5"


def test_that_a_morph_counts_all_its_steps_and_is_shown_by_its_middle_frame(scene):
    state, bridge, history = scene
    job = bridge.submit(MORPH)
    bridge.begin(job)
    assert shown(history, 0).split("\n") == ["Run 1", "running 0/16", "slerp 5 · DDIM 4"]  # up, then 3 batches down
    bridge.say(picture(job, 50, frames=(0, 4)))
    assert grey_of(history, 0) == 50
    bridge.say(picture(job, 100, frames=(1, 2)))
    assert grey_of(history, 0) == 101
    bridge.say(picture(job, 150, frames=(3,)))
    assert grey_of(history, 0) == 101
    bridge.run_to_end(bridge.submit(MORPH))
    history.setCurrentItem(history.topLevelItem(1))
    cursor = state.cursor
    assert (cursor.stage, cursor.run, cursor.step, cursor.t, cursor.frame) == ("morph", 2, 4, -1, 0)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (replace(MORPH, mix="ddpm", labels=(1, 2), guidance=2), "mixed at t 750, 5 · DDIM 4 · w 2"),
        (replace(MORPH, layout="grid", mix="lerp", ends=MORPH.ends * 2), "lerp 5 × 5 · DDIM 4"),
        (replace(INVERSION, refinements=0, labels=()), "invert 4"),
        (replace(REQUEST, labels=(), sampler=SamplerSpec("ddpm")), "DDPM 4"),
    ],
)
def test_that_every_kind_of_run_has_its_line(request_, words):
    assert summary(request_) == words


def test_that_a_list_that_was_scrolled_stays_there_while_a_run_goes_on(scene):
    state, bridge, history = scene
    for _ in range(20):
        bridge.run_to_end(bridge.submit(REQUEST))
    job = bridge.submit(REQUEST)
    bridge.begin(job)
    state.move(stage="denoise", run=job, step=0)
    assert history.verticalScrollBar().value() > 0
    history.scrollToTop()
    bridge.advance(job, 2)
    state.move(step=2)
    assert history.verticalScrollBar().value() == 0


def test_that_a_hundred_runs_are_scrolled_and_the_one_looked_at_is_in_sight(scene):
    state, bridge, history = scene
    for _ in range(100):
        bridge.run_to_end(bridge.submit(REQUEST))
    state.move(stage="denoise", run=3, step=1)
    view = history.viewport().rect()
    assert view.contains(history.visualItemRect(history.topLevelItem(2)))
    assert not view.intersects(history.visualItemRect(history.topLevelItem(99)))
    history.setCurrentItem(history.topLevelItem(99))
    assert state.cursor.run == 100
    assert view.contains(history.visualItemRect(history.topLevelItem(99)))


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
