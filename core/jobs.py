"""What each request does, one step at a time; the engine and the command line advance the same code."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from core.codec import request_hash
from core.errors import Refusal
from core.interpolation import mixed
from core.inversion import InvertRun
from core.levels import Level
from core.library import Check, Library, Model
from core.messages import Gathered, Inspection, Preview, Signed, frozen
from core.morph_plan import inversion_of, places
from core.paths import make_path
from core.process import marginal, score_from_eps
from core.requests import (
    FromImage,
    FromLatent,
    FromMorph,
    FromStep,
    GatherStep,
    ImageEnd,
    InspectImage,
    InspectStep,
    InvertRequest,
    MorphRequest,
    SampleRequest,
    SamplerSpec,
    SeedEnd,
    Start,
)
from core.run import Exact, Run, Work, nothing
from core.samplers import Before, Step, StepNoise
from core.sampling_plan import check_fits, is_continued
from core.schedules import make_schedule
from core.steering import Guidance, condition_of, denoiser_of
from core.store import DEFAULT_CAP

FindRun = Callable[[str], Run | None]


class SampleRun(Run):
    """One run of a sampler: how it begins, and the steps it makes. Attributes: ``request``, and those of ``Run``."""

    def __init__(
        self,
        request: SampleRequest,
        library: Library,
        device: str = "cpu",
        *,
        find_run: FindRun = lambda _: None,
        cap: int = DEFAULT_CAP,
    ) -> None:
        """Raises: Refusal where the request does not fit the model, or names what is not open."""
        model = library.model(request.model)
        if len(set(request.cells)) < len(request.cells) or not all(0 <= cell < request.count for cell in request.cells):
            raise Refusal(f"The samples walked alone are some of 0 to {request.count - 1}, each once.")
        path = make_path(make_schedule(request.schedule), request.timesteps, request.final_alpha_bar)
        check_fits(request, model.info, path)
        shape = (request.count, *model.info.event_shape)
        self._draws = StepNoise(request.seed, shape, _shares_noise(request.start), request.cells)
        super().__init__(
            model,
            path,
            len(request.samples),
            device,
            labels=_labels_of(request),
            guidance=_guidance_of(request, library),
            sampler=request.sampler,
            precision=request.precision,
            noise=self._draws,
            cap=cap,
        )
        self.request = request
        self._library = library
        self._find_run = find_run

    @property
    def sha256(self) -> str:
        return request_hash(self.request)

    def _begin(self) -> Exact:
        start, level = self.request.start, self.path[0]
        with torch.inference_mode():
            if isinstance(start, FromStep):
                return self._begin_at(start, level)
            return Exact(self._x(start, level).to(self._device), None)

    def _x(self, start: Start, level: Level) -> Tensor:
        if isinstance(start, FromImage):
            x0 = self._library.x0(start.image, self.model.spec).expand(self.trajectory.shape)
            return self.model.process.noised(x0, self._draws, level)
        if isinstance(start, FromLatent):
            return self._begin_at_latent(start, level)
        if isinstance(start, FromMorph):
            return self._begin_in_morph(start)
        x = self.model.process.begin(self._draws, level)
        return x if self.request.temperature == 1 else x * self.request.temperature

    def _begin_at(self, start: FromStep, level: Level) -> Exact:
        parent = self._find_run(request_hash(start.parent))
        if not isinstance(parent, SampleRun) or start.step >= len(parent.trajectory):
            parent = SampleRun(start.parent, self._library, self._device, find_run=self._find_run)
        theirs, ours = parent.request.samples, self.request.samples
        alike = (
            parent.request.count == self.request.count and parent.model.info.event_shape == self.model.info.event_shape
        )
        if not (alike and set(ours) <= set(theirs)):
            raise Refusal("A branch has the samples, of the same size, of the run it leaves. Keep the count.")
        if not 0 <= start.step <= parent.request.steps:
            raise Refusal(
                f"The branch would begin at state {start.step}; its run has states 0 to {parent.request.steps}."
            )
        left = parent.path[start.step]
        if not _is_same(left, level):
            raise Refusal(
                f"The branch would begin at t = {level.t:g}, but state {start.step} of its run is at t = {left.t:g}. "
                "Begin the branch's timesteps there."
            )
        with parent.watched_by(self._checks.within):
            if start.step >= len(parent.trajectory):
                parent.replay_to(start.step)
            left_at = parent.exact(start.step)
        if parent.request.seed == self.request.seed and left_at.noise_state is not None:
            self._draws.restore(left_at.noise_state)
        else:
            self._draws.initial()
        chosen = slice(None) if theirs == ours else [theirs.index(cell) for cell in ours]
        before = left_at.before if is_continued(self.request, parent.request) else None
        if before is not None:
            before = Before(before.level, before.x0_hat[chosen])
        return Exact(left_at.x[chosen], None, before)

    def _begin_at_latent(self, start: FromLatent, level: Level) -> Tensor:
        parent = inversion(start.parent, self._library, self._device, self._find_run)
        count, *event_shape = parent.trajectory.shape
        if count not in (1, len(self.request.samples)) or tuple(event_shape) != self.model.info.event_shape:
            raise Refusal(f"The inversion has {count} latents, of another number or size than this run's samples.")
        if not _is_same(parent.path[-1], level):
            raise Refusal(
                f"The run would begin at t = {level.t:g}, but the latent is at t = {parent.path[-1].t:g}. "
                "Begin the run's timesteps there."
            )
        self._draws.initial()
        with parent.watched_by(self._checks.within):
            return parent.latent().expand(self.trajectory.shape).clone()

    def _begin_in_morph(self, start: FromMorph) -> Tensor:
        where, parent = places(start.parent), start.parent
        if len(start.frames) != len(self.request.samples) or not all(0 <= frame < len(where) for frame in start.frames):
            raise Refusal(f"A run of a morph has one sample for each of its frames, which are 0 to {len(where) - 1}.")
        if parent.timesteps[:1] != self.request.timesteps[:1]:
            raise Refusal("A run of a morph begins at the morph's own first timestep.")
        self._draws.initial()
        ends = end_latents(parent, self._library, self._device, self._find_run, self._checks.within)
        return torch.cat([mixed(ends, where[frame], parent.mix) for frame in start.frames])

    def _steps_from(self, x: Tensor, first: int, before: Before | None) -> Iterator[Step]:
        walk = self.model.process.walk
        return walk(self.request, self._denoise, self.path, x, self._condition, self._draws, first, before)


def inversion(request: InvertRequest, library: Library, device: str, find_run: FindRun) -> InvertRun:
    """The inversion of this request: one that is there, or a new one."""
    known = find_run(request_hash(request))
    return known if isinstance(known, InvertRun) else InvertRun(request, library, device)


def end_latents(request: MorphRequest, library: Library, device: str, find_run: FindRun, within: Check) -> Tensor:
    """The end points of a morph at its first level, float32 (ends, *event_shape), on the CPU.

    Pictures are inverted, and seeds draw; in DDPM's interpolation all pictures are noised with one noise, and it is
    these that are mixed, not the x_0 of the formula in Ho et al. 2020, section 4.3.
    """
    model = library.model(request.model)
    shape = model.info.event_shape
    level = make_schedule(request.schedule).level(request.timesteps[0])
    if request.mix == "ddpm":
        images = [library.x0(end.image, model.spec) for end in request.ends if isinstance(end, ImageEnd)]
        noise = StepNoise(request.seed, (len(images), *shape), shared=True)
        return model.process.noised(torch.cat(images), noise, level)
    wanted = inversion_of(request)
    latents: Iterator[Tensor] = iter(())
    if wanted is not None:
        parent = inversion(wanted, library, device, find_run)
        with parent.watched_by(within):
            latents = iter(parent.latent().cpu())
    ends = [_drawn(end, model, level) if isinstance(end, SeedEnd) else next(latents)[None] for end in request.ends]
    return torch.cat(ends)


def _drawn(end: SeedEnd, model: Model, level: Level) -> Tensor:
    if not 0 <= end.index < end.count:
        raise Refusal(f"A run of {end.count} samples has none with the index {end.index}.")
    noise = StepNoise(end.seed, (end.count, *model.info.event_shape))
    return model.process.begin(noise, level)[end.index : end.index + 1]


def _labels_of(request: SampleRequest) -> tuple[int | None, ...]:
    """The labels of the samples walked; Refusals about their number are left to ``condition_of``."""
    whole = len(request.labels) == request.count
    return tuple(request.labels[cell] for cell in request.cells) if request.cells and whole else request.labels


def _guidance_of(request: SampleRequest, library: Library) -> Guidance:
    plain, classifier = Guidance(request.guidance, request.interval, request.rescale), request.classifier
    if classifier is None:
        return plain
    if len(classifier.labels) != request.count:
        raise Refusal(
            f"{len(classifier.labels)} classes were given to guide {request.count} samples to. Give one for each."
        )
    classes = tuple(classifier.labels[sample] for sample in request.samples)
    return replace(plain, classifier=classifier, recogniser=library.recogniser(classifier.model), classes=classes)


def _shares_noise(start: Start) -> bool:
    while isinstance(start, FromStep):
        start = start.parent.start
    return isinstance(start, FromMorph)


def _is_same(level: Level, other: Level) -> bool:
    return math.isclose(level.alpha, other.alpha, rel_tol=1e-6)


def stored_values(work: Work, step: int, frame: int | None = None) -> Signed | None:
    """A stored state as it is, float32 (n, *event_shape); None where it must be replayed. For any thread."""
    found = work.run_of(frame)
    if found is None or not found[0].trajectory.has(step):
        return None
    run, cells = found
    return frozen(run.trajectory.frame(step)[cells])


def preview(model: Model, step: Step) -> Preview:
    """The pictures of a step: what the network was given and what it saw in it; job numbers are the engine's."""
    x_t, prediction = step.x_t.cpu().numpy(), step.prediction
    x0_hat = prediction.x0_hat
    return Preview(
        job=0,
        step=step.index,
        level=step.level,
        x_t=frozen(model.spec.to_picture(x_t)),
        x0_hat=None if x0_hat is None else frozen(model.spec.to_picture(x0_hat.float().cpu().numpy())),
        eps_hat=_signed(prediction.eps_hat),
        x_t_range=(float(x_t.min()), float(x_t.max())),
        difference=_signed(prediction.difference),
        gradient=_signed(prediction.gradient),
    )


