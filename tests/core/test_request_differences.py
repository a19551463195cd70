"""What differs between two requests, in words."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from core.request_differences import NONE, differences
from core.requests import (
    ClassifierSpec,
    Conversion,
    FromImage,
    FromLatent,
    FromStep,
    ImageEnd,
    ImageRef,
    InvertRequest,
    ModelRef,
    MorphRequest,
    SampleRequest,
    SamplerSpec,
    ScheduleSpec,
    SeedEnd,
)

MODEL, OTHER = ModelRef("digits", "d" * 64), ModelRef("emoji", "e" * 64)
PICTURE = ImageRef("a" * 64, Conversion((32, 32), 1))
TIMES = (900, 600, 300, 0)
SAMPLE = SampleRequest(MODEL, ScheduleSpec("linear"), TIMES, "hand", SamplerSpec("ddim"), 1, count=2, labels=(3, 4))
INVERSION = InvertRequest(MODEL, ScheduleSpec("linear"), TIMES[::-1], "hand", (PICTURE,), labels=(3,))
MORPH = MorphRequest(
    MODEL, ScheduleSpec("linear"), TIMES, "hand", SamplerSpec("ddim"), (ImageEnd(PICTURE), SeedEnd(7)), frames=5
)

CHANGES = {
    SAMPLE: {
        "model": OTHER,
        "schedule": ScheduleSpec("cosine"),
        "timesteps": (901, 600, 300, 0),
        "spacing": "leading",
        "sampler": SamplerSpec("ddim", eta=1.0),
        "seed": 2,
        "count": 3,
        "labels": (3, 5),
        "guidance": 2.0,
        "precision": "bfloat16",
        "start": FromImage(PICTURE),
        "final_alpha_bar": 0.9999,
        "cells": (1,),
        "interval": (600, 300),
        "rescale": 0.7,
        "classifier": ClassifierSpec(OTHER, (1, 2)),
        "temperature": 0.9,
    },
    INVERSION: {
        "model": OTHER,
        "schedule": ScheduleSpec("linear", beta_end=0.03),
        "timesteps": (0, 250, 500, 750),
        "spacing": "trailing",
        "images": (replace(PICTURE, sha256="b" * 64),),
        "labels": (),
        "guidance": 1.0,
        "clip": "clamp",
        "convention": "openai",
        "refinements": 2,
        "precision": "bfloat16",
        "first_alpha_bar": 0.999,
    },
    MORPH: {
        "model": OTHER,
        "schedule": ScheduleSpec("linear", T=500),
        "timesteps": (901, 600, 300, 0),
        "spacing": "linspace",
        "sampler": SamplerSpec("ddpm"),
        "ends": (SeedEnd(6), SeedEnd(7)),
        "frames": 9,
        "mix": "lerp",
        "layout": "grid",
        "seed": 5,
        "labels": (1, 2),
        "guidance": 1.0,
        "precision": "bfloat16",
        "convention": "openai",
        "refinements": 1,
        "final_alpha_bar": 0.99,
        "batch": 2,
    },
}


@pytest.mark.parametrize("request_", [SAMPLE, INVERSION, MORPH], ids=lambda one: type(one).__name__)
def test_that_equal_requests_have_no_difference(request_) -> None:
    assert differences(request_, replace(request_)) == ()


@pytest.mark.parametrize(
    ("request_", "field"),
    [(one, field.name) for one in CHANGES for field in fields(one)],
    ids=lambda one: str(one)[:20],
)
def test_that_whatever_is_otherwise_is_said_with_different_words(request_, field) -> None:
    found = differences(request_, replace(request_, **{field: CHANGES[request_][field]}))
    assert found
    assert all(row.first != row.second for row in found)


def test_that_a_sampler_is_told_by_what_counts_for_it() -> None:
    rows = differences(SAMPLE, replace(SAMPLE, sampler=SamplerSpec("ddpm", variance="large"), seed=9))
    assert [(row.name, row.first, row.second) for row in rows] == [
        ("Sampler", "DDIM", "DDPM"),
        ("η", "0", NONE),
        ("Seed", "1", "9"),
        ("Variance", NONE, "β_t"),
    ]


def test_that_timesteps_are_not_listed_where_their_number_says_it() -> None:
    rows = differences(SAMPLE, replace(SAMPLE, timesteps=(500, 0)))
    assert [row.name for row in rows] == ["Steps"]


def test_that_a_branch_differs_from_its_parent_by_where_it_left() -> None:
    branch = replace(SAMPLE, timesteps=(300, 0), start=FromStep(SAMPLE, 2), guidance=4.0)
    rows = {row.name: (row.first, row.second) for row in differences(SAMPLE, branch)}
    assert rows["Start"] == ("noise", "a run's state at t = 300 (step 2)")
    assert rows["Guidance w"] == ("0", "4")


def test_that_two_branches_of_two_runs_are_not_said_to_begin_alike() -> None:
    ones = [replace(SAMPLE, timesteps=(300, 0), start=FromStep(replace(SAMPLE, seed=seed), 2)) for seed in (1, 2)]
    (row,) = differences(*ones)
    assert row.name == "Start"
    assert row.second == f"{row.first}, another"


def test_that_of_an_inversion_and_its_way_back_only_what_both_have_is_compared() -> None:
    back = replace(SAMPLE, count=1, labels=(3,), start=FromLatent(INVERSION))
    rows = differences(INVERSION, back)
    assert {row.name for row in rows} == {"Kind", "Timesteps", "Clip x̂₀"}
    assert (rows[0].first, rows[0].second) == ("inverted", "denoised")
