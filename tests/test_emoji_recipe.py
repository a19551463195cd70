"""The recipe of the emoji model, on archives like those of the packages."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import Refusal
from core.model_folder import open_model
from core.training.dataset import open_folder
from core.unet_size import unet_parameters
from resources.recipes import making
from resources.recipes.emoji import GROUPS, HELD_OUT, NEVER_FLIPPED, SIDE, VENDORS, network, prepare_data
from tests.bench.digits_quality import draw

CODES = [f"1F{number:03X}" for number in range(40)]
CATEGORIES = ("Flags", "Food & Drink")


def png(colour: tuple[int, int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA", (64, 64), colour).save(stream, "PNG")
    return stream.getvalue()


def pack(folder: Path, vendor: str) -> None:
    entries = [
        {"unified": code, "image": f"{code.lower()}.png", "category": CATEGORIES[index % 2], f"has_img_{vendor}": True}
        for index, code in enumerate(CODES)
    ]
    entries.append({"unified": "1F3FB", "image": "1f3fb.png", "category": "Component", f"has_img_{vendor}": True})
    files = {"package/emoji.json": json.dumps(entries).encode()}
    files |= {f"package/img/{vendor}/64/{entry['image']}": png((255, 0, 0, 0)) for entry in entries}
    files["package/img/somebody/64/1f000.png"] = png((0, 0, 0, 255))
    with tarfile.open(folder / f"emoji-datasource-{vendor}-16.0.0.tgz", "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def prepared(tmp_path: Path) -> tuple[Path, Path]:
    for vendor in VENDORS:
        pack(tmp_path, vendor)
    return prepare_data(tmp_path)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}


def test_that_one_code_point_in_ten_is_held_out_of_both_vendors(prepared: tuple[Path, Path]) -> None:
    train, held_out = map(names, prepared)
    codes = [{name.split("/")[1].split("_")[0] for name in part} for part in (train, held_out)]
    assert len(codes[1]) == len(CODES) // HELD_OUT
    assert not codes[0] & codes[1]
    assert len(train) + len(held_out) == len(VENDORS) * len(CODES)


def test_that_components_and_pictures_of_others_are_left_out(prepared: tuple[Path, Path]) -> None:
    assert not any("1f3fb" in name for name in names(prepared[0]) | names(prepared[1]))
    assert {name.split("/")[0] for name in names(prepared[0])} == {"Flags", "Food and Drink"}


def test_that_what_is_transparent_is_white(prepared: tuple[Path, Path]) -> None:
    path = next(prepared[0].rglob("*.png"))
    assert np.array(Image.open(path)).tolist() == np.full((64, 64, 3), 255).tolist()


def test_that_flags_and_letters_are_never_mirrored(tmp_path: Path) -> None:
    for path in ("Flags/1f1e6_google.png", "Objects/1f4c5_twitter.png", "Objects/1f4a3_google.png"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (len(path), 0, 0)).save(tmp_path / path)
    data = open_folder(tmp_path, 8).unflipped(NEVER_FLIPPED)
    assert dict(zip(data.paths, data.flippable.tolist(), strict=True)) == {
        "Flags/1f1e6_google.png": False,
        "Objects/1f4a3_google.png": True,
        "Objects/1f4c5_twitter.png": False,
    }


def test_that_the_bundled_model_fits_24_megabytes_in_half_precision() -> None:
    assert 2 * unet_parameters(network(9)) <= 24_000_000


def test_that_an_archive_without_emoji_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making.shutil, "which", lambda name: None)
    with pytest.raises(Refusal, match="npm is needed"):
        prepare_data(tmp_path)


def test_that_the_bundled_model_draws_yellow_faces_on_white_where_faces_are_asked_for() -> None:
    model = open_model("emoji")
    assert model.info.event_shape == (3, SIDE, SIDE)
    assert len(model.info.labels) == GROUPS
    faces = torch.full((2,), model.info.labels.index("Smileys and Emotion"))
    x = draw(model, faces, 1.5, 8, 3, batch=2)
    corners = x[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert float(corners.min()) > 0.8
    red, _, blue = x[:, :, 8:24, 8:24].mean((2, 3)).unbind(1)
    assert bool((red > blue + 0.1).all())
