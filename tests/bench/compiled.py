"""What compiled kernels cost a window, and what they give. Run on an otherwise idle machine.

    python -m tests.bench.compiled [--preset small] [--batch 64] [--size 32] [--threads 2] [--rounds 9]

Prints how long a process beside this one takes to make them, where they are not at hand; the lateness of a precise
16 ms timer in the GUI thread while another thread trains, meanwhile, and while they are loaded; then medians of eager
and compiled steps.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import torch

from core.training.compiled import Kernels
from core.training.order import PresetName
from core.training.presets import network_of
from core.training.request import TrainRequest
from core.training.resolve import micro_batch
from core.training.trainer import Trainer
from core.unet import UNet
from tests.bench.steadiness import Ticks
from tests.bench.training_speed import CLASSES, pictures


def request_of(options: argparse.Namespace) -> TrainRequest:
    data, network = pictures(options.size), network_of(options.preset, options.size, 1, len(CLASSES))
    part = micro_batch(UNet(network).flops(options.size, options.size), "cpu", options.batch)
    about = {"data_name": data.name, "data_sha256": data.sha256, "labels": data.classes, "micro_batch": part}
    return TrainRequest(network=network, steps=10**6, batch=options.batch, precision="bfloat16", **about)


def ticks_while(work: Callable[[], object], name: str) -> None:
    """Run ``work`` in a thread, and print how late the GUI thread's timer was until it ended."""
    from PySide6.QtWidgets import QApplication
    from qasync import QEventLoop

    application = QApplication.instance() or QApplication([])
    loop, ticks, began = QEventLoop(application), Ticks(), time.perf_counter()
    gc.disable()  # as in the window, which collects by itself

    async def watch() -> None:
        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            await ticks.measure(0.25)

    with loop:
        loop.run_until_complete(watch())
    late = sorted(ticks.late)
    p99, most = late[int(0.99 * len(late))], late[-1]
    print(
        f"{name:28}{time.perf_counter() - began:8.1f} s   ticks late: p99 {p99:.0f} ms, most {most:.0f} ms", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=get_args(PresetName), default="small")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    torch.set_num_threads(options.threads)
    request, data = request_of(options), pictures(options.size)
    eager, compiled = Trainer(request, data), Trainer(request, data)
    kernels = Kernels(request, eager.path)

    def train_while_they_are_made() -> None:
        process = kernels.make()
        while process.poll() is None:
            eager.one_step()

    ticks_while(lambda: [eager.one_step() for _ in range(5)], "training")
    if not kernels.are_made:
        ticks_while(train_while_they_are_made, "compiling beside it")
    ticks_while(lambda: compiled.take(replace(compiled.path, compiled=True)), "loading")
    print(f"{'path':28}{compiled.path.words}")
    times: dict[str, list[float]] = {"eager": [], "compiled": []}
    compiled.one_step()
    for _ in range(options.rounds):
        times["eager"].append(eager.one_step().seconds)
        times["compiled"].append(compiled.one_step().seconds)
    gains = [one / other for one, other in zip(times["eager"], times["compiled"], strict=True)]
    for name, seconds in times.items():
        print(f"{name:28}{statistics.median(seconds):8.3f} s a step")
    print(f"{'compiled is':28}{statistics.median(gains):8.2f} times as fast")


if __name__ == "__main__":
    main()
