import numpy as np
import pytest

from core import likeness as likeness_module
from core.likeness import FEATURES, likeness, measure, prefers_inverted


def bars(count: int, seed: int = 0) -> np.ndarray:
    """Light strokes on black with a black border, uint8 (count, 32, 32, 1)."""
    rng = np.random.default_rng(seed)
    pictures = np.zeros((count, 32, 32, 1), np.uint8)
    for picture in pictures:
        top, left, width = rng.integers(5, 12), rng.integers(5, 20), rng.integers(2, 5)
        picture[top : top + 16, left : left + width] = rng.integers(200, 256)
    return pictures


STATISTICS = measure(bars(400))


def test_that_statistics_are_low_median_and_high_of_every_feature() -> None:
    pictures = np.stack([np.full((4, 4, 1), level, np.uint8) for level in range(0, 256, 51)])
    low, median, high = measure(pictures)[:3]
    assert (low, median, high) == (pytest.approx(0.005), pytest.approx(0.5), pytest.approx(0.995))
    assert len(measure(pictures)) == 3 * len(FEATURES)


def test_that_features_have_their_closed_form_values() -> None:
    halves = np.zeros((1, 4, 4, 3), np.uint8)
    halves[:, :, 2:] = (255, 255, 255)
    values = dict(zip([feature.higher for feature in FEATURES], measure(halves)[1::3], strict=True))
    assert values["lighter"] == 0.5
    assert values["more contrast"] == 0.5
    assert values["lighter border"] == 0.5
    assert values["more black"] == values["more white"] == 0.5
    assert values["rougher"] == pytest.approx((0 + 1 / 3) / 2, abs=1e-6)
    assert values["more colour"] == 0


def test_that_new_pictures_of_the_same_kind_are_like_the_training_data() -> None:
    assert [sentence for picture in bars(300, seed=1) if (sentence := likeness(picture, STATISTICS))] == []


def test_that_a_photograph_is_said_to_be_unlike_strokes_and_why() -> None:
    rng = np.random.default_rng(2)
    across = np.linspace(60, 200, 32)[None, :, None] + rng.normal(0, 20, (32, 32, 1))
    sentence = likeness(np.clip(across, 0, 255).astype(np.uint8), STATISTICS)
    assert sentence is not None
    assert sentence.startswith("Unlike the training data: ")
    assert "border" in sentence


def test_that_colour_is_named_when_the_training_data_were_grey() -> None:
    grey = np.repeat(bars(100), 3, axis=3)
    red = grey[0] * np.array([1, 0, 0], np.uint8)
    assert "colour" in (likeness(red, measure(grey)) or "")


def test_that_the_negative_is_preferred_only_where_it_is_more_alike() -> None:
    picture = bars(1, seed=3)[0]
    noise = np.random.default_rng(4).integers(0, 256, (32, 32, 1), dtype=np.uint8)
    assert prefers_inverted(255 - picture, STATISTICS)
    assert not prefers_inverted(picture, STATISTICS)
    assert not prefers_inverted(noise, STATISTICS)


@pytest.mark.parametrize("statistics", [(), (0.1, 0.2, 0.3)])
def test_that_a_model_without_statistics_calls_nothing_unlike(statistics: tuple[float, ...]) -> None:
    assert likeness(bars(1)[0], statistics) is None
    assert not prefers_inverted(255 - bars(1)[0], statistics)


def test_that_a_picture_one_pixel_wide_can_be_measured() -> None:
    assert np.isfinite(measure(np.zeros((2, 1, 1, 3), np.uint8))).all()


def test_that_a_large_training_set_is_measured_in_parts_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = bars(50)
    whole = measure(pictures)
    sizes: list[int] = []
    features = likeness_module._features

    def counted(part: np.ndarray) -> np.ndarray:
        sizes.append(len(part))
        return features(part)

    monkeypatch.setattr(likeness_module, "_features", counted)
    monkeypatch.setattr(likeness_module, "_VALUES_AT_ONCE", 7 * pictures[0].size)
    assert measure(pictures) == whole
    assert max(sizes) == 7
    assert sum(sizes) == 50
