"""What requests name by hash: the open models and the person's pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from core.dataspec import DataSpec
from core.denoiser import Condition, Denoiser, NetworkDenoiser
from core.errors import Refusal
from core.images import OpenedImage
from core.levels import Level, Path
from core.messages import ClassifierInfo, ModelInfo
from core.network import Network, prepare_network
from core.process import marginal
from core.requests import ImageRef, ModelRef, SampleRequest
from core.samplers import Before, Step, StepNoise, ddim, ddpm, dpmpp, heun
from core.schedules import make_schedule

if TYPE_CHECKING:
    from core.model_folder import OpenModel

Check = Callable[[], None]


def never() -> None:
    """A check that stops nothing."""


MICRO_BATCH_FLOPS = 1.5e10
"""Of one uninterruptible evaluation, well under 150 ms on two cores; fixed, so that bits never depend on timing."""


class Process(Protocol):
    """What makes data into noise, and the walks back. ``noise`` draws on the CPU for the whole batch."""

    def begin(self, noise: StepNoise, level: Level) -> Tensor:
        """The state at the start of a walk from nothing but noise."""
        ...

    def noised(self, x0: Tensor, noise: StepNoise, level: Level) -> Tensor:
        """A sample of q(x_level | x0)."""
        ...

    def walk(
        self,
        request: SampleRequest,
        denoise: Denoiser,
        path: Path,
        x: Tensor,
        condition: Condition | None,
        noise: StepNoise,
        first: int,
        before: Before | None = None,
    ) -> Iterator[Step]:
        """The steps of the request's sampler from state ``first`` of the path on; ``before`` is what a multistep
        sampler saw one step ahead of it."""
        ...


class GaussianProcess:
    """x = alpha x_0 + sigma eps (Ho et al. 2020; Song et al. 2021)."""

    def begin(self, noise: StepNoise, level: Level) -> Tensor:
        return noise.initial()

    def noised(self, x0: Tensor, noise: StepNoise, level: Level) -> Tensor:
        noisy: Tensor = marginal(x0, noise.initial(), level)
        return noisy

    def walk(
        self,
        request: SampleRequest,
        denoise: Denoiser,
        path: Path,
        x: Tensor,
        condition: Condition | None,
        noise: StepNoise,
        first: int,
        before: Before | None = None,
    ) -> Iterator[Step]:
        sampler = request.sampler
        if sampler.name == "ddpm":
            return ddpm(denoise, path, x, condition, variance=sampler.variance, noise=noise, first=first)
        if sampler.name == "heun":
            return heun(denoise, path, x, condition, first=first)
        if sampler.name == "dpmpp":
            return dpmpp(denoise, path, x, condition, first=first, before=before)
        return ddim(denoise, path, x, condition, eta=sampler.eta, noise=noise, first=first)


class Model(Protocol):
    """A model as runs see it: what it is, what its data are, its process, and a Denoiser for a device."""

    @property
    def info(self) -> ModelInfo: ...

    @property
    def spec(self) -> DataSpec: ...

    @property
    def process(self) -> Process: ...

    def denoiser(self, device: str, precision: str, *, between_batches: Check, within: Check) -> Denoiser:
        """Ready for inference. ``between_batches`` may serve others, ``within`` only raises ``Cancelled``."""
        ...

    def release(self) -> None:
        """Give back what the model holds on devices; it is made again where a run goes on."""
        ...


class NetworkModel:
    """A network with its weights; prepared for each device and precision when a run on it evaluates it first."""

    process: Process = GaussianProcess()

    def __init__(self, opened: OpenModel) -> None:
        self.info = opened.info
        self.spec: DataSpec = opened.spec
        self._network = opened.network
        self._prepared: dict[tuple[str, str], Network] = {}

    @property
    def network(self) -> Network:
        """The network itself, float32 on the CPU, to be copied and not changed."""
        return self._network

    def denoiser(self, device: str, precision: str, *, between_batches: Check, within: Check) -> Denoiser:
        def evaluate(x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
            network = self._on(device, precision)
            network.check = within  # set at each call: several jobs share the network
            answer: Tensor = network(x, t, labels)
            return answer

        _, height, width = self.info.event_shape
        micro_batch = max(1, min(64, int(MICRO_BATCH_FLOPS / self._network.flops(height, width))))
        return NetworkDenoiser(
            evaluate,
            self.info.prediction,
            check=between_batches,
            micro_batch=micro_batch,
            variance=self.info.variance,
            schedule=make_schedule(self.info.schedule),
        )

    def release(self) -> None:
        self._prepared.clear()

    def _on(self, device: str, precision: str) -> Network:
        key = (device, precision)
        if key not in self._prepared:
            self._prepared[key] = prepare_network(self._network, device, precision)
        return self._prepared[key]


class Recogniser(Protocol):
    """A network that tells classes apart, and whose last features tell how pictures differ. Pictures x are float32
    (n, *event_shape) in the data's range; ``check`` is called between micro-batches and may raise Cancelled."""

    @property
    def info(self) -> ClassifierInfo: ...

    def features(self, x: Tensor, check: Check) -> Tensor:
        """Of clean pictures, float32 (n, ``info.features``)."""
        ...

    def log_probabilities(self, x: Tensor, level: Level, check: Check = never) -> Tensor:
        """log p(y | x) of every class, float32 (n, classes). Raises Refusal where it knows no classes, or no noise."""
        ...

    def gradient(self, x: Tensor, level: Level, labels: Tensor, check: Check = never) -> tuple[Tensor, Tensor]:
        """The gradient of log p(y | x) by x, of its shape, and log p(y | x) itself (n,). Raises Refusal."""
        ...

    def release(self) -> None:
        """Give back what it holds on devices."""
        ...


class Library:
    """The open models, recognisers and pictures, by hash. Only the engine thread (or a headless command) uses it."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._recognisers: dict[str, Recogniser] = {}
        self._images: dict[str, OpenedImage] = {}

    def add_recogniser(self, recogniser: Recogniser) -> None:
        self._recognisers[recogniser.info.ref.sha256] = recogniser

    def recogniser(self, ref: ModelRef) -> Recogniser:
        """Raises: Refusal where it is not open."""
        if ref.sha256 not in self._recognisers:
            raise Refusal(f"The classifier “{ref.name}” is not open. Open its folder, then begin again.")
        return self._recognisers[ref.sha256]

    def add_model(self, model: Model) -> None:
        """The model one works with from now on; the others stay open, but let go of the device's memory."""
        for other in self._models.values():
            other.release()
        self._models[model.info.ref.sha256] = model

    def forget_model(self, ref: ModelRef) -> None:
        """Close a model that nobody names any more."""
        self._models.pop(ref.sha256, None)

    def add_image(self, image: OpenedImage) -> None:
        self._images[image.sha256] = image

    def model(self, ref: ModelRef) -> Model:
        """Raises: Refusal where it is not open."""
        if ref.sha256 not in self._models:
            raise Refusal(f"The model “{ref.name}” of this run is not open. Open its folder, then run again.")
        return self._models[ref.sha256]

    def x0(self, ref: ImageRef, spec: DataSpec) -> Tensor:
        """The picture as one event of the model's data, shape (1, *event_shape).

        Raises:
            Refusal: the picture is not open.
        """
        return torch.from_numpy(spec.from_picture(self.image(ref).pixels, ref.conversion))[None]

    def image(self, ref: ImageRef) -> OpenedImage:
        """Raises: Refusal where it is not open."""
        if ref.sha256 not in self._images:
            raise Refusal("The picture of this run is not open. Open it again, then run again.")
        return self._images[ref.sha256]
