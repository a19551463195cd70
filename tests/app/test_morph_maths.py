"""The mathematics beside a morph, against closed forms."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.stages.morph_maths import (
    Geometry,
    between,
    end_frames,
    frame_name,
    line_of,
    mixed_pixels,
    numbers_of,
    planned_latents,
    position_of,
    reading,
    relative_norm,
    row_of,
    way_of,
)
from app.stages.morph_record import Record
from app.stages.morph_settings import EndPoint, MorphSettings, resolve
from core.morph_plan import places
from core.noise import initial_noise
from core.requests import MorphRequest, SeedEnd
from core.schedules import make_schedule
from tests.app.fake_engine import DIGITS
from tests.app.test_morph_settings import IMAGES, SEEDS


def morph(ends: int = 2, **changes: object) -> MorphRequest:
    points = [EndPoint(SeedEnd(k), None) for k in range(ends)]
    return resolve(replace(MorphSettings(frames=5, steps=4), **changes), points, DIGITS)


def right_angle() -> Geometry:
    """Two latents of norms sqrt(d) and 2 sqrt(d), perpendicular."""
    return Geometry.of([np.array([1.0, 1.0, 0.0, 0.0]) * math.sqrt(2), np.array([0.0, 0.0, 2.0, 2.0]) * math.sqrt(2)])


def test_that_norms_and_angles_follow_from_the_latents() -> None:
    geometry = right_angle()
    assert geometry.norms == pytest.approx([1, 2])
    assert geometry.angle(0, 1) == pytest.approx(math.pi / 2)
    assert geometry.tolerance == pytest.approx(1 / math.sqrt(8))
    assert relative_norm(np.full((2, 3), 3.0)) == pytest.approx(3)


def test_that_lerp_cuts_the_corner_and_slerp_does_not() -> None:
    request, geometry = morph(), right_angle()
    half = places(request)[2]
    assert geometry.norm(half, "slerp") == pytest.approx(1.5)
    assert geometry.norm(half, "lerp") == pytest.approx(math.sqrt(0.25 + 1))


@pytest.mark.parametrize("mix", ["slerp", "lerp"])
def test_that_the_curves_are_what_the_core_mixes(mix: str) -> None:
    torch = pytest.importorskip("torch")
    from core.interpolation import mixed, relative_norm

    latents = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    geometry = Geometry.of([x.numpy() for x in latents])
    for request in (morph(4), morph(4, layout="grid"), morph(3)):
        for place in places(request):
            ends = latents[: len(request.ends)]
            made = float(relative_norm(mixed(ends, place, mix))[0])
            there = Geometry(geometry.gram[: len(ends), : len(ends)], geometry.d)
            assert there.norm(place, mix) == pytest.approx(made, rel=1e-5)


def test_that_a_way_begins_and_ends_at_its_end_points() -> None:
    request, geometry = morph(), right_angle()
    way = way_of(request, geometry, "lerp", row_of(request, 0), points=5)
    assert way[[0, -1]] == pytest.approx([1, 2])
    assert way[2] == pytest.approx(math.sqrt(1.25))


def test_that_a_closed_way_comes_back_to_its_beginning() -> None:
    request = morph(3)
    row = row_of(request, 0)
    assert len(row) == 12
    assert between(request, 0.0, row).weights(3) == [1, 0, 0]
    assert between(request, 1.0, row).weights(3) == pytest.approx([1, 0, 0])
    assert between(request, 1.5 / 12, row).weights(3) == pytest.approx([0.625, 0.375, 0])
    assert position_of(request, 4, row) == pytest.approx(1 / 3)
    assert end_frames(request) == (0, 4, 8)


def test_that_a_grid_is_looked_at_row_by_row_and_has_its_end_points_in_the_corners() -> None:
    request = morph(4, layout="grid")
    assert row_of(request, 13) == range(10, 15)
    assert end_frames(request) == (0, 4, 24, 20)
    assert position_of(request, 13, row_of(request, 13)) == pytest.approx(0.75)


def test_that_frames_have_names() -> None:
    assert [frame_name(place) for place in places(morph())] == ["A", "A–B 0.25", "A–B 0.50", "A–B 0.75", "B"]
    assert [frame_name(place) for place in places(morph(3))][3:6] == ["A–B 0.75", "B", "B–C 0.25"]
    assert frame_name(places(morph(4, layout="grid"))[7]) == "0.50, 0.25"


def test_that_the_equation_has_the_numbers_of_the_frame() -> None:
    half = places(morph())[2]
    assert numbers_of(morph(), half, right_angle()) == pytest.approx({"to_a": math.sqrt(0.5), "to_b": math.sqrt(0.5)})
    quarter = places(morph(mix="lerp"))[1]
    assert numbers_of(morph(mix="lerp"), quarter, None) == {"to_a": 0.75, "to_b": 0.25}
    parallel = Geometry.of([np.ones(4), np.ones(4)])
    assert numbers_of(morph(), half, parallel) == {"to_a": 0.5, "to_b": 0.5}
    assert numbers_of(morph(), half, None) == {}


def test_that_the_reading_says_whose_label_a_frame_has_where_labels_differ() -> None:
    told = replace(morph(), labels=(3, 8))
    assert ["label of A" in reading(told, place, None, None) for place in places(told)] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert "label of B" in reading(told, places(told)[3], None, None)
    assert "label" not in reading(replace(morph(), labels=(3, 3)), places(told)[0], None, None)


def test_that_the_reading_names_latents_that_are_no_noise() -> None:
    place = places(morph())[1]
    noise = Geometry.of([initial_noise(k, (1, 32, 32)) for k in range(2)])
    words = reading(morph(), place, noise, 0.998)
    assert "λ = 0.25" in words
    assert "here 0.998" in words
    assert "Not as long" not in words
    short = Geometry.of([0.6 * initial_noise(k, (1, 32, 32)) for k in range(2)])
    assert "Not as long as noise" in reading(morph(), place, short, None)
    third = Geometry.of([*(initial_noise(k, (1, 32, 32)) for k in range(2)), 2 * initial_noise(2, (1, 32, 32))])
    assert "Not as long" not in reading(morph(3), places(morph(3))[1], third, None)
    assert "Not as long" in reading(morph(3), places(morph(3))[5], third, None)


@pytest.mark.parametrize(("step", "line"), [(-1, 1), (0, 3), (2, 5), (4, 7)])
def test_that_the_line_reached_is_that_of_the_frame_s_step(step: int, line: int) -> None:
    assert line_of(morph(), step) == line


def test_that_the_latents_of_seeds_are_known_before_a_run() -> None:
    request = resolve(MorphSettings(), SEEDS, DIGITS)
    (a, _) = planned_latents(request, SEEDS, DIGITS)
    assert a is not None
    assert np.array_equal(a, initial_noise(1, (1, 32, 32)))
    drawn = [EndPoint(SeedEnd(9, 4, 2)), EndPoint(SeedEnd(9, 4, 3))]
    (c, _) = planned_latents(resolve(MorphSettings(), drawn, DIGITS), drawn, DIGITS)
    assert c is not None
    assert np.array_equal(c, initial_noise(9, (4, 1, 32, 32))[2])


def test_that_those_of_pictures_are_only_known_where_they_are_noised() -> None:
    assert planned_latents(resolve(MorphSettings(), IMAGES, DIGITS), IMAGES, DIGITS) == [None, None]
    request = resolve(MorphSettings(mix="ddpm", t=300), IMAGES, DIGITS)
    black, _ = planned_latents(request, IMAGES, DIGITS)
    level = make_schedule(DIGITS.schedule).level(300)
    assert black is not None
    assert black == pytest.approx(level.sigma * initial_noise(42, (1, 32, 32)) - level.alpha, abs=1e-6)


def test_that_pixels_are_mixed_without_a_network() -> None:
    request = resolve(MorphSettings(mix="ddpm", frames=3), IMAGES, DIGITS)
    black, white = np.zeros((2, 2, 1), np.uint8), np.full((2, 2, 1), 255, np.uint8)
    assert mixed_pixels(request, [black, white])[:, 0, 0, 0].tolist() == [0, 128, 255]


def test_that_a_record_knows_how_far_each_frame_is() -> None:
    record = Record(morph(batch=2))
    assert record.climb == 0
    assert [record.made(frame, 0) for frame in range(5)] == [-1] * 5
    assert [record.made(frame, 3) for frame in range(5)] == [3, -1, -1, -1, 3]
    assert [record.made(frame, 9) for frame in range(5)] == [4, 4, 4, 1, 4]
    assert record.first_look == 2


def test_that_pictures_climb_before_their_frames_begin() -> None:
    record = Record(resolve(MorphSettings(frames=3, steps=4), IMAGES, DIGITS))
    assert record.climb == 4
    assert record.made(1, 4) == -1
    assert record.made(1, 6) == 2
