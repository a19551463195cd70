"""What each request does, one step at a time; the engine and the command line advance the same code."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.codec import request_hash
from core.denoiser import Clipped, Condition, Denoiser, Guided
from core.errors import Refusal
from core.levels import Level, Path
from core.library import Check, Library, Model
from core.messages import Inspection, ModelInfo, Preview, Signed, frozen
from core.paths import make_path
from core.process import marginal, score_from_eps
from core.requests import ClipPolicy, FromImage, FromStep, InspectImage, SampleRequest
from core.samplers import Step, StepNoise
from core.schedules import make_schedule
from core.store import DEFAULT_CAP, Trajectory

_UNKEPT_BYTES = 64 * 2**20


def _nothing() -> None:
    pass


def _on(condition: Condition | None, device: str) -> Condition | None:
    return None if condition is None else replace(condition, labels=condition.labels.to(device))


def condition_of(info: ModelInfo, labels: tuple[int | None, ...], count: int) -> Condition | None:
    """The labels of a batch as the network takes them; None is the null label.

    Raises:
        Refusal: labels that the model does not have, or none at all where it needs them.
    """
    if not info.labels:
        if any(label is not None for label in labels):
            raise Refusal(f"“{info.ref.name}” knows no labels. Leave the label out.")
        return None
    labels = labels or (None,) * count
    if len(labels) != count:
        raise Refusal(f"{len(labels)} labels were given for {count} samples. Give one label, or one for each sample.")
    indices: list[int] = []
    for label in labels:
        if label is None and info.null_label is None:
            raise Refusal(f"“{info.ref.name}” always needs a label: it was trained without the null label.")
        index = info.null_label if label is None else label
        if index is None or not 0 <= index < len(info.labels) + (info.null_label is not None):
            raise Refusal(f"“{info.ref.name}” has no label {label}; its labels are {', '.join(info.labels)}.")
        indices.append(index)
    return Condition(torch.tensor(indices), info.null_label)


def _denoiser(
    model: Model, device: str, precision: str, guidance: float, clip: ClipPolicy, between_batches: Check, within: Check
) -> Denoiser:
    denoise = model.denoiser(device, precision, between_batches=between_batches, within=within)
    if guidance != 0:
        if model.info.null_label is None:
            raise Refusal(
                f"“{model.info.ref.name}” has no null label, so classifier-free guidance is undefined. Set w to 0."
            )
        denoise = Guided(denoise, guidance)
    if clip != "none":
        denoise = Clipped(denoise, clip, low=model.spec.low, high=model.spec.high)
    return denoise


@dataclass(slots=True)
class _Checks:
    """Held by a run and its denoiser, so that neither holds the other and memory goes with the last reference."""

    within: Check = _nothing
    between_batches: Check = _nothing


class SampleRun:
    """One run of a sampler: its path, its trajectory, and how to take it up again at any step.

    Attributes: ``request``; ``model``; ``path`` (steps + 1 levels); ``trajectory``.
    """

    def __init__(
        self,
        request: SampleRequest,
        library: Library,
        device: str = "cpu",
        *,
        find_run: Callable[[str], SampleRun | None] = lambda _: None,
        cap: int = DEFAULT_CAP,
    ) -> None:
        """Raises: Refusal where the request does not fit the model, or names what is not open."""
        self.request = request
        self.model = library.model(request.model)
        self.path: Path = make_path(make_schedule(request.schedule), request.timesteps, request.final_alpha_bar)
        shape = (request.count, *self.model.info.event_shape)
        self.trajectory = Trajectory(request.steps, shape, cap)
        self._library = library
        self._device = device
        self._find_run = find_run
        self._noise = StepNoise(request.seed, shape)
        self._condition = _on(condition_of(self.model.info, request.labels, request.count), device)
        self._unkept: list[tuple[int, Tensor, Tensor | None]] = []
        self._checks = checks = _Checks()
        self._denoise = _denoiser(
            self.model,
            device,
            request.precision,
            request.guidance,
            request.sampler.clip,
            between_batches=lambda: checks.between_batches(),
            within=lambda: checks.within(),
        )

    def watch(self, within: Check, between_batches: Check | None = None) -> None:
        """Whom to ask whether to go on: ``within`` a network evaluation (it may raise ``Cancelled``, nothing else) and
        ``between_batches``, where others may be served as well; by default the same."""
        self._checks.within, self._checks.between_batches = within, between_batches or within

    @contextmanager
    def watched_by(self, within: Check) -> Iterator[None]:
        """For looking at a run, or replaying it, on behalf of somebody else."""
        before = self._checks.within, self._checks.between_batches
        self.watch(within)
        try:
            yield
        finally:
            self.watch(*before)

    def steps(self) -> Iterator[Step]:
        """Begin, and walk to the end, keeping every state; each item is a step that has been made."""
        try:
            yield from self._walk(self._begin(), first=0, keep=True)
        finally:
            self.flush()

    def replay_to(self, step: int) -> None:
        """Walk from the start until state ``step`` is there."""
        for made in self.steps():
            if made.index + 1 >= step:
                return

    def exact(self, step: int) -> tuple[Tensor, Tensor]:
        """State ``step`` to the bit, and the noise generator's state there; replayed where only half precision is kept.

        The run must have come that far.
        """
        if not 0 <= step < len(self.trajectory):
            raise Refusal(f"The run has no state {step}: it holds states 0 to {len(self.trajectory) - 1}.")
        key, frame, state = self.trajectory.key_frame_at_or_before(step)
        assert state is not None
        noise_state = torch.from_numpy(np.array(state))
        x = torch.from_numpy(np.array(frame)).to(self._device)
        if key == step:
            return x, noise_state
        current = self._noise.state()
        try:
            self._noise.restore(noise_state)
            for made in self._walk(x, first=key, keep=False):
                if made.index + 1 == step:
                    return made.x_next, self._noise.state()
        finally:
            self._noise.restore(current)
        raise AssertionError("the walk ended before the step it was asked for")

    def predict(self, step: int) -> Step:
        """What the network sees in state ``step``, as far as it is stored: a step that leads nowhere."""
        with torch.inference_mode():
            stored = self.trajectory.has(step)
            x = torch.from_numpy(np.array(self.trajectory.frame(step))) if stored else self.exact(step)[0].cpu()
            level = self.path[step]
            prediction = self._denoise(x.to(self._device), level, self._condition)
            return Step(step, level, level, x, x, prediction)

    def _begin(self) -> Tensor:
        start, level = self.request.start, self.path[0]
        with torch.inference_mode():
            if isinstance(start, FromImage):
                x0 = self._library.x0(start.image, self.model.spec).expand(self.trajectory.shape)
                return self.model.process.noised(x0, self._noise, level).to(self._device)
            if isinstance(start, FromStep):
                return self._begin_at(start, level)
            return self.model.process.begin(self._noise, level).to(self._device)

    def _begin_at(self, start: FromStep, level: Level) -> Tensor:
        parent = self._find_run(request_hash(start.parent))
        if parent is None or start.step >= len(parent.trajectory):
            parent = SampleRun(start.parent, self._library, self._device, find_run=self._find_run)
        if parent.trajectory.shape != self.trajectory.shape:
            raise Refusal("A branch has as many samples, of the same size, as the run it leaves. Keep the count.")
        if not 0 <= start.step <= parent.request.steps:
            raise Refusal(
                f"The branch would begin at state {start.step}; its run has states 0 to {parent.request.steps}."
            )
        left = parent.path[start.step]
        if not math.isclose(left.alpha, level.alpha, rel_tol=1e-6):
            raise Refusal(
                f"The branch would begin at t = {level.t:g}, but state {start.step} of its run is at t = {left.t:g}. "
                "Begin the branch's timesteps there."
            )
        with parent.watched_by(self._checks.within):
            if start.step >= len(parent.trajectory):
                parent.replay_to(start.step)
            x, noise_state = parent.exact(start.step)
        if parent.request.seed == self.request.seed:
            self._noise.restore(noise_state)
        else:
            self._noise.initial()
        return x

    def _walk(self, x: Tensor, first: int, keep: bool) -> Iterator[Step]:
        walk = self.model.process.walk(self.request, self._denoise, self.path, x, self._condition, self._noise, first)
        if keep:
            self._keep(first, x)
        while True:
            with torch.inference_mode():
                step = next(walk, None)
            if step is None:
                return
            if keep:
                self._keep(step.index + 1, step.x_next)
            yield step

    def flush(self) -> None:
        """Bring the states that still lie on the device into the trajectory: the one place where the host waits."""
        for step, x, state in self._unkept:
            self.trajectory.put(step, x.cpu().numpy(), None if state is None else state.numpy())
        self._unkept.clear()

    def _keep(self, step: int, x: Tensor) -> None:
        self._unkept.append((step, x, self._noise.state() if self.trajectory.is_key(step) else None))
        if x.device.type == "cpu" or len(self._unkept) * x.nbytes > _UNKEPT_BYTES or step == self.request.steps:
            self.flush()


def preview(model: Model, step: Step) -> Preview:
    """The pictures of a step: what the network was given and what it saw in it; job numbers are the engine's."""
    x_t = step.x_t.cpu().numpy()
    x0_hat = step.prediction.x0_hat
    return Preview(
        job=0,
        step=step.index,
        level=step.level,
        x_t=frozen(model.spec.to_picture(x_t)),
        x0_hat=None if x0_hat is None else frozen(model.spec.to_picture(x0_hat.float().cpu().numpy())),
        eps_hat=_signed(step.prediction.eps_hat),
        x_t_range=(float(x_t.min()), float(x_t.max())),
    )


