"""The trajectory of a run: x_t of every step under a byte cap that is shown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

DEFAULT_CAP = 400_000_000
_STATE_BYTES = 5_056
"""A CPU generator's state, kept beside every key frame."""


class Trajectory:
    """States 0..steps of one run, written by the engine in order and readable from any thread at once.

    As long as it fits the cap, every state is a float32 key frame. Beyond that floating-point states are kept as
    float16 with float32 key frames between them, as many as fit; beyond that only key frames are kept. What lies
    between key frames is replayed from the last one (``core.run``), to the bit. Where the walk ``remembers``, a key
    frame has the x0_hat of the step before it beside it, which costs as much again.

    Attributes: ``steps``; ``shape`` of a state (n, *event_shape); ``cap`` in bytes; ``key_every``, the distance of
    key frames; ``keeps_between``, whether states between them are stored.
    """

    def __init__(
        self,
        steps: int,
        shape: tuple[int, ...],
        cap: int = DEFAULT_CAP,
        item_bytes: int = 4,
        remembers: bool = False,
    ) -> None:
        self.steps = steps
        self.shape = shape
        self.cap = cap
        frame = math.prod(shape) * item_bytes
        key = frame * (2 if remembers else 1) + _STATE_BYTES
        states = steps + 1
        half = frame // 2
        if states * key <= cap:
            self.key_every, self.keeps_between = 1, True
        elif states * half + 2 * (key - half) <= cap:
            key_frames = (cap - states * half) // (key - half) - 1  # the last state is one as well
            self.key_every, self.keeps_between = -(-states // key_frames), True
        else:
            self.key_every, self.keeps_between = -(-states // max(1, cap // key - 1)), False
        self._frames: dict[int, NDArray[Any]] = {}
        self._noise_states: dict[int, NDArray[np.uint8] | None] = {}
        self._before: dict[int, NDArray[np.float32]] = {}
        self._reached = -1
        self.nbytes = 0

    def put(
        self,
        step: int,
        x: NDArray[Any],
        noise_state: NDArray[np.uint8] | None = None,
        before: NDArray[np.float32] | None = None,
    ) -> None:
        """Keep state ``step`` (shape ``shape``, float32 or integers), the noise generator's state before it is left
        and, where the walk remembers it, the x0_hat of the step before.

        Raises:
            ValueError: the shape is not this run's, or the step is outside 0..steps.
        """
        if x.shape != self.shape or not 0 <= step <= self.steps:
            raise ValueError(f"state {step} of shape {x.shape} does not belong to {self.steps} steps of {self.shape}")
        self._reached = max(self._reached, step)
        frame: NDArray[Any]
        if self.is_key(step):
            frame = np.array(x)
            self._noise_states[step] = noise_state
            self.nbytes += 0 if noise_state is None else noise_state.nbytes
            if before is not None:
                self.nbytes += before.nbytes if step not in self._before else 0
                self._before[step] = np.array(before)
        elif self.keeps_between:
            frame = _halved(x)
        else:
            return
        frame.flags.writeable = False
        replaced = self._frames.get(step)
        self.nbytes += frame.nbytes - (0 if replaced is None else replaced.nbytes)
        self._frames[step] = frame

    def is_key(self, step: int) -> bool:
        """Whether state ``step`` is kept to the bit; the first and the last always are."""
        return step % self.key_every == 0 or step == self.steps

    def has(self, step: int) -> bool:
        return step in self._frames

    def frame(self, step: int) -> NDArray[Any]:
        """State ``step``, float32 for floating-point data; within float16's rounding where it is no key frame.

        Raises:
            KeyError: it is not stored (see ``has``); replay it from ``key_frame_at_or_before``.
        """
        frame = self._frames[step]
        return frame.astype(np.float32) if frame.dtype == np.float16 else frame

    def key_frame_at_or_before(self, step: int) -> tuple[int, NDArray[Any], NDArray[np.uint8] | None]:
        """The last exact state not after ``step``: (its step, x, the noise generator's state)."""
        key = step if self.is_key(step) else step - step % self.key_every
        return key, self._frames[key], self._noise_states[key]

    def before(self, key: int) -> NDArray[np.float32] | None:
        """The x0_hat of the step that led to this key frame, where the walk remembers it."""
        return self._before.get(key)

    def __len__(self) -> int:
        """How many states, from 0 on, the run has reached; all of them readable or replayable."""
        return self._reached + 1


def _halved(x: NDArray[Any]) -> NDArray[Any]:
    if not np.issubdtype(x.dtype, np.floating):
        return np.array(x)
    limit = float(np.finfo(np.float16).max)
    halved: NDArray[np.float16] = np.clip(x, -limit, limit).astype(np.float16)
    return halved
