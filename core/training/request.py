"""What a training run is: everything that decides its bits, resolved, immutable and serialisable."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from core.codec import field_from_json
from core.errors import Refusal
from core.json_file import Fields
from core.requests import ModelRef, Precision, PredictionKind, ScheduleSpec, VarianceKind
from core.training.combinations import objection
from core.training.order import ObjectiveName, TaskName, TimestepSamplerName
from core.training.reading import Reading
from core.unet_config import UNetConfig

MAX_SHIFT = 64
MAX_BATCH = 1 << 20


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """A training run.

    ``data_sha256`` names the pictures (see ``PictureFolder.sha256``), ``labels`` the classes in index order; the null
    label is the index after the last. The run ends after ``steps`` steps, or, where ``minutes`` is given instead,
    after that much time spent in steps. ``lr`` rises linearly for ``warm_up`` steps and, with ``decay``, falls to 0
    along half a cosine. ``label_dropout`` is p_uncond of Ho & Salimans 2022. ``micro_batch`` pictures go through the
    network at once (None: the whole batch); ``base`` is the model whose weights a fine-tuning began from. ``gamma`` is
    min-SNR's, ``vlb_weight`` the hybrid's lambda. ``flip`` mirrors half of the pictures, but for those
    whose path matches one of ``never_flipped``. Pictures are moved by up to ``shift`` pixels either way. Of a
    classifier ``network`` is what its encoder half is taken from. ``reading`` is how the folder's files were read (None
    where an older version wrote it), ``validation`` how many of them are kept aside, and ``aside`` which (None where an
    older version wrote it: see ``split.aside_of``); a classifier's are measured, but not as validation.
    """

    data_name: str
    data_sha256: str
    network: UNetConfig
    labels: tuple[str, ...] = ()
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)
    prediction: PredictionKind = "v"
    steps: int | None = None
    minutes: float | None = None
    batch: int = 64
    seed: int = 0
    lr: float = 1e-3
    warm_up: int = 100
    decay: bool = True
    gradient_clip: float = 1.0
    ema_decay: float = 0.999
    label_dropout: float = 0.1
    flip: bool = False
    never_flipped: tuple[str, ...] = ()
    precision: Precision = "float32"
    micro_batch: int | None = None
    base: ModelRef | None = None
    task: TaskName = "diffusion"
    objective: ObjectiveName = "simple"
    variance: VarianceKind = "fixed"
    timestep_sampler: TimestepSamplerName = "spread"
    gamma: float = 5.0
    vlb_weight: float = 0.001
    weight_decay: float = 0.0
    noised: bool = True
    shift: int = 0
    reading: Reading | None = None
    validation: int = 0
    aside: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise Refusal("Say how long to train: either a number of steps or a number of minutes.")
        if self.steps is not None and self.steps < 1:
            raise Refusal(f"A training of {self.steps} steps does nothing: ask for at least 1.")
        if self.minutes is not None and not 0 < self.minutes < 1e6:
            raise Refusal(f"A training of {self.minutes:g} minutes cannot be done: ask for more than 0.")
        if self.batch < 1:
            raise Refusal(f"A batch of {self.batch} pictures is empty: ask for at least 1.")
        if self.batch > MAX_BATCH:
            raise Refusal(f"A batch of {self.batch:,} pictures is too large: ask for at most {MAX_BATCH:,}.")
        if self.micro_batch is not None and self.micro_batch < 1:
            raise Refusal("A micro-batch is at least 1 picture.")
        if not 0 < self.lr < 1:
            raise Refusal(f"A learning rate of {self.lr:g} cannot train: choose one between 0 and 1, such as 0.001.")
        if self.precision == "float16":
            raise Refusal("Training in float16 loses small gradients: choose bfloat16 or float32.")
        if not 0 <= self.shift <= MAX_SHIFT:
            raise Refusal(f"Pictures can be moved by 0 to {MAX_SHIFT} pixels.")
        if not 0 <= self.label_dropout < 1:
            raise Refusal("Label dropout is a probability: choose at least 0 and less than 1.")
        if not 0 < self.gamma < math.inf:
            raise Refusal(f"Min-SNR with a gamma of {self.gamma:g} weighs nothing: choose one above 0, such as 5.")
        if not 0 <= self.vlb_weight < math.inf:
            raise Refusal("The bound's weight in the hybrid objective is at least 0: the paper's is 0.001.")
        if not 0 <= self.weight_decay < 1:
            raise Refusal("Weight decay lies between 0 and 1.")
        if self.task == "diffusion":
            words = objection(self.prediction, self.objective, self.variance, self.schedule)
            if words is not None:
                raise Refusal(words)
        elif not self.labels:
            raise Refusal(
                "A classifier tells classes apart: put the pictures of each class in a sub-folder of its own."
            )

    @property
    def null_label(self) -> int | None:
        """The index of "no class", None for unconditional training."""
        return len(self.labels) or None

    def continued(self, other: TrainRequest) -> bool:
        """Whether a run of ``other`` can be continued as this one: only its length may differ."""
        return replace(self, steps=other.steps, minutes=other.minutes) == other

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"network": self.network.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TrainRequest:
        """The inverse of ``to_json`` after a trip through JSON text. Raises Refusal for what is not a request."""
        try:
            apart: dict[str, Any] = {
                "network": UNetConfig.from_json(data["network"]),
                "labels": Fields(data, "it").texts("labels"),  # as many as a folder has
                "never_flipped": Fields(data, "it").texts("never_flipped"),
            }
            known = {item.name for item in fields(cls)} - apart.keys()
            values = {name: field_from_json(cls, name, data[name]) for name in known & data.keys()}
            return cls(**values, **apart)
        except (Refusal, AttributeError, KeyError, TypeError, ValueError) as error:
            raise Refusal(
                "This run's settings cannot be read: its file was changed or belongs to another version.", repr(error)
            ) from error

    def to_text(self) -> str:
        return json.dumps(self.to_json(), sort_keys=True)
