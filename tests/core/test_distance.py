"""Distances between sets of features, held against independent implementations and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.evaluation.distance import frechet, kernel_distance, may_use_frechet, precision_and_recall


def cloud(n: int, d: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


def test_that_the_frechet_distance_is_that_of_a_general_matrix_root() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    mix = np.random.default_rng(0).normal(size=(6, 6))
    a, b = cloud(200, 6, 1) @ mix, cloud(150, 6, 2, 0.3)
    root = linalg.sqrtm(np.cov(a, rowvar=False) @ np.cov(b, rowvar=False)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum()
    expected += np.trace(np.cov(a, rowvar=False) + np.cov(b, rowvar=False) - 2 * root)
    assert frechet(a, b).value == pytest.approx(expected, rel=1e-9)


def test_that_the_frechet_distance_of_gaussians_along_the_axes_is_the_closed_form() -> None:
    # Points +-s about a mean have exactly this mean and, with n - 1, a variance of s^2 n / (n - 1) along each axis.
    def points(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
        axes = np.concatenate([np.diag(std), -np.diag(std)])
        return mean + axes * math.sqrt((len(axes) - 1) / 2)

    mean_a, std_a = np.array([0.0, 1.0, -2.0]), np.array([1.0, 2.0, 0.5])
    mean_b, std_b = np.array([1.0, 1.0, 0.0]), np.array([3.0, 2.0, 1.0])
    expected = ((mean_a - mean_b) ** 2).sum() + ((std_a - std_b) ** 2).sum()
    assert frechet(points(mean_a, std_a), points(mean_b, std_b)).value == pytest.approx(expected, rel=1e-12)


def test_that_the_error_of_the_frechet_distance_is_what_repeating_shows() -> None:
    found = [frechet(cloud(200, 3, 2 * i), cloud(200, 3, 2 * i + 1, 0.5), seed=i) for i in range(60)]
    spread = np.std([distance.value for distance in found], ddof=1)
    assert 0.6 * spread < np.mean([distance.error for distance in found]) < 1.6 * spread


def test_that_the_kernel_distance_is_the_double_sum_of_its_definition() -> None:
    a, b = cloud(23, 4, 3), cloud(17, 4, 4, 0.4)

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 4 + 1) ** 3)

    within_a = sum(kernel(a[i], a[j]) for i in range(23) for j in range(23) if i != j) / (23 * 22)
    within_b = sum(kernel(b[i], b[j]) for i in range(17) for j in range(17) if i != j) / (17 * 16)
    between = sum(kernel(x, y) for x in a for y in b) / (23 * 17)
    expected = within_a + within_b - 2 * between
    assert kernel_distance(a, b).value == pytest.approx(expected, rel=1e-10)
    assert kernel_distance(a, b, seed=8).value == pytest.approx(expected, rel=1e-10)


def test_that_the_kernel_distance_of_two_samples_of_one_distribution_is_0_on_average() -> None:
    found = [kernel_distance(cloud(60, 3, 2 * i), cloud(60, 3, 2 * i + 1)).value for i in range(200)]
    assert abs(np.mean(found)) < 3 * np.std(found) / math.sqrt(200)


def test_that_the_error_of_the_kernel_distance_is_what_repeating_shows() -> None:
    found = [kernel_distance(cloud(200, 3, 2 * i), cloud(200, 3, 2 * i + 1, 0.5), seed=i) for i in range(60)]
    spread = np.std([distance.value for distance in found], ddof=1)
    assert 0.6 * spread < np.mean([distance.error for distance in found]) < 1.6 * spread


def test_that_few_samples_have_a_distance_without_an_error() -> None:
    found = kernel_distance(cloud(3, 2, 0), cloud(2, 2, 1))
    assert math.isfinite(found.value)
    assert math.isnan(found.error)
    assert math.isnan(frechet(cloud(12, 2, 0), cloud(12, 2, 1)).error)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 30), st.integers(4, 30), st.integers(1, 3))
def test_that_precision_and_recall_are_those_of_the_definition(seed: int, n: int, m: int, k: int) -> None:
    samples, real = cloud(n, 2, seed), cloud(m, 2, seed + 1, 0.5)

    def covered(points: np.ndarray, centres: np.ndarray) -> float:
        inside = 0
        for point in points:
            for i, centre in enumerate(centres):
                others = sorted(math.dist(centre, other) for j, other in enumerate(centres) if j != i)
                if math.dist(point, centre) <= others[k - 1]:
                    inside += 1
                    break
        return inside / len(points)

    precision, recall = precision_and_recall(samples, real, k)
    assert precision == pytest.approx(covered(samples, real), abs=1e-12)
    assert recall == pytest.approx(covered(real, samples), abs=1e-12)


def test_that_a_tight_cluster_within_the_data_is_precise_and_recalls_little() -> None:
    real, samples = cloud(300, 2, 0), cloud(300, 2, 1, 0.0, 0.1)
    precision, recall = precision_and_recall(samples, real)
    assert precision > 0.95
    assert recall < 0.2


def test_that_more_samples_than_a_block_are_counted_once_each() -> None:
    real = cloud(1100, 2, 0)
    assert precision_and_recall(real, real) == (1.0, 1.0)
    far = cloud(1100, 2, 1, 50.0)
    assert precision_and_recall(far, real) == (0.0, 0.0)


def test_that_precision_without_enough_neighbours_is_not_a_number() -> None:
    assert all(math.isnan(value) for value in precision_and_recall(cloud(3, 2, 0), cloud(9, 2, 0), 3))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 3), st.floats(-2, 2))
def test_that_distances_are_symmetric_and_blind_to_rotations_and_order(seed: int, scale: float, shift: float) -> None:
    a, b = cloud(25, 3, seed), cloud(30, 3, seed + 1, shift, scale)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    for distance in (frechet, kernel_distance):
        value = distance(a, b).value
        tolerance = 1e-7 * (1 + abs(value))
        assert distance(b, a).value == pytest.approx(value, abs=tolerance)
        assert distance(a @ turn, b @ turn).value == pytest.approx(value, abs=tolerance)
        assert distance(a[::-1], b).value == pytest.approx(value, abs=tolerance)
    assert frechet(a, a).value == pytest.approx(0, abs=1e-9)
    assert frechet(a, b).value >= -1e-9


def test_that_frechet_asks_for_enough_samples_and_as_many_on_both_sides() -> None:
    assert may_use_frechet(320, 320, 64)
    assert not may_use_frechet(319, 319, 64)
    assert not may_use_frechet(640, 320, 64)


def test_that_others_are_served_between_blocks() -> None:
    served: list[int] = []
    kernel_distance(cloud(40, 2, 0), cloud(40, 2, 1), breathe=lambda: served.append(1))
    assert len(served) >= 10


def test_that_classes_of_fixed_sizes_leave_the_kernel_distance_unbiased() -> None:
    centres = np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, 0.0], [0.0, -3.0]])
    labels = np.arange(24) % 4

    def drawn(rng: np.random.Generator, classes: np.ndarray) -> np.ndarray:
        return centres[classes] + rng.normal(0, 0.3, (len(classes), 2))

    told, untold = [], []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        samples, reference = drawn(rng, labels), drawn(rng, rng.integers(0, 4, 40))
        told.append(kernel_distance(samples, reference, strata=(labels, None)).value)
        told.append(kernel_distance(reference, samples, strata=(None, labels)).value)
        untold.append(kernel_distance(samples, reference).value)
    assert abs(np.mean(told)) < 3 * np.std(told) / math.sqrt(150)  # either way round is one draw
    assert np.mean(untold) < -10 * np.std(untold) / math.sqrt(150)


def test_that_classes_too_small_for_pairs_are_taken_together() -> None:
    a, b = cloud(30, 3, 0), cloud(30, 3, 1)
    plain = kernel_distance(a, b).value
    assert kernel_distance(a, b, strata=(np.arange(30), None)).value == pytest.approx(plain, rel=1e-9)
    mixed = np.array([0] * 27 + [1, 2, 3])
    assert kernel_distance(a, b, strata=(mixed, mixed)).value == pytest.approx(plain, rel=1e-9)
    few = kernel_distance(a, b, strata=(np.array([0] * 20 + [1] * 4 + [2, 3, 4, 5, 6, 7]), None))
    assert math.isfinite(few.value)
    assert math.isfinite(few.error)


def test_that_others_are_let_in_often_however_many_points_there_are(monkeypatch) -> None:
    monkeypatch.setattr("core.evaluation.distance.PAIRS", 50)
    a, b = cloud(60, 2, 0), cloud(60, 2, 1)
    whole = kernel_distance(a, b).value, precision_and_recall(a, b, 3)
    blocks: list[int] = []
    assert precision_and_recall(a, b, 3, lambda: blocks.append(1)) == whole[1]
    assert len(blocks) == 4 * 60  # radii of both, and whom they cover: a row of 60 pairs at a time
    blocks.clear()
    assert kernel_distance(a, b, breathe=lambda: blocks.append(1)).value == pytest.approx(whole[0], abs=1e-12)
    assert len(blocks) >= 2 * 60 * 60 / 50  # each set with itself, and both with each other


def test_that_others_are_let_in_while_a_large_matrix_has_its_root_taken() -> None:
    served: list[int] = []
    frechet(cloud(40, 513, 0), cloud(40, 513, 1), breathe=lambda: served.append(1))
    assert served
