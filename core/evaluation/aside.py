"""Arithmetic that cannot be cut into pieces, done in a thread of its own while its owner serves others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

PATIENCE = 0.02
"""Seconds between two looks at whether it is done."""


def aside(work: Callable[[], Result], breathe: Callable[[], None]) -> Result:
    """What ``work`` returns; until then ``breathe`` is called again and again, and what it raises leaves the work alone
    to end unheard. The work must touch nothing that others change. Raises what the work raises.
    """
    results: list[Result] = []
    errors: list[BaseException] = []
    over = threading.Event()

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            over.set()

    threading.Thread(target=run, name="aside", daemon=True).start()
    while not over.wait(PATIENCE):
        breathe()
    if errors:
        raise errors[0]
    return results[0]