def stored_preview(run: SampleRun, step: int) -> Preview | None:
    """The picture of a stored state, with numpy alone: fit for any thread. None where it must be replayed."""
    if not run.trajectory.has(step):
        return None
    x_t = run.trajectory.frame(step)
    picture = frozen(run.model.spec.to_picture(x_t))
    clean = picture if run.path[step].is_clean else None
    return Preview(0, step, run.path[step], picture, clean, None, (float(x_t.min()), float(x_t.max())))


def inspect_step(run: SampleRun, step: int) -> Preview:
    """x0_hat and eps_hat of state ``step``; the data themselves (a clean level) are their own x0_hat."""
    stored = stored_preview(run, step)
    if stored is not None and run.path[step].is_clean:
        return stored
    return preview(run.model, run.predict(step))


def inspect_image(request: InspectImage, library: Library, device: str, within: Check = _nothing) -> Inspection:
    """x_t, x0_hat, eps_hat and score of a picture noised to one t."""
    model = library.model(request.model)
    level = make_schedule(request.schedule).level(request.t)
    noise = StepNoise(request.seed, (1, *model.info.event_shape))
    condition = condition_of(model.info, (request.label,) if model.info.labels else (), 1)
    with torch.inference_mode():
        x_t = marginal(library.x0(request.image, model.spec), noise.initial(), level)
        denoise = _denoiser(model, device, request.precision, request.guidance, "none", _nothing, within)
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
    )


def _signed(values: Tensor | None) -> Signed | None:
    return None if values is None else frozen(values.float().cpu().numpy())
