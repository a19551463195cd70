"""Invert: every control is in the request, both ways are one walk, and what is lost on it is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.stages.invert import InvertStage
from app.state import AppState
from app.window import STAGES
from core.images import from_pixels
from core.inversion_plan import reconstruction
from core.levels import CLEAN
from core.measures import mean_squared_error, psnr
from core.messages import EngineState, Status
from core.requests import Conversion, FromImage, FromLatent, ImageRef, InspectStep, InvertRequest, SamplerSpec
from tests.app.conftest import shown_window
from tests.app.fake_engine import DIGITS, Dock, FakeBridge, gradient

GREY = Conversion((32, 32), 1)


@pytest.fixture
def scene(qtbot):
    state = AppState()
    bridge = FakeBridge(state)
    stage = InvertStage(state, bridge)
    dock = Dock(stage)
    qtbot.addWidget(dock)
    bridge.ready()
    state.set_image(gradient())
    state.set_conversion(GREY)
    dock.show()
    state.move(stage="invert")
    stage.activate()
    stage.controls.steps.set_value(5)
    yield state, bridge, stage
    state.deleteLater()


def press(stage, button="run"):
    """Press a button; the request that was sent."""
    getattr(stage.buttons, button).click()
    return stage._bridge.submitted[-1]


def there_and_back(scene):
    """Invert and come back; the jobs of both ways."""
    _, bridge, stage = scene
    press(stage)
    up = len(bridge.submitted)
    bridge.run_to_end(up)
    bridge.run_to_end(up + 1)
    return up, up + 1


# Every control is in the request


def test_that_the_request_is_resolved_and_faithful_by_default(scene):
    _, bridge, stage = scene
    assert press(stage) == InvertRequest(
        model=DIGITS.ref,
        schedule=DIGITS.schedule,
        timesteps=(0, 200, 400, 600, 800),
        spacing="leading",
        images=(ImageRef("a" * 64, GREY),),
        labels=(None,),
        guidance=0.0,
        clip="none",
        convention="diffusers",
        refinements=0,
        precision="float32",
    )
    assert "a" * 64 in bridge.images


@pytest.mark.parametrize(
    ("control", "value", "field", "expected"),
    [
        ("label", "7", "labels", (7,)),
        ("guidance", 2.5, "guidance", 2.5),
        ("steps", 4, "timesteps", (0, 250, 500, 750)),
        ("convention", "openai", "convention", "openai"),
        ("refinements", 3, "refinements", 3),
        ("spacing", "trailing", "timesteps", (199, 399, 599, 799, 999)),
        ("clip", "clamp", "clip", "clamp"),
        ("precision", "bfloat16", "precision", "bfloat16"),
    ],
)
def test_that_every_control_is_in_the_inversion(scene, control, value, field, expected):
    _, bridge, stage = scene
    there_and_back(scene)
    before = getattr(bridge.submitted[0], field)
    getattr(stage.controls, control).set_value(value)
    after = getattr(press(stage), field)
    assert after == expected != before


@pytest.mark.parametrize(
    ("control", "value", "field", "expected"),
    [
        ("t", 350, "timesteps", (350, 200, 0)),
        ("steps", 4, "timesteps", (600, 500, 250, 0)),
        ("label", "7", "labels", (7, 7, 7)),
        ("label", "each", "labels", (0, 1, 2)),
        ("guidance", 1.5, "guidance", 1.5),
        ("count", 2, "count", 2),
        ("eta", 0.5, "sampler", SamplerSpec("ddim", 0.5)),
        ("edit_clip", "none", "sampler", SamplerSpec("ddim", clip="none")),
        ("spacing", "trailing", "timesteps", (600, 599, 399, 199)),
        ("precision", "bfloat16", "precision", "bfloat16"),
    ],
)
def test_that_every_control_is_in_the_edit(scene, control, value, field, expected):
    _, bridge, stage = scene
    stage.controls.method.set_value("edit")
    stage.controls.count.set_value(3)
    before = getattr(press(stage), field)
    bridge.run_to_end(1)
    getattr(stage.controls, control).set_value(value)
    assert getattr(press(stage), field) == expected != before


def test_that_the_seed_is_in_the_edit_and_the_windows(scene):
    state, bridge, stage = scene
    stage.controls.method.set_value("edit")
    stage.controls.seed.set_seed(11)
    assert press(stage).seed == 11 == state.seed
    bridge.run_to_end(1)
    stage.controls.seed._lock.setChecked(False)
    assert press(stage).seed == state.seed != 11


def test_that_the_conversion_is_in_the_request(scene):
    state, _, stage = scene
    stage.controls.conversion.conversion_changed.emit(replace(GREY, invert=True))
    assert state.conversion.invert is True
    assert press(stage).images[0].conversion.invert is True


def test_that_a_model_without_labels_has_neither_label_nor_guidance(scene):
    _, bridge, stage = scene
    bridge.ready(replace(DIGITS, labels=(), null_label=None))
    assert not stage.controls.label.isEnabled()
    assert not stage.controls.guidance.isEnabled()
    assert press(stage).labels == ()


def test_that_without_a_picture_it_is_said_what_is_missing(scene):
    state, _, stage = scene
    state.set_image(None)
    assert "no picture to invert" in stage.errors.message()
    assert not stage.buttons.run.isEnabled()


def test_that_a_model_that_predicts_x0_is_told_of_the_convention_that_serves_it(scene):
    _, bridge, stage = scene
    bridge.ready(replace(DIGITS, prediction="x0"))
    assert "OpenAI" in stage.errors.message()
    stage.controls.convention.set_value("openai")
    assert stage.errors.message() == ""
    assert press(stage).convention == "openai"


# Up and down is one walk


def test_that_before_any_run_the_picture_is_in_place_and_the_path_laid(scene):
    _, bridge, stage = scene
    assert stage.view.x_0.content.shape == (1, 32, 32)
    assert stage.transport.times == (-1, 0, 200, 400, 600, 800, 600, 400, 200, 0, -1)
    assert stage.transport.available == 1
    assert stage.instruments.algorithm.title == "DDIM inversion"
    assert bridge.submitted == bridge.asked == []


def test_that_the_way_down_follows_the_way_up(scene):
    state, bridge, stage = scene
    up = press(stage)
    bridge.run_to_end(1)
    assert bridge.submitted == [up, reconstruction(up)]
    bridge.run_to_end(2)
    assert len(bridge.submitted) == 2
    assert (state.cursor.run, state.cursor.step) == (2, 5)
    assert stage.transport.available == 11
    assert stage.transport.position == 10


def test_that_both_ways_are_scrubbed_as_one(scene):
    state, bridge, stage = scene
    up, down = there_and_back(scene)
    seen = {}
    for position in range(11):
        stage.transport.rail.ask(position)
        stage.transport.flush()
        seen[position] = (state.cursor.run, state.cursor.step, state.cursor.t)
    assert [seen[p] for p in (0, 3, 5)] == [(up, 0, -1), (up, 3, 400), (up, 5, 800)]
    assert [seen[p] for p in (6, 8, 10)] == [(down, 1, 600), (down, 3, 200), (down, 5, -1)]
    assert bridge.asked == []


@pytest.mark.parametrize("which", [0, 1])
def test_that_choosing_either_way_in_the_history_shows_both_with_their_settings(scene, which):
    state, _, stage = scene
    stage.controls.refinements.set_value(2)
    jobs = there_and_back(scene)
    stage.controls.refinements.set_value(4)
    there_and_back(scene)
    state.move(run=jobs[which], step=5, t=-1)
    assert len(stage.transport.times) == 11
    assert stage.transport.position == (5 if which == 0 else 10)
    assert stage.controls.refinements.value() == 2
    assert stage.evidence.curve.current == jobs[0]


def test_that_the_error_is_that_of_both_ways_at_the_same_t(scene):
    _, bridge, stage = scene
    up, down = there_and_back(scene)
    shown = []
    stage.view.error.set_signed = shown.append
    stage.seek(-3)  # state 2 of the way down, at the t of state 3 of the way up
    assert np.array_equal(shown[-1], bridge.values(down, 2) - bridge.values(up, 3))
    stage.seek(3)
    assert np.array_equal(shown[-1], bridge.values(down, 5) - bridge.values(up, 0))


def test_that_error_and_psnr_are_those_of_what_comes_back(scene):
    _, bridge, stage = scene
    up, down = there_and_back(scene)
    (expected,) = mean_squared_error(bridge.values(down, 5), bridge.values(up, 0))
    assert f"{expected:.2g}" in stage.evidence.error.text()
    assert f"{psnr(expected):.1f} dB" in stage.evidence.error.text()


def test_that_the_latents_statistics_are_shown_with_their_errors(scene):
    _, bridge, stage = scene
    up, _ = there_and_back(scene)
    latent = bridge.values(up, 5)
    assert stage.evidence.histogram.density is not None
    assert f"variance {latent.var(dtype=np.float64):.3f} ± {(2 / 1024) ** 0.5:.3f}" in stage.evidence.statistics.text()
    assert stage.evidence.verdict.text().startswith("Like noise")


def test_that_what_the_network_sees_is_asked_for_where_it_was_not_watched(scene):
    _, bridge, stage = scene
    _, down = there_and_back(scene)
    stage.view._sights.memory.clear()
    stage.seek(-3)
    assert bridge.asked == [InspectStep(down, 2)]
    assert stage.transport.rail.shown == 10
    bridge.answer()
    assert stage.transport.rail.shown == 7


def test_that_the_plots_lead_to_the_nearest_t_on_the_same_way(scene):
    state, _, stage = scene
    up, down = there_and_back(scene)
    stage.plots.t_dragged.emit(410)
    assert (state.cursor.run, state.cursor.step) == (down, 2)
    stage.seek(-5)
    stage.plots.t_dragged.emit(590)
    assert (state.cursor.run, state.cursor.step) == (up, 4)


def test_that_equation_and_algorithm_turn_at_the_latent(scene):
    _, _, stage = scene
    there_and_back(scene)
    instruments = stage.instruments
    stage.transport.rail.ask(2)
    stage.transport.flush()
    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    assert instruments.equation.numbers["to_x0"] == pytest.approx(alpha_bar[400] ** 0.5)
    assert (instruments.algorithm.title, instruments.algorithm.lit) == ("DDIM inversion", 5)
    stage.transport.rail.ask(7)
    stage.transport.flush()
    assert instruments.equation.numbers["to_x0"] == pytest.approx(alpha_bar[200] ** 0.5)
    assert (instruments.algorithm.title, instruments.algorithm.lit) == ("Sampling (DDIM)", 5)


# Live


def test_that_a_walk_is_watched_live_and_looking_back_is_left_alone(scene):
    state, bridge, stage = scene
    press(stage)
    bridge.advance(1, 3)
    assert (state.cursor.run, state.cursor.step) == (1, 2)
    assert stage.transport.available == 4
    stage.seek(-1)
    bridge.advance(1, 2)
    bridge.end(1)
    bridge.advance(2, 1)
    assert (state.cursor.run, state.cursor.step) == (1, 1)
    assert bridge.asked == []


def test_that_stopping_the_way_up_makes_no_way_down(scene):
    _, bridge, stage = scene
    press(stage)
    bridge.advance(1, 2)
    assert "stop" in stage.commands
    stage.stop()
    assert bridge.calls[-1] == ("cancel", 1)
    bridge.end(1, "stopped")
    assert len(bridge.submitted) == 1
    assert stage.buttons.run.isEnabled()


def test_that_space_pauses_what_runs_and_plays_what_is_there(scene):
    _, bridge, stage = scene
    press(stage)
    bridge.advance(1, 2)
    stage.toggle()
    assert bridge.calls[-1] == ("pause", 1)
    assert stage.buttons.pause.text() == "Resume"
    stage.step()
    assert bridge.calls[-1] == ("step", 1)
    stage.toggle()
    assert bridge.calls[-1] == ("resume", 1)
    bridge.advance(1, 3)
    bridge.end(1)
    bridge.run_to_end(2)
    stage.toggle()
    assert stage.transport.is_playing
    stage.toggle()


def test_that_a_refusal_of_the_engine_is_said_here_and_ends_the_trip(scene):
    _, bridge, stage = scene
    press(stage)
    bridge.fail(1, "The model of this run is not open.")
    assert stage.errors.message() == "The model of this run is not open."
    assert stage.buttons.run.isEnabled()


def test_that_an_inversion_asked_for_while_the_model_loads_waits_for_it(scene):
    state, bridge, stage = scene
    state.set_status(Status(EngineState.LOADING, "cpu"))
    stage.buttons.run.click()
    assert bridge.submitted == []
    assert "stop" in stage.commands
    bridge.ready()
    assert len(bridge.submitted) == 1


def test_that_an_inversion_begins_while_a_training_is_under_way(scene):
    state, bridge, stage = scene
    state.set_status(Status(EngineState.TRAINING, "cpu"))
    press(stage)
    assert len(bridge.submitted) == 1


def test_that_a_run_of_another_stage_is_not_shown_here(scene):
    state, bridge, stage = scene
    up, down = there_and_back(scene)
    stage.seek(-2)
    stage.deactivate()
    sample = replace(reconstruction(bridge.submitted[0]), start=FromImage(ImageRef("a" * 64, GREY)))
    job = bridge.submit(sample)
    bridge.run_to_end(job)
    state.move(stage="denoise", run=job, step=5, t=-1)
    state.move(stage="invert")
    stage.activate()
    assert (state.cursor.run, state.cursor.step) == (down, 3)
    assert stage.evidence.curve.current == up


def test_that_a_walk_goes_on_behind_another_stage_and_is_found_at_its_end(scene):
    state, bridge, stage = scene
    press(stage)
    bridge.advance(1, 2)
    stage.deactivate()
    state.move(stage="denoise", run=None)
    bridge.advance(1, 3)
    bridge.end(1)
    bridge.run_to_end(2)
    assert (state.cursor.stage, state.cursor.run) == ("denoise", None)
    state.move(stage="invert")
    stage.activate()
    assert (state.cursor.run, state.cursor.step) == (2, 5)
    assert len(stage.evidence.curve.points) == 1


def test_that_the_evidence_leaves_the_height_to_the_pictures(scene):
    _, _, stage = scene
    stage.window().resize(740, 780)
    there_and_back(scene)
    view, evidence = stage.view.geometry(), stage.evidence.geometry()
    assert evidence.left() > view.right()
    assert view.height() == evidence.height()
    stage.controls.more.set_open(True)
    stage.layout().activate()
    stage.content.layout().activate()
    assert stage.evidence.geometry().top() > stage.view.geometry().bottom()
    assert not stage.evidence.histogram.isVisible()
    assert stage.evidence.error.isVisible()


def test_that_a_picture_unlike_the_training_data_is_told_to_come_back_wrong(scene, monkeypatch):
    _, _, stage = scene
    stage.controls.steps.set_value(50)
    monkeypatch.setattr(stage.controls.conversion, "warning", lambda: "Unlike the training data: lighter border.")
    there_and_back(scene)
    words = stage.evidence.causes.text()
    assert words.startswith("Unlike the training data: lighter border.")
    assert "expect a large error" in words


def test_that_a_picture_seen_again_is_not_called_like_the_one_that_came_after_it(scene):
    state, _, stage = scene
    up, down = there_and_back(scene)
    name = state.image.name
    assert stage.view.x_0.name(0) == name
    state.set_image(from_pixels(np.zeros((32, 32, 1), np.uint8), "another"))
    state.set_conversion(GREY)
    assert stage.view.x_0.name(0) == "another"
    state.move(run=down, step=5, t=-1)
    assert stage.view.x_0.name(0) == f"the picture of run {up}"
    assert stage.view.x_0.accessibleName().endswith(f"the picture of run {up}")


def test_that_the_latent_of_another_model_is_not_regenerated_with_this_one(scene):
    state, bridge, stage = scene
    there_and_back(scene)
    bridge.ready(replace(DIGITS, ref=replace(DIGITS.ref, name="other", sha256="e" * 64)))
    assert state.cursor.run is None
    state.move(run=2, step=5, t=-1)
    stage.controls.label.set_value("3")
    assert not stage.buttons.regenerate.isEnabled()
    assert press(stage).model.name == "other"


# Refinement, the curve, and causes


def test_that_what_refinement_misses_is_drawn_by_step(scene):
    _, _, stage = scene
    stage.controls.refinements.set_value(2)
    there_and_back(scene)
    assert set(stage.instruments.misses.misses) == {0, 1, 2, 3, 4}
    assert stage.instruments.misses.misses[3] == pytest.approx((0.1, 0.01))
    stage.controls.refinements.set_value(0)
    there_and_back(scene)
    assert stage.instruments.misses.misses == {}


def test_that_every_inversion_of_the_picture_is_a_point_that_leads_to_it(scene):
    state, _, stage = scene
    up, down = there_and_back(scene)
    stage.controls.refinements.set_value(2)
    stage.controls.steps.set_value(10)
    other, _ = there_and_back(scene)
    points = {point.key: point for point in stage.evidence.curve.points}
    assert {key: (point.steps, point.kind) for key, point in points.items()} == {up: (5, ""), other: (10, "refined 2")}
    assert stage.evidence.curve.current == other
    stage.evidence.curve.point_clicked.emit(up)
    assert (state.cursor.run, state.cursor.step) == (down, 5)
    assert stage.controls.steps.value() == 5


def test_that_points_are_those_of_the_picture_shown(scene):
    state, _, stage = scene
    there_and_back(scene)
    state.set_conversion(replace(GREY, invert=True))
    assert stage.evidence.curve.points == ()
    there_and_back(scene)
    assert len(stage.evidence.curve.points) == 1


def test_that_measure_makes_the_whole_curve_and_esc_stops_it(scene):
    _, bridge, stage = scene
    stage.controls.steps.set_value(10)
    there_and_back(scene)
    stage.buttons.measure.click()
    assert bridge.submitted[-1].steps == 20, "that with 10 steps is there already"
    bridge.run_to_end(3)
    bridge.run_to_end(4)
    assert bridge.submitted[-1].steps == 50
    bridge.advance(5, 2)
    stage.stop()
    bridge.end(5, "stopped")
    assert len(bridge.submitted) == 5
    assert sorted(point.steps for point in stage.evidence.curve.points) == [10, 20]


def test_that_the_causes_of_error_are_named_before_and_after(scene):
    _, _, stage = scene
    stage.controls.steps.set_value(50)
    assert stage.evidence.causes.text() == ""
    stage.controls.clip.set_value("clamp")
    stage.controls.guidance.set_value(2)
    stage.controls.precision.set_value("bfloat16")
    before = stage.evidence.causes.text()
    assert all(cause in before for cause in ("Clipping", "Guidance (w = 2)", "bfloat16"))
    there_and_back(scene)
    assert stage.evidence.causes.text() == before


# Regenerating


def test_that_the_latent_is_regenerated_with_another_label_beside_the_reconstruction(scene):
    state, bridge, stage = scene
    up, down = there_and_back(scene)
    assert not stage.buttons.regenerate.isEnabled()
    assert "another label or guidance" in stage.buttons.regenerate.toolTip()
    stage.controls.label.set_value("3")
    assert "another label or guidance" not in stage.buttons.regenerate.toolTip()
    stage.controls.guidance.set_value(1.5)
    made = press(stage, "regenerate")
    assert made == replace(reconstruction(bridge.submitted[0]), labels=(3,), guidance=1.5)
    assert made.start == FromLatent(bridge.submitted[0])
    bridge.run_to_end(3)
    assert (state.cursor.run, state.runs[3].parent) == (3, up)
    assert stage.view.returned.isVisible()
    assert stage.view.returned.name(0) == "comes back"
    assert stage.view.x0_hat.accessibleName().endswith("as 3, w = 1.5")
    assert not stage.view.error.isVisible()
    state.move(run=down, step=5, t=-1)
    assert stage.view.error.isVisible()
    assert not stage.view.returned.isVisible()


def test_that_each_label_in_turn_is_regenerated_from_one_latent(scene):
    _, bridge, stage = scene
    there_and_back(scene)
    stage.controls.label.set_value("each")
    assert not stage.buttons.run.isEnabled()
    assert stage.errors.message() == ""
    made = press(stage, "regenerate")
    assert (made.count, made.labels) == (10, tuple(range(10)))
    bridge.run_to_end(3)
    assert stage.view.x0_hat.content.shape == (10, 32, 32)
    stage.view.x0_hat.cell_clicked.emit(7)
    assert stage.view.x0_hat.content.shape == stage.view.error.content.shape == (1, 32, 32)
    stage.stop()
    assert stage.view.x0_hat.content.shape == (10, 32, 32)


def test_that_scrubbing_over_the_latent_keeps_the_way_down_looked_at(scene):
    state, bridge, stage = scene
    up, _ = there_and_back(scene)
    stage.controls.guidance.set_value(1)
    stage.branch()
    bridge.run_to_end(3)
    stage.seek(-7)
    assert (state.cursor.run, state.cursor.step) == (up, 3)
    stage.seek(4)
    assert (state.cursor.run, state.cursor.step) == (3, 2)


# SDEdit


def test_that_the_picture_noised_to_t_is_there_before_it_is_denoised(scene):
    _, _, stage = scene
    stage.controls.method.set_value("edit")
    stage.controls.count.set_value(2)
    stage.controls.t.set_value(0)
    assert stage.view.x_t.content.shape == (2, 32, 32)
    left, right = (stage.view.x_t.content.image.pixelColor(x, 4).red() for x in (0, 31))
    assert left < 20
    assert right > 235
    assert stage.transport.times == (0, -1)
    assert not stage.view.error.isVisible()


def test_that_sdedit_shows_its_results_and_their_distance(scene):
    state, bridge, stage = scene
    stage.controls.method.set_value("edit")
    stage.controls.count.set_value(3)
    made = press(stage)
    assert made.start == FromImage(ImageRef("a" * 64, GREY))
    bridge.run_to_end(1)
    assert (state.cursor.stage, state.cursor.run, state.cursor.step) == ("invert", 1, 4)
    assert stage.view.x0_hat.content.shape == (3, 32, 32)
    assert "distance" in stage.evidence.error.text()
    stage.controls.t.set_value(200)
    assert state.cursor.run is None, "another t shows what it would start from"
    assert stage.transport.times == (200, 0, -1)


def test_that_sdedit_looked_at_in_denoise_is_left_alone_there(scene):
    state, bridge, stage = scene
    stage.controls.method.set_value("edit")
    press(stage)
    bridge.run_to_end(1)
    stage.deactivate()
    state.move(stage="denoise")
    hints = []
    stage.hint_changed.connect(hints.append)
    state.set_seed(77)
    state.set_conversion(replace(GREY, invert=True))
    assert (state.cursor.stage, state.cursor.run) == ("denoise", 1)
    assert hints == [], "the hint belongs to the stage that is shown"


def test_that_going_back_to_inversion_leaves_sdedit(scene):
    _, bridge, stage = scene
    stage.controls.method.set_value("edit")
    press(stage)
    bridge.run_to_end(1)
    stage.controls.method.set_value("invert")
    assert stage.transport.times[:2] == (-1, 0)
    assert stage.buttons.run.text() == "Invert"
    assert isinstance(press(stage), InvertRequest)


# The window's picture


def test_that_a_dropped_picture_stands_ready_to_be_inverted(scene):
    state, _, stage = scene
    there_and_back(scene)
    stage.handle_drop(replace(gradient(32, 32, 1), sha256="b" * 64))
    assert state.cursor.run is None
    assert stage.transport.available == 1
    assert press(stage).images[0].sha256 == "b" * 64


def test_that_a_picture_dropped_while_another_walks_is_not_taken_away_again(scene):
    state, bridge, stage = scene
    press(stage)
    bridge.advance(1, 2)
    stage.handle_drop(replace(gradient(32, 32, 1), sha256="b" * 64))
    bridge.advance(1, 3)
    bridge.end(1)
    bridge.run_to_end(2)
    assert state.cursor.run is None
    assert stage.transport.available == 1
    state.move(run=2, step=5, t=-1)
    assert stage.transport.available == 11


def test_that_the_picture_of_the_run_shown_is_what_is_inverted_next(scene):
    state, _, stage = scene
    there_and_back(scene)
    stage.handle_drop(replace(gradient(32, 32, 1), sha256="b" * 64))
    state.move(run=1, step=5, t=800)
    stage.controls.steps.set_value(6)
    assert press(stage).images[0].sha256 == "a" * 64


def test_that_the_openai_convention_comes_home_from_t_0(scene):
    state, _, stage = scene
    stage.controls.convention.set_value("openai")
    there_and_back(scene)
    assert stage.transport.times == (0, 200, 400, 600, 800, 600, 400, 200, 0, -1)
    assert stage.display.scene.walk.levels[-1] == CLEAN
    assert state.cursor.step == 5


def test_that_an_inversion_can_be_gone_to_before_the_stage_was_ever_shown(qtbot):
    window = shown_window(qtbot, STAGES)
    window.state.set_image(gradient())
    window.bridge.ready()
    up = InvertRequest(
        DIGITS.ref, DIGITS.schedule, (300, 600), "leading", (ImageRef("b" * 64, Conversion((32, 32), 1)),), (3,)
    )
    job = window.bridge.submit(up)
    window.bridge.run_to_end(job)
    window.state.move(stage="invert", run=job, step=1, t=300)
    assert (window.state.cursor.run, window.state.cursor.step) == (job, 1)
    assert window.stage.view.x_t.content is not None
    assert sum(isinstance(stage, InvertStage) for stage in window.stages()) == 1


def test_that_every_control_can_be_reached_and_named(scene):
    _, _, stage = scene
    for name, widget in vars(stage.controls).items():
        if hasattr(widget, "accessibleName") and name not in ("more", "conversion"):
            assert widget.accessibleName(), name
            assert widget.toolTip(), name
    for name, button in vars(stage.buttons).items():
        assert button.toolTip(), name


def test_that_only_controls_that_count_are_shown(scene):
    _, _, stage = scene
    stage.controls.more.set_open(True)
    assert stage.controls.refinements.isVisible()
    assert not stage.controls.t.isVisible()
    stage.controls.method.set_value("edit")
    assert not stage.controls.refinements.isVisible()
    assert stage.controls.t.isVisible()
    assert not stage.buttons.measure.isVisible()
    assert not stage.evidence.curve.isVisible()
