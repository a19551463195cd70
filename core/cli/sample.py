"""``main.py sample``: a sampling run without a window, by the code that the window's engine advances."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from core.cli.bench import Bench, check_outputs, named, open_bench, outputs
from core.cli.output import Progress, report
from core.codec import from_json, to_json
from core.errors import Refusal
from core.messages import ModelInfo
from core.paths import model_timesteps
from core.render import grid, write_npy, write_png
from core.requests import Precision, SampleRequest, SamplerSpec, SpacingName

DEFAULT_STEPS = 50


def sample(options: argparse.Namespace) -> int:
    """Write the samples; raises Refusal."""
    check_outputs(options, ".png")
    bench = open_bench(options)
    draw(build_request(bench.info, options), bench, options)
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
    x = run.trajectory.frame(request.steps)
    seconds = time.monotonic() - begun
    progress.close()
    if options.npy is not None:
        write_npy(options.npy, x)
    if options.out is not None:
        write_png(options.out, grid(bench.spec.to_picture(x), options.columns))
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


def build_request(info: ModelInfo, options: argparse.Namespace) -> SampleRequest:
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
        labels=labels_of(info, options.label, options.count),
        guidance=options.guidance,
        precision=precision,
        final_alpha_bar=info.final_alpha_bar,
    )
    return from_json(SampleRequest, to_json(request))


def _sampler(said: SamplerSpec, options: argparse.Namespace) -> SamplerSpec:
    name = options.sampler or said.name
    if options.eta is not None and name != "ddim":
        raise Refusal("--eta belongs to DDIM. Use --sampler ddim, or leave --eta out.")
    if options.variance is not None and name != "ddpm":
        raise Refusal("--variance belongs to DDPM. Use --sampler ddpm, or leave --variance out.")
    chosen = replace(said, name=name)
    given = {key: getattr(options, key) for key in ("eta", "variance", "clip") if getattr(options, key) is not None}
    return replace(chosen, **given)


def labels_of(info: ModelInfo, text: str | None, count: int) -> tuple[int | None, ...]:
    """One label index a sample (None: no class) from names or indices; one for all, or one each. Raises Refusal."""
    if text is None:
        return (None,) * count if info.labels else ()
    if not info.labels:
        raise Refusal(f"The model {info.ref.name} knows no labels. Leave --label out.")
    # A name may itself hold a comma: the whole text is tried first.
    parts = [text] if text in info.labels else [part.strip() for part in text.split(",")]
    labels = tuple(_label(info, part) for part in parts)
    if len(labels) == 1:
        return labels * count
    if len(labels) != count:
        raise Refusal(f"--label lists {len(labels)} labels for {count} samples. Give one, or one for each.")
    return labels


def _label(info: ModelInfo, text: str) -> int | None:
    if text in info.labels:
        return info.labels.index(text)
    if text.lower() in ("none", "null"):
        return None
    if text.isdecimal() and int(text) < len(info.labels):
        return int(text)
    shown = ", ".join(info.labels[:20]) + (", ..." if len(info.labels) > 20 else "")
    raise Refusal(f"The model {info.ref.name} has no label {text!r}. Its labels are {shown}.")
