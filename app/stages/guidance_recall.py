"""A guidance sheet brought back from its recipe: the runs of its rows, and what the controls of its page say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.stages.guidance_plan import By, Over, SheetPlan
from core.recipe import Recipe
from core.request_words import printable
from core.requests import FromImage, FromNoise, SampleRequest

if TYPE_CHECKING:
    from app.stages.denoise import DenoiseStage


def plan_in(recipe: Recipe) -> SheetPlan | None:
    """The sheet that a recipe is of: several runs that differ in guidance alone. None where it is none."""
    requests = tuple(request for request in recipe.requests if isinstance(request, SampleRequest))
    first = requests[0] if requests else None
    if first is None or len(requests) < 2 or len(requests) < len(recipe.requests) or first.cells:
        return None
    if not isinstance(first.start, FromNoise | FromImage) or len(set(map(_without_guidance, requests))) > 1:
        return None
    over, shown = over_of(requests), recipe.shown
    values = [_value(request, over) for request in requests]
    rows = [f"{'w' if over == 'w' else 's'} = {value:g}" for value in values]
    columns = [printable(name) for name in shown.names] if shown.layout == "table" else []
    if len(columns) != first.count:
        columns = [str(number + 1) for number in range(first.count)]
    return SheetPlan(tuple(rows), tuple(columns), requests)


def recall(stage: DenoiseStage, plan: SheetPlan) -> tuple[int, ...]:
    """Show a sheet whose settings the controls have already, and have its rows made but for those that are there; the
    jobs of its rows."""
    page, requests = stage.sheet.page, plan.requests
    over = over_of(requests)
    stage.buttons.sheet.setChecked(True)
    page.over.set_value(over)
    page.values.setText(", ".join(_words(_value(request, over)) for request in requests))
    page.values.editingFinished.emit()
    page.by.set_value(_by(requests[0], stage))
    planned = stage.pages.planned
    if planned is not None and _alike(planned.requests) == _alike(requests):
        plan = planned
    runs = stage.state.runs.values()
    made = {run.sampling: run.job for run in runs if run.state == "finished" and run.request in plan.requests}
    stage.sheet.render(plan, made)
    stage.shown.expected.update(stage.sheet.jobs[:1])  # its slider and curves are those of its first row
    return stage.sheet.jobs


def over_of(requests: tuple[SampleRequest, ...]) -> Over:
    """What grows from row to row."""
    return "scale" if len({request.guidance for request in requests}) == 1 and requests[0].classifier else "w"


def _value(request: SampleRequest, over: Over) -> float:
    if over == "w" or request.classifier is None:
        return request.guidance
    return request.classifier.scale


def _words(value: float) -> str:
    """A number as briefly as it can be read again."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _by(request: SampleRequest, stage: DenoiseStage) -> By:
    """What varies from column to column: every class once, or the noise."""
    model, spec = stage.state.model, request.classifier
    if request.labels:
        every = len(model.labels) if model is not None else 0
        return "labels" if request.labels == tuple(range(every)) else "noise"
    targets = () if spec is None else spec.labels
    return "labels" if len(targets) > 1 and targets == tuple(range(len(targets))) else "noise"


def _without_guidance(request: SampleRequest) -> SampleRequest:
    spec = request.classifier
    return replace(request, guidance=0.0, classifier=None if spec is None else replace(spec, scale=0.0))


def _alike(requests: tuple[SampleRequest, ...]) -> tuple[SampleRequest, ...]:
    """A part of a spacing is known by its timesteps alone, so that controls call it chosen by hand."""
    return tuple(replace(request, spacing="hand") for request in requests)
