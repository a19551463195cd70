"""Checkpoints beside denoising-diffusion-pytorch itself, where it is installed."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.denoiser import Clipped, NetworkDenoiser
from core.paths import make_path
from core.samplers import StepNoise, ddim
from core.schedules import make_schedule
from tests.core.test_lucidrains import network_of, noisy, read
from tests.lookalikes.lucidrains import save, weights

STAND_INS = ("torchvision", "pytorch_fid")
T = 60


@pytest.fixture(scope="module")
def package() -> Iterator[Any]:
    if importlib.util.find_spec("denoising_diffusion_pytorch") is None:
        pytest.skip("denoising-diffusion-pytorch is not installed")
    from tests.bench.theirs import import_theirs

    before = set(sys.modules)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = import_theirs()
    module = sys.modules["denoising_diffusion_pytorch.denoising_diffusion_pytorch"]
    module.tqdm = lambda steps, **_: steps  # type: ignore[attr-defined]  # it would leave a thread behind
    yield made
    for name in set(sys.modules) - before:  # nobody else is to meet what stands in for what is not installed
        if name.partition(".")[0] in STAND_INS:
            del sys.modules[name]


@torch.inference_mode()
def test_that_attention_may_differ_from_resolution_to_resolution(package: Any) -> None:
    torch.manual_seed(0)
    unet = package.Unet(
        dim=8, dim_mults=(1, 2, 2), full_attn=(True, False, True), attn_heads=(2, 4, 1), attn_dim_head=(16, 8, 32)
    )
    x, t = noisy(3)
    expected = unet(x, t)
    assert (network_of(unet.state_dict())(x, t) - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("objective", ["pred_noise", "pred_x0", "pred_v"])
@pytest.mark.parametrize("schedule", ["linear", "cosine", "sigmoid"])
@torch.inference_mode()
def test_that_a_checkpoint_is_what_the_package_says(
    package: Any, objective: str, schedule: str, tmp_path: Path
) -> None:
    unet = package.Unet(dim=8, dim_mults=(1, 2))
    unet.load_state_dict(weights())
    theirs = package.GaussianDiffusion(
        unet, image_size=8, timesteps=T, sampling_timesteps=6, objective=objective, beta_schedule=schedule
    )
    state = {name: tensor for name, tensor in theirs.state_dict().items() if not name.startswith("model.")}
    reading, network = read(save(tmp_path / "model-1.pt", weights(), state))
    betas = make_schedule(reading.says.schedule).betas
    assert np.allclose(betas, theirs.betas.double().numpy(), rtol=2e-6, atol=0)
    x, t = noisy(3)
    assert (network(x, t) - unet(x, t)).abs().max() < 1e-4 * unet(x, t).abs().max()

    torch.manual_seed(5)
    expected = theirs.ddim_sample((2, 3, 8, 8)) * 2 - 1
    torch.manual_seed(5)
    start = torch.randn(2, 3, 8, 8)
    told = make_schedule(reading.says.schedule)
    denoise = Clipped(NetworkDenoiser(network, reading.says.prediction), reading.says.sampler.clip)
    path = make_path(told, (59, 49, 39, 29, 19, 9))
    for step in ddim(denoise, path, start, None, eta=0.0, noise=StepNoise(0, (2, 3, 8, 8))):
        made = step.x_next
    assert (made - expected).abs().max() < 1e-3
