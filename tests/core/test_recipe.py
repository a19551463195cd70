"""Recipes in files: what goes in comes out, whatever a file says, and strangers' files are data."""

from __future__ import annotations

import io
import json
import struct
import zlib
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.codec import to_json
from core.errors import Refusal
from core.recipe import (
    PROGRAM,
    Recipe,
    Shown,
    SignedMap,
    as_film,
    classifiers_of,
    from_text,
    images_of,
    models_of,
    of_request,
    read_recipe,
    to_text,
)
from core.recipe_files import KEYWORD, MAX_BYTES
from core.render import png_bytes, write_animation, write_npy, write_png
from core.requests import (
    MAX_BRANCHES,
    ClassifierSpec,
    Conversion,
    FromImage,
    FromLatent,
    FromMorph,
    FromStep,
    ImageEnd,
    ImageRef,
    InspectImage,
    InvertRequest,
    ModelRef,
    MorphRequest,
    NoiseRequest,
    SampleRequest,
    SamplerSpec,
    ScheduleSpec,
    SeedEnd,
)
from core.version import VERSION

MODEL = ModelRef("digits", "a" * 64)
IMAGE = ImageRef("b" * 64, Conversion((8, 8), 1))
SAMPLE = SampleRequest(
    MODEL, ScheduleSpec(), (900, 600, 300), "leading", SamplerSpec(), seed=7, count=2, labels=(1, None), guidance=1.5
)
INVERT = InvertRequest(MODEL, ScheduleSpec(), (0, 300, 600), "leading", (IMAGE,), (3,))
MORPH = MorphRequest(
    MODEL, ScheduleSpec(), (900, 300), "leading", SamplerSpec(), (SeedEnd(1), ImageEnd(IMAGE)), 5, labels=(1, 2)
)
GUIDED = replace(SAMPLE, classifier=ClassifierSpec(ModelRef("guide", "c" * 64), (1, 2), 4.0))
REQUESTS = [
    SAMPLE,
    GUIDED,
    replace(SAMPLE, start=FromImage(IMAGE)),
    replace(SAMPLE, start=FromStep(GUIDED, 1), timesteps=(600, 300), cells=(1,)),
    replace(SAMPLE, start=FromLatent(INVERT), count=1, labels=(3,)),
    replace(SAMPLE, start=FromMorph(MORPH, (0, 4))),
    INVERT,
    MORPH,
    NoiseRequest(IMAGE, ScheduleSpec("drawn", points=((0.0, 1.0), (1.0, 0.0))), (0, 500), 3),
    InspectImage(MODEL, ScheduleSpec(), IMAGE, 400, 3, 2, 0.5),
]
SHOWN = Shown("eps_hat", 2, (1,), "grid", 3, 2, ("a", "ü"), 50, True, SignedMap(1.5, (1, 2, 3), (4, 5, 6), (7, 8, 9)))
RECIPE = Recipe(SAMPLE, SHOWN, (MORPH,))
GREY = np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 4
WRITERS = {
    ".png": lambda path, recipe: write_png(path, GREY, recipe),
    ".gif": lambda path, recipe: write_animation(path, np.stack([GREY, 255 - GREY]), 70, recipe),
    ".apng": lambda path, recipe: write_animation(path, np.stack([GREY, 255 - GREY]), 70, recipe),
    ".webp": lambda path, recipe: write_animation(path, np.stack([GREY, 255 - GREY]), 70, recipe),
    ".npy": lambda path, recipe: write_npy(path, GREY.astype(np.float32), recipe),
}


def named(ending: str, folder: Path) -> Path:
    return folder / f"made{ending}"


# ------------------------------------------------------------------------------------------------ there and back


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_that_every_kind_of_request_survives_as_a_recipe(request_) -> None:
    for recipe in (of_request(request_), Recipe(request_, SHOWN)):
        assert from_text(to_text(recipe)) == recipe


@pytest.mark.parametrize("ending", WRITERS)
def test_that_every_kind_of_file_carries_its_recipe(ending: str, tmp_path: Path) -> None:
    path = named(ending, tmp_path)
    WRITERS[ending](path, RECIPE)
    assert read_recipe(path) == RECIPE
    if ending != ".npy":
        assert read_recipe(path.read_bytes()) == RECIPE


