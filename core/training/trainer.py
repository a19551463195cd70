"""Training as a generator: one optimiser step at a time, so that others may work in between."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

from core.denoiser import Condition
from core.errors import Diverged, Refusal
from core.training.augment import moved
from core.training.dataset import PictureFolder
from core.training.ema import Ema
from core.training.events import TrainStep
from core.training.request import TrainRequest
from core.training.tasks import Task, task_of
from core.training.timestep_samplers import timestep_sampler


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
        self.task = task or task_of(request, self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(request.seed)
            self.network = self.task.network(request)
        if weights is not None:
            self.network.load_state_dict(weights)
        self.network.check = self._check  # type: ignore[assignment]
        self.network.to(self.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        self.ema = Ema(self.network.named_parameters(), request.ema_decay)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=request.lr,
            betas=(0.9, 0.99),
            weight_decay=request.weight_decay,
            foreach=True,
        )
        self.draws = torch.Generator("cpu").manual_seed(request.seed)
        self.shuffles = torch.Generator("cpu").manual_seed(request.seed ^ 0x5EED)
        self.order = torch.empty(0, dtype=torch.int64)
        self.step, self.seconds = 0, 0.0
        self._away = 0.0
        self._before_step: tuple[Tensor, Tensor, Tensor] | None = None
        self._pictures = data.pictures  # perhaps a file's: a batch alone is read of it
        self._labels = torch.from_numpy(data.labels)
        self._rows = torch.from_numpy(data.trained_on)
        self._flippable = torch.from_numpy(data.flippable)
        self.timesteps = timestep_sampler(request.timestep_sampler, request.schedule.T)

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

    def one_step(self) -> TrainStep:
        """Algorithm 1 of Ho et al. 2020 on one batch.

        The gradients of micro-batches add up to the batch's. A step that is left early, by Cancelled or another
        exception, is as if it had not begun.
        """
        start, self._away = time.perf_counter(), 0.0
        self._before_step = self.draws.get_state(), self.shuffles.get_state(), self.order
        try:
            self._check()
            loss, observed = self._accumulate_gradients()
            norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), self.request.gradient_clip))
            if not math.isfinite(loss) or not math.isfinite(norm):
                raise self._not_a_number()
        except BaseException:
            self._undo()
            raise
        lr = self.learning_rate()
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.update()
        self.timesteps.observe(*observed)
        self.step += 1
        self._before_step = None
        seconds = time.perf_counter() - start - self._away
        self.seconds += seconds
        return TrainStep(self.step, loss, lr, norm, seconds)

    def _accumulate_gradients(self) -> tuple[float, tuple[Tensor, Tensor]]:
        """Draw a batch and add up its gradients, part by part; the batch's loss, and its timesteps with theirs."""
        request = self.request
        x0, labels = self._batch()
        t, weights = self.timesteps.draw(request.batch, self.draws)
        eps = torch.randn(x0.shape, generator=self.draws)
        loss, losses = torch.zeros((), device=self.device), []
        with self._dropout_noise():
            for part in self._parts():
                self._check()
                each = self.task.losses(
                    self._evaluate,
                    x0[part].to(self.device),
                    eps[part].to(self.device),
                    t[part].to(self.device),
                    None if labels is None else labels[part],
                )
                share = len(each) / request.batch
                part_loss = (each * weights[part].to(self.device)).mean() * share
                self._check()
                part_loss.backward()  # type: ignore[no-untyped-call]
                loss += part_loss.detach()
                losses.append(each.detach())
        return float(loss), (t, torch.cat(losses).cpu())

    def _evaluate(self, x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        with self._autocast():
            output: Tensor = self.network(x, t, labels)
        return output

    def _parts(self) -> Iterator[slice]:
        """The batch in parts of nearly equal length, none longer than a micro-batch."""
        batch = self.request.batch
        count = -(-batch // min(batch, self.request.micro_batch or batch))
        for index in range(count):
            yield slice(index * batch // count, (index + 1) * batch // count)

    def _check(self) -> None:
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
        draws, shuffles, self.order = self._before_step
        self.draws.set_state(draws)
        self.shuffles.set_state(shuffles)
        self.optimizer.zero_grad(set_to_none=True)
        self._before_step = None

    def learning_rate(self) -> float:
        """The rate of the next step: linear warm-up, then half a cosine to 0 where the request says so."""
        request = self.request
        warm = min(1.0, (self.step + 1) / max(1, request.warm_up))
        fall = 0.5 * (1 + math.cos(math.pi * self.progress)) if request.decay else 1.0
        return request.lr * warm * fall

    # ------------------------------------------------------------------------------------------------ one batch

    def _batch(self) -> tuple[Tensor, Tensor | None]:
        """x0 (batch, channels, height, width) float32 in [-1, 1], and labels, some dropped to the null label where
        the task learns to do without."""
        request = self.request
        index = self._next_indices(request.batch)
        x0 = torch.from_numpy(self._pictures[index.numpy()]).permute(0, 3, 1, 2).float() / 127.5 - 1
        if request.flip:
            flipped = (torch.rand(len(x0), generator=self.draws) < 0.5) & self._flippable[index]
            x0 = torch.where(flipped[:, None, None, None], x0.flip(-1), x0)
        if request.shift:
            x0 = moved(x0, request.shift, self.draws)
        if request.null_label is None:
            return x0, None
        if not self.task.drops_labels:
            return x0, self._labels[index].to(self.device)
        dropped = torch.rand(len(x0), generator=self.draws) < request.label_dropout
        return x0, Condition(self._labels[index], request.null_label).dropped(dropped).labels.to(self.device)

    def _next_indices(self, count: int) -> Tensor:
        """The next pictures: each once before any comes again, in a new order every time, also in a small folder."""
        while len(self.order) < count:
            fresh = self._rows[torch.randperm(len(self._rows), generator=self.shuffles)]
            self.order = torch.cat((self.order, fresh))
        index, self.order = self.order[:count], self.order[count:]
        return index

    def _autocast(self) -> AbstractContextManager[None]:
        if self.request.precision == "float32":
            return nullcontext()
        dtype = torch.bfloat16 if self.request.precision == "bfloat16" else torch.float16
        context: AbstractContextManager[None] = torch.autocast(self.device.type, dtype)
        return context

    @contextmanager
    def _dropout_noise(self) -> Iterator[None]:
        """Dropout layers know only the global generator: lend them one that belongs to this step alone."""
        if self.request.network.dropout == 0:
            yield
            return
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.request.seed + 1_000_003 * (self.step + 1))
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
        with torch.device("meta"):
            network = self.task.network(self.request)
        averages = {name: value.to("cpu", copy=True) for name, value in self.ema.averages.items()}
        network.load_state_dict(averages, assign=True)
        return network.eval()

    def state(self) -> tuple[dict[str, Tensor], dict[str, float]]:
        """All that a run needs to go on with the same bits, as named tensors and numbers, after its last whole step."""
        draws, shuffles, order = self._before_step or (self.draws.get_state(), self.shuffles.get_state(), self.order)
        tensors = {"draws": draws, "shuffles": shuffles, "order": order.clone()}
        for name, parameter in self.network.named_parameters():
            tensors[f"weights/{name}"] = parameter.detach()
            tensors[f"average/{name}"] = self.ema.averages[name]
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}/{name}"] = torch.as_tensor(value)
        tensors |= {f"timesteps.{name}": tensor for name, tensor in self.timesteps.state().items()}
        return tensors, {"step": self.step, "seconds": self.seconds, "updates": self.ema.updates}

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor], numbers: dict[str, float]) -> None:
        """Go on from what ``state`` gave. Raises Refusal where it belongs to another network."""
        try:
            for name, parameter in self.network.named_parameters():
                parameter.copy_(tensors[f"weights/{name}"])
                kept = {key: tensors.get(f"optimizer.{key}/{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
                self.optimizer.state[parameter] = {
                    key: (value if key == "step" else torch.empty_like(parameter).copy_(value)).clone()
                    for key, value in kept.items()
                    if value is not None
                }
            averages = {name: tensors[f"average/{name}"] for name in self.ema.averages}
            self.ema.restore(averages, int(numbers["updates"]))
            self.draws.set_state(tensors["draws"])
            self.shuffles.set_state(tensors["shuffles"])
            self.order = tensors["order"].clone()
            learned = {name: tensor for name, tensor in tensors.items() if name.startswith("timesteps.")}
            self.timesteps.restore({name.removeprefix("timesteps."): tensor for name, tensor in learned.items()})
            self.step, self.seconds = int(numbers["step"]), float(numbers["seconds"])
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise Refusal(
                "The checkpoint does not belong to this network. Train into another folder.", repr(error)
            ) from error
