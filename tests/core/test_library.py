"""What the library keeps of the models that are open."""

import gc
import weakref
from dataclasses import replace

import torch

from core.library import Library, NetworkModel
from core.model_folder import open_model
from core.requests import ModelRef
from core.schedules import make_schedule
from core.steering import condition_of


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
