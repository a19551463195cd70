"""How samples of a training are made again: which, after which steps, and where on their way. No widget here."""

from __future__ import annotations

from collections.abc import Sequence

from app.stages.train_moments import DATA, Kind, has_moment, place_of
from core.recipe import Recipe, Shown
from core.training.draw_request import draw_of, moments
from core.training.events import Drawn
from core.training.request import TrainRequest


def recipe_of(
    training: TrainRequest | None, states: Sequence[tuple[Drawn, int]], cell: int | None, kind: Kind
) -> Recipe | None:
    """Of sets of samples, each at a moment of its way (``DATA``: finished), all of them or one; several are one state
    after the other. None where the training's request is not known, or a way is not kept as it is drawn."""
    if training is None or not states:
        return None
    draw = draw_of(training, tuple((drawn.step, drawn.weights) for drawn, _ in states), len(states[0][0].pictures))
    kept, steps = moments(draw.steps), []
    for drawn, t in states:
        is_way = t != DATA and has_moment(drawn, t)
        if is_way and len(drawn.timesteps) != len(kept):
            return None
        place = place_of(drawn, t)
        steps.append(kept[place] if is_way and place < len(kept) else draw.steps)
    cells = () if cell is None else (cell,)
    quantity = "x_t" if set(steps) == {draw.steps} else kind
    if len(states) == 1:
        return Recipe(draw, Shown(quantity, steps[0], cells, layout="picture" if cells else "grid"))
    return Recipe(draw, Shown(quantity, steps[-1], cells, steps=tuple(steps), layout="film"))
