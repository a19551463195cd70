"""Forward: every control changes what is computed or asked for, with no model and with one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.stages.forward import ForwardStage
from app.stages.forward_scene import ForwardScene, same_noise, snr_words, strip_times
from app.state import AppState
from app.widgets.controls import NumberEdit
from core.messages import Inspection
from core.noise import initial_noise
from core.requests import Conversion, InspectImage, ScheduleSpec
from core.schedules import make_schedule
from tests.app.fake_engine import DIGITS, Dock, FakeBridge, gradient, opened


@pytest.fixture
def scene(qtbot):
    state = AppState()
    bridge = FakeBridge(state)
    stage = ForwardStage(state, bridge)
    dock = Dock(stage)
    qtbot.addWidget(dock)
    state.set_image(gradient())
    dock.show()
    stage.activate()
    yield state, bridge, stage
    state.deleteLater()


def noised(image, t, spec=None, seed=42):
    """q(x_t | x_0) by hand, clamped, as uint8 (H, W, C)."""
    alpha_bar = np.prod(1 - make_schedule(spec or ScheduleSpec()).betas[: t + 1])
    height, width, channels = image.pixels.shape
    eps = initial_noise(seed, (channels, height, width)).transpose(1, 2, 0)
    x = np.sqrt(alpha_bar) * (image.pixels / 127.5 - 1) + np.sqrt(1 - alpha_bar) * eps
    return np.clip(np.rint((x + 1) * 127.5), 0, 255)


def pixels(pane):
    """What a pane paints, uint8 (H, W, 3)."""
    image = pane.content.image
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    return rows[..., 2::-1].astype(int)


def x_t(stage):
    return pixels(stage.x_t)


def assert_close(picture, expected):
    assert np.abs(picture - expected).max() <= 1


def test_that_it_opens_at_t_400_with_the_slider_focused_and_one_line_of_help(scene, qtbot):
    state, _, stage = scene
    with qtbot.waitSignal(stage.hint_changed) as hint:
        stage.activate()
    assert hint.args == ["Drag the slider, or drop a picture of your own."]
    assert stage.transport.position == 400
    assert_close(x_t(stage), noised(gradient(), 400))
    qtbot.waitUntil(lambda: stage.window().focusWidget() is stage.transport.focusProxy())
    assert state.cursor.t == 400


def test_that_the_slider_changes_the_picture_without_any_model(scene):
    state, bridge, stage = scene
    stage.transport.rail.ask(700)
    stage.transport.flush()
    assert state.cursor.t == 700
    assert_close(x_t(stage), noised(gradient(), 700))
    assert bridge.asked == []


def test_that_the_schedule_is_a_choice(scene):
    state, _, stage = scene
    stage.controls.schedule.set_value("cosine")
    assert state.schedule == ScheduleSpec("cosine")
    assert_close(x_t(stage), noised(gradient(), 400, ScheduleSpec("cosine")))


def test_that_T_keeps_the_place_in_the_process(scene):
    state, _, stage = scene
    stage.controls.T.set_value(100)
    assert state.schedule.T == 100
    assert len(stage.transport.times) == 100
    assert state.cursor.t == round(400 * 99 / 999)


def test_that_a_schedule_that_cannot_be_is_refused_in_words_and_the_old_one_stays(scene):
    state, _, stage = scene
    stage.controls.T.set_value(10)
    assert "choose more timesteps" in stage.errors.message()
    assert state.schedule.T == 1000
    assert stage.controls.T.value() == 1000
    stage.controls.schedule.set_value("cosine")
    assert stage.errors.message() == ""


@pytest.mark.parametrize(("end", "field"), [("beta_start", "beta_start"), ("beta_end", "beta_end")])
def test_that_the_ends_of_beta_are_choices(scene, end, field):
    state, _, stage = scene
    edit: NumberEdit = getattr(stage.controls, end)
    edit.setValue(0.01)
    assert getattr(state.schedule, field) == pytest.approx(0.01)
    assert make_schedule(state.schedule).betas[0 if end == "beta_start" else -1] == pytest.approx(0.01)


def test_that_a_drawn_schedule_begins_as_the_present_one_and_follows_the_points(scene):
    state, _, stage = scene
    before = make_schedule(state.schedule)
    stage.controls.schedule.set_value("drawn")
    assert state.schedule.name == "drawn"
    drawn = make_schedule(state.schedule)
    assert np.abs(drawn.alpha_bar - before.alpha_bar).max() < 0.015
    points = ((0.0, 0.999), (0.5, 0.9), (1.0, 0.001))
    stage.plots.points_edited.emit(points)
    assert state.schedule.points == points
    assert make_schedule(state.schedule).alpha_bar[999] == pytest.approx(0.001)


def test_that_a_second_schedule_appears_as_a_second_strip(scene):
    _, _, stage = scene
    assert stage.strips.ghost.isHidden()
    stage.controls.ghost.set_value("cosine")
    assert stage.strips.ghost.isVisible()
    assert (stage.strips.strip.name, stage.strips.ghost.name) == ("Linear", "Cosine")
    stage.controls.ghost.set_value("none")
    assert stage.strips.ghost.isHidden()
    assert stage.strips.strip.name == ""


def test_that_the_seed_changes_the_noise(scene):
    state, _, stage = scene
    stage.controls.seed.set_seed(7)
    assert state.seed == 7
    assert_close(x_t(stage), noised(gradient(), 400, seed=7))
    state.set_seed(9)
    assert stage.controls.seed.seed() == 9


def test_that_normalised_stretches_the_picture_to_its_own_extremes(scene):
    _, _, stage = scene
    stage.controls.mapping.set_value("normalised")
    assert x_t(stage).min() == 0
    assert x_t(stage).max() == 255
    assert (x_t(stage) == 255).sum() == 1
    stage.controls.mapping.set_value("clamped")
    assert_close(x_t(stage), noised(gradient(), 400))


def test_that_a_frame_of_the_strip_is_a_place_to_go(scene):
    state, _, stage = scene
    stage.strips.strip.frame_clicked.emit(9)
    assert state.cursor.t == 999
    stage.strips.strip.frame_clicked.emit(0)
    assert state.cursor.t == 0


def test_that_dragging_in_the_plots_and_arrow_keys_move_the_cursor(scene):
    state, _, stage = scene
    stage.plots.t_dragged.emit(123)
    assert state.cursor.t == 123
    stage.seek(-200)
    assert state.cursor.t == 0
    assert stage.transport.position == 0


def test_that_the_network_is_asked_on_the_converted_picture_at_its_own_size(scene):
    state, bridge, stage = scene
    bridge.ready()
    request = bridge.asked[-1]
    assert isinstance(request, InspectImage)
    assert (request.model, request.t, request.seed) == (DIGITS.ref, 400, 42)
    assert request.image.sha256 == state.image.sha256
    assert request.image.conversion == Conversion((32, 32), 1, (0.125, 0.0, 0.875, 1.0))
    assert state.image.sha256 in bridge.images
    assert "64 × 48 RGB → 32 × 32 grey, centre" in stage.eye.section.title()
    bridge.answer()
    assert stage.eye.x0_hat.content.shape == (1, 32, 32)
    assert state.cursor.shown_t == 400


def test_that_only_the_latest_answer_is_shown(scene):
    state, bridge, stage = scene
    bridge.ready()
    bridge.answer()
    early = bridge.asked[-1]
    stage.plots.t_dragged.emit(500)
    stage.plots.t_dragged.emit(600)
    bridge.answer(replace(early, t=500))
    assert state.cursor.shown_t == 400
    assert stage.transport.rail.shown == 400
    bridge.answer()
    assert state.cursor.shown_t == 600
    assert stage.transport.rail.shown == 600


def test_that_under_another_schedule_the_network_looks_at_equal_noise(scene):
    _, bridge, stage = scene
    bridge.ready()
    stage.controls.schedule.set_value("cosine")
    here, there = make_schedule(ScheduleSpec("cosine")), make_schedule(DIGITS.schedule)
    asked = bridge.asked[-1].t
    assert abs(there.log_snr[asked] - here.log_snr[400]) < 0.02
    assert asked != 400


def test_that_label_and_guidance_are_what_the_network_is_told(scene):
    _, bridge, stage = scene
    bridge.ready()
    stage.eye.label.set_value("7")
    assert bridge.asked[-1].label == 7
    stage.eye.guidance.set_value(2.5)
    assert bridge.asked[-1].guidance == 2.5
    stage.eye.label.set_value("none")
    assert bridge.asked[-1].label is None


def test_that_the_conversion_is_adjustable_and_part_of_the_question(scene):
    state, bridge, stage = scene
    bridge.ready()
    stage.eye.conversion.conversion_changed.emit(replace(state.conversion, invert=True))
    assert bridge.asked[-1].image.conversion.invert is True
    assert "negative" in stage.eye.section.title()


def test_that_a_model_that_takes_no_pictures_is_said_to_and_not_asked(scene):
    _, bridge, stage = scene
    bridge.ready(replace(DIGITS, event_shape=(2,)))
    assert bridge.asked == []
    assert stage.eye.x0_hat.content is None
    assert "does not look at pictures" in stage.eye.fits()


def test_that_a_failed_look_is_said_in_the_stage_and_nothing_stays_dimmed(scene):
    _, bridge, stage = scene
    bridge.ready()
    bridge.fail(None, "The picture of this run is not open.")
    assert stage.errors.message() == "The picture of this run is not open."


def test_that_nothing_is_asked_while_another_stage_is_shown(scene):
    state, bridge, stage = scene
    bridge.ready()
    stage.deactivate()
    before = len(bridge.asked)
    state.move(t=10)
    assert len(bridge.asked) == before
    stage.activate()
    assert bridge.asked[-1].t == 10


def test_that_back_from_the_end_of_a_run_forward_is_where_it_was(scene):
    state, _, stage = scene
    stage.plots.t_dragged.emit(300)
    stage.deactivate()
    state.move(t=-1)
    stage.activate()
    assert state.cursor.t == 300


def test_that_transparent_parts_are_put_on_a_background(scene):
    state, _, stage = scene
    half = np.full((16, 16, 4), 255, np.uint8)
    half[..., :3] = 30
    half[:8, :, 3] = 0
    state.set_image(opened(half, sha256="b" * 64))
    assert pixels(stage.x_0)[0, 0].tolist() == [255, 255, 255]
    assert pixels(stage.x_0)[12, 0].tolist() == [30, 30, 30]


def test_that_twelve_megapixels_are_scaled_for_display_and_said_to_be():
    scene = ForwardScene(np.zeros((3000, 4000, 3), np.uint8), make_schedule(ScheduleSpec()), 1, (0, 0, 0))
    assert scene.size == (540, 720)
    assert scene.scaled


def test_that_the_strip_shows_ten_times_from_the_first_to_the_last():
    assert strip_times(1000) == (0, 111, 222, 333, 444, 555, 666, 777, 888, 999)
    assert strip_times(4) == (0, 1, 2, 3)


def test_that_the_signal_to_noise_ratio_is_given_plain_in_decibels_and_as_logarithm():
    level = make_schedule(ScheduleSpec()).level(249)
    assert snr_words(level).split() == ["SNR", "1.1012", "+0.42", "dB", "ln", "+0.096"]


def test_that_equal_schedules_mean_equal_times():
    schedule = make_schedule(ScheduleSpec())
    assert same_noise(123, schedule, schedule) == 123


def test_that_space_plays_and_leaving_the_stage_stops(scene):
    _, _, stage = scene
    stage.toggle()
    assert stage.transport.is_playing
    stage.deactivate()
    assert not stage.transport.is_playing


def test_that_keys_on_the_slider_move_one_ten_or_to_the_ends(scene, qtbot):
    state, _, stage = scene
    rail = stage.transport.rail
    for key, modifier, expected in (
        (Qt.Key.Key_Right, Qt.KeyboardModifier.NoModifier, 401),
        (Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier, 391),
        (Qt.Key.Key_End, Qt.KeyboardModifier.NoModifier, 999),
        (Qt.Key.Key_Home, Qt.KeyboardModifier.NoModifier, 0),
    ):
        qtbot.keyClick(rail, key, modifier)
        stage.transport.flush()
        assert state.cursor.t == expected


def test_that_an_inspection_of_nobody_is_ignored(scene):
    _, bridge, stage = scene
    bridge.ready()
    answer = bridge.answer(replace(bridge.asked[-1], seed=1))
    assert isinstance(answer, Inspection)
    assert stage.eye.x0_hat.content is None


def test_that_tab_walks_from_the_controls_over_the_pictures_to_the_network(scene, qtbot):
    _, bridge, stage = scene
    bridge.ready()
    stage.controls.schedule.setFocus()
    qtbot.waitUntil(lambda: stage.window().focusWidget() is not None)
    names = []
    for _ in range(11):
        names.append(stage.window().focusWidget().accessibleName())
        stage.window().focusNextChild()
    assert names[:5] == ["Schedule", "Compare with", "Seed", "New seed", "More"]
    panes = (stage.x_0, stage.x_t, stage.eps, stage.eye.x0_hat, stage.eye.score)
    assert names[5:10] == [pane.accessibleName() for pane in panes]
    assert names[10].startswith("What the network gets")


def test_that_every_control_has_a_name_and_a_tooltip(scene):
    _, _, stage = scene
    for owner in (stage.controls, stage.eye):
        for name, widget in vars(owner).items():
            if hasattr(widget, "accessibleName") and not name.startswith("_"):
                if name in ("more", "section", "conversion"):
                    continue
                assert widget.accessibleName(), name
                assert widget.toolTip(), name


def test_that_zero_snr_leaves_nothing_of_the_picture_at_the_end_and_says_what_that_means(scene):
    state, _, stage = scene
    hints = []
    stage.hint_changed.connect(hints.append)
    state.move(t=999)
    before = x_t(stage)
    stage.controls.zero_snr.setChecked(True)
    assert state.schedule == ScheduleSpec("linear", zero_snr=True)
    assert "must predict v, x₀ or the mean" in hints[-1]
    image = state.image
    height, width, channels = image.pixels.shape
    eps = initial_noise(42, (channels, height, width)).transpose(1, 2, 0)
    assert_close(x_t(stage), np.clip(np.rint((eps + 1) * 127.5), 0, 255))
    assert not np.array_equal(x_t(stage), before)
    assert "SNR    0.0000" in stage.snr.text()
    assert "-∞" in stage.snr.text()
    log_snr = next(panel for panel in stage.plots.panels if panel.quantity.table == "log_snr")
    assert log_snr.text(999).strip() == "−∞"
    assert log_snr.text(998).strip() == f"{make_schedule(state.schedule).log_snr[998]:.3f}".replace("-", "−")
    assert log_snr.place(999, log_snr.value(999)).y() == log_snr.plot_rect().bottom()
    assert not log_snr.grab().isNull()


def test_that_the_ends_of_beta_are_those_before_rescaling_and_a_drawn_schedule_ends_where_it_is_drawn(scene):
    state, _, stage = scene
    stage.controls.zero_snr.setChecked(True)
    assert stage.controls.beta_end.value() == 0.02
    stage.controls.schedule.set_value("cosine")
    assert state.schedule == ScheduleSpec("cosine", zero_snr=True)
    stage.controls.schedule.set_value("drawn")
    assert not state.schedule.zero_snr
    assert not stage.controls.zero_snr.isEnabled()


@pytest.mark.parametrize("rescaled", ["here", "there", "both"])
def test_that_a_level_without_signal_has_its_place_in_every_schedule(rescaled):
    linear, cosine = ScheduleSpec("linear"), ScheduleSpec("cosine")
    here = make_schedule(replace(linear, zero_snr=rescaled != "there"))
    there = make_schedule(replace(cosine, zero_snr=rescaled != "here"))
    assert there.alpha_bar[same_noise(500, here, there)] == pytest.approx(here.alpha_bar[500], abs=2e-3)
    assert same_noise(999, here, there) > 900
