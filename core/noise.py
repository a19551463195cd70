"""torch's CPU normal numbers without torch, so that a seed means the same picture before torch is imported."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Words = NDArray[np.uint32]

BLOCK = 16  # torch fills arrays of at least this many values block by block
CHUNK = 2048 * BLOCK  # small enough for the processor's cache

# Cephes' single-precision polynomials (Moshier 1989), highest power first: torch's vectorised kernel uses them too,
# and better ones would differ from it in the last digit.
LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
LN_2 = (0.693359375, -2.12194440e-4)  # their sum, in two parts for precision
QUARTER_PI = (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)


def initial_noise(seed: int, shape: tuple[int, ...]) -> Floats:
    """What ``torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))`` draws, within 3e-7
    (beyond 4 standard deviations within the one float32 step of 4.8e-7).

    The words are those of the Mersenne twister (Matsumoto & Nishimura 1998), made normal by Box & Muller 1958.
    float32, any shape, also an empty one; ``seed`` is any integer, of which torch uses the low 32 bits.
    """
    count = math.prod(shape)
    twister = np.random.RandomState(seed & 0xFFFFFFFF)
    if count < BLOCK:
        return _one_by_one(twister, count).reshape(shape)
    values = np.empty(count, dtype=np.float32)
    whole = count - count % BLOCK
    for start in range(0, whole, CHUNK):
        end = min(start + CHUNK, whole)
        values[start:end] = _blocks(_words(twister, end - start))
    if whole < count:
        # torch draws words for the values left over, then draws the last block anew.
        _words(twister, count - whole)
        values[-BLOCK:] = _blocks(_words(twister, BLOCK))
    return values.reshape(shape)


def _words(twister: np.random.RandomState, count: int) -> Words:
    return twister.randint(0, 2**32, count, dtype=np.uint32)


def _blocks(words: Words) -> Floats:
    """Normal numbers from 24-bit uniforms: in each block 8 radii and 8 angles make 8 cosines and 8 sines."""
    words &= np.uint32(0xFFFFFF)
    uniform = words.astype(np.float32).reshape(-1, 2, BLOCK // 2)
    uniform *= np.float32(2.0**-24)
    radius = np.sqrt(np.float32(-2) * _log(np.float32(1) - uniform[:, 0]))
    sin, cos = _sin_cos(np.float32(2 * math.pi) * uniform[:, 1])
    np.multiply(radius, cos, out=uniform[:, 0])
    np.multiply(radius, sin, out=uniform[:, 1])
    return uniform.reshape(-1)


def _log(x: Floats) -> Floats:
    """The natural logarithm of x in (0, 1]."""
    mantissa, exponent = np.frexp(x)
    below = mantissa < np.float32(math.sqrt(0.5))
    exponent = (exponent - below).astype(np.float32)
    r = mantissa - np.float32(1)
    r += np.where(below, mantissa, np.float32(0))
    square = r * r
    y = _polynomial(LOG, r) * r * square
    y += exponent * np.float32(LN_2[1])
    y -= square * np.float32(0.5)
    r += y
    r += exponent * np.float32(LN_2[0])
    return r


def _sin_cos(x: Floats) -> tuple[Floats, Floats]:
    """Sine and cosine of x in [0, 2 pi], by way of the nearest even number of eighths of a turn."""
    octant = ((x * np.float32(4 / math.pi)).astype(np.int32) + 1) & ~1
    turned = octant.astype(np.float32)
    r = x - turned * np.float32(QUARTER_PI[0])
    r -= turned * np.float32(QUARTER_PI[1])
    r -= turned * np.float32(QUARTER_PI[2])
    square = r * r
    cos = _polynomial(COS, square) * square * square
    cos -= square * np.float32(0.5)
    cos += np.float32(1)
    sin = _polynomial(SIN, square) * square * r
    sin += r
    swapped = (octant & 2) != 0
    sin, cos = np.where(swapped, cos, sin), np.where(swapped, sin, cos)
    np.negative(sin, out=sin, where=(octant & 4) != 0)
    np.negative(cos, out=cos, where=((octant + 2) & 4) != 0)
    return sin, cos


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    y = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        y *= x
        y += np.float32(coefficient)
    return y


def _one_by_one(twister: np.random.RandomState, count: int) -> Floats:
    """Few values come in pairs from 53-bit uniforms, in double precision."""
    pairs = (count + 1) // 2
    words = _words(twister, 4 * pairs).astype(np.uint64).reshape(pairs, 2, 2)
    uniform = ((words[..., 0] << np.uint64(32) | words[..., 1]) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53
    radius = np.sqrt(-2 * np.log1p(-uniform[:, 1]))
    angle = 2 * math.pi * uniform[:, 0]
    values = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1)
    return values.reshape(-1)[:count].astype(np.float32)
