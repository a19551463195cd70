"""What the controls of Train say, and the order it becomes. No widget here, no tensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from app.stages.train_aim import Aim
from core.errors import Refusal
from core.messages import ModelInfo
from core.requests import Precision
from core.training.order import PresetName, TrainOrder, WeightsName
from core.training.reading import Reading

SIZES = (16, 24, 32, 48, 64, 96, 128)


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The controls as one value. ``reading`` is how the folder's files become pictures; ``fine_tune`` begins from the
    open model, whose network and prediction it keeps. One of ``minutes`` and ``steps``; the rest as in TrainOrder."""

    reading: Reading = field(default_factory=Reading)
    preset: PresetName = "small"
    minutes: float | None = 20.0
    steps: int | None = None
    aim: Aim = field(default_factory=Aim)
    precision: Precision | Literal["auto"] = "auto"
    batch: int = 64
    lr: float = 1e-3
    seed: int = 0
    samples: int = 16
    sample_every: float = 60.0
    flip: bool = False
    never_flipped: tuple[str, ...] = ()
    fine_tune: bool = False
    samples_from: WeightsName = "ema"
    validation: int | None = None
    keep_every: int | None = None
    keep_best: bool = True
    compile: bool = True

    @property
    def size(self) -> int:
        """The side of the pictures."""
        return self.reading.size


def order_of(settings: TrainSettings, out: Path, model: ModelInfo | None) -> TrainOrder:
    """The order these settings mean, into the folder ``out``. Raises Refusal where they cannot be met."""
    if settings.fine_tune and model is None:
        raise Refusal("There is no model to fine-tune. Open one on the left, or train from the start.")
    aim = settings.aim
    return TrainOrder(
        out=out,
        steps=settings.steps,
        minutes=settings.minutes,
        preset=settings.preset,
        base=model.ref if settings.fine_tune and model is not None else None,
        batch=settings.batch,
        seed=settings.seed,
        lr=settings.lr,
        prediction=aim.prediction,
        flip=settings.flip,
        never_flipped=settings.never_flipped,
        precision=settings.precision,
        samples=settings.samples,
        sample_every=settings.sample_every,
        task=aim.task,
        schedule=aim.schedule,
        objective=aim.objective,
        variance=aim.variance,
        timestep_sampler=aim.timestep_sampler,
        noised=aim.noised,
        samples_from=settings.samples_from,
        validation=settings.validation,
        keep_every=settings.keep_every,
        keep_best=settings.keep_best,
        compile=settings.compile,
    )


def name_of(settings: TrainSettings, data_name: str, model: ModelInfo | None) -> str:
    """What a new run is called: its pictures, and what learns them."""
    if settings.fine_tune and model is not None:
        return f"{data_name} from {model.ref.name}"
    names = {"diffusion": settings.preset, "classifier": "guide", "judge": "judge"}
    return f"{data_name} {names[settings.aim.goal]}"


def why_not_fine_tune(model: ModelInfo | None, aim: Aim) -> str:
    """What keeps the open model from being trained further, "" where nothing does."""
    if aim.task != "diffusion":
        return "A classifier is trained from the start."
    if model is None:
        return "No model is open. Open one on the left to train it further."
    if len(model.event_shape) != 3 or model.event_shape[0] not in (1, 3):
        return f"“{model.ref.name}” is no model of pictures."
    if model.event_shape[1] != model.event_shape[2]:
        return f"“{model.ref.name}” takes pictures that are not square; folders are cropped to squares."
    return ""
