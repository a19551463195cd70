"""What a person asks of a training, before the pictures are known: torch-free, so that the window can say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.requests import ModelRef, Precision, PredictionKind, ScheduleSpec, VarianceKind

PresetName = Literal["small", "medium", "large"]
TaskName = Literal["diffusion", "classifier"]
ObjectiveName = Literal["simple", "weighted", "vlb", "hybrid", "min_snr"]
WeightsName = Literal["ema", "raw"]
TimestepSamplerName = Literal["spread", "uniform", "antithetic", "loss_second_moment"]

FINE_TUNING_LR = 2e-4
"""A learning rate for going on from a model: larger steps soon forget what it has learned."""


@dataclass(frozen=True, slots=True)
class TrainOrder:
    """A training to begin in, or to go on with in, the folder ``out``.

    The run lasts ``steps`` steps or ``minutes`` minutes of work: one of the two. ``preset`` names the network's size
    for pictures of the data's own (see ``core.training.presets``); with ``base`` the run fine-tunes that open model
    instead, whose network, schedule and prediction it keeps. ``flip`` mirrors half of the pictures, but none
    whose path within the folder matches one of the patterns ``never_flipped`` ("Flags/*"). ``resume`` goes on with the
    run that lies in ``out``, whose own settings hold but for its length. ``samples`` pictures are drawn from fixed
    seeds about every ``sample_every`` seconds, with the averaged weights or the raw ones (``samples_from``), and a
    checkpoint is written every ``save_every``. Besides the latest, the checkpoint of every ``keep_every``-th step is
    kept (None: of none), and with ``keep_best`` that of the lowest loss on the pictures kept aside. Of these there are
    ``validation``, evenly spread over the folder and never trained on; None: one in twenty, at most 256. ``compile``
    makes the network's kernels faster where a C++ compiler is there, in a process beside this one. A run whose loss is
    no number any more, or has exploded, goes back to its last good checkpoint with half of its learning rate, up to
    ``rescues`` times.

    ``task`` "classifier" trains a noisy classifier of the folder's classes instead of a diffusion model, on noise of
    ``schedule``; it has no prediction, objective or variance, and without ``noised`` it sees clean pictures only, to
    judge instead of to guide. ``objective``: L_simple, the bound's own weights on the
    same error, L_vlb itself, L_simple with a thousandth of L_vlb for a learned ``variance``, or min-SNR-gamma.
    ``timestep_sampler``: one draw spread over the batch, independent, in pairs t and T - 1 - t, or by the second
    moment of the loss at each t.
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
    never_flipped: tuple[str, ...] = ()
    precision: Precision | Literal["auto"] = "auto"
    resume: bool = False
    samples: int = 16
    sample_every: float = 60.0
    save_every: float = 120.0
    task: TaskName = "diffusion"
    schedule: ScheduleSpec = field(default_factory=ScheduleSpec)
    objective: ObjectiveName = "simple"
    variance: VarianceKind = "fixed"
    timestep_sampler: TimestepSamplerName = "spread"
    noised: bool = True
    validation: int | None = None
    samples_from: WeightsName = "ema"
    keep_every: int | None = None
    keep_best: bool = True
    compile: bool = True
    rescues: int = 3


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a person asks of a training under way; None, or False, leaves it as it is.

    ``samples_from`` chooses the weights that samples are drawn with; ``draw`` asks for samples now; ``save`` for a
    checkpoint that is kept; ``micro_batch`` for so many pictures through the network at once, from the next step on.
    """

    samples_from: WeightsName | None = None
    draw: bool = False
    save: bool = False
    micro_batch: int | None = None
