"""Models from elsewhere used as one's own: sampled, inverted, looked through, saved as a safe copy."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from PIL import Image

from core.checkpoints.export import save_copy
from core.checkpoints.opening import describe
from core.errors import Refusal
from core.evaluation.looks import NetworkEye
from core.images import OpenedImage, open_image
from core.inversion import InvertRun
from core.inversion_plan import reconstruction
from core.jobs import SampleRun
from core.library import Library, NetworkModel, never
from core.model_folder import OpenModel, open_model
from core.paths import spaced_timesteps
from core.requests import Conversion, ImageRef, InvertRequest, SampleRequest, SpacingName
from core.run import Run
from core.schedules import make_schedule
from core.training.fine_tune import beginning
from tests.lookalikes import ddpm, lucidrains

R = TypeVar("R", bound=Run)
ANSWERS = {"size": "16"}


def ddpm_file(folder: Path) -> Path:
    torch.save(_calmed(ddpm.weights(), "conv_out"), folder / "model-1000.ckpt")
    return folder / "model-1000.ckpt"


def lucidrains_file(folder: Path) -> Path:
    w = _calmed(lucidrains.weights(), "final_conv")
    return lucidrains.save(folder / "model-1.pt", w, lucidrains.tables(lucidrains.cosine_betas(100), "pred_v"))


def _calmed(w: lucidrains.Weights, last: str) -> lucidrains.Weights:
    """A random network answers anything; of this one an inversion finds its way back."""
    return {name: 0.1 * tensor if name.startswith(f"{last}.") else tensor for name, tensor in w.items()}


FILES = [ddpm_file, lucidrains_file]


@pytest.fixture(params=FILES, ids=lambda make: make.__name__)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made: Callable[[Path], Path] = request.param
    return made(tmp_path)


def request_of(model: OpenModel, steps: int = 4) -> SampleRequest:
    info = model.info
    spacing: SpacingName = "trailing"
    timesteps = spaced_timesteps(make_schedule(info.schedule), steps, spacing)
    sampler = replace(info.sampler, name="ddim")
    return SampleRequest(info.ref, info.schedule, timesteps, spacing, sampler, seed=3, count=2)


def library_of(model: OpenModel) -> Library:
    library = Library()
    library.add_model(NetworkModel(model))
    return library


def done(run: R) -> R:
    for _ in run.steps():
        pass
    return run


def picture() -> OpenedImage:
    data = io.BytesIO()
    y, x = np.mgrid[:16, :16]
    Image.fromarray(np.stack((x * 16, y * 16, 255 - x * 8 - y * 8), 2).astype(np.uint8)).save(data, "PNG")
    return open_image(data.getvalue())


def test_that_a_file_is_sampled_as_any_model(file: Path) -> None:
    model = open_model(file, "cpu", ANSWERS)
    run = done(SampleRun(request_of(model), library_of(model)))
    made = run.exact(run.total).x
    assert made.shape == (2, 3, 16, 16)
    assert torch.isfinite(made).all()
    assert float(made.std()) > 0.1
    assert float((made[0] - made[1]).abs().max()) > 0.1


def test_that_a_picture_inverted_with_it_comes_back(file: Path) -> None:
    model, image = open_model(file, "cpu", ANSWERS), picture()
    library, T = library_of(model), model.info.schedule.T
    library.add_image(image)
    invert = InvertRequest(
        model=model.info.ref,
        schedule=model.info.schedule,
        timesteps=tuple(range(0, T // 4, T // 25)),
        spacing="hand",
        images=(ImageRef(image.sha256, Conversion((16, 16), 3)),),
        refinements=4,
    )
    up = done(InvertRun(invert, library))
    down = done(SampleRun(reconstruction(invert), library))
    x0 = library.x0(invert.images[0], model.spec)
    way = float((up.latent() - x0).square().mean())
    assert way > 1e-4
    assert float((down.exact(down.total).x - x0).square().mean()) < 1e-2 * way


def test_that_its_safe_copy_opens_without_questions_and_draws_the_same(file: Path, tmp_path: Path) -> None:
    model = open_model(file, "cpu", ANSWERS)
    save_copy(NetworkModel(model), tmp_path / "copy")
    assert describe(tmp_path / "copy").questions == ()
    copy = open_model(tmp_path / "copy", "cpu")
    for field in ("event_shape", "prediction", "sampler", "spacing", "parameters", "variance"):
        assert getattr(copy.info, field) == getattr(model.info, field)
    before, after = make_schedule(model.info.schedule).betas, make_schedule(copy.info.schedule).betas
    assert np.array_equal(before, after)
    again = replace(request_of(model), model=copy.info.ref)
    first, second = done(SampleRun(request_of(model), library_of(model))), done(SampleRun(again, library_of(copy)))
    assert torch.equal(first.exact(first.total).x, second.exact(second.total).x)


def test_that_its_middle_tells_pictures_apart(file: Path) -> None:
    eye = NetworkEye(NetworkModel(open_model(file, "cpu", ANSWERS)), "cpu")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    features = eye.features(pictures, never)
    assert features.shape == (3, eye.dimensions)
    assert float((features[0] - features[1]).abs().max()) > 1e-3


def test_that_trainings_do_not_go_on_from_a_network_of_another_kind(tmp_path: Path) -> None:
    base = NetworkModel(open_model(lucidrains_file(tmp_path), "cpu", ANSWERS))
    with pytest.raises(Refusal, match="another kind"):
        beginning(base, None)  # type: ignore[arg-type]
