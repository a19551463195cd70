"""What it takes to make a folder of pictures ready, and whether a training waits for them.

    python -m tests.bench.data [--pictures 100000] [--side 32] [--steps 60] [--folder DIR]

Makes small PNG files (soft blobs and noise, one in fifty nearly the same as another) of ten classes, then, each in a
process of its own: reads a tenth of them and all, the first time and again from the cache, and prints seconds, pictures
a second, the most memory that was used, and of it the program's own, without mapped files, whose pages the system takes
back where it needs them; how much longer ten times the pictures take, 10 being linear; and of a training with the small
network the share of its steps' time that goes into batches: pictures read from the mapped file, mirrored, and their
noise drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

CLASSES = 10
REPEATED = 50
TARGET = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--folder", type=Path, help="where the files are made, and left; else they go in the end")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(_child(Path(options.child[1]), options)))
        return
    if options.folder is not None:
        _measure(options.folder, options)
        return
    with tempfile.TemporaryDirectory(prefix="diffuscope-data-") as place:
        _measure(Path(place), options)


def _measure(place: Path, options: argparse.Namespace) -> None:
    os.environ["DIFFUSCOPE_HOME"] = str(place / "home")
    few, many = place / "few", place / "many"
    for folder, count in ((few, options.pictures // 10), (many, options.pictures)):
        start = time.perf_counter()
        make(folder, count, options.side)
        print(f"{count:,} files made in {time.perf_counter() - start:.1f} s", flush=True)
    seconds = {}
    for folder, count in ((few, options.pictures // 10), (many, options.pictures)):
        for times in ("first", "again"):
            told = _run("open", folder, options)
            seconds[folder, times] = told["seconds"]
            print(
                f"{count:,} pictures, {times}: {told['seconds']:.2f} s, {count / told['seconds']:,.0f} a second; "
                f"most memory {told['peak'] / 1e6:,.0f} MB, its own {told['own'] / 1e6:,.0f} MB, "
                f"{told['before'] / 1e6:,.0f} MB before it began; "
                f"cache {told['cache'] / 1e6:,.0f} MB; near-duplicates {told['duplicates']:,}",
                flush=True,
            )
    for times in ("first", "again"):
        factor = seconds[many, times] / seconds[few, times]
        print(f"ten times the pictures take {factor:.1f} times as long ({times})")
    told = _run("train", many, options)
    share = told["batches"] / told["steps"]
    print(
        f"a training of {options.steps} steps: {told['steps']:.1f} s, of which {told['batches']:.2f} s for batches: "
        f"{share:.2%} (target below {TARGET:.0%})"
    )


def make(folder: Path, count: int, side: int) -> None:
    """``count`` PNG files in ten classes, where they are not there yet."""
    if folder.is_dir() and sum(1 for _ in folder.glob("*/*.png")) == count:
        return
    rng = np.random.default_rng(0)
    for label in range(CLASSES):
        (folder / f"class {label}").mkdir(parents=True, exist_ok=True)
    picture = np.zeros((side, side, 3), np.uint8)
    for index in range(count):
        if index % REPEATED:
            coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
            picture = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))
        else:
            picture = np.minimum(picture.astype(np.int16) + 2, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"class {index % CLASSES}" / f"{index:06}.png", compress_level=1)


def _run(what: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    settings = [f"--{name}={getattr(options, name)}" for name in ("pictures", "side", "steps")]
    command = [sys.executable, "-m", "tests.bench.data", *settings, "--child", what, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _child(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    return _opened(folder, options) if options.child[0] == "open" else _trained(folder, options)


def _opened(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    from core.training.dataset import open_folder

    before, start = _peak(), time.perf_counter()
    with Own() as own:
        data = open_folder(folder, options.side)
    seconds = time.perf_counter() - start
    report = data.report
    return {
        "seconds": seconds,
        "before": before,
        "peak": _peak(),
        "own": own.most,
        "cache": report.cache_bytes,
        "duplicates": report.duplicate_pictures,
    }


class Own:
    """The most memory, in bytes, that this process had without what it shares with mapped files."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Own:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._over.wait(0.02):
            info = process.memory_info()
            self.most = max(self.most, info.rss - getattr(info, "shared", 0))


def _trained(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of the steps, and of the batches drawn in them."""
    from core.training.dataset import open_folder
    from core.training.presets import network_of
    from core.training.request import TrainRequest
    from core.training.trainer import Trainer

    data = open_folder(folder, options.side)
    network = network_of("small", options.side, data.pictures.shape[3], len(data.classes))
    request = TrainRequest(data.name, data.sha256, network, labels=data.classes, steps=options.steps, flip=True)
    trainer = Trainer(request, data)
    batches, really = 0.0, trainer.batches.next

    def timed(*what: Any) -> Any:
        nonlocal batches
        start = time.perf_counter()
        drawn = really(*what)
        batches += time.perf_counter() - start
        return drawn

    trainer.batches.next = timed  # type: ignore[method-assign]
    steps = sum(step.seconds for step in trainer.steps())
    return {"steps": steps, "batches": batches}


def _peak() -> int:
    """The most memory that this process had, in bytes, of which mapped files are a part."""
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


if __name__ == "__main__":
    main()
