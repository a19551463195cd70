"""The points through which a person draws alpha_bar: always from the first timestep to the last, always falling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

Point = tuple[float, float]

LOWEST, HIGHEST = 1e-4, 1 - 1e-4
"""What alpha_bar may be: there is always some signal and always some noise."""
APART = 1e-4
"""Between neighbours, in both directions."""


@dataclass(frozen=True, slots=True)
class ControlPoints:
    """Points (t / (T - 1), alpha_bar) from left to right; every change returns new ones that still fall."""

    points: tuple[Point, ...]

    @classmethod
    def of(cls, points: Sequence[Point]) -> ControlPoints:
        return cls(tuple((float(u), float(value)) for u, value in points))

    def moved(self, index: int, u: float, value: float) -> ControlPoints:
        """One point taken as near to (u, value) as its neighbours allow; the first and last keep their u."""
        left = self.points[index - 1] if index > 0 else (0.0, HIGHEST + APART)
        right = self.points[index + 1] if index + 1 < len(self.points) else (1.0, LOWEST - APART)
        if index in (0, len(self.points) - 1):
            u = self.points[index][0]
        else:
            u = _within(u, left[0] + APART, right[0] - APART)
        point = u, _within(value, right[1] + APART, left[1] - APART)
        return replace(self, points=(*self.points[:index], point, *self.points[index + 1 :]))

    def added(self, u: float, value: float) -> tuple[ControlPoints, int]:
        """With one more point near (u, value), and its place; unchanged where there is no room between two."""
        index = sum(point[0] <= u for point in self.points)
        index = min(max(index, 1), len(self.points) - 1)
        (left, upper), (right, lower) = self.points[index - 1], self.points[index]
        if right - left < 3 * APART or upper - lower < 3 * APART:
            return self, index
        middle = (left + right) / 2, (upper + lower) / 2
        with_it = replace(self, points=(*self.points[:index], middle, *self.points[index:]))
        return with_it.moved(index, u, value), index

    def removed(self, index: int) -> ControlPoints:
        """Without one point; the first and the last stay."""
        if not 0 < index < len(self.points) - 1:
            return self
        return replace(self, points=self.points[:index] + self.points[index + 1 :])


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
