"""From the controls of Denoise to a request, and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.stages.denoise_plan import HINT, hint_of
from app.stages.denoise_settings import DenoiseSettings, branch, resolve, settings_for, settings_of
from core.codec import from_json, to_json
from core.errors import Refusal
from core.requests import Conversion, FromImage, FromNoise, FromStep, ImageRef, SampleRequest, SamplerSpec
from tests.app.fake_engine import DIGITS

PICTURE = ImageRef("a" * 64, Conversion((32, 32), 1))


def test_that_fifty_leading_steps_of_a_thousand_are_980_down_to_0():
    assert resolve(DenoiseSettings(), DIGITS).timesteps == tuple(range(980, -1, -20))


@pytest.mark.parametrize(
    ("labels", "count", "dealt"),
    [
        ((3,), 4, (3, 3, 3, 3)),
        ((0, 1, 2), 5, (0, 1, 2, 0, 1)),
        ((None,), 2, (None, None)),
        ((7, None), 3, (7, None, 7)),
    ],
)
def test_that_labels_are_dealt_out_to_the_samples_in_turn(labels, count, dealt):
    assert resolve(DenoiseSettings(labels=labels, count=count), DIGITS).labels == dealt


def test_that_a_model_without_labels_gets_neither_label_nor_guidance():
    request = resolve(DenoiseSettings(labels=(3,), guidance=2.0), replace(DIGITS, labels=(), null_label=None))
    assert request.labels == ()
    assert request.guidance == 0.0


def test_that_a_start_from_the_picture_walks_the_part_of_the_path_below_t():
    settings = DenoiseSettings(steps=10, from_picture=True, start_t=450)
    request = resolve(settings, DIGITS, PICTURE)
    assert request.timesteps == (450, 400, 300, 200, 100, 0)
    assert request.start == FromImage(PICTURE)
    with pytest.raises(Refusal, match="no picture"):
        resolve(settings, DIGITS, None)


def test_that_a_branch_keeps_path_and_samples_and_takes_the_other_settings():
    parent = resolve(DenoiseSettings(steps=5, labels=(1, 2), count=4), DIGITS)
    other = DenoiseSettings(
        sampler=SamplerSpec("ddpm", variance="large"), steps=99, labels=(7,), guidance=3.0, seed=9, count=50
    )
    made = branch(parent, 2, other, DIGITS)
    assert made.timesteps == parent.timesteps[2:]
    assert (made.count, made.labels, made.guidance, made.seed) == (4, (7, 7, 7, 7), 3.0, 9)
    assert made.sampler == other.sampler
    assert made.start == FromStep(parent, 2)


def test_that_one_sample_is_branched_alone_and_stays_itself_in_further_branches():
    parent = resolve(DenoiseSettings(steps=5, count=4), DIGITS)
    alone = branch(parent, 2, DenoiseSettings(), DIGITS, cell=3)
    assert (alone.cells, alone.count, len(alone.labels)) == ((3,), 4, 4)
    assert branch(alone, 1, DenoiseSettings(), DIGITS).cells == (3,)
    assert branch(alone, 1, DenoiseSettings(), DIGITS, cell=0).cells == (3,)
    assert branch(parent, 2, DenoiseSettings(), DIGITS).cells == ()


@pytest.mark.parametrize("step", [-1, 5])
def test_that_no_branch_leaves_where_no_step_is_left(step):
    with pytest.raises(Refusal, match="No step is left"):
        branch(resolve(DenoiseSettings(steps=5), DIGITS), step, DenoiseSettings(), DIGITS)


def test_that_what_the_models_scheduler_says_fills_the_settings():
    says = replace(DIGITS, sampler=SamplerSpec("ddpm", variance="large"), spacing="trailing", precision="bfloat16")
    filled = settings_for(says, DenoiseSettings(seed=5))
    assert filled.sampler == says.sampler
    assert (filled.spacing, filled.precision, filled.seed) == ("trailing", "bfloat16", 5)
    assert filled.labels == tuple(range(10))


@given(
    steps=st.integers(1, 60),
    spacing=st.sampled_from(["leading", "linspace", "trailing", "quadratic", "quadratic_full", "log_snr"]),
    labels=st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=5).map(tuple),
    guidance=st.floats(-1, 8),
    count=st.integers(1, 20),
    from_picture=st.booleans(),
    start_t=st.integers(0, 999),
    eta=st.floats(0, 1),
)
def test_that_the_settings_shown_for_a_run_make_the_same_run_again(
    steps, spacing, labels, guidance, count, from_picture, start_t, eta
):
    settings = DenoiseSettings(
        SamplerSpec("ddim", eta=eta), steps, spacing, (), labels, guidance, 3, count, "float32", from_picture, start_t
    )
    picture = PICTURE if from_picture else None
    request = resolve(settings, DIGITS, picture)
    assert resolve(settings_of(request, model=DIGITS), DIGITS, picture) == request
    again = resolve(settings_of(request), DIGITS, picture)
    assert replace(again, spacing=request.spacing) == request, "by hand, where the model is not known"


def test_that_a_run_from_a_picture_is_shown_as_the_part_of_a_spacing_that_it_is():
    shifted = replace(DIGITS, steps_offset=1)
    for model, steps, spacing, start_t in ((DIGITS, 50, "leading", 600), (shifted, 20, "leading", 333)):
        settings = DenoiseSettings(steps=steps, spacing=spacing, from_picture=True, start_t=start_t)
        assert settings_of(resolve(settings, model, PICTURE), model=model) == replace(settings, count=10)


def test_that_timesteps_from_a_picture_that_are_no_part_of_a_spacing_are_shown_as_picked_by_hand():
    settings = DenoiseSettings(steps=10, from_picture=True, start_t=450)
    request = replace(resolve(settings, DIGITS, PICTURE), timesteps=(450, 399, 300, 200, 100, 0))
    shown = settings_of(request, model=DIGITS)
    assert (shown.spacing, shown.steps, shown.hand) == ("hand", 6, request.timesteps)
    assert resolve(shown, DIGITS, PICTURE).timesteps == request.timesteps


def test_that_a_run_from_noise_starts_from_noise():
    assert resolve(DenoiseSettings(), DIGITS, PICTURE).start == FromNoise()


def test_that_the_settings_of_a_branch_make_a_whole_run_with_what_it_changed():
    parent = DenoiseSettings(steps=5, labels=(1, 2), count=4)
    other = DenoiseSettings(labels=(7,), guidance=3.0, seed=9)
    made = branch(branch(resolve(parent, DIGITS), 1, other, DIGITS), 1, replace(other, seed=10), DIGITS)
    assert settings_of(made) == replace(parent, labels=(7,), guidance=3.0, seed=10)


def test_that_a_run_ends_where_the_models_scheduler_says():
    first = replace(DIGITS, final_alpha_bar=0.9999)
    assert resolve(DenoiseSettings(), first).final_alpha_bar == 0.9999
    assert resolve(DenoiseSettings(), DIGITS).final_alpha_bar == 1.0


def test_that_no_branch_is_made_that_could_not_be_read_again():
    request = resolve(DenoiseSettings(), DIGITS)
    for _ in range(32):
        request = branch(request, 0, DenoiseSettings(), DIGITS)
    assert from_json(SampleRequest, to_json(request)) == request
    with pytest.raises(Refusal, match="Begin a new run"):
        branch(request, 0, DenoiseSettings(), DIGITS)


def test_that_leading_timesteps_are_shifted_as_the_models_scheduler_says():
    shifted = replace(DIGITS, steps_offset=1)
    assert resolve(DenoiseSettings(steps=5), shifted).timesteps == (801, 601, 401, 201, 1)
    assert resolve(DenoiseSettings(steps=5, spacing="linspace"), shifted).timesteps[-1] == 0


# What is said of them


def test_that_few_steps_that_begin_below_noise_are_told_of_trailing_spacing():
    few = DenoiseSettings(sampler=SamplerSpec("dpmpp"), steps=15, guidance=0.0)
    said = hint_of(resolve(few, DIGITS), False)
    assert "t = 933" in said, "14 strides of 1000 / 15"
    assert "trailing" in said
    assert hint_of(resolve(replace(few, spacing="trailing"), DIGITS), False) == HINT
    assert hint_of(resolve(replace(few, steps=50), DIGITS), False) == HINT
    assert hint_of(resolve(replace(few, steps=2, spacing="hand", hand=(500, 0)), DIGITS), False) == HINT
    picture = resolve(replace(few, from_picture=True), DIGITS, PICTURE)
    assert hint_of(picture, False) == HINT


@pytest.mark.parametrize(("name", "warned"), [("ddim", True), ("ddpm", False), ("dpmpp", False)])
def test_that_clamping_alone_is_only_told_of_where_eps_is_used_beside_it(name, warned):
    guided = DenoiseSettings(sampler=SamplerSpec(name, clip="clamp"), guidance=2.0, labels=(3,))
    assert ("Clamping" in hint_of(resolve(guided, DIGITS), False)) == warned
