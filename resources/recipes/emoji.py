"""The bundled model "emoji": a class-conditional 32 x 32 colour model of emoji, made by one command.

    python -m resources.recipes.emoji --out DIR [--minutes M | --steps N]

fetches the data (the npm packages emoji-datasource-google and emoji-datasource-twitter 16.0.0), writes the pictures on
white as PNG files in DIR/train and DIR/held_out (one code point in ten, of both vendors: never trained on), trains
into DIR/run and puts the model as it is bundled (weights in float16) into DIR/emoji. Started again it goes on where it
was. Noto emoji are by Google, Apache 2.0; Twemoji are by Twitter and its contributors, CC BY 4.0.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.errors import Refusal
from core.requests import ScheduleSpec
from core.training.presets import network_of
from core.unet_config import UNetConfig
from resources.recipes.making import fetch, make

VENDORS = ("google", "twitter")
VERSION = "16.0.0"
SIDE, GROUPS = 32, 9
HELD_OUT = 10
"""One code point in so many is held out."""
GUIDANCE = 1.5
"""With less, groups are recognised less often."""
VALIDATION = 72
"""Pictures of the training folder that its own curve is validated on."""
LICENCE = (
    "Apache 2.0 and CC BY 4.0 (the data: Noto emoji by Google, Apache 2.0; Twemoji by Twitter and its contributors, "
    "CC BY 4.0)"
)
DESCRIPTION = "emoji, class-conditional by group, 32 × 32 colour"

LETTERED = """
    1f3a6 1f3a7 1f3b0 1f3b1 1f3b4 1f3b5 1f3b6 1f3bc 1f3e3 1f3e5 1f3e6 1f3e7 1f3e8 1f3e9 1f3ea 1f3f7-fe0f 1f399-fe0f
    1f39f-fe0f 1f3ab 1f004 1f0cf 1f30d 1f30e 1f30f 1f488 1f4a4 1f4af 1f4b0 1f4b2 1f4b3 1f4b4 1f4b5 1f4b6 1f4b7 1f4b8
    1f4b9 1f4bd 1f4be 1f4bf 1f4c0 1f4c3 1f4c4 1f4c5 1f4c6 1f4c8 1f4c9 1f4ca 1f4cb 1f4d1 1f4d6 1f4dc 1f4dd 1f4df 1f4e0
    1f4e4 1f4e5 1f4e7 1f4e8 1f4e9 1f4f0 1f4f2 1f516 1f55b 1f570-fe0f 1f5a5-fe0f 1f5a8-fe0f 1f5d2-fe0f 1f5d3-fe0f
    1f5de-fe0f 1f5f3-fe0f 1f5fa-fe0f 1f5fe 1f62a 1f634 1f642-200d-2194-fe0f 1f642-200d-2195-fe0f 1f68f 1f691 1f693
    1f694 1f695 1f696 1f6aa 1f6d1 1f6a7 1f911 1f92c 1f947 1f948 1f949 1f94b 1f9e7 1f9ed 1f9ee 1f9fe 1fa99 1faa7 1faaa
    1f9c2 1f9c3 231a 23f0 23f1-fe0f 23f2-fe0f 2328-fe0f 260e-fe0f 26fd 1f498 1f3af 1f3f9
    1f550 1f551 1f552 1f553 1f554 1f555 1f556 1f557 1f558 1f559 1f55a 1f55c 1f55d 1f55e 1f55f 1f560 1f561 1f562 1f563
    1f564 1f565 1f566 1f567
"""
"""Pictures with letters, digits, notes, maps, arrows or the face of a clock in groups that are mirrored otherwise."""
NEVER_FLIPPED = ("Flags/*", "Symbols/*", *(f"*/{code}_*" for code in LETTERED.split()))


def held_out_codes(emoji: list[dict[str, Any]]) -> set[str]:
    """One code point in ten, the same of every vendor."""
    codes = sorted({entry["unified"] for entry in emoji})
    return set(np.random.default_rng(0).choice(codes, len(codes) // HELD_OUT, replace=False).tolist())


def write_pictures(vendor: str, archive: Path, train: Path, held_out: Path) -> None:
    """PNG files on white, in a sub-folder for each group; variants of skin tone and their components are left out."""
    with tarfile.open(archive) as package:
        listing = package.extractfile("package/emoji.json")
        if listing is None:
            raise Refusal(f"{archive.name} does not hold the emoji: remove it and fetch it again.")
        emoji = [entry for entry in json.load(listing) if entry["category"] != "Component"]
        apart = held_out_codes(emoji)
        wanted = {f"package/img/{vendor}/64/{entry['image']}": entry for entry in emoji if entry[f"has_img_{vendor}"]}
        for member in package:
            file = package.extractfile(member) if member.name in wanted else None
            if file is None:
                continue
            entry = wanted[member.name]
            picture = Image.open(io.BytesIO(file.read())).convert("RGBA")
            on_white = Image.new("RGBA", picture.size, "white")
            on_white.alpha_composite(picture)
            place = held_out if entry["unified"] in apart else train
            folder = place / entry["category"].replace(" & ", " and ")
            folder.mkdir(parents=True, exist_ok=True)
            on_white.convert("RGB").save(folder / f"{entry['unified'].lower()}_{vendor}.png")


def prepare_data(out: Path) -> tuple[Path, Path]:
    """The folders of training and held-out pictures, made where they are not there yet."""
    train, held_out, mark = out / "train", out / "held_out", out / "data.complete"
    if not mark.is_file():
        out.mkdir(parents=True, exist_ok=True)
        for vendor in VENDORS:
            archive = fetch(f"emoji-datasource-{vendor}@{VERSION}", out / f"emoji-datasource-{vendor}-{VERSION}.tgz")
            write_pictures(vendor, archive, train, held_out)
        mark.touch()
    return train, held_out


def network(classes: int) -> UNetConfig:
    """Between the small and the medium network: narrow at 32 x 32, where arithmetic is dear, wide at 8 x 8."""
    small = network_of("small", SIDE, 3, classes)
    return replace(small, block_out_channels=(48, 96, 256), time_embedding_dim=256)


def main() -> int:
    return make(
        "emoji",
        prepare_data,
        minutes=150.0,
        guidance=GUIDANCE,
        size=SIDE,
        network=network(GROUPS),
        schedule=ScheduleSpec("cosine"),
        flip=True,
        never_flipped=NEVER_FLIPPED,
        validation=VALIDATION,
        samples=18,
        sample_every=300.0,
        description=DESCRIPTION,
        licence=LICENCE,
    )


if __name__ == "__main__":
    sys.exit(main())
