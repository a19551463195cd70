"""A training run on a folder of pictures from beginning to end, as a command or a recipe makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import Cancelled, Diverged, Refusal
from core.library import NetworkModel
from core.requests import ScheduleSpec
from core.training.checkpoint import read_request
from core.training.claim import check_free
from core.training.dataset import PictureFolder, open_folder
from core.training.events import Event, TrainStep
from core.training.order import FINE_TUNING_LR, Instruction, PresetName, TrainOrder
from core.training.reading import Reading
from core.training.recovery import NotEnoughMemory
from core.training.request import TrainRequest
from core.training.resolve import preset_network, refuse_nonsense
from core.training.session import NotSaved, TrainingSession, nothing
from core.training.trainer import Trainer
from core.unet_config import UNetConfig

SIZE = 32


@dataclass(frozen=True, slots=True)
class TrainReport:
    """How a run ended: ``loss`` is the mean of the last 100 steps, None where nothing was left to do."""

    folder: Path
    step: int
    seconds: float
    loss: float | None
    skipped: tuple[tuple[str, str], ...]


def refuse(refusal: Refusal) -> None:
    raise refusal


def train_on_folder(
    folder: Path,
    out: Path,
    *,
    size: int | None = None,
    reading: Mapping[str, Any] | None = None,
    steps: int | None = None,
    minutes: float | None = None,
    resume: bool = False,
    base: NetworkModel | None = None,
    network: UNetConfig | None = None,
    device: str = "cpu",
    samples: int = 0,
    save_every: float = 120.0,
    description: str = "",
    licence: str = "",
    check: Callable[[], None] = nothing,
    on_tick: Callable[[Trainer, TrainStep], None] = lambda trainer, step: None,
    on_decoded: Callable[[int, int], None] = lambda done, total: None,
    on_folder: Callable[[PictureFolder], None] = lambda data: None,
    on_session: Callable[[TrainingSession], None] = lambda session: None,
    on_event: Callable[[Event], None] = lambda event: None,
    on_full: Callable[[NotSaved], None] = refuse,
    on_stop: Callable[[int], None] = lambda step: None,
    **settings: Any,
) -> TrainReport:
    """Train on the pictures in ``folder`` (sub-folders are classes) and leave the averaged model in ``out``.

    ``reading`` are settings of Reading besides its ``size``, and ``settings`` those of TrainOrder; what is not given is
    as there, or as in the run that goes on. With ``resume`` the run in ``out`` goes on from its checkpoint, from the
    start where there is none, and nothing is done where it is finished already; without it a folder that holds a run is
    refused.

    ``on_decoded`` is told how many of how many files have been looked at, ``on_folder`` what was found, ``on_session``
    of the run before its first step, ``on_tick`` of every step, ``on_event`` of what else happens. Where ``check`` or
    one of these raises Cancelled during the run, ``on_stop`` is told of its last step, the run is saved, and Cancelled
    goes on. A step that does not fit into memory is made in smaller parts. Where the run cannot be saved, ``on_full``
    raises, as it does by itself, or waits until there is room. Raises Refusal.
    """
    check_free(out)
    before = read_request(out)
    if before is not None and resume:
        _refuse_others(before, settings, out)
    elif base is not None:
        settings.setdefault("lr", FINE_TUNING_LR)
    else:
        refuse_nonsense(TrainOrder(out, **settings))
    data = open_folder(folder, _reading(before, size or _size(before, base), reading or {}), on_decoded)
    on_folder(data)
    order = TrainOrder(
        out,
        steps,
        minutes,
        base=base.info.ref if base else None,
        resume=resume,
        samples=samples,
        save_every=save_every,
        **settings,
    )
    session = TrainingSession(
        order, data, base, device=device, check=check, network=network, description=description, licence=licence
    )
    trainer, begun_at = session.trainer, session.trainer.step
    on_session(session)
    try:
        for done in whole_work(session, on_full):
            if isinstance(done, TrainStep):
                on_tick(trainer, done)
            elif done is not None:
                on_event(done)
    except Cancelled:
        on_stop(trainer.step)
        session.save()
        raise
    loss = session.history.recent_loss() if trainer.step > begun_at else None
    return TrainReport(out, trainer.step, trainer.seconds, loss, data.skipped)


def whole_work(session: TrainingSession, on_full: Callable[[NotSaved], None] = refuse) -> Iterator[Event | None]:
    """The work to its end, whatever comes between that can be mended: a step that does not fit into memory is made in
    smaller parts, and ``on_full`` is told where the run cannot be saved."""
    while True:
        try:
            yield from session.work()
            return
        except NotEnoughMemory as refusal:
            if not refusal.micro_batch:
                session.save()
                raise
            session.instruct(Instruction(micro_batch=refusal.micro_batch))
        except NotSaved as refusal:
            on_full(refusal)
        except Diverged:
            raise
        except Exception:  # whatever it is, the steps before it were whole
            with suppress(Refusal):
                session.save()
            raise


def _reading(before: TrainRequest | None, size: int, said: Mapping[str, Any]) -> Reading:
    """How the files are read: as said, and for the rest as the run that goes on has read them."""
    known = (before and before.reading) or Reading()
    wanted = replace(known, size=size, **said)
    if before is not None and replace(wanted, size=known.size) != known:
        raise Refusal(
            "This run has read its pictures with another crop, background or choice of frames. Leave these options "
            "out, or name another folder."
        )
    return wanted


def _size(before: TrainRequest | None, base: NetworkModel | None) -> int:
    if before is not None and before.network.sides:
        return before.network.sides[0]
    return int(base.info.event_shape[1]) if base is not None else SIZE


def _refuse_others(before: TrainRequest, settings: dict[str, Any], out: Path) -> None:
    """A run goes on with its own settings; whoever asks for others is told so."""
    has = {name: getattr(before, name) for name in settings if hasattr(before, name)}
    other = next((name for name, value in has.items() if value != settings[name]), None)
    if other is not None:
        words = _words(other, has[other])
    elif "preset" in settings and before.network != _network(settings["preset"], before):
        words = f"its network is not the {settings['preset']} one"
    else:
        return
    raise Refusal(f"{out} holds a run with other settings: {words}. Leave that option out, or name another folder.")


def _words(name: str, value: Any) -> str:
    if isinstance(value, ScheduleSpec):
        return f"its schedule is {value.name} with T = {value.T}{' and zero SNR' if value.zero_snr else ''}"
    if name == "task":
        return "it trains a classifier" if value == "classifier" else "it trains a diffusion model"
    if name == "noised":
        return f"its classifier sees {'noised' if value else 'clean'} pictures"
    return f"its {'learning rate' if name == 'lr' else name.replace('_', ' ')} is {value}"


def _network(preset: PresetName, of: TrainRequest) -> UNetConfig:
    return preset_network(preset, _size(of, None), of.network.in_channels, len(of.labels), of)
