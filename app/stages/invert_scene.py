"""A walk with the requests behind it: made of a run in the history, or of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from app.stages.denoise_plan import path_of
from app.stages.invert_record import is_reconstruction, ways_down
from app.stages.walks import Walk
from app.state import Run
from core.inversion_plan import inversion_path, reconstruction
from core.levels import Path
from core.messages import ModelInfo
from core.requests import FromImage, FromLatent, ImageRef, InvertRequest, ModelRef, SampleRequest

COMES_BACK = "comes back"


@dataclass(frozen=True, slots=True)
class Scene:
    """What the stage shows: an inversion with a way down, planned or made; or SDEdit's way down alone."""

    walk: Walk
    up: InvertRequest | None
    down: SampleRequest

    @property
    def model(self) -> ModelRef:
        return self.down.model

    @property
    def picture(self) -> ImageRef | None:
        if self.up is not None:
            return self.up.images[0]
        return self.down.start.image if isinstance(self.down.start, FromImage) else None

    @property
    def timesteps(self) -> tuple[int, ...]:
        return self.down.timesteps

    @property
    def has_returned(self) -> bool:
        """Whether what is shown is a reconstruction, and not a regeneration."""
        up, down = self.walk.up_run, self.walk.down_run
        return up is not None and down is not None and is_reconstruction(down, up)


def planned(request: InvertRequest | SampleRequest) -> Scene:
    """What could be made. Raises Refusal where its path cannot be walked."""
    if isinstance(request, SampleRequest):
        return Scene(Walk(down=path_of(request)), None, request)
    down, path = way_back(request)
    return Scene(Walk(inversion_path(request), path), request, down)


@lru_cache(8)
def way_back(request: InvertRequest) -> tuple[SampleRequest, Path]:
    """The reconstruction that follows an inversion, and its levels; kept, since a walk is looked at step by step."""
    down = reconstruction(request)
    return down, path_of(down)


def scene_of(run: Run, runs: Mapping[int, Run], ways: Mapping[int, int]) -> Scene:
    """Both ways of the inversion that a run belongs to; ``ways`` says which way down of an inversion to take, else its
    reconstruction."""
    if isinstance(run.request, InvertRequest):
        downs = {down.job: down for down in ways_down(run, runs)}
        back = [down for down in downs.values() if is_reconstruction(down, run)]
        chosen = downs.get(ways.get(run.job, -1)) or (back[-1] if back else None)
        request, path = way_back(run.request) if chosen is None else (chosen.sampling, chosen.path)
        return Scene(Walk(run.path, path, run, chosen), run.request, request)
    start = run.sampling.start
    up = inversion_before(run, runs) if isinstance(start, FromLatent) else None
    request_up = up.request if up is not None and isinstance(up.request, InvertRequest) else None
    return Scene(Walk(() if up is None else up.path, run.path, up, run), request_up, run.sampling)


def inversion_before(run: Run, runs: Mapping[int, Run]) -> Run | None:
    """The inversion that a way down began from: the last of those that are alike."""
    start = run.sampling.start
    parent = start.parent if isinstance(start, FromLatent) else None
    return next((up for job, up in sorted(runs.items(), reverse=True) if job < run.job and up.request == parent), None)


def what_came_back(scene: Scene, runs: Mapping[int, Run]) -> Run | None:
    """The reconstruction, if it has an end, to compare a regeneration with."""
    up, shown = scene.walk.up_run, scene.walk.down_run
    if up is None or shown is None or scene.has_returned:
        return None
    ends = (run for run in ways_down(up, runs) if run.stored == run.steps and is_reconstruction(run, up))
    return next(reversed(list(ends)), None)


def end_words(scene: Scene, model: ModelInfo | None) -> str:
    """What stands at the end of the way down that is shown."""
    if scene.up is None:
        return "result"
    down = scene.walk.down_run
    return COMES_BACK if down is None else way_words(down, model, back=scene.has_returned)


def way_words(run: Run, model: ModelInfo | None, back: bool) -> str:
    """What a way down from the latent leads to: the picture ``back``, or "as 3, w = 1.5"."""
    if back:
        return COMES_BACK
    request = run.sampling
    names = model.labels if model is not None and model.ref == request.model else ()
    if len(request.labels) > 1:
        what = "as each label"
    else:
        label = request.labels[0] if request.labels else None
        what = "without label" if label is None else f"as {names[label] if label < len(names) else label}"
    return f"{what}, w = {request.guidance:g}"
