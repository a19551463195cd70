"""What to expect of a training before its first step: what it will draw when, and its loss. Torch-free."""

from __future__ import annotations

import math

import numpy as np

from core.messages import Picture
from core.schedules import make_schedule
from core.training.baseline import losses_of_nothing
from core.training.expectation import LEARNS_BY, OF_NOTHING, ORDER, SAMPLES
from core.training.forecast import Forecast
from core.training.standing import Note, Standing

LOOKS = (
    "noise or blots",
    "colours and large shapes",
    "simple things such as digits or flags",
    "simple pictures that can be read",
    "finer and finer details",
)
"""Of samples, before each of ``SAMPLES``' numbers of pictures seen."""


MEASURED = 256
"""Pictures whose power is measured."""


def prospects(standing: Standing, told: Forecast | None, pictures: Picture) -> tuple[Note, ...]:
    """What is to be expected of a training on ``pictures`` uint8 (n, H, W, C), what matters most first; at least one
    sentence. ``told`` is what it is forecast to take, None where nobody knows."""
    notes = [_loss(standing, told, power_of(pictures))]
    if told is not None:
        notes = [*_samples(standing, told), *notes, *(Note("look", warning, "") for warning in told.warnings)]
        notes = [*_too_short(standing, told), *notes]
    return tuple(sorted(notes, key=lambda note: ORDER.index(note.severity)))


def _too_short(s: Standing, told: Forecast) -> tuple[Note, ...]:
    if told.steps >= s.warm_up:
        return ()
    numbers = f"About {told.steps:,} steps; over the first {s.warm_up:,} the learning rate rises."
    return (Note("look", "It would end before it has really begun.", numbers, "Train for longer."),)


def _samples(s: Standing, told: Forecast) -> tuple[Note, ...]:
    """How far pictures of this kind have come by then."""
    if s.task == "classifier" or not s.batch:
        return ()
    seen = told.steps * s.batch
    last = next(place for place, (most, _words) in enumerate(SAMPLES) if seen < most)
    per_second = told.steps_per_second * s.batch
    stages = [f"{LOOKS[place]} until {_duration(SAMPLES[place][0] / per_second)}" for place in range(last)]
    guess = "" if told.is_known else " The pace is a guess: no training like it has run on this machine yet."
    numbers = (
        f"About {_about(seen)} pictures seen in {_about(told.steps)} steps, each of the {s.pictures:,} about "
        f"{told.epochs:,.0f} times.{guess}"
    )
    way = f" On the way: {', '.join(stages)}." if stages else ""
    source = "The looks are those of the digits and emoji models after as many pictures. Photographs take far longer."
    return (Note("fine", f"By its end it should draw {LOOKS[last]}.{way}", numbers, "", source),)


def power_of(pictures: Picture) -> float:
    """E[x_0^2] of a value in [-1, 1], over some of these pictures."""
    some = pictures[:: max(1, len(pictures) // MEASURED)]
    return float(np.mean((some / 127.5 - 1) ** 2)) if some.size else 1.0


def _loss(s: Standing, told: Forecast | None, power: float) -> Note:
    nothing = _loss_of_nothing(s, power)
    if nothing is None:
        return Note("fine", "No step is done yet. This loss has no value that it must begin at.", "")
    due = LEARNS_BY * (5 if s.task == "classifier" else 1)
    when = "" if told is None or told.steps < due else f", after about {_duration(due / told.steps_per_second)}"
    guess = "guessing" if s.task == "classifier" else "a network that answers nothing"
    return Note(
        "fine",
        f"The loss begins near {nothing:.2f} and should be below {OF_NOTHING * nothing:.2f} by step {due:,}{when}.",
        f"The loss is the error that training lowers; {nothing:.3f} is that of {guess}.",
        "",
        "The emoji model was at half of it after 100 steps." if s.task == "diffusion" else "",
    )


def _loss_of_nothing(s: Standing, power: float) -> float | None:
    if s.task == "classifier":
        return math.log(s.classes) if s.classes > 1 else None
    losses = losses_of_nothing(s.prediction, s.objective, make_schedule(s.schedule), power)
    return None if losses is None else float(losses.mean())


def _duration(seconds: float) -> str:
    """ "40 s", "7 min", "3.5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = seconds / 60
    return f"{round(minutes)} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _about(count: float) -> str:
    """Two figures: "52,000"."""
    digits = max(0, len(str(int(count))) - 2)
    return f"{round(count / 10**digits) * 10**digits:,}"
