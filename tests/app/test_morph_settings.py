"""Morph's settings become requests, and come back from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.stages.morph_settings import (
    EndPoint,
    MorphSettings,
    PicturePoint,
    label_for,
    resolve,
    resolve_rows,
    row_times,
    settings_of,
)
from core.errors import Refusal
from core.images import from_pixels
from core.requests import Conversion, ImageEnd, SamplerSpec, SeedEnd
from tests.app.fake_engine import DIGITS

SEEDS = (EndPoint(SeedEnd(1), 3), EndPoint(SeedEnd(2), None))
IMAGES = tuple(
    EndPoint(PicturePoint(from_pixels(np.full((4, 4, 1), grey, np.uint8), "p"), Conversion((32, 32), 1)), label)
    for grey, label in ((0, 4), (200, 5))
)


def test_that_a_request_names_end_points_and_their_classes() -> None:
    request = resolve(MorphSettings(steps=4), SEEDS, DIGITS)
    assert request.ends == (SeedEnd(1), SeedEnd(2))
    assert request.labels == (3, None)
    assert request.timesteps == (750, 500, 250, 0)
    assert request.model == DIGITS.ref


def test_that_pictures_are_named_by_their_content() -> None:
    request = resolve(MorphSettings(), IMAGES, DIGITS)
    assert all(isinstance(end, ImageEnd) for end in request.ends)
    assert request.ends[0].image.sha256 == IMAGES[0].source.image.sha256
    assert request.ends[0] != request.ends[1]


def test_that_clipping_is_left_out_where_a_picture_is_inverted_and_nowhere_else() -> None:
    assert resolve(MorphSettings(), IMAGES, DIGITS).sampler.clip == "none"
    assert resolve(MorphSettings(), SEEDS, DIGITS).sampler.clip == DIGITS.sampler.clip == "clamp"
    assert resolve(MorphSettings(mix="ddpm"), IMAGES, DIGITS).sampler.clip == "clamp"
    assert resolve(MorphSettings(clip="rederive"), IMAGES, DIGITS).sampler.clip == "rederive"


def test_that_ddpm_begins_at_its_t_and_visits_what_lies_below() -> None:
    request = resolve(MorphSettings(mix="ddpm", t=600, steps=4, sampler="ddpm"), IMAGES, DIGITS)
    assert request.timesteps == (600, 500, 250, 0)
    assert request.sampler == SamplerSpec("ddpm", clip="clamp")


def test_that_the_sheet_has_the_rows_of_the_paper_s_figure_9() -> None:
    assert row_times(1000) == (999, 875, 750, 625, 500, 375, 250, 125)
    requests = resolve_rows(MorphSettings(steps=10, seed=5), IMAGES, DIGITS)
    assert [request.timesteps[0] for request in requests] == [999, 875, 750, 625, 500, 375, 250, 125]
    assert {request.seed for request in requests} == {5}
    assert {request.mix for request in requests} == {"ddpm"}


def test_that_a_schedule_with_few_timesteps_has_each_row_once() -> None:
    assert row_times(4) == (3, 2, 1, 0)


def test_that_seeds_cannot_be_noised_and_that_is_said() -> None:
    with pytest.raises(Refusal, match="give pictures"):
        resolve(MorphSettings(mix="ddpm"), SEEDS, DIGITS)


def test_that_a_model_without_classes_gets_no_labels_and_no_guidance() -> None:
    bare = replace(DIGITS, labels=(), null_label=None)
    request = resolve(MorphSettings(guidance=2.0), SEEDS, bare)
    assert request.labels == ()
    assert request.guidance == 0.0


@pytest.mark.parametrize(
    "settings",
    [
        MorphSettings("lerp", 5, 20, clip="none", refinements=2, convention="openai", batch=3, precision="bfloat16"),
        MorphSettings("ddpm", 7, 50, 250, sampler="ddpm", seed=9, clip="clamp", guidance=1.5),
        MorphSettings("slerp", 7, 50, clip="clamp", eta=0.5, spacing="trailing"),
    ],
)
def test_that_settings_come_back_from_their_request(settings: MorphSettings) -> None:
    request = resolve(settings, IMAGES, DIGITS)
    assert settings_of(request, replace(settings, frames=2)) == settings


def test_that_a_picture_s_name_tells_its_class() -> None:
    assert label_for("digit_3.png", DIGITS.labels) == 3
    assert label_for("my Cat.jpeg", ("dog", "cat")) == 1
    assert label_for("photo 2024.png", DIGITS.labels) is None
