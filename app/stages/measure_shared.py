"""A run watched from coarse to fine with the samples that left it: which runs they are, and what they have made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.stages.measure_kinds import KINDS
from app.widgets.measure_list import Entry
from core.evaluation.coarse_to_fine import Sharing, progress_steps
from core.evaluation.plans import series_of
from core.requests import SampleRequest

FRAMES = 12
Shot = tuple[NDArray[np.uint8], bool]
"""A picture uint8 (H, W, C), and whether it is finished."""


@dataclass
class Family:
    """``job`` draws ``parent``, the others its branches, by the cell of the sheet where they are shown. ``way`` are
    pictures of the parent by column, ``shared`` those of the sheet by cell; ``missing`` are states still asked for.
    ``made`` is when it was asked for, in seconds since 1970; 0 where that is not known."""

    parent: SampleRequest
    shares: tuple[Sharing, ...]
    job: int
    cells: dict[int, int] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    missing: list[int] = field(default_factory=list)
    way: dict[int, Shot] = field(default_factory=dict)
    shared: dict[int, Shot] = field(default_factory=dict)
    made: float = 0.0

    @property
    def jobs(self) -> tuple[int, ...]:
        return (self.job, *self.cells)

    @property
    def live(self) -> tuple[int, ...]:
        """Runs that are not done yet, also those not begun."""
        return tuple(job for job in self.jobs if job not in self.ended)

    @property
    def steps(self) -> tuple[int, ...]:
        """The states of the parent that are shown."""
        return progress_steps(self.parent, FRAMES)

    @property
    def words(self) -> str:
        """How far it has come, "" at its end."""
        return f"{len(self.jobs) - len(self.live)} of {len(self.jobs)} runs made." if self.live else ""


def cells_of(shares: Sequence[Sharing]) -> tuple[int, ...]:
    """Where the samples stand in the sheet, row by row; what they share stands left of them."""
    width = width_of(shares)
    return tuple(row * width + column for row in range(len(shares)) for column in range(1, width))


def width_of(shares: Sequence[Sharing]) -> int:
    """Columns of the sheet: the shared state and its samples."""
    return len(shares[0].runs) + 1


def entry_of(family: Family) -> Entry:
    """The family in the list of measurements."""
    request, copies = family.parent, width_of(family.shares) - 1
    title = f"{KINDS['coarse']}: {request.model.name}"
    at = ", ".join(f"{share.t}" for share in family.shares)
    facts = (
        f"{copies} samples from each t = {at}",
        f"{request.steps} steps",
        series_of(request.sampler),
        f"w = {request.guidance:g}" if request.guidance else "",
        f"seed {request.seed}",
    )
    words = family.words.rstrip(".") or f"{copies} samples from {len(family.shares)} states"
    return Entry(family.job, title, words, f"{title}\n{' · '.join(filter(None, facts))}", None)
