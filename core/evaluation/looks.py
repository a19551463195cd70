"""What a network sees in pictures: features in which distances are measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.errors import Refusal
from core.evaluation.measuring import Check
from core.library import MICRO_BATCH_FLOPS, Library, NetworkModel, Recogniser
from core.network import prepare_network
from core.noise import initial_noise
from core.process import marginal
from core.requests import ModelRef
from core.schedules import make_schedule

Pictures = NDArray[np.uint8]

LOG_SNR = 4.0
"""Of the level at which a model's own network looks: sigma is 0.13, little noise beside the picture."""


class Eye(Protocol):
    """``name`` says in words what is seen, ``dimensions`` how many numbers a picture."""

    name: str
    dimensions: int

    def features(self, pictures: Pictures, check: Check) -> Tensor:
        """Of pictures uint8 (n, H, W, C), float32 (n, dimensions) on the CPU."""
        ...


def eye_of(ref: ModelRef, library: Library, device: str) -> Eye:
    """The open recogniser or model. Raises Refusal where it is not open, or is no network."""
    try:
        return RecogniserEye(library.recogniser(ref), device)
    except Refusal:
        model = library.model(ref)
    if not isinstance(model, NetworkModel):
        raise Refusal(f"“{ref.name}” has no network whose features could be taken. Choose another feature network.")
    return NetworkEye(model, device)


class RecogniserEye:
    """The last features of a network that recognises pictures."""

    def __init__(self, recogniser: Recogniser, device: str) -> None:
        self.recogniser, self._device = recogniser, device
        self.name = f"{recogniser.info.ref.name}’s last features"
        self.dimensions = recogniser.info.features

    def features(self, pictures: Pictures, check: Check) -> Tensor:
        x = as_input(pictures, self.recogniser.info.event_shape[0]).to(self._device)
        return self.recogniser.features(x, check).float().cpu()


class NetworkEye:
    """The middle of a diffusion model's own network at little noise, its mean over the pixels: what it has learned for
    denoising tells pictures apart as well (Baranchuk et al. 2022; Xiang et al. 2023).

    All pictures meet the same noise, so that equal pictures have equal features.
    """

    def __init__(self, model: NetworkModel, device: str) -> None:
        info = model.info
        schedule = make_schedule(info.schedule)
        t = int(np.abs(np.clip(schedule.log_snr, -100, 100) - LOG_SNR).argmin())
        self.name = f"the middle of {info.ref.name}’s own network at t = {t}"
        self._level, self._shape, self._device = schedule.level(t), info.event_shape, device
        self._network = prepare_network(model.network, device, info.precision)
        self._label = info.null_label or 0
        self._noise = torch.from_numpy(initial_noise(0, (1, *info.event_shape))).to(device)
        _, height, width = info.event_shape
        self._at_once = max(1, min(64, int(2 * MICRO_BATCH_FLOPS / model.network.flops(height, width))))
        self.dimensions = model.network.middle_channels

    def features(self, pictures: Pictures, check: Check) -> Tensor:
        x = as_input(pictures, self._shape[0])
        return torch.cat([self._seen(part, check) for part in torch.split(x, self._at_once)])

    def _seen(self, x: Tensor, check: Check) -> Tensor:
        check()
        network = self._network
        network.check = check
        labels = torch.full((len(x),), self._label, device=self._device) if network.wants_labels else None
        with torch.inference_mode():
            noised = marginal(x.to(self._device), self._noise, self._level)
            middle = network.middle(noised, self._level.t, labels)
            return middle.float().mean(dim=(2, 3)).cpu()


def as_input(pictures: Pictures, channels: int) -> Tensor:
    """uint8 (n, H, W, C) to float32 (n, channels, H, W) in [-1, 1]; grey as equal colours, or colours as their mean."""
    x = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).float() / 127.5 - 1
    if x.shape[1] == channels:
        return x
    return x.mean(dim=1, keepdim=True) if channels == 1 else x[:, :1].expand(-1, channels, -1, -1)


def directions(centre: Tensor) -> Callable[[Tensor], Tensor]:
    """Features (n, d) as unit vectors seen from ``centre`` (d,)."""
    return lambda features: torch.nn.functional.normalize(features - centre, dim=1)