@pytest.mark.parametrize("ending", WRITERS)
def test_that_a_person_can_read_what_a_file_says(ending: str, tmp_path: Path) -> None:
    path = named(ending, tmp_path)
    WRITERS[ending](path, RECIPE)
    content = (path.with_name("made.npy.json") if ending == ".npy" else path).read_bytes()
    joined = content.replace(b"\xff", b"")  # of a GIF: between two parts of a comment
    assert b"Model digits: DDIM" in joined
    assert f"Made with {PROGRAM}.".encode() in joined


@pytest.mark.parametrize("ending", WRITERS)
def test_that_a_file_without_a_recipe_has_none(ending: str, tmp_path: Path) -> None:
    path = named(ending, tmp_path)
    WRITERS[ending](path, None)
    assert read_recipe(path) is None


@pytest.mark.parametrize("ending", [".png", ".gif", ".apng", ".webp"])
def test_that_pictures_with_recipes_have_the_pixels_of_those_without(ending: str, tmp_path: Path) -> None:
    for name, recipe in (("a", RECIPE), ("b", None)):
        WRITERS[ending](tmp_path / f"{name}{ending}", recipe)
    with Image.open(tmp_path / f"a{ending}") as ours, Image.open(tmp_path / f"b{ending}") as plain:
        assert np.array_equal(np.asarray(ours), np.asarray(plain))


