"""A diffusers scheduler configuration and what it means here: schedule, prediction, sampler, spacing, last level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import Refusal
from core.json_file import Fields
from core.requests import ClipPolicy, PredictionKind, SamplerSpec, ScheduleName, ScheduleSpec, VarianceKind
from core.schedules import MAX_T, check_prediction, make_schedule

_PREDICTIONS: dict[str, PredictionKind] = {"epsilon": "eps", "sample": "x0", "v_prediction": "v", "mean": "mean"}
"""diffusers has no word for the posterior mean; by this one it says so, instead of taking it for something else."""

_VARIANCES: dict[str, VarianceKind] = {"learned": "diagonal", "learned_range": "range"}
_SCHEDULES: dict[str, ScheduleName] = {
    "linear": "linear",
    "scaled_linear": "quadratic",
    "squaredcos_cap_v2": "cosine",
    "sigmoid": "sigmoid",
}
_SPACINGS = ("leading", "linspace", "trailing")
_WITHOUT_ENDS = ("cosine",)
_NO_LIMIT = 1000.0  # of dynamic thresholding: JSON has no infinity


@dataclass(frozen=True, slots=True)
class SchedulerSays:
    """What a model folder's scheduler says; ``notes`` tell the person where something was read between the lines.

    ``variance`` is what it takes the network to have learned of the reverse step's variance.
    """

    schedule: ScheduleSpec = field(default_factory=lambda: ScheduleSpec("linear", 1000, 1e-4, 0.02))
    prediction: PredictionKind = "eps"
    sampler: SamplerSpec = field(default_factory=lambda: SamplerSpec("ddpm"))
    spacing: str = "leading"
    final_alpha_bar: float = 1.0
    steps_offset: int = 0
    variance: VarianceKind = "fixed"
    notes: tuple[str, ...] = ()


def read_scheduler(data: Mapping[str, Any]) -> SchedulerSays:
    """What a parsed ``scheduler_config.json`` of DDPM, DDIM or PNDM says; a missing field means diffusers' default.

    Raises Refusal for what Diffuscope does not compute.
    """
    fields = Fields(data, "The scheduler's configuration")
    kind = fields.text("_class_name", "DDPMScheduler")
    if kind not in ("DDPMScheduler", "DDIMScheduler", "PNDMScheduler"):
        raise Refusal(
            f"This model is made for {kind}, which Diffuscope does not compute; it opens DDPM, DDIM and PNDM."
        )
    _refuse_the_uncovered(fields, kind)
    notes: list[str] = []
    schedule = _schedule(fields)
    spacing = fields.text("timestep_spacing", "leading")
    if spacing not in _SPACINGS:
        raise Refusal(f"The scheduler spaces its timesteps in a way that Diffuscope does not know ({spacing}).")
    offset = fields.whole("steps_offset", 0)
    if not 0 <= offset < schedule.T:
        raise Refusal(f"The scheduler shifts its timesteps by {offset}; only 0 to {schedule.T - 1} has a meaning.")
    if kind == "PNDMScheduler":
        notes.append("The folder asks for PNDM; Diffuscope samples it with DDIM.")
    prediction = _prediction(fields)
    check_prediction(schedule, prediction)
    ends_clean = kind == "DDPMScheduler" or fields.flag("set_alpha_to_one", kind == "DDIMScheduler")
    return SchedulerSays(
        schedule=schedule,
        prediction=prediction,
        sampler=_sampler(fields, kind, notes),
        spacing=spacing,
        final_alpha_bar=1.0 if ends_clean else float(make_schedule(schedule).alpha_bar[0]),
        steps_offset=offset,
        variance=_VARIANCES.get(fields.text("variance_type", "fixed_small"), "fixed"),
        notes=tuple(notes),
    )


def write_scheduler(says: SchedulerSays) -> dict[str, Any]:
    """The ``scheduler_config.json`` that says the same to diffusers.

    Schedules it has no name for are written as explicit betas, spacings it lacks as "leading", samplers it has under
    other names as DDIM; a clip policy that re-derives eps becomes plain clipping, which is what its configuration can
    say.
    """
    schedule = make_schedule(replace(says.schedule, zero_snr=False))
    sampler = says.sampler
    names = {ours: theirs for theirs, ours in _SCHEDULES.items()}
    named = says.schedule.name in names
    start, end = says.schedule.beta_start, says.schedule.beta_end
    if says.schedule.name == "linear":  # here, unlike there, the defaults depend on T
        start, end = float(schedule.betas[0]), float(schedule.betas[-1])
    data: dict[str, Any] = {
        "_class_name": "DDPMScheduler" if says.sampler.name == "ddpm" else "DDIMScheduler",
        "_diffusers_version": "0.35.0",
        "num_train_timesteps": schedule.T,
        "beta_start": 1e-4 if start is None else start,
        "beta_end": 0.02 if end is None else end,
        "beta_schedule": names.get(says.schedule.name, "linear"),
        "trained_betas": None if named else [float(beta) for beta in schedule.betas],
        "clip_sample": sampler.clip in ("clamp", "rederive"),
        "clip_sample_range": 1.0,
        "prediction_type": {ours: theirs for theirs, ours in _PREDICTIONS.items()}[says.prediction],
        "timestep_spacing": says.spacing if says.spacing in _SPACINGS else "leading",
        "steps_offset": says.steps_offset,
        "thresholding": sampler.clip == "dynamic",
        "dynamic_thresholding_ratio": sampler.percentile,
        "sample_max_value": _NO_LIMIT if sampler.limit is None else sampler.limit,
        "rescale_betas_zero_snr": says.schedule.zero_snr,
    }
    if sampler.name == "ddpm":
        learned = {ours: theirs for theirs, ours in _VARIANCES.items()}
        fixed = "fixed_large" if sampler.variance == "large" else "fixed_small"
        data["variance_type"] = learned.get(says.variance, fixed)
    else:
        data["set_alpha_to_one"] = says.final_alpha_bar == 1.0
    return data


def _refuse_the_uncovered(fields: Fields, kind: str) -> None:
    clips = kind != "PNDMScheduler" and fields.flag("clip_sample", True) and not fields.flag("thresholding", False)
    if clips and fields.number("clip_sample_range", 1.0) != 1.0:
        raise Refusal("This model clips its pictures to another range than [-1, 1], which Diffuscope does not compute.")


def _schedule(fields: Fields) -> ScheduleSpec:
    T = fields.whole("num_train_timesteps", 1000)
    if not 1 <= T <= MAX_T:
        raise Refusal(f"The scheduler has {T} timesteps; there must be 1 to {MAX_T}.")
    betas = fields.numbers("trained_betas")
    if betas:
        spec = _named(ScheduleSpec("betas", len(betas), betas=betas))
    else:
        theirs = fields.text("beta_schedule", "linear")
        if theirs not in _SCHEDULES:
            raise Refusal(f"The scheduler's betas follow a curve that Diffuscope does not know ({theirs}).")
        name = _SCHEDULES[theirs]
        # PNDM and the others share the defaults; unlike the papers' linear schedule these never scale with T.
        ends = (
            (None, None)
            if name in _WITHOUT_ENDS
            else (fields.number("beta_start", 1e-4), fields.number("beta_end", 0.02))
        )
        spec = ScheduleSpec(name, T, *ends)
    spec = replace(spec, zero_snr=fields.flag("rescale_betas_zero_snr", False))
    make_schedule(spec)
    return spec


def _named(spec: ScheduleSpec) -> ScheduleSpec:
    """These betas by a name that diffusers lacks, where they are exactly that schedule's."""
    named = ScheduleSpec("sigmoid_alpha_bar", spec.T)
    return named if make_schedule(named).betas.tolist() == list(spec.betas) else spec


