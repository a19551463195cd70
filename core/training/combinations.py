"""Which settings of a training mean nothing together, and why: for people, before anything is made. Torch-free."""

from __future__ import annotations

from core.requests import PredictionKind, ScheduleSpec, VarianceKind
from core.training.order import ObjectiveName


def objection(
    prediction: PredictionKind, objective: ObjectiveName, variance: VarianceKind, schedule: ScheduleSpec
) -> str | None:
    """A sentence on what does not fit together in the training of a diffusion model, None where all does."""
    if variance == "fixed" and objective == "hybrid":
        return (
            "The hybrid objective adds to L_simple what teaches the variance, and this variance is fixed: choose a "
            "learned variance (range or diagonal), or the simple objective."
        )
    if variance != "fixed" and objective not in ("hybrid", "vlb"):
        return (
            "Nothing in this objective would teach the network its variance: choose hybrid or vlb, or a fixed variance."
        )
    if schedule.zero_snr and prediction == "eps":
        return (
            "With zero signal at the last timestep the noise says nothing of the picture, so a network that predicts "
            "eps cannot begin a sample: choose v or x0, or leave zero SNR out."
        )
    if schedule.zero_snr and objective == "min_snr":
        return (
            "Min-SNR weighs the last timestep, where the SNR is 0, with 0: it would never be learned, and every sample "
            "begins there. Choose another objective, or leave zero SNR out."
        )
    return None
