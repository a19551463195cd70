"""How a picture comes about from coarse to fine (Ho et al. 2020, section 4.3, figures 6 and 7): torch-free requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.errors import Refusal
from core.requests import FromStep, SampleRequest

SHARES = (1.0, 0.75, 0.5, 0.25)


@dataclass(frozen=True, slots=True)
class Sharing:
    """Samples that have x_t in common and are drawn apart from there on; x_t is the parent's state ``step``."""

    t: int
    step: int
    runs: tuple[SampleRequest, ...]


def parent_of(request: SampleRequest) -> SampleRequest:
    """The run whose states are shared: one sample, drawn with noise at every step.

    Without that, all that begins at one x_t would end on one picture: DDIM becomes eta = 1, and samplers that never
    draw become DDPM.
    """
    sampler = request.sampler
    if sampler.name == "ddim":
        sampler = sampler if sampler.eta > 0 else replace(sampler, eta=1.0)
    elif sampler.name != "ddpm":
        sampler = replace(sampler, name="ddpm", variance="small")
    classifier = request.classifier
    return replace(
        request,
        sampler=sampler,
        count=1,
        labels=request.labels[:1],
        cells=(),
        classifier=None if classifier is None else replace(classifier, labels=classifier.labels[:1]),
    )


def sharing(parent: SampleRequest, shares: Sequence[float] = SHARES, samples: int = 4) -> tuple[Sharing, ...]:
    """For each share of the parent's way (1: its start, 0: its end) the runs that leave it there.

    ``samples`` runs with seeds of their own, none of which is the parent's. At share 1 only x_T is common. Figure 7's
    rows are these in falling order. Raises Refusal for shares outside 0..1, and where nothing is left to walk.
    """
    if not all(0 < share <= 1 for share in shares):
        raise Refusal("What samples have in common is a share of the way: choose some above 0 and at most 1.")
    steps = [min(round((1 - share) * parent.steps), parent.steps - 1) for share in shares]
    return sharing_at(parent, steps, samples)


def sharing_at(parent: SampleRequest, steps: Sequence[int], samples: int) -> tuple[Sharing, ...]:
    """The same for the parent's states ``steps``, each in 0..``parent.steps`` - 1."""
    rows = []
    for step in steps:
        left = replace(parent, timesteps=parent.timesteps[step:], spacing="hand", start=FromStep(parent, step))
        runs = tuple(replace(left, seed=parent.seed + 1 + number) for number in range(samples))
        rows.append(Sharing(parent.timesteps[step], step, runs))
    return tuple(rows)


def progress_steps(request: SampleRequest, frames: int = 10) -> tuple[int, ...]:
    """The states of a run whose x0_hat show how it goes from coarse to fine (figure 6): evenly spread, from the start
    to the last one that the network looks at."""
    last = request.steps - 1
    count = max(1, min(frames, request.steps))
    return tuple(round(i * last / max(1, count - 1)) for i in range(count))
