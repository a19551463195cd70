"""Inversions and morphs in the engine."""

from dataclasses import replace

import numpy as np
import pytest

from core.interpolation import slerp
from core.inversion_plan import reconstruction
from core.messages import Failed, Inspection, ModelOpened, Preview, Progress, Refined, RunEnded, RunStarted
from core.morph_plan import batches, places
from core.noise import initial_noise
from core.requests import (
    Conversion,
    FromStep,
    ImageEnd,
    ImageRef,
    InspectStep,
    InvertRequest,
    MorphRequest,
    SamplerSpec,
    SeedEnd,
)
from tests.toys import Toy

UP = tuple(range(0, 1000, 100))


def inversion(toy: Toy, picture, **changes: object) -> InvertRequest:
    image = ImageRef(picture.sha256, Conversion((4, 4), 1))
    values = {"timesteps": UP, "spacing": "hand", "images": (image,), "convention": "openai", **changes}
    return InvertRequest(model=toy.info.ref, schedule=toy.info.schedule, **values)  # type: ignore[arg-type]


def morph(toy: Toy, **changes: object) -> MorphRequest:
    values = {
        "timesteps": UP[::-1],
        "spacing": "hand",
        "sampler": SamplerSpec("ddim", clip="none"),
        "ends": (SeedEnd(1), SeedEnd(2)),
        "frames": 5,
        "batch": 2,
        "convention": "openai",
        **changes,
    }
    return MorphRequest(model=toy.info.ref, schedule=toy.info.schedule, **values)  # type: ignore[arg-type]


def test_that_a_picture_goes_up_and_comes_back_in_two_runs(listening, picture) -> None:
    toy = listening()
    toy.engine.add_image(picture)
    up = inversion(toy.model, picture, timesteps=tuple(range(0, 1000, 20)), refinements=5)
    first, second = toy.engine.submit(up), toy.engine.submit(reconstruction(up))
    toy.wait(lambda: toy.ended(second))
    started = {message.job: message for message in toy.of(RunStarted)}
    assert started[first].total == 49
    assert [level.t for level in started[first].path] == list(up.timesteps)
    x0, latent = toy.engine.values(first, 0), toy.engine.values(first, 49)
    assert np.array_equal(toy.engine.values(second, 0), latent)
    back = toy.engine.values(second, 49)  # at t = 0, as the picture is in this convention
    assert np.sqrt(np.mean((back - x0) ** 2)) < 1e-4
    assert toy.model.evaluations == 49 * 6 + 50, "the way down must not invert again"


def test_that_each_refined_step_says_how_far_it_still_missed(listening, picture) -> None:
    toy = listening()
    toy.engine.add_image(picture)
    job = toy.run(inversion(toy.model, picture, refinements=3))
    said = [message for message in toy.of(Refined) if message.job == job]
    assert [message.step for message in said] == list(range(1, 10)), "none is lost, however fast they come"
    assert [len(message.misses) for message in said] == [3] * 9
    for message in said[:-1]:
        assert message.misses[0] > message.misses[-1] >= 0
    plain = toy.run(inversion(toy.model, picture))
    assert plain not in {message.job for message in toy.of(Refined)}


def test_that_an_inversion_can_be_looked_into_and_stopped(listening, picture) -> None:
    toy = listening(Toy(seconds=0.02))
    toy.engine.add_image(picture)
    job = toy.engine.submit(inversion(toy.model, picture))
    toy.wait(lambda: any(message.step >= 2 for message in toy.of(Progress)))
    toy.engine.ask(InspectStep(job, 1))
    toy.engine.cancel(job)
    toy.wait(lambda: toy.ended(job) and toy.of(Inspection))
    ended = toy.ended(job)
    assert isinstance(ended, RunEnded)
    assert (ended.reason, ended.steps < 9) == ("stopped", True)
    (seen,) = toy.of(Inspection)
    assert seen.x0_hat is not None
    assert np.array_equal(seen.x_t, toy.engine.frame(job, 1).x_t)


