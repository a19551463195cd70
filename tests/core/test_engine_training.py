"""Trainings in the engine: in the background, never in the way, never lost."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from core.errors import Diverged
from core.messages import (
    EngineState,
    Failed,
    ModelKnown,
    ModelOpened,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    Status,
    TrainingRolledBack,
    TrainingSamples,
    TrainingSaved,
    TrainingStarted,
    TrainingTick,
    TrainingValidated,
)
from core.requests import InspectImage, ModelRef
from core.training.dataset import PictureFolder
from core.training.events import Drawn, TrainStep
from core.training.film import read_film
from core.training.keeping import KEPT
from core.training.order import Instruction, TrainOrder
from core.training.runs import runs_folder
from core.training.session import TrainingSession
from core.training.trainer import Trainer
from tests.toys import Toy


@pytest.fixture
def pictures() -> PictureFolder:
    rng = np.random.default_rng(0)
    return PictureFolder("noise", rng.integers(0, 256, (24, 8, 8, 1), np.uint8), np.arange(24) % 2, ("even", "odd"))


@pytest.fixture
def ordered(tmp_path: Path):
    def order(name: str = "run", **changes: object) -> TrainOrder:
        values = {"steps": 6, "batch": 4, "samples": 2, "precision": "float32", **changes}
        return TrainOrder(tmp_path / name, **values)  # type: ignore[arg-type]

    return order


def losses(heard) -> np.ndarray:
    ticks = heard.of(TrainingTick)
    for before, after in pairwise(ticks):
        assert after.first_step == before.first_step + len(before.losses)
    return np.concatenate([tick.losses for tick in ticks])


def trained(folder: Path) -> dict[str, np.ndarray]:
    return load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")


def test_that_a_training_tells_of_its_start_losses_samples_saves_and_end(listening, pictures, ordered) -> None:
    toy = listening()
    job = toy.engine.train(ordered(), pictures)
    toy.wait(lambda: toy.ended(job))
    (started,) = toy.of(TrainingStarted)
    assert (started.pictures, started.labels, started.step, started.total) == (24, ("even", "odd"), 0, 6)
    assert started.parameters > 1000
    assert len(losses(toy)) == 6
    assert np.isfinite(losses(toy)).all()
    drawn = toy.of(TrainingSamples)
    assert {message.pictures.shape for message in drawn} == {(2, 8, 8, 1)}
    assert (drawn[0].step, drawn[-1].step) == (0, 6)
    assert toy.of(TrainingSaved)[-1].step == 6
    assert (toy.ended(job).reason, toy.ended(job).steps) == ("finished", 6)
    assert EngineState.TRAINING in {status.state for status in toy.of(Status)}


def test_that_a_run_goes_ahead_of_a_training(listening, pictures, ordered) -> None:
    toy = listening()
    training = toy.engine.train(ordered(steps=100_000, samples=0), pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    run = toy.run(toy.model.request())
    assert toy.ended(run).reason == "finished"
    assert toy.ended(training) is None
    before = len(toy.of(TrainingTick))
    toy.wait(lambda: len(toy.of(TrainingTick)) > before)
    between = toy.heard[toy.heard.index(toy.of(RunStarted)[0]) : toy.heard.index(toy.ended(run))]
    assert not any(isinstance(message, TrainingTick) for message in between)


def test_that_a_second_training_waits_until_the_first_is_over_though_it_rests(listening, pictures, ordered) -> None:
    toy = listening()
    first = toy.engine.train(ordered("first", steps=100_000, samples=0), pictures)
    second, third = (toy.engine.train(ordered(name, steps=2, samples=0), pictures) for name in ("second", "third"))
    toy.wait(lambda: toy.of(TrainingTick))
    toy.engine.pause(first)
    toy.wait(lambda: toy.of(RunPaused))
    toy.run(toy.model.request())  # others still have their turn
    toy.engine.cancel(second)
    toy.wait(lambda: toy.ended(second))
    assert (toy.ended(second).reason, toy.ended(second).steps) == ("stopped", 0)
    assert {started.job for started in toy.of(TrainingStarted)} == {first}
    toy.engine.cancel(first)
    toy.wait(lambda: toy.ended(third))
    assert toy.ended(third).reason == "finished"
    assert [started.job for started in toy.of(TrainingStarted)] == [first, third]


def test_that_a_name_that_another_window_has_taken_meanwhile_costs_no_training(
    listening, pictures, ordered, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))
    out = runs_folder().resolve() / "cats"
    toy = listening()
    jobs = [toy.engine.train(replace(ordered(steps=1, samples=0), out=out), pictures) for _ in range(2)]
    toy.wait(lambda: all(toy.ended(job) for job in jobs))
    assert [Path(started.folder).name for started in toy.of(TrainingStarted)] == ["cats", "cats 2"]
    assert {toy.ended(job).reason for job in jobs} == {"finished"}


def test_that_a_question_is_answered_while_a_training_runs(listening, pictures, ordered, picture) -> None:
    from core.messages import Inspection
    from core.requests import Conversion, ImageRef

    toy = listening()
    toy.engine.add_image(picture)
    toy.engine.train(ordered(steps=100_000, samples=0), pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    image = ImageRef(picture.sha256, Conversion((4, 4), 1))
    toy.engine.ask(InspectImage(toy.model.info.ref, toy.model.info.schedule, image, 400, 7))
    toy.wait(lambda: toy.of(Inspection))


def test_that_a_stopped_training_is_saved_and_goes_on_to_the_same_bits(listening, pictures, ordered) -> None:
    toy = listening()
    whole = toy.engine.train(ordered("whole", steps=12), pictures)
    toy.wait(lambda: toy.ended(whole))
    expected, toy.heard[:] = losses(toy), []

    first = toy.engine.train(ordered("parts", steps=12), pictures)
    toy.wait(lambda: any(tick.first_step >= 2 for tick in toy.of(TrainingTick)))
    toy.engine.cancel(first)
    toy.wait(lambda: toy.ended(first))
    reached = toy.ended(first).steps
    assert toy.ended(first).reason == "stopped"
    assert 2 <= reached < 12
    assert toy.of(TrainingSaved)[-1].step == reached
    run = toy.run(toy.model.request())  # work of others in between
    assert toy.ended(run).reason == "finished"
    second = toy.engine.train(ordered("parts", steps=12, resume=True), pictures)
    toy.wait(lambda: toy.ended(second))
    resumed = toy.of(TrainingStarted)[-1]
    assert resumed.step == reached
    np.testing.assert_array_equal(resumed.losses, expected[:reached])
    np.testing.assert_array_equal(losses(toy), expected)
    folder = ordered("whole").out
    for name, tensor in trained(folder).items():
        np.testing.assert_array_equal(trained(ordered("parts").out)[name], tensor)


def test_that_stopping_the_engine_saves_what_was_learned(pictures, ordered) -> None:
    from tests.core.listener import Listener

    toy = Listener(Toy())
    toy.engine.train(ordered(steps=100_000, samples=0), pictures)
    toy.wait(lambda: any(tick.first_step > 3 for tick in toy.of(TrainingTick)))
    assert toy.engine.has_unsaved
    assert toy.engine.stop()
    toy.listen()
    assert not toy.engine.has_unsaved
    assert toy.of(TrainingSaved)[-1].step >= 4


def test_that_a_training_pauses_steps_singly_and_goes_on(listening, pictures, ordered) -> None:
    toy = listening()
    job = toy.engine.train(ordered(steps=100_000, samples=0), pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    paused_at = toy.of(RunPaused)[-1].step
    toy.engine.step(job)
    toy.wait(lambda: toy.of(RunPaused)[-1].step == paused_at + 1)
    assert len(losses(toy)) == paused_at + 1
    toy.engine.resume(job)
    toy.wait(lambda: toy.of(RunResumed))
    toy.wait(lambda: len(losses(toy)) > paused_at + 1)


def test_that_the_model_in_training_is_pinned_and_samples_while_it_trains(listening, pictures, ordered) -> None:
    toy = listening()
    job = toy.engine.train(ordered(steps=100_000, samples=0), pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    toy.engine.snapshot(job)
    toy.wait(lambda: len(toy.of(ModelOpened)) == 2)
    info = toy.of(ModelOpened)[1].info
    assert info.labels == ("even", "odd")
    assert "step" in info.ref.name
    request = toy.model.request(model=info.ref, schedule=info.schedule, labels=(0, 1), timesteps=(500, 100))
    run = toy.run(request)
    assert toy.ended(run).reason == "finished"
    assert np.isfinite(toy.final(run)).all()
    assert toy.ended(job) is None


def test_that_a_model_can_be_known_beside_the_one_that_is_worked_with(listening, pictures, ordered) -> None:
    toy = listening()
    order = ordered(steps=1, samples=0)
    job = toy.engine.train(order, pictures)
    toy.wait(lambda: toy.ended(job))
    toy.engine.know_model(str(order.out))
    toy.wait(lambda: toy.of(ModelKnown))
    (known,) = toy.of(ModelKnown)
    assert known.folder == str(order.out)
    assert len(toy.of(ModelOpened)) == 1
    request = toy.model.request(model=known.info.ref, schedule=known.info.schedule, labels=(0, 1), timesteps=(500,))
    assert toy.ended(toy.run(request)).reason == "finished"
    toy.engine.know_model("nowhere")
    toy.wait(lambda: toy.of(Failed))


def test_that_no_model_is_taken_from_a_training_that_is_over(listening, pictures, ordered) -> None:
    toy = listening()
    job = toy.engine.train(ordered(steps=1, samples=0), pictures)
    toy.wait(lambda: toy.ended(job))
    toy.engine.snapshot(job)
    toy.wait(lambda: toy.of(Failed))
    assert "Open its folder" in toy.of(Failed)[0].message


def test_that_fine_tuning_what_is_no_network_is_refused_in_words(listening, pictures, ordered) -> None:
    toy = listening()
    job = toy.engine.train(ordered(base=toy.model.info.ref), pictures)
    toy.wait(lambda: toy.ended(job))
    assert "no network that can be trained" in toy.ended(job).message


def test_that_a_folder_that_holds_a_run_is_not_overwritten(listening, pictures, ordered) -> None:
    toy = listening()
    first = toy.engine.train(ordered(steps=1, samples=0), pictures)
    toy.wait(lambda: toy.ended(first))
    assert isinstance(toy.ended(first), RunEnded)
    second = toy.engine.train(ordered(steps=2, samples=0), pictures)
    toy.wait(lambda: toy.ended(second))
    assert isinstance(toy.ended(second), Failed)
    assert "already holds" in toy.ended(second).message


def test_that_an_unopened_base_is_refused_in_words(listening, pictures, ordered) -> None:
    toy = listening()
    job = toy.engine.train(ordered(base=ModelRef("gone", "0" * 64)), pictures)
    toy.wait(lambda: toy.ended(job))
    assert "not open" in toy.ended(job).message


# ------------------------------------------------------------------------------------------- what is told of it


@pytest.fixture
def many(pictures: PictureFolder) -> PictureFolder:
    """So many that some are kept aside."""
    rng = np.random.default_rng(1)
    return PictureFolder("noise", rng.integers(0, 256, (120, 8, 8, 1), np.uint8), np.zeros(120, np.int64), ())


def test_that_a_training_tells_of_gradients_rates_levels_and_what_was_kept_aside(listening, many, ordered) -> None:
    toy = listening()
    job = toy.engine.train(ordered(steps=3, samples=0), many)
    toy.wait(lambda: toy.ended(job), 60)
    (started,), ticks = toy.of(TrainingStarted), toy.of(TrainingTick)
    assert "float32, eager" in started.path
    assert [len(getattr(started, name)) for name in ("losses", "norms", "rates", "by_level", "validated")] == [0] * 5
    for tick in ticks:
        assert tick.norms.shape == tick.rates.shape == tick.losses.shape
        assert tick.by_level.shape == (len(tick.losses), 10)
    rates = np.concatenate([tick.rates for tick in ticks])
    assert np.all(rates > 0)
    assert np.isfinite(np.concatenate([tick.by_level for tick in ticks])).any(axis=1).all()
    (validated,) = toy.of(TrainingValidated)
    assert (validated.job, validated.step) == (job, 3)

    toy.heard.clear()
    again = toy.engine.train(ordered(samples=0, steps=4, resume=True), many)
    toy.wait(lambda: toy.ended(again), 60)
    (resumed,) = toy.of(TrainingStarted)
    np.testing.assert_array_equal(resumed.rates, rates)
    assert resumed.by_level.shape == (3, 10)
    assert [known.step for known in resumed.validated] == [3]


def test_that_a_training_that_goes_back_says_so_and_counts_from_there(
    listening, pictures, ordered, monkeypatch
) -> None:
    whole, left = Trainer.one_step, [True]

    def one_step(trainer: Trainer, *others: float):
        if trainer.step == 7 and left:
            left.clear()
            raise Diverged("", 8)
        return whole(trainer, *others)

    monkeypatch.setattr(Trainer, "one_step", one_step)
    toy = listening()
    job = toy.engine.train(ordered(steps=9, samples=0, keep_every=5), pictures)
    toy.wait(lambda: toy.ended(job), 60)
    (back,) = toy.of(TrainingRolledBack)
    assert (back.at, back.step, back.lr_scale) == (8, 5, 0.5)
    before = toy.heard[: toy.heard.index(back)]
    assert max(tick.first_step + len(tick.losses) - 1 for tick in before if isinstance(tick, TrainingTick)) == 7
    after = [tick for tick in toy.heard[len(before) :] if isinstance(tick, TrainingTick)]
    assert after[0].first_step == 6
    assert (toy.ended(job).reason, toy.ended(job).steps) == ("finished", 9)
    assert not toy.engine.has_unsaved


def test_that_a_person_keeps_a_checkpoint_also_while_the_training_is_paused(listening, pictures, ordered) -> None:
    toy = listening()
    order = ordered(steps=100_000, samples=0)
    job = toy.engine.train(order, pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    paused_at = toy.of(RunPaused)[-1].step
    toy.engine.instruct(job, Instruction(save=True))
    toy.wait((order.out / KEPT / f"step-{paused_at:06d}.safetensors").is_file)


def test_that_samples_are_drawn_when_asked_for_with_the_weights_asked_for(listening, pictures, ordered) -> None:
    toy = listening()
    job = toy.engine.train(ordered(steps=100_000), pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    toy.engine.instruct(job, Instruction(draw=True, samples_from="raw"))
    toy.wait(lambda: any(drawn.weights == "raw" for drawn in toy.of(TrainingSamples)))


def test_that_samples_are_drawn_in_a_pause_which_goes_on(listening, pictures, ordered) -> None:
    toy = listening()
    order = ordered(steps=100_000)
    job = toy.engine.train(order, pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    paused_at, pauses = toy.of(RunPaused)[-1].step, len(toy.of(RunPaused))
    for weights in ("raw", "ema"):
        toy.engine.instruct(job, Instruction(draw=True, samples_from=weights))
        wanted = (paused_at, weights)
        toy.wait(lambda wanted=wanted: wanted in [(drawn.step, drawn.weights) for drawn in toy.of(TrainingSamples)])
    toy.wait(lambda: len(toy.of(RunPaused)) > pauses and isinstance(toy.heard[-1], Status))
    assert toy.of(RunPaused)[-1].step == paused_at
    assert not toy.of(RunResumed)
    assert len(losses(toy)) == paused_at
    assert [drawn.weights for drawn in read_film(order.out).sets if drawn.step == paused_at][-2:] == ["raw", "ema"]
    toy.engine.resume(job)
    toy.wait(lambda: len(losses(toy)) > paused_at)


def test_that_a_step_notices_nothing_of_what_was_drawn_in_a_pause(pictures, ordered, tmp_path) -> None:
    weights = []
    for draws in (False, True):
        order = replace(ordered(steps=4, samples=2), out=tmp_path / str(draws), sample_every=1e9)
        session = TrainingSession(order, pictures)
        for event in session.work():
            if draws and isinstance(event, TrainStep):
                assert isinstance(list(session.draw())[-1], Drawn)
        weights.append({name: tensor.clone() for name, tensor in session.trainer.raw().state_dict().items()})
    assert all(torch.equal(weights[0][name], tensor) for name, tensor in weights[1].items())


def test_that_going_on_is_told_however_soon_it_follows_on_a_drawing_in_a_pause(listening, pictures, ordered) -> None:
    toy = listening()
    job = toy.engine.train(ordered(steps=100_000), pictures)
    toy.wait(lambda: toy.of(TrainingTick))
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    toy.engine.instruct(job, Instruction(draw=True))
    toy.engine.instruct(job, Instruction(draw=True, samples_from="raw"))
    toy.engine.resume(job)  # before anything is drawn
    toy.wait(lambda: toy.of(RunResumed))
