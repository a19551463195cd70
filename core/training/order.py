"""What a person asks of a training, before the pictures are known: torch-free, so that the window can say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.requests import ModelRef, Precision, PredictionKind

PresetName = Literal["small", "medium", "large"]

FINE_TUNING_LR = 2e-4
"""A learning rate for going on from a model: larger steps soon forget what it has learned."""


@dataclass(frozen=True, slots=True)
class TrainOrder:
    """A training to begin in, or to go on with in, the folder ``out``.

    The run lasts ``steps`` steps or ``minutes`` minutes of work: one of the two. ``preset`` names the network's size
    for pictures of the data's own (see ``core.training.presets``); with ``base`` the run fine-tunes that open model
    instead, whose network, schedule and prediction it keeps. ``flip`` mirrors half of the pictures. ``resume`` goes on
    with the run that lies in ``out``, whose own settings hold but for its length. ``samples`` pictures are drawn from
    fixed seeds about every ``sample_every`` seconds, and a checkpoint is written every ``save_every``.
    """

    out: Path
    steps: int | None = None
    minutes: float | None = None
    preset: PresetName = "small"
    base: ModelRef | None = None
    batch: int = 64
    seed: int = 0
    lr: float = 1e-3
    prediction: PredictionKind = "v"
    flip: bool = False
    precision: Precision | Literal["auto"] = "auto"
    resume: bool = False
    samples: int = 16
    sample_every: float = 60.0
    save_every: float = 120.0
