"""Samples of a training say how it was trained, and are drawn again from the checkpoints that it has kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.as_code import compact_text, python_code
from core.errors import Refusal
from core.recipe import Recipe, Shown, from_text, models_of, to_text
from core.render import grid
from core.replay import frames, library_for, made, picture
from core.requests import ModelRef
from core.training.draw_request import STEPS, TrainingDraw, draw_of, moments
from core.training.events import Drawn
from core.training.film import read_film
from core.training.keeping import list_checkpoints
from core.training.kept_draws import find_training, request_in
from core.training.order import TrainOrder
from core.training.reading import Reading
from core.training.runs import new_run_folder
from core.training.session import TrainingSession
from tests.core.halves import DATA, TINY

KEPT = moments(STEPS)


House = tuple[TrainOrder, dict[int, Drawn]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, House]:
    """A finished training with a checkpoint for each of its sets of samples."""
    home = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFUSCOPE_HOME", str(home))
        patch.setenv("CXX", "none")
        out = new_run_folder("shapes")
        order = TrainOrder(out, steps=6, batch=4, samples=3, sample_every=1e9, keep_every=3, lr=0.03)
        list(TrainingSession(order, DATA, network=TINY).work())
    sets = {known.step: known for known in read_film(out).sets}
    assert {3, 6} <= {checkpoint.step for checkpoint in list_checkpoints(out)} & set(sets)
    return home, (order, sets)


@pytest.fixture
def drawn(house: tuple[Path, House], monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(house[0]))
    return house[1]


def request(order: TrainOrder, *after: int) -> TrainingDraw:
    training = request_in(order.out)
    assert training is not None
    return draw_of(training, tuple((step, "ema") for step in after), 3)


def again(recipe: Recipe) -> np.ndarray:
    """From the recipe's text, as a file carries it."""
    return picture(from_text(to_text(recipe)), library_for(recipe.requests))


def test_that_finished_samples_and_those_on_their_way_come_back(drawn) -> None:
    order, sets = drawn
    draw = request(order, 6)
    assert np.array_equal(again(Recipe(draw, Shown("x_t", STEPS, layout="grid"))), grid(sets[6].pictures))
    assert np.array_equal(again(Recipe(draw, Shown("x_t", KEPT[4], (2,)))), sets[6].x_t[4, 2])
    assert np.array_equal(again(Recipe(draw, Shown("x0_hat", KEPT[4], (1,)))), sets[6].x0_hat[4, 1])


def test_that_a_film_along_training_and_one_along_diffusion_come_back(drawn) -> None:
    order, sets = drawn
    training = Recipe(request(order, 0, 3, 6), Shown(steps=(STEPS,) * 3, layout="film", zoom=2))
    shown = frames(made(training, library_for(training.requests))[1], training.shown)
    wanted = [grid(sets[step].pictures).repeat(2, 0).repeat(2, 1) for step in (0, 3, 6)]
    assert np.array_equal(shown, np.stack(wanted))
    diffusion = Recipe(request(order, *(6,) * 3), Shown("x0_hat", steps=(KEPT[0], KEPT[5], STEPS), cells=(1,)))
    shown = frames(made(diffusion, library_for(diffusion.requests))[1], diffusion.shown)
    assert np.array_equal(shown, np.stack([sets[6].x0_hat[0, 1], sets[6].x0_hat[5, 1], sets[6].pictures[1]]))


def test_that_raw_weights_draw_again_what_they_drew(drawn, tmp_path: Path) -> None:
    order, sets = drawn
    other = replace(order, out=tmp_path / "raw", samples_from="raw")
    (*_, raw) = (event for event in TrainingSession(other, DATA, network=TINY).work() if isinstance(event, Drawn))
    draw = replace(request(order, 6), weights=("raw",))
    assert np.array_equal(again(Recipe(draw, Shown(step=STEPS, layout="grid"))), grid(raw.pictures))
    assert not np.array_equal(raw.pictures, sets[6].pictures)


def test_that_what_was_not_kept_is_named(drawn) -> None:
    order, _ = drawn
    with pytest.raises(Refusal, match=r"after 1 step of “shapes” was not kept \(there is: 3, 6\)"):
        again(Recipe(request(order, 1), Shown(step=STEPS)))
    tuned = request(order, 0)
    tuned = replace(tuned, training=replace(tuned.training, base=ModelRef("m", "a" * 64)))
    with pytest.raises(Refusal, match="is not on this computer"):
        again(Recipe(tuned, Shown(step=STEPS)))
    elsewhere = request(order, 6)
    elsewhere = replace(elsewhere, training=replace(elsewhere.training, data_sha256="e" * 64))
    with pytest.raises(Refusal, match="is not on this computer"):
        again(Recipe(elsewhere, Shown(step=STEPS)))
    with pytest.raises(Refusal, match="sample 8, but its run has only 3 samples"):
        again(Recipe(request(order, 6), Shown(step=STEPS, cells=(7,))))
    with pytest.raises(Refusal, match="none of those"):
        again(Recipe(request(order, 6), Shown(step=1)))


def test_that_a_training_is_found_whatever_length_it_has_now(drawn) -> None:
    order, _ = drawn
    training = request(order, 6).training
    found = find_training(replace(training, steps=None, minutes=7.0))
    assert found is not None
    assert found.folder == order.out.resolve()
    assert find_training(replace(training, seed=training.seed + 1)) is None


def test_that_the_recipe_is_data_that_survives_and_says_itself_in_words(drawn) -> None:
    order, _ = drawn
    draw = request(order, 3, 6)
    recipe = Recipe(
        replace(draw, training=replace(draw.training, reading=Reading(8), base=ModelRef("m", "a" * 64))),
        Shown(step=STEPS),
    )
    assert from_text(to_text(recipe)) == recipe
    assert from_text(compact_text(recipe)) == recipe
    assert models_of(recipe.request) == ()
    words = recipe.sentence
    assert "3 samples after 3 to 6 steps of a training on the pictures" in words
    assert "begun from the model m" in words
    assert "predicts v" in words
    assert str(order.out.parent) not in to_text(recipe)


def test_that_python_code_makes_it_again(drawn, tmp_path, monkeypatch) -> None:
    order, sets = drawn
    code = python_code(Recipe(request(order, 6), Shown(step=STEPS, layout="values")))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "copied", "exec"), {})
    assert np.array_equal(np.rint(np.load("values.npy") * 127.5 + 127.5).transpose(0, 2, 3, 1), sets[6].pictures)


@pytest.mark.parametrize(
    "change",
    [
        {"after": []},
        {"after": [6, 7, 8]},
        {"after": [-1]},
        {"after": [6.5]},
        {"weights": ["ema", "ema", "raw"]},
        {"weights": ["best"]},
        {"count": 0},
        {"count": 10**9},
        {"training": []},
        {"training": {}},
        {"training": {"network": 7}},
        {"training": {"network": {"block_out_channels": [10**12]}, "data_name": "x", "data_sha256": "y", "steps": 1}},
        {"training": {"network": {}, "data_name": 7, "data_sha256": "y", "steps": 1}},
        {"training": {"network": {}, "data_name": "x", "data_sha256": "y", "steps": 1, "lr": "fast"}},
        {"training": {"network": {}, "data_name": "x", "data_sha256": "y", "steps": 1, "never_flipped": [1]}},
    ],
)
def test_that_nonsense_is_refused_in_words(drawn, change) -> None:
    order, _ = drawn
    data = json.loads(to_text(Recipe(request(order, 3, 6))))
    data["request"] |= change
    with pytest.raises(Refusal):
        from_text(json.dumps(data))
