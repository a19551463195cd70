"""What only an NVIDIA GPU can show."""

import gc
from dataclasses import replace

import pytest
import torch

from core.denoiser import Condition, NetworkDenoiser
from core.errors import Cancelled
from core.jobs import SampleRun
from core.library import GaussianProcess, Library
from core.messages import ModelInfo
from core.requests import ModelRef, SampleRequest, SamplerSpec, ScheduleSpec
from core.training.order import TrainOrder
from core.training.session import Drawn, TrainingSession
from core.training.trainer import Trainer
from core.unet import UNet, UNetConfig, prepare
from tests.core.halves import DATA, REQUEST, TINY

pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")]

CONFIG = UNetConfig(
    sample_size=16,
    in_channels=1,
    out_channels=1,
    block_out_channels=(32, 64),
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    layers_per_block=1,
    num_class_embeds=11,
)


class RandomModel:
    """A small network with random weights, as runs see models."""

    process = GaussianProcess()

    def __init__(self) -> None:
        from core.dataspec import ImageSpec

        torch.manual_seed(0)
        self.network = UNet(CONFIG)
        self.spec = ImageSpec((1, 16, 16))
        labels = tuple("0123456789")
        self.info = ModelInfo(
            ModelRef("random", "0" * 64), (1, 16, 16), ScheduleSpec(), "v", labels=labels, null_label=10
        )

    def denoiser(self, device, precision, *, between_batches, within):
        self.prepared = prepare(self.network, device, precision)
        return NetworkDenoiser(self.prepared, "v", check=between_batches, micro_batch=64)


def run_on(device: str, sampler: SamplerSpec) -> SampleRun:
    library = Library()
    model = RandomModel()
    library.add_model(model)
    request = SampleRequest(
        model.info.ref,
        model.info.schedule,
        tuple(range(980, -1, -20)),
        "leading",
        sampler,
        seed=1,
        count=4,
        labels=(0, 1, 2, 3),
        guidance=1.0,
    )
    return SampleRun(request, library, device)


@pytest.mark.parametrize("sampler", [SamplerSpec("ddim", clip="none"), SamplerSpec("ddpm")])
def test_that_float32_samples_are_those_of_the_cpu(sampler) -> None:
    finals = []
    for device in ("cpu", "cuda"):
        run = run_on(device, sampler)
        for _ in run.steps():
            pass
        finals.append(torch.from_numpy(run.trajectory.frame(50).copy()))
    torch.testing.assert_close(finals[1], finals[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sampler", [SamplerSpec("ddim"), SamplerSpec("ddim", eta=1.0), SamplerSpec("ddpm")])
def test_that_no_step_waits_for_the_host(sampler) -> None:
    steps = run_on("cuda", sampler).steps()
    next(steps)
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(40):
            next(steps)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_that_memory_is_freed_when_the_model_goes() -> None:
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    run = run_on("cuda", SamplerSpec())
    next(run.steps())
    assert torch.cuda.memory_allocated() > before
    del run
    gc.collect()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_allocated() <= before + 2**20


def test_that_a_label_batch_moves_to_the_gpu_once() -> None:
    run = run_on("cuda", SamplerSpec())
    condition = run._condition
    assert isinstance(condition, Condition)
    assert condition.labels.device.type == "cuda"


def test_that_a_training_learns_is_cancelled_and_goes_on(tmp_path):
    order = TrainOrder(tmp_path / "run", steps=40, batch=8, lr=5e-3, samples=2)
    network = replace(TINY, dropout=0.1)
    left = [200]

    def check() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Cancelled

    run = TrainingSession(order, DATA, device="cuda", check=check, network=network)
    with pytest.raises(Cancelled):
        list(run.work())
    run.save()
    again = TrainingSession(replace(order, resume=True), DATA, device="cuda")
    assert 0 < again.trainer.step < 40
    drawn = [item for item in again.work() if isinstance(item, Drawn)]
    losses = again.history.losses
    assert losses.shape == (40,)
    assert losses[-10:].mean() < losses[:5].mean()
    assert drawn[-1].pictures.shape == (2, 8, 8, 1)


@pytest.mark.parametrize("prediction", ["eps", "mean"])
@pytest.mark.parametrize(("objective", "variance"), [("weighted", "fixed"), ("vlb", "range"), ("hybrid", "diagonal")])
def test_that_an_objective_is_the_same_there_as_on_the_cpu(objective, variance, prediction) -> None:
    network = replace(TINY, out_channels=1 if variance == "fixed" else 2)
    request = replace(REQUEST, network=network, objective=objective, variance=variance, prediction=prediction)
    here, there = ([step.loss for step in Trainer(request, DATA, device=device).steps()] for device in ("cpu", "cuda"))
    assert there == pytest.approx(here, rel=1e-2)
