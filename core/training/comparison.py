"""In what trainings differ: their settings and what came of them, in words. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import Refusal
from core.folder_contents import OWN_FILE
from core.json_file import read_json
from core.training.keeping import LATEST, read_checkpoint
from core.training.request import TrainRequest
from core.training.runs import RunSummary
from core.unet_config import UNetConfig

UNKNOWN = "–"
OBJECTIVES = {
    "simple": "L_simple",
    "weighted": "L, weighted error",
    "vlb": "L_vlb",
    "hybrid": "L_hybrid",
    "min_snr": "min-SNR",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """What is called ``name``: of each of the trainings compared, in their order."""

    name: str
    values: tuple[str, ...]


def read_settings(folder: Path) -> TrainRequest | None:
    """The settings of the run in ``folder`` but for its network, None where they cannot be read."""
    try:
        if not (folder / OWN_FILE).is_file() and (folder / LATEST).is_file():  # killed before it wrote a model
            return read_checkpoint(folder / LATEST)[0]
        provenance = read_json(folder / OWN_FILE).get("provenance")
        training = provenance.get("training") if isinstance(provenance, dict) else None
        if not isinstance(training, dict):
            return None
        return TrainRequest.from_json({**training, "network": UNetConfig().to_json()})
    except (Refusal, OSError):
        return None


def differences(runs: Sequence[RunSummary]) -> tuple[Difference, ...]:
    """In what two or more runs differ, their settings first, then what came of them; in nothing else."""
    told = [{**_settings(run), **_outcome(run)} for run in runs]
    names = dict.fromkeys(name for facts in told for name in facts)
    found = (Difference(name, tuple(facts.get(name, UNKNOWN) for facts in told)) for name in names)
    return tuple(difference for difference in found if len(set(difference.values)) > 1)


def _settings(run: RunSummary) -> dict[str, str]:
    request = read_settings(run.folder)
    length = f"{run.steps:,} steps" if run.steps is not None else f"{run.minutes or 0:g} minutes"
    facts = {"pictures": f"{run.count:,} of {run.data_name}", "size": f"{run.size} × {run.size}"}
    if run.parameters:
        facts["parameters"] = f"{run.parameters / 1e6:.1f} M"
    if request is not None:
        facts |= _learned(request)
    facts["batch"] = str(run.batch or UNKNOWN)
    if request is not None:
        facts |= {"learning rate": f"{request.lr:g}", "seed": str(request.seed)}
        facts |= {
            "mirrored": "half" if request.flip else "none",
            "timesteps": request.timestep_sampler.replace("_", " "),
        }
        facts |= {"begun from": request.base.name if request.base else "nothing"}
    return facts | {"precision": run.precision or UNKNOWN, "length": length}


def _learned(request: TrainRequest) -> dict[str, str]:
    schedule = request.schedule
    facts = {"schedule": f"{schedule.name}, T = {schedule.T}{', zero SNR' if schedule.zero_snr else ''}"}
    if request.task == "classifier":
        return {"task": "classifier" if request.noised else "classifier of clean pictures", **facts}
    learned = {"prediction": request.prediction, "objective": OBJECTIVES[request.objective]}
    return {"task": "diffusion model", **learned, "variance": request.variance, **facts}


def _outcome(run: RunSummary) -> dict[str, str]:
    rate = run.step * (run.batch or 0) / run.seconds if run.seconds > 0 else 0.0
    return {
        "steps": f"{run.step:,}",
        "minutes": f"{run.seconds / 60:.1f}",
        "images/s": f"{rate:.0f}" if rate else UNKNOWN,
        "loss": UNKNOWN if run.loss is None else f"{run.loss:.4f}",
    }
