"""Classifier folders: equal bits after a round trip, and refusals in words for what is damaged or malicious."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.classifier import Classifier
from core.classifier_folder import find_classifier, open_classifier, read_classifier, save_classifier
from core.errors import Refusal
from core.levels import CLEAN
from core.messages import ClassifierInfo
from core.model_folder import read_info, save_model
from core.recognisers import open_recogniser
from core.requests import ModelRef, ScheduleSpec
from tests.core.test_classifier import pictures, tiny
from tests.core.test_model_folder import TINY, info_of
from tests.core.test_unet import network_of

WEIGHTS = "classifier/diffusion_pytorch_model.safetensors"
CONFIG = "classifier/config.json"


def described(network: Classifier, **changes: Any) -> ClassifierInfo:
    values: dict[str, Any] = {"labels": ("ant", "bee", "cat"), "schedule": ScheduleSpec("cosine", 500)} | changes
    config = network.config
    return ClassifierInfo(ModelRef("", ""), config.event_shape, features=config.features, **values)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = tiny()
    save_classifier(tmp_path / "insects", network, described(network, licence="free"), provenance={"accuracy": 0.5})
    return tmp_path / "insects"


def change(path: Path, **changes: Any) -> None:
    """Set fields of a JSON file; ``...`` takes one out."""
    data = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: value for name, value in data.items() if value is not ...}))


def test_that_a_classifier_comes_back_with_equal_bits(folder: Path) -> None:
    network, opened = tiny(), open_classifier(folder)
    x, t = pictures(3), torch.tensor([0.0, 10.0, 400.0])
    assert torch.equal(opened.network(x, t), network(x, t))
    assert opened.network.config.to_json() == network.config.to_json()
    assert not opened.network.training


def test_that_a_folder_says_what_it_is(folder: Path) -> None:
    info = read_classifier(folder)
    assert info.labels == ("ant", "bee", "cat")
    assert info.schedule.name == "cosine"
    assert info.schedule.T == 500
    assert (info.event_shape, info.features, info.noisy, info.licence) == ((1, 8, 8), 16, True, "free")
    assert info.parameters == sum(parameter.numel() for parameter in tiny().parameters())
    assert info.ref.name == "insects"
    assert len(info.ref.sha256) == 64
    own = json.loads((folder / "diffuscope.json").read_text())
    assert own["kind"] == "classifier"
    assert own["provenance"] == {"accuracy": 0.5}


def test_that_a_judge_stays_one(tmp_path: Path) -> None:
    info = save_classifier(tmp_path / "judge", tiny(), described(tiny(), noisy=False), name="the judge")
    assert not info.noisy
    assert info.ref.name == "the judge"


def test_that_the_hash_is_of_weights_noise_and_kind(tmp_path: Path) -> None:
    def ref(name: str, network: Classifier, **changes: Any) -> str:
        return save_classifier(tmp_path / name, network, described(network, **changes)).ref.sha256

    first = ref("a", tiny())
    assert ref("b", tiny(), labels=("x", "y", "z"), licence="other") == first
    others = {
        ref("c", tiny(seed=1)),
        ref("d", tiny(), noisy=False),
        ref("e", tiny(), schedule=ScheduleSpec("linear")),
    }
    assert len(others | {first}) == 4


def test_that_half_the_bytes_are_opened_as_float32(tmp_path: Path) -> None:
    network = tiny()
    save_classifier(tmp_path / "half", network, described(network), half=True)
    save_classifier(tmp_path / "whole", network, described(network))
    sizes = [(tmp_path / name / WEIGHTS).stat().st_size for name in ("half", "whole")]
    opened = open_classifier(tmp_path / "half").network
    assert sizes[0] < 0.65 * sizes[1]
    for name, value in opened.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, network.state_dict()[name].half().float())


@pytest.mark.parametrize("inside", ["", "classifier", "scheduler", "diffuscope.json", CONFIG, WEIGHTS])
def test_that_a_folder_is_found_by_anything_in_it(folder: Path, inside: str) -> None:
    assert find_classifier(folder / inside) == folder
    assert open_recogniser(folder / inside).folder == folder


def test_that_a_recogniser_is_opened_with_its_folder(folder: Path) -> None:
    opened = open_recogniser(folder)
    assert opened.folder == folder
    assert opened.recogniser.info == read_classifier(folder)
    assert opened.recogniser.log_probabilities(pictures(2), CLEAN).shape == (2, 3)


def test_that_classes_without_names_are_numbered(folder: Path) -> None:
    (folder / "diffuscope.json").unlink()
    info = read_classifier(folder)
    assert info.labels == ("0", "1", "2")
    assert info.noisy


def test_that_what_is_no_classifier_is_refused_in_words(tmp_path: Path) -> None:
    network = network_of(**TINY)
    save_model(tmp_path / "model", network, info_of(network))
    (tmp_path / "empty").mkdir()
    for path, words in (("model", "draws pictures"), ("empty", "no classifier/config.json"), ("none", "no classifier")):
        with pytest.raises(Refusal, match=words):
            open_recogniser(tmp_path / path)


def test_that_a_classifier_is_not_taken_for_a_model(folder: Path) -> None:
    with pytest.raises(Refusal, match="is a classifier: it recognises pictures and draws none"):
        read_info(folder)


Spoil = Callable[[Path], object]


def _set(**changes: Any) -> Spoil:
    return lambda folder: change(folder / CONFIG, **changes)


def _own(**changes: Any) -> Spoil:
    return lambda folder: change(folder / "diffuscope.json", **changes)


def _reshaped(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors["to_logits.weight"] = torch.zeros(4, 16)
    save_file(tensors, folder / WEIGHTS)


def _without(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    del tensors["pool.positions"]
    save_file(tensors, folder / WEIGHTS)


def _not_a_number(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors["to_logits.bias"][0] = float("nan")
    save_file(tensors, folder / WEIGHTS)


def _cut(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:-10])


def _linked_away(folder: Path) -> None:
    elsewhere = folder.parent / "secret.safetensors"
    shutil.move(folder / WEIGHTS, elsewhere)
    (folder / WEIGHTS).symlink_to(elsewhere)


def _pickled(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).with_suffix(".bin").write_bytes(b"\x80\x02cos\nsystem\nU\x04true\x85R.")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_set(_class_name="UNet2DModel"), "not a classifier"),
        (_set(_class_name=...), "not a classifier"),
        (_set(classes=10**12), "classes apart"),
        (_set(classes=1), "classes apart"),
        (_set(classes="many"), "classes must be a whole number"),
        (_set(classes=4), "tells 4 apart"),
        (_set(sample_size=None), "how large"),
        (_set(sample_size=10**9), "sample_size"),
        (_set(sample_size=4096), "do not fit"),
        (_set(sample_size=9), "multiples of 2"),
        (_set(block_out_channels=[8, 10**9]), "block_out_channels"),
        (_set(block_out_channels=[16, 16]), "do not belong"),
        (_set(down_block_types="DownBlock2D"), "down_block_types"),
        (_set(down_block_types=["DownBlock2D"] * 50), "down_block_types"),
        (_set(layers_per_block=10**9), "layers_per_block"),
        (_set(layers_per_block=2), "do not belong"),
        (_set(attention_head_dim=7), "attention_head_dim"),
        (_own(labels=["ant"]), "names 1 classes"),
        (_own(labels="ant"), "list of texts"),
        (_own(noisy="yes"), "noisy must be true or false"),
        (_set(classes=100_000), "tells 100000 apart"),
        (lambda folder: (_set(classes=100_000)(folder), (folder / "diffuscope.json").unlink()), "do not fit"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b""), "damaged"),
        (lambda folder: (folder / CONFIG).write_bytes(b""), "not valid JSON"),
        (lambda folder: (folder / "diffuscope.json").write_bytes(b"\xff\xfe"), "not valid JSON"),
        (lambda folder: (folder / WEIGHTS).write_bytes((2**62).to_bytes(8, "little") + b"{}"), "damaged"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "pointer"),
        (lambda folder: (folder / WEIGHTS).rename(folder / CONFIG), "not valid JSON|larger than"),
        (_own(kind="model"), "says it is a model"),
        (_own(kind=["classifier"]), "kind"),
        (_reshaped, "do not fit"),
        (_without, "1 tensors are missing"),
        (_not_a_number, "not numbers"),
        (_cut, "cut short"),
        (_linked_away, "leads out"),
        (_pickled, "would run os.system"),
        (lambda folder: (folder / CONFIG).write_text("{"), "not valid JSON"),
        (lambda folder: (folder / CONFIG).write_text("[" * 100_000), "not valid JSON"),
        (lambda folder: (folder / CONFIG).write_text(" " * 2_000_000), "larger than"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"\xff" * 64), "damaged"),
        (lambda folder: (folder / WEIGHTS).unlink(), "missing"),
        (lambda folder: change(folder / "scheduler/scheduler_config.json", num_train_timesteps=10**9), "timesteps"),
    ],
)
def test_that_a_damaged_or_malicious_folder_is_refused_in_words(folder: Path, spoil: Spoil, words: str) -> None:
    spoil(folder)
    with pytest.raises(Refusal, match=words):
        open_recogniser(folder)


def test_that_the_person_is_told_of_what_was_given_not_of_where_it_lies(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("no classifier")
    for given, words in (("notes.txt", "no classifier “notes.txt”"), (".", f"“{tmp_path.name}” is not a classifier")):
        with pytest.raises(Refusal, match=words):
            open_recogniser(given)