def test_that_a_recipe_survives_being_read_and_saved_again_with_what_it_says(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", GREY, RECIPE)
    with Image.open(tmp_path / "a.png") as image:
        image.load()
        info = PngInfo()
        for key, value in image.text.items():
            info.add_text(key, value, zip=True)
        image.save(tmp_path / "b.png", pnginfo=info)
    assert read_recipe(tmp_path / "b.png") == RECIPE
    write_animation(tmp_path / "a.gif", np.stack([GREY, 255 - GREY]), 70, RECIPE)
    with Image.open(tmp_path / "a.gif") as film:
        film.save(tmp_path / "b.gif", save_all=True)
    assert read_recipe(tmp_path / "b.gif") == RECIPE
    write_animation(tmp_path / "a.webp", np.stack([GREY, 255 - GREY]), 70, RECIPE)
    with Image.open(tmp_path / "a.webp") as film:
        film.save(tmp_path / "b.webp", xmp=film.info["xmp"])
    assert read_recipe(tmp_path / "b.webp") == RECIPE


@given(name=st.text(max_size=200))
def test_that_any_name_is_carried_and_shown_on_one_line(name: str) -> None:
    recipe = of_request(replace(SAMPLE, model=ModelRef(name.encode("utf-8", "replace").decode(), "a" * 64)))
    assert read_recipe(png_bytes(GREY, recipe)) == recipe
    assert all(letter.isprintable() for letter in recipe.sentence)
    assert len(recipe.sentence) < 400


def test_that_a_recipe_says_which_program_made_it_and_no_path(tmp_path: Path) -> None:
    assert json.loads(to_text(RECIPE))["program"] == f"Diffuscope {VERSION}"
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    assert f'version = "{VERSION}"' in project.read_text()
    write_png(tmp_path / "a.png", GREY, RECIPE)
    assert str(tmp_path).encode() not in (tmp_path / "a.png").read_bytes()


def test_that_the_recipe_of_one_cell_is_that_cell_alone() -> None:
    assert Recipe(SAMPLE, Shown(step=3, layout="grid")).of_cell(1).shown == Shown(step=3, cells=(1,))
    assert Recipe(SAMPLE, Shown(step=3, cells=(5, 7))).of_cell(1).shown.cells == (7,)
    film = as_film(Recipe(MORPH), 50, zoom=4, there_and_back=True).shown
    assert (film.layout, film.milliseconds, film.zoom, film.there_and_back) == ("film", 50, 4, True)


def test_that_a_recipe_names_all_that_it_needs() -> None:
    branch = replace(GUIDED, start=FromStep(replace(SAMPLE, start=FromLatent(INVERT)), 1))
    assert models_of(branch) == (MODEL,)
    assert [ref.name for ref in classifiers_of(branch)] == ["guide"]
    assert images_of(branch) == (IMAGE,)
    assert images_of(replace(SAMPLE, start=FromMorph(MORPH, (0,)))) == (IMAGE,)
    assert (models_of(REQUESTS[8]), images_of(REQUESTS[8])) == ((), (IMAGE,))


# ------------------------------------------------------------------------------------------------ requests alone


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_that_a_request_alone_is_a_recipe_of_its_end(request_) -> None:
    wanted = of_request(request_)
    bare = to_json(request_)
    forms = (bare, {"kind": type(request_).__name__, **bare}, {"request": bare, "seconds": 3}, {"requests": [bare]})
    assert all(from_text(json.dumps(form)) == wanted for form in forms)


def test_that_several_requests_are_the_rows_of_one_result() -> None:
    other = replace(MORPH, timesteps=(600, 300))
    assert from_text(json.dumps({"requests": [to_json(MORPH), to_json(other)]})) == of_request(MORPH, [other])


# ------------------------------------------------------------------------------------------------ strangers


def refusal(text: str) -> str:
    with pytest.raises(Refusal) as refused:
        from_text(text)
    assert str(refused.value).endswith(".")
    return str(refused.value)


def test_that_a_newer_recipe_is_refused_with_its_version() -> None:
    assert "schema 7" in refusal(to_text(RECIPE).replace('"schema":1', '"schema":7', 1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        "null",
        '{"request": {}}',
        '{"requests": []}',
        '{"kind": "Recipe"}',
        '{"kind": "InspectStep", "run": 1, "step": 2}',
        '{"kind": 3}',
        "[" * 100_000,
        '{"request":' * 50_000,
        '{"schema": 1, "shown": {}, "request": {"kind": "SampleRequest"}}',
        '{"schema": 1' + "1" * 5000 + "}",
    ],
    ids=lambda text: text[:30] or "empty",
)
def test_that_what_is_no_recipe_is_refused_in_words(text: str) -> None:
    assert len(refusal(text)) < 200


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("shown", "quantity"), "../../etc/passwd"),
        (("shown", "step"), -1),
        (("shown", "zoom"), 10**9),
        (("shown", "columns"), 10**9),
        (("shown", "cells"), [0] * 5000),
        (("shown", "names"), ["x" * 2000]),
        (("shown", "signed"), {"limit": float("nan"), "low": [0, 0, 0], "zero": [0, 0, 0], "high": [0, 0, 0]}),
        (("shown", "file"), "/etc/passwd"),
        (("request", "count"), 10**12),
        (("request", "model"), {"name": "m", "sha256": "/etc/passwd"}),
        (("request", "path"), "/etc/passwd"),
        (("rows",), [{"kind": "SampleRequest"}] * 100),
        (("program",), 3),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_that_every_field_is_typed_and_bounded(where: tuple[str, ...], value: object) -> None:
    data = json.loads(to_text(of_request(SAMPLE)))
    inner = data
    for name in where[:-1]:
        inner = inner[name]
    inner[where[-1]] = value
    assert where[-1] in refusal(json.dumps(data))


