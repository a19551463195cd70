"""Ways between latents: geometry by its properties, frames by hand, morphs on data known in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from core.errors import Cancelled, Refusal
from core.images import OpenedImage
from core.interpolation import batches, coarse_to_fine, descent_of, inversion_of, lerp, places, relative_norm, slerp
from core.inversion import InvertRun
from core.jobs import SampleRun
from core.library import Library
from core.morph import MorphRun
from core.process import marginal
from core.requests import (
    Conversion,
    FromNoise,
    FromStep,
    ImageEnd,
    ImageRef,
    MorphRequest,
    SamplerSpec,
    ScheduleSpec,
    SeedEnd,
)
from core.schedules import make_schedule
from tests.toys import Toy


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------------------------------------ slerp and lerp

seeds = st.integers(0, 2**32 - 1)
weights = st.floats(0, 1)


def angle(a: Tensor, b: Tensor) -> Tensor:
    a, b = a.double().flatten(1), b.double().flatten(1)
    a, b = a / a.norm(dim=1, keepdim=True), b / b.norm(dim=1, keepdim=True)
    return 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))


def test_that_half_way_between_axes_lies_the_diagonal() -> None:
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    torch.testing.assert_close(slerp(a, b, 0.5), torch.full((1, 2), math.sqrt(0.5)))
    torch.testing.assert_close(slerp(a, b, 1 / 3), torch.tensor([[math.cos(math.pi / 6), 0.5]]))
    torch.testing.assert_close(slerp(a, 3 * b, 0.5), torch.full((1, 2), 2 * math.sqrt(0.5)))


@given(seeds, weights)
def test_that_between_equal_norms_it_is_shoemakes_formula(seed: int, weight: float) -> None:
    a, b = drawn(seed, 3, 2, 4).double(), drawn(seed + 1, 3, 2, 4).double()
    b = b * (a.flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).view(-1, 1, 1)
    theta = angle(a, b).view(-1, 1, 1)
    expected = (torch.sin((1 - weight) * theta) * a + torch.sin(weight * theta) * b) / torch.sin(theta)
    torch.testing.assert_close(slerp(a, b, weight), expected, rtol=1e-9, atol=1e-9)


@given(seeds, weights, st.floats(0.01, 100))
def test_that_slerp_keeps_the_norm_between_those_of_the_ends_and_turns_evenly(
    seed: int, weight: float, scale: float
) -> None:
    a, b = drawn(seed, 2, 3, 3).double(), drawn(seed + 1, 2, 3, 3).double() * scale
    mixed = slerp(a, b, weight)
    low, high = torch.minimum(relative_norm(a), relative_norm(b)), torch.maximum(relative_norm(a), relative_norm(b))
    assert bool(((relative_norm(mixed) >= low * (1 - 1e-9)) & (relative_norm(mixed) <= high * (1 + 1e-9))).all())
    torch.testing.assert_close(angle(a, mixed), weight * angle(a, b), rtol=1e-6, atol=1e-7)


@given(seeds, weights)
def test_that_each_sample_is_mixed_by_itself(seed: int, weight: float) -> None:
    a, b = drawn(seed, 4, 5), drawn(seed + 1, 4, 5) * torch.tensor([[1.0], [1e-3], [1e3], [1.0]])
    together = slerp(a, b, weight)
    alone = torch.cat([slerp(a[i : i + 1], b[i : i + 1], weight) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=0, atol=0)


@given(seeds, weights)
def test_that_slerp_is_the_same_from_the_other_end(seed: int, weight: float) -> None:
    a, b = drawn(seed, 2, 6).double(), drawn(seed + 1, 2, 6).double()
    torch.testing.assert_close(slerp(a, b, weight), slerp(b, a, 1 - weight), rtol=1e-9, atol=1e-9)


def test_that_ends_are_met_to_the_bit() -> None:
    a, b = drawn(1, 2, 8), drawn(2, 2, 8)
    for way in (slerp, lerp):
        assert torch.equal(way(a, b, 0), a)
        assert torch.equal(way(a, b, 1), b)


@pytest.mark.parametrize("weight", [1e-9, 0.3, 0.5, 1 - 1e-9])
def test_that_equal_parallel_and_nearly_equal_vectors_stay_where_they_are(weight: float) -> None:
    a = drawn(3, 2, 9)
    torch.testing.assert_close(slerp(a, a, weight), a, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(slerp(a, 2 * a, weight), a * (1 + weight), rtol=1e-6, atol=1e-7)
    near = a * (1 + 1e-7)
    torch.testing.assert_close(slerp(a, near, weight), a, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9])
def test_that_opposite_vectors_turn_about_one_axis_without_passing_zero(weight: float) -> None:
    a = drawn(4, 3, 7)
    mixed = slerp(a, -a, weight)
    torch.testing.assert_close(relative_norm(mixed), relative_norm(a), rtol=1e-5, atol=0)
    torch.testing.assert_close(angle(a, mixed), torch.full((3,), weight * math.pi).double(), rtol=1e-5, atol=0)
    assert torch.equal(mixed, slerp(a, -a, weight))


def test_that_a_vector_without_direction_is_approached_straight() -> None:
    a = drawn(5, 1, 4)
    torch.testing.assert_close(slerp(a, torch.zeros_like(a), 0.25), 0.75 * a)
    assert torch.equal(slerp(torch.zeros_like(a), torch.zeros_like(a), 0.5), torch.zeros_like(a))


def test_that_lerp_shortens_independent_noise_and_slerp_does_not() -> None:
    a, b = drawn(6, 1, 3, 64, 64), drawn(7, 1, 3, 64, 64)
    assert float(relative_norm(lerp(a, b, 0.5))) == pytest.approx(math.sqrt(0.5), abs=0.02)
    assert float(relative_norm(slerp(a, b, 0.5))) == pytest.approx(1, abs=0.02)
    torch.testing.assert_close(lerp(a, b, 0.25), 0.75 * a + 0.25 * b)


# ------------------------------------------------------------------------------------------------ frames

PIXELS = np.random.default_rng(3).integers(0, 256, (4, 4, 4, 1), dtype=np.uint8)
OPENED = tuple(OpenedImage(pixels, f"{i}".ljust(64, "0"), f"{i}.png", ()) for i, pixels in enumerate(PIXELS))
PICTURES = tuple(ImageEnd(ImageRef(image.sha256, Conversion((4, 4), 1))) for image in OPENED)


def morph(*ends: object, **changes: object) -> MorphRequest:
    toy = Toy()
    values: dict[str, object] = {
        "model": toy.info.ref,
        "schedule": ScheduleSpec(),
        "timesteps": tuple(range(900, -1, -100)),
        "spacing": "leading",
        "sampler": SamplerSpec("ddim", clip="none"),
        "ends": ends or (SeedEnd(1), SeedEnd(2)),
        "frames": 5,
        "convention": "openai",
    }
    return MorphRequest(**(values | changes))  # type: ignore[arg-type]


def test_that_two_end_points_make_a_line_and_more_a_closed_way() -> None:
    assert [where.across for where in places(morph())] == [0, 0.25, 0.5, 0.75, 1]
    triangle = places(morph(SeedEnd(1), SeedEnd(2), SeedEnd(3), frames=3))
    assert [(where.corners[0], where.corners[1], where.across) for where in triangle] == [
        (0, 1, 0), (0, 1, 0.5), (1, 2, 0), (1, 2, 0.5), (2, 0, 0), (2, 0, 0.5),
    ]  # fmt: skip
    assert len(places(morph(*(SeedEnd(i) for i in range(4)), frames=6))) == 20


def test_that_a_grid_has_its_end_points_clockwise_in_the_corners() -> None:
    where = places(morph(*(SeedEnd(i) for i in range(4)), layout="grid", frames=3))
    assert [np.argmax(where[k].weights(4)) for k in (0, 2, 8, 6)] == [0, 1, 2, 3]
    assert where[4].weights(4) == [0.25] * 4
    assert where[1].weights(4) == [0.5, 0.5, 0, 0]
    assert where[3].weights(4) == [0.5, 0, 0, 0.5]


@given(st.integers(2, 40), st.integers(2, 4))
def test_that_weights_add_up_to_1(frames: int, ends: int) -> None:
    for where in places(morph(*(SeedEnd(i) for i in range(ends)), frames=frames)):
        assert sum(where.weights(ends)) == pytest.approx(1)


def test_that_frames_are_made_from_coarse_to_fine() -> None:
    assert coarse_to_fine(morph(frames=9)) == (0, 8, 4, 2, 6, 1, 3, 5, 7)
    assert coarse_to_fine(morph(frames=2)) == (0, 1)
    assert coarse_to_fine(morph(SeedEnd(1), SeedEnd(2), SeedEnd(3), frames=3)) == (0, 2, 4, 1, 3, 5)
    grid = coarse_to_fine(morph(*(SeedEnd(i) for i in range(4)), layout="grid", frames=3))
    assert set(grid[:4]) == {0, 2, 6, 8}
    assert batches(morph(frames=9, batch=4)) == ((0, 8, 4, 2), (6, 1, 3, 5), (7,))


@given(st.integers(2, 33), st.sampled_from([2, 3, 4]), st.integers(1, 9))
def test_that_every_frame_is_made_once(frames: int, ends: int, batch: int) -> None:
    request = morph(*(SeedEnd(i) for i in range(ends)), frames=frames, batch=batch)
    order = [frame for frames in batches(request) for frame in frames]
    assert sorted(order) == list(range(len(places(request))))
    assert tuple(order) == coarse_to_fine(request)


def test_that_a_frame_takes_the_label_of_its_nearest_end_point() -> None:
    request = morph(labels=(3, 8), frames=5)
    assert descent_of(request, (0, 1, 2, 3, 4)).labels == (3, 3, 3, 8, 8)
    assert descent_of(morph(), (0, 1)).labels == ()


def test_that_pictures_are_inverted_as_the_morph_says_and_nothing_else() -> None:
    request = morph(SeedEnd(1), PICTURES[2], PICTURES[0], labels=(0, 1, 2), refinements=2, guidance=0.5)
    inversion = inversion_of(request)
    assert inversion is not None
    assert inversion.images == (PICTURES[2].image, PICTURES[0].image)
    assert inversion.labels == (1, 2)
    assert inversion.timesteps == tuple(range(0, 1000, 100))
    assert (inversion.refinements, inversion.guidance, inversion.convention) == (2, 0.5, "openai")
    assert inversion_of(morph()) is None
    assert inversion_of(morph(*PICTURES[:2], mix="ddpm")) is None


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (morph(SeedEnd(1)), "two to four"),
        (morph(*(SeedEnd(i) for i in range(5))), "two to four"),
        (morph(frames=1), "two frames"),
        (morph(layout="grid"), "grid"),
        (morph(labels=(1,)), "1 labels"),
        (morph(mix="ddpm"), "noised pictures"),
        (morph(*(SeedEnd(i) for i in range(4)), layout="grid", frames=40), "1600 frames"),
    ],
)
def test_that_morphs_without_a_meaning_are_refused(request_: MorphRequest, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        places(request_)


# ------------------------------------------------------------------------------------------------ morphs


@pytest.fixture
def library() -> Library:
    library = Library()
    library.add_model(Toy())
    for image in OPENED:
        library.add_image(image)
    return library


def made(request: MorphRequest, library: Library, **settings: object) -> MorphRun:
    run = MorphRun(request, library, **settings)  # type: ignore[arg-type]
    done = [step.done for step in run.steps()]
    assert done == list(range(1, run.total + 1))
    return run


def frames(run: MorphRun) -> np.ndarray:
    return np.stack([run.frame(frame) for frame in range(len(places(run.request)))])


def sampled(seed: int, library: Library, **changes: object) -> np.ndarray:
    base = descent_of(morph(), (0,))
    request = replace(base, start=FromNoise(), seed=seed, **changes)  # type: ignore[arg-type]
    run = SampleRun(request, library)
    for _ in run.steps():
        pass
    return run.trajectory.frame(run.request.steps)


def test_that_seeds_at_the_ends_are_the_runs_of_those_seeds(library: Library) -> None:
    run = made(morph(SeedEnd(1), SeedEnd(7, count=3, index=2)), library)
    assert np.array_equal(run.frame(0), sampled(1, library)[0])
    np.testing.assert_allclose(run.frame(4), sampled(7, library, count=3)[2], rtol=0, atol=1e-6)


def test_that_pictures_at_the_ends_come_back(library: Library) -> None:
    run = made(morph(*PICTURES[:2], refinements=5, timesteps=tuple(range(980, -1, -20))), library)
    x0 = PIXELS[:2].transpose(0, 3, 1, 2) / 127.5 - 1
    assert isinstance(run.inversion, InvertRun)
    at_zero = [run.run_of(frame)[0].trajectory.frame(49)[run.run_of(frame)[1]] for frame in (0, 4)]
    np.testing.assert_allclose(at_zero, x0, atol=2e-3)


@pytest.mark.parametrize("mix", ["slerp", "lerp"])
def test_that_latents_are_those_of_the_way_that_is_asked_for(library: Library, mix: str) -> None:
    run = made(morph(mix=mix), library)
    a, b = drawn(1, 1, 1, 4, 4), drawn(2, 1, 1, 4, 4)
    for frame in range(5):
        expected = {"slerp": slerp, "lerp": lerp}[mix](a, b, frame / 4)
        np.testing.assert_array_equal(run.latent(frame), expected[0].numpy())
    torch.testing.assert_close(run.ends(), torch.cat((a, b)))


def test_that_a_grid_is_a_slerp_of_slerps(library: Library) -> None:
    run = made(morph(*(SeedEnd(i) for i in range(4)), layout="grid", frames=3), library)
    a, b, c, d = (drawn(i, 1, 1, 4, 4) for i in range(4))
    np.testing.assert_array_equal(run.latent(4), slerp(slerp(a, b, 0.5), slerp(d, c, 0.5), 0.5)[0].numpy())
    np.testing.assert_array_equal(run.latent(5), slerp(b, c, 0.5)[0].numpy())


def test_that_ddpm_mixes_noised_pictures_with_one_noise(library: Library) -> None:
    request = morph(
        *PICTURES[:2], mix="ddpm", sampler=SamplerSpec("ddpm", clip="none"), seed=5, timesteps=(300, 200, 100, 0)
    )
    run = made(request, library)
    level, noise = make_schedule(ScheduleSpec()).level(300), drawn(5, 1, 1, 4, 4)[0]
    a, b = (torch.from_numpy(PIXELS[i]).permute(2, 0, 1) / 127.5 - 1 for i in (0, 1))
    for frame in range(5):
        mixture = torch.lerp(marginal(a, noise, level), marginal(b, noise, level), frame / 4)
        np.testing.assert_allclose(run.latent(frame), mixture.numpy(), atol=1e-6)
    assert run.inversion is None


def test_that_ddpm_at_little_noise_shows_the_pictures_and_at_much_noise_forgets_them(library: Library) -> None:
    x0 = PIXELS[0].transpose(2, 0, 1) / 127.5 - 1
    errors = []
    for timesteps in ((5, 0), (50, 25, 0), (900, 450, 0)):
        ancestral = SamplerSpec("ddpm", clip="none")
        run = made(morph(*PICTURES[:2], mix="ddpm", sampler=ancestral, timesteps=timesteps), library)
        errors.append(float(np.abs(run.frame(0) - x0).mean()))
    assert errors[0] < 0.15 < errors[1] < errors[2]


@pytest.mark.parametrize("sampler", [SamplerSpec("ddim", clip="none"), SamplerSpec("ddpm", clip="none")])
def test_that_frames_do_not_depend_on_which_are_denoised_together(library: Library, sampler: SamplerSpec) -> None:
    one, eight = (made(morph(sampler=sampler, batch=batch, frames=5), library) for batch in (1, 8))
    np.testing.assert_allclose(frames(one), frames(eight), rtol=0, atol=1e-6)


def test_that_all_frames_share_the_noise_of_each_step(library: Library) -> None:
    run = made(morph(SeedEnd(1), SeedEnd(1), sampler=SamplerSpec("ddpm", clip="none"), batch=2), library)
    shown = frames(run)
    np.testing.assert_allclose(shown, np.broadcast_to(shown[:1], shown.shape), rtol=0, atol=1e-6)
    assert np.abs(shown[0] - sampled(1, library)[0]).max() > 0.01  # which is deterministic


def test_that_the_same_morph_is_the_same_to_the_bit(library: Library) -> None:
    request = morph(PICTURES[0], SeedEnd(3), PICTURES[1], sampler=SamplerSpec("ddpm", clip="none"), frames=3, batch=4)
    assert np.array_equal(frames(made(request, library)), frames(made(request, library)))
    assert not np.array_equal(frames(made(request, library)), frames(made(replace(request, seed=1), library)))


def test_that_each_frame_has_its_own_way_that_can_be_replayed(library: Library) -> None:
    request = morph(sampler=SamplerSpec("ddpm", clip="none"), frames=3)
    full, thin = made(request, library), made(request, library, cap=1)
    run, cell = thin.run_of(1)
    assert not run.trajectory.has(4)
    known = full.run_of(1)[0].trajectory.frame(4)[cell]
    np.testing.assert_array_equal(run.exact(4)[0][cell].numpy(), known)
    assert run.path[4].t == 500


def test_that_a_batch_of_frames_can_be_branched_like_any_run(library: Library) -> None:
    parent = made(morph(sampler=SamplerSpec("ddpm", clip="none"), frames=3), library).runs[0]
    request = replace(parent.request, timesteps=parent.request.timesteps[4:], start=FromStep(parent.request, 4))
    branch = SampleRun(request, library, find_run=lambda _: parent)
    for _ in branch.steps():
        pass
    np.testing.assert_array_equal(branch.trajectory.frame(6), parent.trajectory.frame(10))


def test_that_a_batch_of_frames_runs_alone(library: Library) -> None:
    request = morph(PICTURES[0], PICTURES[1], frames=5, batch=2)
    run = made(request, library)
    alone = SampleRun(run.runs[1].request, library)
    for _ in alone.steps():
        pass
    np.testing.assert_array_equal(alone.trajectory.frame(10), run.runs[1].trajectory.frame(10))


def test_that_the_pictures_are_inverted_once(library: Library) -> None:
    toy = library.model(Toy().info.ref)
    run = made(morph(PICTURES[0], PICTURES[1], frames=5, batch=2), library)
    assert isinstance(toy, Toy)
    assert toy.evaluations == 9 + 3 * 10
    assert all(map(run.is_made, range(5)))


def test_that_a_morph_stops_where_it_is_asked_to(library: Library) -> None:
    run = MorphRun(morph(PICTURES[0], PICTURES[1]), library)
    calls: list[int] = []

    def within() -> None:
        calls.append(1)
        if len(calls) > 12:
            raise Cancelled

    run.watch(within)
    with pytest.raises(Cancelled):
        list(run.steps())
    assert len(calls) == 13
    assert not run.is_made(0)


@pytest.mark.parametrize(
    ("frames", "timesteps", "words"),
    [((0,), None, "one sample for each"), ((0, 9), None, "0 to 4"), ((0, 1), (800, 0), "first timestep")],
)
def test_that_a_run_that_does_not_fit_its_morph_is_refused(
    library: Library, frames: tuple[int, ...], timesteps: tuple[int, ...] | None, words: str
) -> None:
    request = descent_of(morph(), (0, 1))
    start = replace(request.start, frames=frames)  # type: ignore[type-var]
    with pytest.raises(Refusal, match=words):
        next(SampleRun(replace(request, start=start, timesteps=timesteps or request.timesteps), library).steps())


def test_that_a_sample_that_a_run_does_not_have_is_refused(library: Library) -> None:
    with pytest.raises(Refusal, match="index 3"):
        made(morph(SeedEnd(1), SeedEnd(2, count=3, index=3)), library)
