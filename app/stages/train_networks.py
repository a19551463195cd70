"""The networks that are offered for a training, each with how much it learns."""

from __future__ import annotations

from app.stages.train_aim import Aim
from core.classifier_config import PRESETS as CLASSIFIERS
from core.classifier_config import classifier_parameters
from core.training.order import PresetName
from core.training.presets import PRESETS, parameters_of


def offered(side: int, channels: int, classes: int, aim: Aim) -> tuple[dict[PresetName, str], str]:
    """The presets with their size for such pictures ("small, 2.6 M"), and what they are for."""
    draws = aim.task == "diffusion"
    names: dict[PresetName, str] = {}
    words = []
    for name in PRESETS:
        if draws:
            count = parameters_of(name, side, channels, classes, aim.variance)
        else:
            count = classifier_parameters(name, side, channels, classes)
        names[name] = name if count is None else f"{name}, {millions(count)}"
        words.append(f"{name.capitalize()}. {PRESETS[name].words if draws else CLASSIFIERS[name].words}")
    says = "How large the U-Net is, in parameters.\n" if draws else "The U-Net whose first half a classifier is.\n"
    return names, says + "\n".join(words)


def millions(count: int) -> str:
    """A number of parameters in two figures: "2.6 M", "28 M"."""
    return f"{count / 1e6:.1f} M" if count < 9.95e6 else f"{count / 1e6:.0f} M"
