"""Pictures that say how they were made: written by the window, offered when they come back, restored, copied."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from app.incoming import Offer, Source, offer, offer_of
from app.recipes import NOTHING
from app.restored_settings import stage_for
from app.stages.forward_scene import opaque
from app.window import STAGES, MainWindow
from core.codec import to_json
from core.forward import forward_of
from core.images import from_pixels, open_image
from core.messages import ModelOpened
from core.recipe import Recipe, Shown, of_request, read_recipe, to_text
from core.recipe_files import beside
from core.render import write_npy, write_png, write_safetensors
from core.requests import (
    Conversion,
    FromImage,
    FromLatent,
    FromStep,
    ImageEnd,
    ImageRef,
    InspectImage,
    InvertRequest,
    ModelRef,
    MorphRequest,
    NoiseRequest,
    RunRequest,
    SampleRequest,
    SamplerSpec,
    ScheduleSpec,
    SeedEnd,
)
from core.signed import coloured
from tests.app.conftest import shown_window
from tests.app.fake_engine import DIGITS

PICTURE = from_pixels(np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8), "flag.png")
IMAGE = ImageRef(PICTURE.sha256, Conversion((32, 32), 1))
SAMPLE = SampleRequest(
    DIGITS.ref, DIGITS.schedule, (900, 600, 300), "leading", SamplerSpec("ddpm", clip="none"), seed=77, count=4,
    labels=(1, 2, 1, 2), guidance=2.5,
)  # fmt: skip
INVERT = InvertRequest(DIGITS.ref, DIGITS.schedule, (300, 600, 900), "leading", (IMAGE,), (3,), refinements=2)

MORPH = MorphRequest(
    DIGITS.ref, DIGITS.schedule, (900, 600, 300), "leading", SamplerSpec("ddim"), (SeedEnd(1), SeedEnd(2)), 5,
    labels=(1, 2),
)  # fmt: skip


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot) -> MainWindow:
    made = shown_window(qtbot, STAGES)
    made.state.set_image(PICTURE)
    made.bridge.ready()
    return made


def drop(window: MainWindow, path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    window.commands.take(mime)


def choose(window: MainWindow, *paths: Path) -> QFileDialog:
    """The files are chosen in the dialog of File > Open picture…"""
    window.registry["open"].trigger()
    dialog = window.findChild(QFileDialog)
    dialog.filesSelected.emit([str(path) for path in paths])
    return dialog


def dropped(window: MainWindow, recipe: Recipe, folder: Path) -> None:
    """A grey picture with this recipe comes in."""
    path = folder / "made.png"
    write_png(path, np.full((4, 4, 1), 9, np.uint8), recipe)
    drop(window, path)


def saved(window: MainWindow, pane, cell: int, folder: Path) -> Recipe:
    """What a picture of the window says when it has been saved."""
    path = folder / "saved.png"
    window.commands.taking.write(from_pixels(pane.content.pixels(cell)), path, pane.recipe_of(cell))
    recipe = read_recipe(path)
    assert recipe is not None
    return recipe


def restore(window: MainWindow, *fields: str) -> None:
    bar = window.recipe_bar
    if not fields:
        bar.restore.click()
        return
    for name, box in bar.menu.boxes.items():
        box.setChecked(name in fields)
    bar.menu.take.click()


# ------------------------------------------------------------------------------------------------ written


def test_that_a_sample_on_its_way_says_its_run_its_step_and_itself(window: MainWindow, tmp_path: Path) -> None:
    job = window.bridge.submit(SAMPLE)
    window.bridge.run_to_end(job)
    window.state.move(stage="denoise", run=job, step=2, t=300)
    window.bridge.answer()
    view = window.stage.view
    assert saved(window, view.x_t, 1, tmp_path) == Recipe(SAMPLE, Shown("x_t", 2, (1,)))
    recipe = saved(window, view.x0_hat, 3, tmp_path)
    assert recipe == Recipe(SAMPLE, Shown("x0_hat", 2, (3,), as_walked=recipe.shown.as_walked))
    view.enlarge(2)
    assert saved(window, view.x_t, 0, tmp_path).shown.cells == (2,)


def test_that_signed_numbers_say_their_colours(window: MainWindow, tmp_path: Path) -> None:
    job = window.bridge.submit(SAMPLE)
    window.bridge.run_to_end(job)
    window.state.move(stage="denoise", run=job, step=1, t=600)
    pane = window.stage.view.eps_hat
    values = np.random.default_rng(2).standard_normal((4, 1, 6, 6), np.float32)
    pane.set_signed(values)
    recipe = saved(window, pane, 3, tmp_path)
    assert recipe.shown.quantity == "eps_hat"
    assert np.array_equal(coloured(values[3:], recipe.shown.signed)[0], pane.content.pixels(3))


def test_that_a_noised_picture_of_any_size_says_how_it_is_noised(window: MainWindow, tmp_path: Path) -> None:
    stage = window.stage
    large = from_pixels(np.random.default_rng(1).integers(0, 256, (900, 300, 4), dtype=np.uint8), "large.png")
    for image in (PICTURE, large):
        window.state.set_image(image)
        window.state.move(t=123)
        recipe = saved(window, stage.x_t, 0, tmp_path)
        assert isinstance(recipe.request, NoiseRequest)
        again = forward_of(recipe.request, image.pixels)
        assert np.array_equal(again.picture(123), stage.x_t.content.pixels(0))
        eps = saved(window, stage.eps, 0, tmp_path)
        wanted = coloured(again.eps.transpose(2, 0, 1)[None], eps.shown.signed)[0]
        assert np.array_equal(wanted, stage.eps.content.pixels(0))
    assert opaque(large.pixels, (255, 255, 255)).shape[2] == 3


def test_that_what_the_network_sees_in_a_picture_says_so(window: MainWindow, tmp_path: Path) -> None:
    window.state.move(t=400)
    request = window.bridge.asked[-1]
    window.bridge.answer(request)
    eye = window.stage.eye
    assert saved(window, eye.x0_hat, 0, tmp_path) == Recipe(request, Shown("x0_hat", cells=(0,)))
    assert saved(window, eye.score, 0, tmp_path).shown.quantity == "score"


def test_that_an_inversion_and_a_frame_of_a_morph_say_what_they_are(window: MainWindow, tmp_path: Path) -> None:
    window.bridge.add_image(PICTURE)
    window.state.move(stage="invert")
    job = window.bridge.submit(INVERT)
    window.bridge.run_to_end(job)
    window.state.move(stage="invert", run=job, step=2, t=600)
    assert saved(window, window.stage.view.x_t, 0, tmp_path) == Recipe(INVERT, Shown("x_t", 2, (0,)))
    morph = MorphRequest(
        DIGITS.ref, DIGITS.schedule, (900, 300), "leading", SamplerSpec(), (SeedEnd(1), SeedEnd(2)), 3, labels=(1, 2)
    )
    window.state.move(stage="morph")
    job = window.bridge.submit(morph)
    window.bridge.run_to_end(job)
    window.state.move(stage="morph", run=job, frame=1, step=2, t=-1)
    assert saved(window, window.stage.view.frame, 0, tmp_path) == Recipe(morph, Shown("x_t", 2, (1,)))
    window.stage.exporter.write(tmp_path / "m.gif")
    film = read_recipe(tmp_path / "m.gif")
    assert (film.request, film.shown.layout, film.shown.cells, film.shown.zoom) == (morph, "film", (0, 1, 2), 8)
    window.stage.exporter.write(tmp_path / "m.png")
    assert read_recipe(tmp_path / "m.png").shown.names == ("A", "A–B 0.50", "B")


def test_that_a_copied_picture_brings_its_recipe_when_it_is_pasted(window: MainWindow) -> None:
    window.state.move(t=250)
    window.registry["copy_picture"].trigger()
    mime = QApplication.clipboard().mimeData()
    recipe = read_recipe(bytes(mime.data("image/png").data()))
    assert isinstance(recipe.request, NoiseRequest | InspectImage)
    window.registry["paste"].trigger()
    assert window.commands.recipes.offered[2] == recipe


# ------------------------------------------------------------------------------------------------ offered


def test_that_what_hangs_on_the_pointer_says_that_it_can_be_restored(window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "made.png"
    write_png(path, np.full((4, 4, 1), 9, np.uint8), of_request(SAMPLE))
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    assert window.dropping._promise(offer(mime), mime) == ("restore this run", "made.png, or use it as a picture")
    write_png(path, np.full((4, 4, 1), 9, np.uint8))
    assert window.dropping._promise(offer(mime), mime)[0] != "restore this run"


def test_that_a_picture_with_a_recipe_is_offered_and_changes_nothing_yet(window: MainWindow, tmp_path: Path) -> None:
    dropped(window, of_request(SAMPLE), tmp_path)
    assert "DDPM 3 · w 2.5, with digits" in window.recipe_bar.words()
    assert window.state.image is PICTURE
    assert not window.bridge.submitted
    window.recipe_bar.close_button.click()
    assert (window.recipe_bar.words(), window.commands.recipes.offered) == ("", None)


def test_that_a_sheet_of_several_runs_says_so(window: MainWindow, tmp_path: Path) -> None:
    dropped(window, of_request(SAMPLE, [replace(SAMPLE, guidance=0.0)]), tmp_path)
    assert "a sheet of 2 runs, the first DDPM 3 · w 2.5, with digits." in window.recipe_bar.words()


def test_that_a_picture_without_one_is_used_at_once(window: MainWindow, tmp_path: Path) -> None:
    write_png(tmp_path / "plain.png", np.full((4, 4, 1), 9, np.uint8))
    drop(window, tmp_path / "plain.png")
    assert window.recipe_bar.words() == ""
    assert window.state.image.name == "plain.png"


def test_that_it_can_be_used_as_a_picture(window: MainWindow, tmp_path: Path) -> None:
    dropped(window, of_request(SAMPLE), tmp_path)
    window.recipe_bar.use.click()
    assert window.state.image.name == "made.png"
    assert window.recipe_bar.words() == ""
    assert tmp_path / "made.png" in window.settings.recent_pictures


def test_that_several_pictures_are_used_and_not_asked_about(window: MainWindow, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, np.full((4, 4, 1), 9, np.uint8), of_request(SAMPLE))
    window.commands.loader.open([Source(tmp_path / name, name) for name in ("a.png", "b.png")], offers=True)
    assert window.recipe_bar.words() == ""
    assert window.state.image.name == "a.png"


@pytest.mark.parametrize("name", ["x.npy", "x.safetensors", "request.json"])
def test_that_numbers_and_requests_are_offered_without_a_picture(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, name: str
) -> None:
    path, values = tmp_path / name, np.zeros((4, 1, 4, 4), np.float32)
    recipe = of_request(SAMPLE)
    if name == "x.npy":
        write_npy(path, values, recipe)
    elif name == "x.safetensors":
        write_safetensors(path, {"x_t": values}, recipe)
    else:
        path.write_text(json.dumps(to_json(SAMPLE)))
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    assert window.dropping._promise(offer(mime), mime) == ("restore this run", name)
    drop(window, path)
    assert f"{name} tells how it was made: DDPM 3" in window.recipe_bar.words()
    assert not window.recipe_bar.use.isVisible()
    restore(window)
    assert window.bridge.submitted == [SAMPLE]
    dropped(window, recipe, tmp_path)
    assert window.recipe_bar.use.isVisible()


@pytest.mark.parametrize("name", ["x.npy", "x.safetensors", "x.mp4", "request.json", "made.png"])
def test_that_a_file_that_is_chosen_is_offered_like_one_that_is_dropped(
    window: MainWindow, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    if path.suffix == ".png":
        write_png(path, np.full((4, 4, 1), 9, np.uint8), of_request(SAMPLE))
    else:
        path.write_bytes(b"numbers")
        recipe = path if path.suffix == ".json" else beside(path)
        recipe.write_text(to_text(of_request(SAMPLE)))
    dialog = choose(window, path)
    assert f"*{path.suffix} " in dialog.nameFilters()[0].replace(")", " ")
    assert f"{name} tells how it was made: DDPM 3" in window.recipe_bar.words()
    assert window.stage.errors.message() == ""


def test_that_a_file_that_is_chosen_says_what_is_missing_beside_it(window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"a film")
    choose(window, tmp_path / "x.mp4")
    assert "stands in x.mp4.json, which is not beside it" in window.stage.errors.message()


def test_that_several_pictures_that_are_chosen_are_opened(window: MainWindow, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, np.full((4, 4, 1), 9, np.uint8), of_request(SAMPLE))
    choose(window, tmp_path / "a.png", tmp_path / "b.png")
    assert window.recipe_bar.words() == ""
    assert window.state.image.name == "a.png"


def test_that_numbers_come_with_the_file_beside_them_or_say_where_it_should_be(
    window: MainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "x.npy"
    write_npy(path, np.zeros((4, 1, 4, 4), np.float32), of_request(SAMPLE))
    assert offer_of((tmp_path / "x.npy.json", path)) == Offer("recipe", (path,))
    assert offer_of((path, tmp_path / "x.npy.json")) == Offer("recipe", (path,))
    (tmp_path / "x.npy.json").unlink()
    drop(window, path)
    assert "stands in x.npy.json, which is not beside it" in window.stage.errors.message()
    (tmp_path / "x.npy.json").write_text('{"shown": [')
    drop(window, path)
    assert "not valid JSON" in window.stage.errors.message()
    (tmp_path / "other.json").write_text('{"name": "something else"}')
    drop(window, tmp_path / "other.json")
    assert "no request that can be run" in window.stage.errors.message()
    assert window.recipe_bar.words() == ""


def test_that_a_recipe_that_cannot_be_read_is_said_and_the_picture_used(window: MainWindow, tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("diffuscope", to_text(of_request(SAMPLE)).replace('"schema":1', '"schema":7'))
    Image.fromarray(np.full((4, 4), 9, np.uint8)).save(tmp_path / "newer.png", pnginfo=info)
    drop(window, tmp_path / "newer.png")
    assert "schema 7" in window.stage.errors.message()
    assert window.state.image.name == "newer.png"


def test_that_a_strangers_name_is_text_and_nothing_else(window: MainWindow, tmp_path: Path) -> None:
    evil = replace(SAMPLE, model=ModelRef("<img src='x'><b>m</b>", "e" * 64))
    dropped(window, of_request(evil), tmp_path)
    bar = window.recipe_bar
    assert "<b>m</b>" in bar.words()
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in bar.findChildren(QLabel))
    assert all("<img" not in label.toolTip() for label in bar.findChildren(QLabel))
    restore(window)
    assert "not known on this computer" in window.stage.errors.message()
    assert "e" * 12 in window.stage.errors.message()
    assert bar.words(), "it stays until the model is there"


# ------------------------------------------------------------------------------------------------ restored


def test_that_what_went_wrong_in_its_stage_before_is_over(window: MainWindow, tmp_path: Path) -> None:
    window.state.move(stage="denoise")
    window.show_error("Something else went wrong.", "")
    window.state.move(stage="forward")
    dropped(window, of_request(SAMPLE), tmp_path)
    restore(window)
    assert window.state.cursor.stage == "denoise"
    assert window.stage.errors.message() == ""


def test_that_a_run_that_cannot_be_made_is_said_though_no_stage_has_asked_for_it(
    window: MainWindow, tmp_path: Path
) -> None:
    dropped(window, of_request(replace(SAMPLE, labels=(99, 1, 2, 3))), tmp_path)
    restore(window)
    window.bridge.fail(1, "The model knows no label 99.")
    assert window.stage.errors.message() == "The model knows no label 99."


def test_that_all_is_restored_and_the_run_made_again(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    dropped(window, Recipe(SAMPLE, Shown("x_t", 2, (1,))), tmp_path)
    restore(window)
    assert window.bridge.submitted == [SAMPLE]
    assert window.recipe_bar.words() == ""
    window.bridge.begin(1)
    assert (window.state.cursor.stage, window.state.cursor.run) == ("denoise", 1)
    settings = window.stage.controls.settings()
    assert (settings.sampler, settings.seed, settings.count, settings.guidance) == (SAMPLE.sampler, 77, 4, 2.5)
    assert (settings.steps, settings.spacing, settings.labels) == (3, "leading", (1, 2))
    window.bridge.advance(1, 3)
    window.bridge.end(1)
    qtbot.waitUntil(lambda: window.state.cursor.step == 2)
    assert window.state.cursor.run == 1, "it shows the state that the picture showed"


def test_that_the_settings_of_a_run_that_is_looked_at_already_come_back_too(window: MainWindow, tmp_path: Path) -> None:
    window.state.move(stage="denoise")
    controls = window.stage.controls
    controls.set_settings(replace(controls.settings(), steps=3, seed=5))
    window.stage.primary_action.click()
    window.bridge.run_to_end(1)
    (made,) = window.bridge.submitted
    before = controls.settings()
    controls.set_settings(replace(before, steps=9, seed=6, guidance=4.0))
    dropped(window, Recipe(made, Shown("x_t", 1)), tmp_path)
    restore(window)
    assert controls.settings() == before
    assert window.bridge.submitted == [made]
    assert (window.state.cursor.run, window.state.cursor.step) == (1, 1)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (SAMPLE, "sample 8, but its run has only 4 samples"),
        (replace(SAMPLE, cells=(2,)), "sample 8, but its run has only 1 sample."),
        (INVERT, "picture 8, but its run has only 1 picture."),
        (MORPH, "frame 8, but its run has only 5 frames"),
    ],
)
def test_that_a_sample_that_the_run_has_not_is_said_and_its_settings_can_be_taken(
    window: MainWindow, tmp_path: Path, made: RunRequest, said: str
) -> None:
    stage = window.state.cursor.stage
    dropped(window, Recipe(made, Shown("x_t", 2, (0, 7))), tmp_path)
    restore(window)
    assert said in window.stage.errors.message()
    assert "Restore some…" in window.stage.errors.message()
    assert (window.state.cursor.stage, window.bridge.submitted) == (stage, [])
    restore(window, "sampler")
    assert window.state.cursor.stage == stage_for(made)
    assert window.stage.errors.message() == ""
    assert window.bridge.submitted == []


def test_that_a_run_from_a_picture_comes_back_with_its_spacing_and_where_it_starts(
    window: MainWindow, tmp_path: Path
) -> None:
    times = (500, 400, 200, 0)  # of five leading steps of 1000 those below 500
    request = replace(SAMPLE, timesteps=times, start=FromImage(IMAGE))
    dropped(window, of_request(request), tmp_path)
    restore(window)
    window.bridge.run_to_end(1)
    settings = window.stage.controls.settings()
    assert (settings.steps, settings.spacing, settings.start_t, settings.hand) == (5, "leading", 500, ())
    window.stage.primary_action.click()
    assert window.bridge.submitted[-1] == request
    window.state.move(stage="forward", run=None)
    dropped(window, of_request(request), tmp_path)
    restore(window, "sampler", "steps", "labels", "guidance", "seed", "start")
    assert window.stage.controls.settings() == settings


def test_that_a_run_that_is_there_is_gone_to(window: MainWindow, tmp_path: Path) -> None:
    job = window.bridge.submit(SAMPLE)
    window.bridge.run_to_end(job)
    window.state.move(stage="forward", run=None)
    dropped(window, Recipe(SAMPLE, Shown("x_t", 1)), tmp_path)
    restore(window)
    assert window.bridge.submitted == [SAMPLE]
    assert (window.state.cursor.stage, window.state.cursor.run, window.state.cursor.step) == ("denoise", job, 1)


def test_that_a_run_of_the_session_before_is_gone_to_and_not_asked_for_twice(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    job = window.bridge.submit(SAMPLE)
    window.bridge.begin(job)
    window.state.move(stage="forward", run=None)
    window.state.put_run(replace(window.state.runs[job], state="kept"))
    dropped(window, Recipe(SAMPLE, Shown("x_t", 2)), tmp_path)
    restore(window)
    assert window.bridge.submitted == [SAMPLE]
    assert (window.state.cursor.run, window.state.cursor.step) == (job, 0)
    window.bridge.run_to_end(job)
    qtbot.waitUntil(lambda: window.state.cursor.step == 2)


def test_that_the_runs_a_branch_goes_on_from_come_first(window: MainWindow, tmp_path: Path) -> None:
    branch = replace(SAMPLE, start=FromStep(SAMPLE, 1), timesteps=(600, 300), guidance=0.0)
    dropped(window, of_request(branch), tmp_path)
    restore(window)
    assert window.bridge.submitted == [SAMPLE, branch]
    window.bridge.run_to_end(1)
    window.bridge.run_to_end(2)
    assert window.state.runs[2].parent == 1
    assert window.state.cursor.run == 2


def test_that_an_inversion_and_its_way_back_are_restored_with_their_picture(window: MainWindow, tmp_path: Path) -> None:
    window.state.pictures[PICTURE.sha256] = PICTURE
    window.state.set_image(from_pixels(np.zeros((8, 8, 1), np.uint8), "other"))
    down = SampleRequest(
        DIGITS.ref, DIGITS.schedule, (900, 600, 300), "leading", SamplerSpec(clip="none"), 0, labels=(5,),
        start=FromLatent(INVERT),
    )  # fmt: skip
    dropped(window, of_request(down), tmp_path)
    restore(window)
    assert window.bridge.submitted == [INVERT, down]
    assert window.bridge.images[PICTURE.sha256] is PICTURE
    assert window.state.image is PICTURE
    assert window.state.conversion == IMAGE.conversion
    window.bridge.run_to_end(1)
    window.bridge.run_to_end(2)
    assert (window.state.cursor.stage, window.state.cursor.run) == ("invert", 2)
    assert window.stage.controls.settings().refinements == 2


def test_that_a_morph_is_restored_with_its_end_points(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    morph = MorphRequest(
        DIGITS.ref, DIGITS.schedule, (900, 300), "leading", SamplerSpec(), (SeedEnd(5), ImageEnd(IMAGE)), 3,
        labels=(1, 2),
    )  # fmt: skip
    dropped(window, Recipe(morph, Shown("x_t", 2, (1,))), tmp_path)
    restore(window)
    assert window.bridge.submitted == [morph]
    window.bridge.run_to_end(1)
    qtbot.waitUntil(lambda: window.state.cursor.frame == 1)
    cursor = window.state.cursor
    assert (cursor.stage, cursor.run, cursor.step) == ("morph", 1, 2)
    assert [point.end for point in window.stage.ends.points] == list(morph.ends)
    assert window.stage.controls.settings().frames == 3


def test_that_a_forward_process_is_restored(window: MainWindow, tmp_path: Path) -> None:
    request = NoiseRequest(replace(IMAGE, conversion=Conversion((20, 30))), ScheduleSpec("cosine"), (321,), 9)
    window.state.pictures[PICTURE.sha256] = PICTURE
    window.state.set_image(from_pixels(np.zeros((8, 8, 1), np.uint8), "other"))
    dropped(window, of_request(request), tmp_path)
    restore(window)
    state = window.state
    assert (state.image, state.schedule, state.seed, state.cursor.t) == (PICTURE, request.schedule, 9, 321)
    assert saved(window, window.stage.x_t, 0, tmp_path).request == request


def test_that_a_look_of_the_network_is_restored(window: MainWindow, tmp_path: Path) -> None:
    request = InspectImage(DIGITS.ref, DIGITS.schedule, IMAGE, 222, 9, 4, 1.5)
    dropped(window, Recipe(request, Shown("x0_hat")), tmp_path)
    restore(window)
    asked = window.bridge.asked[-1]
    assert (asked.t, asked.seed, asked.label, asked.guidance) == (222, 9, 4, 1.5)
    assert asked.image == IMAGE


@pytest.mark.parametrize(
    ("field", "changed"),
    [
        ("seed", {"seed": 77, "count": 4}),
        ("guidance", {"guidance": 2.5}),
        ("labels", {"labels": (1, 2)}),
        ("steps", {"steps": 3}),
        ("sampler", {"sampler": SAMPLE.sampler}),
    ],
)
def test_that_chosen_fields_are_taken_and_nothing_else(
    window: MainWindow, tmp_path: Path, field: str, changed: dict[str, object]
) -> None:
    window.state.move(stage="denoise")
    before = window.stage.controls.settings()
    window.state.move(stage="forward")
    dropped(window, of_request(SAMPLE), tmp_path)
    restore(window, field)
    assert window.state.cursor.stage == "denoise"
    after = window.stage.controls.settings()
    assert after == replace(before, **changed)
    assert after != before
    assert not window.bridge.submitted
    window.stage.buttons.run.click()
    wanted = changed.get("labels")
    assert wanted is None or window.bridge.submitted[0].labels[:2] == wanted, "what is set is what will be run"


@pytest.mark.parametrize("request_", [SAMPLE, INVERT])
def test_that_chosen_settings_are_one_step_to_take_back(
    window: MainWindow, tmp_path: Path, request_: SampleRequest | InvertRequest
) -> None:
    window.state.move(stage=stage_for(request_))
    QApplication.processEvents()
    controls, steps = window.stage.controls, window.undo.stack.count()
    before = controls.settings()
    dropped(window, of_request(request_), tmp_path)
    restore(window, "sampler", "steps", "labels")
    window.undo.flush()
    after = controls.settings()
    assert after != before
    assert window.undo.stack.count() == steps + 1
    window.registry["undo"].trigger()
    assert controls.settings() == before
    window.registry["redo"].trigger()
    assert controls.settings() == after


def test_that_the_schedule_can_be_taken_by_itself(window: MainWindow, tmp_path: Path) -> None:
    dropped(window, of_request(replace(SAMPLE, schedule=ScheduleSpec("cosine"))), tmp_path)
    restore(window, "schedule")
    assert window.state.schedule == ScheduleSpec("cosine")
    assert window.stage.controls.settings().seed != 77


def test_that_without_a_tick_nothing_can_be_taken(window: MainWindow, tmp_path: Path) -> None:
    dropped(window, of_request(SAMPLE), tmp_path)
    menu = window.recipe_bar.menu
    for box in menu.boxes.values():
        box.setChecked(False)
    assert not menu.take.isEnabled()
    menu.boxes["seed"].setChecked(True)
    assert menu.take.isEnabled()


def test_that_a_missing_picture_is_named_and_all_else_is_restored(window: MainWindow, tmp_path: Path) -> None:
    lost = replace(IMAGE, sha256="9" * 64)
    request = replace(SAMPLE, start=FromImage(lost), timesteps=(600, 300))
    dropped(window, of_request(request), tmp_path)
    restore(window)
    assert "9" * 12 in window.stage.errors.message()
    assert not window.bridge.submitted
    assert window.stage.controls.settings().guidance == 2.5
    assert window.recipe_bar.words()


def test_that_the_right_model_is_opened_first(window: MainWindow, tmp_path: Path) -> None:
    other = replace(DIGITS, ref=ModelRef("other", "5" * 64))
    window.state.folders[other.ref.sha256] = str(tmp_path)
    request = replace(SAMPLE, model=other.ref)
    dropped(window, of_request(request), tmp_path)
    restore(window)
    assert window.bridge.calls[-1] == ("open_model", str(tmp_path))
    assert window.bridge.meant == other.ref.sha256
    assert not window.bridge.submitted
    window.state.set_model(other)
    window.bridge.say(ModelOpened(other))
    assert window.bridge.submitted == [request]


def test_that_the_hash_decides_and_not_the_place(window: MainWindow, tmp_path: Path) -> None:
    window.state.folders["5" * 64] = str(tmp_path)
    dropped(window, of_request(replace(SAMPLE, model=ModelRef("digits", "5" * 64))), tmp_path)
    restore(window)
    window.bridge.say(ModelOpened(DIGITS))
    assert not window.bridge.submitted
    assert "there is another one now" in window.stage.errors.message()


# ------------------------------------------------------------------------------------------------ copied


def test_that_a_run_is_copied_as_a_command_and_as_python(window: MainWindow) -> None:
    request = replace(SAMPLE, final_alpha_bar=DIGITS.final_alpha_bar)
    job = window.bridge.submit(request)
    window.bridge.run_to_end(job)
    window.state.move(stage="denoise", run=job, step=0)
    window.registry["copy_command"].trigger()
    line = QApplication.clipboard().text()
    assert line.startswith("python main.py ")
    assert "77" in line
    assert "Copied: python main.py" in window.status_line._hint.text()
    window.registry["copy_python"].trigger()
    code = QApplication.clipboard().text()
    compile(code, "copied", "exec")
    assert "seed=77" in code


def test_that_the_file_of_a_picture_stands_in_the_command(window: MainWindow, tmp_path: Path) -> None:
    write_png(tmp_path / "mine.png", np.full((8, 8, 1), 9, np.uint8))
    drop(window, tmp_path / "mine.png")
    image = open_image(tmp_path / "mine.png")
    request = replace(INVERT, images=(ImageRef(image.sha256, IMAGE.conversion),))
    window.state.move(stage="invert")
    job = window.bridge.submit(request)
    window.bridge.run_to_end(job)
    window.state.move(stage="invert", run=job, step=0)
    window.registry["copy_command"].trigger()
    assert f"--image {tmp_path / 'mine.png'}" in QApplication.clipboard().text()


@pytest.mark.qt_log_ignore("^This plugin does not support")
def test_that_the_menu_of_the_history_means_its_run(window: MainWindow) -> None:
    first = window.bridge.submit(SAMPLE)
    window.bridge.run_to_end(first)
    second = window.bridge.submit(replace(SAMPLE, seed=78))
    window.bridge.run_to_end(second)
    history = window.history
    item = history.topLevelItem(0)
    where = history.viewport().mapToGlobal(history.visualItemRect(item).center())
    menu = window.care.menu(history.viewport(), where)
    texts = [action.text() for action in menu.actions()]
    assert texts[-2:] == ["Copy as command &line", "Copy as P&ython"]
    menu.actions()[-1].trigger()
    menu.close()
    assert "seed=77" in QApplication.clipboard().text()
    assert window.care.menu(window.stage, where) is None


def test_that_where_nothing_is_made_nothing_is_copied(window: MainWindow) -> None:
    QApplication.clipboard().setText("before")
    window.state.move(stage="train", run=None)
    window.registry["copy_command"].trigger()
    assert window.status_line._hint.text() == NOTHING
    assert QApplication.clipboard().text() == "before"
