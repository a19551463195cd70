"""What the library keeps of the models that are open."""

import gc
import weakref
from dataclasses import replace

import pytest
import torch

from core.errors import Refusal
from core.library import Library, NetworkModel
from core.model_folder import open_model
from core.requests import ModelRef
from core.schedules import make_schedule
from core.steering import condition_of
from tests.toys import Toy


def test_that_a_new_model_takes_the_devices_memory_of_the_one_before() -> None:
    opened = open_model("digits")
    another = replace(opened, info=replace(opened.info, ref=ModelRef("another", "b" * 64)))
    library, first = Library(), NetworkModel(opened)
    library.add_model(first)
    denoise = first.denoiser("cpu", "float32", between_batches=lambda: None, within=lambda: None)
    x, level = torch.zeros(1, *opened.info.event_shape), make_schedule(opened.info.schedule).level(500)
    condition = condition_of(opened.info, (3,), 1)
    with torch.inference_mode():
        seen = denoise(x, level, condition)
        held = weakref.ref(next(iter(first._prepared.values())))
        library.add_model(NetworkModel(another))
        gc.collect()
        assert held() is None
        assert torch.equal(denoise(x, level, condition).x0_hat, seen.x0_hat)


def test_that_a_forgotten_model_can_no_longer_be_named() -> None:
    library, toy = Library(), Toy()
    library.add_model(toy)
    assert library.model(toy.info.ref) is toy
    for _ in range(2):  # whoever forgets it twice is not told off
        library.forget_model(toy.info.ref)
    with pytest.raises(Refusal, match="not open"):
        library.model(toy.info.ref)
