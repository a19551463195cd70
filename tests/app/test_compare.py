"""Two runs beside each other: which states belong together, what is shown of them, and how one gets there and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from app.stages.compare import NO_PARTNER, SIZES, CompareStage
from app.stages.compare_plan import ENDS, MORPHS, Pair
from app.stages.compare_sights import Side, apart, of_pictures
from app.state import COMPARE
from app.window import STAGES, MainWindow
from core.measures import psnr
from core.requests import FromLatent, FromStep, SamplerSpec, SeedEnd
from tests.app.conftest import shown_window
from tests.app.scenes import finished_runs as run
from tests.app.test_history import INVERSION, MORPH, REQUEST

DDIM = replace(REQUEST, timesteps=(900, 600, 300, 0))
DDPM = replace(REQUEST, timesteps=(990, 800, 610, 400, 290, 100), sampler=SamplerSpec("ddpm"), seed=5)


@pytest.fixture
def window(qapp, qtbot) -> MainWindow:
    made = shown_window(qtbot, [stage for stage in STAGES if stage[0] in ("forward", "denoise")])
    made.bridge.ready()
    made.state.move(stage="denoise")
    return made


def comparing(window: MainWindow, *requests) -> CompareStage:
    """Both runs made, the first looked at, and then compared."""
    first, second = run(window, *requests)
    steps = window.state.runs[first].steps
    window.state.move(run=first, step=steps)
    window.care.compare(first, second)
    assert isinstance(window.stage, CompareStage)
    return window.stage


# Which states belong together


def test_that_states_of_two_walks_are_paired_by_the_nearest_t(window) -> None:
    first, second = (window.state.runs[job] for job in run(window, DDIM, DDPM))
    pair = Pair(first, second)
    assert pair.times == (900, 600, 300, 0, -1)
    assert [pair.nearest(step) for step in range(5)] == [0, 2, 4, 6, 6]
    assert pair.is_exact(4)
    assert not pair.is_exact(1)


def test_that_a_run_that_is_under_way_is_paired_as_far_as_it_has_come(window) -> None:
    (first,) = run(window, DDIM)
    second = window.bridge.submit(DDPM)
    window.bridge.advance(second, 2)
    pair = Pair(window.state.runs[first], window.state.runs[second])
    assert [pair.nearest(step) for step in range(5)] == [0, 2, 2, 2, 2]


def test_that_with_another_noise_schedule_states_are_paired_by_their_noise(window) -> None:
    cosine = replace(DDPM, schedule=replace(DDPM.schedule, name="cosine"))
    first, second = (window.state.runs[job] for job in run(window, DDIM, cosine))
    pair = Pair(first, second)
    assert pair.by_level
    for step, level in enumerate(first.path):
        apart_by = [abs(level.alpha_bar**0.5 - other.alpha_bar**0.5) for other in second.path]
        noise = [abs(np.arccos(level.alpha) - np.arccos(other.alpha)) for other in second.path]
        assert pair.nearest(step) == int(np.argmin(noise)), apart_by


def test_that_an_inversion_and_its_way_back_are_compared_at_the_same_t(window) -> None:
    back = replace(REQUEST, timesteps=(750, 500, 250, 0), count=1, labels=(3,), start=FromLatent(INVERSION))
    first, second = (window.state.runs[job] for job in run(window, INVERSION, back))
    pair = Pair(first, second)
    assert [first.path[step].t for step in range(5)][1:] == [0, 250, 500, 750]
    assert [second.path[pair.nearest(step)].t for step in range(1, 5)] == [0, 250, 500, 750]


def test_that_a_branch_of_one_sample_is_compared_with_that_sample(window) -> None:
    branch = replace(DDIM, timesteps=(300, 0), start=FromStep(DDIM, 2), cells=(1,))
    first, second = (window.state.runs[job] for job in run(window, DDIM, branch))
    assert not Pair(first, second).can_show_all
    ours, theirs = Pair(second, first).spots(0, None)
    assert (ours.cells, theirs.cells, ours.numbers, theirs.numbers) == ((0,), (1,), (2,), (2,))
    assert (ours.step, theirs.step) == (0, 2)


def test_that_frames_of_morphs_are_paired_by_where_they_lie(window) -> None:
    finer = replace(MORPH, frames=9)
    first, second = (window.state.runs[job] for job in run(window, MORPH, finer))
    pair = Pair(first, second)
    assert pair.times == (1, 2, 3, 4, 5)
    assert [pair.spots(frame, None)[1].frame for frame in range(5)] == [0, 2, 4, 6, 8]
    assert all(pair.is_exact(frame) for frame in range(5))
    assert not Pair(second, first).is_exact(1)


def test_that_what_cannot_be_compared_says_why(window) -> None:
    three = replace(MORPH, ends=(*MORPH.ends, SeedEnd(3)))
    sample, morph, larger = (window.state.runs[job] for job in run(window, DDIM, MORPH, three))
    assert Pair(sample, morph).why_not == MORPHS
    assert Pair(morph, larger).why_not == ENDS
    assert Pair(sample, sample).why_not == ""


def test_that_a_branch_is_not_compared_with_what_was_before_it_left(window) -> None:
    branch = replace(DDIM, timesteps=(300, 0), start=FromStep(DDIM, 2), guidance=4.0)
    first, second = (window.state.runs[job] for job in run(window, DDIM, branch))
    assert [Pair(first, second).is_within(step) for step in range(5)] == [False, False, True, True, True]
    assert all(Pair(second, first).is_within(step) for step in range(3))


# How far apart


def side(values: np.ndarray, *, is_exact: bool = True) -> Side:
    pictures = np.clip(np.rint((values.transpose(0, 2, 3, 1) + 1) * 127.5), 0, 255).astype(np.uint8)
    return Side(pictures, values, is_exact)


def test_that_errors_are_those_of_data_between_0_and_1() -> None:
    one, other = np.zeros((2, 1, 4, 4), np.float32), np.full((2, 1, 4, 4), 0.5, np.float32)
    found = apart(side(one), side(other))
    assert found is not None
    assert found.mse == pytest.approx(0.0625)  # half of a range of 2, squared
    assert found.psnr == pytest.approx(10 * np.log10(16))
    assert found.largest == 0.5
    assert (found.signed == -0.5).all()


def test_that_where_one_side_is_known_as_a_picture_only_pictures_are_compared() -> None:
    beyond = np.full((1, 1, 2, 2), 3.0, np.float32)
    found = apart(side(beyond), side(np.ones((1, 1, 2, 2), np.float32), is_exact=False))
    assert found is not None
    assert (found.mse, found.psnr, found.is_exact) == (0.0, psnr(0), False)


def test_that_pictures_of_two_sizes_are_not_subtracted() -> None:
    assert apart(side(np.zeros((1, 1, 4, 4), np.float32)), side(np.zeros((1, 1, 8, 8), np.float32))) is None


def test_that_bytes_become_numbers_around_zero() -> None:
    values = of_pictures(np.array([[[[0], [255]]]], np.uint8))
    assert values.tolist() == [[[[-1.0, 1.0]]]]


# What is shown


def test_that_both_runs_are_shown_from_the_state_looked_at(window) -> None:
    stage = comparing(window, DDIM, DDPM)
    assert (window.state.cursor.stage, window.state.cursor.run, window.state.cursor.beside) == (COMPARE, 1, 2)
    assert stage.transport.position == 4
    assert stage.transport.times == (900, 600, 300, 0, -1)
    assert stage.view.wipe.isVisible()
    assert not stage.view.first.isVisible()
    assert (stage.view.wipe.content.values == stage.view.first.content.values).all()


def test_that_one_slider_moves_both_runs_and_says_where_the_second_stands(window) -> None:
    stage = comparing(window, DDIM, DDPM)
    stage.transport.rail.ask(1)
    stage.transport.flush()
    assert (window.state.cursor.step, window.state.cursor.t) == (1, 600)
    assert "t = 600" in stage.view.first.accessibleName()
    assert "t = 610" in stage.view.second.accessibleName()
    assert "nearest t is shown, t = 610" in stage.facts.note.text()
    shown = window.bridge.frame(2, 2).x_t[:, 0, 0, 0]
    assert (stage.view.second.content.values[:, 0, 0, 0] == shown).all()


def test_that_arrows_and_space_belong_to_the_slider_of_both(window, qtbot) -> None:
    stage = comparing(window, DDIM, DDPM)
    stage.seek(-2)
    assert window.state.cursor.step == 2
    window.registry["toggle"].trigger()
    assert stage.transport.is_playing
    window.registry["toggle"].trigger()


@pytest.mark.parametrize("mode", ["wipe", "beside", "difference"])
def test_that_the_way_of_showing_is_chosen(window, mode) -> None:
    stage = comparing(window, DDIM, DDPM)
    stage.controls.mode.set_value(mode)
    shown = [name for name in ("wipe", "first", "second", "difference") if getattr(stage.view, name).isVisible()]
    assert shown == {"beside": ["first", "second"]}.get(mode, [mode])


def test_that_the_difference_is_of_the_unclamped_states_with_its_range_printed(window) -> None:
    stage = comparing(window, DDIM, DDPM)
    stage.controls.mode.set_value("difference")
    stage.seek(-2)
    ours, theirs = window.bridge.values(1, 2), window.bridge.values(2, 4)
    drawn, limit = stage.view.difference.content.signed
    assert drawn == pytest.approx((ours - theirs)[:, 0], abs=1e-6)
    assert limit == pytest.approx(np.abs(ours - theirs).max())
    mse = np.square((ours - theirs) / 2).mean()
    assert stage.facts.figures["mse"].text() == f"{mse:.6f}"
    assert stage.facts.figures["psnr"].text() == f"{-10 * np.log10(mse):.2f} dB"


def test_that_x0_hat_is_asked_of_the_network_for_one_run_after_the_other(window) -> None:
    stage = comparing(window, DDIM, DDPM)
    stage.seek(-2)
    stage.sights._sights.memory.clear()
    stage.controls.what.set_value("x0_hat")
    assert [(ask.run, ask.step) for ask in window.bridge.asked[-1:]] == [(1, 2)]
    window.bridge.answer()
    assert [(ask.run, ask.step) for ask in window.bridge.asked[-1:]] == [(2, 4)]
    answer = window.bridge.answer()
    assert (stage.view.second.content.values == answer.x0_hat).all()
    assert stage.view.wipe.quantity == "x0_hat"
    assert "clamped" in stage.facts.note.text()


def test_that_one_sample_of_the_batch_is_enlarged_in_both_and_all_come_back(window) -> None:
    stage = comparing(window, DDIM, DDPM)
    assert stage.view.first.count == 2
    stage.view.row.cell_clicked.emit(1)
    assert stage.controls.sample.value() == "1"
    assert (stage.view.first.count, stage.view.second.count) == (1, 1)
    assert "sample 2" in stage.view.first.accessibleName()
    assert stage.view.wipe.accessibleName().endswith("Run 1 | Run 2, data, sample 2")
    stage.view.row.cell_clicked.emit(0)
    assert stage.view.first.count == 2


def test_that_only_settings_that_differ_are_listed(window) -> None:
    stage = comparing(window, DDIM, replace(DDIM, guidance=4.0))
    assert stage.facts.rows() == [("Guidance w", "1.5", "4")]


def test_that_alike_runs_are_said_to_be_alike(window) -> None:
    stage = comparing(window, DDIM, replace(DDIM))
    assert stage.facts.rows() == []
    assert (stage.facts.figures["mse"].text(), stage.facts.figures["psnr"].text()) == ("0.000000", "∞ dB")


def test_that_swapping_lets_the_second_run_lead_from_where_it_was(window) -> None:
    stage = comparing(window, DDIM, DDPM)
    stage.seek(-3)
    stage.controls.swap.click()
    cursor = window.state.cursor
    assert (cursor.run, cursor.beside, cursor.step) == (2, 1, 2)
    assert stage.transport.times[:2] == (990, 800)


def test_that_other_runs_are_chosen_in_the_lists(window) -> None:
    stage = comparing(window, DDIM, DDPM)
    (third,) = run(window, replace(DDIM, seed=9))
    stage.controls.second.set_value(str(third))
    assert (window.state.cursor.run, window.state.cursor.beside) == (1, third)
    assert stage.facts.rows() == [("Seed", "1", "9")]
    stage.controls.first.set_value(str(third))
    assert (window.state.cursor.run, window.state.cursor.beside) == (third, 1)


def test_that_a_run_that_cannot_be_compared_is_greyed_with_the_reason(window) -> None:
    stage = comparing(window, DDIM, DDPM)
    (morph,) = run(window, MORPH)
    assert stage.controls.second.reason(str(morph)) == MORPHS
    window.care.compare(1, morph)
    assert window.state.cursor.beside == 2
    assert window.status_line._hint.text() == MORPHS


def test_that_morphs_are_compared_frame_by_frame(window) -> None:
    first, second = run(window, MORPH, replace(MORPH, frames=9))
    window.care.compare(first, second)
    stage = window.stage
    stage.seek(2)
    assert (window.state.cursor.frame, stage.transport.time_label.text()) == (2, "frame")
    assert "frame 3" in stage.view.first.accessibleName()
    assert "frame 5" in stage.view.second.accessibleName()
    assert stage.transport.rail._ends == ("frame 1", f"frame {MORPH.frames}")
    assert {pane.quantity for pane in (stage.view.first, stage.view.wipe)} == {"x_0"}  # finished, not on their way
    assert stage.controls.what.reason("x0_hat")


def test_that_pictures_of_two_sizes_are_shown_side_by_side_alone(window) -> None:
    first, second = run(window, DDIM, DDPM)
    whole = window.bridge.frame
    smaller = lambda job, step, frame=None: (  # noqa: E731
        replace(whole(job, step), x_t=whole(job, step).x_t[:, ::2, ::2]) if job == second else whole(job, step, frame)
    )
    window.bridge.frame = smaller
    window.care.compare(first, second)
    stage = window.stage
    stage.sights._sights.memory.clear()
    stage.seek(-2)
    assert stage.view.first.isVisible()
    assert stage.controls.mode.reason("wipe") == SIZES
    assert SIZES in stage.facts.note.text()
    assert stage.facts.figures["mse"].text() == "–"


def test_that_the_error_at_every_position_is_drawn_under_the_slider(window, qtbot) -> None:
    stage = comparing(window, DDIM, DDPM)
    qtbot.waitUntil(lambda: len(stage.curve.values) == 5)
    pair = stage.pair
    for position, value in stage.curve.values.items():
        ours, theirs = window.bridge.values(1, position), window.bridge.values(2, pair.nearest(position))
        assert value == pytest.approx(np.square((ours - theirs) / 2).mean())
    all_samples = dict(stage.curve.values)
    stage.controls.turn_cell(1)
    qtbot.waitUntil(lambda: len(stage.curve.values) == 5 and stage.curve.values != all_samples)
    stage.seek(-1)
    assert stage.curve.current == 3
    above, below = (stage.curve.place(0, value * stage.curve.largest()).y() for value in (1, 0))
    assert above < below
    assert stage.curve.table()[1] == (0, stage.curve.values[0])


# There and back


def test_that_esc_leads_back_to_the_stage_and_the_run(window) -> None:
    comparing(window, DDIM, DDPM).seek(-2)
    window.registry["stop"].trigger()
    cursor = window.state.cursor
    assert (cursor.stage, cursor.run, cursor.step, cursor.beside) == ("denoise", 1, 2, None)
    assert window.registry["stage_denoise"].isChecked()


def test_that_done_and_the_key_of_the_command_lead_back_as_well(window) -> None:
    stage = comparing(window, DDIM, DDPM)
    stage.controls.done.click()
    assert window.state.cursor.stage == "denoise"
    window.registry["compare"].trigger()
    assert window.state.cursor.stage == COMPARE
    assert window.registry["compare"].isChecked()
    window.registry["compare"].trigger()
    assert window.state.cursor.stage == "denoise"


def test_that_without_a_choice_a_branch_is_compared_with_its_parent(window) -> None:
    branch = replace(DDIM, timesteps=(300, 0), start=FromStep(DDIM, 2), guidance=4.0)
    first, second, _third = run(window, DDIM, branch, DDPM)
    window.state.move(run=second, step=2)
    window.registry["compare"].trigger()
    assert (window.state.cursor.run, window.state.cursor.beside) == (second, first)


def test_that_ctrl_click_on_a_second_run_compares_and_a_click_leads_to_one(window, qtbot) -> None:
    run(window, DDIM, DDPM)
    window.state.move(run=1, step=4)
    history = window.history

    def click(row: int, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        place = history.visualItemRect(history.topLevelItem(row)).center()
        qtbot.mouseClick(history.viewport(), Qt.MouseButton.LeftButton, modifier, place)

    click(1, Qt.KeyboardModifier.ControlModifier)
    assert (window.state.cursor.stage, window.state.cursor.run, window.state.cursor.beside) == (COMPARE, 1, 2)
    assert history.jobs() == (1, 2)
    click(1)
    assert (window.state.cursor.stage, window.state.cursor.run) == ("denoise", 2)
    assert history.jobs() == (2,)


def test_that_the_other_of_a_deleted_run_is_compared_with_what_is_left(window) -> None:
    comparing(window, DDIM, DDPM)
    (third,) = run(window, replace(DDIM, seed=9))
    window.care.delete((2,))
    assert window.state.cursor.stage == "denoise"
    window.registry["compare"].trigger()
    assert (window.state.cursor.run, window.state.cursor.beside) == (1, third)


def test_that_a_single_run_has_nothing_to_be_compared_with(window) -> None:
    run(window, DDIM)
    assert not window.registry["compare"].isEnabled()
    (_morph,) = run(window, MORPH)
    window.state.move(stage="denoise", run=1, step=0)
    window.state.move(stage=COMPARE)
    assert window.stage.facts.note.text() == NO_PARTNER


def test_that_the_session_is_kept_as_if_the_first_run_was_looked_at(window) -> None:
    comparing(window, DDIM, DDPM)
    cursor = window.sessions.contents.session().cursor
    assert (cursor.stage, cursor.run, cursor.beside) == ("denoise", 1, None)


# The line between two pictures


def test_that_the_line_is_dragged_and_moved_by_keys(window, qtbot) -> None:
    wipe = comparing(window, DDIM, DDPM).view.wipe
    middle = QPoint(int(wipe.line_at()), 40)
    assert wipe.share == 0.5
    qtbot.mousePress(wipe, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(wipe, middle - QPoint(60, 0))
    qtbot.mouseRelease(wipe, Qt.MouseButton.LeftButton, pos=middle - QPoint(60, 0))
    dragged = wipe.share
    assert dragged < 0.45
    qtbot.keyClick(wipe, Qt.Key.Key_Right)
    assert wipe.share == pytest.approx(dragged + 0.02)
    qtbot.keyClick(wipe, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert wipe.share == pytest.approx(dragged - 0.08)
    qtbot.mouseDClick(wipe, Qt.MouseButton.LeftButton, pos=QPoint(int(wipe.line_at()), 40))
    assert wipe.share == 0.5


def test_that_each_side_of_the_line_shows_its_run_and_is_taken_as_that(window) -> None:
    stage = comparing(window, DDIM, replace(DDPM, count=1, labels=(3,)))
    wipe = stage.view.wipe
    wipe.set_pair(np.full((1, 32, 32, 1), 40, np.uint8), np.full((1, 32, 32, 1), 200, np.uint8))
    shot = wipe.grab().toImage()
    line, height = int(wipe.line_at()), shot.height() // 3
    assert [shot.pixelColor(line + aside, height).red() for aside in (-20, 20)] == [40, 200]
    readings = []
    for aside in (-20, 20):
        wipe._hover(wipe._pixel_at(QPoint(line + aside, height).toPointF()))
        readings.append((wipe.reading().split()[-1], int(wipe.taken().values[0, 0, 0, 0]), wipe.name(0)))
    assert [reading[:2] for reading in readings] == [("40", 40), ("200", 200)]
    assert [reading[2].split(",")[0] for reading in readings] == ["Run 1", "Run 2"]
    assert wipe.recipe_of(0).request.sampler.name == "ddpm"
