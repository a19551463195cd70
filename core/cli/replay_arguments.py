"""The options of ``main.py run``."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.cli.arguments import add_reporting, option


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Make a result again from its recipe. RECIPE is a picture that Diffuscope wrote, a .npy with its side-car, a "
        "request as JSON in a file, or the JSON itself. What it names is found by the hash of its content: models "
        "among those that are bundled or were opened before, pictures among the bundled samples."
    )
    parser.add_argument("recipe", metavar="RECIPE", help="a picture, a .json file, or JSON")
    option(parser, "--model", "where to look for a model or classifier first (may be given several times)",
           action="append", default=[], metavar="PATH")  # fmt: skip
    option(parser, "--image", "where to look for a picture first (may be given several times)", action="append",
           default=[], metavar="FILE")  # fmt: skip
    option(parser, "--out", "the picture again (.png), or as a film (.gif, .webp, .apng; .mp4 where PyAV is installed)",
           type=Path, metavar="FILE")  # fmt: skip
    option(parser, "--npy", "what is shown as float32, unclamped", type=Path, metavar="X.npy")
    option(parser, "--device", "auto, cpu, cuda, cuda:1, mps (default cpu)", default="cpu", metavar="NAME")
    add_reporting(parser)
