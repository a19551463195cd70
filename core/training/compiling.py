"""The process in which kernels are made: ``python -m core.training.compiling FILE``, told what for on its input."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import torch

from core.training.compiled import LAYOUT, pictures_at_once
from core.training.kernel_path import KernelPath
from core.training.request import TrainRequest
from core.training.tasks import task_of


def compile_into(file: Path, request: TrainRequest, path: KernelPath) -> None:
    """Trace and compile the run's network, both ways, and leave its kernels in ``file``."""
    torch.set_num_threads(path.threads)
    network = task_of(request, path.device).network(request)
    network.to(path.device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    config, n = request.network, pictures_at_once(request, path)
    height, width = config.sides or (32, 32)
    x = torch.zeros(n, config.in_channels, height, width, device=path.device).contiguous(memory_format=LAYOUT)
    t = torch.arange(n, device=path.device)
    labels = None if request.null_label is None or request.task == "classifier" else torch.zeros_like(t)
    dtype = torch.bfloat16 if path.precision == "float32" else getattr(torch, path.precision)
    with torch.autocast(torch.device(path.device).type, dtype, enabled=path.precision != "float32"):
        options: dict[str, Any] = {"cpp_wrapper": path.device == "cpu"}  # no Python between its many small kernels
        compiled: Any = torch.compile(network, fullgraph=True, dynamic=False, options=options)
        kernels = compiled.forward.aot_compile(((x, t, labels), {}))
    part = file.with_suffix(f".{os.getpid()}")
    kernels.save_compiled_function(str(part))
    part.replace(file)


def _end_with_the_parent() -> None:
    """It keeps our input open while it lives."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    words = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(5)  # less, and a training that takes every core would leave it nothing
    compile_into(Path(sys.argv[1]), TrainRequest.from_json(words["request"]), KernelPath.from_json(words["path"]))


if __name__ == "__main__":
    main()
