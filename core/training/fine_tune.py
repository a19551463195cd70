"""An open model's network made fit for other pictures: its weights stay, only the classes may become others."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core.errors import Refusal
from core.library import NetworkModel
from core.network_config import trainable
from core.training.dataset import PictureFolder
from core.unet_config import UNetConfig

EMBEDDING = "class_embedding.weight"
TIME_BIAS = "time_embedding.linear_2.bias"
SHOWN = 5
"""Names of classes that a note lists."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a fine-tuning begins from: the network's options, its weights by name, and notes for the person."""

    network: UNetConfig
    weights: dict[str, Tensor]
    notes: tuple[str, ...] = ()


def beginning(base: NetworkModel, data: PictureFolder) -> Beginning:
    """The base's network for the pictures of ``data``, which have its number of channels.

    Its classes become those of ``data``: a class of the same name keeps its embedding, a new one begins as the null
    label, or as the mean of all classes where there is none. Where the pictures have no classes, that embedding joins
    the time's, so that the network answers as it did without a class; where the model has known none, all begin at 0.
    Raises Refusal where the pictures' size does not fit the network, and where that is none that can be trained.
    """
    config, size = trainable(base.network.config), data.pictures.shape[1]
    if size % config.side_multiple:
        raise Refusal(
            f"“{base.info.ref.name}” takes pictures whose sides are multiples of {config.side_multiple}, not {size}. "
            "Choose such a size."
        )
    weights = {name: tensor.detach().clone() for name, tensor in base.network.state_dict().items()}
    old = weights.pop(EMBEDDING, None)
    notes = []
    if config.sides != (size, size):
        was = " × ".join(map(str, config.sides or ()))
        notes.append(f"“{base.info.ref.name}” has learned pictures of {was}; it goes on with {size} × {size}.")
    if data.classes:
        weights[EMBEDDING] = _embedding(base, old, data.classes, len(weights[TIME_BIAS]))
    elif old is not None:
        weights[TIME_BIAS] += _no_class(base, old)
    notes += _about_classes(base, data.classes)
    network = replace(config, sample_size=size, num_class_embeds=len(data.classes) + 1 if data.classes else None)
    return Beginning(network, weights, tuple(notes))


def _embedding(base: NetworkModel, old: Tensor | None, classes: tuple[str, ...], width: int) -> Tensor:
    if old is None:
        return torch.zeros(len(classes) + 1, width)
    anew = _no_class(base, old).repeat(len(classes) + 1, 1)
    for index, name in enumerate(classes):
        if name in base.info.labels:
            anew[index] = old[base.info.labels.index(name)]
    return anew


def _no_class(base: NetworkModel, old: Tensor) -> Tensor:
    null = base.info.null_label
    return old.mean(dim=0) if null is None else old[null]


def _about_classes(base: NetworkModel, classes: tuple[str, ...]) -> list[str]:
    known = base.info.labels
    if known == classes:
        return []
    name = f"“{base.info.ref.name}”"
    if not known:
        return [f"{name} knows no classes; it learns the {len(classes)} of these pictures."]
    if not classes:
        return [f"These pictures have no classes: {name} forgets its {len(known)} and goes on without."]
    fresh = [label for label in classes if label not in known]
    lost = [label for label in known if label not in classes]
    words = [f"New to {name}: {_listed(fresh)}."] if fresh else []
    words += [f"It forgets what these pictures do not show: {_listed(lost)}."] if lost else []
    return [" ".join(words)] if words else []


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
