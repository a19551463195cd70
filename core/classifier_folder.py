"""A classifier as a folder, both ways, laid out as models are.

    classifier/config.json                            the network's options
    classifier/diffusion_pytorch_model.safetensors    its weights
    scheduler/scheduler_config.json                   the noise it has met
    diffuscope.json                                   kind "classifier", labels, whether it was trained on noise

``read_classifier`` and ``find_classifier`` need no torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.classifier_config import ClassifierConfig
from core.errors import Refusal
from core.files import write_json, written_whole
from core.folder_contents import MAX_NAME, OWN_FILE, WEIGHTS, inside, scheduler_of, weights_of
from core.json_file import Fields, read_json
from core.messages import ClassifierInfo
from core.requests import ModelRef, SamplerSpec
from core.safetensors_file import write_safetensors
from core.scheduler_config import SchedulerSays, write_scheduler
from core.weights_file import OnProgress, WeightsFile, digest, fill, never, unheard

if TYPE_CHECKING:
    from core.classifier import Classifier

BUNDLED = Path(__file__).resolve().parent.parent / "resources" / "classifiers"
KIND = "classifier"


@dataclass(frozen=True, slots=True)
class OpenClassifier:
    """A classifier with its weights in memory: ``network`` float32 on the CPU; ``notes`` are for the person."""

    info: ClassifierInfo
    network: Classifier
    folder: Path
    notes: tuple[str, ...] = ()


def bundled_classifiers() -> tuple[str, ...]:
    """Names of the classifiers that come with the program."""
    if not BUNDLED.is_dir():
        return ()
    return tuple(sorted(folder.name for folder in BUNDLED.iterdir() if is_classifier(folder)))


def is_classifier(folder: Path) -> bool:
    return (folder / KIND / "config.json").is_file()


def find_classifier(name_or_path: str | Path) -> Path:
    """The folder of a bundled classifier's name, or of a path to one or to a file in it. Raises Refusal."""
    if str(name_or_path) in bundled_classifiers():
        return BUNDLED / name_or_path
    path = Path(os.path.expanduser(name_or_path))
    given = path.parent if os.path.isfile(path) else path
    home = given.parent if given.name in (KIND, "scheduler") and is_classifier(given.parent) else given
    if is_classifier(home) or os.path.isdir(path):
        return home
    names = ", ".join(bundled_classifiers()) or "none"
    raise Refusal(
        f"There is no classifier “{name_or_path}”. Give a classifier's folder, or one of the bundled names: {names}."
    )


def read_classifier(path: str | Path) -> ClassifierInfo:
    """What a classifier's folder says about itself, without loading its weights. Raises Refusal."""
    return _read(find_classifier(path)).info


def open_classifier(
    path: str | Path, on_progress: OnProgress = unheard, check: Callable[[], None] = never
) -> OpenClassifier:
    """Open a classifier's folder. ``on_progress`` is told the bytes read, ``check`` is called many times a second and
    may raise. Raises Refusal, in words, for everything that is not exactly covered."""
    import torch

    from core.classifier import Classifier

    contents = _read(find_classifier(path), check)
    with torch.device("meta"):
        network = Classifier(contents.config)
    fill(network, contents.weights, str, on_progress, check)
    return OpenClassifier(contents.info, network.eval(), contents.folder, contents.notes)


def save_classifier(
    folder: str | Path,
    network: Classifier,
    info: ClassifierInfo,
    *,
    provenance: Mapping[str, Any] | None = None,
    half: bool = False,
    name: str = "",
    on_progress: OnProgress = unheard,
    check: Callable[[], None] = never,
) -> ClassifierInfo:
    """Write a classifier's folder; other files in it stay. Returns ``info`` as the folder now says it.

    ``half`` stores the weights as float16, half as large; ``name`` is what it is called where that is not its folder's
    name. A file is replaced as a whole or not at all; a new folder appears when it is complete. ``provenance`` is any
    JSON object: data, recipe, measured accuracy. ``on_progress`` is told the bytes of weights that are written,
    ``check`` is called meanwhile and may raise: nothing is left then. Raises Refusal where it cannot be written.
    """
    import torch

    folder = Path(folder)
    dtype = torch.float16 if half else torch.float32
    own = {
        "format": 1,
        "kind": KIND,
        **({"name": name} if name else {}),
        "description": info.description,
        "licence": info.licence,
        "labels": list(info.labels),
        "noisy": info.noisy,
        "provenance": dict(provenance or {}),
    }
    scheduler = write_scheduler(SchedulerSays(info.schedule, "eps", SamplerSpec("ddpm")))
    with written_whole(folder) as staging:
        write_json(staging / KIND / "config.json", network.config.to_json())
        write_json(staging / "scheduler" / "scheduler_config.json", scheduler)
        write_json(staging / OWN_FILE, own)
        with (staging / KIND / f"{WEIGHTS}.safetensors").open("wb") as file:
            write_safetensors(file, network.state_dict(), {"format": "pt"}, dtype, on_progress, check)
    return read_classifier(folder)


@dataclass(frozen=True, slots=True)
class _Contents:
    """A folder that has been looked through, its weights not yet read."""

    folder: Path
    config: ClassifierConfig
    weights: tuple[WeightsFile, ...]
    info: ClassifierInfo
    notes: tuple[str, ...]


def _read(folder: Path, check: Callable[[], None] = never) -> _Contents:
    name = folder.resolve().name
    config_file = inside(folder, f"{KIND}/config.json")
    if config_file is None:
        if (folder / "model_index.json").is_file() or (folder / "unet").is_dir():
            raise Refusal(
                f"“{name}” is a model that draws pictures, not a classifier. Open it as a model.", str(folder)
            )
        raise Refusal(
            f"“{name}” is not a classifier: it has no {KIND}/config.json. Choose the folder that holds {KIND}.",
            str(folder),
        )
    config = ClassifierConfig.from_json(read_json(config_file))
    notes: list[str] = []
    weights = weights_of(folder, config_file.parent, notes)
    says = scheduler_of(folder, notes)
    own_file = inside(folder, OWN_FILE)
    own = Fields({} if own_file is None else read_json(own_file), OWN_FILE)
    if own.text("kind") not in ("", KIND):
        raise Refusal(f"{OWN_FILE} says it is a {own.text('kind')[:60]}, but “{name}” holds a classifier's network.")
    noisy = own.flag("noisy", True)
    identity = json.dumps([config.to_json(), asdict(says.schedule), noisy], sort_keys=True)
    info = ClassifierInfo(
        ref=ModelRef(own.text("name")[:MAX_NAME] or name, digest((file.path for file in weights), identity, check)),
        event_shape=config.event_shape,
        labels=_labels(own, config.classes),
        schedule=says.schedule,
        features=config.features,
        noisy=noisy,
        parameters=sum(file.parameters for file in weights),
        description=own.text("description"),
        licence=own.text("licence"),
    )
    return _Contents(folder, config, weights, info, tuple(notes))


def _labels(own: Fields, classes: int) -> tuple[str, ...]:
    """Names of the classes in index order; numbers where the folder names none."""
    labels = own.texts("labels") or tuple(str(index) for index in range(classes))
    if len(labels) != classes:
        raise Refusal(f"{OWN_FILE} names {len(labels)} classes, but the network tells {classes} apart.")
    return labels