def test_that_a_morph_tells_its_steps_and_which_frames_they_are_of(listening) -> None:
    toy = listening()
    request = morph(toy.model)
    job = toy.run(request)
    (started,) = toy.of(RunStarted)
    assert started.total == 3 * 10
    told = [message.step for message in toy.of(Progress)]  # of those that nobody has read yet the last counts
    assert told == sorted(set(told))
    assert told[-1] == 30
    shown = {message.frames for message in toy.of(Preview)}
    assert shown
    assert shown <= set(batches(request))
    assert all(len(message.x_t) == len(message.frames) for message in toy.of(Preview))
    assert toy.ended(job).steps == 30


def test_that_every_state_of_every_frame_can_be_read_and_inspected(listening) -> None:
    toy = listening()
    request = morph(toy.model)
    job = toy.run(request)
    ends = [initial_noise(seed, (1, 1, 4, 4)) for seed in (1, 2)]
    import torch

    for frame, place in enumerate(places(request)):
        wanted = slerp(*map(torch.from_numpy, ends), place.across).numpy()
        np.testing.assert_allclose(toy.engine.values(job, 0, frame), wanted, atol=2e-6)
        assert toy.engine.frame(job, 10, frame).x_t.shape == (1, 4, 4, 1)
    assert toy.engine.frame(job, 0) is None, "a morph has no state of its own"
    assert toy.engine.values(job, 0, 99) is None
    toy.engine.ask(InspectStep(job, 3, 2))
    toy.wait(lambda: toy.of(Inspection))
    (seen,) = toy.of(Inspection)
    assert seen.x0_hat.shape == (1, 4, 4, 1)
    assert np.array_equal(seen.x_t, toy.engine.frame(job, 3, 2).x_t)


@pytest.mark.parametrize(("step", "frame"), [(3, None), (3, 99)])
def test_that_looking_into_no_frame_of_a_morph_is_refused_in_words(step, frame, listening) -> None:
    toy = listening()
    job = toy.run(morph(toy.model))
    toy.engine.ask(InspectStep(job, step, frame))
    toy.wait(lambda: toy.of(Failed))
    assert "frame" in toy.of(Failed)[0].message


def test_that_pictures_of_a_morph_are_previewed_on_their_way_up(listening, picture) -> None:
    toy = listening()
    toy.engine.add_image(picture)
    image = ImageEnd(ImageRef(picture.sha256, Conversion((4, 4), 1)))
    inverted = ImageEnd(ImageRef(picture.sha256, Conversion((4, 4), 1, invert=True)))
    job = toy.run(morph(toy.model, ends=(image, inverted), frames=2))
    ways_up = [message for message in toy.of(Preview) if message.frames == ()]
    assert ways_up
    assert all(len(message.x_t) == 2 for message in ways_up)
    first, second = (toy.engine.values(job, 10, frame) for frame in (0, 1))
    np.testing.assert_allclose(first, -second, atol=0.6)  # one is the other's negative


def test_that_a_frames_batch_can_be_branched_without_being_made_again(listening) -> None:
    toy = listening()
    request = morph(toy.model)
    toy.run(request)
    from core.morph_plan import descent_of

    parent = descent_of(request, batches(request)[0])
    before = toy.model.evaluations
    job = toy.run(replace(parent, timesteps=parent.timesteps[4:], start=FromStep(parent, 4)))
    assert toy.model.evaluations == before + 6
    for cell, frame in enumerate(batches(request)[0]):
        assert np.array_equal(toy.engine.values(job, 6)[cell], toy.engine.values(1, 10, frame)[0])


def test_that_a_morph_stops_within_one_evaluation_and_keeps_what_is_made(listening) -> None:
    toy = listening(Toy(seconds=0.01))
    job = toy.engine.submit(morph(toy.model))
    toy.wait(lambda: any(message.step > 12 for message in toy.of(Progress)))
    toy.engine.cancel(job)
    toy.wait(lambda: toy.ended(job))
    assert toy.ended(job).reason == "stopped"
    assert toy.engine.values(job, 10, 0) is not None
    assert toy.engine.values(job, 10, 1) is None
    assert toy.of(ModelOpened)
