"""Makes resources/formulas.json: the drawings of all formulas that the window shows, so that it need not typeset them.

    python -m resources.recipes.formulas

Run it after a formula was added or changed (a test says when).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product

from app import formulas
from app.formulas import Formula, Listing, inversion, sampling
from app.stages import measure_formulas, train_maths
from app.widgets import plot_tables, schedule_quantities
from app.widgets.typesetter import drawing
from core.requests import SamplerName
from resources import FORMULAS

SYMBOLS = (
    "x_0",
    "x_t",
    r"\hat{x}_0",
    r"\epsilon",
    r"\hat{\epsilon}",
    r"\Delta x_t",
    r"\Delta x_0",
    r"\nabla \log q(x_t)",
    r"\epsilon_c - \epsilon_u",
    r"\nabla \log p(y|x_t)",
    r"\log p(y|x_t)",
)
"""Of the pictures."""
_MATHEMATICS = re.compile(r"\$([^$]*)\$")


def shown() -> tuple[str, ...]:
    """The LaTeX of everything that the window shows, each once."""
    found = dict.fromkeys(SYMBOLS)
    found.update(dict.fromkeys(table.formula for table in plot_tables.TABLES.values()))
    quantities = vars(schedule_quantities).values()
    found.update(dict.fromkeys(one.symbol for one in quantities if isinstance(one, schedule_quantities.Quantity)))
    for one in _entries():
        if isinstance(one, Formula):
            found[one.latex] = None
        else:
            found.update(dict.fromkeys(part for line in one.lines for part in _MATHEMATICS.findall(line)))
    return tuple(found)


def _entries() -> Iterator[Formula | Listing]:
    for one in vars(formulas).values():
        if isinstance(one, Formula | Listing):
            yield one
    yield from measure_formulas.FORMULAS
    for asked_at, refined in product("ts", (False, True)):
        yield inversion(asked_at, refined)
    samplers: tuple[SamplerName, ...] = ("ddpm", "ddim", "heun", "dpmpp")
    for sampler, guided, classifier in product(samplers, (False, True), (False, True)):
        yield sampling(sampler, guided, classifier)
    for aim in train_maths.aims():
        yield train_maths.loss_of(aim)
        yield train_maths.algorithm_of(aim)


def content() -> str:
    """The file: every outline once, and of each formula its bounds and its pieces (roles, place, outline)."""
    outlines: dict[str, int] = {}
    made: dict[str, object] = {}
    for latex in shown():
        drawn = drawing(latex)
        pieces = [(roles, x, y, outlines.setdefault(outline, len(outlines))) for roles, x, y, outline in drawn.pieces]
        made[latex] = (drawn.bounds, pieces)
    entries = ",\n".join(f"{json.dumps(latex)}: {json.dumps(one)}" for latex, one in made.items())
    glyphs = ",\n".join(json.dumps(outline) for outline in outlines)
    return f'{{"outlines": [\n{glyphs}\n],\n"formulas": {{\n{entries}\n}}}}\n'


if __name__ == "__main__":
    text = content()
    FORMULAS.write_text(text, "utf-8")
    print(f"{FORMULAS}: {len(shown())} formulas, {len(text) / 1024:.0f} KiB")
