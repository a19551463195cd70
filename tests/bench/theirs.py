"""denoising-diffusion-pytorch as its users run it, for benchmarks: its U-Net, its diffusion, its Trainer.

It imports torchvision for the transforms of pictures alone, and pytorch_fid for a distance that is not asked of it:
where torchvision is not there beside this build of torch, the few transforms that it uses are given here instead.
"""

from __future__ import annotations

import importlib.util
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

LEAST_PICTURES = 100
"""That its Trainer takes."""


def import_theirs() -> Any:
    """The package ``denoising_diffusion_pytorch``. Exits in words where it is not installed."""
    if importlib.util.find_spec("denoising_diffusion_pytorch") is None:
        names = "denoising-diffusion-pytorch einops ema-pytorch accelerate tqdm"
        sys.exit(f"This benchmark needs: pip install --no-deps {names}")
    if "torchvision" not in sys.modules and importlib.util.find_spec("torchvision") is None:
        _stand_in_for_torchvision()
    import denoising_diffusion_pytorch

    return denoising_diffusion_pytorch


def unet(dim: int, channels: int, mults: tuple[int, ...] = (1, 2, 4, 8)) -> nn.Module:
    network: nn.Module = import_theirs().Unet(dim=dim, dim_mults=mults, channels=channels)
    return network


def diffusion(network: nn.Module, size: int, steps: int = 50) -> nn.Module:
    """Its diffusion with its defaults (v, sigmoid schedule, 1000 timesteps), sampled by DDIM in so many steps."""
    made: nn.Module = import_theirs().GaussianDiffusion(network, image_size=size, sampling_timesteps=steps)
    return made


def trainer(model: nn.Module, folder: Path, results: Path, **settings: Any) -> Any:
    """Its Trainer. Pictures are not mirrored, which would teach it what is not in the folder; it neither samples nor
    saves by itself, as ours is not made to either."""
    settings = {"augment_horizontal_flip": False, "save_and_sample_every": 10**9, "calculate_fid": False} | settings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_theirs().Trainer(model, str(folder), results_folder=str(results), **settings)


def train_for(trainer: Any, is_over: Callable[[], bool]) -> int:
    """Let it train until ``is_over``, asked after every step; how many steps it made."""
    update = trainer.ema.update

    def updated() -> None:
        update()
        if is_over():
            trainer.train_num_steps = trainer.step

    trainer.ema.update = updated
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.train()
    return int(trainer.step)


def flops(network: nn.Module, *inputs: Tensor) -> int:
    """Floating-point operations of one call, for each picture, as torch counts them: two for each multiply-add."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    return int(counter.get_total_flops() / len(inputs[0]))


def as_costly(wanted: int, size: int, channels: int) -> tuple[nn.Module, int, int]:
    """Its U-Net of the width at which a picture costs most nearly ``wanted`` FLOP; with its width and its FLOP."""
    found = []
    for dim in range(16, 137, 8):
        network = unet(dim, channels)
        cost = flops(network, torch.zeros(1, channels, size, size), torch.zeros(1, dtype=torch.int64))
        found.append((abs(cost - wanted), dim, cost))
        if cost > wanted:
            break
    _, dim, cost = min(found)
    return unet(dim, channels), dim, cost


def _stand_in_for_torchvision() -> None:
    def composed(steps: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
        def apply(picture: Any) -> Any:
            for step in steps:
                picture = step(picture)
            return picture

        return apply

    def resized(size: tuple[int, int]) -> Callable[[Image.Image], Image.Image]:
        sides = size[::-1]
        return lambda picture: picture if picture.size == sides else picture.resize(sides, Image.Resampling.BILINEAR)

    def cropped(size: tuple[int, int]) -> Callable[[Image.Image], Image.Image]:
        return lambda picture: picture.crop((0, 0, size[1], size[0]))  # it was resized to just that

    def tensor(picture: Image.Image) -> Tensor:
        values = np.asarray(picture, np.float32) / 255
        return torch.from_numpy(values[None] if values.ndim == 2 else values.transpose(2, 0, 1).copy())

    class Flip(nn.Module):
        def forward(self, picture: Image.Image) -> Image.Image:
            mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            return mirrored if torch.rand(()) < 0.5 else picture

    package, transforms, utils = (types.ModuleType(f"torchvision{part}") for part in ("", ".transforms", ".utils"))
    made = {"Compose": composed, "Lambda": lambda f: f, "Resize": resized, "CenterCrop": cropped}
    made |= {"RandomHorizontalFlip": Flip, "ToTensor": lambda: tensor}
    for name, value in made.items():
        setattr(transforms, name, value)
    package.transforms, package.utils = transforms, utils  # type: ignore[attr-defined]
    for module in (package, transforms, utils):
        sys.modules[module.__name__] = module
