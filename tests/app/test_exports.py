"""Exports: put together on their page, written with their recipe, left, and refused in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QMessageBox
from pytestqt.qtbot import QtBot
from safetensors.numpy import load_file

from app.exports.dialog import BOTH, NO_WAY, ExportDialog
from app.exports.saving import with_ending
from app.window import MainWindow
from core.images import from_pixels
from core.library import Library
from core.messages import Gathered, frozen
from core.recipe import Shown, read_recipe
from core.render import of_state
from core.replay import made, onward, stacked
from core.requests import GatherStep, InvertRequest, MorphRequest, NoiseRequest, SamplerSpec, SeedEnd
from core.video import HOW_TO_INSTALL
from tests.app.fake_engine import DIGITS
from tests.app.scenes import looking_at, with_picture
from tests.app.test_recipes import SAMPLE

PICTURE = from_pixels(np.random.default_rng(3).integers(0, 256, (12, 10, 3), dtype=np.uint8), "flag.png")
MORPH = MorphRequest(
    DIGITS.ref,
    DIGITS.schedule,
    (900, 300),
    "leading",
    SamplerSpec(clip="none"),
    (SeedEnd(1), SeedEnd(2)),
    3,
    labels=(1, 2),
)


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot) -> MainWindow:
    return with_picture(qtbot, PICTURE)


@pytest.fixture
def run(window: MainWindow) -> MainWindow:
    """A finished run of four samples, looked at in its second state."""
    return looking_at(window, SAMPLE)


def page(window: MainWindow) -> ExportDialog:
    window.registry["export"].trigger()
    dialog = window.commands.taking.exporter.dialog
    assert dialog is not None
    return dialog


def write(window: MainWindow, path: Path) -> None:
    """Choose a file for what the page says."""
    exporter = window.commands.taking.exporter
    dialog = exporter.dialog
    exporter.write(path, dialog.order(), dialog.still, dialog.way)


def gathered(window: MainWindow, request: GatherStep) -> Gathered:
    """What the engine says of a state: pictures and numbers of its own for each step."""
    shape = (4, 1, 32, 32)
    rng = np.random.default_rng(request.step)
    pictures = [frozen(rng.integers(0, 256, (4, 32, 32, 1), dtype=np.uint8)) for _ in range(2)]
    values = [frozen(rng.standard_normal(shape, dtype=np.float32)) for _ in range(3)]
    clean = window.state.runs[request.run].path[request.step].is_clean
    return Gathered(request, *pictures, *values[:2], None if clean else values[2])


def answer_all(window: MainWindow, qtbot: QtBot) -> dict[int, Gathered]:
    """Answer the engine's questions until none is asked any more; what was said, by step."""
    said: dict[int, Gathered] = {}
    exporter = window.commands.taking.exporter
    while exporter._gathering is not None:
        qtbot.waitUntil(
            lambda: (
                exporter._gathering is None
                or (isinstance(window.bridge.asked[-1], GatherStep) and window.bridge.asked[-1].step not in said)
            )
        )
        if exporter._gathering is not None:
            request = window.bridge.asked[-1]
            said[request.step] = gathered(window, request)
            window.bridge.say(said[request.step])
    return said


def hint(window: MainWindow) -> str:
    return window.status_line._hint.text()


# ------------------------------------------------------------------------------------------------ the page


def test_that_what_is_not_there_is_greyed_with_the_reason(window: MainWindow) -> None:
    window.state.move(stage="denoise")
    dialog = page(window)
    assert dialog.kind.refusal("film") == NO_WAY
    assert dialog.kind.value() == "picture"
    assert not dialog.form.refusal(".png")


def test_that_mp4_is_greyed_with_how_to_get_it_where_its_library_is_missing(run: MainWindow, monkeypatch) -> None:
    monkeypatch.setattr("core.video.importlib.util.find_spec", lambda _name: None)
    dialog = page(run)
    dialog.kind.set_value("film")
    assert dialog.form.refusal(".mp4") == HOW_TO_INSTALL
    assert dialog.form.value() == ".gif"


