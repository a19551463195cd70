"""What the engine did, one line each in the log, so that a report tells what came before an error."""

from __future__ import annotations

from app.log import logger
from core.messages import (
    Failed,
    ModelOpened,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    TrainingSaved,
    TrainingStarted,
)
from core.requests import InvertRequest, MorphRequest, RunRequest


def record(message: object) -> None:
    """Log a message of the engine where it is about a model or a run as a whole."""
    match message:
        case ModelOpened(info=info):
            logger.info("model opened: %s", info.ref.name)
        case RunStarted(job=job, request=request):
            logger.info("run %d started: %s", job, words_of(request))
        case TrainingStarted(job=job, name=name, step=step):
            logger.info("run %d trains %s from step %d", job, name, step)
        case TrainingSaved(job=job, step=step):
            logger.info("run %d saved at step %d", job, step)
        case RunPaused(job=job, step=step):
            logger.info("run %d paused at step %d", job, step)
        case RunResumed(job=job):
            logger.info("run %d goes on", job)
        case RunEnded(job=job, reason=reason, steps=steps):
            logger.info("run %d %s after %d steps", job, reason, steps)
        case Failed(job=job, message=words):
            logger.warning("%s: %s", "the engine" if job is None else f"run {job}", words)


def words_of(request: RunRequest) -> str:
    """What a run is, in a few words."""
    if isinstance(request, InvertRequest):
        return f"inversion of {len(request.images)} pictures, {request.steps} steps"
    if isinstance(request, MorphRequest):
        return f"morph of {len(request.ends)} end points, {request.frames} frames, {request.steps} steps"
    return f"{request.count} × {len(request.timesteps)} steps, seed {request.seed}"
