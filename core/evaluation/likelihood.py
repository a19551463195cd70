"""The bound on -log2 p(x_0) that a model gives pictures, term by term (Ho et al. 2020, eqs. 5 and 13).

One pass gives all three of DDPM's curves: the rate L_t, the error of eps_hat, and the distortion of x0_hat that belongs
to having received the bits down to t (section 4.3, algorithms 3 and 4).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.dataspec import DataSpec
from core.denoiser import Clipped, Condition, Denoiser, Prediction
from core.errors import Refusal
from core.evaluation.measuring import Check, Part, check_data, pictures_as
from core.evaluation.strata import Times, coarse_first, edges, times_within
from core.library import Library
from core.likelihood import Posterior, vlb_terms
from core.measure_requests import LikelihoodRequest
from core.messages import Likelihood, ModelInfo, frozen
from core.process import posterior, transition_variance
from core.schedules import make_schedule
from core.steering import condition_of
from core.training.dataset import PictureFolder

AT_ONCE = 16
"""Pictures in a piece of work."""
MOST_EVALUATIONS = 500_000_000
"""Of the network, for one picture each: weeks of a large GPU."""
FIRST_BLOCK, LARGEST_BLOCK = 16, 256
"""Pictures that are taken to all timesteps together: few at first, so that something is soon known of every t."""

Values = NDArray[np.float64]


class LikelihoodMeasuring:
    """The work of a ``LikelihoodRequest``.

    Each picture meets every stratum of t once a draw, at a timestep of its own there, so that the sum over the strata
    is right on average, and what differs between pictures is all there is to its error.
    """

    def __init__(
        self,
        request: LikelihoodRequest,
        library: Library,
        device: str,
        data: PictureFolder,
        *,
        check: Check,
        breathe: Check,
    ) -> None:
        """Raises: Refusal where request, model and pictures do not fit."""
        check_data(request.data, request.pictures, data)
        model = library.model(request.model)
        self._spec = model.spec
        self._request, self._device = request, device
        self._schedule = make_schedule(request.schedule)
        self._edges = edges(request.timesteps[::-1], self._schedule.T)
        self._breathe = breathe
        _check_size(request)
        self._pictures = pictures_as(data, model.info.event_shape, model.info.ref.name)
        self._labels = _labels(model.info, data, request) if model.info.labels else None
        self._null = model.info.null_label
        check_fit(request, model.info, self._spec)
        denoise = model.denoiser(device, request.precision, between_batches=breathe, within=check)
        self._denoise: Denoiser = denoise if request.clip == "none" else Clipped(denoise, "clamp")
        self._posterior = Posterior(self._schedule, dtype=torch.float64)
        self._order = coarse_first(len(self._edges) - 1)
        self._shifts = np.random.default_rng(_entropy(request.seed)).random(len(self._edges) - 1)
        self.total = sum(self._count(block) for block in self._blocks())

    def work(self) -> Iterator[Part]:
        known = _Known(self._request.timesteps[::-1], np.diff(self._edges), self._prior())
        done = 0
        for block in self._blocks():
            for k in self._order:
                sums = np.zeros((len(block), 3))
                pieces = list(self._pieces(block, k))
                for t, places, draws in pieces[:-1]:
                    np.add.at(sums, places - block[0], self._measured(t, places, draws))
                    done += 1
                    yield Part(done, None)
                t, places, draws = pieces[-1]
                np.add.at(sums, places - block[0], self._measured(t, places, draws))
                done += 1
                known.add(block, k, sums / self._request.draws)
                if k == self._order[-1]:
                    known.complete(block)
                yield Part(done, known.result())

    def _blocks(self) -> Iterator[Times]:
        """Places in the request's pictures that are worked on together."""
        start, size = 0, FIRST_BLOCK
        while start < len(self._request.pictures):
            end = min(start + size, len(self._request.pictures))
            yield np.arange(start, end)
            start, size = end, min(2 * size, LARGEST_BLOCK)

    def _count(self, block: Times) -> int:
        """Pieces of a block; where a stratum is a single timestep they need not be laid out to be counted."""
        self._breathe()
        wide = np.flatnonzero(np.diff(self._edges) > 1)
        single = len(self._order) - len(wide)
        pieces = single * -(-len(block) * self._request.draws // AT_ONCE)
        for k in wide:
            alike = np.bincount(self._times(block, int(k)) - self._edges[k])
            pieces += int((-(-alike // AT_ONCE)).sum())
        return pieces

    def _times(self, block: Times, k: int) -> Times:
        """The timestep in stratum ``k`` of every draw of every picture of a block, in their order."""
        draws = self._request.draws
        places = np.arange(block[0] * draws, (block[-1] + 1) * draws)
        return times_within(int(self._edges[k]), int(self._edges[k + 1]), places, float(self._shifts[k]))

    def _pieces(self, block: Times, k: int) -> Iterator[tuple[int, Times, Times]]:
        """t, places of pictures and numbers of draws: what goes through the network together in stratum ``k``."""
        draws = self._request.draws
        places, numbers = np.repeat(block, draws), np.tile(np.arange(draws), len(block))
        times = self._times(block, k)
        for t in np.unique(times):
            alike = np.flatnonzero(times == t)
            for start in range(0, len(alike), AT_ONCE):
                some = alike[start : start + AT_ONCE]
                yield int(t), places[some], numbers[some]

    def _measured(self, t: int, places: Times, draws: Times) -> Values:
        """L_t in bits a value, mean squared error of eps_hat and of x0_hat: float64 (n, 3)."""
        level = self._schedule.level(t)
        x0 = torch.from_numpy(np.stack([self._spec.from_picture(self._picture(place)) for place in places]))
        eps = torch.from_numpy(np.stack([self._noise(*where, t) for where in zip(places, draws, strict=True)]))
        x_t = x0 * level.alpha + eps * level.sigma
        condition = None if self._labels is None else Condition(self._labels[places].to(self._device), self._null)
        with torch.inference_mode():
            seen = self._denoise(x_t.to(self._device), level, condition)
            x0_hat, eps_hat = seen.x0_hat.cpu().double(), seen.eps_hat.cpu().double()
            terms = self._terms(t, x0.double(), x_t.double(), x0_hat, seen)
            errors = (eps_hat - eps).square().flatten(1).mean(1), (x0_hat - x0).square().flatten(1).mean(1)
            found = torch.stack((terms, *errors), dim=1)
            if not bool(torch.isfinite(found).all()):
                raise Refusal(
                    f"At t = {t} “{self._request.model.name}” answers values that are no numbers, so its bits cannot "
                    "be counted: measure in float32, or measure an earlier checkpoint of its training."
                )
            return found.numpy()

    def _terms(self, t: int, x0: Tensor, x_t: Tensor, x0_hat: Tensor, seen: Prediction) -> Tensor:
        level, previous = self._schedule.level(t), self._schedule.level(t - 1)
        mean, _ = posterior(x0_hat, x_t, level, previous)
        times = torch.full((len(x0),), t)
        return vlb_terms(x0, x_t, times, mean, self._log_variance(t, seen), self._posterior)

    def _log_variance(self, t: int, seen: Prediction) -> Tensor:
        """log of the reverse step's variance; at t = 0, where beta_tilde is none, that of t = 1 stands in for it."""
        schedule, small = self._schedule, float(self._schedule.log_beta_tilde_clipped[t])
        if self._request.variance == "learned":
            assert seen.learned is not None
            return seen.learned.log_variance(schedule.level(t), schedule.level(t - 1), small).cpu().double()
        if self._request.variance == "small" or t == 0:
            return torch.full((1, 1, 1, 1), small, dtype=torch.float64)
        large = math.log(transition_variance(schedule.level(t - 1), schedule.level(t)))
        return torch.full((1, 1, 1, 1), large, dtype=torch.float64)

    def _noise(self, place: int, draw: int, t: int) -> NDArray[np.float32]:
        """eps of a picture at t: from the seed, the picture's index, t and the number of the draw alone."""
        index = self._request.pictures[place]
        generator = np.random.default_rng([*_entropy(self._request.seed), index, t, int(draw)])
        return generator.standard_normal(self._spec.event_shape, dtype=np.float32)

    def _picture(self, place: int) -> NDArray[np.uint8]:
        picture: NDArray[np.uint8] = self._pictures[self._request.pictures[place]]
        return picture

    def _prior(self) -> Values:
        """L_T of every picture, in bits a value."""
        bits = np.empty(len(self._request.pictures))
        for place in range(len(bits)):
            if place % LARGEST_BLOCK == 0:
                self._breathe()
            square = np.square(self._spec.from_picture(self._picture(place)), dtype=np.float64).mean()
            bits[place] = self._schedule.prior_kl(float(square))
        return bits


class _Known:
    """What has been measured: sums over pictures by t, and the bits of every picture that is done."""

    def __init__(self, timesteps: Sequence[int], widths: Times, prior: Values) -> None:
        self._timesteps, self._widths, self._prior = np.array(timesteps, dtype=np.int64), widths, prior
        self._seen = np.zeros(len(widths))
        self._sums = np.zeros((2, len(widths), 3))  # of values, and of their squares about the first ones
        self._origin = np.zeros((len(widths), 3))
        self._bits, self._done = prior.copy(), 0

    def add(self, block: Times, k: int, measured: Values) -> None:
        """Of the pictures of a block, at stratum ``k``: (n, 3)."""
        if not self._seen[k]:
            self._origin[k] = measured.mean(axis=0)
        centred = measured - self._origin[k]
        self._seen[k] += len(measured)
        self._sums[:, k] += centred.sum(axis=0), np.square(centred).sum(axis=0)
        self._bits[block] += self._widths[k] * measured[:, 0]

    def complete(self, block: Times) -> None:
        self._done = int(block[-1]) + 1

    def result(self) -> Likelihood:
        with np.errstate(divide="ignore", invalid="ignore"):
            seen = self._seen[:, None]
            away = self._sums[0] / seen
            mean = np.where(seen > 0, self._origin + away, np.nan)
            spread = np.maximum(self._sums[1] / seen - np.square(away), 0)
            error = np.where(seen > 1, np.sqrt(spread / (seen - 1)), np.nan)
        done = self._bits[: self._done]
        few = len(done) < 2
        return Likelihood(
            timesteps=frozen(self._timesteps.copy()),
            terms=frozen(mean[:, 0]),
            terms_error=frozen(error[:, 0]),
            mse=frozen(mean[:, 1]),
            mse_error=frozen(error[:, 1]),
            distortion=frozen(np.sqrt(mean[:, 2]) * 127.5),
            prior=float((self._prior[: self._done] if self._done else self._prior).mean()),
            bits_per_dim=float(done.mean()) if self._done else math.nan,
            bits_error=math.nan if few else float(done.std(ddof=1) / math.sqrt(len(done))),
            pictures=self._done,
            per_picture=frozen(done.copy()),
        )


def _check_size(request: LikelihoodRequest) -> None:
    pictures, times, draws = len(request.pictures), len(request.timesteps), request.draws
    if pictures * times * draws > MOST_EVALUATIONS:
        raise Refusal(
            f"{pictures:,} pictures, {times:,} timesteps and {draws:,} draws make {pictures * times * draws:,} "
            "evaluations of the network, for which nobody would wait: choose fewer."
        )


def check_fit(request: LikelihoodRequest, info: ModelInfo, spec: DataSpec) -> None:
    """Raise Refusal where the model has no such variance, or no data whose bits can be counted."""
    if (spec.low, spec.high) != (-1.0, 1.0):
        raise Refusal(f"The bits of “{info.ref.name}” cannot be counted: its data are no pictures of 256 values.")
    if request.clip not in ("none", "clamp"):
        raise Refusal("In a likelihood x0_hat is clamped or left alone: choose “clamp” or “none”.")
    if request.variance == "learned" and info.variance == "fixed":
        raise Refusal(f"“{info.ref.name}” has not learned its variance: choose the variance “small” or “large”.")


def _labels(info: ModelInfo, data: PictureFolder, request: LikelihoodRequest) -> Tensor:
    """The label of each picture: of the model's class that has its folder's name, else the null label; int64 (n,)."""
    names = [data.classes[label] if data.classes else "" for label in data.labels[list(request.pictures)]]
    known = {name: index for index, name in enumerate(info.labels)} if request.labelled else {}
    condition = condition_of(info, tuple(known.get(name) for name in names), len(names))
    assert condition is not None
    return condition.labels


def _entropy(seed: int) -> list[int]:
    """A seed of 64 bits, of either sign, as numpy takes it."""
    return [seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF]
