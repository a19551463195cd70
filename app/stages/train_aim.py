"""What a training is after: its task, what the network predicts, the loss, the variance, the noise; and which of these
mean something together. No widget here, no tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from core.messages import ModelInfo
from core.requests import PredictionKind, ScheduleName, ScheduleSpec, VarianceKind
from core.training.combinations import objection
from core.training.order import ObjectiveName, TaskName, TimestepSamplerName

Goal = Literal["diffusion", "classifier", "judge"]

GOALS: Mapping[Goal, str] = {
    "diffusion": "diffusion model",
    "classifier": "noisy classifier",
    "judge": "clean classifier",
}
PREDICTIONS: Mapping[PredictionKind, str] = {"v": "v", "eps": "ε", "x0": "x₀", "mean": "μ̃, the mean"}
OBJECTIVES: Mapping[ObjectiveName, str] = {
    "simple": "L_simple",
    "weighted": "L, weighted error",
    "vlb": "L_vlb, the bound",
    "hybrid": "L_hybrid",
    "min_snr": "min-SNR-5",
}
_FIRST_CHOICES: tuple[ObjectiveName, ...] = ("simple", "hybrid", "vlb")
VARIANCES: Mapping[VarianceKind, str] = {"fixed": "fixed", "range": "learned, range", "diagonal": "learned, diagonal"}
SCHEDULES: Mapping[ScheduleName, str] = {
    "linear": "linear",
    "cosine": "cosine",
    "quadratic": "quadratic",
    "sigmoid": "sigmoid",
    "sigmoid_alpha_bar": "sigmoid of ᾱ",
}
LENGTHS: Mapping[str, str] = {"1000": "1,000", "4000": "4,000"}
TIMESTEP_SAMPLERS: Mapping[TimestepSamplerName, str] = {
    "spread": "evenly spread",
    "uniform": "uniform",
    "antithetic": "antithetic pairs",
    "loss_second_moment": "by the loss",
}


@dataclass(frozen=True, slots=True)
class Aim:
    """As in TrainOrder. Of a classifier only task, noise and ``noised`` count."""

    task: TaskName = "diffusion"
    noised: bool = True
    prediction: PredictionKind = "v"
    objective: ObjectiveName = "simple"
    variance: VarianceKind = "fixed"
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)
    timestep_sampler: TimestepSamplerName = "spread"

    @property
    def goal(self) -> Goal:
        if self.task == "diffusion":
            return "diffusion"
        return "classifier" if self.noised else "judge"

    def towards(self, goal: Goal) -> Aim:
        """The same, to become what ``goal`` names."""
        return replace(self, task="diffusion" if goal == "diffusion" else "classifier", noised=goal != "judge")


def sensible(wished: Aim, model: ModelInfo | None = None) -> Aim:
    """What comes nearest to what is wished and means something; a ``model`` that is trained further keeps its
    prediction, variance and schedule, so that it is the loss that gives way."""
    if model is not None:
        aim = replace(wished, prediction=model.prediction, variance=model.variance, schedule=model.schedule)
        if why_not_objective(aim, aim.objective, model):
            fitting = (name for name in _FIRST_CHOICES if not why_not_objective(aim, name, model))
            aim = replace(aim, objective=next(fitting, "simple"))
        return aim
    aim = wished
    if why_not_variance(aim, aim.variance):
        aim = replace(aim, variance=next(name for name in VARIANCES if not why_not_variance(aim, name)))
    if aim.schedule.zero_snr and why_not_zero_snr(aim):
        aim = replace(aim, schedule=replace(aim.schedule, zero_snr=False))
    return aim


def why_not_diffusion(aim: Aim) -> str:
    """Why prediction, loss and variance mean nothing here, "" where they do."""
    return "" if aim.task == "diffusion" else "A classifier names the class of a picture: it predicts no noise."


def why_not_noise(aim: Aim) -> str:
    """Why schedule and timesteps mean nothing here, "" where they do."""
    return "" if aim.noised else "A clean classifier meets no noise."


def why_not_objective(aim: Aim, objective: ObjectiveName, model: ModelInfo | None = None) -> str:
    """What keeps this loss from meaning something, "" where nothing does: only a model has what it cannot give up."""
    if model is None:
        return ""
    return objection(model.prediction, objective, model.variance, model.schedule) or ""


def why_not_variance(aim: Aim, variance: VarianceKind) -> str:
    """What keeps this variance from meaning something with the loss, "" where nothing does."""
    return objection(aim.prediction, aim.objective, variance, replace(aim.schedule, zero_snr=False)) or ""


def why_not_zero_snr(aim: Aim) -> str:
    """What keeps the last timestep from being noise alone, "" where nothing does."""
    if aim.task != "diffusion":
        return ""
    return objection(aim.prediction, aim.objective, aim.variance, replace(aim.schedule, zero_snr=True)) or ""
