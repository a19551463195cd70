"""A guidance sheet on paper: guidance from row to row, noise or label from column to column. No widget, no tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from app.stages.denoise_settings import DenoiseSettings, named_alike, resolve
from core.errors import Refusal
from core.messages import ModelInfo
from core.requests import ImageRef, SampleRequest

Over = Literal["w", "scale"]
By = Literal["noise", "labels"]

VALUES: Mapping[Over, str] = {"w": "0, 0.5, 1, 2, 4", "scale": "0, 1, 2, 4, 8"}
"""What the rows begin with."""
MOST_ROWS = 16
MOST_COLUMNS = 64


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """The runs of a sheet, one a row; the noise of a column is the same in each of them."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    requests: tuple[SampleRequest, ...]


def values_of(text: str, over: Over) -> tuple[float, ...]:
    """The numbers of a line such as "0, 0.5, 1". Raises Refusal where they are none, or no guidance."""
    try:
        values = tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise Refusal(f"The rows are numbers separated by commas, such as {VALUES[over]}.") from error
    if not values or len(values) > MOST_ROWS or not all(math.isfinite(value) for value in values):
        raise Refusal(f"A sheet has between 1 and {MOST_ROWS} rows, each with a number such as {VALUES[over]}.")
    if over == "w" and min(values) < -1:
        raise Refusal("w is −1 (the label is ignored) or more.")
    return values


def plan(
    settings: DenoiseSettings,
    over: Over,
    values: tuple[float, ...],
    by: By,
    model: ModelInfo,
    picture: ImageRef | None = None,
) -> SheetPlan:
    """The sheet of these settings, of which the rows replace the guidance and the columns, by label, the labels and the
    number of samples. Raises Refusal where the settings cannot be met, or where there is nothing to guide with."""
    settings = _by_labels(settings, model) if by == "labels" else settings
    requests = tuple(resolve(_guided(settings, over, value, model), model, picture) for value in values)
    symbol = "w" if over == "w" else "s"
    return SheetPlan(
        tuple(f"{symbol} = {value:g}" for value in values), _columns(requests[0], settings, model), requests
    )


def _guided(settings: DenoiseSettings, over: Over, value: float, model: ModelInfo) -> DenoiseSettings:
    if over == "w":
        if model.null_label is None:
            raise Refusal(
                f"“{model.ref.name}” has no null label, so there is no w to vary. Choose a classifier under More, "
                "Guidance, and vary its scale."
            )
        return replace(settings, guidance=value)
    if settings.classifier is None:
        raise Refusal("No classifier is chosen whose scale could vary. Choose one under More, Guidance.")
    return replace(settings, classifier=replace(settings.classifier, scale=value))


def _by_labels(settings: DenoiseSettings, model: ModelInfo) -> DenoiseSettings:
    """A column for each class: of the model, or where that knows none, of the classifier."""
    chosen = settings.classifier
    if model.labels:
        count = min(len(model.labels), MOST_COLUMNS)
        if chosen is not None and named_alike(chosen.info, model):
            chosen = replace(chosen, targets=())
        return replace(settings, labels=tuple(range(count)), count=count, classifier=chosen)
    if chosen is None:
        raise Refusal("This model knows no labels. Choose a classifier under More, Guidance, or vary the noise.")
    count = min(len(chosen.info.labels), MOST_COLUMNS)
    return replace(settings, count=count, classifier=replace(chosen, targets=tuple(range(count))))


def _columns(request: SampleRequest, settings: DenoiseSettings, model: ModelInfo) -> tuple[str, ...]:
    """The class of each sample where they differ, else its number."""
    names: tuple[str, ...] = tuple("none" if label is None else model.labels[label] for label in request.labels)
    if not names and request.classifier is not None and settings.classifier is not None:
        names = tuple(settings.classifier.info.labels[target] for target in request.classifier.labels)
    return names if len(set(names)) > 1 else tuple(str(number + 1) for number in range(request.count))
