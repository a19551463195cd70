"""What is normal at this step of a training, from its own numbers: what to expect, what to look at, what to do.

One short function a rule. Every sentence has the numbers that it rests on, and says where its threshold comes from.
Torch-free.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from core.requests import PredictionKind, ScheduleSpec
from core.schedules import Table, make_schedule
from core.training.baseline import losses_of_nothing, nothing_by_level
from core.training.events import LEVELS
from core.training.order import ObjectiveName
from core.training.standing import WINDOW, Note, Severity, Standing, mean_of

Rule = Callable[[Standing], Note | None]
ORDER: tuple[Severity, ...] = ("act", "look", "fine")

LEARNS_BY = 200
"""Steps."""
OF_NOTHING = 0.9
"""Of the loss of answering nothing: above that nothing is learned."""
RISEN, RISEN_FAR = 1.15, 1.5
SPIKE = 5.0
"""Times the median of the gradients' norms."""
OFTEN = 0.02
LAST_NORMS = 500
GL_LOOK, GL_ACT = 1.0, 5.0
"""Prechelt's generalisation loss, per cent."""
SLOW = 0.03
FEW_PICTURES, MANY_EPOCHS = 1000, 100
AVERAGE = "The decay of the average warms up as min({decay:g}, (1 + n) / (10 + n)) (Song et al. 2021)."
PRECHELT = (
    "Generalisation loss: validation over its lowest, less one; 1 to 5 % are the usual points to stop (Prechelt 1998)."
)


def expectations(standing: Standing) -> tuple[Note, ...]:
    """What there is to say of a training, what matters most first; at least one sentence."""
    said = [note for rule in RULES if (note := rule(standing)) is not None]
    return tuple(sorted(said, key=lambda note: ORDER.index(note.severity)))


def not_learning(s: Standing) -> Note | None:
    """Near the loss of answering nothing, which is known without any training."""
    nothing, loss = loss_of_nothing(s), s.loss
    if nothing is None or not math.isfinite(loss) or loss < OF_NOTHING * nothing:
        return None
    guess = "guessing" if s.task == "classifier" else "answering nothing"
    numbers = f"Loss {loss:.3f} after {s.step:,} steps; {guess} costs {nothing:.3f}."
    because = f"ln {s.classes} nats" if s.task == "classifier" else "the power of what is to be answered, E ε² = 1"
    source = f"The loss of {guess} is {because}. The emoji model was at half of it after 100 steps."
    due = LEARNS_BY * (5 if s.task == "classifier" else 1)
    if s.step < due:
        return Note("fine", f"It has only begun: by step {due:,} the loss should be well below.", numbers, "", source)
    return Note("act", "It does not learn: its loss is that of a network that says nothing.", numbers, _rate(s), source)


def _rate(s: Standing) -> str:
    norm = float(np.nanmedian(s.norms[-WINDOW:])) if np.isfinite(s.norms[-WINDOW:]).any() else math.nan
    if norm > 10:
        return f"The gradient is long ({norm:.3g}): begin again with a third of the learning rate."
    if norm < 1e-3:
        return f"The gradient is nearly nothing ({norm:.2g}): begin again with three times the learning rate."
    return "Begin again with a third of the learning rate; if that is the same, with three times as much."


def rolled_back(s: Standing) -> Note | None:
    if not s.rolled_back:
        return None
    times, last = len(s.rolled_back), s.rolled_back[-1]
    since = s.step - last.step
    numbers = (
        f"Last at step {last.at:,}: {last.why.rstrip('.')}. Learning rate × {last.lr_scale:g} since step {last.step:,}."
    )
    advice = (
        f"What it learned after step {last.step:,} was taken back, what it had learned until then is kept. "
        f"If it happens again, begin again with a learning rate of {100 * last.lr_scale:g} % of this one."
    )
    calm = since > max(500, 0.2 * s.step)
    source = "A step whose loss is no number or explodes is taken back, and the learning rate halved."
    words = "It was rolled back once" if times == 1 else f"It was rolled back {times} times"
    if calm:
        return Note("fine", f"{words}, and has been calm for {since:,} steps.", numbers, "", source)
    return Note("act" if times > 1 else "look", f"{words}: the learning rate is at its limit.", numbers, advice, source)


