"""Every test starts in an empty house and must leave it empty: no widget, thread or timer may stay behind."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

SCREEN = Path(__file__).with_name("screen.json")

Result = tuple[int, str, str]
Command = Callable[..., Result]

if os.environ.get("QT_QPA_PLATFORM", "offscreen") == "offscreen":  # by itself its screen is smaller than the window
    os.environ["QT_QPA_PLATFORM"] = f"offscreen:configfile={SCREEN}"
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("unhurried", deadline=None, max_examples=60)  # a busy machine is no failure
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    # The offscreen platform says this for every window that has a minimum size; any other Qt warning fails a test.
    config.addinivalue_line("qt_log_ignore", "^This plugin does not support propagateSizeHints")


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, logs, caches and models of the person who runs the tests stay untouched."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(home))
    monkeypatch.setenv("CXX", "none")  # long trainings that are begun here are not to compile beside the tests
    return home


@pytest.fixture(autouse=True)
def _disk_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test ends in a power cut, and bringing every file to the disk takes longer than all else that small trainings
    do. Tests of what is done where that fails say so themselves."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True)
def _no_thread_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    patience = time.monotonic() + 2
    while left := [thread for thread in threading.enumerate() if thread not in before and _counts(thread)]:
        if time.monotonic() > patience:
            pytest.fail(f"threads left running: {', '.join(thread.name for thread in left)}")
        time.sleep(0.005)


def _counts(thread: threading.Thread) -> bool:
    # torch and its compiler keep pools for the life of the process; threads that Qt made appear here as dummies.
    keeps = "pool" in thread.name.lower() or thread.name == "tqdm_monitor"
    return thread.is_alive() and not isinstance(thread, threading._DummyThread) and not keeps


@pytest.fixture
def qapp(qapp: Any) -> Iterator[Any]:
    """The application, styled as the person sees it, with a check afterwards that nothing was left behind."""
    from PySide6.QtCore import QThreadPool, QTimer
    from PySide6.QtGui import QCursor

    from app.theme import theme

    if not qapp.styleSheet():
        theme().apply(qapp)
    QCursor.setPos(qapp.primaryScreen().geometry().bottomRight())  # not over a window, where the last test may leave it
    widgets = set(map(id, qapp.topLevelWidgets()))
    started: list[QTimer] = []

    def start(timer: QTimer, *arguments: Any) -> None:
        started.append(timer)
        plain_start(timer, *arguments)

    plain_start = QTimer.start
    QTimer.start = start  # type: ignore[method-assign,assignment]
    yield qapp
    QTimer.start = plain_start  # type: ignore[method-assign]
    theme().override(None)
    assert QThreadPool.globalInstance().waitForDone(2000), "work left in the global thread pool"
    left = _settled_widgets(qapp, widgets)
    if left:
        gc.collect()
        left = _settled_widgets(qapp, widgets)
    _fail_for_widgets(left)
    _fail_for_timers(started)


def _settled_widgets(app: Any, before: set[int]) -> list[Any]:
    from PySide6.QtCore import QCoreApplication, QEvent

    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    app.processEvents()
    # What Qt keeps for itself (tool tips, drag helpers) has no class of ours and is hidden.
    return [
        widget
        for widget in app.topLevelWidgets()
        if id(widget) not in before
        and (widget.isVisible() or type(widget).__module__.split(".")[0] in {"app", "tests"})
    ]


def _fail_for_widgets(left: list[Any]) -> None:
    for widget in left:
        widget.close()
        widget.deleteLater()
    if left:
        pytest.fail(f"widgets left behind: {', '.join(type(widget).__name__ for widget in left)}")


def _fail_for_timers(started: list[Any]) -> None:
    import shiboken6

    left = [timer for timer in started if shiboken6.isValid(timer) and timer.isActive() and not timer.isSingleShot()]
    names = [timer.objectName() or type(timer.parent()).__name__ for timer in left]
    for timer in left:
        timer.stop()
    if left:
        pytest.fail(f"timers left running: {', '.join(names)}")


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run a command in a folder of its own; (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))

    from main import main

    def call(*arguments: object) -> Result:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny class-conditional model with random weights: 8 × 8 grey, three classes and the null label."""
    import torch

    from core.messages import ModelInfo
    from core.model_folder import save_model
    from core.requests import ModelRef, SamplerSpec, ScheduleSpec
    from core.unet import UNet
    from core.unet_config import UNetConfig

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = UNet(
            UNetConfig(
                sample_size=8,
                in_channels=1,
                out_channels=1,
                block_out_channels=(8, 16),
                down_block_types=("DownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "UpBlock2D"),
                layers_per_block=1,
                norm_num_groups=4,
                num_class_embeds=4,
            )
        )
    info = ModelInfo(
        ref=ModelRef("tiny", ""),
        event_shape=(1, 8, 8),
        schedule=ScheduleSpec("linear", 1000, 1e-4, 0.02),
        prediction="eps",
        labels=("cat", "dog", "fish, raw"),
        null_label=3,
        sampler=SamplerSpec("ddim", clip="clamp"),
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_model(folder, network, info)
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    import numpy as np
    from PIL import Image

    path = tmp_path / "picture.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A noisy classifier of the model's pictures, untrained but with an opinion."""
    import torch

    from core.classifier_folder import save_classifier
    from tests.core.test_classifier_folder import described, tiny

    network = tiny()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.3)
    folder = tmp_path_factory.mktemp("guide") / "insects"
    save_classifier(folder, network, described(network, labels=("cat", "dog", "bee")))
    return folder


@pytest.fixture
def heeded() -> Iterator[Callable[[int], None]]:
    """Lets a signal be heard that the tests were started to ignore, as by ``nohup``, until the test is over."""
    before = {}

    def heed(number: int) -> None:
        if signal.getsignal(number) is signal.SIG_IGN:
            before[number] = signal.signal(number, signal.SIG_DFL)

    yield heed
    for number, former in before.items():
        signal.signal(number, former)
