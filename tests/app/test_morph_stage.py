"""Morph: every control is in the request, frames appear as they are made, and each can be followed down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, Qt

from app.stages.denoise_settings import DenoiseSettings, resolve
from app.stages.morph import MorphStage
from app.stages.morph_view import Memory, Sight
from app.state import AppState
from core.messages import EngineState, Status
from core.noise import initial_noise
from core.requests import Conversion, ImageEnd, InspectStep, SamplerSpec, SeedEnd
from tests.app.conftest import WindowBridge
from tests.app.fake_engine import DIGITS, Dock, gradient


@pytest.fixture
def scene(qtbot):
    state = AppState()
    bridge = WindowBridge(state)
    stage = MorphStage(state, bridge)
    dock = Dock(stage)
    qtbot.addWidget(dock)
    bridge.ready()
    dock.show()
    state.move(stage="morph")
    stage.activate()
    stage.controls.steps.set_value(4)
    stage.controls.frames.set_value(5)
    yield state, bridge, stage
    state.deleteLater()


def press(stage):
    """Press Morph; the requests that were sent."""
    before = len(stage._bridge.submitted)
    stage.buttons.run.click()
    return stage._bridge.submitted[before:]


def pictures(stage):
    stage.ends.put_picture(gradient(), 0)
    stage.ends.put_picture(gradient(64, 48), 1)


def finished(stage):
    press(stage)
    stage._bridge.run_to_end(len(stage._bridge.submitted))


def grey(pane):
    return pane.content.image.pixelColor(0, 0).red()


# The first look


def test_that_two_end_points_are_in_place_before_anything_is_chosen(scene):
    _, _, stage = scene
    assert [point.source for point in stage.ends.points] == [SeedEnd(42), SeedEnd(43)]
    assert stage.view.frame.content.shape[0] == 2
    assert stage.buttons.run.isEnabled()
    assert stage.strip.has_frame(0)
    assert stage.strip.has_frame(4)


def test_that_the_norms_between_seeds_are_known_before_a_run(scene):
    _, _, stage = scene
    curves = stage.instruments.norms.curves
    a, b = (initial_noise(seed, (1, 32, 32)).astype(float) for seed in (42, 43))
    half = np.linalg.norm((a + b) / 2) / 32
    assert curves["lerp"][48] == pytest.approx(half, rel=1e-5)
    assert curves["slerp"][48] == pytest.approx((np.linalg.norm(a) + np.linalg.norm(b)) / 64, rel=1e-5)


def test_that_those_of_pictures_wait_for_the_inversion_and_that_is_said(scene):
    _, _, stage = scene
    pictures(stage)
    assert stage.instruments.norms.curves == {}
    assert "inverted" in stage.instruments.norms._empty


# Every control is in the request


@pytest.mark.parametrize(
    ("control", "value", "field", "expected"),
    [
        ("mix", "lerp", "mix", "lerp"),
        ("frames", 7, "frames", 7),
        ("steps", 5, "timesteps", (800, 600, 400, 200, 0)),
        ("eta", 0.35, "sampler", SamplerSpec("ddim", eta=0.35, clip="none")),
        ("sampler", "ddpm", "sampler", SamplerSpec("ddpm", clip="none")),
        ("clip", "rederive", "sampler", SamplerSpec("ddim", clip="rederive")),
        ("spacing", "trailing", "timesteps", (999, 749, 499, 249)),
        ("guidance", 1.5, "guidance", 1.5),
        ("convention", "openai", "convention", "openai"),
        ("refinements", 3, "refinements", 3),
        ("precision", "bfloat16", "precision", "bfloat16"),
        ("batch", 3, "batch", 3),
    ],
)
def test_that_every_control_is_in_the_request(scene, control, value, field, expected):
    _, bridge, stage = scene
    pictures(stage)
    (before,) = press(stage)
    bridge.run_to_end(1)
    getattr(stage.controls, control).set_value(value)
    (after,) = press(stage)
    assert getattr(after, field) == expected != getattr(before, field)


def test_that_the_seed_of_the_noise_is_in_the_request(scene):
    _, _, stage = scene
    stage.controls.seed.set_seed(77)
    (request,) = press(stage)
    assert request.seed == 77


def test_that_t_counts_for_ddpm_alone_and_brings_its_sampler(scene):
    _, bridge, stage = scene
    pictures(stage)
    assert stage.controls.t.isHidden()
    stage.controls.mix.set_value("ddpm")
    assert stage.controls.t.isVisible()
    stage.controls.t.set_value(333)
    (request,) = press(stage)
    assert request.mix == "ddpm"
    assert request.timesteps == (333, 250, 0)
    assert request.sampler.name == "ddpm"
    bridge.run_to_end(1)
    stage.controls.mix.set_value("slerp")
    assert press(stage)[0].sampler.name == "ddim"


def test_that_four_end_points_can_be_a_grid(scene):
    _, _, stage = scene
    assert not stage.controls.layout_choice.isEnabled()
    for _ in range(2):
        stage.ends.cards.add.click()
    assert len(stage.ends.points) == 4
    assert stage.ends.cards.add.isHidden()
    stage.controls.layout_choice.set_value("grid")
    (request,) = press(stage)
    assert request.layout == "grid"
    assert len(request.ends) == 4


def test_that_what_cannot_be_made_is_refused_in_words_and_morph_waits(scene):
    _, bridge, stage = scene
    stage.controls.mix.set_value("ddpm")
    assert "give pictures" in stage.errors.message()
    assert not stage.buttons.run.isEnabled()
    pictures(stage)
    assert stage.errors.message() == ""
    assert stage.buttons.run.isEnabled()
    assert bridge.submitted == []


def test_that_the_pictures_reach_the_engine_before_the_request(scene):
    _, bridge, stage = scene
    pictures(stage)
    (request,) = press(stage)
    assert [type(end) for end in request.ends] == [ImageEnd, ImageEnd]
    assert {end.image.sha256 for end in request.ends} <= set(bridge.images)


# While it is made


def test_that_the_middle_is_watched_while_it_comes(scene):
    state, bridge, stage = scene
    press(stage)
    bridge.begin(1)
    assert (state.cursor.run, state.cursor.frame) == (1, 2)
    bridge.advance(1, 3)
    assert state.cursor.step == 2
    assert stage.view.x_t.isVisible()
    assert stage.view.x0_hat.content is not None
    bridge.advance(1, 1)
    assert state.cursor.step == 4
    assert stage.view.frame.isVisible()


def test_that_frames_are_dimmed_until_they_are_finished(scene):
    _, bridge, stage = scene
    stage.controls.batch.set_value(2)
    press(stage)
    bridge.advance(1, 2)
    assert stage.strip.has_frame(0)
    assert not stage.strip.is_finished(0)
    assert not stage.strip.has_frame(2)
    bridge.advance(1, 2)
    assert stage.strip.is_finished(0)
    assert stage.strip.is_finished(4)
    assert not stage.strip.is_finished(2)


def test_that_pictures_are_seen_on_their_way_up(scene):
    _, bridge, stage = scene
    pictures(stage)
    press(stage)
    bridge.advance(1, 2)
    assert "way up" in stage.view.x_t._text
    assert stage.view.x0_hat.isHidden()
    assert stage.instruments.algorithm.lit == 1


def test_that_the_made_frames_are_points_in_the_plot_of_norms(scene):
    _, bridge, stage = scene
    stage.controls.batch.set_value(2)
    press(stage)
    bridge.advance(1, 1)
    assert set(stage.instruments.norms.points) == {0, 4}
    position, norm = stage.instruments.norms.points[4]
    assert position == 1.0
    assert norm == pytest.approx(np.linalg.norm(bridge.values(1, 0, 4)) / 32, rel=1e-6)
    bridge.advance(1, 11)
    assert set(stage.instruments.norms.points) == set(range(5))


def test_that_stop_ends_the_run_and_the_frames_made_stay(scene):
    _, bridge, stage = scene
    stage.controls.batch.set_value(2)
    press(stage)
    bridge.advance(1, 5)
    stage.stop()
    assert bridge.calls == [("cancel", 1)]
    bridge.end(1, "stopped")
    assert stage.strip.is_finished(0)
    stage.shown.go(3)
    assert "before the morph was stopped" in stage.view.x_t._placeholder
    assert not stage.buttons.stop.isEnabled()
    assert stage.buttons.export.isEnabled()


def test_that_a_run_can_be_paused_and_resumed(scene):
    _, bridge, stage = scene
    press(stage)
    bridge.advance(1, 1)
    stage.buttons.pause.click()
    assert bridge.calls[-1] == ("pause", 1)
    assert stage.buttons.pause.text() == "Resume"
    stage.buttons.pause.click()
    assert bridge.calls[-1] == ("resume", 1)


def test_that_a_failure_is_said_in_the_stage(scene):
    _, bridge, stage = scene
    press(stage)
    bridge.begin(1)
    bridge.fail(1, "The memory is full. Make fewer frames at once.")
    assert "fewer frames" in stage.errors.message()


def test_that_a_frame_is_called_by_its_morph_and_its_place(scene):
    _, _, stage = scene
    finished(stage)
    assert stage.view.frame.name(0) == "morph 1, A–B 0.50"
    stage.view.descent.ask(2)
    assert stage.view.x_t.name(0) == "morph 1, A–B 0.50, t = 250"
    assert stage.view.x0_hat.name(0) == "x̂₀ of morph 1, A–B 0.50, t = 250"
    assert stage.view.x_t.notes == ("clamped to [−1, 1]",)


def test_that_how_the_window_s_picture_is_converted_is_in_the_request(scene):
    state, _, stage = scene
    stage.handle_drop(gradient())
    state.set_conversion(Conversion((32, 32), 1))
    stage.controls.more.set_open(True)
    assert stage.controls.conversion.isVisible()
    stage.controls.conversion.conversion_changed.emit(Conversion((32, 32), 1, invert=True))
    (request,) = press(stage)
    assert request.ends[0].image.conversion.invert
    state.set_image(gradient(10, 10))


# Looking at frames


def test_that_keys_move_along_the_frames_and_along_a_frame_s_own_way_down(scene, qtbot):
    state, _, stage = scene
    finished(stage)
    stage.transport.rail.setFocus()
    qtbot.keyClick(stage.transport.rail, Qt.Key.Key_Left)
    stage.transport.flush()
    assert state.cursor.frame == 1
    qtbot.keyClick(stage.transport.rail, Qt.Key.Key_Up)
    assert state.cursor.step == 3
    assert stage.view.x_t.isVisible()
    qtbot.keyClick(stage.transport.rail, Qt.Key.Key_Down)
    assert state.cursor.step == 4
    stage.seek(10)
    assert state.cursor.frame == 4


def test_that_a_step_shows_its_state_and_asks_the_network_what_it_sees(scene):
    state, bridge, stage = scene
    finished(stage)
    stage.strip.frame_clicked.emit(1)
    stage.view.memory = Memory()
    stage.view.descent.ask(2)
    assert bridge.asked[-1] == InspectStep(1, 2, 1)
    assert grey(stage.view.x_t) == 250 - 240 * 2 // 4
    bridge.answer()
    assert grey(stage.view.x0_hat) == 22
    assert stage.instruments.algorithm.lit == 5
    assert state.cursor.shown_t == state.runs[1].path[2].t


def test_that_a_state_seen_while_it_was_made_needs_no_second_look(scene):
    _, bridge, stage = scene
    finished(stage)
    stage.view.descent.ask(1)
    assert bridge.asked == []
    assert stage.view.x0_hat.content is not None


def test_that_an_answer_about_another_frame_does_not_overwrite_what_is_shown(scene):
    _, bridge, stage = scene
    finished(stage)
    stage.view.memory = Memory()
    stage.view.descent.ask(2)
    late = bridge.asked[-1]
    stage.view.descent.ask(4)
    bridge.answer(late)
    assert stage.view.frame.isVisible()
    assert grey(stage.view.frame) == 10


def test_that_a_click_in_the_plot_goes_to_that_frame(scene):
    state, _, stage = scene
    finished(stage)
    stage.instruments.norms.frame_clicked.emit(3)
    assert state.cursor.frame == 3
    assert stage.transport.position == 3
    assert stage.instruments.norms.current == 3


def test_that_the_equation_has_the_frame_s_numbers(scene):
    _, _, stage = scene
    stage.controls.mix.set_value("lerp")
    finished(stage)
    stage.shown.go(1)
    assert stage.instruments.equation.numbers == {"to_a": 0.75, "to_b": 0.25}
    assert "λ = 0.25" in stage.instruments.reading.text()


def test_that_a_grid_is_clicked_and_its_row_is_on_the_strip(scene):
    state, _, stage = scene
    for _ in range(2):
        stage.ends.cards.add.click()
    stage.controls.layout_choice.set_value("grid")
    stage.controls.frames.set_value(3)
    finished(stage)
    assert stage.view.sheet.isVisible()
    assert all(stage.view.sheet.is_finished(cell) for cell in range(9))
    stage.view.sheet.cell_clicked.emit(7)
    assert state.cursor.frame == 7
    assert stage.instruments.row == range(6, 9)
    assert stage.strip.current == 1
    stage.strip.flush()
    assert all(stage.strip.is_finished(place) for place in range(3))


def test_that_a_seed_s_card_shows_its_frame_once_that_is_made(scene):
    _, _, stage = scene
    noise = stage.ends.cards.cards[0].thumbnail.image.pixelColor(5, 5).red()
    finished(stage)
    made = stage.ends.cards.cards[0].thumbnail
    assert not made.is_dimmed
    assert made.image.pixelColor(5, 5).red() == 10 != noise


def test_that_a_frame_still_to_come_and_one_no_longer_kept_are_told_apart(scene, monkeypatch):
    state, bridge, stage = scene
    stage.controls.batch.set_value(2)
    press(stage)
    bridge.advance(1, 4)
    stage.shown.go(3)
    assert "still to come" in stage.view.x_t._placeholder
    bridge.advance(1, 8)
    bridge.end(1)
    stage.view.memory = Memory()
    monkeypatch.setattr(bridge, "frame", lambda job, step, frame=None: None)
    stage.shown.go(1)
    assert "no longer kept" in stage.view.frame._placeholder
    assert stage.view.frame.content is None
    assert state.cursor.frame == 1


def test_that_what_was_seen_is_remembered_up_to_a_cap():
    memory = Memory(cap=250)
    for step in range(4):
        memory.put(InspectStep(1, step, 0), Sight(np.zeros((1, 10, 10, 1), np.uint8), None, None))
    assert [memory.get(InspectStep(1, step, 0)) is not None for step in range(4)] == [False, False, True, True]
    assert memory.nbytes == 200
    memory.put(InspectStep(1, 3, 0), Sight(np.zeros((1, 10, 10, 1), np.uint8), None, None))
    assert memory.nbytes == 200


# The sheet over t and lambda


def sheet(stage):
    pictures(stage)
    stage.controls.mix.set_value("sheet")
    stage.controls.frames.set_value(3)
    return press(stage)


def test_that_the_sheet_asks_for_a_morph_for_each_t(scene):
    _, bridge, stage = scene
    requests = sheet(stage)
    assert [request.timesteps[0] for request in requests] == [999, 875, 750, 625, 500, 375, 250, 125]
    bridge.run_to_end(1)
    assert stage.view.sheet.rows == (*(f"t = {r.timesteps[0]}" for r in requests), "pixels")
    assert [stage.view.sheet.is_finished(cell) for cell in range(6)] == [True] * 3 + [False] * 3


def test_that_its_lowest_row_needs_no_network(scene):
    _, bridge, stage = scene
    sheet(stage)
    bridge.begin(1)
    assert all(stage.view.sheet.is_finished(8 * 3 + column) for column in range(3))
    stage.view.sheet.cell_clicked.emit(8 * 3 + 1)
    a, b = (stage.ends.portraits()[k][0, 0, 0] for k in range(2))
    assert grey(stage.view.frame) == pytest.approx((int(a) + int(b)) / 2, abs=0.5)
    assert stage.strip.is_finished(1)
    assert stage.view.sheet.current == 25


def test_that_rows_can_be_taken_back_before_the_first_has_begun(scene):
    _, bridge, stage = scene
    sheet(stage)
    assert stage.buttons.stop.isEnabled()
    assert "stop" in stage.commands
    stage.buttons.stop.click()
    assert len([call for call in bridge.calls if call[0] == "cancel"]) == 8
    assert not stage.buttons.stop.isEnabled()


def test_that_a_cell_of_another_row_is_looked_at_by_a_click(scene):
    state, bridge, stage = scene
    sheet(stage)
    bridge.run_to_end(1)
    bridge.run_to_end(2)
    stage.view.sheet.cell_clicked.emit(2)
    assert (state.cursor.run, state.cursor.frame) == (1, 2)
    stage.view.sheet.cell_clicked.emit(3 + 1)
    assert (state.cursor.run, state.cursor.frame, state.cursor.step) == (2, 1, state.runs[2].steps)
    stage.view.descent.ask(1)
    assert stage.view.x_t.isVisible()
    assert stage.view.sheet.current == 4


def test_that_escape_takes_back_the_rows_that_wait_as_well(scene):
    _, bridge, stage = scene
    sheet(stage)
    bridge.advance(1, 1)
    stage.stop()
    assert [call for call in bridge.calls if call[0] == "cancel"] == [("cancel", job) for job in range(8, 0, -1)]


# End points


def test_that_a_drop_becomes_the_next_end_point_and_then_another(scene):
    state, _, stage = scene
    assert stage.drop_verbs(QMimeData()) == "end point A"
    stage.handle_drop(gradient())
    assert state.image is not None
    assert stage.drop_verbs(QMimeData()) == "end point B"
    stage.handle_drop(gradient(64, 48))
    assert stage.drop_verbs(QMimeData()) == "end point C"
    stage.handle_drop(gradient(50, 50))
    assert stage.ends.pictures == 3
    assert len(stage.ends.points) == 3


# The history


def test_that_a_morph_from_the_history_comes_back_with_its_end_points(scene):
    state, bridge, stage = scene
    finished(stage)
    stage.controls.mix.set_value("lerp")
    stage.ends.cards.seed_typed.emit(0, 5)
    finished(stage)
    state.move(run=1, frame=0, step=4)
    assert stage.controls.mix.value() == "slerp"
    assert stage.ends.points[0].source == SeedEnd(42)
    assert press(stage) == [bridge.submitted[0]]


def test_that_runs_of_other_stages_are_left_alone(scene):
    state, bridge, stage = scene
    finished(stage)
    stage.shown.go(1)
    stage.view.descent.ask(3)
    stage.deactivate()
    bridge.submit(resolve(DenoiseSettings(steps=3), DIGITS))
    bridge.run_to_end(2)
    state.move(stage="denoise", run=2, step=3)
    assert stage.shown.run is None
    state.move(stage="morph")
    stage.activate()
    assert (state.cursor.run, state.cursor.frame, state.cursor.step) == (1, 1, 3)
    assert stage.shown.run is state.runs[1]


def test_that_a_row_that_begins_while_another_stage_is_shown_calls_nobody_back(scene):
    state, bridge, stage = scene
    sheet(stage)
    bridge.run_to_end(1)
    stage.deactivate()
    state.move(stage="forward", run=None, t=300)
    bridge.run_to_end(2)
    assert state.cursor.stage == "forward"
    assert state.cursor.run is None
    state.move(stage="morph")
    stage.activate()
    assert state.cursor.run == 2
    assert all(stage.view.sheet.is_finished(cell) for cell in range(6))


# Export


@pytest.mark.parametrize("ending", [".gif", ".apng", ".webp"])
def test_that_an_animation_has_the_finished_frames(scene, tmp_path: Path, ending: str):
    _, _, stage = scene
    finished(stage)
    said = []
    stage.hint_changed.connect(said.append)
    stage.exporter.menu.zoom.set_value(2)
    stage.exporter.menu.both_ways.setChecked(ending == ".apng")
    stage.exporter.write(tmp_path / f"morph{ending}")
    with Image.open(tmp_path / f"morph{ending}") as image:
        assert image.size == (64, 64)
    assert str(tmp_path / f"morph{ending}") in said[-1]
    assert said[-1].startswith("8 frames" if ending == ".apng" else "5 frames")


def test_that_a_contact_sheet_names_its_frames(scene, tmp_path: Path):
    _, _, stage = scene
    finished(stage)
    stage.exporter.menu.zoom.set_value(1)
    stage.exporter.write(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size == (5 * 32 + 4 * 4, 32 + 18)


def test_that_the_sheet_over_t_is_exported_whole(scene, tmp_path: Path):
    _, bridge, stage = scene
    requests = sheet(stage)
    for job in range(1, len(requests) + 1):
        bridge.run_to_end(job)
    stage.exporter.menu.zoom.set_value(1)
    stage.exporter.write(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size == (3 * 32 + 2 * 4, 9 * (32 + 18) + 8 * 4)


def test_that_frames_that_were_not_made_are_left_out_of_an_animation_and_blank_on_a_sheet(scene, tmp_path: Path):
    _, bridge, stage = scene
    stage.controls.batch.set_value(2)
    press(stage)
    bridge.advance(1, 5)
    bridge.end(1, "stopped")
    stage.exporter.menu.zoom.set_value(1)
    stage.exporter.write(tmp_path / "a.gif")
    stage.exporter.write(tmp_path / "a.png")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 1  # two frames of the same grey, shown as one
        assert image.info["duration"] == 200
    with Image.open(tmp_path / "a.png") as image:
        assert [image.getpixel((16 + 36 * frame, 16)) for frame in range(5)] == [10, 255, 255, 255, 10]


def test_that_a_place_that_cannot_be_written_is_refused_in_words(scene, tmp_path: Path):
    _, _, stage = scene
    finished(stage)
    stage.exporter.write(tmp_path / "nowhere" / "a.gif")
    assert "does not exist" in stage.errors.message()


def test_that_nothing_can_be_exported_before_a_frame_is_finished(scene):
    _, bridge, stage = scene
    assert not stage.buttons.export.isEnabled()
    press(stage)
    bridge.advance(1, 2)
    assert not stage.buttons.export.isEnabled()
    bridge.advance(1, 2)
    assert stage.buttons.export.isEnabled()


def test_that_the_engine_s_state_decides_whether_morph_can_be_pressed(scene):
    state, _, stage = scene
    state.set_status(Status(EngineState.SAMPLING, "cpu"))
    assert not stage.buttons.run.isEnabled()
    state.set_status(Status(EngineState.TRAINING, "cpu"))
    assert stage.buttons.run.isEnabled()


def test_that_a_morph_asked_for_while_the_model_loads_begins_when_it_is_there(scene):
    state, bridge, stage = scene
    state.set_status(Status(EngineState.LOADING, "cpu"))
    stage.buttons.run.click()
    assert bridge.submitted == []
    assert "stop" in stage.commands
    state.set_status(Status(EngineState.IDLE, "cpu"))
    assert len(bridge.submitted) == 1


def test_that_such_a_wish_can_be_taken_back(scene):
    state, bridge, stage = scene
    state.set_status(Status(EngineState.LOADING, "cpu"))
    stage.buttons.run.click()
    stage.stop()
    state.set_status(Status(EngineState.IDLE, "cpu"))
    assert bridge.submitted == []
