import time
from dataclasses import replace

import numpy as np
import pytest

from core.messages import (
    EngineState,
    Failed,
    Inspection,
    ModelOpened,
    Preview,
    Progress,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    Status,
)
from core.requests import Conversion, FromImage, FromStep, ImageRef, InspectImage, InspectStep
from tests.core.listener import Listener
from tests.core.test_measuring_misfortune import Failing, no_number
from tests.toys import IntegersToy, PointsToy, Toy


def test_that_a_run_tells_of_its_start_its_steps_and_its_end(listening) -> None:
    toy = listening()
    job = toy.run(toy.model.request())
    assert toy.of(RunStarted)[0].path[-1].is_clean
    assert toy.of(Progress)[-1].step == 10
    assert toy.ended(job) == RunEnded(job, "finished", 10, toy.ended(job).seconds)


def test_that_the_status_says_what_the_engine_does(listening) -> None:
    toy = listening(Toy(seconds=0.01))
    toy.wait(lambda: toy.of(Status)[-1].state is EngineState.IDLE)
    job = toy.engine.submit(toy.model.request(timesteps=tuple(range(999, -1, -1))))
    toy.wait(lambda: (toy.of(Status)[-1].state, toy.of(Status)[-1].job) == (EngineState.SAMPLING, job))
    toy.engine.cancel(job)
    toy.wait(lambda: toy.of(Status)[-1].state is EngineState.IDLE)


def test_that_every_state_can_be_read_back_from_another_thread(listening) -> None:
    toy = listening()
    job = toy.run(toy.model.request())
    pictures = [toy.engine.frame(job, step) for step in range(11)]
    assert all(picture is not None and picture.x_t.shape == (2, 4, 4, 1) for picture in pictures)
    assert not np.array_equal(pictures[0].x_t, pictures[10].x_t)
    assert not pictures[0].x_t.flags.writeable
    assert toy.engine.frame(job, 11) is None


def test_that_the_same_request_gives_the_same_bits(listening) -> None:
    toy = listening()
    request = toy.model.request(sampler=replace(toy.model.request().sampler, name="ddpm"))
    assert np.array_equal(toy.final(toy.run(request)), toy.final(toy.run(request)))
    assert not np.array_equal(toy.final(toy.run(request)), toy.final(toy.run(replace(request, seed=8))))


@pytest.mark.parametrize("cap", [400_000_000, 20_000, 13_000])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_that_going_on_from_any_step_with_unchanged_settings_ends_on_the_same_bits(listening, cap, eta) -> None:
    toy = listening(cap=cap)
    request = toy.model.request()
    request = replace(request, sampler=replace(request.sampler, eta=eta))
    original = toy.final(toy.run(request))
    assert (toy.engine.shelf.get(1).trajectory.key_every == 1) == (cap > 1e6)
    for step in (0, 1, 4, 9):
        branch = replace(request, start=FromStep(request, step), timesteps=request.timesteps[step:])
        assert np.array_equal(toy.final(toy.run(branch)), original)


def test_that_a_branch_replays_a_parent_that_is_no_longer_there(listening) -> None:
    first, second = listening(), listening()
    request = first.model.request(sampler=replace(first.model.request().sampler, eta=1.0))
    branch = replace(request, start=FromStep(request, 4), timesteps=request.timesteps[4:])
    original = first.final(first.run(request))
    job = second.run(branch)
    assert np.array_equal(second.final(job), original)


def test_that_a_branch_with_another_seed_goes_elsewhere(listening) -> None:
    toy = listening()
    request = toy.model.request(sampler=replace(toy.model.request().sampler, eta=1.0))
    job = toy.run(request)
    branch = replace(request, start=FromStep(request, 4), timesteps=request.timesteps[4:], seed=99)
    other = toy.run(branch)
    assert not np.array_equal(toy.final(other), toy.final(job))


def test_that_a_branch_at_another_level_is_refused_in_words(listening) -> None:
    toy = listening()
    request = toy.model.request()
    branch = replace(request, start=FromStep(request, 3), timesteps=request.timesteps[5:])
    job = toy.run(branch)
    assert "t = 600" in toy.ended(job).message


