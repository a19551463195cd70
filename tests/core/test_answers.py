"""What a person said of checkpoints: kept by what is in them, bounded, and never in the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.checkpoints.answers import DAMAGED, MOST, AnswerBook, fingerprint
from core.errors import Refusal

SAID = {"heads": "4", "size": "64"}


@pytest.fixture
def book(tmp_path: Path) -> AnswerBook:
    return AnswerBook(tmp_path / "answers.json")


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_that_a_file_is_known_again_wherever_it_lies_and_whatever_it_is_called(
    book: AnswerBook, tmp_path: Path
) -> None:
    first = write(tmp_path / "a.pt", b"weights" * 10_000)
    assert book.of(first) is None
    book.remember(first, SAID)
    (tmp_path / "elsewhere").mkdir()
    assert book.of(first.rename(tmp_path / "elsewhere" / "b.ckpt")) == SAID
    assert AnswerBook(tmp_path / "answers.json").of(tmp_path / "elsewhere" / "b.ckpt") == SAID


def test_that_files_of_equal_length_are_told_apart_by_what_is_in_them(tmp_path: Path) -> None:
    content = bytearray(bytes(range(256)) * 4000)
    first = fingerprint(write(tmp_path / "a.pt", bytes(content)))
    for place in (0, len(content) // 2, len(content) - 1):
        other = content.copy()
        other[place : place + 20_000] = b"\0" * len(other[place : place + 20_000])
        assert fingerprint(write(tmp_path / "b.pt", bytes(other))) != first
    assert fingerprint(write(tmp_path / "b.pt", bytes(content) + b"\0")) != first


def test_that_small_and_empty_files_have_one_as_well(tmp_path: Path) -> None:
    marks = {fingerprint(write(tmp_path / "a.pt", content)) for content in (b"", b"a", b"b", b"ab")}
    assert len(marks) == 4


def test_that_a_folder_is_known_by_its_weights_and_configuration_and_not_by_what_else_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "model" / "unet").mkdir(parents=True)
    weights = write(tmp_path / "model" / "unet" / "diffusion_pytorch_model.safetensors", b"one")
    first = fingerprint(tmp_path / "model")
    write(tmp_path / "model" / "notes.txt", b"anything")
    assert fingerprint(tmp_path / "model") == first
    weights.write_bytes(b"two")
    assert fingerprint(tmp_path / "model") != first
    weights.write_bytes(b"one")
    write(tmp_path / "model" / "unet" / "config.json", b"{}")
    assert fingerprint(tmp_path / "model") != first


def test_that_a_later_answer_replaces_the_one_before_and_the_oldest_make_room(book: AnswerBook, tmp_path: Path) -> None:
    old = {f"{place:064x}": SAID for place in range(MOST)}
    write(tmp_path / "answers.json", json.dumps({"format": 1, "answers": old}).encode())
    file = write(tmp_path / "a.pt", b"weights")
    book.remember(file, SAID)
    book.remember(file, {"heads": "64c"})
    assert book.of(file) == {"heads": "64c"}
    kept = json.loads((tmp_path / "answers.json").read_text())["answers"]
    assert len(kept) == MOST
    assert f"{0:064x}" not in kept
    assert f"{MOST - 1:064x}" in kept


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[1]", b"{", b'{"answers": ' + b"[" * 100_000])
def test_that_a_damaged_file_is_set_aside_and_said(book: AnswerBook, tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "answers.json", content)
    file = write(tmp_path / "a.pt", b"weights")
    assert book.of(file) is None
    assert "could not be read" in book.damage
    assert (tmp_path / DAMAGED).read_bytes() == content
    book.remember(file, SAID)
    assert book.of(file) == SAID


@pytest.mark.parametrize("said", [7, ["heads"], {"heads": 4}, {"heads": "4" * 1000}, {str(k): "1" for k in range(99)}])
def test_that_answers_of_another_form_are_none(book: AnswerBook, tmp_path: Path, said: object) -> None:
    file = write(tmp_path / "a.pt", b"weights")
    write(tmp_path / "answers.json", json.dumps({"answers": {fingerprint(file): said}}).encode())
    assert book.of(file) is None


def test_that_a_file_that_is_gone_has_no_answers_and_is_given_none(book: AnswerBook, tmp_path: Path) -> None:
    assert book.of(tmp_path / "gone.pt") is None
    with pytest.raises(Refusal, match=r"gone\.pt cannot be read"):
        book.remember(tmp_path / "gone.pt", SAID)
