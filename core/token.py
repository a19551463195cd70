"""One token a job: how the window stops, pauses and single-steps it."""

from __future__ import annotations

from core.errors import Cancelled


class Token:
    """Cancel and pause requests for one job, set from any thread and read by the engine.

    Plain attributes suffice: each is written by one side in a single step. ``check`` is called between micro-batches
    and between the blocks of a network, so that a cancelled job ends within one of them.
    """

    def __init__(self) -> None:
        self.cancelled = False
        self.paused = False
        self._single_steps = 0

    def cancel(self) -> None:
        self.cancelled = True

    def stay(self) -> None:
        """Take back that the job is to end."""
        self.cancelled = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self._single_steps = 0
        self.paused = False

    def step(self) -> None:
        """Let a paused job make one step."""
        self.paused = True
        self._single_steps += 1

    @property
    def may_run(self) -> bool:
        return not self.paused or self._single_steps > 0

    def stepped(self) -> None:
        """One step has been made: use up a single step if one was granted."""
        if self._single_steps > 0:
            self._single_steps -= 1

    def check(self) -> None:
        """Raise ``Cancelled`` if the person has stopped the job."""
        if self.cancelled:
            raise Cancelled
