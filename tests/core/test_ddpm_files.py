"""Checkpoints of DDPM and DDIM in PyTorch: recognised, opened exactly, or refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from core.checkpoints.ddpm import FAMILY
from core.checkpoints.family import Loose, Reading
from core.checkpoints.opening import describe, open_checkpoint
from core.errors import Refusal
from core.model_folder import OpenModel, save_model
from tests.lookalikes.ddpm import OPTIONS, Weights, reference, shapes, weights


def opened(path: Path, **answers: str) -> OpenModel:
    model = open_checkpoint(path, answers)
    assert isinstance(model, OpenModel)
    return model


def noisy(channels: int, side: int = 16) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, channels, side, side, generator=generator), torch.tensor([3.0, 712.0])


def reading_of(w: Weights, **answers: str) -> Reading:
    found = {name: tuple(tensor.shape) for name, tensor in w.items()}
    assert FAMILY.recognises(found)
    return FAMILY.read(Loose(found, w.__getitem__, "model.ckpt"), answers)


@pytest.mark.parametrize("name", OPTIONS)
@torch.inference_mode()
def test_that_the_network_is_computed_as_its_formulas_say(name: str, tmp_path: Path) -> None:
    w = weights(**OPTIONS[name])
    torch.save(w, tmp_path / "model-1000.ckpt")
    model = opened(tmp_path / "model-1000.ckpt", size="16")
    x, t = noisy(model.spec.event_shape[0])
    expected = reference(w, x, t)
    assert (model.network(x, t) - expected).abs().max() < 1e-4 * expected.abs().max()
    assert model.info.prediction == "eps"
    assert (model.info.schedule.name, model.info.schedule.T) == ("linear", 1000)


@torch.inference_mode()
def test_that_the_averages_in_a_training_of_ddim_are_taken(tmp_path: Path) -> None:
    """Its checkpoints are lists: weights of a parallel module, optimiser, epoch, step, averages without that prefix."""
    w = weights()
    raw = {f"module.{name}": tensor + 1 for name, tensor in w.items()}
    optimiser = {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 2e-4, "params": [0]}]}
    torch.save([raw, optimiser, 7, 1000, w], tmp_path / "ckpt.pth")
    averaged = opened(tmp_path / "ckpt.pth", size="16")
    assert torch.equal(averaged.network.state_dict()["conv_in.weight"], w["conv_in.weight"])
    torch.save([raw, optimiser, 7, 1000], tmp_path / "ckpt_1000.pth")
    alone = opened(tmp_path / "ckpt_1000.pth", size="16")
    assert torch.equal(alone.network.state_dict()["conv_in.weight"], w["conv_in.weight"] + 1)


@torch.inference_mode()
def test_that_a_file_of_the_old_format_is_the_same_model(tmp_path: Path) -> None:
    w = weights()
    torch.save(w, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    x, t = noisy(3)
    expected = reference(w, x, t)
    network = opened(tmp_path / "old.ckpt", size="16").network
    assert (network(x, t) - expected).abs().max() < 1e-4 * expected.abs().max()


def test_that_published_models_are_known_without_a_question() -> None:
    published = {
        ((1, 2, 2, 2), (1,), 2): (32, "large", 35_746_307),
        ((1, 2, 2, 2, 4), (2,), 2): (64, "large", 78_700_803),
        ((1, 1, 2, 2, 4, 4), (4,), 2): (256, "small", 113_673_219),
    }
    for (mults, attention, blocks), (size, variance, parameters) in published.items():
        found = shapes(mults, attention, ch=128, blocks=blocks)
        reading = FAMILY.read(Loose(found, lambda name: torch.empty(0)), {})
        assert reading.description.questions == ()
        assert reading.event_shape == (3, size, size)
        assert reading.says.sampler.variance == variance
        assert reading.description.parameters == parameters
        assert sum(tensor.numel() for tensor in reading.build().state_dict().values()) == parameters


def test_that_the_side_of_unknown_networks_is_asked_with_the_best_guess(tmp_path: Path) -> None:
    torch.save(weights((1, 1, 2), (2,)), tmp_path / "mine.ckpt")
    question = describe(tmp_path / "mine.ckpt").questions[0]
    assert (question.key, question.best, question.multiple) == ("size", "64", 4)
    guess = opened(tmp_path / "mine.ckpt")
    assert guess.spec.event_shape == (3, 64, 64)
    assert any("Guessed" in note for note in guess.notes)
    assert opened(tmp_path / "mine.ckpt", size="128").info.sampler.variance == "small"


def test_that_variances_of_its_own_are_left_out_and_said() -> None:
    w = {**weights(), "logvar": torch.zeros(1000)}
    reading = reading_of(w, size="16")
    assert any("logvar" in note for note in reading.description.notes)
    assert "logvar" not in reading.convert(w)


def test_that_changed_networks_are_refused() -> None:
    w = weights()
    with pytest.raises(Refusal, match="conv_shortcut"):
        reading_of({**w, "down.1.block.0.conv_shortcut.weight": torch.zeros(64, 32, 3, 3)})
    with pytest.raises(Refusal, match="conditioned"):
        reading_of({**w, "conv_in.weight": torch.zeros(32, 6, 3, 3)})
    with pytest.raises(Refusal, match="changed program"):
        reading_of({**w, "conv_in.weight": torch.zeros(64, 3, 3, 3)})
    for changed in ({**w, "extra.weight": torch.zeros(3)}, {name: w[name] for name in w if name != "norm_out.bias"}):
        with pytest.raises(Refusal):
            reading_of(changed, size="16").convert(changed)


@torch.inference_mode()
def test_that_diffusers_computes_the_same_from_the_folder_it_becomes(tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers")
    w = weights()
    torch.save(w, tmp_path / "model-1000.ckpt")
    model = opened(tmp_path / "model-1000.ckpt", size="16")
    save_model(tmp_path / "folder", model.network, model.info)
    theirs = diffusers.UNet2DModel.from_pretrained(tmp_path / "folder" / "unet")
    x, t = noisy(3)
    expected = reference(w, x, t)
    assert (theirs(x, t).sample - expected).abs().max() < 1e-4 * expected.abs().max()
    betas = diffusers.DDPMScheduler.from_pretrained(tmp_path / "folder" / "scheduler").betas
    assert float(betas[-1]) == pytest.approx(0.02)
