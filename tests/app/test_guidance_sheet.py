"""The guidance sheet: one run a row, the same noise in each column, every cell a trajectory, the whole a file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from app.stages.denoise_settings import ClassifierSettings, DenoiseSettings, settings_of
from app.stages.guidance_export import export
from app.stages.guidance_plan import SheetPlan, plan, values_of
from app.stages.guidance_recall import plan_in, recall
from core.errors import Refusal
from core.recipe import read_recipe
from core.requests import FromStep, SampleRequest, SamplerSpec
from tests.app.fake_engine import DIGITS, GUIDE
from tests.app.scenes import denoising

WITHOUT_LABELS = replace(DIGITS, labels=(), null_label=None)


@pytest.fixture
def scene(qtbot):
    """Denoise with a model, about to make 3 steps of 2 samples, its sheet of 2 rows open."""
    with denoising(qtbot) as (state, bridge, stage):
        bridge.ready()
        stage.controls.steps.set_value(3)
        stage.controls.count.set_value(2)
        stage.buttons.sheet.setChecked(True)
        stage.sheet.page.values.setText("0, 3")
        stage.sheet.page.values.editingFinished.emit()
        yield state, bridge, stage


def render(scene):
    """Press the button; the jobs of the rows."""
    _, _, stage = scene
    stage.buttons.run.click()
    return stage.sheet.jobs


# On paper


def test_that_rows_differ_in_w_alone_and_share_their_noise():
    made = plan(DenoiseSettings(labels=(3,), count=4, seed=7), "w", (0.0, 1.0, 4.0), "noise", DIGITS)
    assert [request.guidance for request in made.requests] == [0, 1, 4]
    assert len({replace(request, guidance=0.0) for request in made.requests}) == 1
    assert made.requests[0].seed == 7
    assert (made.rows, made.columns) == (("w = 0", "w = 1", "w = 4"), ("1", "2", "3", "4"))


def test_that_columns_by_label_are_all_classes_once():
    made = plan(DenoiseSettings(labels=(3,), count=4), "w", (1.0,), "labels", DIGITS)
    assert made.columns == DIGITS.labels
    assert made.requests[0].labels == tuple(range(10))


def test_that_without_labels_of_its_own_a_model_goes_to_the_classifiers():
    settings = DenoiseSettings(classifier=ClassifierSettings(GUIDE), count=4)
    made = plan(settings, "scale", (0.0, 8.0), "labels", WITHOUT_LABELS)
    assert made.columns == GUIDE.labels
    assert [request.classifier.scale for request in made.requests] == [0, 8]
    assert all(request.classifier.labels == tuple(range(10)) for request in made.requests)
    assert made.rows == ("s = 0", "s = 8")


@pytest.mark.parametrize(
    ("over", "by", "words"),
    [("w", "noise", "no null label"), ("scale", "noise", "No classifier"), ("scale", "labels", "knows no labels")],
)
def test_that_a_sheet_that_cannot_be_had_is_refused_with_what_to_do(over, by, words):
    with pytest.raises(Refusal, match=words):
        plan(DenoiseSettings(), over, (1.0,), by, WITHOUT_LABELS)


@pytest.mark.parametrize("text", ["", "one, two", "1, nan", ", ".join(map(str, range(17)))])
def test_that_rows_that_are_no_numbers_are_refused(text):
    with pytest.raises(Refusal, match=r"0, 0\.5, 1, 2, 4"):
        values_of(text, "w")


def test_that_less_than_no_guidance_is_refused():
    assert values_of("-1 0", "w") == (-1, 0)
    with pytest.raises(Refusal, match="−1"):
        values_of("-2", "w")


# On the screen


def test_that_the_sheet_to_come_is_there_before_anything_runs(scene):
    _, bridge, stage = scene
    assert stage.sheet.page.isVisible()
    assert not stage.view.isVisible()
    assert stage.sheet.page.sheet.rows == ("w = 0", "w = 3")
    assert stage.sheet.page.sheet.columns == ("0", "1")
    assert stage.buttons.run.text() == "Render sheet"
    assert bridge.submitted == []


def test_that_rendering_queues_a_run_for_each_row(scene):
    _, bridge, _ = scene
    assert render(scene) == (1, 2)
    assert [request.guidance for request in bridge.submitted] == [0, 3]
    assert {request.count for request in bridge.submitted} == {2}


@pytest.mark.parametrize(
    ("control", "value", "rows", "columns"),
    [
        ("values", "1, 2, 5", ("w = 1", "w = 2", "w = 5"), ("0", "1")),
        ("by", "labels", ("w = 0", "w = 3"), DIGITS.labels),
        ("over", "scale", ("s = 0", "s = 3"), ("0", "1")),
    ],
)
def test_that_every_control_of_the_sheet_is_in_its_runs(scene, control, value, rows, columns):
    _, bridge, stage = scene
    bridge.know()
    stage.controls.classifier.choice.set_value(GUIDE.ref.sha256)
    widget = getattr(stage.sheet.page, control)
    if control == "values":
        widget.setText(value)
        widget.editingFinished.emit()
    else:
        widget.set_value(value)
    assert (stage.sheet.page.sheet.rows, stage.sheet.page.sheet.columns) == (rows, columns)
    render(scene)
    assert len(bridge.submitted) == len(rows)
    assert {request.count for request in bridge.submitted} == {len(columns)}
    varied = [(request.guidance, request.classifier.scale) for request in bridge.submitted]
    assert len(set(varied)) == len(rows)


def test_that_cells_fill_while_their_row_is_made_and_are_finished_with_it(scene):
    _, bridge, stage = scene
    sheet = stage.sheet.page.sheet
    first, second = render(scene)
    bridge.advance(first, 2)
    assert [sheet.has(cell) for cell in range(4)] == [True, True, False, False]
    assert not sheet.is_finished(0)
    bridge.advance(first, 1)
    bridge.end(first)
    assert [sheet.is_finished(cell) for cell in range(4)] == [True, True, False, False]
    bridge.run_to_end(second)
    assert sheet.is_finished(3)
    assert not stage.sheet.is_busy


def test_that_slider_and_curves_are_those_of_the_first_row_whatever_was_looked_at_before(scene):
    state, bridge, stage = scene
    stage.buttons.sheet.setChecked(False)
    stage.buttons.run.click()
    bridge.run_to_end(1)
    stage.buttons.sheet.setChecked(True)
    guidance = stage.controls.guidance.value()
    first, second = render(scene)
    bridge.run_to_end(first)
    bridge.run_to_end(second)
    assert (state.cursor.run, state.cursor.step) == (first, 3)
    assert stage.sheet.page.isVisible()
    assert stage.controls.guidance.value() == guidance, "the controls are still those of the whole sheet"


def test_that_the_slider_takes_every_row_through_t(scene):
    state, bridge, stage = scene
    for job in render(scene):
        bridge.run_to_end(job)
    sheet = stage.sheet.page.sheet
    at_the_end = [sheet.picture(cell) for cell in range(4)]
    stage.transport.position_requested.emit(1)
    assert stage.sheet.page.isVisible()
    assert all(sheet.picture(cell) != before for cell, before in enumerate(at_the_end))
    assert all(sheet.is_finished(cell) for cell in range(4)), "it is what there was"
    t = state.runs[1].path[1].t
    assert f"t = {t:.0f}" in stage.sheet.page.note.text()
    stage.transport.position_requested.emit(3)
    assert [sheet.picture(cell) for cell in range(4)] == at_the_end
    assert "t =" not in stage.sheet.page.note.text()


def test_that_a_row_that_ends_later_joins_the_others_where_they_are(scene):
    _, bridge, stage = scene
    first, second = render(scene)
    bridge.run_to_end(first)
    stage.transport.position_requested.emit(1)
    bridge.advance(second, 3)
    bridge.end(second)
    sheet = stage.sheet.page.sheet
    assert sheet.picture(2) == sheet.picture(0), "the toy engine draws the same at the same step"


def test_that_a_cell_opens_at_the_state_that_the_sheet_shows_and_escape_leads_back(scene):
    state, bridge, stage = scene
    for job in render(scene):
        bridge.run_to_end(job)
    stage.transport.position_requested.emit(2)
    stage.sheet.page.sheet.cell_clicked.emit(3)
    assert (state.cursor.run, state.cursor.step, stage.view.cell) == (2, 2, 1)
    stage.stop()
    assert stage.sheet.page.isVisible()
    assert stage.sheet.step == 2
    stage.stop()
    assert stage.view.isVisible()
    stage.stop()
    assert stage.view.cell is None
    assert stage.view.isVisible()


def test_that_the_slider_of_another_run_leaves_the_sheet(scene):
    _, bridge, stage = scene
    stage.buttons.sheet.setChecked(False)
    stage.buttons.run.click()
    bridge.run_to_end(1)
    stage.buttons.sheet.setChecked(True)
    stage.transport.position_requested.emit(1)
    assert stage.view.isVisible()


def test_that_a_run_chosen_in_the_history_is_shown_in_place_of_the_sheet(scene):
    state, bridge, stage = scene
    for job in render(scene):
        bridge.run_to_end(job)
    state.move(run=2, step=1)
    assert stage.view.isVisible()


def test_that_escape_in_the_row_being_made_stops_the_sheet(scene):
    _, bridge, stage = scene
    first, second = render(scene)
    bridge.advance(first, 1)
    stage.sheet.page.sheet.cell_clicked.emit(0)
    assert stage.view.isVisible()
    stage.stop()
    assert [call for call in bridge.calls if call[0] == "cancel"] == [("cancel", second), ("cancel", first)]


def test_that_a_cell_opens_as_the_whole_trajectory_of_its_sample(scene):
    state, bridge, stage = scene
    for job in render(scene):
        bridge.run_to_end(job)
    stage.sheet.page.sheet.cell_clicked.emit(3)
    assert (state.cursor.run, state.cursor.step, stage.view.cell) == (2, 3, 1)
    assert stage.view.isVisible()
    assert stage.view.x_t.content.shape[0] == 1
    stage.transport.position_requested.emit(1)
    assert state.cursor.step == 1
    assert stage.view.cell == 1
    stage.buttons.sheet.setChecked(True)
    assert stage.sheet.page.sheet.current == 3
    assert stage.sheet.page.sheet.is_finished(3), "the sheet is still there"


def test_that_escape_stops_the_row_and_those_that_wait_and_then_leads_back(scene):
    _, bridge, stage = scene
    first, second = render(scene)
    bridge.advance(first, 1)
    assert stage.buttons.stop.isEnabled()
    stage.stop()
    assert [call for call in bridge.calls if call[0] == "cancel"] == [("cancel", second), ("cancel", first)]
    bridge.end(first, "stopped")
    stage.stop()
    assert stage.view.isVisible()


def test_that_a_row_that_fails_is_said_and_the_others_go_on(scene):
    _, bridge, stage = scene
    first, second = render(scene)
    bridge.fail(first, "It broke.")
    assert stage.errors.message() == "It broke."
    bridge.run_to_end(second)
    assert stage.sheet.page.sheet.is_finished(2)


def test_that_another_seed_plans_another_sheet(scene):
    _, bridge, stage = scene
    for job in render(scene):
        bridge.run_to_end(job)
    stage.controls.seed.set_seed(5)
    assert not stage.sheet.page.sheet.has(0)
    render(scene)
    assert bridge.submitted[-1].seed == 5


def test_that_nonsense_for_rows_is_refused_in_words_and_nothing_is_rendered(scene):
    _, _, stage = scene
    stage.sheet.page.values.setText("much")
    stage.sheet.page.values.editingFinished.emit()
    assert "numbers separated by commas" in stage.errors.message()
    assert not stage.buttons.run.isEnabled()
    stage.sheet.page.values.setText("1")
    stage.sheet.page.values.editingFinished.emit()
    assert stage.errors.message() == ""
    assert stage.buttons.run.isEnabled()


def test_that_only_what_the_model_can_be_asked_for_is_offered(scene):
    _, bridge, stage = scene
    assert "classifier" in stage.sheet.page.over.refusal("scale")
    bridge.ready(WITHOUT_LABELS)
    assert "null label" in stage.sheet.page.over.refusal("w")
    assert "no null label" in stage.errors.message()
    bridge.know()
    stage.controls.classifier.choice.set_value(GUIDE.ref.sha256)
    assert stage.sheet.page.over.value() == "scale"
    assert stage.errors.message() == ""


def test_that_the_sheet_is_saved_with_all_its_pictures_at_their_places(scene, tmp_path):
    _, bridge, stage = scene
    assert not stage.sheet.page.save.isEnabled()
    for job in render(scene):
        bridge.run_to_end(job)
    said = []
    stage.hint_changed.connect(said.append)
    stage.sheet.write(tmp_path / "sheet.png")
    assert "sheet.png" in said[-1]
    pixels = np.asarray(Image.open(tmp_path / "sheet.png").convert("L"))
    cells = pixels[-8 - 194 : -8, -8 - 194 : -8]  # 32 pixels three times as large, and a gap
    assert (cells == 10).sum() == 4 * 96 * 96
    assert (cells == 255).sum() == cells.size - 4 * 96 * 96


def test_that_a_sheet_without_pictures_is_not_saved(scene, tmp_path):
    _, _, stage = scene
    stage.sheet.write(tmp_path / "sheet.png")
    assert "Render the sheet first" in stage.errors.message()
    assert not (tmp_path / "sheet.png").exists()


def test_that_pixels_of_the_file_are_those_of_the_pictures_and_missing_ones_are_white(tmp_path):
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4, 1) * 16
    request = SampleRequest(DIGITS.ref, DIGITS.schedule, (900, 300), "leading", SamplerSpec(), seed=1, count=2)
    export(tmp_path / "sheet.png", SheetPlan(("w = 0",), ("1", "2"), (request,)), {1: picture})
    pixels = np.asarray(Image.open(tmp_path / "sheet.png"))
    right, top = pixels.shape[1] - 8 - 96, pixels.shape[0] - 8 - 96
    assert [pixels[top + 24 * 3 + 5, right + 24 * x + 5] for x in range(4)] == [192, 208, 224, 240]
    assert (pixels[top : top + 96, right - 98 : right] == 255).all()
    assert (pixels[:top, right:] < 128).any(), "the name of the column"
    assert (pixels[top:, : right - 98] < 128).any(), "the name of the row"


# Brought back


def brought_back(scene, recipe):
    """Restore all that a file carries, as the window does when it has found it."""
    state, _, stage = scene
    plan = plan_in(recipe)
    stage.controls.set_settings(settings_of(plan.requests[0], state.classifiers))
    stage.controls.settle()
    return recall(stage, plan)


def made_sheet(scene, tmp_path):
    """The recipe of a finished sheet, after which another is laid out."""
    _, bridge, stage = scene
    for job in render(scene):
        bridge.run_to_end(job)
    stage.sheet.write(tmp_path / "sheet.png")
    recipe = read_recipe(tmp_path / "sheet.png")
    stage.buttons.sheet.setChecked(False)
    stage.controls.seed.set_seed(99)
    stage.controls.steps.set_value(7)
    stage.sheet.page.values.setText("1, 2, 3")
    stage.sheet.page.values.editingFinished.emit()
    return recipe


@pytest.mark.parametrize("by", ["noise", "labels"])
def test_that_a_sheet_comes_back_with_its_names_and_the_page_that_made_it(scene, tmp_path, by):
    _, _, stage = scene
    stage.sheet.page.by.set_value(by)
    recipe = made_sheet(scene, tmp_path)
    columns = DIGITS.labels if by == "labels" else ("0", "1")
    assert (recipe.shown.layout, recipe.shown.names, recipe.shown.row_names) == ("table", columns, ("w = 0", "w = 3"))
    stage.sheet.page.by.set_value("noise")
    jobs = brought_back(scene, recipe)
    page = stage.sheet.page
    assert page.isVisible()
    assert (page.values.text(), page.by.value(), page.over.value()) == ("0, 3", by, "w")
    assert (page.sheet.rows, page.sheet.columns) == (("w = 0", "w = 3"), columns)
    assert jobs == (1, 2), "what is there is not made again"
    assert page.sheet.is_finished(3)
    stage.sheet.page.changed.emit()
    assert page.sheet.is_finished(3), "the controls say this very sheet"


def test_that_rows_that_are_not_there_are_made_again(scene, tmp_path):
    state, bridge, stage = scene
    recipe = made_sheet(scene, tmp_path)
    state.remove_run(2)
    jobs = brought_back(scene, recipe)
    assert jobs == (1, 3)
    assert bridge.submitted[-1].guidance == 3
    bridge.run_to_end(3)
    assert stage.sheet.page.sheet.is_finished(3)


def test_that_a_sheet_of_classifier_scales_is_known_by_them(scene, tmp_path):
    _, bridge, stage = scene
    bridge.know()
    stage.controls.classifier.choice.set_value(GUIDE.ref.sha256)
    stage.sheet.page.over.set_value("scale")
    stage.sheet.page.values.setText("0, 2.5")
    stage.sheet.page.values.editingFinished.emit()
    recipe = made_sheet(scene, tmp_path)
    stage.sheet.page.over.set_value("w")
    brought_back(scene, recipe)
    assert (stage.sheet.page.over.value(), stage.sheet.page.values.text()) == ("scale", "0, 2.5")


def test_that_other_recipes_are_no_sheet(scene, tmp_path):
    recipe = made_sheet(scene, tmp_path)
    assert plan_in(replace(recipe, rows=())) is None
    other = replace(recipe.rows[0], seed=5)
    assert plan_in(replace(recipe, rows=(other,))) is None
    branch = replace(recipe.request, start=FromStep(recipe.request, 1), timesteps=recipe.request.timesteps[1:])
    assert plan_in(replace(recipe, request=branch, rows=(replace(branch, guidance=2.0),))) is None
    evil = replace(recipe, shown=replace(recipe.shown, names=("\u202e" * 500, "b")))
    assert max(map(len, plan_in(evil).columns)) < 100


def test_that_a_row_whose_states_made_room_is_made_again(scene, tmp_path):
    _, bridge, stage = scene
    before = set(render(scene))
    for job in before:
        bridge.run_to_end(job)
    stage.sheet.write(tmp_path / "sheet.png")
    bridge.let_go.add(max(before))
    again = set(brought_back(scene, read_recipe(tmp_path / "sheet.png")))
    assert before - again == {max(before)}
    assert len(again - before) == 1
    assert stage.sheet.is_busy
