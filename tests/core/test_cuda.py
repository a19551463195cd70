"""What only an NVIDIA GPU can show."""

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.classifier_config import ClassifierConfig
from core.classifier_folder import OpenClassifier
from core.denoiser import Condition, NetworkDenoiser
from core.errors import Cancelled
from core.evaluation import measurement_of
from core.evaluation.plans import Draws, distance_request, likelihood_request, sampler_comparison
from core.jobs import SampleRun
from core.library import GaussianProcess, Library
from core.measure_requests import MeasureRequest
from core.messages import ClassifierInfo, ModelInfo
from core.recognisers import NetworkRecogniser
from core.requests import ClassifierSpec, ModelRef, SampleRequest, SamplerSpec, ScheduleSpec
from core.schedules import make_schedule
from core.training.dataset import PictureFolder
from core.training.events import Drawn
from core.training.order import TrainOrder
from core.training.session import TrainingSession
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

    def release(self) -> None:
        self.__dict__.pop("prepared", None)


def recogniser(noisy: bool = True) -> NetworkRecogniser:
    """A small classifier of the model's pictures, with random weights."""
    from core.classifier import Classifier

    encoder = replace(CONFIG, num_class_embeds=None, out_channels=1)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = Classifier(ClassifierConfig(encoder, 10)).eval()
    ref = ModelRef("guide" if noisy else "judge", ("1" if noisy else "2") * 64)
    labels = tuple("0123456789")
    info = ClassifierInfo(ref, (1, 16, 16), labels, ScheduleSpec(), network.config.features, noisy)
    return NetworkRecogniser(OpenClassifier(info, network, Path()))


def opened() -> Library:
    library = Library()
    library.add_model(RandomModel())
    library.add_recogniser(recogniser())
    library.add_recogniser(recogniser(noisy=False))
    return library


def asked(library: Library, sampler: SamplerSpec, **changes) -> SampleRequest:
    info = library.model(ModelRef("random", "0" * 64)).info
    values = {"seed": 1, "count": 4, "labels": (0, 1, 2, 3), "guidance": 1.0} | changes
    return SampleRequest(info.ref, info.schedule, tuple(range(980, -1, -20)), "leading", sampler, **values)


def run_on(device: str, sampler: SamplerSpec, **changes) -> SampleRun:
    library = opened()
    return SampleRun(asked(library, sampler, **changes), library, device)


def last_of(run: SampleRun) -> torch.Tensor:
    for _ in run.steps():
        pass
    return torch.from_numpy(run.trajectory.frame(run.request.steps).copy())


GUIDED = {"guidance": 0.0, "classifier": ClassifierSpec(ModelRef("guide", "1" * 64), (4, 5, 6, 7), 2.0)}
AT_MEAN = {"guidance": 0.0, "classifier": replace(GUIDED["classifier"], at="mean")}
PARTLY = {"guidance": 2.0, "interval": (800, 200), "rescale": 0.7}


@pytest.mark.parametrize(
    ("sampler", "changes"),
    [
        (SamplerSpec("ddim", clip="none"), {}),
        (SamplerSpec("ddpm"), {}),
        (SamplerSpec("heun", clip="none"), {}),
        (SamplerSpec("dpmpp", clip="none"), {}),
        (SamplerSpec("ddim", clip="dynamic"), {}),
        (SamplerSpec("ddim"), PARTLY),
        (SamplerSpec("ddim"), GUIDED),
        (SamplerSpec("dpmpp"), GUIDED),
        (SamplerSpec("ddpm"), GUIDED),
        (SamplerSpec("ddpm"), AT_MEAN),
    ],
)
def test_that_float32_samples_are_those_of_the_cpu(sampler, changes) -> None:
    here, there = (last_of(run_on(device, sampler, **changes)) for device in ("cpu", "cuda"))
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-3)


def test_that_a_classifiers_gradient_is_taken_on_the_device_and_is_that_of_the_cpu() -> None:
    level = make_schedule(ScheduleSpec()).level(500)
    x = torch.randn(5, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 9])
    guide = recogniser()
    here, there = (guide.gradient(x.to(device), level, labels) for device in ("cpu", "cuda"))
    for mine, theirs in zip(here, there, strict=True):
        assert theirs.device.type == "cuda"
        torch.testing.assert_close(theirs.cpu(), mine, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["likelihood", "distance"])
def test_that_what_is_measured_is_what_the_cpu_measures(kind) -> None:
    results = []
    for device in ("cpu", "cuda"):
        library = opened()
        request = measurement(kind, library)
        *_, last = measurement_of(request, library, device, PICTURES, check=lambda: None, breathe=lambda: None).work()
        results.append(last.result)
    here, there = results
    if kind == "likelihood":
        np.testing.assert_allclose(there.terms, here.terms, rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(there.per_picture, here.per_picture, rtol=1e-3)
    else:
        for mine, theirs in zip(here.points, there.points, strict=True):
            assert theirs.value == pytest.approx(mine.value, rel=2e-2, abs=2e-3)  # of samples rounded to 8 bits


def test_that_measuring_moves_a_network_once_and_leaves_nothing_behind() -> None:
    library = opened()
    guide = library.recogniser(ModelRef("judge", "2" * 64))
    request = measurement("distance", library)
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    for _ in range(2):
        work = measurement_of(request, library, "cuda", PICTURES, check=lambda: None, breathe=lambda: None)
        prepared = []
        for _part in work.work():
            prepared += [id(network) for network in guide._prepared.values()]
        assert len(set(prepared)) == 1
    del work
    for held in (guide, library.recogniser(ModelRef("guide", "1" * 64))):
        held.release()
    library.model(ModelRef("random", "0" * 64)).release()
    gc.collect()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_allocated() <= before + 2**20


PICTURES = PictureFolder(
    "noise",
    np.random.default_rng(0).integers(0, 256, (24, 16, 16, 1), dtype=np.uint8),
    np.arange(24) % 10,
    tuple("0123456789"),
)


def measurement(kind: str, library: Library) -> MeasureRequest:
    info = library.model(ModelRef("random", "0" * 64)).info
    if kind == "likelihood":
        return likelihood_request(info, PICTURES, pictures=8, timesteps=6)
    trials = sampler_comparison(Draws(info, samples=16, batch=8), ("ddim", "heun", "dpmpp"), (6,))
    return distance_request(trials, PICTURES, ModelRef("judge", "2" * 64))


@pytest.mark.parametrize(
    ("sampler", "changes"),
    [
        (SamplerSpec("ddim"), {}),
        (SamplerSpec("ddim", eta=1.0), {}),
        (SamplerSpec("ddpm"), {}),
        (SamplerSpec("heun"), {}),
        (SamplerSpec("dpmpp"), {}),
        (SamplerSpec("ddim"), PARTLY),
        (SamplerSpec("ddim"), GUIDED),
        (SamplerSpec("ddpm"), GUIDED),
    ],
)
def test_that_no_step_waits_for_the_host(sampler, changes) -> None:
    steps = run_on("cuda", sampler, **changes).steps()
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
