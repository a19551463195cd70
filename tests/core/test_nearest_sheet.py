"""The sheet of samples beside their nearest training pictures."""

import numpy as np
import pytest

from core.evaluation.nearest_plan import fitting_judge
from core.evaluation.nearest_sheet import order_of, sheet
from core.messages import ClassifierInfo, Nearest, Neighbours
from core.requests import ModelRef, ScheduleSpec

SIDE = 16


def neighbours(distances: list[float], value: int, channels: int = 1) -> Neighbours:
    n = len(distances)
    return Neighbours(
        np.zeros((n, 2), np.int64),
        np.array([(one, one + 1) for one in distances]),
        np.zeros((n, 2), np.bool_),
        np.full((n, 2, SIDE, SIDE, channels), value, np.uint8),
        np.zeros(0),
        np.zeros(0),
        "unknown",
        "",
    )


def result(n: int = 3, features: bool = True, channels: int = 1) -> Nearest:
    samples = np.stack([np.full((SIDE, SIDE, channels), 10 * (row + 1), np.uint8) for row in range(n)])
    distances = [float(n - row) for row in range(n)]
    return Nearest(
        samples, 5, neighbours(distances, 100, channels), neighbours(distances, 200, channels) if features else None
    )


def cells(picture: np.ndarray, rows: int, columns: int) -> list[list[int]]:
    """The value in the middle of each cell's picture."""
    height, width = (picture.shape[0] + 4) // rows, (picture.shape[1] + 4) // columns
    return [
        [int(picture[row * height + 40, column * width + 40, 0]) for column in range(columns)] for row in range(rows)
    ]


def test_that_the_nearest_sample_stands_first_with_its_neighbours_beside_it() -> None:
    assert order_of(result()).tolist() == [2, 1, 0]
    assert cells(sheet(result()), 3, 5) == [
        [30, 100, 100, 200, 200],
        [20, 100, 100, 200, 200],
        [10, 100, 100, 200, 200],
    ]


def test_that_many_samples_stand_in_two_columns_and_no_more_than_asked_for() -> None:
    seen = cells(sheet(result(20), most=13), 7, 11)
    assert [row[0] for row in seen] == [200, 190, 180, 170, 160, 150, 140]
    assert [row[6] for row in seen[:6]] == [130, 120, 110, 100, 90, 80]
    assert seen[6][6:] == [255] * 5  # nothing beside the seventh


@pytest.mark.parametrize("channels", [1, 3])
def test_that_a_check_by_pixels_alone_has_a_sheet(channels: int) -> None:
    made = sheet(result(2, features=False, channels=channels))
    assert made.shape[2] == channels
    assert cells(made, 2, 3) == [[20, 100, 100], [10, 100, 100]]


def test_that_the_judge_that_fits_knows_the_models_classes_at_its_size_and_met_no_noise() -> None:
    def judge(**changes) -> ClassifierInfo:
        has = {"event_shape": (1, 8, 8), "labels": ("a", "b"), "noisy": False} | changes
        return ClassifierInfo(ModelRef("j", "j" * 64), schedule=ScheduleSpec(), features=4, **has)

    wrong = [judge(noisy=True), judge(labels=("a",)), judge(event_shape=(3, 8, 8))]
    assert fitting_judge(wrong, (1, 8, 8), ("a", "b")) is None
    assert fitting_judge([*wrong, judge()], (1, 8, 8), ("a", "b")) == judge()
