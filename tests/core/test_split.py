"""Which pictures a training never sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from core.codec import field_from_json
from core.training import split as module
from core.training.checkpoint import read_request
from core.training.classification import apart
from core.training.dataset import open_folder
from core.training.order import TrainOrder
from core.training.picture_folder import PictureFolder
from core.training.request import TrainRequest
from core.training.session import TrainingSession
from core.training.split import (
    ALIKE,
    aside_of,
    choose_aside,
    choose_aside_of_classes,
    evenly,
    how_many,
    kept_aside,
    split,
)
from core.unet_config import UNetConfig

SMALL = UNetConfig(
    sample_size=8,
    in_channels=1,
    out_channels=1,
    block_out_channels=(8,),
    down_block_types=("DownBlock2D",),
    up_block_types=("UpBlock2D",),
    layers_per_block=1,
    norm_num_groups=4,
)


def folder(count: int, twins: tuple[tuple[int, int], ...] = (), classes: int = 1) -> PictureFolder:
    """Noise, in which some pictures are another, one grey level brighter."""
    pictures = np.random.default_rng(3).integers(0, 255, (count, 8, 8, 1), dtype=np.uint8)
    for one, other in twins:
        pictures[other] = pictures[one] + 1
    labels = np.sort(np.arange(count) % classes).astype(np.int64)
    return PictureFolder("noise", pictures, labels, ("a", "b", "c")[:classes] if classes > 1 else ())


def rows_of(data: PictureFolder, count: int) -> list[int]:
    return choose_aside(data, count)[0].tolist()


@pytest.mark.parametrize(
    ("pictures", "asked", "kept"),
    [(99, None, 0), (100, None, 5), (2000, None, 100), (100_000, None, 256), (10, 3, 3), (10, 8, 5), (10, 0, 0)],
)
def test_that_one_in_twenty_is_kept_aside_or_as_many_as_are_asked_for(
    pictures: int, asked: int | None, kept: int
) -> None:
    assert how_many(pictures, asked) == kept
    assert len(evenly(pictures, how_many(pictures, asked))) == kept


@given(count=st.integers(2, 120), asked=st.integers(0, 60))
def test_that_pictures_without_twins_are_evenly_spread_and_on_one_side(count: int, asked: int) -> None:
    data, wanted = folder(count), how_many(count, asked)
    rows, are_without_twins = choose_aside(data, wanted)
    train, aside = kept_aside(data, rows)
    assert are_without_twins
    assert (len(rows), len(aside)) == (wanted, wanted)
    assert sorted([*rows.tolist(), *train.trained_on.tolist()]) == list(range(count))
    np.testing.assert_array_equal(aside.pictures, data.pictures[rows])
    if len(rows) > 1:
        assert np.ptp(np.diff(rows)) <= 1


def sides(data: PictureFolder, rows: NDArray[np.int64], twins: tuple[tuple[int, int], ...]) -> None:
    kept = set(rows.tolist())
    assert all((one in kept) == (other in kept) for one, other in twins)


@given(seed=st.integers(0, 1000), pairs=st.integers(0, 20), asked=st.integers(1, 20))
@example(seed=1, pairs=10, asked=1)  # a pair of which every band of the hash differs
def test_that_twins_are_never_on_both_sides(seed: int, pairs: int, asked: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(60)
    twins = tuple((int(one), int(other)) for one, other in shuffled[: 2 * pairs].reshape(-1, 2))
    data = folder(60, twins)
    rows, are_without_twins = choose_aside(data, asked)
    assert are_without_twins
    assert len(rows) == asked  # twenty are alone, at least
    sides(data, rows, twins)


def test_that_twins_are_kept_aside_together_where_all_pictures_have_one() -> None:
    twins = tuple((row, row + 30) for row in range(30))
    data = folder(60, twins)
    rows, are_without_twins = choose_aside(data, 7)
    assert are_without_twins
    assert len(rows) == 6
    sides(data, rows, twins)


def test_that_it_depends_on_the_pictures_alone() -> None:
    twins = ((3, 40), (10, 11), (20, 59))
    data = folder(60, twins)
    other = replace(
        data, name="elsewhere", paths=tuple(f"{row}.png" for row in reversed(range(60))), labels=data.labels
    )
    assert rows_of(data, 9) == rows_of(data, 9) == rows_of(other, 9)


def test_that_of_pictures_all_alike_some_are_kept_aside_and_the_person_is_told(tmp_path: Path) -> None:
    data = folder(40)
    same = replace(data, pictures=np.full_like(data.pictures, 7))
    rows, are_without_twins = choose_aside(same, 4)
    assert not are_without_twins
    assert rows.tolist() == [5, 15, 25, 35]
    order = TrainOrder(tmp_path / "run", steps=1, batch=2, samples=0, validation=4)
    assert ALIKE in TrainingSession(order, same, network=SMALL).notes
    assert ALIKE not in TrainingSession(replace(order, out=tmp_path / "other"), data, network=SMALL).notes


def test_that_a_classifier_measures_one_in_ten_of_each_class_without_twins_among_the_others() -> None:
    twins = ((9, 5), (19, 45), (31, 32))
    data = folder(60, twins, classes=3)
    rows, are_without_twins = choose_aside_of_classes(data)
    assert are_without_twins
    assert np.bincount(data.labels[rows]).tolist() == [2, 2, 2]
    sides(data, rows, twins)
    shown, kept = apart(data, rows)
    assert (len(shown), len(kept)) == (54, 6)
    np.testing.assert_array_equal(kept.pictures, data.pictures[rows])


def test_that_what_was_found_when_the_folder_was_read_is_not_sought_again(tmp_path: Path, monkeypatch) -> None:
    for row, picture in enumerate(folder(30, ((4, 22),)).pictures):
        Image.fromarray(picture[..., 0]).save(tmp_path / f"{row:02}.png")
    data = open_folder(tmp_path, 8)
    unreported = replace(data, report=PictureFolder("", data.pictures, data.labels, ()).report)
    assert data.report.duplicates == (("04.png", "22.png"),)
    sought = choose_aside(unreported, 6)[0].tolist()
    monkeypatch.setattr(module, "find_duplicates", lambda *_args, **_kwargs: pytest.fail("sought again"))
    assert rows_of(data, 6) == sought
    capped = replace(data, report=replace(data.report, duplicate_groups=2, duplicate_pictures=2))
    with pytest.raises(pytest.fail.Exception):
        rows_of(capped, 6)


def test_that_a_run_remembers_what_it_keeps_aside(tmp_path: Path, monkeypatch) -> None:
    data = folder(60, ((3, 40), (29, 30)))
    order = TrainOrder(tmp_path / "run", steps=2, batch=4, samples=0, validation=6)
    list(TrainingSession(order, data, network=SMALL).work())
    before = read_request(order.out)
    assert before is not None
    assert (before.validation, before.aside) == (6, tuple(rows_of(data, 6)))
    monkeypatch.setattr(module, "find_duplicates", lambda *_args, **_kwargs: pytest.fail("sought again"))
    again = TrainingSession(replace(order, resume=True, steps=4), data, network=SMALL)
    assert again.data.aside == before.aside
    assert again.notes == ()


def test_that_a_run_of_an_older_version_keeps_aside_what_it_has() -> None:
    data = folder(60, ((3, 40), (29, 30)), classes=2)
    made = TrainRequest("noise", data.sha256, SMALL, labels=data.classes, steps=3, validation=3)
    assert made.aside is None
    assert aside_of(made, data).tolist() == [10, 30, 50]
    classifier = replace(made, task="classifier", validation=0)
    assert aside_of(classifier, data).tolist() == [9, 19, 29, 39, 49, 59]
    assert split(TrainOrder(Path("nowhere")), made, data)[0].tolist() == [10, 30, 50]


def test_that_pictures_that_are_no_longer_there_are_not_kept_aside() -> None:
    made = TrainRequest("noise", "", SMALL, steps=3, validation=3, aside=(2, 5, 9))
    assert aside_of(made, folder(6)).tolist() == [2, 5]


def test_that_very_many_can_be_remembered() -> None:
    many = list(range(100_000))
    assert field_from_json(TrainRequest, "aside", many) == tuple(many)
