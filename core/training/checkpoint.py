"""A run's checkpoint: one safetensors file, replaced as a whole, so that a power cut costs minutes, never the run."""

from __future__ import annotations

import json
import os
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from core.errors import Refusal
from core.files import write_file, write_refusal
from core.training.request import TrainRequest
from core.training.trainer import Trainer

FILE = Path("training") / "checkpoint.safetensors"


def save_checkpoint(trainer: Trainer, folder: Path) -> None:
    """Write the trainer's state into a run's folder. Raises Refusal where it cannot be written."""
    tensors, numbers = trainer.state()
    metadata = {"request": trainer.request.to_text(), "numbers": json.dumps(numbers)}
    content = save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, metadata)
    try:
        (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_refusal(folder, error) from error
    write_file(folder / FILE, lambda stream: stream.write(content))


def read_request(folder: Path) -> TrainRequest | None:
    """The request of the run in ``folder``, None where there is no checkpoint. Raises Refusal where it is damaged."""
    path = folder / FILE
    if not os.path.isfile(path):
        return None
    try:
        with safe_open(str(path), framework="pt") as file:
            return TrainRequest.from_json(json.loads(file.metadata()["request"]))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def load_checkpoint(trainer: Trainer, folder: Path) -> None:
    """Put a trainer where the checkpoint in ``folder`` was. Raises Refusal where it is damaged or another network's."""
    path = folder / FILE
    try:
        with safe_open(str(path), framework="pt") as file:
            numbers = {name: float(value) for name, value in json.loads(file.metadata()["numbers"]).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from error
    trainer.restore(tensors, numbers)


def _damaged(path: Path, error: Exception) -> Refusal:
    return Refusal(f"The checkpoint {path} is damaged. Remove it to train from the start.", repr(error))
