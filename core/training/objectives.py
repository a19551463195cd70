"""What a diffusion model can be trained to make small: L_simple, the bound and its parts, min-SNR-gamma.

Whatever the network predicts, its output o and x_t give the mean of the reverse step as a_t x_t + b_t o, so one table
of b_t says how every objective weighs the squared error of o.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from core.likelihood import at, vlb_terms
from core.process import range_log_variance
from core.requests import PredictionKind
from core.schedules import Schedule, Table, make_schedule
from core.training.losses import Levels, mean_square, noised, target
from core.training.request import TrainRequest
from core.training.tasks import Network
from core.unet import UNet


def reverse_mean_gains(kind: PredictionKind, schedule: Schedule) -> tuple[Table, Table]:
    """a and b of mean = a_t x_t + b_t output, float64 (T,): the posterior's mean (DDPM eq. 7) with x_0 from the output,
    for eps in the form of DDPM eq. 11, which needs no division by alpha_bar_t."""
    a, b = schedule.posterior_mean_x_t, schedule.posterior_mean_x0
    levels = [schedule.level(t) for t in range(schedule.T)]
    alpha, sigma = (np.array([getattr(level, name) for level in levels]) for name in ("alpha", "sigma"))
    if kind == "eps":
        root = np.sqrt(schedule.alphas)
        return 1 / root, -schedule.betas / (sigma * root)
    if kind == "x0":
        return a, b
    if kind == "v":
        return a + b * alpha, -b * sigma
    return np.zeros(schedule.T), np.ones(schedule.T)


def error_weights(request: TrainRequest, schedule: Schedule) -> Table:
    """What the squared error of the output counts at every t, float64 (T,).

    - "simple": 1 (DDPM eq. 14), as in the first part of "hybrid".
    - "weighted": T times the bound's own weight b_t^2 / (2 sigma_t^2) with sigma_t^2 = beta_t (DDPM eqs. 8 and 12), in
      bits: an estimate of the sum over t of what the error costs. At t = 0 the decoder counts as its Gaussian's density
      times the width of a bin, as there.
    - "min_snr": min(SNR, gamma) for the error of x_0 (Hang et al. 2023), translated to that of the output: over SNR for
      eps, over SNR + 1 for v, over the square of x_0's share in the posterior's mean for the mean.
    """
    gain = reverse_mean_gains(request.prediction, schedule)[1]
    weights: Table = np.ones(schedule.T)
    if request.objective == "weighted":
        weights = schedule.T * gain**2 / (2 * schedule.betas) / math.log(2)
    if request.objective == "min_snr":
        weights = np.minimum(schedule.snr, request.gamma) * (gain / schedule.posterior_mean_x0) ** 2
    return weights


class DiffusionTask:
    """Denoising pictures (Ho et al. 2020, algorithm 1). Raises Refusal where the request's schedule makes no sense.

    The losses of "vlb" are T L_t in bits a value, so that their mean estimates the bound but for its prior's term;
    those of "hybrid" are L_simple + ``vlb_weight`` T L_t, the second part of which teaches the variance alone
    (Nichol & Dhariwal 2021, eq. 16). Where the variance is not learned, "vlb" takes beta_t, at t = 0 beta_tilde_1,
    the "fixed large" of Ho et al.
    """

    drops_labels = True

    def __init__(self, request: TrainRequest, device: torch.device | str = "cpu") -> None:
        self._request = request
        schedule = make_schedule(request.schedule)

        def cast(table: Table) -> Tensor:
            return torch.tensor(table, dtype=torch.float32, device=device)

        self._levels = Levels(schedule, device)
        self._weights = cast(error_weights(request, schedule))
        self._of_x_t, self._of_output = map(cast, reverse_mean_gains(request.prediction, schedule))
        log_beta = np.log(schedule.betas)
        self._log_beta = cast(log_beta)
        self._log_fixed = cast(np.concatenate((schedule.log_beta_tilde_clipped[:1], log_beta[1:])))
        self._usual_log_variance = float(log_beta.mean())

    def network(self, request: TrainRequest) -> UNet:
        """A U-Net that answers nothing at first; what it says of the variance begins halfway between beta_tilde and
        beta, or at the schedule's usual log beta."""
        network = UNet(request.network)
        network.initialise()
        if request.variance == "diagonal":
            bias = network.conv_out.bias
            assert bias is not None
            bias.data[len(bias) // 2 :] = self._usual_log_variance
        return network

    def losses(self, network: Network, x0: Tensor, eps: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        request, levels = self._request, self._levels
        x_t = noised(x0, eps, t, levels)
        output, variance = self._split(network(x_t, t, labels))
        if request.objective == "vlb":
            return self._bound(x0, x_t, t, output, variance)
        loss = self._weights[t] * mean_square(output, target(request.prediction, x0, eps, t, levels))
        if request.objective == "hybrid":
            loss = loss + request.vlb_weight * self._bound(x0, x_t, t, output.detach(), variance)
        return loss

    def _split(self, answer: Tensor) -> tuple[Tensor, Tensor | None]:
        """The prediction, and what the second half of the channels says of the variance, both float32."""
        if self._request.variance == "fixed":
            return answer.float(), None
        output, variance = answer.float().chunk(2, dim=1)
        return output, variance

    def _bound(self, x0: Tensor, x_t: Tensor, t: Tensor, output: Tensor, variance: Tensor | None) -> Tensor:
        """T L_t in bits a value, (n,)."""
        mean = at(self._of_x_t, t, x0.ndim) * x_t + at(self._of_output, t, x0.ndim) * output
        log_variance = self._log_variance(t, variance, x0.ndim)
        return len(self._weights) * vlb_terms(x0, x_t, t, mean, log_variance, self._levels.posterior)

    def _log_variance(self, t: Tensor, variance: Tensor | None, dimensions: int) -> Tensor:
        if variance is None:
            return at(self._log_fixed, t, dimensions)
        if self._request.variance == "diagonal":
            return variance
        lower = at(self._levels.posterior.log_variance, t, dimensions)
        return range_log_variance(variance, at(self._log_beta, t, dimensions), lower)
