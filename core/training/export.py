"""A run's model by itself: a folder, or a zip file of one, that opens everywhere. Torch-free.

What the training needs to go on (optimiser, checkpoints, history) stays behind.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from safetensors.numpy import load, save

from core.classifier_folder import is_classifier, read_classifier
from core.errors import Refusal
from core.files import check_writable, write_file, written_whole
from core.folder_contents import OWN_FILE, WEIGHTS
from core.model_folder import read_info
from core.training.run_folder import check_run
from core.training.runs import is_run

SCHEDULER = "scheduler/scheduler_config.json"
TRIES = 3


def export_run(folder: Path, out: Path, *, half: bool = False) -> Path:
    """Write the model, or classifier, of the run in ``folder`` to the new folder ``out``, or into a zip file where that
    ends in .zip; ``half`` stores the weights as float16, half as large. Returns ``out``. A run at work is exported as
    it was last saved. Raises Refusal where there is no model yet, or where ``out`` cannot be written."""
    own = check_run(folder)
    if not is_run(own):
        raise Refusal(f"“{own.name}” is an ablation: export its trainings one by one.")
    out = out.absolute()
    if out.resolve().is_relative_to(own):
        raise Refusal(f"{out} lies within the training itself. Name a place outside it.")
    if out.suffix.lower() == ".zip":
        check_writable(out)
        content = _content(own, half)
        write_file(out, lambda stream: _zip(stream, out.stem, content))
        return out
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise Refusal(f"There is something at {out} already. Name a new folder.")
    with written_whole(out) as staging:
        for name, data in _content(own, half).items():
            (staging / name).parent.mkdir(exist_ok=True)
            (staging / name).write_bytes(data)
        _check(staging)
    return out


def _content(folder: Path, half: bool) -> dict[str, bytes]:
    """The model's files by their names in its folder, all of one save."""
    _check(folder)
    part = "classifier" if is_classifier(folder) else "unet"
    weights = f"{part}/{WEIGHTS}.safetensors"
    names = (OWN_FILE, *(("model_index.json",) if part == "unet" else ()), f"{part}/config.json", weights, SCHEDULER)
    try:
        for _ in range(TRIES):
            content = {name: (folder / name).read_bytes() for name in names}
            if content[OWN_FILE] == (folder / OWN_FILE).read_bytes():  # else it was saved meanwhile
                break
    except OSError as error:
        raise Refusal(
            f"The model of “{folder.name}” cannot be read ({error.strerror or error}).", repr(error)
        ) from error
    if half:
        tensors = {key: values.astype(np.float16) for key, values in load(content[weights]).items()}
        content[weights] = save(tensors, {"format": "pt"})
    return content


def _check(folder: Path) -> None:
    """Raise Refusal where there is nothing that opens."""
    (read_classifier if is_classifier(folder) else read_info)(folder)


def _zip(stream: BinaryIO, name: str, content: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for path, data in content.items():
            how = (
                zipfile.ZIP_STORED if path.endswith(".safetensors") else zipfile.ZIP_DEFLATED
            )  # noise packs to nothing
            file.writestr(f"{name}/{path}", data, how)
