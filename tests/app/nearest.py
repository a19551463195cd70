"""Results of a memorisation check, made by hand."""

import numpy as np

from core.evaluation.verdict import judged
from core.messages import Nearest, Neighbours, frozen

SIDE = 8
NONE = np.zeros(0)


def grey(*values: int) -> np.ndarray:
    return np.stack([np.full((SIDE, SIDE, 1), value, np.uint8) for value in values])


def neighbours(distances, held_out=NONE, own=NONE, mirrored=()) -> Neighbours:
    """Of n samples k neighbours each, whose pictures are as grey as their number."""
    distances = np.asarray(distances, np.float64)
    indices = np.arange(distances.size).reshape(distances.shape)
    turned = np.zeros(distances.shape, np.bool_)
    for place in mirrored:
        turned[place] = True
    verdict = judged(distances[:, 0], np.asarray(held_out, np.float64), np.asarray(own, np.float64))
    pictures = grey(*indices.ravel()).reshape(*distances.shape, SIDE, SIDE, 1)
    given = (indices, distances, turned, pictures, np.asarray(held_out, float), np.asarray(own, float))
    return Neighbours(*map(frozen, given), verdict.sign, verdict.words, verdict.limit)


def three(features: bool = True) -> Nearest:
    """Three samples with two neighbours each, of which the second is the nearest by pixels."""
    seen = neighbours([[30, 35], [10, 15], [20, 25]], mirrored=[(1, 1)])
    by = neighbours([[3, 4], [2, 6], [1, 5]]) if features else None
    names = {number: f"cats/{number}.png" for number in range(6)}
    return Nearest(grey(50, 60, 70), 6, seen, by, "its eye", names, dict.fromkeys(range(6), "cats"))


def sixteen() -> Nearest:
    """Sixteen samples of which four are nearer than any of a hundred held-out pictures."""
    distances = np.concatenate([np.full(4, 1.0), np.linspace(20, 40, 12)])
    held_out = np.linspace(15, 50, 100)
    seen = neighbours(np.stack([distances, distances + 1], axis=1), held_out, np.linspace(12, 45, 90))
    return Nearest(grey(*range(16)), 100, seen, None)
