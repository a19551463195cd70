"""Error against evaluations of the network, for every deterministic sampler on data with a closed-form score.

    python -m tests.bench.convergence [--out docs/convergence.svg]

Prints the errors and the fitted order of each sampler, and draws the plot in docs/samplers.md. Needs SciPy, which
solves the probability-flow ODE that the samplers approximate (see tests/convergence.py).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from tests.convergence import EVALUATIONS, MIXTURES, ORDERS, errors

COUNTS = (8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Evaluations of the network."""

NAMES = {"ddim": "DDIM", "heun": "Heun", "dpmpp": "DPM-Solver++ 2M"}
TITLES = {"1-D": "three peaks on a line", "2-D": "three blobs in the plane"}
INKS = {"ddim": "#b4552d", "heun": "#2f6f9f", "dpmpp": "#3d8b5f"}
MARKS = {"ddim": "circle", "heun": "square", "dpmpp": "diamond"}
TEXT, QUIET, LINE, PAPER = "#22262b", "#6b737d", "#d9dde2", "#ffffff"
WIDTH, HEIGHT = 860, 400
TOP, BOTTOM, LEFT, GAP, PANEL = 56, 330, 62, 78, 340
DECADES = (-5, 0)


def order(counts: tuple[int, ...], found: list[float]) -> float:
    """The slope of a straight line through the logarithms, of the runs of 24 evaluations and more."""
    from_ = counts.index(24)
    return float(-np.polyfit(np.log(counts[from_:]), np.log(found[from_:]), 1)[0])


class Panel:
    """Axes with logarithmic scales, and where on them a run lies."""

    def __init__(self, left: float) -> None:
        self.left = left

    def x(self, count: float) -> float:
        low, high = math.log(COUNTS[0] / 1.25), math.log(COUNTS[-1] * 1.25)
        return self.left + (math.log(count) - low) / (high - low) * PANEL

    def y(self, error: float) -> float:
        low, high = DECADES
        return BOTTOM - (math.log10(error) - low) / (high - low) * (BOTTOM - TOP)

    def axes(self, title: str) -> list[str]:
        right, parts = self.left + PANEL, []
        parts.append(text(self.left, TOP - 16, title, TEXT, weight="600"))
        for decade in range(DECADES[0], DECADES[1] + 1):
            y = self.y(10.0**decade)
            parts.append(f'<path d="M{self.left:g} {y:.1f}H{right:g}" stroke="{LINE}"/>')
            power = f'10<tspan font-size="9" dy="-5">{str(decade).replace("-", chr(0x2212))}</tspan>'
            parts.append(text(self.left - 8, y + 4, power if decade else "1", QUIET, "end"))
        for count in COUNTS:
            x = self.x(count)
            parts.append(f'<path d="M{x:.1f} {BOTTOM}v4" stroke="{QUIET}"/>')
            if count in (8, 16, 32, 64, 128):
                parts.append(text(x, BOTTOM + 18, str(count), QUIET, "middle"))
        parts.append(text(self.left + PANEL / 2, BOTTOM + 38, "evaluations of the network", QUIET, "middle"))
        return parts

    def slope(self, power: int, count: float, error: float, until: float) -> list[str]:
        """A line of this order, to compare with."""
        end = error * (count / until) ** power
        line = f"M{self.x(count):.1f} {self.y(error):.1f}L{self.x(until):.1f} {self.y(end):.1f}"
        x, y = self.x(count), self.y(error)
        above = power == 1  # where no curve is
        words = text(
            x if above else x - 6, y - 8 if above else y + 4, f"order {power}", QUIET, "start" if above else "end"
        )
        return [f'<path d="{line}" stroke="{QUIET}" stroke-dasharray="4 4" fill="none"/>', words]

    def curve(self, sampler: str, found: list[float]) -> list[str]:
        places = [(self.x(count), self.y(error)) for count, error in zip(COUNTS, found, strict=True)]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        ink = INKS[sampler]
        return [
            f'<path d="M{line}" stroke="{ink}" stroke-width="2" fill="none"/>',
            *(mark(MARKS[sampler], x, y, ink) for x, y in places),
        ]


def mark(kind: str, x: float, y: float, ink: str) -> str:
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{ink}"/>'
    turned = f' transform="rotate(45 {x:.1f} {y:.1f})"' if kind == "diamond" else ""
    return f'<rect x="{x - 3.3:.1f}" y="{y - 3.3:.1f}" width="6.6" height="6.6" fill="{ink}"{turned}/>'


def text(x: float, y: float, words: str, ink: str, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{ink}" text-anchor="{anchor}" font-size="12" '
        f'font-weight="{weight}">{words}</text>'
    )


def drawing(results: dict[str, dict[str, list[float]]]) -> str:
    """The plot as SVG."""
    parts: list[str] = []
    for index, (mixture, found) in enumerate(results.items()):
        panel = Panel(LEFT + index * (PANEL + GAP))
        parts += panel.axes(TITLES[mixture])
        parts += panel.slope(1, 16, 0.16, 128) + panel.slope(2, 16, 1.2e-3, 128)
        for sampler, values in found.items():
            parts += panel.curve(sampler, values)
    x = float(LEFT)
    for sampler, name in NAMES.items():
        parts += [mark(MARKS[sampler], x + 5, HEIGHT - 16, INKS[sampler]), text(x + 15, HEIGHT - 12, name, TEXT)]
        x += 36 + 7.2 * len(name)
    parts.append(text(14, 20, "root mean square error of where the walk ends", QUIET))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="system-ui, sans-serif">\n<title>Error of samplers against evaluations of the network</title>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{PAPER}"/>\n{body}\n</svg>\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="PLOT.svg")
    options = parser.parse_args()
    steps = {sampler: tuple(count // EVALUATIONS[sampler] for count in COUNTS) for sampler in ORDERS}
    results = {name: errors(mixture, steps) for name, mixture in MIXTURES.items()}
    for name, found in results.items():
        print(f"{name}: {TITLES[name]}")
        print(f"{'evaluations':>16}", *(f"{count:>9}" for count in COUNTS), "   order")
        for sampler, values in found.items():
            print(f"{NAMES[sampler]:>16}", *(f"{value:9.2e}" for value in values), f"{order(COUNTS, values):8.2f}")
    if options.out is not None:
        options.out.write_text(drawing(results), encoding="utf-8")


if __name__ == "__main__":
    main()
