"""The filmstrip of a training's samples: moments of training time, where sets that raw weights drew say so."""

from __future__ import annotations

from collections.abc import Sequence

from app.widgets.filmstrip import Filmstrip
from core.training.events import Drawn


class LearningStrip(Filmstrip):
    """A ``Filmstrip`` of sets of samples."""

    def __init__(self) -> None:
        super().__init__()
        self._raw: frozenset[int] = frozenset()
        self.setAccessibleName("Filmstrip of training time")
        self.setToolTip("The model as it learns, at the diffusion time looked at: click to see what it drew then")

    def show_sets(self, samples: Sequence[Drawn]) -> None:
        """Another film, or other pictures of the same: they are asked for anew."""
        self._raw = frozenset(index for index, drawn in enumerate(samples) if drawn.weights == "raw")
        self.set_frames(len(samples), [drawn.step for drawn in samples])

    def _label(self, index: int) -> str:
        return super()._label(index) + (" raw" if index in self._raw else "")
