"""Pictures that are never mirrored, chosen by the names of their files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor, nn

from core.errors import Refusal
from core.requests import ScheduleSpec
from core.training.dataset import PictureFolder, open_folder
from core.training.objectives import DiffusionTask
from core.training.order import TrainOrder
from core.training.request import TrainRequest
from core.training.resolve import resolved
from core.training.tasks import Network
from core.training.trainer import Trainer
from core.unet import UNet
from tests.core.halves import TINY

ARROWS = ("arrows/*",)


class Watching(DiffusionTask):
    """Keeps what it is taught with."""

    def __init__(self, request: TrainRequest) -> None:
        super().__init__(request, "cpu")
        self.taught: list[tuple[Tensor, Tensor]] = []

    def network(self, request: TrainRequest) -> nn.Module:
        return UNet(request.network)

    def losses(self, network: Network, x0: Tensor, eps: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is not None
        self.taught.append((x0, labels))
        return super().losses(network, x0, eps, t, labels)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PictureFolder:
    """Pictures whose left half is white, in two classes."""
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:, :4] = 255
    for name in ("arrows/a.png", "arrows/b.png", "balls/a.png", "balls/b.png"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return open_folder(tmp_path / "pictures", 8)


def request_for(data: PictureFolder, **changes: object) -> TrainRequest:
    values = {"batch": 64, "steps": 1, "flip": True, "label_dropout": 0.0, "schedule": ScheduleSpec()} | changes
    return TrainRequest("pictures", data.sha256, TINY, data.classes, **values)  # type: ignore[arg-type]


def mirrored(request: TrainRequest, data: PictureFolder) -> tuple[float, float]:
    """The shares of the arrows and of the balls that were learned mirrored."""
    task = Watching(request)
    Trainer(request, data, task=task).one_step()
    x0, labels = (parts[0] for parts in zip(*task.taught, strict=True))
    is_mirrored = x0[:, 0, 0, 0] < 0
    return is_mirrored[labels == 0].double().mean().item(), is_mirrored[labels == 1].double().mean().item()


def test_that_what_matches_a_pattern_is_never_mirrored(data: PictureFolder) -> None:
    kept = data.unflipped(ARROWS)
    arrows, balls = mirrored(request_for(kept, never_flipped=ARROWS), kept)
    assert arrows == 0
    assert 0.2 < balls < 0.8


def test_that_without_patterns_all_are_mirrored_alike(data: PictureFolder) -> None:
    arrows, balls = mirrored(request_for(data), data)
    assert 0.2 < arrows < 0.8
    assert 0.2 < balls < 0.8


def test_that_an_order_names_what_is_never_mirrored(data: PictureFolder, tmp_path: Path) -> None:
    order = TrainOrder(tmp_path / "run", steps=1, flip=True, never_flipped=ARROWS)
    request, resolved_data, _ = resolved(order, data, None, "cpu", TINY)
    assert request.never_flipped == ARROWS
    assert resolved_data.flippable.tolist() == [False, False, True, True]


def test_that_a_run_refuses_pictures_of_which_others_may_be_mirrored(data: PictureFolder) -> None:
    request = request_for(data.unflipped(ARROWS), never_flipped=ARROWS)
    with pytest.raises(Refusal, match="not the pictures that this run was trained on"):
        Trainer(request, data.unflipped(("balls/*",)))


def test_that_patterns_survive_the_request_s_text(data: PictureFolder) -> None:
    many = tuple(f"*/{number}.png" for number in range(100))
    request = request_for(data, never_flipped=many)
    assert TrainRequest.from_json(json.loads(request.to_text())) == request
