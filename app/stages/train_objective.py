"""The controls of what a training is after; what means nothing together is greyed, with the reason in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from PySide6.QtCore import QObject, QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QWidget

from app.stages.train_aim import (
    LENGTHS,
    OBJECTIVES,
    PREDICTIONS,
    SCHEDULES,
    TIMESTEP_SAMPLERS,
    VARIANCES,
    Aim,
    Goal,
    sensible,
    why_not_diffusion,
    why_not_noise,
    why_not_objective,
    why_not_variance,
    why_not_zero_snr,
)
from app.widgets.controls import Choice
from core.messages import ModelInfo
from core.requests import ScheduleName

MODELS_OWN = "model"
"""The schedule of the model that is fine-tuned, among the schedules."""
SAYS = {
    "prediction": "What the network learns to answer: the noise ε (Ho et al. 2020, eq. 14), the picture x₀,\n"
    "v = α ε − σ x₀, which is as sure in noise as near the picture (Salimans & Ho 2022, section 4),\n"
    "or the mean μ̃ of q(x_t−1 | x_t, x₀), with which the paper compares ε (Ho et al. 2020, eq. 8 and table 2).",
    "objective": "What a step lowers.\n"
    "L_simple: the squared error of what is predicted (Ho et al. 2020, eq. 14).\n"
    "L, weighted error: the same with the weights that it has in the bound (eq. 12).\n"
    "L_vlb: the variational bound itself, in bits/dim (eq. 5).\n"
    "L_hybrid = L_simple + 0.001 L_vlb, which learns the variance beside (Nichol & Dhariwal 2021, eq. 16).\n"
    "min-SNR-5: no noise level weighs more than SNR = 5 (Hang et al. 2023, section 3.4).",
    "variance": "Σ of the reverse step p(x_t−1 | x_t).\n"
    "fixed: β_t or β̃_t (Ho et al. 2020, section 3.2).\n"
    "range: exp(v log β_t + (1 − v) log β̃_t) (Nichol & Dhariwal 2021, eq. 15).\n"
    "diagonal: the network says log Σ itself (Ho et al. 2020, table 2).",
    "schedule": "How β_t grows.\n"
    "linear: 0.0001 to 0.02, scaled by 1000 / T (Ho et al. 2020, section 4).\n"
    "cosine: ᾱ_t = cos²(π/2 · (t/T + 0.008) / 1.008), which keeps more of the picture for longer\n"
    "(Nichol & Dhariwal 2021, eq. 17).",
    "length": "T, the number of noise levels: 1,000 (Ho et al. 2020) or 4,000 (Nichol & Dhariwal 2021).\n"
    "More make the bound tighter; samples are drawn in as few steps as before.",
    "zero_snr": "Rescales √ᾱ so that nothing of the picture is left at the last t (Lin et al. 2024, algorithm 1).\n"
    "Training and sampling then begin from the same noise.",
    "timesteps": "How t is drawn.\n"
    "evenly spread: one draw for the batch, t_i = T (u + i/n mod 1) (Kingma et al. 2021, appendix I.1).\n"
    "uniform: each t by itself (Ho et al. 2020, Algorithm 1).\n"
    "antithetic pairs: t and T − 1 − t.\n"
    "by the loss: p_t ∝ √E[L_t²], weighted by 1/p_t (Nichol & Dhariwal 2021, eq. 18).",
}


class ObjectiveControls(QObject):
    """The controls, to be laid out by whoever has them.

    Attributes: ``aim``, what they come to. Signals: ``chosen()`` after each change by the person.
    """

    chosen = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._wished = Aim()
        self._model: ModelInfo | None = None
        self.prediction = Choice("Predicts", PREDICTIONS)
        self.objective = Choice("Loss", OBJECTIVES)
        self.variance = Choice("Variance", VARIANCES)
        self.schedule = Choice("Schedule", SCHEDULES)
        self.length = Choice("T", LENGTHS)
        self.timesteps = Choice("Draws t", TIMESTEP_SAMPLERS)
        self.zero_snr = QCheckBox("Zero terminal SNR")
        for choice in (self.prediction, self.objective, self.variance, self.schedule, self.length, self.timesteps):
            choice.value_changed.connect(self._take)
        self.zero_snr.toggled.connect(self._take)
        self._show()

    @property
    def aim(self) -> Aim:
        return sensible(self._wished, self._model)

    def set_goal(self, goal: Goal) -> None:
        self._wished = self._wished.towards(goal)
        self._show()

    def set_model(self, model: ModelInfo | None) -> None:
        """The model that is trained further, which brings most of these; None: none."""
        self._model = model
        self._show()

    @Slot()
    def _take(self) -> None:
        """What differs from what was shown is wished; what was only shown for want of a meaning is not."""
        shown, wished = self.aim, self._wished
        values: dict[str, tuple[object, object]] = {
            "prediction": (shown.prediction, self.prediction.value()),
            "objective": (shown.objective, self.objective.value()),
            "variance": (shown.variance, self.variance.value()),
            "timestep_sampler": (shown.timestep_sampler, self.timesteps.value()),
        }
        changes: dict[str, Any] = {name: new for name, (old, new) in values.items() if new != old}
        schedule = wished.schedule
        if self.schedule.value() != shown.schedule.name or self.length.value() != str(shown.schedule.T):
            name = cast(ScheduleName, self.schedule.value())
            schedule = replace(schedule, name=name, T=int(self.length.value()))
        if self.zero_snr.isChecked() != shown.schedule.zero_snr:
            schedule = replace(schedule, zero_snr=self.zero_snr.isChecked())
        self._wished = replace(wished, schedule=schedule, **changes)
        self._show()
        self.chosen.emit()

    def _show(self) -> None:
        aim, model = self.aim, self._model
        no_noise, none_of_it = why_not_noise(aim), why_not_diffusion(aim)
        brings = f"“{model.ref.name}” brings its own." if model is not None else ""
        schedule = aim.schedule
        own = schedule.name not in SCHEDULES or str(schedule.T) not in LENGTHS or schedule.beta_start is not None
        with_own = model is not None and own
        name = MODELS_OWN if with_own else schedule.name
        schedules: dict[Any, str] = {**SCHEDULES, MODELS_OWN: "the model's"} if with_own else dict(SCHEDULES)
        length = str(schedule.T)
        _set(self.schedule, schedules, name)
        _set(self.length, LENGTHS if length in LENGTHS else {**LENGTHS, length: f"{schedule.T:,}"}, length)
        _set(self.prediction, PREDICTIONS, aim.prediction)
        _set(self.objective, OBJECTIVES, aim.objective)
        _set(self.variance, VARIANCES, aim.variance)
        _set(self.timesteps, TIMESTEP_SAMPLERS, aim.timestep_sampler)
        with QSignalBlocker(self.zero_snr):
            self.zero_snr.setChecked(schedule.zero_snr)
        self.objective.set_reasons({name: why_not_objective(aim, name, model) for name in OBJECTIVES})
        reasons = {name: why_not_variance(aim, name) for name in VARIANCES}
        self.variance.set_reasons(reasons)
        alone = next(filter(None, reasons.values()), "") if len([1 for why in reasons.values() if not why]) == 1 else ""
        _grey(self.prediction, SAYS["prediction"], none_of_it or brings)
        _grey(self.objective, SAYS["objective"], none_of_it)
        _grey(self.variance, SAYS["variance"], none_of_it or brings or alone)
        _grey(self.schedule, SAYS["schedule"], no_noise or brings)
        _grey(self.length, SAYS["length"], no_noise or brings)
        _grey(self.timesteps, SAYS["timesteps"], no_noise)
        _grey(self.zero_snr, SAYS["zero_snr"], no_noise or brings or why_not_zero_snr(aim))


def _set(choice: Choice, options: Mapping[Any, str], value: str) -> None:
    with QSignalBlocker(choice):
        if choice.options() != tuple(options):
            choice.set_options(options)
        choice.set_value(value)


def _grey(widget: QWidget, says: str, why: str) -> None:
    """A control that means nothing at the moment says why, before what it is."""
    widget.setEnabled(not why)
    widget.setToolTip(f"{why}\n\n{says}" if why else says)
    widget.setAccessibleDescription(why)
