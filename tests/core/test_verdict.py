"""What distances to the nearest training picture say of learning by heart."""

import numpy as np
import pytest

from core.evaluation.verdict import is_lower, judged, more_than_chance

NONE = np.zeros(0)


def drawn(seed: int, count: int, low: float = 10.0, high: float = 30.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, count)


def test_that_samples_as_far_as_held_out_pictures_are_no_sign() -> None:
    found = judged(drawn(1, 64), drawn(2, 200), NONE)
    assert found.sign == "none"
    assert "at least as far from the training pictures as held-out pictures are" in found.words
    assert "no sign of learning by heart" in found.words


def test_that_a_few_samples_far_below_all_held_out_pictures_are_a_sign_of_copies() -> None:
    samples = np.concatenate((drawn(1, 12), [0.0, 0.5, 0.1, 0.2]))
    found = judged(samples, drawn(2, 200), NONE)
    assert found.sign == "copies"
    assert found.near == 4
    assert "4 of 16 samples are closer to a training picture than 99% of held-out pictures are" in found.words


def test_that_samples_a_little_nearer_on_the_whole_are_told_apart_from_copies() -> None:
    found = judged(drawn(1, 200, 12, 28), drawn(2, 200, 12, 33), NONE)
    assert found.sign == "nearer"
    assert "look at the pairs" in found.words


def test_that_samples_farther_than_held_out_pictures_are_said_to_be() -> None:
    found = judged(drawn(1, 100, 20, 40), drawn(2, 100, 10, 30), NONE)
    assert found.sign == "none"
    assert "farther from" in found.words


def test_that_without_held_out_pictures_training_pictures_are_the_yardstick() -> None:
    assert "training pictures to each other" in judged(drawn(1, 16), NONE, drawn(3, 100)).words
    assert judged(np.full(16, 0.0), NONE, drawn(3, 100)).sign == "copies"
    assert judged(np.full(16, 0.0), np.full(50, 0.0), drawn(3, 100)).sign == "none"  # the held-out ones count


def test_that_few_samples_or_pictures_are_said_to_be_too_few() -> None:
    for samples, held_out in ((3, 100), (16, 19)):
        found = judged(drawn(1, samples), drawn(2, held_out), NONE)
        assert found.sign == "unknown"
        assert f"{samples} samples and {held_out} held-out pictures are too few" in found.words


def test_that_chance_is_beta_binomial() -> None:
    stats = pytest.importorskip("scipy.stats")
    for near, n, rank, m in ((1, 16, 1, 40), (3, 16, 2, 200), (12, 64, 5, 500)):
        expected = stats.betabinom.sf(near - 1, n, rank, m + 1 - rank)
        assert more_than_chance(near, n, rank, m) == pytest.approx(expected, rel=1e-9)
    # one sample among m others is the smallest of all with probability 1 / (m + 1)
    assert more_than_chance(1, 1, 1, 99) == pytest.approx(0.01)


def test_that_the_rank_sum_is_that_of_mann_and_whitney_also_with_ties() -> None:
    stats = pytest.importorskip("scipy.stats")
    for a, b in ((drawn(1, 30), drawn(2, 50)), (drawn(1, 40).round(), drawn(4, 25, 12, 30).round())):
        expected = stats.mannwhitneyu(a, b, alternative="less", method="asymptotic").pvalue
        assert is_lower(a, b) == pytest.approx(expected, rel=1e-9)
    assert is_lower(np.full(9, 2.0), np.full(9, 2.0)) == 1


def test_that_honest_samples_are_seldom_accused() -> None:
    found = [judged(drawn(seed, 16), drawn(1000 + seed, 200), NONE).sign for seed in range(300)]
    assert found.count("none") >= 0.96 * len(found)  # two tests at 1 % each
