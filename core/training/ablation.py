"""DDPM's ablation (Ho et al. 2020, table 2) on a person's own pictures: six trainings of one length that differ in what
the network predicts, in the objective, and in whether the variance is learned. Torch-free.

All six have one parent folder, where ``ablation.json`` says what they have in common, which of them diverged, and what
was measured of the others.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.codec import field_from_json
from core.errors import Refusal
from core.files import write_file, write_refusal
from core.json_file import Fields, read_json
from core.requests import PredictionKind, ScheduleSpec, VarianceKind
from core.training.dataset import PictureFolder
from core.training.order import ObjectiveName, PresetName, TimestepSamplerName, TrainOrder
from core.training.presets import network_of
from core.training.reading import Reading
from core.training.runs import RunSummary, is_run, read_summary, runs_folder

FILE = "ablation.json"
WINDOW = 50
"""Steps whose median is taken together: single batches of the bound are far apart."""
EXPLODED = 10.0
"""A loss so many times its least one has diverged, where it stays there."""

_BOUNDS = {"size": (8, 1024), "steps": (1, 100_000_000), "batch": (1, 65_536), "samples": (0, 1024), "seed": (0, 2**63)}
"""What a person may ask for; another number in the file was written by somebody else."""

log = logging.getLogger("diffuscope.training")


@dataclass(frozen=True, slots=True)
class Cell:
    """A training of the table. ``published`` is its FID on CIFAR-10 there, None where it was unstable; ``key`` is the
    name of its folder."""

    key: str
    prediction: PredictionKind
    objective: ObjectiveName
    variance: VarianceKind
    published: float | None = None
    extra: bool = False
    """Not of the table."""


TABLE = (
    Cell("mu-L-learned", "mean", "vlb", "diagonal", 23.69),
    Cell("mu-L-fixed", "mean", "vlb", "fixed", 13.22),
    Cell("mu-simple", "mean", "simple", "fixed"),
    Cell("eps-L-learned", "eps", "vlb", "diagonal"),
    Cell("eps-L-fixed", "eps", "vlb", "fixed", 13.51),
    Cell("eps-simple", "eps", "simple", "fixed", 3.17),
)
HYBRID = Cell("eps-hybrid", "eps", "hybrid", "range", extra=True)
"""What made the learned variance work (Nichol & Dhariwal 2021, section 3.1)."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """What its trainings have in common: pictures, network, length, seed. Each meets the same batches and noise.

    ``reading`` is how the pictures were read; None: as usual at ``size``. Those that match ``never_flipped`` are never
    mirrored.
    """

    data_name: str
    size: int
    steps: int
    data_sha256: str = ""
    preset: PresetName = "small"
    batch: int = 64
    seed: int = 0
    lr: float = 1e-3
    flip: bool = False
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)
    timestep_sampler: TimestepSamplerName = "spread"
    samples: int = 16
    hybrid: bool = False
    reading: Reading | None = None
    never_flipped: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        return (*TABLE, HYBRID) if self.hybrid else TABLE

    def order(self, cell: Cell, folder: Path) -> TrainOrder:
        """The training of a cell, begun or gone on with, beside the others in ``folder``; float32 for all, since the
        bound is a sum of small differences."""
        return TrainOrder(
            out=folder / cell.key,
            steps=self.steps,
            preset=self.preset,
            batch=self.batch,
            seed=self.seed,
            lr=self.lr,
            prediction=cell.prediction,
            flip=self.flip,
            never_flipped=self.never_flipped,
            precision="float32",
            resume=True,
            samples=self.samples,
            schedule=self.schedule,
            objective=cell.objective,
            variance=cell.variance,
            timestep_sampler=self.timestep_sampler,
            validation=0,  # each learns from every picture, as in the paper
            rescues=0,  # to diverge is a result
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of a cell, with standard errors; None where it was not. ``distance`` is that of the metric
    ``metric`` in the features of the classifier ``features``."""

    bits_per_dim: float | None = None
    bits_error: float | None = None
    distance: float | None = None
    distance_error: float | None = None
    metric: str = ""
    features: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far a cell has come: ``run`` is what its folder says, None where it was not begun; ``diverged`` the step
    whose loss was no number any more, None where there was none."""

    cell: Cell
    run: RunSummary | None
    diverged: int | None = None
    figures: Figures = Figures()

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to train."""
        return self.diverged is not None or (self.run is not None and self.run.finished)


def exploded_at(losses: NDArray[np.float32]) -> int | None:
    """The step (1 is the first) from which to the end the median of every ``WINDOW`` losses is more than ``EXPLODED``
    times the least before; None where the last one is not. losses (n,), NaN where nobody knows one."""
    count = len(losses) // WINDOW
    if count < 2:
        return None
    windows = losses[len(losses) - count * WINDOW :].reshape(count, WINDOW).astype(np.float64)
    known = np.flatnonzero(np.isfinite(windows).any(axis=1))
    medians = np.nanmedian(windows[known], axis=1)
    far = medians > EXPLODED * np.minimum.accumulate(medians)
    if not len(far) or not far[-1]:
        return None
    first = int(known[np.flatnonzero(~far)[-1] + 1])
    return len(losses) - (count - first) * WINDOW + 1


