"""The program as a process: it starts, says nothing, and ends when its window closes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from resources import samples

ROOT = Path(__file__).resolve().parents[2]


def start(script: str) -> subprocess.Popen[str]:
    """A fresh process in which ``script`` may hook into the window, called ``window``, after its first paint."""
    program = """
    import sys
    from PySide6.QtCore import QTimer
    from app import application, window as windows

    windows.MainWindow.__init__.__kwdefaults__["stages"] = __import__("tests.app.toy_stage", fromlist=["x"]).STAGES
    begin = windows.MainWindow._say_painted

    def painted(window):
        begin(window)
    SCRIPT

    windows.MainWindow._say_painted = painted
    code = application.run([])
    print("ended", flush=True)
    sys.exit(code)
    """
    text = textwrap.dedent(program).replace("SCRIPT", textwrap.indent(textwrap.dedent(script), "    "))
    return subprocess.Popen(
        [sys.executable, "-c", text],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str], patience: float = 60) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        pytest.fail("the program did not end")
    errors = [line for line in err.splitlines() if "propagateSizeHints" not in line]
    return process.returncode, out, "\n".join(errors)


@pytest.mark.parametrize("delay", [0, 300])
def test_that_closing_the_window_while_the_engine_starts_ends_the_program_in_silence(delay: int) -> None:
    process = start(f"QTimer.singleShot({delay}, window.close)")
    code, _out, err = outcome(process)
    assert (code, err) == (0, "")


def test_that_a_picture_is_shown_where_torch_cannot_be_imported_at_all() -> None:
    process = start(
        """
        def look():
            if window.state.image is None:
                QTimer.singleShot(20, look)
            else:
                print(window.state.image.name, flush=True)
                window.close()
        sys.modules["torch"] = None
        look()
        """
    )
    code, out, _err = outcome(process)
    assert code == 0
    assert out.splitlines()[0] == samples()[0].name


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_that_ctrl_c_in_the_terminal_closes_the_window() -> None:
    process = start("print('painted', flush=True)")
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "painted"
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, _out, err = outcome(process)
    assert (code, err) == (130, "")
    assert time.monotonic() - asked < 10


def test_that_an_error_in_the_gui_thread_is_logged_and_told_and_the_window_lives_on(tmp_path: Path) -> None:
    process = start(
        """
        def fail():
            raise RuntimeError("deliberate")
        def look():
            print(window.stage.errors.message(), flush=True)
            window.close()
        QTimer.singleShot(0, fail)
        QTimer.singleShot(50, look)
        """
    )
    code, out, err = outcome(process)
    assert code == 0
    assert "what you made is still there" in out
    assert "RuntimeError: deliberate" in err
    log = Path(os.environ["DIFFUSCOPE_HOME"]) / "log" / "diffuscope.log"
    assert "RuntimeError: deliberate" in log.read_text()
