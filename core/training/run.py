"""A training run on a folder of pictures, whose own folder is a model folder from the first checkpoint on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import Refusal
from core.messages import ModelInfo
from core.model_folder import save_model
from core.requests import ModelRef, Precision, SamplerSpec, ScheduleSpec
from core.training.checkpoint import load_checkpoint, read_request, save_checkpoint
from core.training.dataset import PictureFolder, open_folder
from core.training.request import TrainRequest
from core.training.trainer import Trainer, TrainStep
from core.unet_config import UNetConfig


@dataclass(frozen=True, slots=True)
class TrainReport:
    """How a run ended: ``loss`` is the mean of the last 100 steps, None where nothing was left to do."""

    folder: Path
    step: int
    seconds: float
    loss: float | None
    skipped: tuple[tuple[str, str], ...]


def default_network(size: int, channels: int, classes: int) -> UNetConfig:
    """A network for small pictures, made for training on a CPU: few blocks, wide where the picture is small.

    Resolutions are halved down to 8 x 8 at most three times; attention in the middle alone; one more class than
    ``classes`` is the null label. Raises Refusal where ``size`` cannot be halved that often.
    """
    widths = (24, 64, 128, 192)[: max(2, min(4, (size // 8).bit_length()))]
    multiple = 2 ** (len(widths) - 1)
    if size < 8 or size % multiple:
        raise Refusal(f"Pictures of {size} × {size} cannot be trained on: choose a multiple of {max(8, multiple)}.")
    return UNetConfig(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=widths,
        down_block_types=("DownBlock2D",) * len(widths),
        up_block_types=("UpBlock2D",) * len(widths),
        layers_per_block=1,
        norm_num_groups=8,
        attn_norm_num_groups=8,
        attention_head_dim=32,
        time_embedding_dim=128,
        resnet_time_scale_shift="scale_shift",
        num_class_embeds=classes + 1 if classes else None,
        num_train_timesteps=1000,
    )


def train_on_folder(
    folder: Path,
    out: Path,
    *,
    size: int = 32,
    steps: int | None = None,
    minutes: float | None = None,
    batch: int = 64,
    seed: int = 0,
    resume: bool = False,
    precision: Precision = "float32",
    device: str = "cpu",
    network: UNetConfig | None = None,
    save_every: float = 120.0,
    description: str = "",
    licence: str = "",
    on_tick: Callable[[Trainer, TrainStep], None] = lambda trainer, step: None,
    on_decoded: Callable[[int, int], None] = lambda done, total: None,
    on_folder: Callable[[PictureFolder], None] = lambda data: None,
) -> TrainReport:
    """Train on the pictures in ``folder`` (sub-folders are classes) and leave the averaged model in ``out``.

    A checkpoint is written every ``save_every`` seconds and at the end. With ``resume`` the run in ``out`` goes on
    from its checkpoint, from the start where there is none, and nothing is done where it is finished already; without
    it a folder that holds a run is refused. ``on_tick`` is told of every step, ``on_decoded`` how many of how many
    files have been looked at, ``on_folder`` once of what was found.
    """
    data = open_folder(folder, size, on_decoded)
    on_folder(data)
    request = TrainRequest(
        data_name=data.name,
        data_sha256=data.sha256,
        network=network or default_network(size, data.pictures.shape[3], len(data.classes)),
        labels=data.classes,
        schedule=ScheduleSpec("linear", 1000),
        prediction="v",
        steps=steps,
        minutes=minutes,
        batch=batch,
        seed=seed,
        precision=precision,
    )
    before = read_request(out)
    if before is not None and not resume:
        raise Refusal(f"{out} already holds a training run. Go on with it by --resume, or name another folder.")
    if before is not None and not request.continued(before):
        raise Refusal(f"{out} holds a run with other settings or pictures. Give the same ones, or name another folder.")
    trainer = Trainer(request, data, device=device)
    if before is not None:
        load_checkpoint(trainer, out)
    if trainer.progress >= 1:
        return TrainReport(out, trainer.step, trainer.seconds, None, data.skipped)
    return _train(trainer, data, out, save_every, description, licence, on_tick)


def _train(
    trainer: Trainer,
    data: PictureFolder,
    out: Path,
    save_every: float,
    description: str,
    licence: str,
    on_tick: Callable[[Trainer, TrainStep], None],
) -> TrainReport:
    losses: list[float] = []
    saved = time.monotonic()
    save_run(trainer, data, out, description, licence)  # says at once where nothing can be written
    for done in trainer.steps():
        losses = [*losses[-99:], done.loss]
        on_tick(trainer, done)
        if time.monotonic() - saved > save_every:
            save_run(trainer, data, out, description, licence)
            saved = time.monotonic()
    save_run(trainer, data, out, description, licence)
    return TrainReport(out, trainer.step, trainer.seconds, sum(losses) / len(losses), data.skipped)


def save_run(trainer: Trainer, data: PictureFolder, out: Path, description: str = "", licence: str = "") -> ModelInfo:
    """Write the averaged model and the checkpoint into the run's folder. Raises Refusal where that is impossible."""
    request = trainer.request
    info = ModelInfo(
        ref=ModelRef(out.name, ""),
        event_shape=(data.pictures.shape[3], *data.pictures.shape[1:3]),
        schedule=request.schedule,
        prediction=request.prediction,
        labels=request.labels,
        null_label=request.null_label,
        # Clamping x0_hat alone pulls it away from eps_hat, which ruins guidance; only eps needs it near pure noise.
        sampler=SamplerSpec("ddim", clip="clamp" if request.prediction == "eps" else "none"),
        description=description or f"trained on the {len(data)} pictures of {data.name}",
        licence=licence,
        data_statistics=data.statistics,
    )
    training = replace(request, network=UNetConfig()).to_json()
    del training["network"]  # it is in unet/config.json
    provenance = {"training": training, "step": trainer.step, "seconds": round(trainer.seconds, 1)}
    saved = save_model(out, trainer.averaged(), info, provenance=provenance)
    save_checkpoint(trainer, out)
    return saved
