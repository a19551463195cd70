"""Engines that are stopped again, and pictures."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image

from core.images import OpenedImage, open_image
from tests.core.listener import Listener
from tests.toys import Toy


@pytest.fixture
def listening() -> Iterator[Callable[..., Listener]]:
    """Makes engines with a toy model."""
    made: list[Listener] = []

    def make(model: Toy | None = None, **options: object) -> Listener:
        made.append(Listener(model or Toy(), **options))
        return made[-1]

    yield make
    for listener in made:
        assert listener.engine.stop(), "the engine did not end"


@pytest.fixture
def picture() -> OpenedImage:
    """Grey, 8 × 8, no two pixels alike."""
    data = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).save(data, "PNG")
    return open_image(data.getvalue())
