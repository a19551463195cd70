"""The pictures that a model is about to be measured on: how much of what, and what is made of them for the model."""

from __future__ import annotations

import numpy as np

from app.stages.measure_settings import why_not
from app.stages.train_data import DataView
from core.messages import ModelInfo
from core.training.dataset import PictureFolder

FEW = 30
"""Fewer pictures say little of a model."""


class MeasureData(DataView):
    """The sample sheet of the folder; while it is read, how far that has come."""

    def show_pictures(self, data: PictureFolder | None, model: ModelInfo | None, *, is_example: bool) -> None:
        """Show what a folder holds, and what the model makes of it."""
        if self.data is not data or data is None:
            self.show_data(data, is_example=is_example)
        self.facts.setText(self.facts.text().replace("learned at", "measured at"))
        words = advice(data, model, is_example=is_example)
        self.advice.setText(words)
        self.advice.setVisible(bool(words))


def advice(data: PictureFolder | None, model: ModelInfo | None, *, is_example: bool) -> str:
    """What one should know before measuring on these."""
    obstacle = why_not(model) if model is not None else ""
    if obstacle:
        return obstacle
    if data is None:
        return "Drop a folder of pictures here, or choose one: best of those that the model has not been trained on."
    parts = []
    if is_example:
        parts.append("An example to try: the bundled digits. Drop a folder of your own, best of pictures held out.")
    elif len(data) < FEW:
        parts.append(f"Fewer than about {FEW} pictures say little of a model.")
    if model is not None:
        parts += [made_of(data, model), classes_words(data, model)]
    return " ".join(filter(None, parts))


def made_of(data: PictureFolder, model: ModelInfo) -> str:
    """What becomes of the pictures before the model sees them, "" where nothing does."""
    channels, has = model.event_shape[0], data.pictures.shape[3]
    side = model.event_shape[1]
    made = []
    if any(found != (side, side) for found in data.found):
        made.append(f"cropped to squares and scaled to {side} × {side}")
    if channels != has:
        made.append("turned grey" if channels == 1 else "taken as equal red, green and blue")
    return f"For “{model.ref.name}” they are {' and '.join(made)}." if made else ""


def classes_words(data: PictureFolder, model: ModelInfo) -> str:
    """How far the folder's classes are the model's, "" where there is nothing to say."""
    if not model.labels or not data.classes:
        return ""
    unknown = [name for name in np.unique(np.array(data.classes)).tolist() if name not in model.labels]
    if not unknown:
        return ""
    named = ", ".join(unknown[:3]) + ("…" if len(unknown) > 3 else "")
    return f"The model knows no class called {named}: it is asked about these pictures without a class."
