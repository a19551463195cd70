"""Near-duplicates in a folder of pictures."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.training.dataset import open_folder
from core.training.duplicates import find_duplicates

RNG = np.random.default_rng(3)


def scenes(n: int, side: int = 32, channels: int = 3) -> np.ndarray:
    """Pictures of soft blobs, no two alike."""
    coarse = RNG.integers(0, 256, (n, 6, 6, channels), dtype=np.uint8)
    modes = [Image.fromarray(one[..., 0] if channels == 1 else one) for one in coarse]
    made = [np.asarray(one.resize((side, side), Image.Resampling.BICUBIC)) for one in modes]
    return np.stack(made).reshape(n, side, side, channels)


def recompressed(picture: np.ndarray) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=90, subsampling=0)
    return np.asarray(Image.open(stream))


def rescaled(picture: np.ndarray) -> np.ndarray:
    image = Image.fromarray(picture)
    return np.asarray(image.resize((24, 24)).resize((32, 32), Image.Resampling.BICUBIC))


def brighter(picture: np.ndarray) -> np.ndarray:
    return np.minimum(picture.astype(np.int64) + 4, 255).astype(np.uint8)


@pytest.mark.parametrize("change", [np.copy, recompressed, rescaled, brighter])
def test_that_a_picture_and_its_nearly_same_twin_are_found(change: object) -> None:
    own = scenes(300)
    twins = np.stack([change(picture) for picture in own])  # type: ignore[operator]
    groups = find_duplicates(np.concatenate([own, twins])).groups
    found = sum(group == (index, index + 300) for group in groups for index in group[:1])
    assert found >= 0.98 * 300


def test_that_different_pictures_are_no_duplicates() -> None:
    for pictures in (scenes(1000), scenes(1000, channels=1), RNG.integers(0, 256, (1000, 8, 8, 1), dtype=np.uint8)):
        assert find_duplicates(pictures).groups == ()


def test_that_pictures_that_differ_in_a_detail_alone_stay_apart() -> None:
    first = scenes(1)[0]
    other = first.copy()
    other[12:20, 12:20] = 255 - other[12:20, 12:20]
    assert find_duplicates(np.stack([first, other])).groups == ()


def test_that_a_group_holds_all_of_its_pictures_and_the_largest_comes_first() -> None:
    own = scenes(50)
    pictures = np.concatenate([own, own[:1], own[7:8], own[7:8], own[7:8]])
    found = find_duplicates(pictures)
    assert found.groups == ((7, 51, 52, 53), (0, 50))
    assert found.pictures == 4


def test_that_likeness_is_handed_on_along_a_chain() -> None:
    fading = np.stack([np.full((8, 8, 1), 3 * step, np.uint8) for step in range(20)])
    assert find_duplicates(fading).groups == (tuple(range(20)),)


def test_that_the_frames_of_one_file_are_not_compared_with_one_another() -> None:
    own = scenes(3)
    pictures = np.concatenate([own, own, own[:1]])
    owners = np.array([0, 0, 0, 0, 0, 0, 1])
    assert find_duplicates(pictures, owners).groups == ((0, 6),)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_that_a_few_empty_pictures_are_one_group(n: int) -> None:
    groups = find_duplicates(np.zeros((n, 8, 8, 3), np.uint8)).groups
    assert groups == ((tuple(range(n)),) if n > 1 else ())


def test_that_the_time_grows_as_the_pictures_do_whatever_they_are() -> None:
    def seconds(pictures: np.ndarray) -> float:
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            find_duplicates(pictures)
            best = min(best, time.process_time() - start)
        return float(best)

    alike = np.full((8000, 8, 8, 1), 7, np.uint8)  # all nearly the same, none quite: the worst there can be
    alike[:, 0, 0, 0], alike[:, 0, 1, 0] = np.arange(8000) % 256, np.arange(8000) // 256
    assert seconds(alike) < 12 * seconds(alike[:2000])  # 4 where it is linear, 16 where it is quadratic


def test_that_it_can_be_stopped() -> None:
    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        find_duplicates(scenes(3), check=stop)


def test_that_a_folder_names_its_duplicates_by_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))
    place = tmp_path / "pictures"
    place.mkdir()
    for name, picture in zip("abc", scenes(3), strict=True):
        Image.fromarray(picture).save(place / f"{name}.png")
    Image.open(place / "b.png").save(place / "copy of b.bmp")
    report = open_folder(place, 32).report
    assert report.duplicates == (("b.png", "copy of b.bmp"),)
    assert (report.duplicate_groups, report.duplicate_pictures) == (1, 1)
