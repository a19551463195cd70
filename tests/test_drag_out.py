"""Pictures dragged out of the real window with a real mouse, into another program."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.recipe import read_recipe
from core.requests import NoiseRequest
from tests import drag_target
from tests.display import PATIENCE, REPOSITORY, Display, Program, missing_tools, until

pytestmark = [
    pytest.mark.timeout(5 * PATIENCE),
    pytest.mark.display,
    pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "everything is installed"),
]

SAY_PLACES = """
import asyncio, json, sys
from PySide6.QtCore import QRectF
from app.widgets.drag_out import handle_of
from tests.bench.window import drive, until

async def script(window, bridge):
    stage = window.stage
    await until(lambda: stage.x_t.content is not None and len(stage.strips.strip.shown) > 4)
    await asyncio.sleep(1)  # until the pictures have their places
    pane, strip = stage.x_t, stage.strips.strip
    _, height, width = pane.content.shape
    whole = pane.pixel_rect(0, 0, 0).united(pane.pixel_rect(0, height - 1, width - 1))
    places = {
        "picture": pane.mapToGlobal(whole.center().toPoint()),
        "handle": pane.mapToGlobal(handle_of(whole).center()),
        "frame": strip.mapToGlobal(strip.frame_rect(strip.shown[-1]).center()),
    }
    said = {name: point.toTuple() for name, point in places.items()} | {"last": strip._times[strip.shown[-1]]}
    print(json.dumps(said), flush=True)
    state = window.state
    await until(lambda: state.model is not None, 300)
    print("ready to end", flush=True)

sys.exit(drive(script, sys.argv[1:]))
"""


@pytest.fixture
def display(tmp_path: Path) -> Iterator[Display]:
    folder = tmp_path / "framebuffer"
    folder.mkdir()
    server = Display(folder)
    yield server
    server.close()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(tmp_path / "flag.png")
    return tmp_path / "flag.png"


@pytest.fixture
def program(tmp_path: Path, picture: Path, display: Display) -> Iterator[Program]:
    started = Program(tmp_path / "home", (picture,), display.environment(), SAY_PLACES)
    yield started
    started.kill()


@pytest.fixture
def target(tmp_path: Path, display: Display) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(REPOSITORY / "tests" / "drag_target.py"), str(tmp_path)]
    process = subprocess.Popen(command, env=display.environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait(10)
    process.stdout.close()


def drop(display: Display, start: tuple[int, int], target: subprocess.Popen[str]) -> dict[str, Any]:
    """Drag from there to the other program; what it says."""
    display.press(start)
    display.move(start, drag_target.MIDDLE, 20)
    display.release()
    assert target.stdout is not None
    said: dict[str, Any] = json.loads(target.stdout.readline())
    return said


def test_that_pictures_are_dropped_on_another_program_with_their_recipe(
    program: Program, target: subprocess.Popen[str], display: Display, tmp_path: Path
) -> None:
    display.focus(display.window("Diffuscope"))
    places = json.loads(until(lambda: program.output().partition("\n")[0], "the window has said its places"))

    display.xdotool("mousemove", *places["picture"])  # shows the handle
    said = drop(display, tuple(places["handle"]), target)
    assert said["copied"]
    assert "image/png" in said["formats"]
    recipe = read_recipe(tmp_path / "dropped.png")
    assert isinstance(recipe.request, NoiseRequest)
    assert recipe.request.timesteps == (400,)
    assert (tmp_path / "file.png").read_bytes() == (tmp_path / "dropped.png").read_bytes()
    with Image.open(tmp_path / "dropped.png") as image:
        assert image.size == (40, 40)
    (first,) = said["files"]
    assert Path(first).name == "flag, t = 400.png"

    said = drop(display, tuple(places["frame"]), target)
    recipe = read_recipe(tmp_path / "dropped.png")
    assert recipe.request.timesteps == (places["last"],)

    until(lambda: "ready to end" in program.output(), "the model is open")  # what is imported cannot be left quietly
    display.keys("ctrl+q")
    assert program.end() == 0
    assert program.errors() == ""
    assert not any(Path(file).exists() for file in (first, *said["files"]))
