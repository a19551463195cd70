"""The Inception network whose last features are those of the published Frechet distances, from a person's own file.

Its architecture is Inception v3 (Szegedy et al. 2016) as it was trained in 2015: 1008 classes, average pooling that
does not count the border, and a maximum in the last block's pooling branch (Heusel et al. 2017 used this graph).
The weights are converted ones: pytorch-fid's ``pt_inception-2015-12-05-6726825d.pth`` or torch-fidelity's
``weights-inception-2015-12-05-6726825d.pth``, also as safetensors; nothing is ever downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from core.checkpoints.container import open_container
from core.errors import Refusal
from core.evaluation.inception_layers import CONVOLUTIONS, FEATURES, SHAPES, Convolution
from core.levels import Level
from core.library import Check, never
from core.messages import ClassifierInfo
from core.requests import ModelRef, ScheduleSpec
from core.weights_file import OnProgress, digest, unheard

SIDE = 299
EPSILON = 1e-3
LARGEST_FILE = 500_000_000
_COUNTER = ".num_batches_tracked"

Resize = Literal["pytorch-fid", "torch-fidelity"]


class Inception:
    """The network as a ``Recogniser`` of features alone. ``published``: its features are compared as they are, and it
    takes pictures of any size.

    The normalisations are folded into the convolutions, so features agree with other programs' to about 1e-5.
    """

    published = True

    def __init__(
        self,
        info: ClassifierInfo,
        weights: Mapping[str, Tensor],
        resize: Resize,
        device: str = "cpu",
        check: Check = never,
    ) -> None:
        self.info = info
        self._resize, self._device = resize, device
        self._folded: dict[str, tuple[Tensor, Tensor]] = {}
        for name, layer in CONVOLUTIONS.items():
            check()
            self._folded[name] = _folded(layer, weights)
        self._lent: dict[str, tuple[Tensor, Tensor]] = {}

    @torch.inference_mode()
    def features(self, x: Tensor, check: Check) -> Tensor:
        """Of pictures (n, 3, height, width) of any size in [-1, 1]: float32 (n, 2048), picture by picture."""
        features = []
        for picture in x:
            check()
            features.append(self._features(_resized(picture[None].to(self._device), self._resize), check))
        return torch.cat(features)

    def log_probabilities(self, x: Tensor, level: Level, check: Check = never) -> Tensor:
        raise Refusal("This Inception network gives features alone: choose a classifier to recognise classes.")

    def gradient(self, x: Tensor, level: Level, labels: Tensor, check: Check = never) -> tuple[Tensor, Tensor]:
        raise Refusal("This Inception network never met noise, so it cannot guide: choose a noisy classifier.")

    def release(self) -> None:
        self._lent.clear()

    def _features(self, x: Tensor, check: Check) -> Tensor:
        x = self._after(x, "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3")
        x = self._after(F.max_pool2d(x, 3, 2), "Conv2d_3b_1x1", "Conv2d_4a_3x3")
        x = F.max_pool2d(x, 3, 2)
        for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
            check()
            x = self._a(x, block)
        x = self._b(x, "Mixed_6a")
        for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
            check()
            x = self._c(x, block)
        x = self._d(x, "Mixed_7a")
        check()
        x = self._e(x, "Mixed_7b", _average(x))
        x = self._e(x, "Mixed_7c", F.max_pool2d(x, 3, 1, padding=1))
        return x.mean(dim=(2, 3))

    def _a(self, x: Tensor, block: str) -> Tensor:
        small = self._branch(x, block, "branch1x1")
        middle = self._branch(x, block, "branch5x5_1", "branch5x5_2")
        large = self._branch(x, block, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
        return torch.cat((small, middle, large, self._branch(_average(x), block, "branch_pool")), 1)

    def _b(self, x: Tensor, block: str) -> Tensor:
        once = self._branch(x, block, "branch3x3")
        twice = self._branch(x, block, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3")
        return torch.cat((once, twice, F.max_pool2d(x, 3, 2)), 1)

    def _c(self, x: Tensor, block: str) -> Tensor:
        small = self._branch(x, block, "branch1x1")
        once = self._branch(x, block, *(f"branch7x7_{i}" for i in range(1, 4)))
        twice = self._branch(x, block, *(f"branch7x7dbl_{i}" for i in range(1, 6)))
        return torch.cat((small, once, twice, self._branch(_average(x), block, "branch_pool")), 1)

    def _d(self, x: Tensor, block: str) -> Tensor:
        small = self._branch(x, block, "branch3x3_1", "branch3x3_2")
        large = self._branch(x, block, *(f"branch7x7x3_{i}" for i in range(1, 5)))
        return torch.cat((small, large, F.max_pool2d(x, 3, 2)), 1)

    def _e(self, x: Tensor, block: str, pooled: Tensor) -> Tensor:
        small = self._branch(x, block, "branch1x1")
        once = self._branch(x, block, "branch3x3_1")
        twice = self._branch(x, block, "branch3x3dbl_1", "branch3x3dbl_2")
        forked = [self._branch(once, block, f"branch3x3_2{side}") for side in "ab"]
        forked += [self._branch(twice, block, f"branch3x3dbl_3{side}") for side in "ab"]
        return torch.cat((small, *forked, self._branch(pooled, block, "branch_pool")), 1)

    def _branch(self, x: Tensor, block: str, *names: str) -> Tensor:
        return self._after(x, *(f"{block}.{name}" for name in names))

    def _after(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            layer = CONVOLUTIONS[name]
            if name not in self._lent:
                weight, bias = self._folded[name]
                self._lent[name] = weight.to(self._device), bias.to(self._device)
            x = F.conv2d(x, *self._lent[name], stride=layer.stride, padding=layer.padding).relu_()
        return x


def open_inception(
    path: Path, device: str = "cpu", on_progress: OnProgress = unheard, check: Check = never
) -> Inception:
    """The network in a person's file; which program's resizing goes with it, the file's name says.

    ``pt_inception…`` is resized as pytorch-fid does it, everything else as torch-fidelity, whose figures are those of
    the original program. ``on_progress`` is told the bytes read, ``check`` is called often and may raise. Raises
    Refusal for a file that is not this network's: nothing in it is ever executed.
    """
    weights = {name: tensor.float() for name, tensor in _read(path, on_progress, check).items()}
    for name, tensor in weights.items():
        check()
        if not bool(torch.isfinite(tensor).all()) or (name.endswith("running_var") and bool((tensor < 0).any())):
            raise Refusal(f"{path.name} holds values that are not numbers, or no variances: it is damaged.", name)
    resize: Resize = "pytorch-fid" if path.name.startswith("pt_inception") else "torch-fidelity"
    info = ClassifierInfo(
        ModelRef(path.name, digest((path,), f"inception {resize}", check)),
        (3, SIDE, SIDE),
        (),
        ScheduleSpec(),
        FEATURES,
        noisy=False,
        parameters=sum(tensor.numel() for tensor in weights.values()),
        description=f"Inception v3 of the Fréchet distance, pictures resized as by {resize}",
    )
    return Inception(info, weights, resize, device, check)


def _read(path: Path, on_progress: OnProgress, check: Check) -> dict[str, Tensor]:
    """The network's tensors in the file, on the CPU; shapes are compared before anything large is made of them."""
    if not path.is_file():  # a pipe would be waited for
        raise Refusal(f"{path.name} cannot be read as weights: there is no such file.", str(path))
    if path.stat().st_size > LARGEST_FILE:
        raise Refusal(f"{path.name} is far larger than the Inception network. Name another file.")
    container = open_container(path)
    _compare(path, container.loose.shapes)
    return _counted_out(container.load(on_progress, check))


