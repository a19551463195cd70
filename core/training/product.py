"""What a run leaves in its folder: a model that draws, or a classifier."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from core.classifier import Classifier
from core.classifier_config import ClassifierConfig
from core.classifier_folder import read_classifier, save_classifier
from core.errors import Refusal
from core.messages import ClassifierInfo, ModelInfo
from core.model_folder import read_info, save_model
from core.requests import ClipPolicy, ModelRef, PredictionKind, SamplerSpec
from core.training.classification import accuracy
from core.training.dataset import PictureFolder
from core.training.order import WeightsName
from core.training.request import TrainRequest
from core.training.trainer import Trainer
from core.unet import UNet
from core.unet_config import UNetConfig

Check = Callable[[], None]


class Product(Protocol):
    """``info`` is what its folder says of it; ``draws`` whether samples can be drawn of it."""

    draws: bool

    def measure(self, trainer: Trainer, check: Check) -> None:
        """Find out how good it is, where that takes long; ``check`` may do other work, or raise Cancelled."""
        ...

    def write(self, folder: Path, trainer: Trainer, name: str = "") -> None:
        """Its folder, with the averaged weights as they are. Raises Refusal where it cannot be written."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a run's folder comes from: ``out`` itself, the model that it began from, and what it should say. Where the
    run ``resumes``, what the folder has said before stands for what is left open."""

    out: Path
    base: ModelInfo | None = None
    resumes: bool = False
    description: str = ""
    licence: str = ""


class ModelProduct:
    """A model folder."""

    draws = True

    def __init__(self, request: TrainRequest, data: PictureFolder, origin: Origin) -> None:
        base, description, licence = origin.base, origin.description, origin.licence
        if origin.resumes:
            with contextlib.suppress(Refusal):
                base = read_info(origin.out)
                description, licence = description or base.description, licence or base.licence
        # Clamping x0_hat alone pulls it away from eps_hat, which ruins guidance; only what says little of x_0 near pure
        # noise needs it. The mean says so little of it that eps_hat is worth nothing either, and is taken from x0_hat.
        clips: dict[PredictionKind, ClipPolicy] = {"eps": "clamp", "mean": "rederive"}
        sampler = SamplerSpec("ddim", clip=clips.get(request.prediction, "none"))
        info = base or ModelInfo(ModelRef("", ""), (), request.schedule, request.prediction, sampler=sampler)
        self.info = replace(
            info,
            ref=ModelRef(origin.out.name, ""),
            event_shape=(data.pictures.shape[3], *data.pictures.shape[1:3]),
            labels=request.labels,
            null_label=request.null_label,
            variance=request.variance,
            description=description or f"trained on the {len(data)} pictures of {data.name}",
            licence=licence,
            data_statistics=data.statistics,
            usual_guidance=None,  # what suited the model that it began from need not suit it
            usual_steps=None,
        )

    def measure(self, trainer: Trainer, check: Check) -> None:
        pass  # that is the Measure stage's work

    def network(self, trainer: Trainer, weights: WeightsName = "ema") -> UNet:
        network = trainer.averaged() if weights == "ema" else trainer.raw()
        assert isinstance(network, UNet)
        return network

    def write(self, folder: Path, trainer: Trainer, name: str = "") -> None:
        save_model(folder, self.network(trainer), self.info, provenance=_provenance(trainer), name=name)


class ClassifierProduct:
    """A classifier's folder, which says how many of the pictures ``aside`` it recognises through how much noise."""

    draws = False

    def __init__(self, request: TrainRequest, data: PictureFolder, aside: PictureFolder, origin: Origin) -> None:
        description, licence = origin.description, origin.licence
        if origin.resumes:
            with contextlib.suppress(Refusal):
                before = read_classifier(origin.out)
                description, licence = description or before.description, licence or before.licence
        config = ClassifierConfig(request.network, len(request.labels))
        how = "noised" if request.noised else "clean"
        self.info = ClassifierInfo(
            ref=ModelRef(origin.out.name, ""),
            event_shape=config.event_shape,
            labels=request.labels,
            schedule=request.schedule,
            features=config.features,
            noisy=request.noised,
            description=description
            or f"tells the {len(request.labels)} classes of {data.name} apart in {how} pictures",
            licence=licence,
        )
        self._aside = aside.in_channels(config.encoder.in_channels)
        self._accuracy: dict[str, Any] = {}

    def measure(self, trainer: Trainer, check: Check) -> None:
        if trainer.step and self._accuracy.get("step") != trainer.step:
            network = trainer.averaged()
            assert isinstance(network, Classifier)
            found = accuracy(network, trainer.request, self._aside, check)
            self._accuracy = {"step": trainer.step, **found} if found else {}

    def write(self, folder: Path, trainer: Trainer, name: str = "") -> None:
        network = trainer.averaged()
        assert isinstance(network, Classifier)
        provenance = {**_provenance(trainer), **({"accuracy": self._accuracy} if self._accuracy else {})}
        save_classifier(folder, network, self.info, provenance=provenance, name=name)


def _provenance(trainer: Trainer) -> dict[str, Any]:
    training = replace(trainer.request, network=UNetConfig()).to_json()
    del training["network"]  # it is in the network's own config.json
    return {"training": training, "step": trainer.step, "seconds": round(trainer.seconds, 1)}