def rising(s: Standing) -> Note | None:
    """The smoothed loss is well above the lowest it has been."""
    if s.step < 3 * WINDOW or not math.isfinite(s.loss):
        return None
    whole = s.losses[: s.step // WINDOW * WINDOW].reshape(-1, WINDOW)
    known = np.isfinite(whole)
    sums, counts = np.where(known, whole, 0).sum(1, dtype=np.float64), known.sum(1)
    means = np.where(counts, sums / np.maximum(counts, 1), np.inf)
    lowest, best = float(means.min()), (int(means.argmin()) + 1) * WINDOW
    if not 0 < lowest < math.inf:
        return None
    ratio = s.loss / lowest
    if ratio < RISEN:
        return None
    numbers = f"The mean of {WINDOW} steps was {lowest:.4f} at step {best:,} and is {s.loss:.4f} now."
    source = f"Means of {WINDOW} steps of a batch of 64 vary by a few per cent; {RISEN - 1:.0%} is beyond that."
    advice = "If it does not come back within some hundred steps, stop, and begin again with a lower learning rate."
    return Note("act" if ratio > RISEN_FAR else "look", "The loss of training rises.", numbers, advice, source)


def spikes(s: Standing) -> Note | None:
    norms = s.norms[s.warm_up :][-LAST_NORMS:]  # the first ones are long, and fall: no jumps
    norms = norms[np.isfinite(norms)]
    if len(norms) < WINDOW:
        return None
    usual, high = float(np.median(norms)), float(norms.max())
    share = float((norms > SPIKE * usual).mean())
    source = f"Gradients are clipped to 1 (Pascanu et al. 2013); {SPIKE:g} times the median is a rule of thumb."
    numbers = f"Median {usual:.3g}, largest {high:.3g} in the last {len(norms):,} steps; {share:.1%} above {SPIKE:g} ×."
    if share >= OFTEN:
        advice = "Clipping keeps them in check. If the loss jumps with them, a lower learning rate is calmer."
        return Note("look", "The gradient often jumps.", numbers, advice, source)
    return Note("fine", "The gradient is calm.", numbers, "", source)


def by_heart(s: Standing) -> Note | None:
    """Validation rises while training falls."""
    if len(s.validated) < 2:
        return None
    losses = np.array([kept.loss for kept in s.validated])
    steps = [kept.step for kept in s.validated]
    best = int(np.argmin(losses))
    last, lowest, since = float(losses[-1]), float(losses[best]), steps[-1] - steps[best]
    if not lowest > 0:
        return None
    gl = 100 * (last / lowest - 1)
    after = len(losses) - 1 - best
    training, then = s.loss_at(steps[-1]), s.loss_at(steps[best])
    numbers = f"Validation {last:.4f} at step {steps[-1]:,}, lowest {lowest:.4f} at step {steps[best]:,}."
    if after and math.isfinite(training + then):
        numbers += f" Training {then:.4f} then, {training:.4f} at the last."
    if after >= 2 and since >= WINDOW and gl >= GL_LOOK and training < then:
        words = f"Validation has been rising for {since:,} steps while training falls: it begins to learn by heart."
        advice = (
            f"Look at Nearest. The model of step {steps[best]:,} generalises best; more pictures, mirroring or a "
            "smaller network help longer than more steps."
        )
        return Note("act" if gl >= GL_ACT else "look", words, f"{numbers} That is {gl:.1f} %.", advice, PRECHELT)
    if gl < GL_LOOK:
        return Note(
            "fine", "Validation is at its lowest: what is learned holds for new pictures.", numbers, "", PRECHELT
        )
    return Note("fine", f"Validation is {gl:.1f} % above its lowest; watch whether it stays.", numbers, "", PRECHELT)


def few_pictures(s: Standing) -> Note | None:
    if s.task == "classifier" or s.pictures >= FEW_PICTURES or s.epochs < MANY_EPOCHS:
        return None
    numbers = f"{s.pictures:,} pictures, each seen {s.epochs:,.0f} times."
    source = "The fewer the pictures and the more often they are seen, the more samples are copies (Gu et al. 2023)."
    advice = "Look at Nearest: samples as near to a training picture as its own copy are no new pictures."
    return Note("look", "So few pictures are soon known by heart.", numbers, advice, source)


def classes(s: Standing) -> Note | None:
    """How far a classifier is from guessing."""
    if s.task != "classifier" or not s.step:
        return None
    nothing, loss = loss_of_nothing(s), s.loss
    if nothing is None or not math.isfinite(loss):
        return Note("fine", "Its accuracy says most: it is measured as it is saved.", f"{s.step:,} steps are done.")
    return Note(
        "fine",
        f"Its loss is {loss / nothing:.0%} of that of guessing; at high noise nobody can do better than guess.",
        f"{loss:.3f} nats, guessing costs {nothing:.3f}. {s.seen:,} pictures seen ({s.epochs:,.1f} epochs).",
        "",
        f"Guessing among {s.classes} classes costs ln {s.classes} nats; x_T says nothing of x_0 (Ho et al. 2020).",
    )


def samples(s: Standing) -> Note | None:
    """What the samples look like by now: by how old their weights are, and how much the network has seen."""
    if s.task == "classifier" or not s.step:
        return None
    numbers = f"{s.seen:,} pictures seen ({s.epochs:,.1f} epochs); the averaged weights are {_age(s)} old."
    looks = next(words for most, words in SAMPLES if s.seen < most).format(age=_age(s))
    source = AVERAGE.format(decay=s.ema_decay) + " The looks are those of the digits and emoji models at that point."
    return Note("fine", looks, numbers, "", source)


def _age(s: Standing) -> str:
    age = round(s.age)
    return f"{age:,} step{'' if age == 1 else 's'}"


SAMPLES = (
    (5_000, "The samples are still noise or blots: the averaged weights are {age} old."),
    (25_000, "Colours and large shapes come first; classes cannot be told apart yet."),
    (80_000, "Simple things such as digits or flags become recognisable now."),
    (1_000_000, "Simple pictures should be readable by now; details get better for a long time."),
    (math.inf, "What improves now are details. Photographs take far longer: DDPM saw 102 million CIFAR-10 pictures."),
)
"""Pictures seen, and what to expect before that."""


def slowly(s: Standing) -> Note | None:
    """The loss falls little: that is how it is, and no measure of the samples."""
    half = s.step // 2
    if s.step < 1000 or s.task == "classifier":
        return None
    before, now = mean_of(s.losses[half - half // 2 : half]), mean_of(s.losses[-(half // 2) :])
    fall = 1 - now / before if before > 0 else math.nan
    if not 0 <= fall < SLOW:
        return None
    numbers = (
        f"{before:.4f} around step {half - half // 4:,}, {now:.4f} around step {s.step - half // 4:,}: {fall:.1%} less."
    )
    return Note(
        "fine",
        "The loss falls slowly from here on: look at the samples and at validation instead.",
        numbers,
        "",
        "Most of what is left of the loss cannot be foretold by anyone, and it says little of how good samples look "
        "(Theis et al. 2016).",
    )


def levels(s: Standing) -> Note | None:
    """How much of what can be answered is answered, level by level."""
    by_level = s.by_level[-5 * WINDOW :]
    if s.task == "classifier" or len(by_level) < WINDOW:
        return None
    nothing = _nothing(s.prediction, s.objective, s.schedule)
    means = np.array([mean_of(by_level[:, level]) for level in range(LEVELS)])
    if nothing is None or not np.isfinite(means).all():
        return None
    shares, T = means / nothing_by_level(nothing), s.schedule.T
    hard = int(np.argmax(shares))
    first, last = hard * T // LEVELS, (hard + 1) * T // LEVELS - 1
    return Note(
        "fine",
        f"The hardest noise levels are t {first}–{last}: {shares[hard]:.0%} of the loss of answering nothing is left.",
        f"t 0–{T // LEVELS - 1}: {shares[0]:.0%}, t {T - T // LEVELS}–{T - 1}: {shares[-1]:.0%} left.",
        "",
        "How much of a level's loss can be learned depends on the level: compare a level with itself, in the curves by "
        "noise level (Nichol & Dhariwal 2021, figure 2).",
    )


def ending(s: Standing) -> Note | None:
    rates = s.rates[np.isfinite(s.rates)]
    if s.progress < 0.8 or not len(rates) or float(rates[-1]) > 0.2 * float(rates.max()):
        return None
    return Note(
        "fine",
        "The learning rate falls to 0: the loss settles, and samples change little from here.",
        f"Rate {rates[-1]:.2g} of at most {rates.max():.2g}; {s.progress:.0%} done.",
        "",
        "Half a cosine (Loshchilov & Hutter 2017). To go on from the end, give it a longer length.",
    )


def beginning(s: Standing) -> Note | None:
    if s.step >= s.warm_up:
        return None
    numbers = f"Step {s.step:,} of {s.warm_up:,} in which the learning rate rises."
    source = "A gradual warm-up keeps the first steps, from random weights, from going too far (Goyal et al. 2017)."
    if s.step and s.progress >= 1:
        return Note("look", "It ended before it had really begun.", numbers, "Train on for some hundred steps.", source)
    words = "It has just begun: the learning rate is still rising." if s.step else "No step is done yet."
    return Note("fine", words, numbers, "", source)


def loss_of_nothing(s: Standing) -> float | None:
    """The loss of a network that says nothing: that of a guess for a classifier."""
    if s.task == "classifier":
        return math.log(s.classes) if s.classes > 1 else None
    losses = _nothing(s.prediction, s.objective, s.schedule)
    return None if losses is None else float(losses.mean())


@lru_cache(maxsize=16)
def _nothing(prediction: PredictionKind, objective: ObjectiveName, schedule: ScheduleSpec) -> Table | None:
    return losses_of_nothing(prediction, objective, make_schedule(schedule))


RULES: tuple[Rule, ...] = (
    *(not_learning, rising, beginning, ending, slowly, samples, classes, by_heart),
    *(few_pictures, rolled_back, spikes, levels),
)
"""Of two sentences that matter as much, the one whose rule is named first comes first."""