def test_that_a_run_pauses_steps_singly_and_goes_on(listening) -> None:
    toy = listening(Toy(seconds=0.02))
    job = toy.engine.submit(toy.model.request(timesteps=tuple(range(900, -1, -10))))
    toy.wait(lambda: toy.of(Progress))
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    paused_at = toy.of(RunPaused)[-1].step
    toy.wait(lambda: toy.of(Status)[-1].state is EngineState.PAUSED)
    toy.engine.step(job)
    toy.wait(lambda: len(toy.of(RunPaused)) == 2)
    assert toy.of(RunPaused)[-1].step == paused_at + 1
    assert toy.of(Preview)[-1].step == paused_at
    assert not toy.of(RunResumed)
    toy.engine.resume(job)
    toy.wait(lambda: toy.ended(job))
    assert toy.of(RunResumed)
    assert toy.ended(job).reason == "finished"


def test_that_another_run_goes_ahead_while_one_is_paused(listening) -> None:
    toy = listening(Toy(seconds=0.01))
    first = toy.engine.submit(toy.model.request())
    toy.engine.pause(first)
    second = toy.run(toy.model.request(seed=3))
    assert toy.ended(second).reason == "finished"
    assert toy.ended(first) is None


def test_that_a_cancelled_run_stops_within_one_evaluation_and_keeps_its_states(listening) -> None:
    toy = listening(Toy(seconds=0.05))
    job = toy.engine.submit(toy.model.request(timesteps=tuple(range(999, -1, -1))))
    toy.wait(lambda: len(toy.of(Progress)) > 2)
    toy.engine.cancel(job)
    evaluations = toy.model.evaluations
    toy.wait(lambda: toy.ended(job))
    assert toy.model.evaluations <= evaluations + 1
    ended = toy.ended(job)
    assert ended.reason == "stopped"
    assert toy.engine.frame(job, ended.steps) is not None


def test_that_cancelling_one_run_leaves_the_next_alone(listening) -> None:
    toy = listening(Toy(seconds=0.01))
    first = toy.engine.submit(toy.model.request())
    second = toy.engine.submit(toy.model.request(seed=3))
    toy.engine.cancel(first)
    toy.wait(lambda: toy.ended(second))
    assert toy.ended(first).reason == "stopped"
    assert toy.ended(second).reason == "finished"


def test_that_stopping_ends_a_running_engine_soon() -> None:
    toy = Listener(Toy(seconds=0.02))
    toy.engine.submit(toy.model.request(timesteps=tuple(range(999, -1, -1))))
    toy.wait(lambda: toy.of(Progress))
    assert toy.engine.stop(30)
    assert toy.model.evaluations < 500, "it did not walk to the end"


def test_that_of_many_slider_moves_the_last_is_answered(listening, picture) -> None:
    toy = listening(Toy(seconds=0.005))
    toy.engine.add_image(picture)
    image = ImageRef(picture.sha256, Conversion((4, 4), 1))
    job = toy.engine.submit(toy.model.request(timesteps=tuple(range(999, -1, -1))))
    ask = InspectImage(toy.model.info.ref, toy.model.info.schedule, image, 0, seed=1)
    for t in range(200):
        toy.engine.ask(replace(ask, t=t))
        time.sleep(0.001)
    toy.wait(lambda: toy.of(Inspection) and toy.of(Inspection)[-1].request.t == 199)
    assert len(toy.of(Inspection)) <= 200
    assert toy.ended(job) is None, "the slider was answered between the steps of a run"
    toy.engine.cancel(job)


def test_that_what_the_network_sees_in_a_noised_picture_fits_the_closed_form(listening, picture) -> None:
    toy = listening()
    toy.engine.add_image(picture)
    image = ImageRef(picture.sha256, Conversion((4, 4), 1))
    toy.engine.ask(InspectImage(toy.model.info.ref, toy.model.info.schedule, image, 999, seed=1))
    toy.wait(lambda: toy.of(Inspection))
    seen = toy.of(Inspection)[0]
    # At t = 999 almost nothing of the picture is left, so E[x_0 | x_t] is the data's mean: round(1.25 * 127.5).
    assert np.abs(seen.x0_hat.astype(int) - 159).max() <= 2
    np.testing.assert_allclose(seen.score, -seen.eps_hat / seen.level.sigma, rtol=1e-5)


