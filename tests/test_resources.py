import re
from pathlib import Path

import pytest

import resources
from core.images import open_image

ROOT = Path(resources.__file__).parent
PHOTOS = ROOT / "samples" / "photos"


def test_that_there_are_colour_photographs_and_they_come_first() -> None:
    assert [sample.name for sample in resources.samples()][:3] == ["cat", "coffee", "rocket"]


@pytest.mark.parametrize("sample", resources.samples(), ids=lambda sample: sample.name)
def test_that_every_sample_opens_as_it_is_and_is_small(sample: resources.Bundled) -> None:
    assert sample.path.stat().st_size <= 120_000
    assert open_image(sample.path).notes == ()


def test_that_every_photograph_names_its_author_and_licence() -> None:
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+?) \| (.+?) \|$", (PHOTOS / "LICENCES.md").read_text(), re.M)
    assert {name for name, *_ in rows} == {path.name for path in PHOTOS.glob("*.jpg")}
    assert all("CC0" in licence for *_, licence in rows)


def test_that_every_bundled_model_is_small_and_states_its_licence() -> None:
    for model in resources.models():
        size = sum(path.stat().st_size for path in model.path.rglob("*") if path.is_file())
        assert size <= 8_000_000, model.name
        assert (model.path / "LICENCE.md").stat().st_size > 100
