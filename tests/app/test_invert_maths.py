"""The mathematics beside an inversion, and what is said of its latent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.formulas import DDIM_INVERSION, DDIM_STEP
from app.stages.invert_maths import algorithm_at, formula_at, latent_verdict, numbers_at, statistics_words
from app.stages.invert_record import kind
from app.stages.invert_scene import planned
from app.stages.invert_settings import EACH, InvertSettings, inversion, regeneration, settings_of
from core.errors import Refusal
from core.measures import latent_statistics
from core.requests import Conversion, ImageRef, InvertRequest
from tests.app.fake_engine import DIGITS

PICTURE = ImageRef("a" * 64, Conversion((32, 32), 1))
ALPHA_BAR = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))


def request(**changes: object) -> InvertRequest:
    return inversion(replace(InvertSettings(steps=4), **changes), DIGITS, PICTURE)


def test_that_a_step_up_is_written_with_the_targets_coefficients() -> None:
    scene = planned(request())
    assert formula_at(scene.down, scene.walk, 1) == DDIM_INVERSION
    numbers = numbers_at(scene.down, scene.walk, 1)
    assert numbers["to_x0"] == pytest.approx(ALPHA_BAR[250] ** 0.5)
    assert numbers["to_eps"] == pytest.approx((1 - ALPHA_BAR[250]) ** 0.5)


def test_that_from_the_latent_on_it_is_the_samplers_step() -> None:
    scene = planned(request())
    assert formula_at(scene.down, scene.walk, 4) == DDIM_STEP
    assert numbers_at(scene.down, scene.walk, 4)["to_x0"] == pytest.approx(ALPHA_BAR[500] ** 0.5)
    assert numbers_at(scene.down, scene.walk, 8)["to_x0"] == 1, "the last step, onto the data"


@pytest.mark.parametrize(("convention", "asked"), [("diffusers", r"\textcolor{t}{t}"), ("openai", r"\textcolor{t}{s}")])
def test_that_the_listing_says_where_the_network_is_asked(convention: str, asked: str) -> None:
    scene = planned(request(convention=convention))
    (_title, lines), lit = algorithm_at(scene.up, scene.down, scene.walk, 0)
    assert lines[2].endswith(f"{asked})$")
    assert lit == 1


def test_that_the_lit_line_is_the_step_up_refined_or_not_and_the_return_at_the_end() -> None:
    for refinements, line in ((0, 5), (2, 6)):
        scene = planned(request(refinements=refinements))
        (_title, lines), lit = algorithm_at(scene.up, scene.down, scene.walk, 2)
        assert lit == line
        assert (r"\leftarrow" in lines[lit - 1]) == bool(refinements)
    (_title, lines), lit = algorithm_at(scene.up, scene.down, scene.walk, 8)
    assert lines[lit - 1].startswith("return")


@pytest.mark.parametrize(
    ("scale", "shift", "said"),
    [
        (1.0, 0.0, "Like noise"),
        (0.5, 0.0, "Less than noise"),
        (1.4, 0.0, "More than noise"),
        (1.0, 0.5, "not around 0"),
    ],
)
def test_that_a_latent_is_told_from_noise(scale: float, shift: float, said: str) -> None:
    noise = np.random.default_rng(0).standard_normal((1, 1, 32, 32))
    assert said in latent_verdict(latent_statistics(noise * scale + shift), request())


def test_that_a_smooth_latent_is_said_to_show_the_picture() -> None:
    noise = np.random.default_rng(0).standard_normal((1, 1, 32, 32))
    smooth = (noise + np.roll(noise, 1, -1)) / 2**0.5
    assert "neighbouring pixels" in latent_verdict(latent_statistics(smooth), request())


def test_that_advice_does_not_name_what_was_done_already() -> None:
    weak = latent_statistics(np.random.default_rng(0).standard_normal((1, 1, 32, 32)) / 2)
    assert "Refinement or more steps" in latent_verdict(weak, request())
    assert "Refinement" not in latent_verdict(weak, request(refinements=2))
    strong = latent_statistics(np.random.default_rng(0).standard_normal((1, 1, 32, 32)) * 2)
    assert "guidance or clipping" in latent_verdict(strong, request(guidance=2.0))
    assert "not learned" in latent_verdict(strong, request())


def test_that_statistics_are_printed_with_their_standard_errors() -> None:
    words = statistics_words(latent_statistics(np.zeros((1, 1, 32, 32))))
    assert "mean  0.000 ± 0.031, variance 0.000 ± 0.044" in words


def test_that_the_kind_of_an_inversion_names_all_that_is_special() -> None:
    assert kind(request()) == ""
    special = request(
        label=7,
        guidance=1.5,
        refinements=2,
        clip="clamp",
        precision="bfloat16",
        convention="openai",
        spacing="trailing",
    )
    assert kind(special) == "refined 2, label 7, w 1.5, clipped, bfloat16, OpenAI, trailing"


def test_that_settings_come_back_from_the_request_they_made() -> None:
    settings = InvertSettings(
        steps=6, spacing="trailing", label=3, guidance=1.5, convention="openai", refinements=2, clip="rederive"
    )
    again = settings_of(inversion(settings, DIGITS, PICTURE), InvertSettings(t=123, count=5))
    assert again == replace(settings, t=123, count=5)


def test_that_the_same_label_and_guidance_are_no_regeneration() -> None:
    parent = request(label=7)
    with pytest.raises(Refusal, match="another label or guidance"):
        regeneration(parent, InvertSettings(label=7), DIGITS)
    assert regeneration(parent, InvertSettings(label=7, guidance=1.0), DIGITS).guidance == 1.0


def test_that_a_picture_is_inverted_with_one_label() -> None:
    with pytest.raises(Refusal, match="one label"):
        request(label=EACH)
