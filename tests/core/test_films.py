"""Films, sheets and numbers of a run's states: as files, from the engine, and made again from their recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from core import video
from core.errors import Cancelled, Refusal
from core.library import Library
from core.messages import Failed, Gathered, Inspection
from core.recipe import Recipe, Shown, as_film, as_sheet, as_values, read_recipe
from core.render import grid, of_state, write_animation, write_frames, write_npy, write_safetensors
from core.replay import frames, laid_out, made, stacked
from core.requests import GatherStep, InspectStep, SamplerSpec
from tests.toys import Toy

STEPS = (0, 4, 10)


def levels(count: int, side: int = 5) -> list[np.ndarray]:
    return [np.full((side, side + 2, 1), 20 * (index + 1), np.uint8) for index in range(count)]


def durations(path: Path) -> list[float]:
    found = []
    with Image.open(path) as image:
        for frame in range(image.n_frames):
            image.seek(frame)
            image.load()
            found.append(image.info["duration"])
    return found


@pytest.fixture
def library() -> Library:
    made_here = Library()
    made_here.add_model(Toy(name="a"))
    return made_here


# ------------------------------------------------------------------------------------------------ files


@pytest.mark.parametrize("ending", [".gif", ".webp", ".apng"])
def test_that_the_last_frame_of_a_film_is_held(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"film{ending}"
    write_frames(path, iter(levels(4)), 4, 50, hold=700)
    assert durations(path) == [50, 50, 50, 750]


@pytest.mark.parametrize("ending", [".gif", ".webp", ".apng"])
def test_that_a_film_that_is_left_leaves_the_older_file_as_it_was(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"film{ending}"
    path.write_bytes(b"older")

    def leave(done: int) -> None:
        if done == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_frames(path, iter(levels(4)), 4, 50, on_frame=leave)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_that_a_film_beyond_all_memory_is_refused_before_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="Make the film smaller"):
        write_frames(tmp_path / "film.gif", iter(levels(1, 4000)), 100, 50)
    assert list(tmp_path.iterdir()) == []


def test_that_an_mp4_has_its_frames_in_their_time_and_says_what_it_is(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path, recipe = tmp_path / "film.mp4", as_film(Recipe(Toy(name="a").request(), Shown(steps=STEPS)), 100, hold=300)
    write = video.write_video
    write(path, iter(levels(4)), 100, recipe, hold=300)
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == recipe.sentence
        assert container.streams.video[0].average_rate == 10
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [picture.shape for picture in shown] == [(6, 8, 3)] * 7  # even, as the format wants it
    greys = [int(picture[2, 2, 0]) for picture in shown]
    assert np.allclose(greys, [20, 40, 60, 80, 80, 80, 80], atol=3)
    assert read_recipe(path) == recipe


def test_that_without_the_library_an_mp4_is_refused_with_how_to_get_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(video.importlib.util, "find_spec", lambda _name: None)
    assert "pip install av" in video.why_not()
    with pytest.raises(Refusal, match="pip install av"):
        video.write_video(tmp_path / "film.mp4", iter(levels(2)), 100)
    assert list(tmp_path.iterdir()) == []


def test_that_named_arrays_keep_every_bit_and_their_recipe(tmp_path: Path) -> None:
    values = np.array([[1.5, -7.25], [1e-20, 3.0]], np.float32)
    recipe = as_values(Recipe(Toy(name="a").request(), Shown("x_t", 10, steps=STEPS)))
    path = tmp_path / "states.safetensors"
    write_safetensors(path, {"x_t": values.T, "t": values[0]}, recipe)
    read = load_file(path)
    assert set(read) == {"x_t", "t"}
    assert read["x_t"].tobytes() == np.ascontiguousarray(values.T).tobytes()
    assert read_recipe(path) == recipe
    assert recipe.sentence.encode() in path.read_bytes()


# ------------------------------------------------------------------------------------------------ gathered


def test_that_a_state_is_gathered_in_pictures_and_in_numbers(listening) -> None:
    toy = listening(Toy(name="a"))
    job = toy.run(toy.model.request())
    toy.engine.ask(GatherStep(job, 3))
    toy.wait(lambda: toy.of(Gathered))
    (seen,) = toy.of(Gathered)
    toy.engine.ask(InspectStep(job, 3))
    toy.wait(lambda: toy.of(Inspection))
    (looked,) = toy.of(Inspection)
    assert np.array_equal(seen.x_t, looked.x_t)
    assert np.array_equal(seen.x0_hat, looked.x0_hat)
    assert np.array_equal(seen.eps_hat, looked.eps_hat)
    assert np.array_equal(seen.x_t_values, toy.engine.values(job, 3))
    level = looked.level
    noised = level.alpha * seen.x0_hat_values + level.sigma * seen.eps_hat
    assert np.allclose(noised, seen.x_t_values, atol=1e-5)


def test_that_the_data_are_gathered_as_their_own_x0_hat_without_noise(listening) -> None:
    toy = listening(Toy(name="a"))
    job = toy.run(toy.model.request())
    toy.engine.ask(GatherStep(job, 10))
    toy.wait(lambda: toy.of(Gathered))
    (seen,) = toy.of(Gathered)
    assert seen.eps_hat is None
    assert np.array_equal(seen.x0_hat_values, toy.final(job))
    assert np.array_equal(seen.x0_hat, seen.x_t)


def test_that_who_gathers_hears_why_nothing_is_there_and_nobody_else_does(listening) -> None:
    toy = listening(Toy(name="a"))
    toy.engine.ask(GatherStep(77, 0))
    toy.wait(lambda: toy.of(Gathered))
    assert "Run it again" in toy.of(Gathered)[0].refusal
    assert not toy.of(Failed)


# ------------------------------------------------------------------------------------------------ made again


@pytest.mark.parametrize("name", ["ddim", "ddpm"])
def test_that_a_film_of_a_run_is_made_again_state_by_state(listening, library: Library, name: str) -> None:
    toy = listening(Toy(name="a"))
    request = toy.model.request(sampler=SamplerSpec(name, clip="none"))
    job = toy.run(request)
    for count, step in enumerate(STEPS, 1):
        toy.engine.ask(GatherStep(job, step))
        toy.wait(lambda count=count: len(toy.of(Gathered)) == count)
    seen = toy.of(Gathered)
    shown = Shown("x_t", STEPS[-1], (0, 1), "film", zoom=2, steps=STEPS, beside="x0_hat", there_and_back=True)
    _, pictures = made(Recipe(request, shown), library)
    expected = [grid([grid(state.x_t), grid(state.x0_hat)], columns=2, gap=4) for state in seen]
    film = frames(pictures, shown)
    assert film.shape == (4, 8, 2 * (2 * (2 * 4 + 2) + 4), 1)
    for frame, state in zip(film, [*expected, expected[1]], strict=True):
        assert np.array_equal(frame[::2, ::2], state)


def test_that_a_sheet_of_states_has_one_picture_for_each(library: Library) -> None:
    request = Toy(name="a").request()
    sheet = as_sheet(Recipe(request, Shown("x_t", 10, (1,), steps=STEPS)), ("a", "b", "c"), 3, 5)
    _, pictures = made(sheet, library)
    whole = laid_out(pictures, sheet.shown)
    for place, step in enumerate(STEPS):
        _, alone = made(Recipe(request, Shown("x_t", step, (1,))), library)
        left = place * (4 * 5 + 4 * 5)  # as far apart as four of their pixels
        assert np.array_equal(whole[:20:5, left : left + 20 : 5], alone[0])


def test_that_numbers_of_several_states_are_one_array(listening, library: Library, tmp_path: Path) -> None:
    toy = listening(Toy(name="a"))
    request = toy.model.request()
    job = toy.run(request)
    expected = np.stack([toy.engine.values(job, step) for step in STEPS])
    recipe = as_values(Recipe(request, Shown("x_t", 10, (0, 1), steps=STEPS)))
    write_npy(tmp_path / "states.npy", expected, recipe)
    read = read_recipe(tmp_path / "states.npy")
    assert read == recipe
    values, _ = made(read, library)
    assert np.array_equal(stacked(values, read.shown), expected)


def test_that_the_recipe_of_one_cell_of_a_film_is_a_picture(tmp_path: Path) -> None:
    film = as_film(Recipe(Toy(name="a").request(), Shown("x_t", 10, (0, 1), steps=STEPS, beside="x0_hat")), 40, hold=9)
    write_animation(tmp_path / "film.gif", np.stack(levels(2)), 40, film, hold=9)
    assert read_recipe(tmp_path / "film.gif") == film
    assert film.of_cell(1).shown == Shown("x_t", 10, (1,), milliseconds=40, hold=9)


def test_that_a_state_of_one_quantity_is_its_grid() -> None:
    pictures = np.stack(levels(3))
    assert np.array_equal(of_state([pictures]), grid(pictures))
