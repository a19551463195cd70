"""The settings of a training, as a recipe carries them, in the words and the controls of Train. No widget here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress

from app.mementos import Memento
from app.stages.train_aim import GOALS, OBJECTIVES, PREDICTIONS, VARIANCES, Aim
from app.widgets.hex_colour import NAMED, OWN
from core.errors import Refusal
from core.request_words import printable
from core.requests import ModelRef
from core.training.draw_request import TrainingDraw
from core.training.order import PresetName, WeightsName
from core.training.presets import PRESETS, network_of
from core.training.reading import Reading
from core.training.request import TrainRequest

WEIGHTS: Mapping[WeightsName, str] = {"ema": "averaged", "raw": "raw"}
CONTROLS: Mapping[str, tuple[str, ...]] = {
    "goal": ("goal",),
    "pictures": ("side", "crop", "background", "colour", "frames"),
    "start": ("fine_tune",),
    "network": ("preset",),
    "steps": ("duration",),
    "objective": ("prediction", "objective", "variance", "timesteps"),
    "schedule": ("schedule", "length", "zero_snr"),
    "technique": ("batch", "lr", "precision"),
    "seed": ("seed",),
    "flip": ("flip", "never"),
    "samples": ("samples", "weights"),
}
"""By the fields of a recipe: what Train calls its controls."""


def fields_of_training(draw: TrainingDraw) -> dict[str, tuple[str, str]]:
    """What can be taken by itself: a name for each, and what it says here."""
    training = draw.training
    aim, reading = aim_of(training), reading_of(training)
    length = f"{training.steps:,} steps" if training.steps is not None else f"{training.minutes or 0:g} minutes"
    preset = preset_of(training)
    zero = ", zero terminal SNR" if aim.schedule.zero_snr else ""
    found = {
        "goal": ("Trains a", GOALS[aim.goal]),
        "pictures": ("Pictures", f"{printable(training.data_name)}, {reading.size} × {reading.size}, {reading.crop}"),
        "network": ("Network", preset or "none of the presets"),
        "steps": ("Train for", length),
        "objective": (
            "Objective",
            f"{PREDICTIONS[aim.prediction]}, {OBJECTIVES[aim.objective]}, variance {VARIANCES[aim.variance]}",
        ),
        "schedule": ("Noise schedule", f"{aim.schedule.name}, T = {aim.schedule.T}{zero}"),
        "technique": ("Technique", f"batch {training.batch}, learning rate {training.lr:g}, {training.precision}"),
        "seed": ("Seed", str(training.seed)),
        "flip": ("Mirrored", "half of the pictures" if training.flip else "none"),
        "samples": ("Samples", f"{draw.count}, drawn with {WEIGHTS[draw.weights[-1]]} weights"),
    }
    if training.base is not None:
        del found["network"]
        found["start"] = "Begins from", printable(training.base.name)
    return found


def memento_of(draw: TrainingDraw, fields: Collection[str], model: ModelRef | None) -> Memento:
    """What Train's controls are to say for these fields; ``model`` is the one that is open. What no control can say is
    left out."""
    training = draw.training
    reading, schedule = reading_of(training), training.schedule
    background = next((name for name, known in NAMED.items() if known == reading.background), OWN)
    preset = preset_of(training)
    length = {"steps": training.steps} if training.steps is not None else {"minutes": training.minutes}
    says: Memento = {
        "goal": aim_of(training).goal,
        "side": str(reading.size),
        "crop": reading.crop,
        "background": background,
        **({"colour": "#{:02X}{:02X}{:02X}".format(*reading.background)} if background == OWN else {}),
        "frames": reading.frames,
        "fine_tune": training.base is not None and training.base == model,
        **({"preset": preset} if preset is not None and training.base is None else {}),
        "duration": length,
        "prediction": training.prediction,
        "objective": training.objective,
        "variance": training.variance,
        "timesteps": training.timestep_sampler,
        "schedule": schedule.name,
        "length": str(schedule.T),
        "zero_snr": schedule.zero_snr,
        "batch": training.batch,
        "lr": training.lr,
        "precision": training.precision,
        "seed": {"seed": training.seed, "locked": True},
        "flip": training.flip,
        "never": ", ".join(training.never_flipped),
        "samples": draw.count,
        "weights": draw.weights[-1],
    }
    names = [name for field in fields for name in CONTROLS.get(field, ())]
    return {name: says[name] for name in names if name in says}


def beyond_controls(training: TrainRequest, fields: Collection[str], model: ModelRef | None) -> tuple[str, ...]:
    """What of these fields Train has no control for, in words."""
    found = []
    if "network" in fields and training.base is None and preset_of(training) is None:
        found.append("its network is none of the presets")
    if "start" in fields and training.base is not None and training.base != model:
        found.append(f"it began from the model “{printable(training.base.name)}”, which is not open")
    usual = (None, None, (), ())
    schedule = training.schedule
    if (
        "schedule" in fields
        and training.base is None
        and (schedule.beta_start, schedule.beta_end, schedule.points, schedule.betas) != usual
    ):
        found.append("its noise schedule has values of its own")
    return tuple(found)


def aim_of(training: TrainRequest) -> Aim:
    return Aim(
        training.task,
        training.noised,
        training.prediction,
        training.objective,
        training.variance,
        training.schedule,
        training.timestep_sampler,
    )


def reading_of(training: TrainRequest) -> Reading:
    """How its pictures were read; of the network's size where nothing says so."""
    sides = training.network.sides
    return training.reading or Reading(size=sides[1] if sides else Reading().size)


def preset_of(training: TrainRequest) -> PresetName | None:
    """The preset whose network it is, None where it is no one's."""
    network, side, classes = training.network, reading_of(training).size, len(training.labels)
    for name in PRESETS:
        with suppress(Refusal):  # not at this size
            made = network_of(name, side, network.in_channels, classes, training.variance, training.schedule.T)
            if made == network:
                return name
    return None
