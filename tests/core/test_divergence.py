"""Trainings whose loss stops being a number, by any objective: they stop in words, and what was kept is good."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.errors import Diverged
from core.model_folder import open_model
from core.requests import ScheduleSpec
from core.training.events import Saved
from core.training.order import TrainOrder
from core.training.runs import read_summary
from core.training.session import TrainingSession
from core.training.trainer import Trainer
from tests.core.halves import DATA, REQUEST, TINY

OBJECTIVES = [
    *(("simple", "fixed"), ("weighted", "fixed"), ("vlb", "fixed"), ("vlb", "range"), ("vlb", "diagonal")),
    *(("hybrid", "range"), ("hybrid", "diagonal"), ("min_snr", "fixed")),
]


@torch.no_grad()
def explode(trainer: Trainer) -> None:
    """What a learning rate far too high comes to: answers too large for float32."""
    trainer.network.conv_out.weight.fill_(1e38)


@pytest.mark.parametrize("prediction", ["eps", "x0", "v", "mean"])
@pytest.mark.parametrize(("objective", "variance"), OBJECTIVES)
def test_that_a_training_that_explodes_is_stopped_in_words(objective, variance, prediction) -> None:
    network = replace(TINY, out_channels=1 if variance == "fixed" else 2)
    request = replace(
        *(REQUEST,),
        network=network,
        objective=objective,
        variance=variance,
        prediction=prediction,
        timestep_sampler="loss_second_moment",
    )
    trainer = Trainer(request, DATA)
    assert np.isfinite(trainer.one_step().loss)
    explode(trainer)
    with pytest.raises(Diverged, match="stopped at step 2: its loss is no longer a number"):
        trainer.one_step()
    assert trainer.step == 1
    history = trainer.batches.timesteps.state()["history"]
    assert bool(torch.isfinite(history).all())


def test_that_what_was_saved_before_a_training_diverged_is_good(tmp_path) -> None:
    order = TrainOrder(tmp_path / "run", steps=20, batch=4, samples=0, save_every=0.0, precision="float32", rescues=0)
    session = TrainingSession(order, DATA, network=TINY)
    work = session.work()
    while session.trainer.step < 3:
        next(work)
    assert isinstance(next(work), Saved)
    explode(session.trainer)
    with pytest.raises(Diverged):
        list(work)
    assert read_summary(tmp_path / "run").step == 3
    weights = open_model(tmp_path / "run").network.state_dict().values()
    assert all(bool(torch.isfinite(weight).all()) for weight in weights)


def test_that_few_steps_leave_the_second_moment_sampler_uniform_at_4000_timesteps() -> None:
    request = replace(
        REQUEST,
        network=replace(TINY, num_train_timesteps=4000),
        schedule=ScheduleSpec("cosine", 4000),
        timestep_sampler="loss_second_moment",
        steps=3,
    )
    trainer = Trainer(request, DATA)
    losses = [step.loss for step in trainer.steps()]
    assert np.isfinite(losses).all()
    assert trainer.batches.timesteps.probabilities().tolist() == pytest.approx([1 / 4000] * 4000)
