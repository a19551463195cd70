"""The ablation on a real engine: trained, one of it diverging, and what was trained measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.stages.train import TrainStage
from core.training.ablation import TABLE, outcomes
from core.training.objectives import DiffusionTask
from tests.app.scenes import training_on

LOSSES = DiffusionTask.losses
CELLS = (TABLE[1], TABLE[3], TABLE[5])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    (tmp_path / "noise").mkdir()
    for number in range(6):
        Image.fromarray(rng.integers(0, 256, (16, 16), np.uint8)).save(tmp_path / "noise" / f"{number}.png")
    return tmp_path / "noise"


@pytest.fixture
def stage(qtbot, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainStage]:
    monkeypatch.setattr("core.training.ablation.TABLE", CELLS)
    for name in ("PICTURES", "TIMESTEPS"):
        monkeypatch.setattr(f"core.evaluation.ablation.{name}", 2)
    with training_on(folder, qtbot) as made:
        made.setup.controls.samples.set_value(1)
        yield made


def test_that_an_ablation_is_trained_one_of_it_diverges_and_the_rest_is_measured(stage, qtbot, monkeypatch) -> None:
    def losses(task, network, x0, eps, t, labels):
        found = LOSSES(task, network, x0, eps, t, labels)
        return np.nan * found if task._request.variance == "diagonal" else found

    monkeypatch.setattr(DiffusionTask, "losses", losses)
    before = stage.state.model
    stage.setup.ablation.click()
    desk = stage.ablation
    desk.view.steps.set_value(2)
    desk.view.next.click()
    qtbot.waitUntil(lambda: not desk.is_busy, timeout=120_000)
    assert [one.state for one in desk.record.cells] == ["trained", "diverged at step 1", "trained"]
    assert stage.errors.message() == ""
    assert all(np.isfinite(one.course.losses).all() for one in desk.record.trained)
    assert [one.course.step for one in desk.record.trained] == [2, 2]
    desk.show()
    desk.view.next.click()
    qtbot.waitUntil(lambda: not desk.is_busy, timeout=120_000)
    found = outcomes(desk.record.folder)
    assert [outcome.diverged for outcome in found] == [None, 1, None]
    assert found[1].figures.bits_per_dim is None
    assert all(outcome.figures.bits_per_dim > 0 for outcome in (found[0], found[2]))
    assert stage.state.model is before
