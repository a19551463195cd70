"""What the controls of Invert come to for the picture on the screen: requests that could be made now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.stages.invert_record import InvertRecord
from app.stages.invert_scene import Scene
from app.stages.invert_settings import MEASURED, InvertSettings, edit, inversion, regeneration
from app.state import AppState
from core.conversion import convert
from core.dataspec import ImageSpec
from core.errors import Refusal
from core.messages import ModelInfo, Picture
from core.requests import ImageRef, InvertRequest, SampleRequest


class InvertPlan:
    """Attributes: ``scene``, the run looked at with its ways, or None where only the window's picture is shown."""

    def __init__(self, state: AppState, settings: Callable[[], InvertSettings], record: InvertRecord) -> None:
        self._state = state
        self._settings = settings
        self._record = record
        self.scene: Scene | None = None

    def request(self, steps: int | None = None) -> InvertRequest | SampleRequest:
        """An inversion or SDEdit of the picture on the screen, with other ``steps`` where they are given.

        Raises Refusal where it cannot be made.
        """
        settings = self._settings()
        if steps is not None:
            settings = replace(settings, steps=steps)
        make = inversion if settings.method == "invert" else edit
        return make(settings, self._model(), self.picture())

    def regeneration(self) -> SampleRequest:
        """The way down from the latent on the screen with the label and guidance of the controls. Raises Refusal."""
        scene = self.scene
        up = None if scene is None else scene.walk.up_run
        if scene is None or scene.up is None or up is None or up.stored < up.steps:
            raise Refusal("There is no latent yet. Invert the picture first.")
        if scene.model != self._model().ref:
            raise Refusal(f"This latent belongs to “{scene.model.name}”. Open that model to regenerate it.")
        return regeneration(scene.up, self._settings(), self._model())

    def unmeasured(self) -> list[InvertRequest]:
        """The inversions that the curve of the error does not have yet. Raises Refusal where there are none to make."""
        counts = [steps for steps in MEASURED if steps <= self._model().schedule.T]
        requests = [self.request(steps) for steps in counts]
        missing = [one for one in requests if isinstance(one, InvertRequest) and not self._record.has(one)]
        if not missing:
            raise Refusal("With these settings the curve has all its points. Refine or guide for another curve.")
        return missing

    def picture(self) -> ImageRef | None:
        """The picture on the screen: that of the run looked at, else the window's."""
        if self.scene is not None and self.scene.model == self._model().ref:
            return self.scene.picture
        return self.own_picture()

    def own_picture(self) -> ImageRef | None:
        """The window's."""
        image, conversion = self._state.image, self._state.conversion
        return ImageRef(image.sha256, conversion) if image is not None and conversion is not None else None

    def converted(self) -> Picture | None:
        """The window's picture as the network gets it, uint8 (H, W, C)."""
        image, conversion = self._state.image, self._state.conversion
        return None if image is None or conversion is None else convert(image.pixels, conversion)

    def values(self) -> NDArray[np.float32] | None:
        """The same as numbers, (C, H, W) in [-1, 1]."""
        picture = self.converted()
        return None if picture is None else ImageSpec(self._model().event_shape).from_picture(picture)

    def _model(self) -> ModelInfo:
        if self._state.model is None:
            raise Refusal("No model is open. Open one on the left.")
        return self._state.model


def why_not(make: Callable[[], object]) -> str:
    """What keeps something from being made, in words; "" where nothing does."""
    try:
        make()
    except Refusal as refusal:
        return str(refusal)
    return ""
