"""One training step: this program's trainer beside diffusers' and denoising-diffusion-pytorch's, in turn.

    python -m tests.bench.training_speed [--rounds 7] [--threads 2] [--batch 64] [--preset small]
        [--size 32] [--compiled] [--only W]

diffusers trains the same network from the same weights on the same random pictures: as its users run it (float32, its
EMAModel, the loop of its unconditional script) and tuned by hand (bfloat16 autocast, channels last, fused AdamW, the
average by one lerp over all weights; with --compiled, by torch.compile as well, and so is ours, as the product would
be where it pays). denoising-diffusion-pytorch's Trainer trains its own U-Net, of the width at which a picture costs as
much, as its users run it: its speed is also told at exactly equal FLOP.

Each has a process of its own, set up as it is where it is used (ours keeps freed memory, core/allocator.py), and all
but the one whose turn it is wait. Steps are interleaved in a changing order. What is printed are medians: of times; of
the ratios within a round, so that a busy machine disturbs all alike; of the processor's own time for a step, which it
hardly disturbs. "looked up" is the longest time in which a run cannot be stopped. In the end, where our step goes.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from core.allocator import keep_freed_memory
from core.requests import ScheduleSpec
from core.training.dataset import PictureFolder
from core.training.order import PresetName
from core.training.presets import network_of
from core.training.request import TrainRequest
from core.training.resolve import micro_batch
from core.training.trainer import Trainer
from core.unet import UNet, UNetConfig
from tests.bench import theirs

CLASSES = tuple("0123456789")
OURS, THEIRS = "Diffuscope bfloat16", "denoising-diffusion-pytorch"
OF_OURS = (OURS, "  whole batches", "Diffuscope float32")
Step = Callable[[], object]


def pictures(size: int, count: int = 256) -> PictureFolder:
    values = np.random.default_rng(0).integers(0, 256, (count, size, size, 1), dtype=np.uint8)
    return PictureFolder("noise", values, np.arange(count) % len(CLASSES), CLASSES)


class Watched:
    """Our trainer, and the longest it ever worked without looking up."""

    def __init__(self, data: PictureFolder, config: UNetConfig, options: argparse.Namespace, **changes: Any) -> None:
        self.longest, self._last = 0.0, 0.0
        request = TrainRequest(
            data_name=data.name,
            data_sha256=data.sha256,
            network=config,
            labels=data.classes,
            schedule=ScheduleSpec("linear", 1000),
            steps=1_000_000,
            batch=options.batch,
            **changes,
        )
        self.trainer = Trainer(request, data, check=self._check)
        if options.compiled and request.precision == "bfloat16":
            path = self.trainer.take(replace(self.trainer.path, compiled=True))
            print(f"ours: {path.words}", flush=True)

    def _check(self) -> None:
        now = time.perf_counter()
        self.longest, self._last = max(self.longest, now - self._last), now

    def __call__(self) -> None:
        self._last = time.perf_counter()
        self.trainer.one_step()
        self._check()


class Plain:
    """The loop that anybody would write: whole batches, ``network(x, t, labels)``, AdamW, an average of the weights."""

    def __init__(
        self, network: nn.Module, data: PictureFolder, batch: int, ask: Callable[..., Tensor], *, tuned: bool, ema: Any
    ) -> None:
        self.network, self.ask, self.tuned, self.batch = network.train(), ask, tuned, batch
        if tuned:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=tuned)
        self.ema = ema(network)
        self.pictures = torch.from_numpy(data.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        self.labels = torch.from_numpy(data.labels)
        self.alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)

    def __call__(self) -> None:
        index = torch.randint(0, len(self.pictures), (self.batch,))
        x0, t = self.pictures[index], torch.randint(0, 1000, (self.batch,))
        eps = torch.randn_like(x0)
        kept = self.alpha_bar[t].view(-1, 1, 1, 1)
        x_t = kept.sqrt() * x0 + (1 - kept).sqrt() * eps
        if self.tuned:
            x_t = x_t.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.tuned):
            output = self.ask(self.network, x_t, t, self.labels[index])
        loss = nn.functional.mse_loss(output.float(), eps)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema(self.network)
        float(loss.detach())


def plain_average(network: nn.Module) -> Callable[[nn.Module], None]:
    averages = [value.detach().clone() for value in network.parameters()]

    @torch.no_grad()
    def update(network: nn.Module) -> None:
        torch._foreach_lerp_(averages, list(network.parameters()), 0.001)

    return update


class Theirs:
    """denoising-diffusion-pytorch's Trainer, one of its steps at a time."""

    def __init__(self, network: nn.Module, data: PictureFolder, batch: int, folder: Path, times_flop: float) -> None:
        self.times_flop = times_flop
        for number in range(max(theirs.LEAST_PICTURES, len(data))):
            Image.fromarray(data.pictures[number % len(data), :, :, 0]).save(folder / f"{number}.png")
        model = theirs.diffusion(network, data.pictures.shape[1])
        self.trainer = theirs.trainer(model, folder, folder, train_batch_size=batch)

    def __call__(self) -> None:
        self.trainer.train_num_steps = self.trainer.step + 1
        with open(os.devnull, "w") as null, contextlib.redirect_stderr(null), contextlib.redirect_stdout(null):
            self.trainer.train()


