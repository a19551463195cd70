"""``main.py denoise``: a picture noised to t and denoised again (Meng et al. 2022, SDEdit)."""

from __future__ import annotations

import argparse
from dataclasses import replace

from core.cli.bench import check_outputs, open_bench
from core.cli.guiding import open_guide
from core.cli.noise import open_sample
from core.cli.sample import build_request, draw
from core.paths import partial_timesteps
from core.requests import FromImage


def denoise(options: argparse.Namespace) -> int:
    """Write the results, which differ by their noise; raises Refusal."""
    check_outputs(options, ".png")
    image = open_sample(options.image)
    bench = open_bench(options)
    picture, notes = bench.add(image)
    guide, of_guide = open_guide(bench, options)
    whole = build_request(bench.info, options, guide)
    timesteps = partial_timesteps(whole.timesteps, options.from_t)
    draw(replace(whole, timesteps=timesteps, start=FromImage(picture)), bench, options, (*notes, *of_guide))
    return 0
