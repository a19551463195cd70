"""The ablation on paper: its cells are those of DDPM's table 2, alike in all else; what diverged is remembered."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Refusal
from core.requests import ScheduleSpec
from core.training.ablation import (
    FILE,
    HYBRID,
    TABLE,
    WINDOW,
    Ablation,
    Figures,
    begin,
    exploded_at,
    list_ablations,
    note_divergence,
    note_figures,
    outcomes,
    read,
)
from core.training.runs import RunSummary, runs_folder, write_summary

PAPER = {
    ("mean", "vlb", "diagonal"): 23.69,
    ("mean", "vlb", "fixed"): 13.22,
    ("mean", "simple", "fixed"): None,
    ("eps", "vlb", "diagonal"): None,
    ("eps", "vlb", "fixed"): 13.51,
    ("eps", "simple", "fixed"): 3.17,
}
"""Ho et al. 2020, table 2: FID on CIFAR-10, None for the dashes of what was unstable to train."""
DIGITS = Ablation("digits", 32, 500, batch=32, seed=7, lr=0.0005, flip=True, schedule=ScheduleSpec("cosine"))


def summary(folder, **changes) -> RunSummary:
    values = {"step": 10, "steps": 500, "minutes": None, "finished": False, "seconds": 3.0, "loss": 0.5, "size": 32}
    values |= {"data_name": "digits", "count": 10, "pictures": None, "changed": 0.0} | changes
    return RunSummary(folder=folder, name=folder.name, **values)


def test_that_the_cells_are_those_of_the_papers_table() -> None:
    assert {(cell.prediction, cell.objective, cell.variance): cell.published for cell in TABLE} == PAPER
    assert [cell.prediction for cell in TABLE] == ["mean"] * 3 + ["eps"] * 3


def test_that_the_hybrid_is_a_row_of_its_own_where_it_is_wished() -> None:
    assert DIGITS.cells == TABLE
    assert Ablation("digits", 32, 500, hybrid=True).cells == (*TABLE, HYBRID)
    assert (HYBRID.prediction, HYBRID.objective, HYBRID.variance, HYBRID.extra) == ("eps", "hybrid", "range", True)


def test_that_trainings_differ_in_what_the_table_says_and_in_nothing_else(tmp_path) -> None:
    orders = [asdict(DIGITS.order(cell, tmp_path)) for cell in DIGITS.cells]
    for order, cell in zip(orders, DIGITS.cells, strict=True):
        assert order.pop("out") == tmp_path / cell.key
        assert tuple(order.pop(name) for name in ("prediction", "objective", "variance")) in PAPER
        assert order == orders[0]
    assert (orders[0]["steps"], orders[0]["batch"], orders[0]["seed"], orders[0]["lr"]) == (500, 32, 7, 0.0005)
    assert orders[0]["schedule"] == asdict(ScheduleSpec("cosine"))
    assert orders[0]["flip"] is True
    assert orders[0]["resume"] is True


def test_that_an_ablation_is_read_as_it_was_written(tmp_path) -> None:
    begin(DIGITS, tmp_path / "new")
    assert read(tmp_path / "new") == DIGITS
    begin(DIGITS, tmp_path / "new")
    with pytest.raises(Refusal, match="other settings"):
        begin(Ablation("digits", 32, 600), tmp_path / "new")


def test_that_a_folder_with_a_model_is_left_alone(tmp_path) -> None:
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(Refusal, match="holds a model"):
        begin(DIGITS, tmp_path)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"steps": 3}', '{"data_name": 3, "size": 32, "steps": 3}', '{"a": "' + "x" * 2**21 + '"}'],
)
def test_that_a_damaged_file_is_refused_in_words(tmp_path, content) -> None:
    (tmp_path / FILE).write_text(content)
    for ask in (read, outcomes):
        with pytest.raises(Refusal, match=r"ablation\.json is damaged"):
            ask(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("size", -8), ("size", 10**9), ("steps", 0), ("batch", 0), ("batch", 10**9), ("samples", 10**9)),
        *(("seed", -1), ("lr", "fast"), ("preset", "huge"), ("hybrid", 1), ("schedule", {"name": "none"})),
        *(("schedule", {"T": 10**9}), ("diverged", {"mu-simple": "early"}), ("figures", {"mu-simple": {"metric": 7}})),
    ],
)
def test_that_a_file_edited_by_hand_is_bounded(tmp_path, field, value) -> None:
    begin(DIGITS, tmp_path)
    data = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(data | {field: value}))
    with pytest.raises(Refusal, match="is damaged"):
        outcomes(tmp_path)


def test_that_nothing_is_written_of_an_ablation_that_cannot_be_trained(tmp_path) -> None:
    with pytest.raises(Refusal, match="9 × 9 cannot be trained on"):
        begin(replace(DIGITS, size=9), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_that_it_is_known_which_cells_are_over(tmp_path) -> None:
    begin(DIGITS, tmp_path)
    write_summary(summary(tmp_path / TABLE[0].key, step=500, finished=True))
    write_summary(summary(tmp_path / TABLE[1].key))
    write_summary(summary(tmp_path / TABLE[2].key))
    note_divergence(tmp_path, TABLE[2], 17)
    found = outcomes(tmp_path)
    assert [outcome.is_over for outcome in found] == [True, False, True, False, False, False]
    assert [outcome.diverged for outcome in found] == [None, None, 17, None, None, None]
    assert [outcome.run is not None for outcome in found] == [True, True, True, False, False, False]
    assert read(tmp_path) == DIGITS


def test_that_what_was_measured_is_remembered_beside_what_diverged(tmp_path) -> None:
    begin(DIGITS, tmp_path)
    note_divergence(tmp_path, TABLE[2], 17)
    measured = Figures(3.5, 0.1, 0.02, 0.003, "kernel", "digits-judge")
    note_figures(tmp_path, {TABLE[0].key: measured, TABLE[1].key: Figures(4.0, 0.2)})
    note_figures(tmp_path, {TABLE[1].key: Figures(4.5, 0.2)})
    found = outcomes(tmp_path)
    assert [outcome.figures for outcome in found[:3]] == [measured, Figures(4.5, 0.2), Figures()]
    assert found[2].diverged == 17


def test_that_strange_cells_in_the_file_are_passed_over(tmp_path) -> None:
    begin(DIGITS, tmp_path)
    data = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(data | {"diverged": {"nobody": 3, "eps-simple": 4}}))
    assert [outcome.diverged for outcome in outcomes(tmp_path)] == [None] * 5 + [4]


def test_that_ablations_are_listed_wherever_they_lie(tmp_path) -> None:
    begin(DIGITS, runs_folder() / "digits ablation")
    begin(DIGITS, tmp_path / "elsewhere")
    elsewhere = (summary(tmp_path / "elsewhere" / TABLE[0].key), summary(tmp_path / "alone"))
    assert list_ablations() == ((runs_folder() / "digits ablation").resolve(),)
    assert set(list_ablations(elsewhere)) == {(runs_folder() / "digits ablation").resolve(), tmp_path / "elsewhere"}


# What has exploded


def losses(*parts: tuple[float, int]) -> np.ndarray:
    return np.concatenate([np.full(count, value, np.float32) for value, count in parts])


def test_that_a_loss_that_rises_tenfold_and_stays_has_exploded_there() -> None:
    step = exploded_at(losses((1.0, 200), (0.1, 300), (5.0, 300)))
    assert step is not None
    assert 500 < step <= 500 + WINDOW


@pytest.mark.parametrize(
    "parts", [((1.0, 300), (0.01, 300)), ((0.1, 300), (5.0, 200), (0.1, 200)), ((0.1, 300), (0.9, 300)), ((1.0, 5),)]
)
def test_that_a_loss_that_falls_comes_back_or_rises_less_has_not_exploded(parts) -> None:
    assert exploded_at(losses(*parts)) is None


def test_that_single_batches_and_unknown_losses_do_not_count() -> None:
    values = losses((0.1, 400))
    values[::20] = 50.0
    values[100:160] = np.nan
    assert exploded_at(values) is None


def test_that_losses_nobody_knows_have_not_exploded() -> None:
    assert exploded_at(losses((0.1, 100), (np.nan, 100))) is None
    assert exploded_at(losses((np.nan, 200))) is None
    assert exploded_at(losses((0.1, 100), (np.nan, 100), (9.0, 100))) == 201


@given(st.integers(100, 400), st.floats(0.01, 10), st.integers(0, 2**32 - 1))
def test_that_no_scale_of_the_loss_makes_it_explode(count, scale, seed) -> None:
    values = np.random.default_rng(seed).uniform(0.5, 1.0, count).astype(np.float32)
    assert exploded_at(values) is exploded_at(np.float32(scale) * values) is None
