"""What the engine works at in the benchmarks of steadiness, long enough that nothing ends by itself."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.evaluation.plans import Draws, distance_request, likelihood_request, sampler_comparison
from core.images import OpenedImage, open_image
from core.messages import ModelInfo
from core.paths import spaced_timesteps
from core.requests import (
    ClassifierSpec,
    ImageRef,
    InvertRequest,
    MorphRequest,
    RunRequest,
    SampleRequest,
    SamplerSpec,
    SeedEnd,
)
from core.schedules import make_schedule
from core.training.dataset import PictureFolder
from core.training.order import TrainOrder

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.window import MainWindow

STAGES = {
    "sampling": "denoise",
    "guided": "denoise",
    "inverting": "invert",
    "morphing": "morph",
    "measuring": "measure",
    "comparing": "measure",
    "training": "train",
    "sheet": "denoise",
    "ablation": "train",
}
"""Where each is looked at: "measuring" counts bits, "comparing" measures distances of samples."""
CLICKED = ("sheet", "ablation")
"""Begun with the stage's own buttons: closed in the middle of, not timed."""
RUNS = ("sampling", "guided", "inverting", "morphing")
BATCH = 16


async def start(work: str, window: MainWindow, bridge: Bridge) -> int:
    """Begin the work, as its stage would; its job."""
    window.state.move(stage=STAGES[work])
    if work == "sheet":
        return await _sheet(window)
    if work == "ablation":
        return await _ablation(window)
    model = window.state.model
    assert model is not None
    if work == "training":
        return bridge.train(TrainOrder(_home() / f"run-{time.monotonic_ns()}", minutes=60, save_every=5), noise())
    if work == "measuring":
        return bridge.measure(likelihood_request(model, noise(), pictures=256, timesteps=None), noise())
    if work == "comparing":
        judge = await _classifier("digits-judge", window, bridge)
        draws = Draws(model, samples=2000, batch=BATCH, steps=50)
        return bridge.measure(distance_request(sampler_comparison(draws), noise(), judge), noise())
    guide = await _classifier("digits-guide", window, bridge) if work == "guided" else None
    return bridge.submit(request_of(work, model, image(model, bridge), guide))


def request_of(work: str, model: ModelInfo, of: ImageRef, guide: Any = None) -> RunRequest:
    """1,000 steps of 16 samples, of 16 pictures, or of 16 frames at once."""
    up = spaced_timesteps(make_schedule(model.schedule), model.schedule.T, "leading")[::-1]
    labels = tuple(i % len(model.labels) for i in range(BATCH)) if model.labels else ()
    if work == "inverting":
        return InvertRequest(model.ref, model.schedule, up, "leading", (of,) * BATCH, labels, refinements=1)
    if work == "morphing":
        ends = (SeedEnd(1), SeedEnd(2))
        sampler = SamplerSpec("ddim", clip="none")
        return MorphRequest(
            model.ref, model.schedule, up[::-1], "leading", sampler, ends, 64, labels=labels[:2], batch=BATCH
        )
    return SampleRequest(
        *(model.ref, model.schedule, up[::-1], "leading", SamplerSpec("ddim"), 0, BATCH, labels),
        guidance=1.0 if model.null_label is not None and guide is None else 0.0,
        classifier=None if guide is None else ClassifierSpec(guide, tuple(i % 10 for i in range(BATCH))),
        precision=model.precision,  # type: ignore[arg-type]
    )


def picture() -> OpenedImage:
    from resources import samples

    return open_image(samples()[0].path)


def image(model: ModelInfo, bridge: Bridge) -> ImageRef:
    """A picture that the engine knows, as the model takes it."""
    from core.conversion import default_conversion

    opened = picture()
    bridge.add_image(opened)
    channels, *size = model.event_shape
    return ImageRef(opened.sha256, default_conversion(opened.pixels, (size[0], size[1]), channels))


def noise() -> PictureFolder:
    """Pictures to learn from and to measure on: 512 of 32 × 32, grey, in ten classes."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (512, 32, 32, 1), dtype=np.uint8)
    return PictureFolder("noise", pictures, rng.integers(0, 10, 512), tuple("0123456789"))


async def _classifier(name: str, window: MainWindow, bridge: Bridge) -> Any:
    from tests.bench.window import until

    def found() -> Any:
        return next((one.ref for one in window.state.classifiers if one.ref.name == name), None)

    if found() is None:
        bridge.open_classifier(name)
        await until(found)
    return found()


async def _sheet(window: MainWindow) -> int:
    from tests.bench.window import until

    stage: Any = window.stage
    await until(stage.buttons.sheet.isEnabled)
    stage.buttons.sheet.click()
    await until(lambda: stage.primary_action.isEnabled())
    stage.primary_action.click()
    await until(lambda: stage.sheet.jobs)
    return int(stage.sheet.jobs[0])


async def _ablation(window: MainWindow) -> int:
    from PIL import Image

    from tests.bench.window import until

    folder = _home() / "pictures"
    folder.mkdir()
    for number, pixels in enumerate(noise().pictures[:64, ..., 0]):
        Image.fromarray(pixels).save(folder / f"{number}.png")
    stage: Any = window.stage
    stage.handle_folder(folder)
    stage.setup.controls.batch.set_value(4)  # a step of float32 is long
    await until(stage.setup.ablation.isEnabled)
    stage.setup.ablation.click()
    await until(stage.ablation.view.next.isEnabled)
    stage.ablation.view.next.click()
    await until(lambda: stage.ablation.record.live is not None)
    return int(stage.ablation.record.live.course.job)


def _home() -> Path:
    return Path(os.environ["DIFFUSCOPE_HOME"])
