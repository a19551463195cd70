"""Denoise: every control is in the request, every button follows the engine, every step can be gone back to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from core.messages import EngineState, Status
from core.noise import initial_noise
from core.requests import (
    Conversion,
    FromImage,
    FromNoise,
    FromStep,
    ImageRef,
    InspectStep,
    InvertRequest,
    ModelRef,
    SamplerSpec,
)
from core.schedules import make_schedule
from tests.app.fake_engine import DIGITS, gradient
from tests.app.scenes import denoising

PICTURE = ImageRef("a" * 64, Conversion((32, 32), 1))


@pytest.fixture
def early(qtbot):
    """The stage before the engine has opened any model."""
    with denoising(qtbot) as scene:
        yield scene


@pytest.fixture
def scene(early):
    """The stage with a model, about to make 5 steps of 4 samples."""
    _, bridge, stage = early
    bridge.ready()
    stage.controls.steps.set_value(5)
    stage.controls.count.set_value(4)
    return early


def press(stage):
    """Press Denoise; the request that was sent."""
    stage.buttons.run.click()
    return stage._bridge.submitted[-1]


def finished(scene):
    _, bridge, stage = scene
    press(stage)
    bridge.run_to_end(len(bridge.submitted))


def grey(pane, cell=0):
    image = pane.content.image
    return image.pixelColor(0, cell * pane.content.shape[1]).red()


# Every control is in the request


def test_that_the_request_is_resolved_and_says_nothing_automatic(scene):
    _, _, stage = scene
    request = press(stage)
    assert request.model == DIGITS.ref
    assert request.schedule == DIGITS.schedule
    assert request.timesteps == (800, 600, 400, 200, 0)
    assert request.labels == (0, 1, 2, 3)
    assert request.start == FromNoise()


@pytest.mark.parametrize(
    ("control", "value", "field", "expected"),
    [
        ("label", "7", "labels", (7, 7, 7, 7)),
        ("label", "none", "labels", (None,) * 4),
        ("label", "each", "labels", (0, 1, 2, 3)),
        ("guidance", 2.5, "guidance", 2.5),
        ("steps", 4, "timesteps", (750, 500, 250, 0)),
        ("sampler", "ddpm", "sampler", SamplerSpec("ddpm")),
        ("eta", 0.35, "sampler", SamplerSpec("ddim", eta=0.35)),
        ("clip", "rederive", "sampler", SamplerSpec("ddim", clip="rederive")),
        ("spacing", "trailing", "timesteps", (999, 799, 599, 399, 199)),
        ("spacing", "log_snr", "spacing", "log_snr"),
        ("count", 9, "count", 9),
        ("precision", "bfloat16", "precision", "bfloat16"),
    ],
)
def test_that_every_control_is_in_the_request(scene, control, value, field, expected):
    _, _, stage = scene
    before = getattr(press(stage), field)
    stage._bridge.run_to_end(1)
    getattr(stage.controls, control).set_value(value)
    after = getattr(press(stage), field)
    assert after == expected
    assert after != before or value == "each"


def test_that_the_variance_counts_for_ddpm_alone(scene):
    _, _, stage = scene
    stage.controls.more.set_open(True)
    assert stage.controls.eta.isVisible()
    assert not stage.controls.variance.isVisible()
    stage.controls.sampler.set_value("ddpm")
    assert stage.controls.variance.isVisible()
    assert not stage.controls.eta.isVisible()
    stage.controls.variance.set_value("large")
    assert press(stage).sampler == SamplerSpec("ddpm", variance="large")


def test_that_timesteps_can_be_picked_by_hand(scene, qtbot):
    _, _, stage = scene
    stage.controls.more.set_open(True)
    stage.controls.spacing.set_value("hand")
    assert stage.controls.hand.isVisible()
    stage.controls.hand.setText("900, 500,20")
    qtbot.keyClick(stage.controls.hand, Qt.Key.Key_Return)
    assert press(stage).timesteps == (900, 500, 20)


def test_that_typed_nonsense_is_refused_in_words_and_denoise_waits(scene, qtbot):
    _, bridge, stage = scene
    stage.controls.spacing.set_value("hand")
    stage.controls.hand.setText("900, soon")
    qtbot.keyClick(stage.controls.hand, Qt.Key.Key_Return)
    assert "whole numbers" in stage.errors.message()
    assert not stage.buttons.run.isEnabled()
    stage.controls.spacing.set_value("leading")
    assert stage.errors.message() == ""
    assert stage.buttons.run.isEnabled()
    assert bridge.submitted == []


def test_that_each_sample_can_have_a_class_of_its_own(scene, qtbot):
    _, _, stage = scene
    stage.controls.label.set_value("own")
    stage.controls.own_labels.setText("3, none, 4")
    qtbot.keyClick(stage.controls.own_labels, Qt.Key.Key_Return)
    assert press(stage).labels == (3, None, 4, 3)
    stage.controls.own_labels.setText("eleven")
    qtbot.keyClick(stage.controls.own_labels, Qt.Key.Key_Return)
    assert "no class “eleven”" in stage.errors.message()


def test_that_a_locked_seed_stays_and_an_unlocked_one_is_drawn_for_each_run(scene):
    state, bridge, stage = scene
    stage.controls.seed.set_seed(11)
    assert press(stage).seed == 11 == state.seed
    bridge.run_to_end(1)
    assert press(stage).seed == 11
    bridge.run_to_end(2)
    stage.controls.seed.set_locked(False)
    seeds = []
    for job in (3, 4):
        seeds.append(press(stage).seed)
        bridge.run_to_end(job)
    assert len({11, *seeds}) == 3


def test_that_the_scale_of_other_tools_is_shown_beside_w(scene):
    _, _, stage = scene
    stage.controls.guidance.set_value(1.5)
    assert "scale 1 + w = 2.5" in [text.text() for text in stage.controls.guidance.findChildren(QLabel)]


def test_that_clamping_against_guidance_is_pointed_out(scene):
    _, _, stage = scene
    hints = []
    stage.hint_changed.connect(hints.append)
    stage.controls.guidance.set_value(2)
    assert "works against guidance" in hints[-1]
    stage.controls.clip.set_value("rederive")
    assert "works against guidance" not in hints[-1]


def test_that_a_run_can_start_from_the_picture_at_t(scene):
    state, bridge, stage = scene
    image = gradient()
    state.set_image(image)
    state.set_conversion(Conversion((32, 32), 1))
    stage.controls.start.set_value("picture")
    stage.controls.start_t.set_value(500)
    request = press(stage)
    assert request.start == FromImage(ImageRef(image.sha256, Conversion((32, 32), 1)))
    assert request.timesteps == (500, 400, 200, 0)
    assert bridge.images == {image.sha256: image}


def test_that_the_conversion_shown_is_the_one_in_the_request(scene):
    state, _, stage = scene
    state.set_image(gradient())
    state.set_conversion(Conversion((32, 32), 1))
    stage.controls.start.set_value("picture")
    stage.controls.conversion.conversion_changed.emit(Conversion((32, 32), 1, invert=True))
    assert press(stage).start.image.conversion.invert is True


def test_that_starting_from_a_picture_without_one_is_refused_in_words(scene):
    _, _, stage = scene
    stage.controls.start.set_value("picture")
    assert "no picture to start from" in stage.errors.message()
    assert not stage.buttons.run.isEnabled()


def test_that_a_dropped_picture_is_denoised(scene):
    state, _, stage = scene
    stage.handle_drop(gradient())
    assert state.image.name == "gradient"
    assert stage.controls.start.value() == "picture"


def test_that_what_the_models_scheduler_says_holds_until_the_person_changes_it(scene):
    _, bridge, stage = scene
    says = replace(DIGITS, sampler=SamplerSpec("ddpm", variance="large", clip="none"), spacing="trailing")
    bridge.ready(says)
    assert press(stage).sampler == says.sampler
    assert press(stage).spacing == "trailing"
    stage.controls.sampler.set_value("ddim")
    bridge.ready(replace(says, ref=replace(says.ref, name="other")))
    assert stage.controls.sampler.value() == "ddim"


def test_that_a_model_is_sampled_as_it_usually_is_until_the_person_chooses_otherwise(scene):
    _, bridge, stage = scene
    guidance, steps = stage.controls.guidance, stage.controls.steps
    steps.set_value(5)
    says = replace(DIGITS, ref=ModelRef("says", "1" * 64), usual_guidance=1.5, usual_steps=80)
    bridge.ready(says)
    assert press(stage).guidance == 1.5
    assert "1.5, usual for says" in guidance.toolTip()
    assert steps.value() == 5  # chosen by the person
    bridge.ready(DIGITS)
    assert guidance.value() == 0.5
    assert "usual" not in guidance.toolTip()
    guidance.set_value(2)
    bridge.ready(says)
    assert (guidance.value(), steps.value()) == (2, 5)
    guidance.reset()
    steps.reset()
    assert (guidance.value(), steps.value()) == (1.5, 80)


def test_that_settings_of_an_earlier_run_stay_while_its_model_does(scene):
    _, bridge, stage = scene
    stage.controls.set_settings(replace(stage.controls.settings(), guidance=3.0, steps=7))
    bridge.ready(DIGITS)
    assert (stage.controls.guidance.value(), stage.controls.steps.value()) == (3, 7)


def test_that_what_was_chosen_and_taken_back_was_not_chosen(scene):
    _, bridge, stage = scene
    says = replace(DIGITS, ref=ModelRef("says", "1" * 64), usual_guidance=1.54)
    memento = stage.memento()
    stage.controls.guidance.set_value(3)
    stage.recall(memento)
    for model, guidance in ((says, 1.5), (DIGITS, 0.5), (replace(DIGITS, labels=(), null_label=None), 0), (says, 1.5)):
        bridge.ready(model)
        assert stage.controls.guidance.value() == guidance


def test_that_a_model_without_labels_has_no_label_and_no_guidance(scene):
    _, bridge, stage = scene
    bridge.ready(replace(DIGITS, labels=(), null_label=None))
    assert not stage.controls.label.isEnabled()
    assert not stage.controls.guidance.isEnabled()
    assert press(stage).labels == ()


def test_that_the_timesteps_are_dots_in_the_plots_before_anything_runs(scene):
    _, _, stage = scene
    dots = []
    stage.plots.set_timesteps = dots.append
    stage.controls.steps.set_value(2)
    assert dots == [(500, 0)]


def test_that_before_any_run_its_start_and_its_path_are_there(scene):
    _, bridge, stage = scene
    noise = initial_noise(42, (4, 1, 32, 32))
    assert stage.view.x_t.content.shape == (4, 32, 32)
    first = np.clip(np.rint((noise[2, 0, 5, 7] + 1) * 127.5), 0, 255)
    assert stage.view.x_t.content.image.pixelColor(7, 2 * 32 + 5).red() == first
    assert stage.transport.times == (800, 600, 400, 200, 0, -1)
    assert stage.transport.available == 1
    assert stage.instruments.equation.numbers["to_x0"] == pytest.approx(
        make_schedule(DIGITS.schedule).alpha_bar[600] ** 0.5
    )
    assert bridge.asked == []


def test_that_the_start_shown_is_the_picture_noised_to_t(scene):
    state, _, stage = scene
    state.set_image(gradient(32, 32, 1))
    state.set_conversion(Conversion((32, 32), 1))
    stage.controls.start.set_value("picture")
    stage.controls.start_t.set_value(0)
    left, right = (stage.view.x_t.content.image.pixelColor(x, 4).red() for x in (0, 31))
    assert left < 12
    assert right > 243


# Buttons follow the engine


def enabled(stage):
    names = ("run", "pause", "step", "stop", "branch")
    return {name for name in names if getattr(stage.buttons, name).isEnabled()}


def test_that_buttons_follow_engine_and_run(scene):
    state, bridge, stage = scene
    assert enabled(stage) == {"run"}
    press(stage)
    bridge.begin(1)
    assert enabled(stage) == {"pause", "step", "stop"}
    bridge.advance(1, 2)
    stage.buttons.pause.click()
    assert bridge.calls[-1] == ("pause", 1)
    assert stage.buttons.pause.text() == "Resume"
    assert enabled(stage) == {"run", "pause", "step", "stop", "branch"}
    stage.buttons.step.click()
    assert bridge.calls[-1] == ("step", 1)
    stage.buttons.pause.click()
    assert bridge.calls[-1] == ("resume", 1)
    stage.buttons.stop.click()
    assert bridge.calls[-1] == ("cancel", 1)
    bridge.end(1, "stopped")
    assert enabled(stage) == {"run", "branch"}
    state.set_status(Status(EngineState.LOADING, "cpu"))
    assert enabled(stage) == {"run"}, "it would wait for the model"


def test_that_a_run_asked_for_while_the_model_loads_is_said_to_wait_and_starts_with_it(early):
    _, bridge, stage = early
    hints = []
    stage.hint_changed.connect(hints.append)
    assert enabled(stage) == {"run"}
    stage.buttons.run.click()
    assert bridge.submitted == []
    assert "still being opened" in hints[-1]
    bridge.ready()
    assert len(bridge.submitted) == 1


def test_that_a_run_asked_for_while_another_model_loads_is_made_with_that_one(scene):
    state, bridge, stage = scene
    state.set_status(Status(EngineState.LOADING, "cpu"))
    stage.buttons.run.click()
    assert bridge.submitted == []
    other = replace(DIGITS, ref=replace(DIGITS.ref, name="other", sha256="b" * 64))
    bridge.ready(other)
    assert [request.model for request in bridge.submitted] == [other.ref]


def test_that_a_waiting_run_can_be_taken_back(early):
    _, bridge, stage = early
    stage.buttons.run.click()
    assert "stop" in stage.commands
    stage.stop()
    assert "stop" not in stage.commands
    bridge.ready()
    assert bridge.submitted == []


def test_that_a_waiting_run_is_forgotten_with_its_stage_or_its_model(early):
    _, bridge, stage = early
    stage.buttons.run.click()
    stage.deactivate()
    stage.activate()
    stage.buttons.run.click()
    bridge.fail(None, "There is no model there.")
    bridge.ready()
    assert bridge.submitted == []


def test_that_schedule_and_algorithm_are_there_before_any_model(early):
    _, _, stage = early
    assert stage.plots.schedule is not None
    assert stage.instruments.algorithm.lines


def test_that_commands_are_those_that_mean_something(scene):
    _, bridge, stage = scene
    assert stage.commands == frozenset()
    press(stage)
    bridge.advance(1, 1)
    assert stage.commands == {"stop", "toggle", "step"}
    bridge.advance(1, 4)
    bridge.end(1)
    assert stage.commands == {"toggle"}
    stage.seek(-2)
    assert stage.commands == {"toggle", "branch"}


def test_that_space_pauses_a_run_and_plays_a_finished_one(scene):
    _, bridge, stage = scene
    press(stage)
    bridge.advance(1, 1)
    stage.toggle()
    assert bridge.calls[-1] == ("pause", 1)
    stage.toggle()
    assert bridge.calls[-1] == ("resume", 1)
    bridge.advance(1, 4)
    bridge.end(1)
    stage.toggle()
    assert stage.transport.is_playing
    stage.toggle()


# Live


def test_that_a_run_is_watched_live(scene):
    state, bridge, stage = scene
    press(stage)
    bridge.advance(1, 3)
    assert (state.cursor.run, state.cursor.step, state.cursor.t) == (1, 2, 400)
    assert stage.transport.position == 2
    assert stage.transport.available == 4
    assert grey(stage.view.x_t) == 250 - 240 * 2 // 5
    assert stage.view.x0_hat.content is not None
    assert bridge.asked == []


def test_that_a_paused_run_shows_the_state_it_has_come_to_and_single_steps_move_on(scene):
    state, bridge, stage = scene
    press(stage)
    bridge.advance(1, 2)
    stage.buttons.pause.click()
    assert state.cursor.step == 2
    assert bridge.asked == [InspectStep(1, 2)]
    stage.buttons.step.click()
    bridge.advance(1, 1)
    assert state.cursor.step == 3
    assert bridge.asked == [InspectStep(1, 2), InspectStep(1, 3)]


def test_that_a_finished_run_ends_on_the_data(scene):
    state, _, stage = scene
    finished(scene)
    assert (state.cursor.step, state.cursor.t) == (5, -1)
    assert grey(stage.view.x_t) == 10
    assert stage.view.eps_hat.content is None


def test_that_looking_back_during_a_run_is_not_pulled_along(scene):
    state, bridge, stage = scene
    press(stage)
    bridge.advance(1, 3)
    stage.seek(-1)
    bridge.advance(1, 1)
    assert state.cursor.step == 1
    stage.seek(10)
    bridge.advance(1, 1)
    assert state.cursor.step == 5


def test_that_a_refusal_of_the_engine_is_said_in_the_stage(scene):
    _, bridge, stage = scene
    press(stage)
    bridge.fail(1, "The model of this run is not open.")
    assert stage.errors.message() == "The model of this run is not open."


# Scrubbing


def test_that_scrubbing_shows_x_t_at_once_and_the_rest_when_it_is_there(scene):
    state, bridge, stage = scene
    finished(scene)
    stage.view._sights.memory.clear()
    stage.transport.rail.ask(1)
    stage.transport.flush()
    assert (state.cursor.step, state.cursor.t) == (1, 600)
    assert grey(stage.view.x_t) == 250 - 240 // 5
    assert bridge.asked == [InspectStep(1, 1)]
    assert stage.transport.rail.shown == 5
    bridge.answer()
    assert grey(stage.view.x0_hat) == 21
    assert stage.transport.rail.shown == 1
    assert state.cursor.shown_t == 600


def test_that_late_answers_are_kept_but_not_shown(scene):
    _, bridge, stage = scene
    finished(scene)
    stage.view._sights.memory.clear()
    stage.seek(-4)
    stage.seek(1)
    bridge.answer(InspectStep(1, 1))
    assert stage.transport.rail.shown == 5
    bridge.answer(InspectStep(1, 2))
    assert stage.transport.rail.shown == 2
    assert grey(stage.view.x0_hat) == 22
    asked = len(bridge.asked)
    stage.seek(-1)
    assert stage.transport.rail.shown == 1
    assert len(bridge.asked) == asked


def test_that_a_click_enlarges_one_sample_and_another_brings_all_back(scene):
    _, _, stage = scene
    finished(scene)
    stage.view.x_t.cell_clicked.emit(2)
    assert stage.view.x_t.content.shape[0] == 1
    assert stage.view.x0_hat.content.shape[0] == 1
    stage.view.x0_hat.cell_clicked.emit(0)
    assert stage.view.x_t.content.shape[0] == 4
    stage.view.x_t.cell_clicked.emit(1)
    stage.stop()
    assert stage.view.x_t.content.shape[0] == 4


def test_that_plots_and_strip_are_ways_through_the_run(scene):
    state, _, stage = scene
    finished(scene)
    stage.plots.t_dragged.emit(410)
    assert state.cursor.step == 2
    stage.strip.frame_clicked.emit(0)
    assert (state.cursor.step, state.cursor.t) == (0, 800)


# Branches and history


def test_that_a_branch_leaves_from_the_step_shown_with_other_settings(scene):
    _, bridge, stage = scene
    finished(scene)
    stage.seek(-3)
    stage.controls.label.set_value("3")
    stage.controls.guidance.set_value(4)
    stage.buttons.branch.click()
    made = bridge.submitted[-1]
    assert made.start == FromStep(bridge.submitted[0], 2)
    assert made.timesteps == (400, 200, 0)
    assert (made.labels, made.guidance) == ((3, 3, 3, 3), 4)
    bridge.run_to_end(2)
    assert (stage.state.cursor.run, stage.state.runs[2].parent, stage.state.runs[2].parent_step) == (2, 1, 2)


def test_that_a_branch_of_the_enlarged_sample_is_of_it_alone(scene):
    _, bridge, stage = scene
    finished(scene)
    stage.seek(-3)
    stage.view.enlarge(2)
    stage.branch()
    assert bridge.submitted[-1].cells == (2,)
    bridge.run_to_end(2)
    assert stage.view.x_t.content.shape[0] == 1
    assert "sample 3 of 4" in stage.view.x_t.accessibleName()
    assert stage.view.x_t.name(0).startswith("run 2, sample 3")


def test_that_a_branch_keeps_the_settings_that_the_person_is_trying(scene):
    _, bridge, stage = scene
    finished(scene)
    stage.seek(-3)
    stage.controls.label.set_value("3")
    stage.branch()
    bridge.run_to_end(2)
    assert stage.controls.label.value() == "3"
    assert stage.controls.steps.value() == 5


def test_that_choosing_a_run_brings_its_settings_and_its_cursor_back(scene):
    state, bridge, stage = scene
    stage.controls.guidance.set_value(1.5)
    finished(scene)
    stage.controls.guidance.set_value(3)
    stage.controls.steps.set_value(7)
    finished(scene)
    state.move(run=1, step=3, t=200)
    assert stage.controls.guidance.value() == 1.5
    assert stage.controls.steps.value() == 5
    assert len(stage.transport.times) == 6
    assert stage.transport.position == 3
    assert len(bridge.submitted) == 2


def other_run(bridge):
    """A run of another stage, on which the cursor is now."""
    request = InvertRequest(DIGITS.ref, DIGITS.schedule, (0, 500), "hand", (PICTURE,))
    bridge.run_to_end(bridge.submit(request))
    bridge.state.move(stage="invert", run=len(bridge.submitted), step=2, t=500)


def test_that_the_stage_comes_back_to_its_own_run_at_the_step_that_was_shown(scene):
    state, bridge, stage = scene
    finished(scene)
    finished(scene)
    state.move(run=1, step=3, t=200)
    stage.deactivate()
    other_run(bridge)
    assert stage.transport.position == 3
    state.move(stage="denoise")
    stage.activate()
    assert (state.cursor.run, state.cursor.step, state.cursor.t) == (1, 3, 200)


def test_that_a_run_of_another_stage_is_no_run_here(scene):
    state, bridge, stage = scene
    stage.deactivate()
    other_run(bridge)
    state.move(stage="denoise")
    stage.activate()
    assert not stage.buttons.branch.isEnabled()
    assert stage.buttons.run.isEnabled()
    assert stage.transport.position == 0
    finished(scene)
    assert state.cursor.run == 2
    assert state.runs[2].request.steps == 5


def test_that_a_run_that_begins_while_another_stage_is_looked_at_moves_nobody(scene):
    state, bridge, stage = scene
    press(stage)
    stage.deactivate()
    state.move(stage="forward")
    bridge.begin(1)
    bridge.advance(1, 2)
    assert state.cursor.stage == "forward"
    assert state.cursor.run is None
    state.move(stage="denoise")
    stage.activate()
    assert (state.cursor.run, state.cursor.step) == (1, 2)
    bridge.advance(1)
    assert state.cursor.step == 2


def test_that_a_run_that_ended_while_another_stage_was_looked_at_is_shown_at_its_end(scene):
    state, bridge, stage = scene
    press(stage)
    bridge.advance(1, 2)
    stage.deactivate()
    state.move(stage="forward")
    bridge.advance(1, 3)
    bridge.end(1)
    assert state.cursor.stage == "forward"
    stage.activate()
    assert (state.cursor.run, state.cursor.step) == (1, 5)
    assert stage.transport.position == 5


def test_that_a_state_gone_back_to_stays_while_another_stage_is_looked_at(scene):
    state, bridge, stage = scene
    press(stage)
    bridge.advance(1, 4)
    stage.transport.position_requested.emit(1)
    stage.deactivate()
    bridge.advance(1)
    bridge.end(1)
    stage.activate()
    assert (state.cursor.run, state.cursor.step) == (1, 1)


def test_that_a_failure_of_another_stages_run_is_left_to_that_stage(scene):
    _, bridge, stage = scene
    bridge.submitted.append(InvertRequest(DIGITS.ref, DIGITS.schedule, (0, 500), "hand", (PICTURE,)))
    bridge.begin(1)
    bridge.fail(1, "It broke.")
    assert stage.errors.message() == ""


def test_that_a_training_makes_way_for_a_run(scene):
    state, bridge, stage = scene
    state.set_status(Status(EngineState.TRAINING, "cpu", 9))
    assert stage.buttons.run.isEnabled()
    press(stage)
    assert len(bridge.submitted) == 1


def test_that_the_plots_show_the_schedule_of_the_run(scene):
    _, _, stage = scene
    shown = []
    stage.plots.set_schedule = shown.append
    finished(scene)
    assert shown == [make_schedule(DIGITS.schedule)]


def test_that_tab_walks_from_the_basic_controls_over_the_buttons_to_the_pictures(scene, qtbot):
    _, _, stage = scene
    stage.controls.label.setFocus()
    qtbot.waitUntil(lambda: stage.window().focusWidget() is not None)
    names = []
    for _ in range(15):
        widget = stage.window().focusWidget()
        names.append(widget.accessibleName() or widget.text())
        stage.window().focusNextChild()
    assert names == [
        "Label",
        "Sampler",
        "Seed",
        "New seed",
        "Lock the seed",
        "Guidance w, slider",
        "Guidance w, number",
        "Steps, slider",
        "Steps, number",
        "More",
        "Denoise",
        "Sheet",
        stage.view.x_t.accessibleName(),
        stage.view.x0_hat.accessibleName(),
        stage.view.eps_hat.accessibleName(),
    ]


def test_that_every_control_can_be_reached_and_named(scene):
    _, _, stage = scene
    controls = stage.controls
    for name, widget in (*vars(controls).items(), *vars(controls.classifier).items()):
        if hasattr(widget, "accessibleName") and name not in ("more", "tabs", "conversion", "classifier", "note"):
            assert widget.accessibleName(), name
            assert widget.toolTip(), name


def test_that_the_first_samples_are_guided_a_little(scene):
    _, _, stage = scene
    assert press(stage).guidance == 0.5


def test_that_by_hand_one_begins_with_the_timesteps_visited_so_far(scene):
    _, bridge, stage = scene
    stage.controls.spacing.set_value("trailing")
    stage.controls.steps.set_value(4)
    stage.controls.spacing.set_value("hand")
    assert stage.controls.hand.text() == "999, 749, 499, 249"
    assert stage.errors.message() == ""
    stage.buttons.run.click()
    assert bridge.submitted[-1].timesteps == (999, 749, 499, 249)
    stage.controls.spacing.set_value("leading")
    stage.controls.spacing.set_value("hand")
    assert stage.controls.hand.text() == "999, 749, 499, 249", "what was written stays"


# A run of another model


@pytest.mark.parametrize("labels", [("a", "b"), ()])
def test_that_a_run_of_a_model_with_other_classes_shows_its_labels_by_their_numbers(scene, labels):
    state, bridge, stage = scene
    finished(scene)
    of_digits = state.runs[1]
    bridge.ready(replace(DIGITS, ref=ModelRef("other", "e" * 64), labels=labels, null_label=len(labels) or None))
    state.put_run(replace(of_digits, job=2, request=replace(of_digits.request, labels=(3, None, 7, 4))))
    state.move(stage="denoise", run=2, step=2)
    assert stage.controls.own_labels.text() == "3, none, 7, 4"