def test_that_every_control_reaches_the_order(run: MainWindow) -> None:
    dialog = page(run)
    dialog.kind.set_value("film")
    before = dialog.order()
    changes = {
        "quantities": (lambda: dialog.quantity.set_value(BOTH), ("x_t", "x0_hat")),
        "alone": (lambda: dialog.samples.set_value("one"), True),
        "every": (lambda: dialog.every.set_value(2), 2),
        "zoom": (lambda: dialog.zoom.set_value(7), 7),
        "milliseconds": (lambda: dialog.rate.set_value(25), 40),
        "hold": (lambda: dialog.hold.set_value(2.5), 2500),
        "there_and_back": (lambda: dialog.both_ways.setChecked(True), True),
        "ending": (lambda: dialog.form.set_value(".webp"), ".webp"),
    }
    for name, (change, value) in changes.items():
        change()
        before = replace(before, **{name: value})
        assert dialog.order() == before
    dialog.kind.set_value("sheet")
    dialog.columns.set_value(3)
    assert (dialog.order().kind, dialog.order().ending, dialog.order().columns) == ("sheet", ".png", 3)


def test_that_the_page_says_what_will_come_of_it(run: MainWindow) -> None:
    dialog = page(run)
    dialog.kind.set_value("film")
    steps = SAMPLE.steps
    dialog.hold.set_value(1)
    dialog.rate.set_value(10)
    assert dialog.summary.text() == f"run 1\n{steps + 1} of {steps + 1} states, {(steps + 1) / 10 + 1:.1f} s"
    dialog.kind.set_value("grid")
    dialog.zoom.set_value(3)
    assert f"{3 * (2 * 32 + 2)} × {3 * (2 * 32 + 2)} pixels" in dialog.summary.text()


def test_that_only_what_belongs_to_the_kind_of_file_is_shown(run: MainWindow) -> None:
    dialog = page(run)
    shown = {}
    for kind in ("picture", "sheet", "film", "numbers"):
        dialog.kind.set_value(kind)
        names = ("quantity", "samples", "every", "columns", "zoom", "rate", "hold", "both_ways")
        shown[kind] = {name for name in names if not getattr(dialog, name).isHidden()}
    assert shown == {
        "picture": {"zoom"},
        "sheet": {"quantity", "samples", "every", "columns", "zoom"},
        "film": {"quantity", "samples", "every", "zoom", "rate", "hold", "both_ways"},
        "numbers": {"quantity", "samples", "every"},
    }


def test_that_the_last_choices_are_there_again(run: MainWindow, tmp_path: Path) -> None:
    dialog = page(run)
    dialog.kind.set_value("sheet")
    dialog.columns.set_value(5)
    dialog.export_button.click()
    (chooser,) = dialog.findChildren(QFileDialog)
    chooser.reject()
    dialog.reject()
    again = page(run)
    assert (again.kind.value(), int(again.columns.value())) == ("sheet", 5)


def test_that_the_menu_of_a_picture_offers_to_export_it(run: MainWindow, monkeypatch) -> None:
    monkeypatch.setattr(QMenu, "popup", lambda _menu, _where: None)
    pane = run.stage.view.x_t
    menu = run.commands.taking.menu(pane, pane.mapToGlobal(pane.rect().center()))
    assert run.registry["export"] in menu.actions()


@pytest.mark.parametrize("stage", ["forward", "denoise", "invert", "morph"])
def test_that_the_transport_of_every_stage_leads_to_the_page(window: MainWindow, stage: str) -> None:
    window.state.move(stage=stage)
    window.stage.transport.export.click()
    assert window.commands.taking.exporter.dialog.isVisible()


# ------------------------------------------------------------------------------------------------ written


