"""What a person asks of a training becomes what decides its bits, and a model that says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from core.errors import Refusal
from core.jobs import SampleRun
from core.library import Library, NetworkModel
from core.messages import ModelInfo
from core.model_folder import open_model, save_model
from core.paths import model_timesteps
from core.requests import ModelRef, PredictionKind, SampleRequest, SamplerSpec, ScheduleSpec, VarianceKind
from core.schedules import make_schedule
from core.training.dataset import PictureFolder
from core.training.events import Drawn
from core.training.order import TrainOrder
from core.training.presets import network_of
from core.training.resolve import resolved
from core.training.run import train_on_folder
from core.training.session import TrainingSession
from core.unet import UNet
from tests.core.halves import DATA, TINY, folder_of

COSINE = ScheduleSpec("cosine", 4000)


def order_of(folder: Path, **changes: Any) -> TrainOrder:
    return TrainOrder(folder / "run", **({"steps": 2, "batch": 4, "samples": 0} | changes))


def trained(order: TrainOrder, base: NetworkModel | None = None) -> tuple[NetworkModel, list[Drawn]]:
    """The model that a whole run leaves, and what it drew."""
    run = TrainingSession(order, DATA, base, network=None if base else TINY)
    drawn = [item for item in run.work() if isinstance(item, Drawn)]
    return NetworkModel(open_model(order.out)), drawn


def model_of(folder: Path, **says: Any) -> NetworkModel:
    info = ModelInfo(ModelRef("base", ""), (1, 8, 8), **({"schedule": ScheduleSpec(), "prediction": "eps"} | says))
    doubled = info.variance != "fixed"
    network = UNet(replace(TINY, num_class_embeds=None, out_channels=1 + doubled))
    network.initialise()
    save_model(folder / "base", network, info)
    return NetworkModel(open_model(folder / "base"))


@pytest.mark.parametrize("variance", ["range", "diagonal"])
@pytest.mark.parametrize("preset", ["small", "medium"])
def test_that_a_learned_variance_doubles_what_the_network_answers(
    tmp_path: Path, preset: str, variance: VarianceKind
) -> None:
    data = PictureFolder("grey", np.zeros((4, 8, 8, 3), dtype=np.uint8), np.zeros(4, dtype=np.int64), ())
    order = order_of(tmp_path, preset=preset, variance=variance, objective="vlb")
    request, _, _ = resolved(order, data, None, "cpu")
    plain = network_of(order.preset, 8, 3, 0)
    assert request.network == replace(plain, out_channels=6)
    assert resolved(replace(order, variance="fixed"), data, None, "cpu")[0].network == plain


def test_that_every_word_of_an_order_is_in_the_request(tmp_path: Path) -> None:
    said = {
        "schedule": COSINE,
        "objective": "min_snr",
        "timestep_sampler": "antithetic",
        "prediction": "x0",
        "variance": "fixed",
    }
    request, _, _ = resolved(order_of(tmp_path, **said), DATA, None, "cpu")
    assert {name: getattr(request, name) for name in said} == said
    assert request.network.num_train_timesteps == 4000
    assert request.weight_decay == 0


@pytest.mark.parametrize("prediction", get_args(PredictionKind))
@pytest.mark.parametrize("variance", get_args(VarianceKind))
def test_that_a_model_says_what_it_has_learned(
    tmp_path: Path, prediction: PredictionKind, variance: VarianceKind
) -> None:
    """And what it drew in training is what a run of the saved model draws."""
    objective = "weighted" if variance == "fixed" else "hybrid"
    schedule = ScheduleSpec("cosine", 40)
    order = order_of(
        tmp_path, prediction=prediction, variance=variance, objective=objective, schedule=schedule, samples=2
    )
    model, drawn = trained(order)
    info = model.info
    assert (info.prediction, info.variance) == (prediction, variance)
    assert make_schedule(info.schedule).betas == pytest.approx(make_schedule(schedule).betas)
    library = Library()
    library.add_model(model)
    request = SampleRequest(
        model=info.ref,
        schedule=info.schedule,
        timesteps=model_timesteps(info, 25, "leading"),
        spacing="leading",
        sampler=info.sampler,
        seed=0,
        count=2,
        labels=(0, 1),
    )
    run = SampleRun(request, library, "cpu")
    for _ in run.work():
        pass
    last = run.trajectory.frame(25)
    assert last is not None
    assert np.array_equal(drawn[-1].pictures, model.spec.to_picture(last))


def test_that_a_learned_variance_is_drawn_with_after_training(tmp_path: Path) -> None:
    order = order_of(tmp_path, variance="range", objective="hybrid", schedule=ScheduleSpec("cosine", 30))
    model, _ = trained(order)
    library = Library()
    library.add_model(model)
    pictures = []
    for variance in ("learned", "small"):
        request = SampleRequest(
            model=model.info.ref,
            schedule=model.info.schedule,
            timesteps=model_timesteps(model.info, 10, "leading"),
            spacing="leading",
            sampler=SamplerSpec("ddpm", variance=variance),
            seed=0,
            labels=(0,),
        )
        run = SampleRun(request, library, "cpu")
        for _ in run.work():
            pass
        pictures.append(run.trajectory.frame(10))
    assert pictures[0] is not None
    assert np.isfinite(pictures[0]).all()
    assert not np.array_equal(*pictures)


def test_that_a_run_without_signal_at_its_end_trains_draws_and_opens(tmp_path: Path) -> None:
    order = order_of(tmp_path, schedule=ScheduleSpec("linear", 1000, zero_snr=True), prediction="v", samples=2)
    model, drawn = trained(order)
    assert make_schedule(model.info.schedule).alpha_bar[-1] == 0
    assert drawn[-1].pictures.shape == (2, 8, 8, 1)


# ---------------------------------------------------------------------------------------------------- fine-tuning


def test_that_a_fine_tuning_keeps_its_models_variance_schedule_and_prediction(tmp_path: Path) -> None:
    base = model_of(tmp_path, schedule=ScheduleSpec("cosine", 200), variance="range", prediction="v")
    model, _ = trained(order_of(tmp_path, base=base.info.ref, objective="hybrid", variance="fixed"), base)
    assert (model.info.variance, model.info.prediction) == ("range", "v")
    assert make_schedule(model.info.schedule).T == 200
    assert model.network.config.out_channels == 2


def test_that_a_fine_tuning_that_would_forget_the_variance_is_refused(tmp_path: Path) -> None:
    base = model_of(tmp_path, variance="diagonal")
    with pytest.raises(Refusal, match="“base” has learned its variance"):
        trained(order_of(tmp_path, base=base.info.ref, objective="simple"), base)


def test_that_a_classifier_is_trained_from_the_start(tmp_path: Path) -> None:
    base = model_of(tmp_path)
    with pytest.raises(Refusal, match="from the start"):
        resolved(order_of(tmp_path, base=base.info.ref, task="classifier"), DATA, base, "cpu")


def test_that_a_classifiers_request_is_that_of_its_network(tmp_path: Path) -> None:
    request, _, _ = resolved(order_of(tmp_path, task="classifier", noised=False, schedule=COSINE), DATA, None, "cpu")
    assert (request.weight_decay, request.label_dropout, request.noised) == (0.05, 0.0, False)
    assert request.network.num_class_embeds is None
    assert request.network.num_train_timesteps == 4000


# ---------------------------------------------------------------------------------------------------- going on


def test_that_going_on_keeps_what_the_run_began_with(tmp_path: Path) -> None:
    order = order_of(tmp_path, objective="vlb", variance="range", schedule=COSINE, timestep_sampler="antithetic")
    trained(order)
    before, _, _ = resolved(replace(order, resume=True), DATA, None, "cpu")
    other = TrainOrder(order.out, steps=5, resume=True)
    request, _, _ = resolved(other, DATA, None, "cpu")
    assert request == replace(before, steps=5)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"schedule": ScheduleSpec()}, "schedule is cosine with T = 40 and zero SNR"),
        ({"timestep_sampler": "spread"}, "timestep sampler is uniform"),
        ({"objective": "hybrid"}, "objective is vlb"),
        ({"task": "classifier"}, "it trains a diffusion model"),
        ({"preset": "large"}, "not the large one"),
    ],
)
def test_that_going_on_with_other_settings_is_refused_in_words(
    tmp_path: Path, asked: dict[str, Any], words: str
) -> None:
    pictures, out = folder_of(DATA, tmp_path / "halves"), tmp_path / "run"
    schedule = ScheduleSpec("cosine", 40, zero_snr=True)
    begun = {"schedule": schedule, "timestep_sampler": "uniform", "objective": "vlb", "variance": "range", "batch": 2}
    train_on_folder(pictures, out, size=8, steps=1, network=TINY, **begun)
    train_on_folder(pictures, out, steps=1, resume=True, **begun)
    with pytest.raises(Refusal, match=words):
        train_on_folder(pictures, out, steps=2, resume=True, **asked)


def test_that_the_preset_of_a_run_with_a_learned_variance_is_known_again(tmp_path: Path) -> None:
    pictures, out = folder_of(DATA, tmp_path / "halves"), tmp_path / "run"
    said = {"preset": "small", "variance": "range", "objective": "hybrid", "schedule": COSINE, "batch": 2}
    train_on_folder(pictures, out, size=8, steps=1, **said)
    assert train_on_folder(pictures, out, steps=2, resume=True, **said).step == 2


def test_that_a_mean_is_trained_in_float32_where_nothing_else_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.resolve.auto_precision", lambda device, flops: "bfloat16")
    usual, mean = (resolved(order_of(tmp_path, prediction=kind), DATA, None, "cpu")[0] for kind in ("eps", "mean"))
    assert (usual.precision, mean.precision) == ("bfloat16", "float32")
    assert torch.finfo(torch.bfloat16).eps > 0.005  # of a mean of 1: as much as sigma at the first timesteps


@pytest.mark.parametrize(
    ("prediction", "clip"), [("eps", "clamp"), ("mean", "rederive"), ("v", "none"), ("x0", "none")]
)
def test_that_a_model_is_clipped_where_its_answer_says_little_of_the_picture(
    tmp_path: Path, prediction: PredictionKind, clip: str
) -> None:
    model, _ = trained(order_of(tmp_path, prediction=prediction, steps=1))
    assert model.info.sampler.clip == clip
