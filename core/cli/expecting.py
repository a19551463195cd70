"""What a training will take and what should be known of it, as a command says it before the first step."""

from __future__ import annotations

from dataclasses import replace

from core.cli.output import clock
from core.errors import Refusal
from core.memory import memory
from core.training.forecast import Forecast, forecast
from core.training.session import TrainingSession


def expected(session: TrainingSession) -> tuple[str, ...]:
    """Lines for the person; none for a run that goes on."""
    if session.trainer.step:
        return ()
    request = session.request
    order = replace(
        session.order,
        steps=request.steps,
        minutes=request.minutes,
        batch=request.batch,
        precision=request.precision,
        task=request.task,
    )
    try:
        _used, has = memory(session.device)
        told = forecast(order, session.data, device=session.device, network=request.network, memory=has)
    except Refusal:  # that it can be trained is known already
        return ()
    return (*(() if session.trainer.group.is_shared else (_takes(told, request.steps),)), *told.warnings)


def _takes(told: Forecast, steps: int | None) -> str:
    """ "about 13,000 steps in 20:00, each picture seen about 240 times, 0.9 GB of memory"."""
    guess = "" if told.is_known else " (a guess: no training like it has run on this machine yet)"
    count = f"{steps:,} steps in about {clock(told.seconds)}" if steps else f"about {told.steps:,} steps"
    return f"{count}{guess}, each picture seen about {told.epochs:,.0f} times, {told.memory / 1e9:.1f} GB of memory"