def check_pictures(ablation: Ablation, data: PictureFolder) -> None:
    """Raise Refusal unless these are the pictures that its trainings learn."""
    if ablation.data_sha256 not in ("", data.sha256):
        raise Refusal(
            f"These are not the pictures of this ablation, “{ablation.data_name}”: some were added, removed or "
            "changed. Give the same folder, unchanged, or begin another ablation."
        )


# ------------------------------------------------------------------------------------------------ files


def begin(ablation: Ablation, folder: Path) -> None:
    """Write what it is into its folder. Raises Refusal where there is another one, or nothing can be written."""
    network_of(ablation.preset, ablation.size, 1, 0)  # refuses what no training could be made of
    if (folder / FILE).exists():
        if read(folder) != ablation:
            raise Refusal(f"{folder} holds an ablation with other settings. Name another folder for this one.")
        return
    if is_run(folder) or (folder / "model_index.json").exists():
        raise Refusal(f"{folder} holds a model already. Name another folder for the ablation.")
    _write(ablation, {}, {}, folder)


def read(folder: Path) -> Ablation:
    """What an ablation is, as its folder says. Raises Refusal."""
    data = _contents(folder)
    names = {item.name for item in dataclasses.fields(Ablation)}
    try:
        found = Ablation(**{name: field_from_json(Ablation, name, data[name]) for name in names & data.keys()})
    except (Refusal, TypeError) as error:
        raise _damaged(folder, error) from error
    for name, (low, high) in _BOUNDS.items():
        if not low <= getattr(found, name) <= high:
            raise _damaged(folder, f"{name} is {getattr(found, name)}")
    return found


def note_divergence(folder: Path, cell: Cell, step: int) -> None:
    """Keep that a cell has diverged; it is not trained again. Raises Refusal where it cannot be written."""
    _write(read(folder), {**_diverged(folder), cell.key: step}, _figures(folder), folder)


def note_figures(folder: Path, figures: Mapping[str, Figures]) -> None:
    """Keep what was measured, by the cells' keys. Raises Refusal where it cannot be written."""
    _write(read(folder), _diverged(folder), {**_figures(folder), **figures}, folder)


def outcomes(folder: Path) -> tuple[Outcome, ...]:
    """How far each of its trainings has come, in the table's order. Raises Refusal where there is no ablation."""
    diverged, figures = _diverged(folder), _figures(folder)
    return tuple(
        Outcome(cell, _run(folder / cell.key), diverged.get(cell.key), figures.get(cell.key, Figures()))
        for cell in read(folder).cells
    )


def list_ablations(runs: tuple[RunSummary, ...] = ()) -> tuple[Path, ...]:
    """The folders of those in the data folder, and of those that ``runs`` belong to."""
    found = dict.fromkeys(folder for folder in (*_in_data_folder(), *(run.folder.parent for run in runs)))
    return tuple(folder for folder in found if (folder / FILE).is_file())


def _run(folder: Path) -> RunSummary | None:
    if not is_run(folder):
        return None
    try:
        return read_summary(folder)
    except (Refusal, OSError) as error:
        log.warning("how far %s has come cannot be read: %s", folder, error)
        return None


def _in_data_folder() -> Iterator[Path]:
    try:
        with os.scandir(runs_folder()) as entries:
            yield from (Path(entry.path).resolve() for entry in entries if entry.is_dir())
    except OSError:
        return


def _contents(folder: Path) -> dict[str, Any]:
    try:
        return read_json(folder / FILE)
    except Refusal as refusal:
        raise _damaged(folder, refusal) from refusal


def _damaged(folder: Path, why: object) -> Refusal:
    return Refusal(
        f"{folder / FILE} is damaged, so nobody knows what this ablation is. The models beside it can be opened one by "
        "one; begin another ablation in another folder.",
        str(why),
    )


def _diverged(folder: Path) -> dict[str, int]:
    found = _contents(folder).get("diverged")
    fields = Fields(found if isinstance(found, dict) else {}, FILE)
    try:
        return {cell.key: fields.whole(cell.key, 0) for cell in (*TABLE, HYBRID) if cell.key in fields.data}
    except Refusal as refusal:
        raise _damaged(folder, refusal) from refusal


def _figures(folder: Path) -> dict[str, Figures]:
    found = _contents(folder).get("figures")
    by_key = found if isinstance(found, dict) else {}
    names = {item.name for item in dataclasses.fields(Figures)}
    try:
        return {
            cell.key: Figures(
                **{n: field_from_json(Figures, n, value) for n, value in by_key[cell.key].items() if n in names}
            )
            for cell in (*TABLE, HYBRID)
            if isinstance(by_key.get(cell.key), dict)
        }
    except Refusal as refusal:
        raise _damaged(folder, refusal) from refusal


def _write(ablation: Ablation, diverged: Mapping[str, int], figures: Mapping[str, Figures], folder: Path) -> None:
    measured = {key: dataclasses.asdict(value) for key, value in figures.items()}
    data: dict[str, Any] = {"format": 1, **dataclasses.asdict(ablation)}
    data |= {"diverged": dict(diverged), "figures": measured}
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_refusal(folder, error) from error
    write_file(folder / FILE, lambda stream: stream.write(text.encode()))