def _prediction(fields: Fields) -> PredictionKind:
    if not fields.flag("predict_epsilon", True):  # written until diffusers 0.9
        return "x0"
    theirs = fields.text("prediction_type", "epsilon")
    if theirs not in _PREDICTIONS:
        raise Refusal(f"The network predicts something that Diffuscope does not know ({theirs}).")
    return _PREDICTIONS[theirs]


def _sampler(fields: Fields, kind: str, notes: list[str]) -> SamplerSpec:
    # A network that answers the mean says little of eps; DDIM goes by it, and needs that of the held x0_hat.
    goes_by_eps = kind != "DDPMScheduler" and _prediction(fields) == "mean"
    held: ClipPolicy = "rederive" if goes_by_eps else "clamp"
    said = SamplerSpec("ddim", clip=held if fields.flag("clip_sample", True) else "none")
    if kind != "PNDMScheduler" and fields.flag("thresholding", False):
        said = replace(said, clip="dynamic", percentile=_percentile(fields), limit=_limit(fields))
    if kind != "DDPMScheduler":
        return said
    theirs = fields.text("variance_type", "fixed_small")
    if theirs in _VARIANCES:
        return replace(said, name="ddpm", variance="learned")
    if theirs.removesuffix("_log") not in ("fixed_small", "fixed_large"):
        raise Refusal(f"The scheduler's variance is of a kind that Diffuscope does not know ({theirs}).")
    if theirs == "fixed_large_log":
        notes.append("variance_type fixed_large_log is taken as fixed_large, which is what it means.")
    return replace(said, name="ddpm", variance="large" if theirs.startswith("fixed_large") else "small")


def _percentile(fields: Fields) -> float:
    share = fields.number("dynamic_thresholding_ratio", 0.995)
    if not 0 <= share <= 1:
        raise Refusal(f"The scheduler's dynamic_thresholding_ratio is {share:g}; it lies between 0 and 1.")
    return share


def _limit(fields: Fields) -> float | None:
    limit = fields.number("sample_max_value", 1.0)
    if limit <= 0:
        raise Refusal(f"The scheduler's sample_max_value is {limit:g}; it lies above 0.")
    return None if limit >= _NO_LIMIT else limit
