"""Look-alikes of every family on the whole way in: written to a file, recognised, opened, and computing exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from core.checkpoints.family import Loose
from core.checkpoints.opening import describe, open_checkpoint
from core.checkpoints.recognise import families, recognise
from core.model_folder import OpenModel, open_model
from tests.lookalikes import LookAlike, all_lookalikes, relative_difference

LOOKALIKES = {f"{look.family}: {look.name}": look for look in all_lookalikes()}
Write = Callable[[LookAlike, Path], Path]


def as_torch_saves(look: LookAlike, folder: Path) -> Path:
    torch.save(look.tensors, folder / "unknown.pt")
    return folder / "unknown.pt"


def as_torch_saved_before_2020(look: LookAlike, folder: Path) -> Path:
    torch.save(look.tensors, folder / "unknown.pt", _use_new_zipfile_serialization=False)
    return folder / "unknown.pt"


def as_safetensors(look: LookAlike, folder: Path) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in look.tensors.items()}, folder / "unknown.safetensors")
    return folder / "unknown.safetensors"


def as_a_training_saves(look: LookAlike, folder: Path) -> Path:
    averaged = {f"module.{name}": torch.nn.Parameter(tensor) for name, tensor in look.tensors.items()}
    raw = {name: torch.zeros_like(tensor) for name, tensor in look.tensors.items()}
    torch.save({"state_dict": raw, "ema_state_dict": averaged, "epoch": 3}, folder / "unknown.pt")
    return folder / "unknown.pt"


WAYS: tuple[Write, ...] = (as_torch_saves, as_torch_saved_before_2020, as_safetensors, as_a_training_saves)


@pytest.mark.parametrize(
    ("name", "write"),
    [(name, WAYS[index % len(WAYS)]) for index, name in enumerate(LOOKALIKES)],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
@torch.inference_mode()
def test_that_a_file_of_every_family_opens_and_computes_exactly(name: str, write: Write, tmp_path: Path) -> None:
    look = LOOKALIKES[name]
    path = write(look, tmp_path)
    description = describe(path, look.answers)
    opened: Any = open_checkpoint(path, look.answers)
    assert not {question.key for question in description.questions} & set(look.answers)
    assert description.parameters == opened.info.parameters
    assert description.kind == ("model" if isinstance(opened, OpenModel) else "classifier")
    assert opened.info.event_shape == (look.channels, look.side, look.side)
    x, t, labels = look.inputs()
    assert relative_difference(opened.network(x, t, labels), look.reference(x, t, labels)) < 1e-4
    averaged = {fact.value for fact in description.facts if fact.name == "weights"}
    assert averaged == ({"averaged (EMA)"} if write is as_a_training_saves else set())


@pytest.mark.parametrize("name", LOOKALIKES)
def test_that_every_look_alike_is_recognised_by_its_own_family_alone(name: str) -> None:
    look = LOOKALIKES[name]
    found: Loose = look.loose()
    assert recognise(found) is look.reader
    assert [family for family in families() if family.recognises(found.shapes)] == [look.reader]


def test_that_a_model_opened_without_answers_says_what_was_guessed(tmp_path: Path) -> None:
    look = next(look for look in LOOKALIKES.values() if look.read().description.kind == "model" and look.answers)
    opened = open_model(as_torch_saves(look, tmp_path))
    asked = describe(tmp_path / "unknown.pt").questions
    assert asked
    assert any(note.startswith("Guessed") for note in opened.notes)
