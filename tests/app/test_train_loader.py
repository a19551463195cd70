"""Reading a folder away from the GUI thread: told how far it is, cancelled, replaced, and never waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.stages.train_loader import FolderLoader


class LateBackground:
    """Does work when the test says so."""

    def __init__(self) -> None:
        self.waiting: list = []

    def in_background(self, work, done, failed, worker="") -> None:
        self.waiting.append((work, done, failed))

    def run(self) -> None:
        """Do the oldest."""
        work, done, failed = self.waiting.pop(0)
        try:
            result = work()
        except Exception as error:
            failed(error)
        else:
            done(result)


@pytest.fixture
def background() -> LateBackground:
    return LateBackground()


@pytest.fixture
def loader(qtbot, background) -> FolderLoader:
    made = FolderLoader(background)
    made.heard = []
    made.opened.connect(lambda data, folder: made.heard.append((data.name, data.pictures.shape[1], folder)))
    made.failed.connect(lambda message, details: made.heard.append(message))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return a_folder(tmp_path / "some")


def a_folder(place: Path, count: int = 5) -> Path:
    place.mkdir()
    for number in range(count):
        Image.fromarray(np.full((9, 12), number, np.uint8)).save(place / f"{number}.png")
    return place


def test_that_a_folder_is_read_and_how_far_is_told(loader, background, folder, qtbot) -> None:
    loader.open(folder, 8)
    assert loader.folder == folder
    assert loader.heard == []
    with qtbot.waitSignal(loader.progressed) as told:
        background.run()
    assert told.args[1] == 5
    assert loader.heard == [("some", 8, folder)]
    assert loader.folder is None


def test_that_nothing_comes_of_what_was_cancelled(loader, background, folder) -> None:
    read = []
    loader.progressed.connect(lambda done, total: (read.append(done), loader.cancel()))
    loader.open(folder, 8)
    background.run()
    assert read == [0]
    assert loader.heard == []
    assert loader.folder is None


def test_that_a_newer_folder_replaces_the_one_being_read(loader, background, folder, tmp_path) -> None:
    other = a_folder(tmp_path / "other")
    loader.open(folder, 8)
    loader.open(other, 16)
    background.run()
    assert loader.folder == other
    background.run()
    assert loader.heard == [("other", 16, other)]


def test_that_a_folder_that_cannot_be_read_is_said_in_words(loader, background, folder, monkeypatch) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("app.stages.train_loader.open_folder", forbidden)
    loader.open(folder, 8)
    background.run()
    assert "cannot be read" in loader.heard[0]
    assert "Permission denied" in loader.heard[0]


def test_that_the_window_opens_pictures_and_closes_while_a_folder_is_being_read() -> None:
    code = textwrap.dedent("""
        import sys, time
        from PySide6.QtCore import QTimer
        from PySide6.QtWidgets import QApplication
        from app.bridge import Bridge
        from app.state import AppState
        from app.stages import train_loader
        from app.window import MainWindow
        from resources import samples

        def endless(folder, size, progress):
            for done in range(10**6):
                progress(done, 10**6)
                time.sleep(0.002)

        train_loader.open_folder = endless
        app = QApplication([])
        state = AppState()
        bridge = Bridge(state)
        window = MainWindow(state, bridge)
        window.show()
        bridge.start = lambda: None

        def begin():
            state.move(stage="train")
            window.commands.open_path(samples()[1].path)
        state.image_changed.connect(window.close)
        QTimer.singleShot(300, begin)
        sys.exit(bridge.run_loop(app))
    """)
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