def stored_preview(work: Work, step: int, frame: int | None = None) -> Preview | None:
    """The picture of a stored state, with numpy alone: fit for any thread. None where it must be replayed."""
    found, x_t = work.run_of(frame), stored_values(work, step, frame)
    if found is None or x_t is None:
        return None
    run = found[0]
    picture = frozen(run.model.spec.to_picture(x_t))
    clean = picture if run.path[step].is_clean else None
    return Preview(0, step, run.path[step], picture, clean, None, (float(x_t.min()), float(x_t.max())))


def inspect_step(request: InspectStep, work: Work, within: Check = nothing) -> Inspection:
    """x0_hat and eps_hat of a state, and what guides it; the data themselves (a clean level) are their own x0_hat.

    Raises: Refusal where there is no such frame.
    """
    step, frame = request.step, request.frame
    found, stored = work.run_of(frame), stored_preview(work, step, frame)
    if found is None:
        raise Refusal("Of a morph, a frame can be looked into, and of a run all of it.")
    run, cells = found
    if stored is not None and run.path[step].is_clean:
        return Inspection(request, stored.level, stored.x_t, stored.x0_hat, None, None, 0.0)
    with run.watched_by(within):
        looked = run.predict(step, cells)
    seen, prediction = preview(run.model, looked), looked.prediction
    return Inspection(
        request=request,
        level=seen.level,
        x_t=seen.x_t,
        x0_hat=seen.x0_hat,
        eps_hat=seen.eps_hat,
        score=None,
        milliseconds=0.0,
        difference=_signed(prediction.difference),
        gradient=_signed(prediction.gradient),
        log_p=() if prediction.log_p is None else tuple(prediction.log_p.tolist()),
    )


