"""The mathematics beside a walk: the step up or down in numbers, its algorithm, and why a latent is less than noise."""

from __future__ import annotations

from collections.abc import Mapping

from app.formulas import DDIM_INVERSION, Formula, inversion
from app.stages.run_maths import algorithm_of, formula_of, line_of, step_numbers
from app.stages.walks import Walk
from core.measures import LatentStatistics
from core.requests import InvertRequest, SampleRequest

Listing = tuple[str, tuple[str, ...]]

STRAYS = 4.0
"""Standard errors from which a latent's variance is said to be unlike that of noise."""


def formula_at(down: SampleRequest, walk: Walk, position: int) -> Formula:
    """The step that leaves this position: towards more noise up to the latent, towards the data from there on."""
    return DDIM_INVERSION if position < walk.top else formula_of(down)


def numbers_at(down: SampleRequest, walk: Walk, position: int) -> Mapping[str, float]:
    """The coefficients of that step; at the end those of the last one."""
    position = min(position, walk.last - 1)
    level, next_level = walk.level(position), walk.level(position + 1)
    if position < walk.top:
        return {"to_x0": next_level.alpha, "to_eps": next_level.sigma}
    return step_numbers(down.sampler, level, next_level)


def algorithm_at(up: InvertRequest | None, down: SampleRequest, walk: Walk, position: int) -> tuple[Listing, int]:
    """Title and lines of the algorithm that is followed there, and the line reached (1 is the first)."""
    if up is not None and position < walk.top:
        listing = inversion("t" if up.convention == "diffusers" else "s", up.refinements > 0)
        return (listing.title, listing.lines), 1 if position == 0 else len(listing.lines) - 2
    return algorithm_of(down), line_of(down, walk.place(position).step if position > walk.top else 0)


def statistics_words(statistics: LatentStatistics) -> str:
    """Mean, variance and autocorrelation with their standard errors, in two lines."""
    down, across = statistics.autocorrelation
    return (
        f"mean {statistics.mean: .3f} ± {statistics.mean_error:.3f}, "
        f"variance {statistics.variance:.3f} ± {statistics.variance_error:.3f}\n"
        f"correlation {down: .3f} down, {across: .3f} across, ± {statistics.mean_error:.3f}"
    ).replace("-", "\u2212")


def latent_verdict(statistics: LatentStatistics, request: InvertRequest) -> str:
    """Whether the latent is like noise, and if not, why; one or two sentences."""
    off = (statistics.variance - 1) / statistics.variance_error
    if off < -STRAYS:
        helps = "More steps help" if request.refinements else "Refinement or more steps help"
        return (
            "Less than noise: a step up adds the noise that the network finds in the picture before it, which holds "
            f"less than the level it is meant for. {helps}."
        )
    if off > STRAYS or abs(statistics.mean) > STRAYS * statistics.mean_error:
        forced = request.guidance != 0 or request.clip != "none"
        why = "guidance or clipping leads away from it" if forced else "the model has not learned such pictures"
        return f"{'More than noise' if off > STRAYS else 'As strong as noise, but not around 0'}: {why}."
    if max(map(abs, statistics.autocorrelation)) > STRAYS * statistics.mean_error:
        return "As strong as noise, but neighbouring pixels still depend on each other: the picture shows through."
    return "Like noise, as far as its values and neighbours can tell."
