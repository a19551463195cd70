"""What a training has drawn, drawn again from the checkpoints that it has kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from core.dataspec import ImageSpec
from core.errors import Refusal
from core.model_folder import OpenModel, read_info
from core.training.draw_request import TrainingDraw
from core.training.events import Drawn
from core.training.journal import Journal
from core.training.kept_draws import checkpoints_of
from core.training.order import WeightsName
from core.training.request import TrainRequest
from core.training.samples import draw
from core.training.sealed import Harmed, check_seal
from core.training.tasks import task_of
from core.unet import UNet

PREFIXES: dict[WeightsName, str] = {"ema": "average/", "raw": "weights/"}


def redrawn(request: TrainingDraw, device: str, on_step: Callable[[int, int], None]) -> tuple[Drawn, ...]:
    """Each set of samples again, with the way there. ``on_step`` hears how many steps of the sampler are done, and of
    how many. Raises Refusal where the training, or one of the checkpoints, is not here."""
    folder, checkpoints = checkpoints_of(request)
    info = read_info(folder)
    sets: list[Drawn] = []
    for step, weights in zip(request.after, request.weights, strict=True):
        path = checkpoints.get(step)
        network = _first_network(request.training) if path is None else _network(request.training, path, weights)
        opened = OpenModel(info, ImageSpec(info.event_shape), network, network.config, folder)
        done = len(sets) * request.steps
        precision = _precision(folder, step, request.training.precision)
        items = draw(opened, request.count, precision, device, _nothing, step=step, weights=weights)
        for drawn in items:
            done += 1
            if drawn is not None:
                sets.append(drawn)
            else:
                on_step(done, len(request.after) * request.steps)
    return tuple(sets)


def _first_network(training: TrainRequest) -> UNet:
    """The network before its first step, drawn from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        network = task_of(training).network(training)
    assert isinstance(network, UNet)
    return network.eval()


def _network(training: TrainRequest, path: Path, weights: WeightsName) -> UNet:
    prefix = PREFIXES[weights]
    try:
        check_seal(path)
        with safe_open(str(path), framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            tensors = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
        with torch.device("meta"):
            network = UNet(training.network)
        network.load_state_dict(tensors, assign=True)
    except (OSError, Harmed, SafetensorError, RuntimeError) as error:
        raise Refusal(f"The checkpoint {path.name} is damaged: nothing is drawn from it.", repr(error)) from error
    network.eval()
    return network


def _precision(folder: Path, step: int, usual: str) -> str:
    """What the network was computed in after so many steps."""
    line = Journal(folder).in_force(step)
    return usual if line is None else str(line.path.get("precision", usual))


def _nothing() -> None:
    pass
