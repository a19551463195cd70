"""What is known of a morph while it is made: which frames are finished, and what their latents are like."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from app.stages.morph_maths import Geometry, end_frames, frame_name, relative_norm
from core.morph_plan import batches, inversion_of, places
from core.requests import MorphRequest

if TYPE_CHECKING:
    from app.bridge import Bridge


class Record:
    """One morph, planned or under way.

    Attributes: ``request``; ``where`` the frames lie; their ``names``; ``ends``, the frame of each end point;
    ``finished`` frames; ``norms`` of the latents of those that have begun; ``geometry`` of the end points, None until
    it is known.
    """

    def __init__(self, request: MorphRequest, geometry: Geometry | None = None) -> None:
        self.request = request
        self.where = places(request)
        self.names = tuple(frame_name(place) for place in self.where)
        self.ends = end_frames(request)
        self.finished: set[int] = set()
        self.norms: dict[int, float] = {}
        self.geometry = geometry
        inversion = inversion_of(request)
        self.climb = inversion.steps if inversion else 0
        """Steps of the pictures' way up, before the first frame begins."""
        self._begin = {
            frame: self.climb + batch * request.steps
            for batch, frames in enumerate(batches(request))
            for frame in frames
        }

    @property
    def first_look(self) -> int:
        """The frame to look at while they are made: half-way, which is neither end point."""
        frames = self.request.frames
        return (frames // 2) * frames + frames // 2 if self.request.layout == "grid" else (frames - 1) // 2

    def made(self, frame: int, done: int) -> int:
        """Of a frame's own way down, when ``done`` steps of the whole morph are made; -1 before it has begun."""
        own = done - self._begin[frame]
        return min(own, self.request.steps) if own > 0 else -1

    def learn(self, bridge: Bridge, job: int, done: int) -> list[int]:
        """Take note of ``done`` steps; the frames that were finished by them."""
        newly = []
        for frame in range(len(self.where)):
            made = self.made(frame, done)
            if made >= 0 and frame not in self.norms:
                latent = bridge.values(job, 0, frame)
                if latent is not None:
                    self.norms[frame] = relative_norm(latent)
            is_new = made == self.request.steps and frame not in self.finished
            if is_new and bridge.frame(job, made, frame) is not None:
                self.finished.add(frame)
                newly.append(frame)
        if self.geometry is None and all(math.isfinite(self.norms.get(frame, math.nan)) for frame in self.ends):
            latents = [bridge.values(job, 0, frame) for frame in self.ends]
            known = [latent for latent in latents if latent is not None]
            self.geometry = Geometry.of(known) if len(known) == len(self.ends) else None
        return newly
