"""Training as a generator: one optimiser step at a time, so that others may work in between."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor, nn

from core.errors import Diverged, Refusal
from core.training.batches import Batches
from core.training.compiled import Compute, kernels_for
from core.training.dataset import PictureFolder
from core.training.ema import Ema
from core.training.events import TrainStep, means_by_level
from core.training.group import Order, ends_together, group_of_this_process
from core.training.kernel_path import KernelPath
from core.training.request import TrainRequest
from core.training.tasks import Task, task_of

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW knows of each parameter, from the first step on."""
ASLEEP, KNOWN = 20.0, 10
"""A step that takes so many times the mean of at least so many is one in which the process was stopped."""


class Trainer:
    """Everything a run has: network, average, optimiser, random generators, the order of the pictures.

    All randomness comes from generators of its own, seeded by the request, so that nothing done beside a run changes
    its bits. ``state`` and ``restore`` carry all of it through a checkpoint (core/training/checkpoint.py).
    """

    def __init__(
        self,
        request: TrainRequest,
        data: PictureFolder,
        *,
        device: str = "cpu",
        check: Callable[[], None] = lambda: None,
        weights: Mapping[str, Tensor] | None = None,
        task: Task | None = None,
    ) -> None:
        """``task`` says what is learned, by itself what the request names. ``check`` is called between the parts of a
        step and the network's blocks: it may do other work, or raise Cancelled. The network begins with ``weights``, by
        itself with those drawn from the seed. Raises Refusal where data and request do not fit."""
        if data.sha256 != request.data_sha256 or data.classes != request.labels:
            raise Refusal(
                "These are not the pictures that this run was trained on: some were added, removed or changed. "
                "Give the same folder, unchanged, or fine-tune this run's model on these."
            )
        self.request, self.device, self.check = request, torch.device(device), check
        self.group = group_of_this_process()
        self._share = self.group.share(request.batch)
        self.group.tell(Order("train", json.loads(request.to_text())))
        self.task = task or task_of(request, self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(request.seed)
            self.network = self.task.network(request)
        if weights is not None:
            self.network.load_state_dict(weights)
        self.network.check = self._check  # type: ignore[assignment]
        self.network.to(self.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self._joined = self.group.joined(self.network)
        self._compute: Compute = self._joined
        self._is_told = False
        self.ema = Ema(self.network.named_parameters(), request.ema_decay)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=request.lr,
            betas=(0.9, 0.99),
            weight_decay=request.weight_decay,
            fused=True,
        )
        self.batches = Batches(request, data, self.task.drops_labels)
        self.path = path_of(request, device, self.group.world)
        self.step, self.seconds, self.lr_scale = 0, 0.0, 1.0
        self._away = 0.0
        self._before_step: dict[str, Tensor] | None = None

    # ------------------------------------------------------------------------------------------------ the run

    @property
    def progress(self) -> float:
        """How much of the run is done, 0..1."""
        if self.request.steps is not None:
            return min(1.0, self.step / self.request.steps)
        return min(1.0, self.seconds / (60 * (self.request.minutes or 1)))

    def steps(self) -> Iterator[TrainStep]:
        """Train to the end of the request, one step an item. Raises Refusal where the loss stops being a number."""
        while self.progress < 1:
            yield self.one_step()

    def take(self, path: KernelPath) -> KernelPath:
        """Compute another way from the next step on; what is in force then, and is to be journalled.

        The device and the number of processes stay what they are. Kernels that are not at hand are compiled first,
        while others are let in; where that is impossible the path taken is not compiled.
        """
        path = replace(path, device=self.path.device, world=self.path.world)
        if path != self.path:
            compute = None
            if path.compiled and not self.group.is_shared:
                compute = kernels_for(self.network, self.request, path, self._let_in)
            self.path = replace(path, compiled=compute is not None)
            self._compute = compute or self._joined
        return self.path

    def one_step(self, lr: float | None = None) -> TrainStep:
        """Algorithm 1 of Ho et al. 2020 on one batch, with the learning rate ``lr`` (None: the run's own).

        The gradients of micro-batches add up to the batch's, as do those of all processes. A step that is left early,
        by Cancelled or another exception, is as if it had not begun. Raises Diverged where the loss or its gradient is
        no number.
        """
        start, self._away = time.perf_counter(), 0.0
        lr = self.learning_rate() if lr is None else lr
        self._before_step = self.batches.state()
        if torch.get_num_threads() != self.path.threads:
            torch.set_num_threads(self.path.threads)
        try:
            self._let_in()
            self._tell(lr)
            with ends_together() if self.group.is_shared else nullcontext():
                loss, norm, t, losses = self._gradients()
                if not math.isfinite(loss) or not math.isfinite(norm):
                    raise self._not_a_number()
                for group in self.optimizer.param_groups:
                    group["lr"] = lr
                self.optimizer.step()
        except BaseException:
            self._undo()
            raise
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update()
        self.batches.timesteps.observe(t, losses)
        self.step += 1
        self._before_step = None
        seconds = self._at_work(time.perf_counter() - start - self._away)
        self.seconds += seconds
        by_level = means_by_level(t.numpy(), losses.numpy(), self.request.schedule.T)
        return TrainStep(self.step, loss, lr, norm, seconds, by_level)

    def _at_work(self, seconds: float) -> float:
        """Of a step that took ``seconds``, what counts: where the process was stopped for a while (Ctrl+Z), a step
        like the others, so that a run of some minutes does not spend them asleep."""
        taken = self.step - 1
        mean = self.seconds / taken if taken else math.inf
        return mean if taken >= KNOWN and seconds > ASLEEP * mean else seconds

    def _gradients(self) -> tuple[float, float, Tensor, Tensor]:
        """Draw a batch and leave its gradients, clipped, in the network: its loss, their norm before that, and t and
        the losses of its pictures."""
        batch, n = self.batches.next(self._share), self.request.batch
        mine = (batch.x0, batch.eps, batch.t[self._share], batch.weights[self._share])
        x0, eps, t, weights = (part.to(self.device) for part in mine)
        labels = None if batch.labels is None else batch.labels.to(self.device)
        losses = []
        with self._dropout_noise(), self._weights_cast_once():
            for part in self._parts(len(x0)):
                self._check()
                labelled = None if labels is None else labels[part]
                with self._joining_at_last(part.stop == len(x0)):
                    each = self.task.losses(self._evaluate, x0[part], eps[part], t[part], labelled)
                    self._check()
                    loss = (each * weights[part]).sum() * (self.group.world / n)
                    loss.backward()  # type: ignore[no-untyped-call]
                losses.append(each.detach())
        gradients = [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]
        total = nn.utils.get_total_norm(gradients)
        all_losses = self.group.gathered(torch.cat(losses))
        *numbers, norm = torch.cat((all_losses, total[None])).tolist()  # the one moment that waits for a GPU
        if norm > self.request.gradient_clip:
            nn.utils.clip_grads_with_norm_(self.network.parameters(), self.request.gradient_clip, total)
        found = torch.tensor(numbers)
        return float((found * batch.weights).mean()), norm, batch.t, found

    def _evaluate(self, x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        return self._compute(x, t, labels)

    def _tell(self, lr: float) -> None:
        """Other processes that share the batch are where this one is, and make the same step."""
        if not self.group.leads:
            return
        if not self._is_told:
            tensors, numbers = self.state()
            self.group.tell(Order("state", dict(numbers)), tensors)
            self._is_told = True
        self.group.tell(Order("step", {"lr": lr, "path": self.path.to_json()}))

    def _joining_at_last(self, is_last: bool) -> AbstractContextManager[None]:
        """Gradients of all processes are joined once a step."""
        if is_last or not isinstance(self._joined, nn.parallel.DistributedDataParallel):
            return nullcontext()
        alone: AbstractContextManager[None] = self._joined.no_sync()
        return alone

    def _parts(self, batch: int) -> Iterator[slice]:
        """So many pictures in parts of nearly equal length, none longer than a micro-batch."""
        count = -(-batch // min(batch, self.path.micro_batch))
        for index in range(count):
            yield slice(index * batch // count, (index + 1) * batch // count)

    def _check(self) -> None:
        """Within a step others are let in, unless processes share it: none may leave the rest within it."""
        if not self.group.is_shared:
            self._let_in()

    def _let_in(self) -> None:
        """Let others in, of whom the step must not notice anything: not their random numbers, nor their time."""
        began = time.perf_counter()
        lent = self.request.network.dropout > 0
        cuda = [self.device] if self.device.type == "cuda" else []
        try:
            undisturbed = torch.random.fork_rng(devices=cuda, enabled=lent)
            with torch.no_grad(), torch.autocast(self.device.type, enabled=False), undisturbed:
                self.check()
        finally:
            self._away += time.perf_counter() - began

    def _undo(self) -> None:
        """Be where the step that did not end began."""
        assert self._before_step is not None
        self.batches.restore(self._before_step)
        self.optimizer.zero_grad(set_to_none=True)
        for moments in self.optimizer.state.values():
            if len(moments) < len(MOMENTS):  # memory ran out while those of the first step were made
                moments.clear()
        self._before_step = None

    def learning_rate(self) -> float:
        """The rate of the next step: linear warm-up, then half a cosine to 0 where the request says so; times
        ``lr_scale``, by which a run that went wrong goes on more slowly."""
        request = self.request
        warm = min(1.0, (self.step + 1) / max(1, request.warm_up))
        fall = 0.5 * (1 + math.cos(math.pi * self.progress)) if request.decay else 1.0
        return request.lr * self.lr_scale * warm * fall

    @contextmanager
    def _weights_cast_once(self) -> Iterator[None]:
        """Within it weights are cast to the path's precision at their first use, for all micro-batches together."""
        dtype = torch.bfloat16 if self.path.precision == "float32" else getattr(torch, self.path.precision)
        with torch.autocast(self.device.type, dtype, enabled=self.path.precision != "float32"):
            yield

    @contextmanager
    def _dropout_noise(self) -> Iterator[None]:
        """Dropout layers know only the global generator: lend them one that belongs to this step alone."""
        if self.request.network.dropout == 0:
            yield
            return
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.request.seed + 1_000_003 * (self.step + 1) + 7919 * self.group.rank)
            yield

    def _not_a_number(self) -> Diverged:
        return Diverged(
            f"The training stopped at step {self.step + 1}: its loss is no longer a number. Train again with a lower "
            f"learning rate than {self.request.lr:g}; the last checkpoint is still good.",
            self.step + 1,
        )

    # ------------------------------------------------------------------------------------------------ checkpoints

    def averaged(self) -> nn.Module:
        """A copy of the network with the averaged weights, float32 on the CPU."""
        return self._copied(self.ema.averages)

    def raw(self) -> nn.Module:
        """The same with the weights as they are after the last step."""
        return self._copied({name: parameter.detach() for name, parameter in self.network.named_parameters()})

    def _copied(self, weights: Mapping[str, Tensor]) -> nn.Module:
        with torch.device("meta"):
            network = self.task.network(self.request)
        network.load_state_dict({name: value.to("cpu", copy=True) for name, value in weights.items()}, assign=True)
        return network.eval()

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """All that a run needs to go on with the same bits, as named tensors and numbers, after its last whole step."""
        tensors = dict(self._before_step or self.batches.state())
        for name, parameter in self.network.named_parameters():
            tensors[f"weights/{name}"] = parameter.detach()
            tensors[f"average/{name}"] = self.ema.averages[name]
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}/{name}"] = torch.as_tensor(value)
        numbers = {"step": self.step, "seconds": self.seconds, "updates": self.ema.updates, "lr_scale": self.lr_scale}
        return tensors, numbers

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        """Go on from what ``state`` gave. Raises Refusal where it belongs to another network."""
        try:
            for name, parameter in self.network.named_parameters():
                parameter.copy_(tensors[f"weights/{name}"])
                kept = {key: tensors.get(f"optimizer.{key}/{name}") for key in MOMENTS}
                self.optimizer.state[parameter] = {
                    key: torch.empty_like(parameter if value.ndim else value, device=self.device).copy_(value)
                    for key, value in kept.items()
                    if value is not None
                }
            averages = {name: tensors[f"average/{name}"] for name in self.ema.averages}
            self.ema.restore(averages, int(numbers["updates"]))
            self.batches.restore(tensors)
            self.step, self.seconds = int(numbers["step"]), float(numbers["seconds"])
            self.lr_scale, self._is_told = float(numbers.get("lr_scale", 1.0)), False
        except (KeyError, RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise Refusal(
                "The checkpoint does not belong to this network. Train into another folder.", repr(error)
            ) from error


def path_of(request: TrainRequest, device: str = "cpu", world: int = 1) -> KernelPath:
    """How this process computes a run that nothing else is known of."""
    micro_batch = min(request.batch, request.micro_batch or request.batch)
    return KernelPath(device, request.precision, torch.get_num_threads(), micro_batch, world=world)
