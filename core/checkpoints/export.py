"""Models written to folders: for diffusers, or as a safe copy that opens again without questions."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from core.checkpoints.description import Answers, Description, ExportForm
from core.errors import Refusal
from core.files import check_room, write_refusal
from core.folder_contents import OWN_FILE
from core.json_file import read_json
from core.messages import ClassifierInfo, ModelInfo
from core.model_folder import OpenModel, save_model
from core.requests import SamplerSpec
from core.unet_config import UNetConfig, expressible
from core.weights_file import OnProgress, never, unheard

if TYPE_CHECKING:
    from core.classifier_folder import OpenClassifier
    from core.network import Network


class Exportable(Protocol):
    """A model with its network in memory."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def network(self) -> Network: ...


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model was opened from: a folder or a file, what was known of it, and what the person said."""

    path: Path
    description: Description
    answers: Answers = field(default_factory=dict)


def export(
    model: Exportable,
    folder: Path,
    form: ExportForm,
    source: Source | None = None,
    *,
    half: bool = False,
    on_progress: OnProgress = unheard,
    check: Callable[[], None] = never,
) -> ModelInfo:
    """Write ``model`` to the new folder ``folder``, and beside it what is known of its ``source``. ``half`` stores the
    weights as float16; ``on_progress`` and ``check`` are those of ``save_model``. Returns what the folder then says.
    Raises Refusal where it cannot be written."""
    write = export_diffusers if form == "diffusers" else save_copy
    return write(model, folder, source, half=half, on_progress=on_progress, check=check)


def export_diffusers(
    model: Exportable,
    folder: Path,
    source: Source | None = None,
    *,
    half: bool = False,
    on_progress: OnProgress = unheard,
    check: Callable[[], None] = never,
) -> ModelInfo:
    """Write a folder that diffusers' pipelines load and that gives the same samples there. Raises Refusal, with the
    reason, where diffusers has no words for the model."""
    why = diffusers_cannot(model)
    if why:
        raise Refusal(f"{why} Save a safe copy instead, which opens here.")
    return save_copy(_in_its_words(model), folder, source, half=half, on_progress=on_progress, check=check)


def save_copy(
    model: Exportable,
    folder: Path,
    source: Source | None = None,
    *,
    half: bool = False,
    on_progress: OnProgress = unheard,
    check: Callable[[], None] = never,
) -> ModelInfo:
    """Write a folder of safetensors and JSON that opens here without questions. Raises Refusal."""
    check_new(folder, model.info.parameters * (2 if half else 4))
    return save_model(
        folder,
        model.network,
        model.info,
        provenance={} if source is None else _provenance(source),
        half=half,
        name=model.info.ref.name,
        on_progress=on_progress,
        check=check,
    )


def copy_opened(
    opened: OpenModel | OpenClassifier,
    folder: Path,
    source: Source,
    *,
    half: bool = False,
    on_progress: OnProgress = unheard,
    check: Callable[[], None] = never,
) -> ModelInfo | ClassifierInfo:
    """The same for whatever a checkpoint holds. Raises Refusal."""
    from core.classifier_folder import OpenClassifier, save_classifier

    if not isinstance(opened, OpenClassifier):
        return save_copy(opened, folder, source, half=half, on_progress=on_progress, check=check)
    check_new(folder, opened.info.parameters * (2 if half else 4))
    return save_classifier(
        folder,
        opened.network,
        opened.info,
        provenance=_provenance(source),
        half=half,
        name=opened.info.ref.name,
        on_progress=on_progress,
        check=check,
    )


def diffusers_cannot(model: Exportable) -> str:
    """Why diffusers could not say what this model is; "" where it can."""
    config = model.network.config
    if not isinstance(config, UNetConfig):
        return f"diffusers has no network like this one ({type(model.network).__name__})."
    if model.info.prediction == "mean":
        return "diffusers has no sampler for a network that predicts the posterior's mean."
    return expressible(config)


class _Said:
    """The same network, spoken of otherwise."""

    def __init__(self, info: ModelInfo, network: Network) -> None:
        self.info, self.network = info, network


def check_new(folder: Path, nbytes: int = 0) -> None:
    """Raise Refusal where something would be overwritten, nothing may be written, or so many bytes have no room."""
    try:
        is_taken = os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir()))
    except OSError as error:
        raise write_refusal(folder, error) from error
    if is_taken:
        raise Refusal(f"There is something at {folder} already. Name a new folder.")
    check_room(folder, nbytes)


def _in_its_words(model: Exportable) -> Exportable:
    """Only its DDPM parts a learned variance from the prediction: there such a network is sampled by no other."""
    if model.info.variance == "fixed":
        return model
    clip = "clamp" if model.info.sampler.clip == "rederive" else model.info.sampler.clip
    sampler = SamplerSpec("ddpm", variance="learned", clip=clip)
    return _Said(replace(model.info, sampler=sampler), model.network)


def _provenance(source: Source) -> dict[str, Any]:
    """What the folder said of it, or how the file was read."""
    own = source.path / OWN_FILE
    if own.is_file():
        said = read_json(own).get("provenance")
        return said if isinstance(said, dict) else {}
    described = source.description
    return {
        "format": described.family,
        "file": source.path.name,
        "answers": dict(source.answers),
        "facts": [asdict(fact) for fact in described.facts],
        "notes": list(described.notes),
    }
