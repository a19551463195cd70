"""Requests there and back, and what is done with a stranger's."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import requests
from core.codec import from_json, request_hash, to_json
from core.errors import Refusal
from core.requests import (
    ClassifierSpec,
    Conversion,
    FromImage,
    FromLatent,
    FromMorph,
    FromNoise,
    FromStep,
    ImageEnd,
    ImageRef,
    InspectImage,
    InspectStep,
    InvertRequest,
    ModelRef,
    MorphRequest,
    NoiseRequest,
    SampleRequest,
    SamplerSpec,
    ScheduleSpec,
    SeedEnd,
)

finite = st.floats(-1e6, 1e6)
unit = st.floats(0, 1)
sha256 = st.text("0123456789abcdef", min_size=64, max_size=64)
texts = st.text(max_size=20)
timesteps = st.lists(st.integers(0, 9999), max_size=8).map(tuple)
labels = st.none() | st.integers(0, 1000)
seeds = st.integers(0, 2**64 - 1)


def choice(literal: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(get_args(literal))


models = st.builds(ModelRef, texts, sha256)
schedules = st.builds(
    ScheduleSpec,
    choice(requests.ScheduleName),
    st.integers(1, 10_000),
    st.none() | finite,
    st.none() | finite,
    st.lists(st.tuples(unit, unit), max_size=4).map(tuple),
    st.lists(unit, max_size=4).map(tuple),
)
conversions = st.builds(
    Conversion,
    st.tuples(st.integers(1, 8192), st.integers(1, 8192)),
    st.sampled_from((1, 3)),
    st.tuples(unit, unit, unit, unit),
    st.booleans(),
    st.tuples(*[st.integers(0, 255)] * 3),
)
images = st.builds(ImageRef, sha256, conversions)
samplers = st.builds(
    SamplerSpec,
    choice(requests.SamplerName),
    unit,
    choice(requests.VarianceName),
    choice(requests.ClipPolicy),
    unit,
    st.none() | st.floats(0, 1000),
)
classifiers = st.builds(
    ClassifierSpec,
    models,
    st.lists(st.integers(0, 10), max_size=4).map(tuple),
    st.floats(-100, 100),
    choice(requests.GradientPlace),
)


def runs(starts: st.SearchStrategy[Any]) -> st.SearchStrategy[SampleRequest]:
    return st.builds(
        SampleRequest,
        models,
        schedules,
        timesteps,
        choice(requests.SpacingName),
        samplers,
        seeds,
        st.integers(1, 4096),
        st.lists(labels, max_size=4).map(tuple),
        st.floats(-10, 100),
        choice(requests.Precision),
        starts,
        unit,
        interval=st.none() | st.tuples(st.integers(0, 9999), st.integers(0, 9999)),
        rescale=unit,
        classifier=st.none() | classifiers,
        temperature=st.floats(0, 100),
    )


invert_requests = st.builds(
    InvertRequest,
    models,
    schedules,
    timesteps,
    choice(requests.SpacingName),
    st.lists(images, max_size=3).map(tuple),
    st.lists(labels, max_size=4).map(tuple),
    st.floats(-10, 100),
    choice(requests.ClipPolicy),
    choice(requests.InversionConvention),
    st.integers(0, 5),
    choice(requests.Precision),
    unit,
)
ends = st.builds(SeedEnd, seeds, st.integers(1, 4096), st.integers(0, 4095)) | st.builds(ImageEnd, images)
morph_requests = st.builds(
    MorphRequest,
    models,
    schedules,
    timesteps,
    choice(requests.SpacingName),
    samplers,
    st.lists(ends, max_size=4).map(tuple),
    st.integers(2, 1024),
    choice(requests.MixName),
    choice(requests.MorphLayout),
    seeds,
    st.lists(labels, max_size=4).map(tuple),
    st.floats(-10, 100),
    choice(requests.Precision),
    choice(requests.InversionConvention),
    st.integers(0, 5),
    unit,
    st.integers(1, 1024),
)
roots = (
    st.builds(FromNoise)
    | st.builds(FromImage, images)
    | st.builds(FromLatent, invert_requests)
    | st.builds(FromMorph, morph_requests, st.lists(st.integers(0, 1023), max_size=3).map(tuple))
)
sample_requests = runs(st.recursive(roots, lambda inner: st.builds(FromStep, runs(inner), st.integers(0, 10_000))))
all_requests = (
    sample_requests
    | invert_requests
    | morph_requests
    | st.builds(NoiseRequest, images, schedules, timesteps, seeds)
    | st.builds(InspectImage, models, schedules, images, st.integers(0, 9999), seeds, labels, st.floats(-10, 100))
    | st.builds(InspectStep, st.integers(0, 1000), st.integers(0, 1000))
)

MODEL = ModelRef("digits", "a1" * 32)
RUN = SampleRequest(
    model=MODEL,
    schedule=ScheduleSpec("drawn", points=((0.0, 0.99), (1.0, 0.01))),
    timesteps=(900, 500, 0),
    spacing="hand",
    sampler=SamplerSpec(),
    seed=7,
    count=2,
    labels=(3, None),
    start=FromImage(ImageRef("0f" * 32, Conversion((32, 32), channels=1))),
)


@given(all_requests)
def test_that_every_request_survives_the_way_there_and_back(request: Any) -> None:
    text = json.dumps(to_json(request), allow_nan=False)
    assert from_json(type(request), json.loads(text)) == request


@given(all_requests)
def test_that_reading_gives_the_declared_types(request: Any) -> None:
    again = from_json(type(request), json.loads(json.dumps(to_json(request))))
    assert repr(again).replace("-0.0", "0.0") == repr(request).replace("-0.0", "0.0")
    assert hash(again) == hash(request)
    assert request_hash(again) == request_hash(request)


def test_that_the_json_is_plain_to_read() -> None:
    data = to_json(RUN)
    assert data["schema"] == 1
    assert data["model"] == {"name": "digits", "sha256": "a1" * 32}
    assert data["timesteps"] == [900, 500, 0]
    assert data["labels"] == [3, None]
    assert data["schedule"]["points"] == [[0.0, 0.99], [1.0, 0.01]]
    assert data["start"]["kind"] == "FromImage"
    assert to_json(replace(RUN, start=FromNoise()))["start"] == {"kind": "FromNoise"}


def test_that_missing_fields_take_their_defaults() -> None:
    data = to_json(replace(RUN, start=FromNoise(), count=1, labels=()))
    for name in ("count", "labels", "guidance", "precision", "start", "final_alpha_bar"):
        del data[name]
    assert from_json(SampleRequest, data) == replace(RUN, start=FromNoise(), count=1, labels=())


def test_that_equal_requests_have_equal_hashes_and_others_have_not() -> None:
    digest = request_hash(RUN)
    assert len(bytes.fromhex(digest)) == 32
    assert digest == request_hash(copy.deepcopy(RUN))
    assert digest == request_hash(replace(RUN, guidance=0))  # equal to 0.0
    assert digest == request_hash(replace(RUN, guidance=-0.0))
    others = [
        replace(RUN, seed=8),
        replace(RUN, guidance=1e-9),
        replace(RUN, labels=(None, 3)),
        replace(RUN, start=FromNoise()),
        replace(RUN, start=FromStep(RUN, 1)),
        replace(RUN, start=FromStep(RUN, 2)),
    ]
    assert len({digest, *map(request_hash, others)}) == 1 + len(others)
    assert request_hash(InspectStep(1, 2)) != request_hash(InspectStep(2, 1))


def changed(path: str, value: Any) -> dict[str, Any]:
    data: Any = to_json(RUN)
    *parents, leaf = path.split(".")
    inner = data
    for parent in parents:
        inner = inner[parent]
    inner[leaf] = value
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", 2),
        ("schema", "1"),
        ("schema", True),
        ("schema", None),
        ("surprise", 1),
        ("model.surprise", 1),
        ("start.surprise", 1),
        ("model", None),
        ("model", "digits"),
        ("model.name", 3),
        ("model.name", "x" * 1001),
        ("model.sha256", "../../etc/passwd"),
        ("model.sha256", "A1" * 32),
        ("model.sha256", "a1" * 32 + "\n"),
        ("start.image.sha256", ""),
        ("seed", 1.5),
        ("seed", True),
        ("seed", "7"),
        ("seed", 2**64),
        ("seed", None),
        ("seed", 10**4000),
        ("guidance", math.nan),
        ("guidance", math.inf),
        ("guidance", True),
        ("guidance", 10**400),
        ("final_alpha_bar", 1.5),
        ("final_alpha_bar", -math.inf),
        ("count", 0),
        ("count", 4097),
        ("timesteps", 5),
        ("timesteps", "900"),
        ("timesteps", [900, 1.0]),
        ("timesteps", [900, -1]),
        ("timesteps", [0] * 10_001),
        ("labels", [1] * 4097),
        ("labels", ["one"]),
        ("labels", [-1]),
        ("schedule.T", 10_001),
        ("schedule.T", 0),
        ("schedule.name", "../cosine"),
        ("schedule.name", ["linear"]),
        ("schedule.points", [[0.0, 0.9, 1.0]]),
        ("schedule.points", [[0.0, math.nan]]),
        ("schedule.points", [0.5]),
        ("schedule.points", [[0.0, 0.5]] * 1001),
        ("schedule.betas", [0.1] * 10_001),
        ("schedule.beta_start", "small"),
        ("sampler.eta", 1.01),
        ("sampler.clip", None),
        ("start", None),
        ("start", {}),
        ("start.kind", "FromFile"),
        ("start.kind", 3),
        ("start.image.conversion.size", [8193, 32]),
        ("start.image.conversion.size", [0, 32]),
        ("start.image.conversion.size", [32]),
        ("start.image.conversion.channels", 2),
        ("start.image.conversion.crop", [0, 0, 2, 1]),
        ("start.image.conversion.invert", 1),
        ("start.image.conversion.background", [0, 0, 256]),
    ],
)
def test_that_a_strangers_mistake_is_refused_by_name(path: str, value: Any) -> None:
    with pytest.raises(Refusal) as refusal:
        from_json(SampleRequest, changed(path, value))
    assert path.split(".")[-1] in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("data", [None, [], "request", 3, {}, {"schema": 1}])
def test_that_what_is_no_request_is_refused(data: object) -> None:
    with pytest.raises(Refusal, match=r"request"):
        from_json(SampleRequest, data)


@pytest.mark.parametrize("name", ["model", "schedule", "timesteps", "spacing", "sampler", "seed"])
def test_that_a_missing_field_is_named(name: str) -> None:
    data = to_json(RUN)
    del data[name]
    with pytest.raises(Refusal, match=f"request.{name} is missing"):
        from_json(SampleRequest, data)


def nested(depth: int) -> SampleRequest:
    run = RUN
    for _ in range(depth):
        run = replace(RUN, start=FromStep(run, 1))
    return run


def test_that_branches_of_branches_end_somewhere() -> None:
    assert from_json(SampleRequest, to_json(nested(32))) == nested(32)
    with pytest.raises(Refusal, match="more than 32 branches"):
        from_json(SampleRequest, to_json(nested(33)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_that_numbers_json_cannot_hold_are_not_written(value: float) -> None:
    with pytest.raises(Refusal, match=r"guidance is not a finite number"):
        to_json(replace(RUN, guidance=value))


INVERSION = InvertRequest(MODEL, ScheduleSpec(), (0, 500), "hand", (RUN.start.image,))  # type: ignore[union-attr]
MORPH = MorphRequest(MODEL, ScheduleSpec(), (500, 0), "hand", SamplerSpec(), (SeedEnd(1), SeedEnd(2)), 5)


@pytest.mark.parametrize(
    ("request_", "name", "value"),
    [
        (INVERSION, "refinements", 6),
        (INVERSION, "refinements", -1),
        (INVERSION, "convention", "mine"),
        (INVERSION, "first_alpha_bar", 1.5),
        (INVERSION, "images", [{"sha256": "no", "conversion": {"size": [1, 1]}}]),
        (MORPH, "frames", 1),
        (MORPH, "frames", 1025),
        (MORPH, "batch", 0),
        (MORPH, "mix", "add"),
        (MORPH, "layout", "circle"),
        (MORPH, "ends", [{"kind": "SeedEnd", "seed": 1}] * 5),
        (MORPH, "ends", [{"kind": "FromNoise"}]),
        (MORPH, "ends", [{"kind": "SeedEnd", "seed": 1, "index": 5000}]),
    ],
)
def test_that_mistakes_in_inversions_and_morphs_are_refused(request_: Any, name: str, value: Any) -> None:
    with pytest.raises(Refusal, match=name):
        from_json(type(request_), {**to_json(request_), name: value})


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
garbage = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


@given(st.data())
def test_that_garbage_anywhere_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    document: Any = to_json(RUN)
    inner = document
    while True:
        name = data.draw(st.sampled_from(sorted(inner)))
        if isinstance(inner[name], dict) and data.draw(st.booleans()):
            inner = inner[name]
        else:
            inner[name] = data.draw(garbage)
            break
    try:
        request = from_json(SampleRequest, document)
    except Refusal:
        return
    assert from_json(SampleRequest, to_json(request)) == request