def test_that_a_step_is_inspected_again_as_it_was_seen(listening) -> None:
    toy = listening()
    job = toy.engine.submit(toy.model.request())
    toy.engine.pause(job)
    toy.wait(lambda: toy.of(RunPaused))
    toy.engine.step(job)
    toy.wait(lambda: toy.of(Preview))
    seen = toy.of(Preview)[0]
    toy.engine.ask(InspectStep(job, 0))
    toy.wait(lambda: toy.of(Inspection))
    again = toy.of(Inspection)[0]
    assert np.array_equal(again.x0_hat, seen.x0_hat)
    assert np.array_equal(again.eps_hat, seen.eps_hat)


def test_that_the_data_themselves_are_their_own_x0_hat(listening) -> None:
    toy = listening()
    job = toy.run(toy.model.request())
    toy.engine.ask(InspectStep(job, 10))
    toy.wait(lambda: toy.of(Inspection))
    last = toy.of(Inspection)[0]
    assert np.array_equal(last.x0_hat, last.x_t)
    assert last.eps_hat is None


def test_that_a_run_from_a_picture_begins_with_it_noised(listening, picture) -> None:
    toy = listening()
    toy.engine.add_image(picture)
    image = ImageRef(picture.sha256, Conversion((4, 4), 1))
    job = toy.run(toy.model.request(start=FromImage(image), timesteps=(0,)))
    # At t = 0 alpha_bar is 0.9999: the picture is nearly as it was, in every sample.
    averaged = np.arange(64).reshape(4, 2, 4, 2).mean((1, 3)) * 4
    assert np.abs(toy.engine.frame(job, 0).x_t[1, :, :, 0].astype(float) - averaged).max() < 12


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": (1, 1)}, "no labels"),
        ({"guidance": 1.0}, "null label"),
        ({"start": FromImage(ImageRef("0" * 64, Conversion((4, 4), 1)))}, "picture of this run is not open"),
    ],
)
def test_that_what_does_not_fit_the_model_is_refused_in_words(listening, changes, words) -> None:
    toy = listening()
    job = toy.run(toy.model.request(**changes))
    assert words in toy.ended(job).message


def test_that_labels_reach_the_network(listening) -> None:
    toy = listening(Toy(labels=("dark", "light"), means=(-0.5, 0.5, 0.0)))
    job = toy.run(toy.model.request(labels=(0, 1)))
    dark, light = toy.final(job)
    assert dark.mean() < -0.3 < 0.3 < light.mean()


def test_that_an_unopened_model_is_refused_in_words(listening) -> None:
    toy = listening()
    job = toy.run(toy.model.request(model=replace(toy.model.info.ref, sha256="f" * 64)))
    assert "not open" in toy.ended(job).message
    assert toy.ended(toy.run(toy.model.request())).reason == "finished", "the engine goes on"


def test_that_an_error_in_a_model_is_told_with_details_and_the_engine_goes_on(listening) -> None:
    toy = listening()
    broken = toy.model.denoiser
    toy.model.denoiser = lambda *_, **__: 1 / 0
    failed = toy.ended(toy.run(toy.model.request()))
    assert isinstance(failed, Failed)
    assert "ZeroDivisionError" in failed.details
    toy.model.denoiser = broken
    assert toy.ended(toy.run(toy.model.request())).reason == "finished"


def test_that_dear_previews_are_few(listening, monkeypatch) -> None:
    toy = listening(Toy(seconds=0.002))
    as_it_is = type(toy.model.spec).to_picture
    drawn = []

    def slow_picture(self, x):
        drawn.append(1)
        time.sleep(0.05)
        return as_it_is(self, x)

    monkeypatch.setattr(type(toy.model.spec), "to_picture", slow_picture)
    job = toy.engine.submit(toy.model.request(timesteps=tuple(range(200, -1, -1))))
    toy.wait(lambda: toy.ended(job), seconds=30)
    assert len(drawn) < 60, "two pictures a preview; 201 steps would have had 402"


