"""Inverting, denoising and interpolating from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.codec import from_json
from core.requests import FromImage, InvertRequest, MorphRequest, SampleRequest
from tests.conftest import Command
from tests.test_cli import refused


def told(result: tuple[int, str, str]) -> dict:
    code, out, err = result
    assert code == 0, err
    return json.loads(out)


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    return path


# ------------------------------------------------------------------------------------------------ invert


def test_that_invert_writes_the_latent_and_the_picture_made_of_it(command: Command, model: Path, other: Path) -> None:
    result = told(
        command("invert", other, "--model", model, "--steps", 20, "--refine", 2, "--label", "dog",
                "--out", "again.png", "--npy", "latent.npy", "--json")
    )  # fmt: skip
    request = from_json(InvertRequest, result["request"])
    assert request.timesteps == tuple(range(0, 1000, 50))
    assert (request.labels, request.refinements, request.precision, request.clip) == ((1,), 2, "float32", "none")
    latent = np.load("latent.npy")
    assert (latent.shape, latent.dtype) == ((1, 1, 8, 8), np.float32)
    assert result["latent"]["variance"] == pytest.approx(latent.var(), rel=1e-5)
    assert result["psnr"] == pytest.approx(-10 * np.log10(result["mse"]))


def test_that_the_requests_it_tells_make_the_same_latent_and_picture(
    command: Command, model: Path, other: Path
) -> None:
    from core.images import open_image
    from core.inversion import InvertRun
    from core.jobs import SampleRun
    from core.library import Library, NetworkModel
    from core.model_folder import open_model

    base = ("invert", other, "--model", model, "--steps", 5)
    result = told(command(*base, "--out", "again.png", "--npy", "latent.npy", "--json"))
    library = Library()
    library.add_model(NetworkModel(open_model(model)))
    library.add_image(open_image(other))
    run = InvertRun(from_json(InvertRequest, result["request"]), library)
    np.testing.assert_array_equal(run.latent().numpy(), np.load("latent.npy"))
    down = SampleRun(from_json(SampleRequest, result["reconstruction"]), library)
    *_, last = down.steps()
    x = last.x_next.numpy()[0, 0]
    np.testing.assert_array_equal(pixels("again.png"), np.rint((x + 1) * 127.5).clip(0, 255))
    x0 = pixels(str(other)) / 127.5 - 1
    assert result["mse"] == pytest.approx(np.square((x - x0) / 2).mean(), rel=1e-4)


def test_that_refinement_brings_the_picture_back(command: Command, model: Path, other: Path) -> None:
    base = ("invert", other, "--model", model, "--steps", 20, "--npy", "latent.npy", "--json")
    errors = [told(command(*base, "--refine", n))["mse"] for n in (0, 5)]
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize(
    "options",
    [
        ("--steps", 7),
        ("--refine", 1),
        ("--label", "cat"),
        ("--label", "cat", "--guidance", 2),
        ("--clip", "rederive"),
        ("--convention", "openai"),
        ("--spacing", "trailing"),
        ("--precision", "bfloat16"),
    ],
)
def test_that_every_option_changes_the_latent(
    command: Command, model: Path, other: Path, options: tuple[object, ...]
) -> None:
    base = ("invert", other, "--model", model, "--npy", "latent.npy")
    assert command(*base, *(() if "--steps" in options else ("--steps", 5)), *options)[0] == 0
    changed = np.load("latent.npy")
    assert command(*base, "--steps", 5)[0] == 0
    assert not np.array_equal(changed, np.load("latent.npy"))


def test_that_people_read_the_error_and_what_causes_it(command: Command, model: Path, other: Path) -> None:
    code, out, err = command("invert", other, "--model", model, "--steps", 5, "--clip", "clamp", "--out", "again.png")
    assert code == 0
    assert all(words in out for words in ("again.png: mean squared error", "PSNR"))
    assert all(words in err for words in ("note: Clipping", "note: 5 steps"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--out"),
        (("--out", "a.jpg"), ".png"),
        (("--out", "a.png", "--refine", 6), "0 to 5"),
        (("--out", "a.png", "--convention", "mine"), "mine"),
        (("--out", "a.png", "--steps", 1001), "between 1 and 1000"),
        (("--out", "a.png", "--label", "bird"), "cat, dog"),
        (("--out", "a.png", "--seed", 1), "--seed"),
        (("--out", "a.png", "--convention", "openai", "--steps", 1), "more steps"),
    ],
)
def test_that_inversions_that_cannot_be_are_refused(
    command: Command, model: Path, other: Path, options: tuple[object, ...], words: str
) -> None:
    assert words in refused(command("invert", other, "--model", model, *options))
    assert words == "--out" or not Path("a.png").exists()


def test_that_a_picture_that_is_not_there_is_refused(command: Command, model: Path) -> None:
    assert "nobody.png" in refused(command("invert", "nobody.png", "--model", model, "--out", "a.png"))


# ------------------------------------------------------------------------------------------------ denoise


def test_that_denoise_begins_with_the_picture_noised_to_t(command: Command, model: Path, other: Path) -> None:
    result = told(
        command("denoise", other, "--from-t", 450, "--model", model, "--steps", 10, "--label", "cat", "-n", 3,
                "--seed", 4, "--out", "grid.png", "--npy", "x.npy", "--json")
    )  # fmt: skip
    request = from_json(SampleRequest, result["request"])
    assert request.timesteps == (450, 400, 300, 200, 100, 0)
    assert isinstance(request.start, FromImage)
    x = np.load("x.npy")
    assert x.shape == (3, 1, 8, 8)
    assert np.abs(x[0] - x[1]).max() > 0.01
    assert pixels("grid.png").shape == (18, 18)


def test_that_little_noise_leaves_the_picture_and_much_noise_does_not(
    command: Command, model: Path, other: Path
) -> None:
    x0 = pixels(str(other)) / 127.5 - 1
    errors = []
    for t in (5, 900):
        told(command("denoise", other, "--from-t", t, "--model", model, "--npy", "x.npy", "--json"))
        errors.append(np.abs(np.load("x.npy")[0, 0] - x0).mean())
    assert errors[0] < 0.1 < errors[1]


@pytest.mark.parametrize(("t", "words"), [("1000", "0 to 999"), ("-1", "'-1'"), ("half", "'half'")])
def test_that_times_that_do_not_exist_are_refused(
    command: Command, model: Path, other: Path, t: str, words: str
) -> None:
    assert words in refused(command("denoise", other, f"--from-t={t}", "--model", model, "--out", "a.png"))


# ------------------------------------------------------------------------------------------------ interpolate


def test_that_a_strip_between_pictures_has_them_at_its_ends(
    command: Command, model: Path, picture: Path, other: Path
) -> None:
    result = told(
        command("interpolate", picture, other, "--model", model, "--steps", 20, "--frames", 3, "--refine", 3,
                "--label", "cat,dog", "--out", "strip.png", "--npy", "x.npy", "--json")
    )  # fmt: skip
    (request,) = (from_json(MorphRequest, data) for data in result["requests"])
    assert (request.labels, request.precision, request.sampler.clip) == ((0, 1), "float32", "none")
    assert pixels("strip.png").shape == (8, 28)
    command("invert", other, "--model", model, "--steps", 20, "--refine", 3, "--label", "dog", "--out", "again.png")
    np.testing.assert_allclose(pixels("strip.png")[:, 20:].astype(int), pixels("again.png"), atol=1)
    assert len(result["latent_norms"]) == 3


def test_that_seeds_are_the_samples_of_sample(command: Command, model: Path) -> None:
    base = ("--model", model, "--steps", 4, "--label", "cat")
    command("interpolate", "seed:3", "seed:8", *base, "--frames", 3, "--npy", "x.npy")
    command("sample", *base, "--seed", 8, "--npy", "sample.npy")
    np.testing.assert_allclose(np.load("x.npy")[2], np.load("sample.npy")[0], atol=1e-5)


@pytest.mark.parametrize(
    ("ends", "options", "size"),
    [
        (2, (), (8, 38)),
        (3, (), (28, 28)),
        (4, (), (38, 28)),
        (4, ("--grid",), (38, 38)),
    ],
)
def test_that_sheets_have_an_edge_or_a_row_of_the_grid_a_row(
    command: Command, model: Path, ends: int, options: tuple[str, ...], size: tuple[int, int]
) -> None:
    seeds = [f"seed:{i}" for i in range(ends)]
    told(
        command(
            "interpolate", *seeds, "--model", model, "--steps", 2, "--frames", 4, *options, "--out", "a.png", "--json"
        )
    )
    assert pixels("a.png").shape == size


@pytest.mark.parametrize("name", ["m.gif", "m.webp", "m.apng"])
def test_that_animations_show_every_frame(command: Command, model: Path, name: str) -> None:
    base = ("interpolate", "seed:1", "seed:2", "--model", model, "--steps", 2, "--frames", 5)
    told(command(*base, "--milliseconds", 70, "--out", name, "--npy", "x.npy", "--json"))
    shown = np.rint((np.load("x.npy")[:, 0] + 1) * 127.5).clip(0, 255)
    with Image.open(name) as animation:
        assert animation.n_frames == 5
        for index in range(5):
            animation.seek(index)
            np.testing.assert_array_equal(np.asarray(animation.convert("L")), shown[index])
            assert animation.info["duration"] == 70


def test_that_ddpm_mixes_at_several_t_in_rows(command: Command, model: Path, picture: Path, other: Path) -> None:
    base = ("interpolate", picture, other, "--model", model, "--steps", 10, "--frames", 3, "--mode", "ddpm")
    result = told(command(*base, "--t", "250,700", "--out", "rows.png", "--npy", "x.npy", "--json"))
    assert [data["timesteps"][0] for data in result["requests"]] == [250, 700]
    assert {data["sampler"]["name"] for data in result["requests"]} == {"ddpm"}
    assert pixels("rows.png").shape == (18, 28)
    again = told(command(*base, "--t", "250", "--seed", 1, "--npy", "y.npy", "--json"))
    assert again["shape"] == [3, 1, 8, 8]
    assert not np.allclose(np.load("x.npy")[:3], np.load("y.npy"), atol=1e-3)


@pytest.mark.parametrize(
    "options",
    [("--mode", "lerp"), ("--clip", "rederive"), ("--label", "cat"), ("--label", "cat", "--guidance", 2),
     ("--refine", 1), ("--convention", "openai"), ("--spacing", "linspace")],
)  # fmt: skip
def test_that_every_option_changes_the_frames(
    command: Command, model: Path, picture: Path, other: Path, options: tuple[object, ...]
) -> None:
    base = ("interpolate", picture, other, "--model", model, "--steps", 3, "--frames", 3, "--npy", "x.npy")
    assert command(*base, *options)[0] == 0
    changed = np.load("x.npy")
    assert command(*base)[0] == 0
    assert not np.allclose(changed, np.load("x.npy"), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("seed:1",), "two to four"),
        (("seed:1", "seed:x"), "seed:x"),
        (("seed:1", "seed:-1"), "seed:-1"),
        (("seed:1", "nobody.png"), "nobody.png"),
        (("seed:1", "seed:2", "--mode", "ddpm"), "--t T"),
        (("seed:1", "seed:2", "--mode", "ddpm", "--t", "500"), "noised pictures"),
        (("seed:1", "seed:2", "--t", "500"), "--mode ddpm"),
        (("seed:1", "seed:2", "--grid"), "grid"),
        (("seed:1", "seed:2", "--frames", "1"), "'1'"),
        (("seed:1", "seed:2", "--label", "cat,dog,cat"), "3 labels for 2"),
        (("seed:1", "seed:2", "--mode", "ddpm", "--t", "5", "--refine", "1"), "--refine"),
    ],
)
def test_that_morphs_that_cannot_be_are_refused(
    command: Command, model: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refused(command("interpolate", *arguments, "--model", model, "--out", "a.png"))


def test_that_an_animation_of_several_rows_is_refused(command: Command, model: Path, other: Path) -> None:
    arguments = ("interpolate", other, other, "--model", model, "--mode", "ddpm", "--t", "100,200", "--out", "a.gif")
    assert "one row" in refused(command(*arguments))


def test_that_unusual_endings_are_refused(command: Command, model: Path) -> None:
    assert ".apng" in refused(command("interpolate", "seed:1", "seed:2", "--model", model, "--out", "a.bmp"))
