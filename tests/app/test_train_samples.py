"""The samples of a training along two times: that of training and that of diffusion; and their files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QFileDialog

from app.stages.train import TrainStage
from app.stages.train_course import Course
from app.stages.train_moments import DATA, has_moment, longest_way, pictures_at, place_of, spread
from app.stages.train_view import TrainView
from app.state import AppState
from core.recipe import Recipe, Shown, read_recipe
from core.training.draw_request import STEPS, draw_of, moments
from core.training.events import Drawn
from core.training.film import Film
from core.training.order import Instruction
from core.training.presets import network_of
from core.training.request import TrainRequest
from tests.app.conftest import WindowBridge
from tests.app.fake_engine import Dock

WAY = np.zeros((2, 16, 32, 32, 3), np.uint8)
TIMES = (900, 600, 300)
COUNT = 4


def a_set(step: int, weights: str = "ema", *, way: bool = True) -> Drawn:
    """Four pictures of 8 × 8. Finished ones have the grey 10 · step + sample; on the way x0_hat has 100 + 10 · place +
    sample, x_t fifty more."""
    cells = np.arange(COUNT, dtype=np.uint8)[:, None, None, None]
    pictures = np.broadcast_to(cells + np.uint8(10 * step), (COUNT, 8, 8, 1)).copy()
    if not way:
        return Drawn(step, pictures, weights)
    x0_hat = np.stack([np.broadcast_to(cells + np.uint8(100 + 10 * place), (COUNT, 8, 8, 1)) for place in range(3)])
    return Drawn(step, pictures, weights, TIMES, x0_hat, x0_hat + np.uint8(50))


def a_course(*sets: Drawn, **changes: object) -> Course:
    course = Course(Path("runs/shapes"), "shapes", 8, 12, state="finished", classes=("circle", "square"))
    course.losses = np.full(9, 0.5, np.float32)
    return replace(course, film=Film(sets), **changes)


@pytest.fixture
def scene(qtbot):
    state = AppState()
    bridge = WindowBridge(state)
    stage = TrainStage(state, bridge)  # type: ignore[arg-type]
    dock = Dock(stage)
    qtbot.addWidget(dock)
    dock.resize(1000, 800)
    dock.show()
    state.move(stage="train")
    yield bridge, stage
    state.deleteLater()


@pytest.fixture
def stage(scene) -> TrainStage:
    _, stage = scene
    stage.shown.look_at(a_course(a_set(0), a_set(4), a_set(9)))
    return stage


def grey(stage: TrainStage, cell: int = 0) -> int:
    """What the pane shows of a sample."""
    return int(stage.view.samples.content.values[cell, 3, 3, 0])


def page(stage: TrainStage):
    return stage.view.samples_page


def said(stage: TrainStage) -> str:
    """What stands under the samples, without their symbol."""
    return stage.view.samples.accessibleName().split(", ", 1)[1]


# The moments


def test_that_the_nearest_moment_of_the_way_is_meant_and_the_end_is_its_own() -> None:
    drawn = a_set(1)
    assert [place_of(drawn, t) for t in (999, 740, 310, 0, DATA)] == [0, 1, 2, 2, 3]
    assert place_of(a_set(1, way=False), 600) == 0
    assert int(pictures_at(drawn, 610, "x_t")[2, 0, 0, 0]) == 162
    assert int(pictures_at(drawn, DATA, "x_t")[2, 0, 0, 0]) == 12
    assert int(pictures_at(a_set(1, way=False), 600, "x0_hat")[2, 0, 0, 0]) == 12
    assert not has_moment(a_set(1, way=False), 600)


def test_that_one_run_has_the_moments_of_its_longest_way() -> None:
    assert longest_way(()) == (DATA,)
    assert longest_way((a_set(0, way=False), a_set(1))) == (*TIMES, DATA)


@pytest.mark.parametrize(("count", "room", "current"), [(5, 9, 0), (40, 7, 39), (40, 7, 13), (12, 1, 5)])
def test_that_of_many_places_few_are_chosen_with_both_ends_and_the_current_one(count, room, current) -> None:
    chosen = spread(count, room, current)
    assert {0, current, count - 1} <= set(chosen)
    assert list(chosen) == sorted(set(chosen))
    assert len(chosen) == min(count, max(3, room))


# Two sliders


def test_that_the_newest_finished_samples_are_shown_first_and_both_times_are_said(stage) -> None:
    assert grey(stage, 1) == 91
    assert said(stage) == "4 samples · after 9 steps · finished"
    assert stage.transport.time_label.text() == "training step"
    assert page(stage).descent.times == (*TIMES, DATA)


def test_that_one_slider_moves_in_training_and_the_other_in_diffusion(stage) -> None:
    page(stage).descent.asked.emit(1)
    assert grey(stage) == 110
    stage.film.go(0)
    assert said(stage) == "4 samples · before the first step · t = 600"
    assert page(stage).descent.value() == 1
    page(stage).descent.asked.emit(3)
    assert grey(stage, 2) == 2


def test_that_the_state_or_the_guess_is_shown_on_the_way_and_named_so(stage) -> None:
    page(stage).descent.asked.emit(0)
    assert (grey(stage), stage.view.samples.quantity) == (100, "x0_hat")
    page(stage).controls.kind.set_value("x_t")
    assert (grey(stage), stage.view.samples.quantity) == (150, "x_t")
    page(stage).descent.asked.emit(3)
    assert (grey(stage), stage.view.samples.quantity) == (90, "x_0")


def test_that_keys_move_in_both_times_wherever_the_focus_is(stage, qtbot) -> None:
    for widget in (stage.transport.rail, page(stage), stage.strip):
        page(stage).look_at_time(DATA)
        qtbot.keyClick(widget, Qt.Key.Key_Up)
        assert page(stage).t == 300
        qtbot.keyClick(widget, Qt.Key.Key_Down)
        assert page(stage).t == DATA
    qtbot.keyClick(stage.transport.rail, Qt.Key.Key_Left)
    stage.transport.flush()
    assert stage.film.index == 1


def test_that_another_training_is_looked_at_finished_first(stage) -> None:
    page(stage).look_at_time(600)
    stage.shown.look_at(a_course(a_set(0), a_set(2)))
    assert (page(stage).t, grey(stage)) == (DATA, 20)


def test_that_the_wheel_over_the_upright_slider_moves_in_diffusion_time(stage) -> None:
    descent = page(stage).descent
    turn = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    descent.wheelEvent(turn)
    assert page(stage).t == 300


def test_that_the_strip_shows_every_moment_of_training_at_the_diffusion_time_looked_at(stage, qtbot) -> None:
    page(stage).enlarge(2)
    page(stage).descent.asked.emit(0)
    stage.strip.flush()
    assert [stage.strip._images[index].pixelColor(0, 0).red() for index in range(3)] == [102] * 3
    page(stage).descent.asked.emit(3)
    stage.strip.flush()
    assert [stage.strip._images[index].pixelColor(0, 0).red() for index in range(3)] == [2, 42, 92]


def test_that_samples_whose_way_was_not_kept_are_shown_finished_and_say_so(scene) -> None:
    _, stage = scene
    stage.shown.look_at(a_course(a_set(0, way=False), a_set(9)))
    page(stage).look_at_time(600)
    assert page(stage).descent.isEnabled()
    stage.film.go(0)
    assert grey(stage) == 0
    assert said(stage).endswith("· finished, way not kept")
    assert not page(stage).descent.isEnabled()
    assert "not kept" in page(stage).descent.toolTip()
    stage.film.go(1)
    assert grey(stage) == 110


def test_that_without_any_way_there_is_no_second_slider_and_no_map(scene) -> None:
    _, stage = scene
    stage.shown.look_at(a_course(a_set(0, way=False), a_set(9, way=False)))
    page(stage).enlarge(1)
    assert not page(stage).descent.isVisible()
    assert not page(stage).map.isVisible()
    assert not page(stage).controls.kind.isEnabled()


# The map


def test_that_a_sample_alone_lies_on_a_map_of_both_times(stage) -> None:
    assert not page(stage).map.isVisible()
    stage.view.samples.cell_clicked.emit(2)
    learned = page(stage).map
    assert learned.isVisible()
    assert learned.columns == ("0", "4", "9")
    assert learned.rows == ("t = 900", "600", "300", "data")
    assert learned.current == 3 * 3 + 2
    assert [learned.picture(3 * 3 + column).pixelColor(0, 0).red() for column in range(3)] == [2, 42, 92]
    assert learned.picture(1 * 3).pixelColor(0, 0).red() == 112
    assert said(stage) == "sample 3 of 4, circle · after 9 steps · finished"


def test_that_escape_brings_the_other_samples_back(stage, qtbot) -> None:
    assert "stop" not in stage.commands
    with qtbot.waitSignal(stage.commands_changed):
        page(stage).enlarge(1)
    assert "stop" in stage.commands
    stage.stop()
    assert stage.view.samples.count == COUNT
    assert not page(stage).map.isVisible()


def test_that_a_click_on_the_map_goes_to_both_times_and_arrows_move_on(stage, qtbot) -> None:
    page(stage).enlarge(2)
    learned = page(stage).map
    where = learned.cell_rect(1 * 3 + 1).center().toPoint()
    qtbot.mouseClick(learned, Qt.MouseButton.LeftButton, pos=where)
    assert (stage.film.index, page(stage).t) == (1, 600)
    assert stage.transport.position == 1
    qtbot.keyClick(learned, Qt.Key.Key_Right)
    qtbot.keyClick(learned, Qt.Key.Key_Down)
    assert (stage.film.index, page(stage).t) == (2, 300)
    assert learned.current == 2 * 3 + 2


def test_that_dragging_over_the_map_goes_along(stage, qtbot) -> None:
    page(stage).enlarge(0)
    learned = page(stage).map
    qtbot.mousePress(learned, Qt.MouseButton.LeftButton, pos=learned.cell_rect(0).center().toPoint())
    assert (stage.film.index, page(stage).t) == (0, 900)
    qtbot.mouseMove(learned, learned.cell_rect(7).center().toPoint())
    assert (stage.film.index, page(stage).t) in ((0, 900), (1, 300))  # a platform without a display reports no buttons


def test_that_a_map_of_many_sets_keeps_as_many_as_are_looked_at_with_pleasure(scene) -> None:
    _, stage = scene
    stage.shown.look_at(a_course(*(a_set(step) for step in range(24)), a_set(24)))
    page(stage).enlarge(0)
    learned = page(stage).map
    assert 3 <= len(learned.chosen) < 25
    stage.film.go(10)
    assert 10 in learned.chosen
    assert {0, 24} <= set(learned.chosen)


# Whose weights, and when


def live(stage: TrainStage, *sets: Drawn, state: str = "running") -> Course:
    course = a_course(*sets, state=state, job=1)
    stage.shown.look_at(course)
    return course


def test_that_of_a_training_at_work_the_weights_that_draw_are_chosen(scene) -> None:
    bridge, stage = scene
    course = live(stage, a_set(0), a_set(4))
    controls = page(stage).controls
    controls.weights.set_value("raw")
    assert bridge.calls[-1] == ("instruct", (1, Instruction(samples_from="raw")))
    assert course.samples_from == "raw"
    stage.shown.flush()
    assert controls.weights.value() == "raw"
    assert said(stage) == "4 samples · after 4 steps · finished"
    course.film.add(a_set(6, "raw"))
    stage.film.renew()
    assert said(stage) == "4 samples · after 6 steps, raw weights · finished"
    assert "raw weights" in stage.view.samples.toolTip()


def test_that_samples_are_drawn_when_asked_for(scene) -> None:
    bridge, stage = scene
    course = live(stage, a_set(0))
    draw = page(stage).controls.draw
    draw.click()
    assert bridge.calls[-1] == ("instruct", (1, Instruction(draw=True)))
    assert (draw.isEnabled(), draw.text()) == (False, "Drawing…")
    course.will_draw = False
    stage.shown.flush()
    assert (draw.isEnabled(), draw.text()) == (True, "Draw now")
    course.state = "paused"
    stage.shown.flush()
    assert (draw.isEnabled(), draw.text()) == (True, "Draw now")
    course.state = "queued"
    stage.shown.flush()
    assert not draw.isEnabled()
    assert "once the training has begun" in draw.toolTip()


def test_that_of_a_training_that_has_ended_the_sets_of_either_weights_are_found(scene) -> None:
    bridge, stage = scene
    stage.shown.look_at(a_course(a_set(0), a_set(4), a_set(4, "raw"), a_set(9)))
    controls = page(stage).controls
    assert controls.weights.isEnabled()
    assert not controls.draw.isVisible()
    controls.weights.set_value("raw")
    assert stage.film.index == 2
    assert bridge.calls == []
    controls.weights.set_value("ema")
    assert stage.film.index == 1
    stage.shown.look_at(a_course(a_set(0), a_set(4)))
    assert not controls.weights.isEnabled()
    assert "same weights" in controls.weights.toolTip()


def test_that_sets_of_raw_weights_say_so_in_the_strip_and_on_the_map(scene) -> None:
    _, stage = scene
    stage.shown.look_at(a_course(a_set(4), a_set(4, "raw")))
    page(stage).enlarge(0)
    assert [stage.strip._label(index) for index in range(2)] == ["4", "4 raw"]
    assert page(stage).map.columns == ("4", "raw")


# Files


def written(stage: TrainStage, kind: str, path: Path) -> Image.Image:
    said: list[object] = []
    exporter = stage.shown.exporter
    exporter.written.connect(said.append)
    exporter.failed.connect(lambda *words: said.append(words))
    exporter.menu.zoom.set_value(2)
    exporter.write(kind, path)
    assert said
    assert isinstance(said[-1], str), said
    return Image.open(path)


def test_that_the_picture_shown_is_written_as_it_is_shown(stage, tmp_path) -> None:
    page(stage).descent.asked.emit(1)
    with written(stage, "picture", tmp_path / "all.png") as image:
        assert image.size == (2 * 18, 2 * 18)
        assert [image.getpixel(place) for place in ((0, 0), (20, 0), (20, 20))] == [110, 111, 113]
    page(stage).enlarge(3)
    with written(stage, "picture", tmp_path / "one.png") as image:
        assert image.size == (16, 16)
        assert image.getpixel((0, 0)) == 113


def test_that_the_map_is_written_as_a_contact_sheet(stage, tmp_path) -> None:
    page(stage).enlarge(1)
    with written(stage, "map", tmp_path / "map.png") as image:
        pixels = np.asarray(image)
    height = 16 + 18 + 8  # two pixels for one, a line of text, a gap
    assert pixels.shape == (4 * height - 8, 3 * (16 + 8) - 8)
    assert [int(pixels[row * height, 0]) for row in range(4)] == [101, 111, 121, 1]
    assert [int(pixels[3 * height, column * 24]) for column in range(3)] == [1, 41, 91]


@pytest.mark.parametrize(("kind", "greys"), [("training", [1, 41, 91]), ("diffusion", [101, 111, 121, 41])])
def test_that_a_film_runs_along_either_time(stage, tmp_path, kind, greys) -> None:
    page(stage).enlarge(1)
    stage.film.go(1)
    with written(stage, kind, tmp_path / "film.gif") as film:
        found = []
        for frame in range(film.n_frames):
            film.seek(frame)
            found.append(film.convert("L").getpixel((0, 0)))
    assert found == greys


def with_request(*sets: Drawn) -> Course:
    """A course whose ways are as long as they are drawn, and which knows how it was trained."""
    training = TrainRequest("shapes", "d" * 64, network_of("small", 8, 1, 2), ("circle", "square"), steps=9)
    return a_course(*map(whole_way, sets), request=training)


def whole_way(drawn: Drawn) -> Drawn:
    times = tuple(range(900, -1, -100))
    return replace(drawn, timesteps=times, x0_hat=drawn.x0_hat[[0] * 10], x_t=drawn.x_t[[0] * 10])


def test_that_samples_and_their_files_say_how_they_were_drawn(scene, tmp_path) -> None:
    _, stage = scene
    stage.shown.look_at(with_request(a_set(0), a_set(4), a_set(9, "raw")))
    pane = stage.view.samples
    finished, kept = STEPS, moments(STEPS)
    all_of_them = draw_of(stage.course.request, ((9, "raw"),), COUNT)
    assert pane.recipe_of(2) == Recipe(all_of_them, Shown("x_t", finished, (2,)))
    page(stage).descent.asked.emit(3)
    assert pane.recipe_of(1).shown == Shown("x0_hat", kept[3], (1,))
    page(stage).enlarge(2)
    stage.film.go(1)
    written(stage, "picture", tmp_path / "p.png").close()
    read = read_recipe(tmp_path / "p.png")
    assert read.request == draw_of(stage.course.request, ((4, "ema"),), COUNT)
    assert read.shown == Shown("x0_hat", kept[3], (2,), zoom=2)
    written(stage, "training", tmp_path / "t.gif").close()
    film = read_recipe(tmp_path / "t.gif")
    assert (film.request.after, film.request.weights) == ((0, 4, 9), ("ema", "ema", "raw"))
    assert (film.shown.steps, film.shown.layout, film.shown.zoom) == ((kept[3],) * 3, "film", 2)
    written(stage, "diffusion", tmp_path / "d.webp").close()
    film = read_recipe(tmp_path / "d.webp")
    assert (set(film.request.after), film.shown.steps) == ({4}, (*kept, finished))
    written(stage, "map", tmp_path / "m.png").close()
    sheet = read_recipe(tmp_path / "m.png")
    assert (sheet.request.after[:6], sheet.shown.steps[:6]) == ((0, 4, 9) * 2, (kept[0],) * 3 + (kept[1],) * 3)
    assert (sheet.shown.layout, sheet.shown.columns, len(sheet.shown.names)) == ("sheet", 3, 33)


def test_that_where_nobody_knows_how_it_was_trained_nothing_is_said(stage) -> None:
    assert stage.view.samples.recipe_of(0) is None


def test_that_the_menu_offers_what_there_is_and_says_why_not(scene, monkeypatch) -> None:
    _, stage = scene
    opened: list[object] = []
    monkeypatch.setattr(stage.shown.exporter.menu, "open_at", opened.append)
    assert not page(stage).controls.export.isEnabled()
    stage.shown.look_at(a_course(a_set(3, way=False)))
    assert page(stage).controls.export.isEnabled()
    page(stage).controls.export.click()
    assert opened == [page(stage).controls.export]
    menu = stage.shown.exporter.menu
    assert {key: action.isEnabled() for key, action in menu.formats.items()} == {
        "picture": True,
        "map": False,
        "training": False,
        "diffusion": False,
    }
    assert "not kept" in menu.formats["diffusion"].toolTip()


def test_that_a_file_is_asked_for_by_a_name_that_says_what_it_is(stage, qtbot, tmp_path) -> None:
    page(stage).enlarge(1)
    stage.shown.exporter.menu.formats["training"].trigger()
    (dialog,) = stage.view.findChildren(QFileDialog)
    assert [Path(name).name for name in dialog.selectedFiles()] == ["shapes sample 2 training at finished.gif"]
    dialog.fileSelected.emit(str(tmp_path / "film.gif"))
    assert (tmp_path / "film.gif").is_file()
    dialog.close()


def test_that_a_file_that_cannot_be_written_is_said_in_the_stage(stage, tmp_path) -> None:
    stage.shown.exporter.write("picture", tmp_path / "nowhere" / "a.png")
    assert "does not exist" in stage.errors.message()
    stage.shown.exporter.write("training", tmp_path / "film.png")
    assert ".gif" in stage.errors.message()


def test_that_the_page_alone_is_empty_in_words(qtbot) -> None:
    view = TrainView()
    qtbot.addWidget(view)
    view.show_moment(replace(a_course(), state="running"), None)
    assert "appear here" in view.samples._placeholder
    assert view.samples_page.drawn is None


@pytest.mark.parametrize(("width", "height"), [(714, 558), (1000, 458)])
def test_that_sixteen_small_samples_are_three_times_as_large_in_the_smaller_windows(stage, width, height) -> None:
    """What the stage is left in a window of 1280 x 800, and in one of 1024 x 700 without its panels."""
    stage.shown.look_at(a_course(Drawn(4, np.zeros((16, 32, 32, 3), np.uint8), "ema", (900, 500), *2 * (WAY,))))
    stage.shown.pages.setFixedSize(width, height)
    QApplication.processEvents()
    assert page(stage).descent.isVisible()
    assert stage.view.samples.zoom() == 3


def test_that_tab_goes_along_the_pages_names_then_to_their_controls_then_into_the_page(stage) -> None:
    view, controls = stage.view, page(stage).controls
    met, widget = [], view.pages._buttons["samples"]
    while widget is not view.curves.choice.focusProxy():
        if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            met.append(widget)
        widget = widget.nextInFocusChain()
    names = [view.pages._buttons[key] for key in view.pages.offered()]
    assert met[:2] == names
    assert met[2:-2] == [controls.kind.focusProxy(), controls.weights.focusProxy(), controls.export]
    assert met[-2:] == [view.samples, page(stage).descent]
