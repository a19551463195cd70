"""How far samplers end from the exact solution of the probability-flow ODE, on mixtures with a closed-form score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from core.denoiser import Denoiser
from core.levels import Level, Path
from core.samplers import Step, ddim, dpmpp, heun
from tests.toys import ONE_D, TWO_D, MixtureDenoiser

FROM, TO = -5.5, 5.5
"""log-SNR: from hardly any signal to hardly any noise. Beyond its ends lie steps that every method takes alike."""

MIXTURES = {"1-D": ONE_D, "2-D": TWO_D}
ORDERS = {"ddim": 1, "heun": 2, "dpmpp": 2}
EVALUATIONS = {"ddim": 1, "heun": 2, "dpmpp": 1}
"""Of the network, a step."""


def _no_noise() -> Tensor:
    raise AssertionError("this walk draws no noise")


WALKS: dict[str, Callable[[Denoiser, Path, Tensor], Iterator[Step]]] = {
    "ddim": lambda denoise, path, x: ddim(denoise, path, x, None, eta=0.0, noise=_no_noise),
    "heun": lambda denoise, path, x: heun(denoise, path, x, None),
    "dpmpp": lambda denoise, path, x: dpmpp(denoise, path, x, None),
}


def even_path(steps: int, start: float = FROM, end: float = TO) -> Path:
    """Levels evenly apart in log-SNR, all of them variance preserving."""
    at = np.linspace(start, end, steps + 1)
    return tuple(Level(0.0, math.sqrt(1 / (1 + math.exp(-s))), math.sqrt(1 / (1 + math.exp(s)))) for s in at)


def last(steps: Iterator[Step]) -> Tensor:
    """Where a walk ends."""
    *_, step = steps
    return step.x_next


def solution(mixture: MixtureDenoiser, x: Tensor, start: Level, end: Level) -> Tensor:
    """The ODE d(x / alpha) / d(sigma / alpha) = eps (Song et al. 2021, eq. 14), by SciPy to ten digits."""
    from scipy.integrate import solve_ivp

    def slope(s: float, y: np.ndarray) -> np.ndarray:
        alpha = 1 / math.sqrt(1 + s * s)
        level = Level(0.0, alpha, s * alpha)
        return mixture(torch.from_numpy(y).reshape(x.shape) * alpha, level, None).eps_hat.numpy().ravel()

    span = (start.sigma / start.alpha, end.sigma / end.alpha)
    found = solve_ivp(slope, span, (x / start.alpha).numpy().ravel(), method="DOP853", rtol=1e-11, atol=1e-12)
    return torch.from_numpy(found.y[:, -1]).reshape(x.shape) * end.alpha


def errors(mixture: MixtureDenoiser, steps: dict[str, tuple[int, ...]]) -> dict[str, list[float]]:
    """By sampler: the root mean square error where walks of so many steps end, over 64 starts drawn from N(0, 1)."""
    x = torch.randn(64, mixture.means.shape[1], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = even_path(1)
    exact = solution(mixture, x, whole[0], whole[-1])

    def error(sampler: str, count: int) -> float:
        return float((last(WALKS[sampler](mixture, even_path(count), x)) - exact).square().mean().sqrt())

    return {sampler: [error(sampler, count) for count in counts] for sampler, counts in steps.items()}
