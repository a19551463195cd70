"""Opening any checkpoint, a file of weights or a folder: what it is, and then the network with its weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.checkpoints.container import Container, open_container
from core.checkpoints.description import Answers, Description
from core.checkpoints.family import Reading
from core.checkpoints.folder_description import described
from core.checkpoints.recognise import recognise
from core.checkpoints.which_weights import WEIGHTS_KEY, named, options, taken, wanted_weights
from core.dataspec import ImageSpec
from core.errors import Refusal
from core.folder_contents import MAX_NAME, FolderContents, read_folder
from core.messages import ClassifierInfo, ModelInfo
from core.model_folder import OpenModel
from core.requests import ModelRef
from core.weights_file import OnProgress, compare, digest, fill, never, unheard

if TYPE_CHECKING:
    from torch import nn

    from core.classifier_folder import OpenClassifier

NO_ANSWERS: Answers = {}


def describe(path: str | Path, answers: Answers = NO_ANSWERS) -> Description:
    """What a file of weights or a model folder is, without reading its weights or importing torch.

    ``answers`` are the person's, by the key of the question; what is missing is guessed, and stays among the questions.
    Raises Refusal, in words, for what cannot be opened.
    """
    path = Path(path)
    if path.is_dir():
        return described(read_folder(path, answers, hashed=False))
    return _look(path, answers)[1].description


def open_checkpoint(
    path: str | Path,
    answers: Answers = NO_ANSWERS,
    on_progress: OnProgress = unheard,
    check: Callable[[], None] = never,
) -> OpenModel | OpenClassifier:
    """Open a file of weights or a model folder, float32 on the CPU.

    ``answers`` as in ``describe``: what is missing is guessed, and the notes say so. ``on_progress`` is told the bytes
    read, ``check`` is called many times a second and may raise. Raises Refusal, in words, for what cannot be opened.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(read_folder(path, answers, check), on_progress, check)
    container, reading = _look(path, answers)
    network = reading.build()
    _try_out(network, container, reading)
    sha256 = digest((path,), _identity(container, reading), check)
    ref = ModelRef(named(path.stem, container.is_raw_half)[:MAX_NAME], sha256)
    tensors = reading.convert(container.load(on_progress, check))
    network.load_state_dict(tensors, strict=True, assign=True)
    network.eval()
    notes = (*reading.description.notes, *_guesses(reading.description))
    if reading.description.kind == "classifier":
        return _classifier(path, ref, reading, network, notes)
    spec = ImageSpec(reading.event_shape)
    return OpenModel(_info(ref, reading), spec, network, reading.config, path, notes)  # type: ignore[arg-type]


def _look(path: Path, answers: Answers) -> tuple[Container, Reading]:
    container = open_container(path, wanted_weights(answers))
    reading = recognise(container.loose).read(container.loose, answers)
    container.weights.check_kinds()
    weights = taken(container.averaged, container.has_both, answers)
    description = replace(
        reading.description,
        facts=(*reading.description.facts, *([weights] if container.averaged or WEIGHTS_KEY in answers else [])),
        options=options(container.has_both),
        notes=(*container.notes, *reading.description.notes, *reading.says.notes),
        tensors=len(container.loose.shapes),
        nbytes=container.nbytes,
    )
    return container, replace(reading, description=description)


def _try_out(network: nn.Module, container: Container, reading: Reading) -> None:
    """Convert tensors without data first, so that what does not fit is refused before anything is read."""
    import torch

    empty = {name: torch.empty(shape, device="meta") for name, shape in container.loose.shapes.items()}
    compare(network, {name: tuple(tensor.shape) for name, tensor in reading.convert(empty).items()})


def _open_folder(contents: FolderContents, on_progress: OnProgress, check: Callable[[], None]) -> OpenModel:
    import torch

    from core.network_config import network_of

    with torch.device("meta"):
        network = network_of(contents.config)
    fill(network, contents.weights, str, on_progress, check)
    spec = ImageSpec(contents.info.event_shape)
    return OpenModel(contents.info, spec, network.eval(), contents.config, contents.folder, contents.notes)


def _guesses(description: Description) -> tuple[str, ...]:
    """What was guessed, in a sentence."""
    guessed = [f"{fact.name}: {fact.value}" for fact in description.facts if fact.origin == "guessed"]
    return (f"Guessed, as the file does not say it: {'; '.join(guessed)}.",) if guessed else ()


def _identity(container: Container, reading: Reading) -> str:
    """Which weights of the file are meant, and what they mean, as text, for the hash that names the model."""
    says, other_half = reading.says, ["raw"] if container.is_raw_half else []
    if reading.description.kind == "classifier":
        return json.dumps([reading.config.to_json(), asdict(says.schedule), True, *other_half], sort_keys=True)
    learned = [] if says.variance == "fixed" else [says.variance]
    return json.dumps([reading.config.to_json(), says.prediction, *learned, *other_half], sort_keys=True)


def _info(ref: ModelRef, reading: Reading) -> ModelInfo:
    says = reading.says
    return ModelInfo(
        ref=ref,
        event_shape=reading.event_shape,
        schedule=says.schedule,
        prediction=says.prediction,
        labels=reading.labels,
        null_label=reading.null_label,
        sampler=says.sampler,
        spacing=says.spacing,
        final_alpha_bar=says.final_alpha_bar,
        steps_offset=says.steps_offset,
        parameters=reading.description.parameters,
        description=reading.description.family,
        variance=says.variance,
    )


def _classifier(
    path: Path, ref: ModelRef, reading: Reading, network: nn.Module, notes: tuple[str, ...]
) -> OpenClassifier:
    from core.classifier_folder import OpenClassifier

    info = ClassifierInfo(
        ref=ref,
        event_shape=reading.event_shape,
        labels=reading.labels,
        schedule=reading.says.schedule,
        features=reading.config.features,
        parameters=reading.description.parameters,
        description=reading.description.family,
    )
    return OpenClassifier(info, network, path, notes)  # type: ignore[arg-type]


def refuse_classifier(name: str) -> Refusal:
    """What to tell where a classifier is opened as a model."""
    return Refusal(
        f"“{name}” is a classifier: it recognises pictures and draws none. Open it where a classifier is asked for, "
        "to guide or to judge."
    )