def test_that_a_picture_is_written_enlarged_with_its_recipe(run: MainWindow, tmp_path: Path) -> None:
    dialog = page(run)
    dialog.kind.set_value("picture")
    dialog.zoom.set_value(3)
    still = dialog.still
    write(run, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.asarray(image)
    expected = still.pictures[still.cell][..., 0]
    assert np.array_equal(pixels[::3, ::3], expected)
    assert np.array_equal(pixels[2::3, 1::3], expected)
    recipe = read_recipe(tmp_path / "a.png")
    assert recipe.request == SAMPLE
    assert (recipe.shown.layout, recipe.shown.zoom, recipe.shown.cells) == ("picture", 3, (0,))
    assert run.commands.taking.exporter.dialog is None
    assert hint(run) == f"Saved {tmp_path / 'a.png'}"


def test_that_a_sheet_of_x_t_needs_no_network(run: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    dialog = page(run)
    dialog.kind.set_value("sheet")
    dialog.every.set_value(2)
    asked = len(run.bridge.asked)
    write(run, tmp_path / "sheet.png")
    answer_all(run, qtbot)
    assert len(run.bridge.asked) == asked
    recipe = read_recipe(tmp_path / "sheet.png")
    assert recipe.shown.steps == (0, 2, 3)
    assert recipe.shown.names[-1] == "data"
    assert recipe.shown.layout == "sheet"


def test_that_a_film_shows_what_the_engine_says_side_by_side(run: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    dialog = page(run)
    dialog.kind.set_value("film")
    dialog.form.set_value(".apng")
    dialog.quantity.set_value(BOTH)
    dialog.zoom.set_value(1)
    write(run, tmp_path / "film.apng")
    said = answer_all(run, qtbot)
    with Image.open(tmp_path / "film.apng") as image:
        assert image.n_frames == SAMPLE.steps + 1
        for step in range(SAMPLE.steps):
            image.seek(step)
            frame = np.asarray(image.convert("L"))
            assert np.array_equal(frame, of_state([said[step].x_t, said[step].x0_hat])[..., 0])
    recipe = read_recipe(tmp_path / "film.apng")
    assert recipe.shown.steps == tuple(range(SAMPLE.steps + 1))
    assert (recipe.shown.quantity, recipe.shown.beside, recipe.shown.cells) == ("x_t", "x0_hat", (0, 1, 2, 3))


def test_that_one_sample_alone_is_written_alone(run: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    run.stage.view.enlarge(2)
    dialog = page(run)
    dialog.kind.set_value("numbers")
    assert dialog.samples.value() == "one"
    write(run, tmp_path / "x.npy")
    answer_all(run, qtbot)
    written = np.load(tmp_path / "x.npy")
    assert written.shape == (SAMPLE.steps + 1, 1, 1, 32, 32)
    for step in range(SAMPLE.steps + 1):
        assert np.array_equal(written[step, 0], run.bridge.values(1, step)[2])
    assert read_recipe(tmp_path / "x.npy").shown == Shown(
        "x_t", SAMPLE.steps, (2,), "values", steps=tuple(range(SAMPLE.steps + 1))
    )


def test_that_all_numbers_go_into_one_file_and_the_data_have_no_noise(
    run: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    dialog = page(run)
    dialog.kind.set_value("numbers")
    dialog.form.set_value(".safetensors")
    dialog.quantity.set_value("all")
    write(run, tmp_path / "all.safetensors")
    said = answer_all(run, qtbot)
    read = load_file(tmp_path / "all.safetensors")
    assert read["x_t"].shape == (SAMPLE.steps + 1, 4, 1, 32, 32)
    assert read["eps_hat"].shape == (SAMPLE.steps, 4, 1, 32, 32)
    assert np.array_equal(read["eps_hat"][1], said[1].eps_hat)
    assert np.array_equal(read["x0_hat"][1], said[1].x0_hat_values)
    assert read["eps_hat.t"].tolist() == list(SAMPLE.timesteps)


def test_that_the_forward_process_is_a_film_of_its_own(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    dialog = page(window)
    dialog.kind.set_value("film")
    dialog.every.set_value(333)
    dialog.zoom.set_value(1)
    way = dialog.way
    write(window, tmp_path / "noise.webp")
    answer_all(window, qtbot)
    recipe = read_recipe(tmp_path / "noise.webp")
    assert isinstance(recipe.request, NoiseRequest)
    assert recipe.request.timesteps == (0, 333, 666, 999)
    with Image.open(tmp_path / "noise.webp") as image:
        image.seek(2)
        assert np.array_equal(np.asarray(image.convert("RGB")), way.find(666, ("x_t",), False).pictures["x_t"][0])


def test_that_numbers_of_a_forward_process_are_those_that_its_recipe_comes_to(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    for quantity in ("x_t", "eps"):
        dialog = page(window)
        dialog.kind.set_value("numbers")
        dialog.form.set_value(".safetensors")
        dialog.quantity.set_value(quantity)
        dialog.every.set_value(333)
        write(window, tmp_path / "n.safetensors")
        answer_all(window, qtbot)
        read, recipe = load_file(tmp_path / "n.safetensors"), read_recipe(tmp_path / "n.safetensors")
        library = Library()
        library.add_image(PICTURE)
        assert np.array_equal(read[quantity], stacked(made(recipe, library)[0], recipe.shown))
        assert read[f"{quantity}.t"].tolist() == [0, 333, 666, 999]


def test_that_a_morph_can_be_gone_through_both_ways(window: MainWindow) -> None:
    job = window.bridge.submit(MORPH)
    window.state.move(stage="morph")
    window.bridge.run_to_end(job)
    window.state.move(run=job, frame=1, step=0, t=0)
    dialog = page(window)
    dialog.kind.set_value("film")
    assert [way.along for way in dialog.ways] == ["the morph", "diffusion time"]
    frames, down = dialog.ways
    assert frames.recipe((0, 1), "x_t", (0,)).shown.cells == (0, 1)
    assert down.recipe((0, 1), "x_t", (0,)).shown.cells == (1,)
    assert down.question(1) == GatherStep(job, 1, 1)
    assert not dialog.along.isHidden()


def test_that_an_inversion_is_exported_on_its_way(window: MainWindow) -> None:
    window.state.move(stage="invert")
    window.stage.controls.steps.set_value(3)
    window.stage.buttons.run.click()
    window.bridge.run_to_end(1)
    (way,) = page(window).ways
    assert isinstance(way.recipe((0, 1), "x_t", (0,)).request, InvertRequest)


def test_that_both_ways_of_an_inversion_are_one_film(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    window.state.move(stage="invert")
    window.stage.controls.steps.set_value(3)
    window.stage.buttons.run.click()
    for job in (1, 2):
        window.bridge.run_to_end(job)
    dialog = page(window)
    both, alone = dialog.ways
    assert (both.along, alone.along) == ("both ways", "diffusion time")
    assert both.captions[0].endswith("↑")
    assert "latent" in both.captions[3]
    assert both.captions[-1].startswith("data")
    assert [both.question(place) for place in (2, 3, 4)] == [GatherStep(1, 2), GatherStep(1, 3), GatherStep(2, 1)]
    up, down = window.state.runs[1].request, window.state.runs[2].request
    assert both.recipe((0, 2), "x_t", (0,)).requests == (up,)
    dialog.kind.set_value("film")
    dialog.zoom.set_value(1)
    write(window, tmp_path / "trip.apng")
    answer_all(window, qtbot)
    recipe = read_recipe(tmp_path / "trip.apng")
    assert recipe.requests == (up, down)
    assert (recipe.shown.onward, recipe.shown.steps, recipe.shown.step) == (True, tuple(range(7)), 3)
    assert onward(recipe) == [
        (up, replace(recipe.shown, steps=(0, 1, 2, 3), step=3)),
        (down, replace(recipe.shown, steps=(1, 2, 3), step=3)),
    ]
    with Image.open(tmp_path / "trip.apng") as film:
        assert film.n_frames == 7
        film.seek(5)
        wanted = window.bridge.frame(2, 2).x_t[0, :, :, 0]
        assert np.array_equal(np.asarray(film.convert("L")), wanted)


def test_that_numbers_say_which_states_they_are_of(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    """An inversion begins with the data, in which the network sees no noise."""
    window.state.move(stage="invert")
    window.stage.controls.steps.set_value(3)
    window.stage.buttons.run.click()
    window.bridge.run_to_end(1)
    dialog = page(window)
    dialog.kind.set_value("numbers")
    dialog.quantity.set_value("eps_hat")
    write(window, tmp_path / "e.npy")
    answer_all(window, qtbot)
    assert read_recipe(tmp_path / "e.npy").shown.steps == (1, 2, 3)


def test_that_the_page_shows_the_quantity_that_is_chosen(run: MainWindow, qtbot: QtBot) -> None:
    dialog = page(run)
    dialog.kind.set_value("film")
    x_t = dialog._shown()
    dialog.quantity.set_value("x0_hat")
    assert dialog._preview.text() == "Being looked at."
    qtbot.waitUntil(lambda: run.bridge.asked[-1] == GatherStep(1, 1))
    said = gathered(run, run.bridge.asked[-1])
    run.bridge.say(said)
    qtbot.waitUntil(lambda: dialog._preview.pixmap().width() > 0)
    assert np.array_equal(dialog._shown(), of_state([said.x0_hat]))
    dialog.quantity.set_value(BOTH)
    qtbot.waitUntil(lambda: len([asked for asked in run.bridge.asked if asked == GatherStep(1, 1)]) == 2)
    run.bridge.say(said)
    qtbot.waitUntil(lambda: dialog._shown() is not None)
    assert dialog._shown().shape[1] > x_t.shape[1]
    dialog.quantity.set_value("x_t")
    assert np.array_equal(dialog._shown(), x_t)
    assert dialog._preview.pixmap().width() > 0


def test_that_what_cannot_be_looked_at_is_said_where_it_would_be_seen(run: MainWindow, qtbot: QtBot) -> None:
    dialog = page(run)
    dialog.kind.set_value("film")
    dialog.quantity.set_value("x0_hat")
    qtbot.waitUntil(lambda: run.bridge.asked[-1] == GatherStep(1, 1))
    run.bridge.say(Gathered(GatherStep(1, 1), refusal="Made room for newer ones."))
    assert dialog._preview.text() == "Made room for newer ones."


# ------------------------------------------------------------------------------------------------ left and refused


def test_that_closing_the_page_leaves_an_export_and_the_older_file(
    run: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "film.gif"
    path.write_bytes(b"older")
    dialog = page(run)
    dialog.kind.set_value("film")
    dialog.quantity.set_value("x0_hat")
    write(run, path)
    qtbot.waitUntil(lambda: isinstance(run.bridge.asked[-1], GatherStep))
    assert dialog.is_busy
    assert not dialog.progress.isHidden()
    dialog.close_button.click()
    run.bridge.say(gathered(run, run.bridge.asked[-1]))
    assert path.read_bytes() == b"older"
    assert "Nothing was written" in hint(run)


def test_that_what_the_engine_refuses_is_said_and_the_page_stays(run: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    dialog = page(run)
    dialog.kind.set_value("film")
    dialog.quantity.set_value("x0_hat")
    write(run, tmp_path / "film.gif")
    qtbot.waitUntil(lambda: isinstance(run.bridge.asked[-1], GatherStep))
    run.bridge.say(Gathered(run.bridge.asked[-1], refusal="Made room for newer ones."))
    assert "Made room" in run.stage.errors.message()
    assert not dialog.is_busy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["picture", "film"])
def test_that_a_folder_that_is_not_there_is_said_before_anything_is_asked(
    run: MainWindow, tmp_path: Path, kind: str
) -> None:
    dialog = page(run)
    dialog.kind.set_value(kind)
    ending = dialog.order().ending
    asked = len(run.bridge.asked)
    write(run, tmp_path / "nowhere" / f"x{ending}")
    assert "does not exist" in run.stage.errors.message()
    assert len(run.bridge.asked) == asked


def test_that_a_picture_beyond_all_measure_is_refused(run: MainWindow, tmp_path: Path) -> None:
    dialog = page(run)
    dialog.still = replace(dialog.still, pictures=[np.zeros((4000, 4000, 1), np.uint8)], cell=0)
    dialog.zoom.set_value(32)
    write(run, tmp_path / "a.png")
    assert "more than other programs open" in run.stage.errors.message()


# ------------------------------------------------------------------------------------------------ asked


def test_that_a_name_without_an_ending_gets_one_and_any_other_is_kept() -> None:
    assert with_ending(Path("a"), (".png",)) == Path("a.png")
    assert with_ending(Path("run 3, t = 0.5"), (".png",)) == Path("run 3, t = 0.5.png")
    assert with_ending(Path("A.PNG"), (".png",)) == Path("A.PNG")


@pytest.mark.parametrize("answer", ["Replace", "Keep it"])
def test_that_a_file_found_by_adding_the_ending_is_not_replaced_unasked(
    run: MainWindow, tmp_path: Path, answer: str
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"older")
    dialog = page(run)
    dialog.export_button.click()
    (chooser,) = dialog.findChildren(QFileDialog)
    chooser.fileSelected.emit(str(tmp_path / "a"))
    assert path.read_bytes() == b"older"
    (box,) = dialog.findChildren(QMessageBox)
    next(button for button in box.buttons() if button.text() == answer).click()
    assert (path.read_bytes() == b"older") == (answer == "Keep it")
    chooser.reject()
