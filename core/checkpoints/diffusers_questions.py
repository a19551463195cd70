"""What the weights of a UNet2DModel cannot say, as questions with the best guess."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from core.checkpoints.description import Choice, Question
from core.checkpoints.diffusers_anatomy import Anatomy
from core.unet_config import MAX_SIDE


@dataclass(frozen=True, slots=True)
class Preset:
    """What a configuration says beside the shapes. ``head`` is how many channels a head has; None: all, in one head."""

    words: str
    head: int | None
    options: dict[str, Any]


_DIFFUSERS = {"norm_eps": 1e-5, "downsample_padding": 1, "flip_sin_to_cos": True, "freq_shift": 0}
PRESETS = {
    "google": Preset(
        "Google's DDPM (google/ddpm-…): one head, cut off on the right and below",
        None,
        {"norm_eps": 1e-6, "downsample_padding": 0, "flip_sin_to_cos": False, "freq_shift": 1},
    ),
    "diffusers": Preset("diffusers' defaults (its examples and courses): heads of 8 channels", 8, _DIFFUSERS),
    "adm": Preset("ADM converted for diffusers: heads of 64 channels", 64, _DIFFUSERS),
}
_GOOGLE = ("google", "cifar", "celeba", "church", "bedroom", "ddpm-cat")
_ALIKE = ((128, 256, 256, 256), (128, 128, 256, 256, 512, 512))  # the widths of Google's models


def preset_question(anatomy: Anatomy, file_name: str) -> Question:
    """Who trained it."""
    choices = tuple(Choice(key, preset.words) for key, preset in PRESETS.items() if anatomy.allows_head(preset.head))
    choices = choices or (Choice("diffusers", "diffusers' defaults, with heads of another width"),)
    offered = [choice.value for choice in choices]
    named_so = any(word in file_name.lower() for word in _GOOGLE)
    best, why = "diffusers", "Most models of this kind were trained with diffusers' defaults."
    if anatomy.film and anatomy.downsample_type == "resnet":
        best, why = "adm", "The times scale and shift, and residual blocks change the resolution, as in ADM."
    elif anatomy.widths == _ALIKE[0] or (anatomy.widths in _ALIKE and named_so):
        best, why = "google", "It has the widths of Google's models" + (", and is called so." if named_so else ".")
    elif anatomy.widths in _ALIKE:
        why = "Google's models and those of diffusers' examples are alike in all that the file holds; these are more."
    if best not in offered:
        best, why = offered[0], "It is the only way of those known that fits the tensors' sizes."
    return Question("preset", "Trained as", best, why, choices)


def size_question(anatomy: Anatomy, preset: str) -> Question:
    multiple = anatomy.side_multiple
    attending = [level for level, kind in enumerate(anatomy.down) if kind.startswith("Attn")]
    if preset == "google" and len(attending) == 1:
        size, why = 16 * 2 ** attending[0], "DDPM attends where pictures are 16 pixels wide."
    elif len(anatomy.widths) >= 5:
        size, why = 4 * multiple, "Networks as deep as this mostly end at 4 × 4 pixels."
    elif anatomy.inputs == 1 and len(anatomy.widths) == 3:
        size, why = 28, "Small networks for grey pictures are mostly trained on digits of 28 × 28."
    else:
        size, why = max(4 * multiple, 16), "Networks of this depth are mostly trained on pictures of this size."
    high = MAX_SIDE // multiple * multiple
    return Question("size", "Side of its pictures", str(size), why, low=multiple, high=high, multiple=multiple)


def head_question(anatomy: Anatomy) -> Question:
    """The width of a head, where no preset's gives the widths that are there."""
    narrowest = min(channels for channels, _ in anatomy.attended)
    possible = [head for head in range(1, narrowest + 1) if anatomy.allows_head(head)]
    choices = tuple(Choice(str(head), f"{head} channels") for head in possible[:32]) or (Choice("1", "1 channel"),)
    why = "Heads of this width give the tensors the sizes that they have."
    return Question("head", "Width of a head", choices[0].value, why, choices)


def groups_question(anatomy: Anatomy) -> Question:
    common = math.gcd(*anatomy.widths)
    possible = [groups for groups in (32, 16, 8, 4, 2, 1) if common % groups == 0]
    choices = tuple(Choice(str(groups), str(groups)) for groups in possible)
    why = "The largest number that divides all widths."
    return Question("groups", "Groups of a normalisation", choices[0].value, why, choices)


def schedule_question() -> Question:
    choices = (
        Choice("linear", "linear, as in DDPM"),
        Choice("cosine", "cosine (squaredcos_cap_v2)"),
        Choice("scaled_linear", "scaled linear"),
    )
    return Question("schedule", "Noise schedule", "linear", "It is diffusers' default, and Google's.", choices)


def prediction_question() -> Question:
    choices = (
        Choice("epsilon", "the noise"),
        Choice("sample", "the clean picture"),
        Choice("v_prediction", "v"),
    )
    return Question("prediction", "Predicts", "epsilon", "It is diffusers' default, and Google's.", choices)
