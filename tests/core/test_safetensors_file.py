"""Safetensors files as they are written here, read by the library that defines them."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, load_file

from core.safetensors_file import KINDS, write_safetensors


def written(tensors: dict[str, torch.Tensor], **more: object) -> bytes:
    stream = io.BytesIO()
    write_safetensors(stream, tensors, {"format": "pt"}, **more)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_that_every_kind_of_number_is_read_back(kind: str) -> None:
    dtype = getattr(torch, kind.removeprefix("torch."))
    tensors = {
        "b": torch.arange(6).reshape(2, 3).to(dtype),
        "a": torch.tensor(1).to(dtype),
        "none": torch.empty((0, 4), dtype=dtype),
        "turned": torch.arange(6).reshape(2, 3).to(dtype).T,
    }
    found = load(written(tensors))
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == dtype
        assert torch.equal(found[name], value)


def test_that_tensors_of_all_kinds_lie_aligned_in_one_file(tmp_path: Path) -> None:
    tensors = {kind: torch.arange(3).to(getattr(torch, kind.removeprefix("torch."))) for kind in KINDS}
    (tmp_path / "file").write_bytes(written(tensors))
    found = load_file(tmp_path / "file")
    assert all(torch.equal(found[name], value) for name, value in tensors.items())
    with safe_open(tmp_path / "file", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_that_weights_are_halved_where_that_is_asked_for() -> None:
    weights = torch.randn((4, 3, 3, 3), generator=torch.Generator().manual_seed(0))
    found = load(written({"w": weights.to(memory_format=torch.channels_last)}, dtype=torch.float16))
    assert torch.equal(found["w"], weights.half())


def test_that_no_copy_of_all_tensors_is_made(tmp_path: Path) -> None:
    tensors = {str(number): torch.zeros(250_000) for number in range(8)}
    tracemalloc.start()
    try:
        with (tmp_path / "file").open("wb") as file:
            write_safetensors(file, tensors, {})
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
