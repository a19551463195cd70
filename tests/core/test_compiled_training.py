"""Kernels compiled beside a training: when they are made, taken, and left again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from core.requests import Precision
from core.training import compilation, compiled
from core.training.compilation import MEASURED, NO_COMPILER, Compilation, Wish
from core.training.compiled import CACHE_VARIABLE, Compute, Kernels, compiler, pictures_at_once
from core.training.dataset import PictureFolder
from core.training.kernel_path import KernelPath
from core.training.presets import network_of
from core.training.request import TrainRequest
from core.training.trainer import Trainer
from tests.core.halves import DATA, REQUEST

LONG = 1e6
STEPS = replace(REQUEST, steps=100)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "inductor"))  # loading sets it


class FakeCompiler:
    """Stands in for torch's: its kernels are the network itself, made by a process that leaves the file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, works: bool = True) -> None:
        self.made: list[KernelPath] = []
        self.asked = 0
        self.works = works
        monkeypatch.setattr(compiled, "compiler", lambda: "c++")
        monkeypatch.setattr(compilation, "compiler", lambda: "c++")
        monkeypatch.setattr(Kernels, "make", lambda kernels: self.make(kernels))
        monkeypatch.setattr(Kernels, "load", lambda kernels, network: self.load(kernels, network))

    def make(self, kernels: Kernels) -> subprocess.Popen[bytes]:
        self.made.append(kernels.path)
        kernels.folder.mkdir(parents=True, exist_ok=True)
        script = f"open({str(kernels.file)!r}, 'wb').close()" if self.works else "raise SystemExit(1)"
        return subprocess.Popen([sys.executable, "-S", "-c", script], stderr=subprocess.DEVNULL)

    def load(self, kernels: Kernels, network: nn.Module) -> Compute | None:
        def compute(x: torch.Tensor, t: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
            self.asked += 1
            output: torch.Tensor = network(x, t, labels)
            return output

        return compute if kernels.are_made else None


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeCompiler:
    return FakeCompiler(monkeypatch)


def wished(judge: Compilation, seconds: float, remaining: float = LONG, patience: float = 60.0) -> Wish:
    """What is wished at last, every step taking so long."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        wish = judge.after_step(seconds, remaining)
        if wish is not None:
            return wish
        time.sleep(0.001)
    raise AssertionError("nothing was wished")


def test_that_kernels_are_made_beside_the_run_tried_and_kept_where_they_are_faster(fake: FakeCompiler) -> None:
    trainer = Trainer(STEPS, DATA)
    judge, eager = Compilation(trainer), trainer.path
    wish = wished(judge, seconds=2.0)
    assert wish == Wish(replace(eager, compiled=True), "compiled kernels are ready")
    assert fake.made == [eager]
    assert trainer.take(wish.path) == wish.path
    assert trainer.path.words.startswith("float32, compiled")
    trainer.one_step()
    assert fake.asked == 1
    assert wished(judge, seconds=1.0) == Wish(trainer.path, "compiled kernels are 2.00 times as fast here")
    assert judge.after_step(1.0, LONG) is None


def test_that_kernels_that_are_no_faster_are_left_and_not_made_again(fake: FakeCompiler) -> None:
    trainer = Trainer(STEPS, DATA)
    judge, eager = Compilation(trainer), trainer.path
    trainer.take(wished(judge, seconds=1.0).path)
    wish = wished(judge, seconds=1.0)
    assert wish.path == eager
    assert "no faster here" in wish.why
    trainer.take(wish.path)
    trainer.one_step()
    assert fake.asked == 0
    other = Compilation(Trainer(STEPS, DATA))
    assert all(other.after_step(1.0, LONG) is None for _ in range(3 * MEASURED))
    assert len(fake.made) == 1


def test_that_kernels_at_hand_are_taken_without_another_process(fake: FakeCompiler) -> None:
    trainer = Trainer(STEPS, DATA)
    wished(Compilation(trainer), seconds=1.0)
    again = Compilation(Trainer(STEPS, DATA))
    assert wished(again, seconds=1.0).path.compiled
    assert len(fake.made) == 1


def test_that_kernels_at_hand_are_taken_by_a_run_of_minutes_and_not_by_one_that_soon_ends(fake: FakeCompiler) -> None:
    wished(Compilation(Trainer(STEPS, DATA)), seconds=1.0)
    soon_over = Compilation(Trainer(STEPS, DATA))
    assert all(soon_over.after_step(1.0, 30.0) is None for _ in range(3 * MEASURED))
    assert wished(Compilation(Trainer(STEPS, DATA)), seconds=1.0, remaining=200.0).path.compiled
    assert len(fake.made) == 1


@pytest.mark.parametrize(("wanted", "remaining"), [(False, LONG), (True, 600.0)])
def test_that_nothing_is_compiled_where_nobody_wants_it_or_the_run_is_short(
    fake: FakeCompiler, wanted: bool, remaining: float
) -> None:
    judge = Compilation(Trainer(STEPS, DATA), wanted)
    assert all(judge.after_step(1.0, remaining) is None for _ in range(3 * MEASURED))
    assert fake.made == []


def test_that_a_compiler_that_fails_leaves_the_run_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCompiler(monkeypatch, works=False)
    trainer = Trainer(STEPS, DATA)
    judge = Compilation(trainer)
    for _ in range(MEASURED):
        assert judge.after_step(1.0, LONG) is None
    time.sleep(0.5)
    assert all(judge.after_step(1.0, LONG) is None for _ in range(MEASURED))
    assert len(fake.made) == 1
    assert not trainer.path.compiled


def test_that_a_computer_without_a_compiler_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "compiler", lambda: None)
    monkeypatch.setattr(compiled, "compiler", lambda: None)
    trainer = Trainer(STEPS, DATA)
    assert wished(Compilation(trainer), seconds=1.0) == Wish(trainer.path, NO_COMPILER)
    assert not trainer.take(replace(trainer.path, compiled=True)).compiled
    assert "eager" in trainer.path.words


def test_that_a_path_to_be_repeated_waits_for_its_kernels_and_lets_others_in(fake: FakeCompiler) -> None:
    calls: list[None] = []
    trainer = Trainer(STEPS, DATA, check=lambda: calls.append(None))
    assert trainer.take(replace(trainer.path, compiled=True)).compiled
    assert len(fake.made) == 1
    assert calls


def test_that_closing_ends_the_process_that_compiles(fake: FakeCompiler, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(kernels: Kernels) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])

    monkeypatch.setattr(Kernels, "make", slow)
    judge = Compilation(Trainer(STEPS, DATA))
    for _ in range(MEASURED):
        judge.after_step(1.0, LONG)
    process = judge._process
    assert process is not None
    judge.close()
    assert process.poll() is not None
    assert judge.after_step(1.0, LONG) is None


@pytest.mark.parametrize(
    ("batch", "micro_batch", "count"), [(64, 64, 64), (64, 20, 16), (7, 3, 3), (5, 100, 5), (6, 4, 3)]
)
def test_that_kernels_are_made_for_the_longest_part_of_a_batch(batch: int, micro_batch: int, count: int) -> None:
    path = KernelPath(micro_batch=micro_batch)
    assert pictures_at_once(replace(REQUEST, batch=batch), path) == count


def test_that_kernels_are_named_by_all_that_they_depend_on() -> None:
    path = KernelPath(threads=2, micro_batch=4)
    files = {
        Kernels(REQUEST, path).file,
        Kernels(REQUEST, replace(path, threads=1)).file,
        Kernels(REQUEST, replace(path, precision="bfloat16")).file,
        Kernels(REQUEST, replace(path, micro_batch=2)).file,
        Kernels(replace(REQUEST, network=replace(REQUEST.network, norm_num_groups=8)), path).file,
    }
    assert len(files) == 5
    assert Kernels(replace(REQUEST, seed=7, lr=0.5), path).file in files


def test_that_a_file_that_is_no_kernels_is_not_loaded() -> None:
    kernels = Kernels(REQUEST, KernelPath(micro_batch=4))
    kernels.folder.mkdir(parents=True)
    kernels.file.write_bytes(b"nothing")
    assert kernels.load(nn.Identity()) is None


class LoadedKernels:
    """Stands in for a file of kernels that torch has loaded."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.given: list[torch.Tensor] = []

    def __call__(self, network: nn.Module, x: torch.Tensor, t: torch.Tensor, labels: object) -> torch.Tensor:
        self.given.append(x)
        if self.error is not None:
            raise self.error
        return x + 1

    def disable_guard_check(self) -> None:
        pass


def loaded(monkeypatch: pytest.MonkeyPatch, function: LoadedKernels) -> tuple[Kernels, Compute]:
    """Kernels for four pictures at once, and the network by them, which without them subtracts 1."""
    monkeypatch.setattr(torch.compiler, "load_compiled_function", lambda _file: function)
    kernels = Kernels(replace(REQUEST, batch=4), KernelPath(micro_batch=4))
    kernels.folder.mkdir(parents=True)
    kernels.file.touch()
    network = nn.Module()
    monkeypatch.setattr(network, "forward", lambda x, t, labels: x - 1, raising=False)
    compute = kernels.load(network)
    assert compute is not None
    return kernels, compute


def test_that_kernels_are_given_colour_pictures_in_the_layout_they_were_made_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    function = LoadedKernels()
    _, compute = loaded(monkeypatch, function)
    for x in (torch.zeros(4, 3, 8, 8), torch.zeros(4, 8, 8, 3).permute(0, 3, 1, 2)):
        assert torch.equal(compute(x, torch.zeros(4), None), x + 1)
        assert function.given[-1].stride() == (192, 1, 24, 3)


def test_that_kernels_that_fail_are_left_for_the_usual_way_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    function = LoadedKernels(AssertionError("wrong stride"))
    kernels, compute = loaded(monkeypatch, function)
    x = torch.zeros(4, 3, 8, 8)
    assert torch.equal(compute(x, torch.zeros(4), None), x - 1)
    assert torch.equal(compute(x, torch.zeros(4), None), x - 1)
    assert len(function.given) == 1
    assert kernels.gain == 0


def test_that_kernels_for_which_memory_ends_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    _, compute = loaded(monkeypatch, LoadedKernels(MemoryError()))
    with pytest.raises(MemoryError):
        compute(torch.zeros(4, 3, 8, 8), torch.zeros(4), None)


takes_minutes = pytest.mark.skipif(
    compiler() is None or "DIFFUSCOPE_TEST_COMPILING" not in os.environ, reason="takes minutes"
)


@takes_minutes
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("channels", "precision", "within"), [(1, "float32", 1e-4), (3, "bfloat16", 0.02)])
def test_that_compiled_kernels_train_as_the_network_does(
    channels: int, precision: Precision, within: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CXX")
    data = PictureFolder("halves", DATA.pictures.repeat(channels, axis=3), DATA.labels, DATA.classes)
    network = replace(REQUEST.network, in_channels=channels, out_channels=channels)
    request = replace(REQUEST, network=network, data_sha256=data.sha256, precision=precision)
    eager, trainer = Trainer(request, data), Trainer(request, data)
    assert trainer.take(replace(trainer.path, compiled=True)).compiled
    for one, other in zip(eager.steps(), trainer.steps(), strict=True):
        assert other.loss == pytest.approx(one.loss, rel=within)
        assert other.gradient_norm == pytest.approx(one.gradient_norm, rel=10 * within)
    assert Kernels(request, trainer.path).gain is None  # which it would be where they had failed


@takes_minutes
@pytest.mark.timeout(3600)
def test_that_runs_by_compiled_kernels_on_several_threads_have_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX")
    values = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 1), dtype=np.uint8)
    data = PictureFolder("noise", values, np.arange(64) % 3, ("a", "b", "c"))
    about = {"data_name": data.name, "data_sha256": data.sha256, "labels": data.classes}
    request = TrainRequest(network=network_of("small", 16, 1, 3), steps=12, batch=64, precision="bfloat16", **about)
    ends = set()
    for _ in range(3):
        trainer = Trainer(request, data)
        assert trainer.take(replace(trainer.path, compiled=True, threads=2)).compiled
        for _step in trainer.steps():
            pass
        ends.add(b"".join(value.numpy().tobytes() for value in trainer.ema.averages.values()))
    assert len(ends) == 1
