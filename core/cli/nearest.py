"""``main.py nearest``: the training pictures nearest to a model's samples, without a window."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.cli.bench import Bench, open_bench
from core.cli.output import Progress, report
from core.errors import Refusal
from core.evaluation import measurement_of
from core.evaluation.nearest_plan import Trained, as_pictures, fitting_judge, nearest_request, trained_as
from core.evaluation.nearest_sheet import sheet
from core.evaluation.plans import Draws
from core.evaluation.verdict import shown
from core.files import check_writable
from core.messages import Nearest, Neighbours
from core.model_folder import find_model
from core.render import write_png
from core.requests import ModelRef
from core.training.dataset import PictureFolder, open_folder

OWN, NONE = "own", "none"
JUDGE = "digits-judge"
BATCH = 50


def nearest(options: argparse.Namespace) -> int:
    """Draw samples, find what is nearest to them, write the sheet and print figures; raises Refusal."""
    check_writable(options.out, ".png")
    run = trained_as(find_model(options.model))
    progress = Progress(options.progress)
    bench = open_bench(options)
    data = _opened(bench, run, options.folder, progress).unflipped(run.never_flipped)
    held_out = None if options.held_out is None else _opened(bench, run, options.held_out, progress)
    features = _features(bench, options.features)
    samples = as_pictures("samples", _drawn(bench, options, progress))
    mirrored = options.mirrored or run.flip
    request = nearest_request(
        samples, data, held_out, features, mirrored=mirrored, aside=run.aside_of(data), neighbours=options.neighbours
    )
    beside = [samples] if held_out is None else [samples, held_out]
    work = measurement_of(request, bench.library, bench.device, data, beside, check=_nothing, breathe=_nothing)
    found: Nearest | None = None
    for part in work.work():
        found = part.result if isinstance(part.result, Nearest) else found
        progress.step(part.done, work.total, unit="part")
    progress.close()
    assert found is not None
    write_png(options.out, sheet(found, options.shown))
    notes = [*bench.notes, *_notes(run, data)]
    result = {
        "model": {"name": bench.info.ref.name, "sha256": bench.info.ref.sha256},
        "data": {"name": data.name, "sha256": data.sha256, "pictures": found.count},
        "held_out": 0 if found.pixels is None else len(found.pixels.held_out),
        "samples": len(samples),
        "seed": options.seed,
        "steps": options.steps,
        "mirrored": mirrored,
        "features_of": found.by,
        "device": bench.device,
        "out": str(options.out),
        "notes": notes,
        **{name: _json(seen, found) for name, seen in (("pixels", found.pixels), ("features", found.features))},
    }
    report(result, options.json, "\n".join([*notes, *_words(found), str(options.out)]))
    return 0


def _opened(bench: Bench, run: Trained, folder: Path, progress: Progress) -> PictureFolder:
    shape = bench.info.event_shape
    if len(shape) != 3 or shape[1] != shape[2]:
        raise Refusal(f"“{bench.info.ref.name}” does not work on square pictures, which a folder's are cropped to.")
    reading = run.reading or shape[1]
    return open_folder(folder, reading, lambda done, total: progress.step(done, total, unit="file"))


def _drawn(bench: Bench, options: argparse.Namespace, progress: Progress) -> NDArray[np.uint8]:
    """Samples uint8 (n, H, W, C), the classes in turn, 8 bits as they would be saved."""
    from core.jobs import SampleRun

    count = options.samples
    draws = Draws(bench.info, samples=count, batch=min(BATCH, count), seed=options.seed, steps=options.steps)
    request, pictures = draws.request(), []
    for number in range(draws.batches):
        run = SampleRun(replace(request, seed=options.seed + number), bench.library, bench.device, cap=0)
        for step in run.steps():
            progress.step(number * request.steps + step.index + 1, draws.batches * request.steps)
        pictures.append(bench.spec.to_picture(run.trajectory.frame(request.steps)))
    return np.concatenate(pictures)[:count]


def _features(bench: Bench, name: str | None) -> ModelRef | None:
    """What looks at the pictures: what was asked for; else the bundled judge where it knows the same classes, and
    where not, the model's own network."""
    if name == NONE:
        return None
    if name == OWN:
        return bench.info.ref
    from core.recognisers import open_recogniser

    try:
        recogniser = open_recogniser(name or JUDGE, bench.device).recogniser
    except Refusal:
        if name is not None:
            raise
        return bench.info.ref
    if name is None and fitting_judge([recogniser.info], bench.info.event_shape, bench.info.labels) is None:
        return bench.info.ref
    bench.library.add_recogniser(recogniser)
    return recogniser.info.ref


def _nothing() -> None:
    pass


# ------------------------------------------------------------------------------------------------ what is said


def _notes(run: Trained, data: PictureFolder) -> list[str]:
    if run.data_sha256 in ("", data.sha256):
        return []
    return [f"note: the model was trained on other pictures than those that are now in {data.name}."]


def _json(seen: Neighbours | None, found: Nearest) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {
        "sign": seen.sign,
        "verdict": seen.verdict,
        "samples_median": _median(seen.distances[:, 0]),
        "held_out_median": _median(seen.held_out),
        "training_median": _median(seen.own),
        "distances": seen.distances.tolist(),
        "indices": seen.indices.tolist(),
        "mirrored": seen.mirrored.tolist(),
        "files": [[found.names.get(number, "") for number in row] for row in seen.indices.tolist()],
    }


def _median(distances: NDArray[np.float64]) -> float | None:
    return float(np.median(distances)) if len(distances) else None


def _words(found: Nearest) -> Sequence[str]:
    lines = []
    for name, seen in (
        ("Pixels, 8-bit values", found.pixels),
        (f"Degrees between features, {found.by}", found.features),
    ):
        if seen is not None:
            medians = (("samples", seen.distances[:, 0]), ("held out", seen.held_out), ("training", seen.own))
            known = ", ".join(f"{whose} {shown(float(np.median(values)))}" for whose, values in medians if len(values))
            lines.append(f"{name}: median distance to the nearest of {found.count:,} training pictures: {known}")
            lines.append(seen.verdict)
    return lines
