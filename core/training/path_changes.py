"""Where in a run its network came to be computed another way, read from its journal. Torch-free."""

from __future__ import annotations

from core.training.events import PathChanged
from core.training.journal import Journal
from core.training.kernel_path import KernelPath


def path_changes(journal: Journal, last: int) -> tuple[PathChanged, ...]:
    """The changes after the first step, up to step ``last``, as they were told of; how it began is none.

    Raises Refusal where the journal says what is no way of computing.
    """
    changes: list[PathChanged] = []
    before = None
    for step in sorted({line.step for line in journal.lines if line.step <= last}):
        line = journal.in_force(step)
        words = before if line is None else KernelPath.from_json(line.path).words
        if line is not None and words is not None and words != before:
            if before is not None:
                changes.append(PathChanged(step, words, line.why))
            before = words
    return tuple(changes)
