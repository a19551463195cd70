"""Files of OpenAI's programs from the disk to a picture: sampled, and guided by their classifier."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from core.checkpoints.opening import describe, open_checkpoint
from core.errors import Refusal
from core.jobs import SampleRun
from core.levels import CLEAN
from core.library import Library, NetworkModel
from core.model_folder import OpenModel, save_model
from core.paths import spaced_timesteps
from core.recognisers import open_recogniser
from core.requests import ClassifierSpec, SampleRequest, SamplerSpec
from core.schedules import make_schedule
from tests.lookalikes import LookAlike, relative_difference
from tests.lookalikes.openai import lookalike

RESCALED = lookalike("iDDPM, 4 heads, rescaled times")
ADM = lookalike("ADM, classes, 2 heads, legacy")
JUDGE = lookalike("classifier, 2 heads")


def saved(look: LookAlike, folder: Path) -> Path:
    path = folder / "model010000.pt"
    torch.save(look.tensors, path)
    return path


def opened(look: LookAlike, folder: Path) -> NetworkModel:
    model = open_checkpoint(saved(look, folder), look.answers)
    assert isinstance(model, OpenModel)
    return NetworkModel(model)


def request_of(model: NetworkModel, steps: int, sampler: SamplerSpec, labels: tuple[int, ...] = ()) -> SampleRequest:
    info = model.info
    timesteps = spaced_timesteps(make_schedule(info.schedule), steps, "linspace")
    return SampleRequest(info.ref, info.schedule, timesteps, "linspace", sampler, seed=5, count=2, labels=labels)


def walked(request: SampleRequest, library: Library) -> Tensor:
    run = SampleRun(request, library)
    for _ in run.steps():
        pass
    return torch.from_numpy(np.array(run.trajectory.frame(request.steps)))


def cosine_alpha_bar(T: int) -> list[float]:
    """Nichol & Dhariwal 2021, eq. 17, through betas of at most 0.999."""

    def f(u: float) -> float:
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    products, product = [], 1.0
    for i in range(T):
        product *= 1 - min(1 - f((i + 1) / T) / f(i / T), 0.999)
        products.append(product)
    return products


@torch.inference_mode()
def test_that_four_thousand_rescaled_timesteps_are_sampled_with_a_few_steps_of_ddim(tmp_path: Path) -> None:
    """Against DDIM (Song et al. 2021, eq. 12) written out, x0_hat clipped and eps_hat taken from it again."""
    model = opened(RESCALED, tmp_path)
    assert (model.info.schedule.name, model.info.schedule.T) == ("cosine", 4000)
    library = Library()
    library.add_model(model)
    request = request_of(model, 4, replace(model.info.sampler, name="ddim", variance="small"))
    assert request.timesteps == (3999, 2666, 1333, 0)

    alpha_bar = cosine_alpha_bar(4000)
    x = torch.randn((2, 3, 16, 16), generator=torch.Generator().manual_seed(5))
    for t, following in zip(request.timesteps, (*request.timesteps[1:], -1), strict=True):
        now, then = alpha_bar[t], 1.0 if following < 0 else alpha_bar[following]
        eps = RESCALED.reference(x, torch.full((2,), float(t)), None)[:, :3]
        x0 = ((x - (1 - now) ** 0.5 * eps) / now**0.5).clamp(-1, 1)
        eps = (x - now**0.5 * x0) / (1 - now) ** 0.5
        x = then**0.5 * x0 + (1 - then) ** 0.5 * eps
    assert relative_difference(walked(request, library), x) < 1e-3


@torch.inference_mode()
def test_that_its_learned_variance_makes_the_steps_of_ddpm(tmp_path: Path) -> None:
    """One ancestral step (Nichol & Dhariwal 2021, eq. 15) from the noise on, written out."""
    model = opened(ADM, tmp_path)
    assert model.info.sampler == SamplerSpec("ddpm", variance="learned", clip="rederive")
    library = Library()
    library.add_model(model)
    request = replace(request_of(model, 4, model.info.sampler, labels=(3, 7)), timesteps=(999, 500))
    run = SampleRun(request, library)
    steps = run.steps()
    next(steps)

    alpha_bar = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    generator = torch.Generator().manual_seed(5)
    x, noise = (torch.randn((2, 3, 16, 16), generator=generator) for _ in range(2))
    now, then = float(alpha_bar[999]), float(alpha_bar[500])
    eps, v = ADM.reference(x, torch.full((2,), 999.0), torch.tensor([3, 7])).chunk(2, 1)
    x0 = ((x - (1 - now) ** 0.5 * eps) / now**0.5).clamp(-1, 1)
    beta = 1 - now / then
    small = beta * (1 - then) / (1 - now)
    share = (v + 1) / 2
    deviation = (0.5 * (share * math.log(beta) + (1 - share) * math.log(small))).exp()
    mean = then**0.5 * beta / (1 - now) * x0 + (1 - beta) ** 0.5 * (1 - then) / (1 - now) * x
    expected = mean + deviation * noise
    assert relative_difference(torch.from_numpy(np.array(run.trajectory.frame(1))), expected) < 1e-4


def test_that_its_classifier_guides_with_the_gradient_of_the_formulas(tmp_path: Path) -> None:
    recogniser = open_recogniser(saved(JUDGE, tmp_path), answers=JUDGE.answers).recogniser
    assert recogniser.info.labels == tuple(map(str, range(10)))
    assert recogniser.info.event_shape == (3, 16, 16)
    x, _, _ = JUDGE.inputs()
    labels = torch.tensor([4, 9])
    level = make_schedule(recogniser.info.schedule).level(321)
    gradient, log_p = recogniser.gradient(x, level, labels)
    x.requires_grad_()
    expected = JUDGE.reference(x, torch.full((2,), 321.0), None).log_softmax(1)[range(2), labels]
    assert relative_difference(log_p, expected.detach()) < 1e-5
    assert relative_difference(gradient, torch.autograd.grad(expected.sum(), x)[0]) < 1e-4
    assert recogniser.features(x.detach(), lambda: None).shape == (2, 128)
    assert recogniser.log_probabilities(x.detach(), CLEAN).shape == (2, 10)


def test_that_a_model_of_the_family_is_guided_by_its_classifier(tmp_path: Path) -> None:
    library = Library()
    model = opened(ADM, tmp_path)
    library.add_model(model)
    (tmp_path / "judge").mkdir()
    recogniser = open_recogniser(saved(JUDGE, tmp_path / "judge"), answers=JUDGE.answers).recogniser
    library.add_recogniser(recogniser)
    plain = request_of(model, 2, SamplerSpec("ddim"), labels=(1, 2))
    guided = replace(plain, classifier=ClassifierSpec(recogniser.info.ref, (8, 8), 2.0))
    assert not torch.equal(walked(plain, library), walked(guided, library))


def test_that_a_model_is_not_taken_for_a_classifier(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="is a model that draws pictures, not a classifier"):
        open_recogniser(saved(ADM, tmp_path))


def test_that_a_file_that_is_nothing_of_both_gets_the_words_of_the_judge(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(3)}, tmp_path / "x.pt")
    with pytest.raises(Refusal, match="Inception"):
        open_recogniser(tmp_path / "x.pt")


@pytest.mark.parametrize("look", [RESCALED, ADM], ids=lambda look: look.name)
@torch.inference_mode()
def test_that_a_copy_in_a_folder_is_the_same_model_and_asks_nothing(look: LookAlike, tmp_path: Path) -> None:
    model = opened(look, tmp_path)
    save_model(tmp_path / "copy", model.network, model.info)  # type: ignore[arg-type]
    copy = open_checkpoint(tmp_path / "copy")
    assert isinstance(copy, OpenModel)
    assert describe(tmp_path / "copy").questions == ()
    same = ("event_shape", "prediction", "labels", "sampler", "spacing", "variance", "final_alpha_bar", "parameters")
    assert {name: getattr(copy.info, name) for name in same} == {name: getattr(model.info, name) for name in same}
    theirs, ours = make_schedule(copy.info.schedule), make_schedule(model.info.schedule)
    np.testing.assert_allclose(theirs.alpha_bar, ours.alpha_bar, rtol=1e-9)
    x, t, labels = look.inputs()
    torch.testing.assert_close(copy.network(x, t, labels), model.network(x, t, labels), rtol=0, atol=0)
