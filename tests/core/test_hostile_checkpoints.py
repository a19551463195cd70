"""Malicious and broken files: nothing in them runs, nothing crashes, and each is told in words what it is."""

from __future__ import annotations

import pickle
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from safetensors.torch import save_file

from core.checkpoints.container import open_container
from core.errors import Refusal
from tests.bench.hostile import MB_ALLOWED, Told, tell
from tests.hostile import RAN, Case, all_cases

CASES = {case.name: case for case in all_cases()}


@cache
def told(name: str) -> Told:
    with TemporaryDirectory() as folder:
        return tell(CASES[name], Path(folder))


@pytest.mark.parametrize("name", CASES)
def test_that_a_hostile_file_is_refused_in_words_and_runs_nothing(name: str) -> None:
    result = told(name)
    assert not result.ran
    assert re.search(CASES[name].words, result.words), result.words or "it was opened"
    assert result.grown < MB_ALLOWED
    assert "Traceback" not in result.words
    assert len(result.words) < 400


def test_that_different_reasons_are_told_in_different_words() -> None:
    by_words: dict[str, set[str]] = {}
    for case in CASES.values():
        by_words.setdefault(told(case.name).words, set()).add(case.words)
    alike = {words: reasons for words, reasons in by_words.items() if len(reasons) > 1}
    assert not alike


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "builtins.exec"])
def test_that_the_programs_of_the_corpus_would_run_if_they_were_unpickled(name: str, tmp_path: Path) -> None:
    content = CASES[name].write(tmp_path).read_bytes()
    assert not (tmp_path / RAN).exists()
    pickle.loads(content[content.rindex(b"\x80\x02", 0, content.index(b"touch")) :])
    assert (tmp_path / RAN).exists()


WEIGHTS = {"one.weight": torch.arange(24.0).reshape(2, 3, 4), "one.bias": torch.tensor([1.5, -2.0]).half()}


def written(folder: Path) -> Iterator[Path]:
    torch.save(WEIGHTS, folder / "zip.pt")
    yield folder / "zip.pt"
    torch.save({"model": WEIGHTS, "step": 3}, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    yield folder / "legacy.pt"
    save_file(WEIGHTS, folder / "plain.safetensors")
    yield folder / "plain.safetensors"


def test_that_a_file_damaged_anywhere_is_read_or_refused_and_never_crashes(tmp_path: Path) -> None:
    chance = random.Random(0)
    opened, refusals = 0, []
    for path in written(tmp_path):
        whole = path.read_bytes()
        for _ in range(80):
            content = bytearray(whole)
            for _ in range(chance.choice((1, 1, 2, 8))):
                content[chance.randrange(len(content))] = chance.randrange(256)
            path.write_bytes(content[: chance.choice((len(content), chance.randrange(len(content))))])
            try:
                tensors = open_container(path).load()
            except Refusal as refusal:
                refusals.append(str(refusal))
            else:
                opened += 1
                assert all(tensor.dtype == torch.float32 for tensor in tensors.values())
    assert len(set(refusals)) > 10
    assert opened > 10  # most of the bytes are numbers, and any number is as good as another


def test_that_a_case_is_no_empty_promise() -> None:
    assert len(CASES) > 150
    assert isinstance(CASES["os.system"], Case)
