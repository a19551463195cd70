"""Networks that recognise pictures, open and ready: noisy classifiers that guide, and those that judge."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoints.container import open_container
from core.checkpoints.description import Answers
from core.checkpoints.opening import describe, open_checkpoint
from core.checkpoints.recognise import recognise
from core.classifier import Classifier
from core.classifier_folder import OpenClassifier, find_classifier, is_classifier, open_classifier
from core.errors import Refusal
from core.evaluation.inception import open_inception
from core.levels import CLEAN, Level
from core.library import MICRO_BATCH_FLOPS, Check, Recogniser, never
from core.messages import ClassifierInfo
from core.schedules import make_schedule
from core.weights_file import OnProgress, unheard

WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
"""Endings of files with a recogniser's weights."""

_BOUND = 100.0
"""Log-SNRs beyond this are as good as noiseless, or as nothing but noise."""


@dataclass(frozen=True, slots=True)
class OpenRecogniser:
    """A recogniser and where it lies; ``notes`` are for the person."""

    recogniser: Recogniser
    folder: Path
    notes: tuple[str, ...] = ()


def open_recogniser(
    name_or_path: str | Path,
    device: str = "cpu",
    answers: Answers = MappingProxyType({}),
    on_progress: OnProgress = unheard,
    check: Check = never,
) -> OpenRecogniser:
    """Open a bundled classifier by its name, a classifier's folder, a file with guided-diffusion's classifier, or one
    with Inception's weights; ``answers`` tell what such a file does not say.

    ``on_progress`` is told the bytes read, ``check`` is called many times a second and may raise. Raises Refusal, in
    words, for everything else.
    """
    file = Path(name_or_path)
    if file.suffix.lower() in WEIGHTS and not file.is_dir() and not is_classifier(file.parent.parent):
        if _is_of_a_family(file):
            opened = _opened(file, answers, on_progress, check)
            return OpenRecogniser(NetworkRecogniser(opened), file, opened.notes)
        return OpenRecogniser(open_inception(file, device, on_progress, check), file)
    folder = find_classifier(name_or_path)
    opened = open_classifier(folder, on_progress, check)
    return OpenRecogniser(NetworkRecogniser(opened), folder, opened.notes)


def _is_of_a_family(file: Path) -> bool:
    """Whether it is a checkpoint that is told by its names; what is not is left to Inception's own words."""
    try:
        recognise(open_container(file).loose)
    except Refusal:
        return False
    return True


def _opened(file: Path, answers: Answers, on_progress: OnProgress, check: Check) -> OpenClassifier:
    if describe(file, answers).kind != "classifier":
        raise Refusal(f"{file.name} is a model that draws pictures, not a classifier. Open it as a model.", str(file))
    opened = open_checkpoint(file, answers, on_progress, check)
    assert isinstance(opened, OpenClassifier)
    return opened


class NetworkRecogniser:
    """A classifier from a folder, computed in float32 on the device that the pictures are on.

    A level is known to it by its signal-to-noise ratio: it is told the time of its own schedule that has the nearest,
    so that models trained on another schedule are guided as well. Answers the ``Recogniser`` protocol.
    """

    def __init__(self, opened: OpenClassifier) -> None:
        self.info: ClassifierInfo = opened.info
        self._network = opened.network
        self._prepared: dict[str, Classifier] = {}
        self._log_snr = np.clip(make_schedule(opened.info.schedule).log_snr, -_BOUND, _BOUND)
        _, height, width = opened.info.event_shape
        self._micro_batch = max(1, min(64, int(MICRO_BATCH_FLOPS / 3 / self._network.flops(height, width))))

    def features(self, x: Tensor, check: Check = never) -> Tensor:
        """What the last layer is given of clean pictures x (n, *event_shape): float32 (n, ``info.features``)."""
        network, t = self._on(x.device), self._time(CLEAN)
        with torch.no_grad():
            return torch.cat([network.features(part, _all(t, part)) for part, _ in self._parts(x, None, check)])

    def log_probabilities(self, x: Tensor, level: Level, check: Check = never) -> Tensor:
        """log p(y | x) of every class, float32 (n, classes). Raises Refusal where x is noisy and it knows no noise."""
        self._refuse_noise(level)
        network, t = self._on(x.device), self._time(level)
        with torch.no_grad():
            parts = [F.log_softmax(network(part, _all(t, part)), dim=1) for part, _ in self._parts(x, None, check)]
        return torch.cat(parts)

    def gradient(self, x: Tensor, level: Level, labels: Tensor, check: Check = never) -> tuple[Tensor, Tensor]:
        """The gradient of log p(y | x) by x for labels y int64 (n,), of the shape of x, and log p(y | x) itself (n,).

        Raises Refusal where it was trained on clean pictures only.
        """
        if not self.info.noisy:
            raise Refusal(
                f"“{self.info.ref.name}” was trained on clean pictures, so it judges and cannot guide. "
                "Guide with a classifier that was trained on noisy ones."
            )
        network, t = self._on(x.device), self._time(level)
        gradients, log_p = [], []
        for part, theirs in self._parts(x, labels.to(x.device), check):
            with torch.inference_mode(False), torch.enable_grad():
                given = part.clone().requires_grad_()
                chosen = _log_p(network, given, _all(t, part).clone(), theirs.clone())
                gradients.append(torch.autograd.grad(chosen.sum(), given)[0])
                log_p.append(chosen.detach())
        return torch.cat(gradients), torch.cat(log_p)

    def release(self) -> None:
        """Give back what lies on devices; it is made again where it is needed."""
        self._prepared.clear()

    def _on(self, device: torch.device) -> Classifier:
        key = str(device)
        if key not in self._prepared:
            with torch.inference_mode(False):  # a gradient goes through these weights
                ready = copy.deepcopy(self._network).eval().requires_grad_(False)
                self._prepared[key] = ready.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._prepared[key]

    def _parts(self, x: Tensor, labels: Tensor | None, check: Check) -> Iterator[tuple[Tensor, Tensor]]:
        """The batch in micro-batches, with their labels (without labels: none)."""
        x = x.float()
        labels = torch.empty(len(x), 0) if labels is None else labels
        for start in range(0, len(x), self._micro_batch):
            check()
            here = slice(start, start + self._micro_batch)
            yield x[here], labels[here]

    def _time(self, level: Level) -> float:
        log_snr = min(max(level.log_snr, -_BOUND), _BOUND)
        return float(np.abs(self._log_snr - log_snr).argmin())

    def _refuse_noise(self, level: Level) -> None:
        if not self.info.noisy and not level.is_clean:
            raise Refusal(
                f"“{self.info.ref.name}” was trained on clean pictures, so it says nothing of noisy ones. "
                "Ask a classifier that was trained on noise."
            )


def _all(t: float, x: Tensor) -> Tensor:
    return torch.full((len(x),), t, dtype=torch.float32, device=x.device)


def _log_p(network: Callable[[Tensor, Tensor], Tensor], x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
    """log p(y | x), (n,), float32."""
    logits = network(x, t).float()
    return F.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
