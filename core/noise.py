"""torch's CPU normal numbers without torch, so that a seed means the same picture before torch is imported."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BLOCK = 16  # torch fills arrays of at least this many values block by block


def initial_noise(seed: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """What ``torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))`` draws.

    Within 3e-7 for all but some 30 values in a million, which differ by up to four float32 steps (below 1e-6): torch's
    own logarithms and cosines differ as much from one processor to another.

    The words are those of the Mersenne twister (Matsumoto & Nishimura 1998), made normal by Box & Muller 1958.
    float32, any shape, also an empty one; ``seed`` is any integer, of which torch uses the low 32 bits.
    """
    count = math.prod(shape)
    twister = np.random.RandomState(seed & 0xFFFFFFFF)
    if count < BLOCK:
        return _one_by_one(twister, count).reshape(shape)
    values = np.empty(count, dtype=np.float32)
    whole = count - count % BLOCK
    values[:whole] = _blocks(_words(twister, whole))
    if whole < count:
        # torch draws words for the values left over, then draws the last block anew.
        _words(twister, count - whole)
        values[-BLOCK:] = _blocks(_words(twister, BLOCK))
    return values.reshape(shape)


def _words(twister: np.random.RandomState, count: int) -> NDArray[np.uint32]:
    return twister.randint(0, 2**32, count, dtype=np.uint32)


def _blocks(words: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Normal numbers from 24-bit uniforms: in each block 8 radii and 8 angles make 8 cosines and 8 sines."""
    words &= np.uint32(0xFFFFFF)
    uniform = words.astype(np.float32).reshape(-1, 2, BLOCK // 2)
    radius = np.multiply(uniform[:, 0], np.float32(-(2.0**-24)))
    radius += np.float32(1)
    np.log(radius, out=radius)
    radius *= np.float32(-2)
    np.sqrt(radius, out=radius)
    angle = np.multiply(uniform[:, 1], np.float32(2.0**-24))
    angle *= np.float32(2 * math.pi)
    np.multiply(radius, np.cos(angle), out=uniform[:, 0])
    np.multiply(radius, np.sin(angle, out=angle), out=uniform[:, 1])
    return uniform.reshape(-1)


def _one_by_one(twister: np.random.RandomState, count: int) -> NDArray[np.float32]:
    """Few values come in pairs from 53-bit uniforms, in double precision."""
    pairs = (count + 1) // 2
    words = _words(twister, 4 * pairs).astype(np.uint64).reshape(pairs, 2, 2)
    uniform = ((words[..., 0] << np.uint64(32) | words[..., 1]) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53
    radius = np.sqrt(-2 * np.log1p(-uniform[:, 1]))
    angle = 2 * math.pi * uniform[:, 0]
    values = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1)
    return values.reshape(-1)[:count].astype(np.float32)