def gather_step(request: GatherStep, work: Work, within: Check = nothing) -> Gathered:
    """The same in numbers as well, for a file. What is stored is taken as it is, as on the screen.

    Raises: Refusal where there is no such frame.
    """
    step, frame = request.step, request.frame
    found, stored = work.run_of(frame), stored_preview(work, step, frame)
    if found is None:
        raise Refusal("Of a morph, a frame can be looked into, and of a run all of it.")
    run, cells = found
    values = stored_values(work, step, frame)
    if stored is not None and run.path[step].is_clean:
        return Gathered(request, stored.x_t, stored.x_t, values, values)
    with run.watched_by(within):
        looked = run.predict(step, cells)
    seen = preview(run.model, looked)
    return Gathered(
        request,
        seen.x_t if stored is None else stored.x_t,
        seen.x0_hat,
        _signed(looked.x_t) if values is None else values,
        _signed(looked.prediction.x0_hat),
        seen.eps_hat,
    )


def inspect_image(request: InspectImage, library: Library, device: str, within: Check = nothing) -> Inspection:
    """x_t, x0_hat, eps_hat and score of a picture noised to one t."""
    model = library.model(request.model)
    level = make_schedule(request.schedule).level(request.t)
    noise = StepNoise(request.seed, (1, *model.info.event_shape))
    condition = condition_of(model.info, (request.label,) if model.info.labels else (), 1)
    with torch.inference_mode():
        x_t = marginal(library.x0(request.image, model.spec), noise.initial(), level)
        guidance, unclipped = Guidance(request.guidance), SamplerSpec(clip="none")
        denoise = denoiser_of(model, device, request.precision, guidance, unclipped, nothing, within, watched=True)
        prediction = denoise(x_t.to(device), level, condition)
        score = score_from_eps(prediction.eps_hat, level)
    to_picture = model.spec.to_picture
    return Inspection(
        request=request,
        level=level,
        x_t=frozen(to_picture(x_t.cpu().numpy())),
        x0_hat=frozen(to_picture(prediction.x0_hat.cpu().numpy())),
        eps_hat=_signed(prediction.eps_hat),
        score=_signed(score),
        milliseconds=0.0,
        difference=_signed(prediction.difference),
    )


def _signed(values: Tensor | None) -> Signed | None:
    return None if values is None else frozen(values.float().cpu().numpy())