def test_that_a_stopped_run_can_still_be_looked_at_and_branched_from(listening) -> None:
    toy = listening(Toy(seconds=0.01))
    request = toy.model.request(timesteps=tuple(range(999, -1, -1)))
    job = toy.engine.submit(request)
    toy.wait(lambda: toy.of(Progress) and toy.of(Progress)[-1].step > 3)
    toy.engine.cancel(job)
    toy.wait(lambda: toy.ended(job))
    toy.engine.ask(InspectStep(job, 2))
    toy.wait(lambda: toy.of(Inspection))
    branch = replace(request, start=FromStep(request, 2), timesteps=(997, 0))
    assert toy.ended(toy.run(branch)).reason == "finished"


@pytest.mark.parametrize("model", [PointsToy, IntegersToy])
def test_that_data_need_not_be_images_nor_noise_gaussian(listening, model) -> None:
    toy = listening(model())
    request = toy.model.request(count=3)
    job = toy.run(request)
    assert toy.ended(job).reason == "finished"
    frames = [toy.engine.frame(job, step).x_t for step in range(11)]
    assert all(frame.dtype == np.uint8 and frame.shape[0] == 3 for frame in frames)
    final = toy.final(job)
    if isinstance(toy.model, IntegersToy):
        assert np.array_equal(final, np.broadcast_to(np.arange(4), (3, 4, 4)))
        assert np.array_equal(toy.engine.shelf.get(job).trajectory.frame(0), np.full((3, 4, 4), 4))
    else:
        assert final.shape == (3, 1, 2)
    toy.engine.ask(InspectStep(job, 3))
    toy.wait(lambda: toy.of(Inspection))
    branch = replace(request, start=FromStep(request, 4), timesteps=request.timesteps[4:])
    assert toy.ended(toy.run(branch)).reason == "finished"


def test_that_the_engine_can_be_made_without_importing_torch() -> None:
    import subprocess
    import sys

    code = "import sys, core.engine; core.engine.Engine(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_that_old_trajectories_make_room_and_say_so(listening) -> None:
    toy = listening(cap=3000)
    jobs = [toy.run(toy.model.request(seed=seed)) for seed in range(12)]
    assert toy.engine.frame(jobs[0], 0) is None
    assert toy.engine.frame(jobs[-1], 0) is not None
    assert sum(run.trajectory.nbytes for run in toy.engine.shelf.works()) <= 5 * 12_000
    toy.engine.ask(InspectStep(jobs[0], 1))
    toy.wait(lambda: toy.of(Failed))
    assert "Run it again" in toy.of(Failed)[0].message


def test_that_the_memory_of_a_run_goes_with_its_last_reference() -> None:
    import gc
    import weakref

    from core.jobs import SampleRun
    from core.library import Library

    toy, library = Toy(), Library()
    library.add_model(toy)
    gc.disable()
    try:
        run = SampleRun(toy.request(), library)
        for _ in run.steps():
            pass
        trajectory = weakref.ref(run.trajectory)
        del run, _
        assert trajectory() is None
    finally:
        gc.enable()


def test_that_a_failing_last_picture_is_told_and_the_engine_goes_on(listening, monkeypatch) -> None:
    toy = listening()
    monkeypatch.setattr("core.workers.stored_preview", lambda work, step: 1 / 0)
    failed = toy.ended(toy.run(toy.model.request()))
    assert isinstance(failed, Failed)
    assert "ZeroDivisionError" in failed.details
    monkeypatch.undo()
    assert toy.ended(toy.run(toy.model.request())).reason == "finished"


def test_that_a_question_about_a_picture_never_overtakes_the_picture(listening, picture) -> None:
    toy = listening()
    asked: list[InspectImage] = []
    plain = toy.model.denoiser

    def with_a_question_meanwhile(*args, between_batches, within):
        def ask() -> None:
            if not asked:
                ref = ImageRef(picture.sha256, Conversion(size=(4, 4), channels=1))
                asked.append(InspectImage(toy.model.info.ref, toy.model.info.schedule, ref, 500, 3))
                toy.engine.add_image(picture)
                toy.engine.ask(asked[0])
            between_batches()

        return plain(*args, between_batches=ask, within=within)

    toy.model.denoiser = with_a_question_meanwhile
    toy.run(toy.model.request())
    assert not toy.of(Failed)
    assert [answer.request for answer in toy.of(Inspection)] == asked


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_that_running_out_of_memory_is_told_in_words_and_the_engine_goes_on(listening, error) -> None:
    toy = listening()
    working = toy.model.denoiser

    def fail(*_, **__):
        raise error

    toy.model.denoiser = fail
    assert "not enough memory" in toy.ended(toy.run(toy.model.request())).message
    toy.model.denoiser = working
    assert toy.ended(toy.run(toy.model.request())).reason == "finished"


