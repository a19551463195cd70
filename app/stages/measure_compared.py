"""A memorisation check of this session: what was asked, the samples it drew, and what was found beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from app.stages.denoise_nearest import Samples
from app.stages.measure_kinds import KINDS
from app.widgets.measure_list import Entry
from core.evaluation.plans import series_of
from core.messages import Nearest, Neighbours
from core.requests import SampleRequest
from core.training.events import Drawn

State = Literal["drawing", "comparing", "ended"]
SIGNS = {
    "nearer": "closer than other pictures",
    "none": "no sign of learning by heart",
    "unknown": "too few for a verdict",
}
GRAVEST = ("copies", "nearer", "none", "unknown")


@dataclass
class Comparison:
    """``job`` is the run that draws, of ``model``; ``data`` the name of the folder compared with. ``course`` and
    ``drawn`` are None until the samples are there, ``result`` until something is known of them; ``progress`` 0..1 is
    that of the state. ``made`` is when it was asked for, in seconds since 1970; 0 where that is not known."""

    job: int
    request: SampleRequest
    data: str
    state: State = "drawing"
    progress: float = 0.0
    course: Samples | None = None
    drawn: Drawn | None = None
    result: Nearest | None = None
    made: float = 0.0

    @property
    def model(self) -> str:
        return self.request.model.name

    @property
    def headline(self) -> str:
        """What was found, by the graver of both distances."""
        if self.result is None:
            return ""
        found = {by: getattr(self.result, by) for by in ("pixels", "features")}
        known = {by: one for by, one in found.items() if one is not None}
        if not known:
            return ""
        by, gravest = min(known.items(), key=lambda item: GRAVEST.index(item[1].sign))
        alike = {one.sign for one in known.values()} == {gravest.sign}
        return _said(gravest) + ("" if alike else f" by {by}")


def entry_of(comparison: Comparison) -> Entry:
    """The comparison in the list of measurements."""
    title = f"{KINDS['nearest']}: {comparison.model}"
    doing = "" if comparison.state == "ended" else f"{comparison.state}, {comparison.progress:.0%}"
    words = " · ".join(filter(None, (comparison.headline, doing))) or "not compared"
    return Entry(comparison.job, title, words, f"{title} on {comparison.data}\n{_beside(comparison)}", None)


def _said(found: Neighbours) -> str:
    if found.sign == "copies":
        near = int((found.distances[:, 0] < found.limit).sum())
        return f"{near} of {len(found.distances)} may be copies"
    return SIGNS[found.sign]


def _beside(comparison: Comparison) -> str:
    """What was compared with what, in a line."""
    request, result = comparison.request, comparison.result
    facts = (
        f"{request.count} samples",
        f"{request.steps} steps",
        series_of(request.sampler),
        f"w = {request.guidance:g}" if request.guidance else "",
        f"seed {request.seed}",
        "" if result is None else f"{result.count:,} pictures of {comparison.data}",
        f"features of {result.by}" if result is not None and result.by else "",
    )
    return " · ".join(filter(None, facts))