def test_that_branches_of_branches_have_an_end() -> None:
    deep = SAMPLE
    for _ in range(MAX_BRANCHES):
        deep = replace(SAMPLE, start=FromStep(deep, 0))
    assert from_text(to_text(of_request(deep))) == of_request(deep)
    assert "deep" in refusal(to_text(of_request(replace(SAMPLE, start=FromStep(deep, 0)))))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG with these chunks before its end."""
    image = png_bytes(GREY)
    made = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return image[:-12] + made + image[-12:]


TEXT = to_text(RECIPE).encode()
KEY = KEYWORD.encode() + b"\0"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"tEXt", KEY + TEXT),
        (b"zTXt", KEY + b"\0" + zlib.compress(TEXT)),
        (b"iTXt", KEY + b"\0\0\0\0" + TEXT),
        (b"iTXt", KEY + b"\1\0en\0Rezept\0" + zlib.compress(TEXT)),
    ],
    ids=["tEXt", "zTXt", "iTXt", "packed iTXt"],
)
def test_that_a_recipe_is_found_in_every_kind_of_text_and_after_the_pixels(kind: bytes, body: bytes) -> None:
    assert read_recipe(png((b"tEXt", b"Comment\0hello"), (kind, body))) == RECIPE


BOMB = zlib.compress(b"\0" * (MAX_BYTES + 1), 9)


@pytest.mark.parametrize(
    "content",
    [
        png((b"zTXt", KEY + b"\0" + BOMB)),
        png((b"iTXt", KEY + b"\1\0\0\0" + BOMB)),
        png((b"zTXt", KEY + b"\0" + TEXT)),
        png((b"zTXt", KEY)),
        png((b"iTXt", KEY)),
        png((b"iTXt", KEY + b"\0\0")),
        png((b"iTXt", KEY + b"\0\0\0\0\xff\xfe")),
        png((b"tEXt", KEY + TEXT)).replace(b'"seed":7', b'"seed":8'),
        png((b"tEXt", KEY + TEXT))[:-40],
        png_bytes(GREY)[:-12] + struct.pack(">I", 2**31) + b"tEXt" + KEY,
        png((b"tEXt", KEY + b"{}")),
        png((b"tEXt", KEY + b"[" * 200_000)),
    ],
    ids=["bomb", "bomb in iTXt", "not packed", "empty", "empty iTXt", "short iTXt", "not text", "changed", "cut off",
         "2 GB", "no request", "deep"],
)  # fmt: skip
def test_that_a_hostile_png_is_refused_without_being_unpacked(content: bytes) -> None:
    with pytest.raises(Refusal):
        read_recipe(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 100,
        b"GIF89a",
        b"GIF89a" + b"\xff" * 100,
        b"GIF89a" + bytes(7) + b"!\xfe",
        b"GIF89a" + bytes(7) + b"!\xfe\x05hello\0;",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"RIFF\x00\x00\x00\x00WEBPXMP \xff",
        b"RIFF\x00\x00\x00\x00WEBPXMP \x05\0\0\0hello",
        b"RIFF\x00\x00\x00\x00WEBPVP8 \xff\xff\xff\xff",
        b"\xff\xd8\xff\xe0 a photograph",
    ],
    ids=lambda content: repr(content[:16]),
)
def test_that_a_broken_or_foreign_file_merely_has_no_recipe(content: bytes) -> None:
    assert read_recipe(content) is None


@given(st.data())
def test_that_no_damage_to_a_file_does_more_than_lose_its_recipe(data) -> None:
    for ending in (".png", ".gif", ".webp"):
        content = bytearray(WHOLE[ending])
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        del content[data.draw(st.integers(0, len(content))) :]
        try:
            found = read_recipe(bytes(content))
        except Refusal:
            continue
        assert found is None or isinstance(found, Recipe)


def whole(form: str) -> bytes:
    from core.recipe_files import carrying

    stream = io.BytesIO()
    Image.fromarray(GREY[..., 0]).save(stream, form, **carrying(form, RECIPE.sentence, to_text(RECIPE)))
    return stream.getvalue()


WHOLE = {".png": whole("PNG"), ".gif": whole("GIF"), ".webp": whole("WEBP")}


def test_that_a_file_that_is_not_there_or_is_a_folder_has_no_recipe(tmp_path: Path) -> None:
    assert read_recipe(tmp_path / "nowhere.png") is None
    assert read_recipe(tmp_path) is None
    assert read_recipe(tmp_path / "alone.npy") is None


def test_that_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.png")
    assert read_recipe(tmp_path / "pipe.png") is None


def test_that_a_file_of_json_is_read_as_a_request(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(to_json(SAMPLE)))
    assert read_recipe(tmp_path / "r.json") == of_request(SAMPLE)
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe")
    with pytest.raises(Refusal):
        read_recipe(tmp_path / "bad.json")


def test_that_every_field_of_what_is_shown_is_bounded_or_of_few_values() -> None:
    assert {field.name for field in fields(Shown)} == {
        *("quantity", "step", "cells", "layout", "columns", "zoom", "names", "milliseconds", "there_and_back"),
        *("signed", "as_walked", "normalised", "steps", "beside", "hold", "row_names", "onward"),
    }