def _compare(path: Path, found: Mapping[str, tuple[int, ...]]) -> None:
    """Raise Refusal unless these are the network's tensors, counters aside."""
    names = {name for name in found if not name.endswith(_COUNTER)}
    missing, unknown = sorted(SHAPES.keys() - names), sorted(names - SHAPES.keys())
    wrong = [name for name in SHAPES if name in names and found[name] != SHAPES[name]]
    if missing or unknown or wrong:
        raise Refusal(
            f"{path.name} does not hold the Inception network of the Fréchet distance. Use pytorch-fid's "
            "pt_inception-2015-12-05-6726825d.pth or torch-fidelity's weights-inception-2015-12-05-6726825d.pth.",
            f"{len(missing)} tensors missing, {len(unknown)} unknown, {len(wrong)} of another shape; "
            f"{(missing or unknown or wrong)[0][:80]}",
        )


def _counted_out(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(_COUNTER)}


def _folded(layer: Convolution, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with the normalisation after it, which in evaluation is a scale and a shift."""
    weight, scale, bias, mean, variance = (weights[name].double() for name in layer.shapes)
    gain = scale / torch.sqrt(variance + EPSILON)
    return (weight * gain.view(-1, 1, 1, 1)).float(), (bias - mean * gain).float()


def _average(x: Tensor) -> Tensor:
    """3 x 3 averages at the same resolution; at the border of the values that are there."""
    return F.avg_pool2d(x, 3, 1, padding=1, count_include_pad=False)


def _resized(x: Tensor, way: Resize) -> Tensor:
    """Pictures in [-1, 1] at 299 x 299, bilinearly, and in the network's range.

    pytorch-fid places pixels by their centres and maps 0..255 to -1..1; torch-fidelity, as the original program, places
    them by their corners and takes (value - 128) / 128.
    """
    if way == "pytorch-fid":
        return F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    values = (x + 1) * 127.5
    for axis in (2, 3):
        at = torch.arange(SIDE, device=x.device, dtype=torch.float32) * (values.shape[axis] / SIDE)
        low = at.floor().long().clamp(max=values.shape[axis] - 1)
        high = (low + 1).clamp(max=values.shape[axis] - 1)
        share = (at - low).view([-1 if other == axis else 1 for other in range(4)])
        values = torch.lerp(values.index_select(axis, low), values.index_select(axis, high), share)
    return (values - 128) / 128