def test_that_a_paused_run_keeps_its_states_while_others_make_room(listening) -> None:
    toy = listening(Toy(seconds=0.002), cap=3000)
    paused = toy.engine.submit(toy.model.request(timesteps=tuple(range(999, -1, -1))))
    toy.wait(lambda: toy.of(Progress))
    toy.engine.pause(paused)
    toy.wait(lambda: toy.of(RunPaused))
    for seed in range(12):
        toy.run(toy.model.request(seed=seed))
    assert toy.engine.frame(paused, 0) is not None
    toy.engine.cancel(paused)
    toy.wait(lambda: toy.ended(paused))


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_that_a_sample_of_a_batch_walks_alone_to_the_same_picture(listening, sampler) -> None:
    toy = listening(Toy(means=(0.25, -0.5, 0.0), labels=("a", "b")))
    request = toy.model.request(count=5, labels=(0, 1, None, 1, 0))
    request = replace(request, sampler=replace(request.sampler, name=sampler))
    all_five = toy.final(toy.run(request))
    some = toy.final(toy.run(replace(request, cells=(3, 1))))
    np.testing.assert_array_equal(some, all_five[[3, 1]])


def test_that_a_sample_of_a_run_is_branched_alone(listening) -> None:
    toy = listening()
    request = toy.model.request(count=4)
    request = replace(request, sampler=replace(request.sampler, name="ddpm"))
    original = toy.final(toy.run(request))
    branch = replace(request, timesteps=request.timesteps[4:], start=FromStep(request, 4), cells=(2,))
    np.testing.assert_array_equal(toy.final(toy.run(branch)), original[2:3])
    nested = replace(branch, timesteps=branch.timesteps[2:], start=FromStep(branch, 2))
    np.testing.assert_array_equal(toy.final(toy.run(nested)), original[2:3])
    stranger = toy.engine.submit(replace(nested, cells=(1,)))
    toy.wait(lambda: toy.ended(stranger))
    assert "samples" in toy.ended(stranger).message


@pytest.mark.parametrize("cells", [(0, 0), (2,)])
def test_that_samples_that_are_not_in_the_batch_are_refused_in_words(listening, cells) -> None:
    toy = listening()
    assert "samples walked alone" in toy.ended(toy.run(toy.model.request(cells=cells))).message


def test_that_a_run_whose_values_are_no_longer_numbers_says_so_and_keeps_what_came_before(listening) -> None:
    toy = listening(Failing(no_number, first=4))
    job = toy.run(toy.model.request())
    failed = toy.ended(job)
    assert isinstance(failed, Failed)
    assert "From state 5 of 10 on the values are no longer numbers" in failed.message
    assert np.isfinite(toy.engine.values(job, 4)).all()
    assert toy.of(Progress)[-1].step == 5


class Thorough(Toy):
    """Takes its time over every evaluation, and looks between blocks whether it is still wanted."""

    def denoiser(self, device, precision, *, between_batches, within):
        plain = super().denoiser(device, precision, between_batches=between_batches, within=within)

        def denoise(x_t, level, condition):
            self.evaluations += 1
            for _ in range(100):
                time.sleep(0.01)
                within()
            return plain(x_t, level, condition)

        return denoise


def test_that_a_picture_is_looked_at_after_what_is_ordered_meanwhile(listening, picture) -> None:
    toy = listening(Thorough())
    toy.engine.add_image(picture)
    toy.engine.ask(
        InspectImage(
            toy.model.info.ref, toy.model.info.schedule, ImageRef(picture.sha256, Conversion((4, 4), 1)), 500, 0
        )
    )
    toy.wait(lambda: toy.model.evaluations == 1)
    other = Toy(name="other")
    began = time.monotonic()
    toy.engine.add_model(other)
    toy.wait(lambda: len(toy.of(ModelOpened)) == 2)
    assert time.monotonic() - began < 0.5
    assert toy.of(Inspection) == []
    toy.wait(lambda: toy.of(Inspection))
    assert toy.model.evaluations >= 2
