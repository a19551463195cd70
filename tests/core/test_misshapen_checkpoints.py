"""State dicts that look like a family's and are not: whatever is wrong with them, they are refused in words."""

from __future__ import annotations

import contextlib
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.checkpoints.family import Loose
from core.errors import Refusal
from tests.lookalikes import LookAlike, all_lookalikes

FAMILIES = ("improved-diffusion", "guided-diffusion", "DDPM in PyTorch", "lucidrains")
SHAPES = st.lists(st.integers(1, 70), max_size=5).map(tuple)


@cache
def lookalike(family: str) -> LookAlike:
    return next(look for look in all_lookalikes() if look.family == family)


@st.composite
def spoiled(draw: Any, look: LookAlike) -> dict[str, tuple[int, ...]]:
    """Its shapes, some of them other ones, left out, or under names that nearly are its own."""
    shapes = {name: tuple(tensor.shape) for name, tensor in look.tensors.items()}
    names = sorted(shapes)
    for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)):
        change = draw(st.sampled_from(["shape", "leave out", "rename", "further"]))
        other = ".".join(draw(st.permutations(name.split(".")))) + draw(st.sampled_from(["", ".mem_kv", ".9", ".g"]))
        if change == "shape":
            shapes[name] = draw(SHAPES)
        elif change == "further":
            shapes[other] = draw(SHAPES)
        elif change == "rename":
            shapes[other] = shapes.pop(name)
        else:
            shapes.pop(name)
    return shapes


@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
@settings(max_examples=15)
def test_that_a_spoiled_state_dict_is_refused_or_read_whole(family: str, data: st.DataObject) -> None:
    look = lookalike(family)
    shapes = data.draw(spoiled(look))
    if not look.reader.recognises(shapes):
        return
    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    with contextlib.suppress(Refusal):
        reading = look.reader.read(Loose(shapes, lambda name: torch.ones(shapes[name]), "spoiled.pt"), look.answers)
        with torch.device("meta"):
            network = reading.build()
        network.load_state_dict(reading.convert(tensors), strict=True, assign=True)
        assert sum(tensor.numel() for tensor in network.state_dict().values()) > 0
