"""Morphs as runs: the pictures' way up, then the frames' ways down, batch by batch from coarse to fine."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.codec import request_hash
from core.inversion import InvertRun
from core.jobs import SampleRun, end_latents
from core.levels import Path
from core.library import Check, Library
from core.morph_plan import batches, descent_of, inversion_of
from core.requests import MorphRequest
from core.run import Made, Run, nothing
from core.store import DEFAULT_CAP


class MorphRun:
    """One morph. Every batch of frames is a ``SampleRun`` of its own, with its trajectory.

    Attributes: ``request``; ``inversion`` of the pictures among the end points, if there are any; ``batches``, the
    frames of each of ``runs``, coarse to fine; ``total``, all steps, of the way up as well.
    """

    def __init__(self, request: MorphRequest, library: Library, device: str = "cpu", *, cap: int = DEFAULT_CAP) -> None:
        """Raises: Refusal where the request does not fit the model, or names what is not open."""
        self.request = request
        self.batches = batches(request)
        inversion = inversion_of(request)
        share = cap // (len(self.batches) + (inversion is not None))
        self.inversion = None if inversion is None else InvertRun(inversion, library, device, cap=share)
        self.runs = tuple(
            SampleRun(descent_of(request, frames), library, device, find_run=self._find_run, cap=share)
            for frames in self.batches
        )
        self.total = request.steps * len(self.runs) + (inversion.steps if inversion else 0)
        self._library = library
        self._device = device
        self._where: dict[int | None, tuple[SampleRun, int]] = {
            frame: (run, cell)
            for run, frames in zip(self.runs, self.batches, strict=True)
            for cell, frame in enumerate(frames)
        }

    def watch(self, within: Check, between_batches: Check | None = None) -> None:
        """Whom to ask whether to go on; see ``Run.watch``."""
        for run in self.parts:
            run.watch(within, between_batches)

    def work(self) -> Iterator[Made]:
        """Walk everything, keeping every state."""
        done = 0
        if self.inversion is not None:
            for step in self.inversion.steps():
                done += 1
                yield Made(done, self.inversion, step)
        for run, frames in zip(self.runs, self.batches, strict=True):
            for step in run.steps():
                done += 1
                yield Made(done, run, step, frames)

    @property
    def parts(self) -> tuple[Run, ...]:
        return (*self.runs, *((self.inversion,) if self.inversion else ()))

    @property
    def path(self) -> Path:
        """Of each frame's way down."""
        return self.runs[0].path

    @property
    def nbytes(self) -> int:
        return sum(run.nbytes for run in self.parts)

    def run_of(self, frame: int | None) -> tuple[Run, slice] | None:
        """The run that takes a frame down, and which of its samples it is."""
        if frame not in self._where:
            return None
        run, cell = self._where[frame]
        return run, slice(cell, cell + 1)

    def is_made(self, frame: int) -> bool:
        run, _ = self._where[frame]
        return len(run.trajectory) > run.request.steps

    def frame(self, frame: int) -> NDArray[np.float32]:
        """A frame that is made, float32 (*event_shape)."""
        run, cell = self._where[frame]
        x: NDArray[np.float32] = run.trajectory.frame(run.request.steps)[cell]
        return x

    def latent(self, frame: int) -> NDArray[np.float32]:
        """Where the way down of a frame begins, float32 (*event_shape); it must have begun."""
        run, cell = self._where[frame]
        x: NDArray[np.float32] = run.trajectory.frame(0)[cell]
        return x

    def frames(self) -> NDArray[np.float32]:
        """All frames in the order they are shown, once they are made: float32 (n, *event_shape)."""
        return np.stack([self.frame(frame) for frame in range(len(self._where))])

    def latent_norms(self) -> list[float]:
        """Of each frame that has begun, in order: the norm of its latent over sqrt(d), 1 for noise."""
        begun = [frame for frame in range(len(self._where)) if len(self._where[frame][0].trajectory)]
        return [float(np.linalg.norm(x) / math.sqrt(x.size)) for x in map(self.latent, begun)]

    def ends(self) -> Tensor:
        """The end points' latents, (ends, *event_shape), on the CPU."""
        return end_latents(self.request, self._library, self._device, self._find_run, nothing)

    def _find_run(self, wanted: str) -> Run | None:
        inversion = self.inversion
        return inversion if inversion is not None and request_hash(inversion.request) == wanted else None
