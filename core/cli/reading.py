"""The options that say how a folder's files become pictures, and those of ``scan``, which reads them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, get_args

from core.training.reading import Colour, CropName, FramesName, Reading


def add_reading(parser: argparse.ArgumentParser) -> None:
    """--crop, --background and --frames; None where nothing is said."""
    parser.add_argument(
        "--crop", choices=get_args(CropName), help="the middle square (default), or the whole with bars"
    )
    parser.add_argument("--background", type=colour, metavar="COLOUR", help="of bars and under what is transparent "
                        "(default white): a name or #rrggbb")  # fmt: skip
    parser.add_argument("--frames", choices=get_args(FramesName), help="of an animation (default first)")


def said_reading(options: argparse.Namespace) -> dict[str, Any]:
    """The settings of a Reading that were said."""
    said = {name: getattr(options, name) for name in ("crop", "background", "frames")}
    return {name: value for name, value in said.items() if value is not None}


def colour(text: str) -> Colour:
    """A colour by its name or as #rrggbb."""
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no colour: give a name such as white, or #rrggbb") from error
    return red, green, blue


def add_scan(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Read a folder as a training would, keep the pictures for it, and say what was found: sizes, classes, "
        "captions, near-duplicates, and the files that cannot be read."
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="pictures, or sub-folders of pictures")
    parser.add_argument(
        "--size", type=_side, default=Reading().size, metavar="N", help="side of the squares (default 32)"
    )
    add_reading(parser)
    parser.add_argument("--json", action="store_true", help="print the report for machines on standard output")
    parser.add_argument("--progress", action="store_true", help="show progress even where no terminal is")


def _side(text: str) -> int:
    if not text.isdecimal() or not 8 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 8 to 1024")
    return int(text)
