"""The arguments of commands that train and measure."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from core.cli.answering import add_answers
from core.cli.arguments import (
    NAMED_SCHEDULES,
    add_network,
    add_reporting,
    add_seed,
    fraction,
    number,
    option,
    positive,
    spacing,
    strata,
    whole,
)
from core.cli.reading import add_reading
from core.measure_requests import MetricName
from core.requests import ClipPolicy, PredictionKind, SamplerName, VarianceKind, VarianceName
from core.training.order import ObjectiveName, PresetName, TimestepSamplerName, WeightsName


def add_train(parser: argparse.ArgumentParser) -> None:
    """Of ``main.py train``."""
    parser.description = (
        "Train a model, or a classifier, on a folder of pictures; sub-folders are its classes. With several devices: "
        "torchrun --nproc-per-node N main.py train FOLDER --out RUN."
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="pictures, or sub-folders of pictures")
    option(parser, "--out", "the run's folder, itself a model folder", type=Path, required=True, metavar="RUN")
    option(parser, "--size", "side of the pictures in pixels (default 32)", type=whole(8, 1024), metavar="N")
    length = parser.add_mutually_exclusive_group()
    option(length, "--steps", "train this many steps", type=whole(1, 100_000_000), metavar="N")
    option(length, "--minutes", "train this long (default 20)", type=positive, metavar="M")
    option(parser, "--preset", "size of the network (default small)", choices=get_args(PresetName))
    option(parser, "--from", "fine-tune this model: a bundled name, a folder or a file of weights", dest="base",
            metavar="MODEL")  # fmt: skip
    add_answers(parser)
    option(parser, "--batch", "pictures a step, of each process where torchrun starts several (default 64)",
            type=whole(1, 65_536), metavar="B")  # fmt: skip
    option(parser, "--lr", "learning rate (default 0.001; 0.0002 with --from)", type=positive, metavar="R")
    option(parser, "--prediction", "of the network (default v)", choices=get_args(PredictionKind))
    option(parser, "--objective", "what is made small (default simple; hybrid where the variance is learned)",
            choices=get_args(ObjectiveName))  # fmt: skip
    option(parser, "--variance", "of the reverse step: fixed, or learned within a range or freely (default fixed)",
            choices=get_args(VarianceKind))  # fmt: skip
    option(parser, "--schedule", "noise schedule (default linear)", choices=NAMED_SCHEDULES)
    option(parser, "--T", "number of timesteps of the schedule (default 1000)", type=whole(1, 10_000))
    parser.add_argument("--zero-snr", action="store_true", help="rescale the schedule to end without any signal")
    option(parser, "--timestep-sampler", "how a batch's timesteps are drawn (default spread)",
            choices=get_args(TimestepSamplerName))  # fmt: skip
    parser.add_argument("--classifier", action="store_true", help="train a classifier of the classes, to guide with")
    parser.add_argument("--clean", action="store_true", help="of a classifier: on clean pictures, to judge with")
    add_reading(parser)
    parser.add_argument("--flip", action="store_true", help="mirror half of the pictures")
    option(parser, "--never-flip", "of --flip: not those whose path matches one of these, such as 'Flags/*'",
            nargs="+", action="extend", default=[], metavar="PATTERN")  # fmt: skip
    option(parser, "--validation", "pictures kept aside to measure on (default one in twenty, at most 256)",
            type=whole(0, 65_536), metavar="N")  # fmt: skip
    option(parser, "--keep-every", "keep the checkpoint of every K-th step, besides the latest and the best",
            type=whole(1, 100_000_000), metavar="K")  # fmt: skip
    option(parser, "--samples-from", "weights that samples are drawn with (default ema)",
            choices=get_args(WeightsName))  # fmt: skip
    option(parser, "--compile", "kernels for the network are compiled beside a long run, and kept if faster (default)",
            action=argparse.BooleanOptionalAction)  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint, if there is one")
    add_seed(parser, default=None)
    add_network(parser)
    add_reporting(parser)


def add_ablation(parser: argparse.ArgumentParser) -> None:
    """Of ``main.py ablation``."""
    parser.description = (
        "DDPM's ablation (Ho et al. 2020, table 2): the mean or the noise predicted, by the bound or L_simple, with a "
        "learned or a fixed variance, trained equally long and measured. The same command goes on where it was stopped."
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="pictures, or sub-folders of pictures")
    option(parser, "--out", "where the trainings lie side by side", type=Path, required=True, metavar="DIR")
    option(parser, "--steps", "of each training", type=whole(1, 100_000_000), metavar="N")
    option(parser, "--size", "side of the pictures in pixels (default 32)", type=whole(8, 1024), metavar="N")
    option(parser, "--preset", "size of the network (default small)", choices=get_args(PresetName))
    option(parser, "--batch", "pictures a step (default 64)", type=whole(1, 65_536), metavar="B")
    option(parser, "--lr", "learning rate (default 0.001)", type=positive, metavar="R")
    parser.add_argument("--hybrid", action="store_true", help="and L_hybrid with a learned variance (Nichol 2021)")
    option(parser, "--held-out", "measure on these pictures in place of FOLDER's", type=Path, metavar="FOLDER")
    option(parser, "--features", "a classifier's name or folder, or a file with Inception's weights", metavar="NAME")
    option(parser, "--device", "auto, cpu, cuda, cuda:1, mps (default auto)", default="auto", metavar="NAME")
    add_seed(parser, default=None)
    add_reporting(parser)


def add_evaluate(parser: argparse.ArgumentParser) -> None:
    """Of ``main.py evaluate``."""
    parser.description = "How many bits pictures cost a model, and how far its samples are from them."
    option(parser, "--model", "a bundled model's name, a model's folder, or a file of its weights", required=True)
    add_answers(parser)
    option(parser, "--data", "pictures it is measured on, or sub-folders of them", type=Path, required=True,
            metavar="FOLDER")  # fmt: skip
    add_reading(parser)
    parser.add_argument("--nll", action="store_true", help="bits a value by the variational bound (the default)")
    parser.add_argument("--distance", action="store_true", help="of samples from the pictures")
    option(parser, "--count", "pictures, and samples (default 200)", type=whole(2, 1_000_000), default=200,
            metavar="N")  # fmt: skip
    option(parser, "--timesteps", "of --nll: strata of t (default 50), or all", type=strata, metavar="K")
    option(parser, "--draws", "of --nll: of noise for each picture and t (default 1)", type=whole(1, 1000),
            metavar="D")  # fmt: skip
    option(parser, "--sampler", "of --distance: one or several", choices=get_args(SamplerName), nargs="+")
    option(parser, "--steps", "of --distance: network evaluations, one or several (default 50)", nargs="+",
            type=whole(1, 10_000), metavar="S")  # fmt: skip
    option(parser, "--spacing", "of --distance", type=spacing, metavar="NAME")
    option(parser, "--eta", "of DDIM", type=fraction, metavar="E")
    option(parser, "--guidance", "of --distance: w of eps = (1 + w) eps_c - w eps_u", type=number, metavar="W")
    option(parser, "--features", "a classifier's name or folder, or a file with Inception's weights", metavar="NAME")
    option(parser, "--metric", "default kernel; frechet where there are enough samples", choices=get_args(MetricName))
    option(parser, "--batch", "samples drawn together (default 50)", type=whole(1, 4096), default=50, metavar="B")
    parser.add_argument("--unlabelled", action="store_true", help="tell the model no classes")
    option(parser, "--variance", "of the reverse step", choices=get_args(VarianceName))
    option(parser, "--clip", "of x0_hat to the data's range (default: clamp for --nll)", choices=get_args(ClipPolicy))
    add_seed(parser)
    add_network(parser)
    add_reporting(parser)


def add_nearest(parser: argparse.ArgumentParser) -> None:
    """Of ``main.py nearest``."""
    parser.description = (
        "The pictures a model was trained on that are nearest to its samples, by pixels and by features, beside how "
        "near pictures are that it was not trained on: has it learned by heart?"
    )
    parser.add_argument("model", metavar="MODEL", help="a run's folder, a model folder, a file, or a bundled name")
    add_answers(parser)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the pictures it was trained on")
    option(parser, "--out", "samples and what is nearest to them, as one PNG", type=Path, required=True,
            metavar="SHEET.png")  # fmt: skip
    option(parser, "--samples", "drawn from it, classes in turn (default 64)", type=whole(1, 10_000), default=64,
            metavar="N")  # fmt: skip
    option(parser, "--held-out", "pictures of the same kind that it was not trained on", type=Path, metavar="FOLDER")
    option(parser, "--neighbours", "of each sample (default 3)", type=whole(1, 16), default=3, metavar="K")
    option(parser, "--shown", "samples on the sheet, the nearest first (default 24)", type=whole(1, 1000), default=24,
            metavar="N")  # fmt: skip
    option(parser, "--features", "a classifier's name or folder, a file with Inception's weights, own (the model's "
            "network) or none", metavar="NAME")  # fmt: skip
    option(parser, "--steps", "of each sample (default 50)", type=whole(1, 10_000), default=50, metavar="S")
    parser.add_argument("--mirrored", action="store_true", help="count mirrored pictures (as where the run flipped)")
    add_seed(parser)
    option(parser, "--device", "auto, cpu, cuda, cuda:1, mps (default auto)", default="auto", metavar="NAME")
    add_reporting(parser)
