"""The real program, run as a person runs it: in its own process, with a real mouse and a real keyboard."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import drag_source
from tests.display import PATIENCE, REPOSITORY, Colour, Display, Program, missing_tools, share, steady, until

pytestmark = pytest.mark.timeout(5 * PATIENCE)

on_a_display = [
    pytest.mark.display,
    pytest.mark.skipif(bool(missing_tools()), reason=missing_tools() or "everything is installed"),
]

PINK: Colour = (255, 0, 200)
AZURE: Colour = (0, 200, 255)
"""Colours that nothing in the window has by itself."""

LEFT_PANEL, RIGHT_PANEL, BOTTOM_PANEL = 220, 960, 640
OVER, BESIDE = (640, 200), (1320, 880)
"""Places on the screen: on the stage, and outside the window."""
Start = Callable[..., Program]


@pytest.fixture
def flag(tmp_path: Path) -> Path:
    """A picture file, left half pink, right half azure."""
    pixels = np.full((200, 200, 3), PINK, np.uint8)
    pixels[:, 100:] = AZURE
    Image.fromarray(pixels).save(tmp_path / "flag.png")
    return tmp_path / "flag.png"


@pytest.fixture(scope="module")
def slow_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder whose network knows nothing, but takes long enough for a run to be interrupted."""
    import torch

    from core.messages import ModelInfo
    from core.model_folder import save_model
    from core.requests import ModelRef, SamplerSpec, ScheduleSpec
    from core.unet import UNet, UNetConfig

    config = UNetConfig(
        sample_size=64,
        in_channels=1,
        out_channels=1,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "slow"
    info = ModelInfo(ModelRef("", ""), (1, 64, 64), ScheduleSpec("linear"), "eps", sampler=SamplerSpec("ddim"))
    save_model(folder, UNet(config), info)
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts programs, each in a fresh house, and leaves none behind."""
    programs: list[Program] = []

    def begin(
        *arguments: object, display: Display | None = None, code: str = "", environment: dict[str, str] | None = None
    ) -> Program:
        place = display.environment() if display else {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
        program = Program(tmp_path / f"home{len(programs)}", arguments, place | (environment or {}), code)
        programs.append(program)
        return program

    yield begin
    for program in programs:
        program.kill()


def assert_ended_quietly(program: Program, code: int = 0) -> None:
    assert program.end() == code
    assert program.errors() == ""
    assert "ERROR" not in program.log()


# Without a display

SAMPLE_AND_CLOSE = """
import sys
from tests.bench.window import drive, until

async def script(window, bridge):
    state = window.state
    await until(lambda: state.model is not None)
    window.registry["stage_denoise"].trigger()
    await until(lambda: window.stage.key == "denoise" and window.stage.primary_action.isEnabled())
    window.registry["run"].trigger()
    await until(lambda: any(run.stored >= 2 for run in state.runs.values()))
    assert [run.state for run in state.runs.values()] == ["running"]
    print("closing", flush=True)
    window.close()

sys.exit(drive(script, sys.argv[1:]))
"""


@pytest.mark.parametrize("time", ["once", "again"])
def test_that_closing_in_the_middle_of_a_run_ends_quietly(time: str, start: Start, slow_model: Path) -> None:
    program = start(slow_model, code=SAMPLE_AND_CLOSE)
    until(lambda: "closing" in program.output() or program.process.poll() is not None, "the run is under way")
    assert_ended_quietly(program)
    assert program.output() == "closing\n"
    assert "run 1 started" in program.log()
    assert "run 1 finished" not in program.log()


def test_that_the_program_opens_the_picture_and_the_model_it_is_given(
    start: Start, slow_model: Path, flag: Path
) -> None:
    program = start(flag, slow_model)
    program.until_logged("picture opened: flag.png, 200 × 200")
    program.until_logged(f"model opened: {slow_model.name}")
    program.interrupt()
    assert_ended_quietly(program, 130)


def test_that_ctrl_c_in_the_terminal_ends_it_even_while_it_starts(start: Start) -> None:
    program = start()
    program.until_logged("window shown")
    program.interrupt()
    assert_ended_quietly(program, 130)


def run_main(*arguments: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    changed = {**os.environ, **environment}
    given = {name: value for name, value in changed.items() if value is not None}
    command = [sys.executable, "main.py", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=given, capture_output=True, text=True, timeout=PATIENCE)


def assert_said_in_one_line(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.parametrize(("library", "package"), [("libEGL.so.1", "libegl1"), ("libxkbcommon.so.0", "libxkbcommon0")])
def test_that_a_missing_system_library_is_named_with_what_installs_it(
    library: str, package: str, tmp_path: Path
) -> None:
    package_folder = tmp_path / "PySide6"
    package_folder.mkdir()
    what_the_loader_says = f"{library}: cannot open shared object file: No such file or directory"
    (package_folder / "__init__.py").write_text(f"raise ImportError({what_the_loader_says!r})\n")
    done = run_main(PYTHONPATH=str(tmp_path), QT_QPA_PLATFORM="offscreen")
    assert_said_in_one_line(done, library, f"apt install {package}")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_that_a_missing_display_is_said_in_one_line() -> None:
    done = run_main(QT_QPA_PLATFORM=None, DISPLAY=None, WAYLAND_DISPLAY=None)
    assert_said_in_one_line(done, "no display", "--help")


# On a display


@pytest.fixture(scope="module")
def display(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Display]:
    server = Display(tmp_path_factory.mktemp("framebuffer"))
    yield server
    server.close()


def stage_of(display: Display) -> np.ndarray:
    """The pixels between the panels of a window of 1280×800 in the top left corner."""
    return display.screenshot()[:BOTTOM_PANEL, LEFT_PANEL:RIGHT_PANEL]


def colours_of(picture: np.ndarray) -> float:
    """How much of a picture is pink or azure, 0 where one of the two is missing."""
    pink, azure = share(picture, PINK), share(picture, AZURE)
    return pink + azure if pink and azure else 0.0


def veiled(picture: np.ndarray) -> bool:
    """Whether a picture is covered with one colour that lets only a glimpse of what is below through."""
    colour = np.median(picture.reshape(-1, 3), axis=0)
    return share(picture, tuple(colour), 34) > 0.98


def open_on(display: Display, start: Start, *arguments: object, logged: Sequence[str] = ()) -> tuple[Program, str]:
    """The program with its window in the top left corner, the keyboard in it, and the number of the window."""
    program = start(*arguments, display=display)
    program.until_logged("window shown")
    window = display.window("Diffuscope")
    display.focus(window)
    for words in ("picture opened", *logged):
        program.until_logged(words)
    return program, window


@contextmanager
def another_program(display: Display, kind: str, picture: Path) -> Iterator[Callable[[], str]]:
    """A window of another process that a picture can be dragged from; answers what it says next."""
    command = [sys.executable, str(REPOSITORY / "tests" / "drag_source.py"), kind, str(picture)]
    process = subprocess.Popen(command, env=display.environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        display.window(drag_source.TITLE)
        assert process.stdout.readline() == "ready\n"
        yield lambda: process.stdout.readline().strip() if process.stdout else ""
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


class TestOnADisplay:
    pytestmark = on_a_display

    @pytest.mark.parametrize(("kind", "name"), [("url", "flag.png"), ("pixels", "pasted picture")])
    def test_that_a_picture_dragged_from_another_program_is_noised(
        self, kind: str, name: str, display: Display, start: Start, flag: Path
    ) -> None:
        program, window = open_on(display, start)
        with another_program(display, kind, flag) as says:
            display.press(drag_source.MIDDLE)
            display.move(drag_source.MIDDLE, OVER)
            until(lambda: veiled(stage_of(display)), "the window says what a drop will do")
            display.move(OVER, BESIDE)
            until(lambda: not veiled(stage_of(display)), "that is gone when the pointer is")
            display.move(BESIDE, OVER)
            until(lambda: veiled(stage_of(display)), "it is there again")
            assert f"opened: {name}" not in program.log()
            display.release()
            assert says() == "copy"
            program.until_logged(f"picture opened: {name}, 200 × 200")
        display.focus(window)
        display.keys("Home")
        clean = steady(lambda: (c := colours_of(stage_of(display))) > 0.1 and c, "the picture is on the stage")
        display.keys("End")
        until(lambda: 0.01 < colours_of(stage_of(display)) < clean / 2, "all of x_t is noise, and x_0 is still there")
        program.until_logged("model opened: digits")  # what is imported meanwhile cannot be left quietly
        display.keys("ctrl+q")
        assert_ended_quietly(program)

    def test_that_the_keyboard_alone_noises_denoises_stops_and_quits(
        self, display: Display, start: Start, slow_model: Path, flag: Path
    ) -> None:
        program, _window = open_on(display, start, flag, slow_model, logged=("model opened: slow",))
        display.keys("Home")
        clean = steady(lambda: (c := colours_of(stage_of(display))) > 0.1 and c, "the picture is on the stage")
        display.keys("shift+Right", "shift+Right", "Right")
        until(lambda: colours_of(stage_of(display)) < 0.9 * clean, "there is noise on the picture")
        display.keys("Home")
        until(lambda: colours_of(stage_of(display)) > 0.99 * clean, "the noise is gone again")

        display.keys("ctrl+2", "ctrl+Return")
        program.until_logged("run 1 started")
        display.keys("Escape")
        program.until_logged("run 1 stopped after")
        display.keys("ctrl+Return")
        program.until_logged("run 2 started")
        display.keys("space")
        program.until_logged("run 2 paused at step")
        display.keys("ctrl+1", "Home")
        until(lambda: colours_of(stage_of(display)) > 0.99 * clean, "the picture is there again")
        display.keys("ctrl+q")
        assert_ended_quietly(program)

    @pytest.mark.parametrize("time", ["once", "again"])
    def test_that_the_button_in_the_title_bar_ends_a_run_and_the_program(
        self, time: str, display: Display, start: Start, slow_model: Path
    ) -> None:
        program, window = open_on(display, start, slow_model, logged=("model opened: slow",))
        display.keys("ctrl+2", "ctrl+Return")
        program.until_logged("run 1 started")
        display.ask_to_close(window)
        assert_ended_quietly(program)
        assert "run 1 finished" not in program.log()
