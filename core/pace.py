"""How fast a run goes, and when a preview of it is affordable."""

from __future__ import annotations

import time

PREVIEW_SHARE = 0.1
"""Previews may take this share of a run's time."""
FRAME_SECONDS = 1 / 30


class Pace:
    """Times of one run in seconds, pauses excluded.

    Attributes: ``working``, all steps together; ``step_seconds``, a recent step; ``previewing``, all previews
    together; ``preview_seconds``, the last one.
    """

    def __init__(self) -> None:
        self.working = 0.0
        self.step_seconds = 0.0
        self.previewing = 0.0
        self.preview_seconds = 0.0
        self._steps = 0
        self._last_preview = 0.0

    def stepped(self, seconds: float) -> None:
        self.working += seconds
        self._steps += 1
        # The first step also sets up; after it, the recent ones count more.
        self.step_seconds = seconds if self._steps <= 2 else 0.8 * self.step_seconds + 0.2 * seconds

    def previewed(self, seconds: float) -> None:
        self.previewing += seconds
        self.preview_seconds = seconds
        self._last_preview = time.perf_counter()

    def preview_is_due(self) -> bool:
        """Always after the first step; later no oftener than the screen's frames, and within the share."""
        if self._steps == 1:
            return True
        affordable = self.previewing + self.preview_seconds <= PREVIEW_SHARE * self.working
        return affordable and time.perf_counter() - self._last_preview >= FRAME_SECONDS

    @property
    def rate(self) -> float:
        """Steps a second, 0 before the first."""
        return 1 / self.step_seconds if self.step_seconds > 0 else 0.0
