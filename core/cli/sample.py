"""``main.py sample``: a sampling run without a window, by the code that the window's engine advances."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from core.cli.bench import Bench, check_outputs, named, open_bench, outputs
from core.cli.guiding import guided, open_guide
from core.cli.output import Progress, report
from core.codec import from_json, to_json
from core.errors import Refusal
from core.messages import ClassifierInfo, ModelInfo
from core.paths import model_timesteps
from core.recipe import as_values, in_columns, of_request
from core.render import grid, write_npy, write_png
from core.requests import Precision, SampleRequest, SamplerSpec, SpacingName

DEFAULT_STEPS = 50


def sample(options: argparse.Namespace) -> int:
    """Write the samples; raises Refusal."""
    check_outputs(options, ".png")
    bench = open_bench(options)
    guide, notes = open_guide(bench, options)
    draw(build_request(bench.info, options, guide), bench, options, notes)
    return 0


def draw(request: SampleRequest, bench: Bench, options: argparse.Namespace, notes: Sequence[str] = ()) -> None:
    """Run the request, write what the options ask for, and report."""
    from core.jobs import SampleRun

    run = SampleRun(request, bench.library, bench.device, cap=0)  # of the trajectory only the end is wanted
    progress = Progress(options.progress)
    if options.guidance != 0 and not any(label is not None for label in request.labels):
        progress.say("note: without --label, guidance changes nothing: both predictions are without a class")
    begun = time.monotonic()
    for step in run.steps():
        progress.step(step.index + 1, request.steps)
        run.refuse_no_numbers()
    x = run.trajectory.frame(request.steps)
    seconds = time.monotonic() - begun
    progress.close()
    if options.npy is not None:
        write_npy(options.npy, x, as_values(of_request(request)))
    if options.out is not None:
        recipe = in_columns(of_request(request), options.columns)
        write_png(options.out, grid(bench.spec.to_picture(x), options.columns), recipe)
    result = {
        "request": to_json(request),
        "device": bench.device,
        "seconds": round(seconds, 4),
        "steps_per_second": round(request.steps / seconds, 3),
        "shape": list(x.shape),
        "range": [float(x.min()), float(x.max())],
        **outputs(options),
        "notes": [*bench.notes, *notes],
    }
    words = f"{request.count} samples, {request.steps} steps in {seconds:.1f} s on {bench.device}"
    report(result, options.json, f"{named(options)}: {words}")


def build_request(info: ModelInfo, options: argparse.Namespace, guide: ClassifierInfo | None = None) -> SampleRequest:
    """The run that the options describe, completely resolved: what they leave open, the model's folder says."""
    hand = options.timesteps or ()
    if hand and options.spacing is not None:
        raise Refusal("--timesteps picks the timesteps by hand, --spacing by rule. Give one of them.")
    if hand and options.steps not in (None, len(hand)):
        raise Refusal(f"--timesteps lists {len(hand)} timesteps, --steps says {options.steps}. Leave --steps out.")
    spacing = cast(SpacingName, "hand" if hand else options.spacing or info.spacing)
    steps = len(hand) or options.steps or DEFAULT_STEPS
    timesteps = model_timesteps(info, steps, spacing, hand)
    precision = cast(Precision, info.precision if options.precision == "auto" else options.precision)
    request = SampleRequest(
        model=info.ref,
        schedule=info.schedule,
        timesteps=timesteps,
        spacing=spacing,
        sampler=_sampler(info.sampler, options),
        seed=options.seed,
        count=options.count,
        precision=precision,
        final_alpha_bar=info.final_alpha_bar,
        temperature=getattr(options, "temperature", 1.0),  # a picture noised to t has none
    )
    return from_json(SampleRequest, to_json(guided(request, info, options, guide)))


def _sampler(said: SamplerSpec, options: argparse.Namespace) -> SamplerSpec:
    name = options.sampler or said.name
    if options.eta is not None and name != "ddim":
        raise Refusal("--eta belongs to DDIM. Use --sampler ddim, or leave --eta out.")
    if options.variance is not None and name != "ddpm":
        raise Refusal("--variance belongs to DDPM. Use --sampler ddpm, or leave --variance out.")
    clip = options.clip or said.clip
    if clip != "dynamic" and (options.percentile is not None or options.limit is not None):
        raise Refusal("--percentile and --limit belong to dynamic thresholding. Use --clip dynamic, or leave them out.")
    chosen = replace(said, name=name)
    names = ("eta", "variance", "clip", "percentile", "limit")
    return replace(chosen, **{key: getattr(options, key) for key in names if getattr(options, key) is not None})
