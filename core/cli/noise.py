"""``main.py noise``: a picture in the forward process. Needs no torch."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import resources
from core.cli.output import report
from core.codec import to_json
from core.errors import Refusal
from core.files import check_writable
from core.forward import forward_of
from core.images import OpenedImage, open_image
from core.recipe import of_request
from core.render import strip, write_png
from core.requests import Conversion, ImageRef, NoiseRequest, ScheduleSpec
from core.schedules import make_schedule

MAX_STRIP_PIXELS = 400_000_000


def noise(options: argparse.Namespace) -> int:
    """Write the strip; raises Refusal."""
    check_writable(options.out, ".png")
    image = open_sample(options.image)
    _check_size(image, len(options.t))
    schedule = make_schedule(ScheduleSpec(options.schedule, options.T))
    channels = 1 if image.pixels.shape[2] == 1 else 3
    conversion = Conversion(size=image.size, channels=channels)
    request = NoiseRequest(ImageRef(image.sha256, conversion), schedule.spec, options.t, options.seed)
    forward = forward_of(request, image.pixels)
    write_png(options.out, strip(forward.strip(options.t)), of_request(request))
    levels = [forward.level(t) for t in options.t]
    result = {
        "request": to_json(request),
        "out": str(options.out),
        "notes": list(image.notes),
        "levels": [{"t": t, "alpha_bar": level.alpha_bar} for t, level in zip(options.t, levels, strict=True)],
    }
    shown = ", ".join(f"t = {t} (alpha_bar {level.alpha_bar:.4g})" for t, level in zip(options.t, levels, strict=True))
    report(result, options.json, f"{options.out}: {shown}")
    return 0


def _check_size(image: OpenedImage, count: int) -> None:
    height, width = image.size
    if height * width * count > MAX_STRIP_PIXELS:
        raise Refusal(
            f"{count} pictures of {width} × {height} are too many for one strip. Name fewer timesteps, or scale the "
            "picture down first."
        )


def open_sample(name: str) -> OpenedImage:
    """The picture of a path, or the bundled sample of that name where there is no such path. Raises Refusal."""
    path = Path(name)
    if not os.path.exists(path):
        for sample in resources.samples():
            if sample.name == name:
                return open_image(sample.path)
    return open_image(path)