def their_average(network: nn.Module) -> Callable[[nn.Module], None]:
    from diffusers.training_utils import EMAModel

    model = EMAModel(network.parameters(), decay=0.9999, use_ema_warmup=True)
    return lambda network: model.step(network.parameters())


@dataclass(frozen=True)
class Task:
    """What every contestant trains."""

    data: PictureFolder
    config: UNetConfig
    flops: int
    part: int

    @classmethod
    def of(cls, options: argparse.Namespace) -> Task:
        config = network_of(options.preset, options.size, 1, len(CLASSES))
        flops = UNet(config).flops(options.size, options.size)
        return cls(pictures(options.size), config, flops, micro_batch(flops, "cpu", options.batch))


def contestants(options: argparse.Namespace, folder: Path) -> dict[str, Callable[[], Step]]:
    """What is timed, by name; those of one network begin from the same weights."""
    task = Task.of(options)
    data, config, flops, part = task.data, task.config, task.flops, task.part
    torch.manual_seed(0)
    ours = UNet(config)
    ours.initialise()

    def diffusers_network() -> Any:
        from diffusers import UNet2DModel

        network: Any = UNet2DModel(**config.to_json())
        network.load_state_dict(ours.state_dict())
        return network

    def mine() -> nn.Module:
        network = UNet(config)
        network.load_state_dict(ours.state_dict())
        return network

    def plain(network: nn.Module, tuned: bool, ema: Any = plain_average) -> Plain:
        def ask(network: nn.Module, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
            answer = network(x, t, labels)
            found: Tensor = answer if isinstance(answer, Tensor) else answer.sample
            return found

        return Plain(network, data, options.batch, ask, tuned=tuned, ema=ema)

    def tuned() -> nn.Module:
        network: nn.Module = diffusers_network().to(memory_format=torch.channels_last)
        if options.compiled:
            network.compile(dynamic=False)
        return network

    def as_costly() -> Step:
        other, _dim, cost = theirs.as_costly(flops, options.size, 1)
        return Theirs(other, data, options.batch, folder, cost / flops)

    return {
        OURS: lambda: Watched(data, config, options, precision="bfloat16", micro_batch=part),
        "  whole batches": lambda: Watched(data, config, options, precision="bfloat16"),
        "Diffuscope float32": lambda: Watched(data, config, options, precision="float32", micro_batch=part),
        "plain loop bfloat16": lambda: plain(mine(), True),
        "diffusers tuned": lambda: plain(tuned(), True),
        "diffusers float32": lambda: plain(diffusers_network(), False, their_average),
        THEIRS: as_costly,
    }


def where_it_goes(step: Step, rows: int = 16) -> str:
    """A profile of one more step, its operators by their own time."""
    shares = _profiled(step, lambda key: key)
    return "\n".join(f"{share:5.1f} %  {key}" for key, share in shares[:rows])


def where_kernels_go(options: argparse.Namespace) -> str:
    """The same for compiled kernels, whose own profile tells nothing: those of one part, made here once more."""
    task = Task.of(options)
    network = UNet(task.config)
    network.initialise()
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    named: dict[str, Any] = {"cpp.enable_kernel_profile": True}
    compiled: Any = torch.compile(network, fullgraph=True, dynamic=False, options=named)
    x = torch.randn(task.part, 1, options.size, options.size).contiguous(memory_format=torch.channels_last)
    t, labels = torch.randint(0, 1000, (task.part,)), torch.randint(0, len(CLASSES), (task.part,))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            y = compiled(x, t, labels)
        y.float().square().mean().backward()

    for _ in range(3):
        step()
    return "\n".join(f"{share:5.1f} %  {kind}" for kind, share in _profiled(step, _kind))


def _kind(key: str) -> str:
    """What an operator or a compiled kernel is for."""
    if key.startswith("graph_"):
        return "norms, activations, sums and copies, compiled"
    kinds = {"convolution_backward": "convolutions, way back", "convolution": "convolutions", "mm": "matrix products"}
    return next((kind for part, kind in kinds.items() if part in key), "the rest")


def _profiled(step: Step, named: Callable[[str], str]) -> list[tuple[str, float]]:
    """Shares of a step in percent, the largest first."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step()
    taken: dict[str, float] = {}
    for event in profiler.key_averages():
        name = named(event.key)
        taken[name] = taken.get(name, 0.0) + event.self_cpu_time_total
    total = sum(taken.values())
    return sorted(((name, 100 * value / total) for name, value in taken.items()), key=lambda pair: -pair[1])


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds of a training step.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--preset", choices=get_args(PresetName), default="small")
    parser.add_argument("--compiled", action="store_true", help="compile diffusers' network, and ours (minutes)")
    parser.add_argument("--only", default="", help="beside ours, those with this in their name")
    options = parser.parse_args()
    task = Task.of(options)
    print(f"{options.preset}: {task.flops / 1e9:.2f} GFLOP a picture, micro-batches of at most {task.part}")
    _network, dim, cost = theirs.as_costly(task.flops, options.size, 1)
    print(f"{THEIRS}: dim {dim}, {cost / 1e9:.2f} GFLOP a picture", flush=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        names = [name for name in contestants(options, Path(folder)) if name == OURS or options.only in name]
        measure(options, {name: stack.enter_context(Apart(name, options, Path(folder))) for name in names})


def serve(name: str, options: argparse.Namespace, folder: Path, line: Connection) -> None:
    """In a process of its own: a step whenever one is asked for; (seconds, the processor's seconds, longest without
    looking up)."""
    multiprocessing.set_start_method(None, force=True)  # the platform's own, for those who load data in processes
    if name in OF_OURS:
        keep_freed_memory()
    torch.set_num_threads(options.threads)
    step = contestants(options, folder)[name]()
    while (asked := line.recv()) != "end":
        if asked == "profile":
            line.send(where_kernels_go(options) if options.compiled else where_it_goes(step))
            continue
        if asked == "first":
            step()
            if isinstance(step, Watched):
                step.longest = 0.0
        began, before = time.perf_counter(), time.process_time()
        step()
        seconds, worked = time.perf_counter() - began, time.process_time() - before
        line.send((seconds, worked, getattr(step, "longest", 0.0), getattr(step, "times_flop", 1.0)))


class Apart:
    """A contestant in its process."""

    def __init__(self, name: str, options: argparse.Namespace, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        self._process = context.Process(target=serve, args=(name, options, folder, other))
        self._process.start()
        other.close()  # so that its end is heard of here

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(OSError):  # it may have ended before
            self._line.send("end")
        self._process.join()

    def ask(self, what: str) -> Any:
        try:
            self._line.send(what)
            return self._line.recv()
        except (OSError, EOFError) as error:
            raise SystemExit("A contestant ended before its time.") from error


def measure(options: argparse.Namespace, run: dict[str, Apart]) -> None:
    names = list(run)
    times: dict[str, list[float]] = {name: [] for name in names}
    worked: dict[str, list[float]] = {name: [] for name in names}
    longest, times_flop = dict.fromkeys(names, 0.0), dict.fromkeys(names, 1.0)
    for apart in run.values():
        apart.ask("first")
    for round_ in range(options.rounds):
        shift = round_ % len(names)
        for name in names[shift:] + names[:shift]:
            seconds, work, longest[name], times_flop[name] = run[name].ask("step")
            times[name].append(seconds)
            worked[name].append(work)
    first = times[names[0]]
    print(f"{'':28}{'s a step':>10}{'images/s':>10}{'ratio':>8}{'CPU s':>8}{'looked up':>12}")
    for name in names:
        seconds, work = statistics.median(times[name]), statistics.median(worked[name])
        ratio = statistics.median(one / ours for one, ours in zip(times[name], first, strict=True))
        looked_up = f"{1000 * longest[name]:9.0f} ms" if longest[name] else ""
        print(f"{name:28}{seconds:10.3f}{options.batch / seconds:10.0f}{ratio:8.2f}{work:8.2f}{looked_up:>12}")
        if times_flop[name] != 1:
            equal = times_flop[name]
            print(f"{'  at equal FLOP':28}{seconds / equal:10.3f}{'':10}{ratio / equal:8.2f}")
    print("\nwhere our step goes")
    print(run[OURS].ask("profile"))


if __name__ == "__main__":
    main()
