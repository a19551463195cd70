"""Kernels made for one network by torch's compiler: kept on the disk, made in a process beside this one.

Tracing a network keeps Python busy for a minute, which a window in the same process would feel; so another process
traces and compiles, and leaves a file from which the kernels for both ways through the network are only loaded.
"""

from __future__ import annotations

import gc
import hashlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from core.errors import Refusal, is_out_of_memory
from core.folders import cache_folder
from core.training.cpp_compiler import compiler as compiler
from core.training.kernel_path import KernelPath
from core.training.request import TrainRequest

log = logging.getLogger(__name__)

LAYOUT = torch.channels_last
"""Of the pictures that kernels are made for: they take no other."""

CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
LOOK_EVERY = 0.02
_CORE = Path(__file__).parents[1]
_SOURCES = ("unet.py", "unet_blocks.py", "layers.py", "classifier.py", "training/compiling.py")

Compute = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def pictures_at_once(request: TrainRequest, path: KernelPath) -> int:
    """How many pictures kernels are made for: those of a batch's longest part."""
    parts = -(-request.batch // min(request.batch, path.micro_batch))
    return -(-request.batch // parts)


class Kernels:
    """The kernels for a run's network on a path, in a file that is named by all that they depend on."""

    def __init__(self, request: TrainRequest, path: KernelPath) -> None:
        """Raises Refusal where there is no place to keep them."""
        self.request, self.path = request, path
        on = [path.device, path.precision, path.threads, pictures_at_once(request, path)]
        what = [request.network.to_json(), request.task, request.variance, len(request.labels)]
        where = [str(torch.__version__), sys.version, torch.backends.cpu.get_cpu_capability()]
        digest = hashlib.sha256(json.dumps([on, what, where], sort_keys=True).encode())
        for source in _SOURCES:
            digest.update((_CORE / source).read_bytes())
        self.folder = cache_folder() / "kernels"
        self.file = self.folder / f"{digest.hexdigest()[:32]}.bin"

    @property
    def are_made(self) -> bool:
        return self.file.is_file()

    @property
    def gain(self) -> float | None:
        """How many times as fast steps were with them, None where nobody has measured it."""
        try:
            return float(self.file.with_suffix(".gain").read_text())
        except (OSError, ValueError):
            return None

    def note(self, gain: float) -> None:
        """Remember how much they were worth; where that cannot be written it is measured again."""
        try:
            self.file.with_suffix(".gain").write_text(f"{gain:.3f}")
        except OSError:
            return

    def make(self) -> subprocess.Popen[bytes]:
        """Begin to make them in a process of lower priority, which ends with this one. It exits 0 when they are made.

        Raises Refusal where no process can be started.
        """
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_CORE.parent), os.environ.get("PYTHONPATH")))),
            CACHE_VARIABLE: str(self.folder / "inductor"),
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
            "OMP_NUM_THREADS": str(self.path.threads),
        }
        words = json.dumps({"request": json.loads(self.request.to_text()), "path": self.path.to_json()})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            process = subprocess.Popen(
                [sys.executable, "-m", "core.training.compiling", str(self.file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            assert process.stdin is not None
            process.stdin.write(words.encode() + b"\n")
            process.stdin.flush()  # and it stays open: where it closes, this process is gone
        except OSError as error:
            raise Refusal("No process could be started to compile kernels in.", repr(error)) from error
        return process

    def load(self, network: nn.Module) -> Compute | None:
        """The network's ``forward`` by these kernels, for as many pictures as they are made for; a part of another
        length goes the usual way, and so does everything once they have failed. None where there are none, or this
        torch cannot load them."""
        os.environ[CACHE_VARIABLE] = str(self.folder / "inductor")  # or torch would compile them once more
        try:
            with self.file.open("rb") as file:
                function = torch.compiler.load_compiled_function(file)
            function.disable_guard_check()  # type: ignore[attr-defined]
            gc.freeze()  # the compiler's modules are never garbage, and to look through them takes a sixth of a second
        except Exception as error:  # made by an experimental part of torch, which raises what it likes
            log.warning("compiled kernels cannot be loaded: %r", error)
            return None
        at_once = pictures_at_once(self.request, self.path)
        work = True

        def compute(x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
            nonlocal work
            output: Tensor
            if work and len(x) == at_once:
                try:
                    output = function(network, x.contiguous(memory_format=LAYOUT), t, labels)
                    return output
                except Exception as error:
                    if is_out_of_memory(error):
                        raise
                    log.warning("compiled kernels failed, and are left: %r", error)
                    work = False
                    self.note(0.0)
            output = network(x, t, labels)
            return output

        return compute


def kernels_for(
    network: nn.Module, request: TrainRequest, path: KernelPath, check: Callable[[], None] = lambda: None
) -> Compute | None:
    """The network by compiled kernels, which are made first, however long that takes, where they are not at hand.

    ``check`` is called while that is waited for; it may do other work, or raise. None where they cannot be made: there
    is no compiler, or it does not take this network.
    """
    try:
        kernels = Kernels(request, path)
        if not kernels.are_made:
            if compiler() is None:
                return None
            _wait(kernels.make(), check)
    except Refusal:
        return None
    return kernels.load(network)


def end(process: subprocess.Popen[bytes]) -> None:
    """End the process that makes kernels, where it has not ended by itself."""
    process.kill()
    process.communicate()


def _wait(process: subprocess.Popen[bytes], check: Callable[[], None]) -> None:
    try:
        check()
        while process.poll() is None:
            time.sleep(LOOK_EVERY)
            check()
    finally:
        end(process)
