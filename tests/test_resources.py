import json
import re
from pathlib import Path

import pytest
import torch

import resources
from core.checkpoints.opening import describe
from core.classifier_folder import bundled_classifiers, read_classifier
from core.conversion import convert, default_conversion
from core.images import open_image
from core.levels import CLEAN
from core.model_folder import find_model, read_info
from core.recognisers import open_recogniser
from resources.recipes.emoji import GUIDANCE

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
        assert size <= (24_000_000 if model.name == "emoji" else 8_000_000), model.name
        assert (model.path / "LICENCE.md").stat().st_size > 100


def test_that_every_bundled_classifier_is_small_and_states_its_licence_and_what_it_was_never_shown() -> None:
    names = bundled_classifiers()
    assert names == ("digits-guide", "digits-judge")
    for name in names:
        folder = ROOT / "classifiers" / name
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= 900_000, name
        assert "CC BY-SA 3.0" in (folder / "LICENCE.md").read_text()
        info = read_classifier(name)
        assert "CC BY-SA 3.0" in info.licence
        assert info.labels == tuple("0123456789")
        assert info.event_shape == (1, 32, 32)
        assert info.noisy == (name == "digits-guide")
        told = json.loads((folder / "diffuscope.json").read_text())["provenance"]["held_out"]
        assert told["pictures"] == 1000
        assert told["recognised"][0] >= (0.97 if name == "digits-judge" else 0.96)
        assert len(told["recognised"]) == len(told["timesteps"])


def test_that_the_bundled_classifiers_recognise_the_sample_digits() -> None:
    for name in bundled_classifiers():
        recogniser = open_recogniser(name).recogniser
        for sample in (ROOT / "samples" / "digits").glob("*.png"):
            pixels = open_image(sample).pixels
            picture = convert(pixels, default_conversion(pixels, (32, 32), 1))
            x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
            label = int(recogniser.log_probabilities(x, CLEAN).argmax())
            assert str(label) in sample.stem, (name, sample.name)


def test_that_emoji_say_how_they_are_best_sampled_and_digits_leave_it_open() -> None:
    emoji, digits = read_info("emoji"), read_info("digits")
    assert (emoji.usual_guidance, emoji.usual_steps) == (GUIDANCE, 50)
    assert (digits.usual_guidance, digits.usual_steps) == (None, None)
    facts = {fact.name: fact.value for fact in describe(find_model("emoji")).facts}
    assert facts["usually"] == "guidance w = 1.5, 50 steps"
    assert "usually" not in {fact.name for fact in describe(find_model("digits")).facts}
