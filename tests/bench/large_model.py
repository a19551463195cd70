"""Does a 256 × 256 model of 114 M parameters open and sample on a small computer? Run by hand.

    python -m tests.bench.large_model [--steps N] [--folder FOLDER]

Writes the network of DDPM's LSUN models with random weights (434 MiB) as a folder, as safetensors and as two pickled
files, with which torch.save writes now and wrote before 2020. Each is opened by the engine in a process of its own,
which samples one picture with DDIM; printed are the seconds that opening and a step take, how long after a cancel the
opening is left, how many previews were shown, and the most memory that the process has used, in GiB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PARAMETERS = 113_673_219
LIMIT_GIB = 8.0
NAMES = ("folder", "large.safetensors", "large.pt", "large-legacy.pt")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the files are written, and left")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.open is not None:
        print(json.dumps(measured(options.open, options.steps)))
        return 0
    if options.folder is not None:
        return compare(options.folder, options.steps)
    with tempfile.TemporaryDirectory() as folder:
        return compare(Path(folder), options.steps)


def compare(folder: Path, steps: int) -> int:
    if not all((folder / name).exists() for name in NAMES):
        subprocess.run([sys.executable, "-c", f"from tests.bench.large_model import write; write({str(folder)!r})"])
    print(f"{'':18} {'open s':>7} {'cancel s':>9} {'step s':>7} {'previews':>9} {'peak GiB':>9}")
    peaks = []
    for name in NAMES:
        command = [sys.executable, "-m", "tests.bench.large_model", "--open", str(folder / name), "--steps", str(steps)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{name:18} {done.stderr.strip().splitlines()[-1]}")
            return 1
        found = json.loads(done.stdout.splitlines()[-1])
        peaks.append(found["peak"])
        print(
            f"{name:18} {found['open']:7.1f} {found['cancel']:9.2f} {found['step']:7.2f} {found['previews']:9} "
            f"{found['peak']:9.2f}"
        )
    return 0 if max(peaks) < LIMIT_GIB else 1


def write(target: str) -> None:
    """The network of hojonathanho/diffusion's 256 × 256 models (Ho et al. 2020, appendix B), its weights at random."""
    import torch
    from safetensors.torch import save_file

    from core.messages import ModelInfo
    from core.model_folder import save_model
    from core.requests import ModelRef, SamplerSpec, ScheduleSpec
    from core.unet import UNet
    from core.unet_config import UNetConfig

    folder = Path(target)
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    config = UNetConfig(
        sample_size=256,
        block_out_channels=(128, 128, 256, 256, 512, 512),
        down_block_types=(*["DownBlock2D"] * 4, "AttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "AttnUpBlock2D", *["UpBlock2D"] * 4),
        attention_head_dim=None,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
    )
    network = UNet(config)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS
    schedule = ScheduleSpec("linear", 1000, 1e-4, 0.02)
    info = ModelInfo(ModelRef("large", ""), (3, 256, 256), schedule, "eps", sampler=SamplerSpec("ddim"))
    save_model(folder / "folder", network, info)
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(state, folder / "large.safetensors")
    torch.save(state, folder / "large.pt")
    torch.save(state, folder / "large-legacy.pt", _use_new_zipfile_serialization=False)


def measured(path: Path, steps: int) -> dict[str, Any]:
    """What opening and sampling take in this process."""
    import psutil

    from core.engine import Engine
    from core.messages import Failed, Message, ModelLoading, ModelOpened, Preview, RunEnded, Status

    woken = threading.Event()
    engine = Engine(woken.set, device="cpu")
    heard: list[tuple[float, Message]] = []

    def wait(condition: Callable[[], object], seconds: float = 600) -> float:
        """Listen until it holds; when that was."""
        deadline = time.perf_counter() + seconds
        while not condition():
            woken.wait(0.02)
            woken.clear()
            heard.extend((time.perf_counter(), message) for message in engine.drain())
            failures = [message for _, message in heard if isinstance(message, Failed)]
            if failures or time.perf_counter() > deadline:
                raise SystemExit(failures[0].message if failures else "it never happened")
        return time.perf_counter()

    def of(kind: type) -> list[Any]:
        return [message for _, message in heard if isinstance(message, kind)]

    engine.start()
    wait(lambda: any(status.state.value == "idle" for status in of(Status)))
    engine.open_model(str(path), {})
    wait(lambda: of(ModelLoading))
    engine.cancel_opening()
    asked, known = time.perf_counter(), len(of(Status))
    left = wait(lambda: any(status.state.value == "idle" for status in of(Status)[known:])) - asked

    begun = time.perf_counter()
    engine.open_model(str(path), {})
    opened = wait(lambda: of(ModelOpened)) - begun
    begun = time.perf_counter()
    engine.submit(request_of(of(ModelOpened)[0].info, steps))
    ran = wait(lambda: of(RunEnded)) - begun
    previews = len(of(Preview))
    engine.stop()
    peak = getattr(psutil.Process().memory_info(), "peak_wset", 0) or _peak()
    return {"open": opened, "cancel": left, "step": ran / steps, "previews": previews, "peak": peak / 2**30}


def request_of(info: Any, steps: int) -> Any:
    from core.paths import model_timesteps
    from core.requests import SampleRequest, SamplerSpec

    return SampleRequest(
        model=info.ref,
        schedule=info.schedule,
        timesteps=model_timesteps(info, steps, "leading"),
        spacing="leading",
        sampler=SamplerSpec("ddim"),
        seed=0,
        count=1,
        precision=info.precision,
    )


def _peak() -> int:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    raise SystemExit(main())
