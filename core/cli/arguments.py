"""Arguments that several commands share, and how their values are read."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import get_args

from core.cli.answering import add_answers
from core.requests import (
    InversionConvention,
    ScheduleName,
    SpacingName,
)

MAX_SEED = 2**63 - 1


def add_image(parser: argparse.ArgumentParser) -> None:
    """The picture of a command."""
    parser.add_argument("image", metavar="IMAGE", help="a picture file, or a bundled sample's name")


def add_model(parser: argparse.ArgumentParser) -> None:
    """The model of a command, its class and guidance."""
    option(parser, "--model", "a bundled model's name, a model's folder, or a file of its weights", required=True)
    add_answers(parser)
    option(parser, "--label", "class by name or index, or one for each sample, separated by commas", metavar="L")
    parser.add_argument("--labels", dest="label", metavar="L", help=argparse.SUPPRESS)
    option(
        parser, "--guidance", "w of eps = (1 + w) eps_c - w eps_u (default 0)", type=number, default=0.0, metavar="W"
    )


def add_steps(parser: argparse.ArgumentParser) -> None:
    """How many steps, and how they lie."""
    option(parser, "--steps", "network evaluations (default 50)", type=whole(1, 10_000), metavar="S")
    option(parser, "--spacing", f"of the timesteps: {', '.join(SPACINGS)}", type=spacing, metavar="NAME")


def add_inversion(parser: argparse.ArgumentParser) -> None:
    """How the way up goes."""
    option(parser, "--convention", "where the way up asks the network (default diffusers)",
            choices=get_args(InversionConvention), default="diffusers")  # fmt: skip
    option(parser, "--refine", "fixed-point iterations a step up, 0 to 5 (default 0)", type=whole(0, 5), default=0,
            metavar="N")  # fmt: skip


def add_seed(parser: argparse.ArgumentParser, default: int | None = 0) -> None:
    """Of all randomness."""
    option(parser, "--seed", "of all randomness (default 0)", type=whole(0, MAX_SEED), default=default, metavar="N")


def add_network(parser: argparse.ArgumentParser) -> None:
    """Precision and device."""
    precisions = ("auto", "float32", "bfloat16")
    option(parser, "--precision", "of the network (default auto)", choices=precisions, default="auto")
    option(parser, "--device", "auto, cpu, cuda, cuda:1, mps (default auto)", default="auto", metavar="NAME")


def add_reporting(parser: argparse.ArgumentParser) -> None:
    """How a command tells of its work."""
    parser.add_argument("--json", action="store_true", help="print the result for machines on standard output")
    parser.add_argument("--progress", action="store_true", help="show progress even where no terminal is")


def option(parser: argparse._ActionsContainer, name: str, words: str, **settings: object) -> None:
    """An option with its words for --help."""
    parser.add_argument(name, help=words, **settings)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ values

NAMED_SCHEDULES = [name for name in get_args(ScheduleName) if name not in ("drawn", "betas")]
SPACINGS = [name for name in get_args(SpacingName) if name != "hand"]


def whole(low: int, high: int) -> Callable[[str], int]:
    """A type for whole numbers low..high."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return value

    return read


def number(text: str) -> float:
    """A finite number within ±1000."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from -1000 to 1000")
    return value


def fraction(text: str) -> float:
    """A number 0..1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} does not lie between 0 and 1")
    return value


def positive(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def not_negative(text: str) -> float:
    """A number 0..100."""
    value = number(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} does not lie between 0 and 100")
    return value


def pair(text: str) -> tuple[int, int]:
    """Two timesteps separated by a comma."""
    given = timesteps(text)
    if len(given) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not two timesteps: the first and the last")
    return given[0], given[1]


def strata(text: str) -> int | str:
    """A number of timesteps, or all of them."""
    return text if text == "all" else whole(2, 10_000)(text)


def spacing(text: str) -> str:
    """The name of a spacing; log-snr and log_snr are one."""
    name = text.replace("-", "_")
    if name not in SPACINGS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(SPACINGS)}")
    return name


def timesteps(text: str) -> tuple[int, ...]:
    """Timesteps separated by commas."""
    read = whole(0, 9_999)
    return tuple(read(part.strip()) for part in text.split(","))
