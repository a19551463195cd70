"""A screen of its own for the real program: real mouse, real keys, and what the person would see."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
"""Seconds that anything may take before a test gives up; only a machine under heavy load needs more than a few."""

Colour = tuple[int, int, int]
Place = tuple[int, int]


def missing_tools() -> str:
    """What keeps display tests from running here, "" where nothing does."""
    if not sys.platform.startswith("linux"):
        return "an X server of its own needs Linux"
    missing = [tool for tool in ("Xvfb", "xdotool") if shutil.which(tool) is None]
    if find_library("X11") is None:
        missing.append("libX11")
    return f"not installed: {', '.join(missing)}" if missing else ""


def until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait until ``condition`` answers something true, and answer that."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain until {what}"
        time.sleep(0.02)


def steady(measure: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
    """Wait until ``measure`` answers something true, and the same again a moment later; answer that."""

    def twice() -> Any:
        found = measure()
        time.sleep(0.2)  # longer than a screen is half painted
        return found if found == measure() else None

    return until(twice, what, seconds)


class Display:
    """An X server without a window manager, 1600×1000, its pixels in a file that can be read at any time."""

    def __init__(self, folder: Path) -> None:
        self._pixels = folder / "Xvfb_screen0"
        reading, writing = os.pipe()
        command = ["Xvfb", "-screen", "0", "1600x1000x24", "-nolisten", "tcp", "-noreset"]
        self._server = subprocess.Popen(
            [*command, "-fbdir", str(folder), "-displayfd", str(writing)],
            pass_fds=(writing,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        assert number, "Xvfb did not start"
        self.name = f":{number}"

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(10)

    def environment(self) -> dict[str, str]:
        """What a program needs in order to open its windows here, and on no other platform."""
        inherited = {name: value for name, value in os.environ.items() if name not in _OTHER_PLATFORMS}
        return inherited | {"DISPLAY": self.name}

    def screenshot(self) -> NDArray[np.uint8]:
        """The screen as uint8 (1000, 1600, 3), RGB."""
        data = self._pixels.read_bytes()
        header = struct.unpack(">25I", data[:100])  # XWDFileHeader of X11/XWDFile.h
        size, width, height, stride, colours = header[0], header[4], header[5], header[12], header[19]
        rows = np.frombuffer(data, np.uint8, height * stride, size + 12 * colours).reshape(height, stride)
        return rows[:, : 4 * width].reshape(height, width, 4)[..., 2::-1].copy()

    def xdotool(self, *words: object) -> str:
        done = subprocess.run(
            ["xdotool", *map(str, words)], env=self.environment(), capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def window(self, title: str) -> str:
        """The number of the window that is shown with this title."""
        found: str = until(
            lambda: self.xdotool("search", "--onlyvisible", "--name", f"^{title}$").split("\n")[0],
            f"the window {title} is there",
        )
        return found

    def focus(self, window: str) -> None:
        """What a window manager does when a window is clicked: keys go there from now on."""

        def has_focus() -> bool:
            self.xdotool("windowmove", window, 0, 0, "windowfocus", window)  # in vain until the window can be seen
            return self.xdotool("getwindowfocus", "-f") == window

        until(has_focus, "the window has the keyboard")

    def keys(self, *keys: str) -> None:
        """Press and release keys one after the other, "ctrl+Return" for example."""
        for key in keys:
            self.xdotool("key", "--clearmodifiers", key)

    def press(self, place: Place) -> None:
        """Put the pointer there and press the left button."""
        self.xdotool("mousemove", *place, "mousedown", 1)

    def move(self, start: Place, end: Place, steps: int = 12) -> None:
        """Move the pointer as a hand does, on a line and not at once."""
        for step in range(1, steps + 1):
            x, y = (round(a + (b - a) * step / steps) for a, b in zip(start, end, strict=True))
            self.xdotool("mousemove", x, y, "sleep", 0.02)

    def release(self) -> None:
        self.xdotool("mouseup", 1)

    def ask_to_close(self, window: str) -> None:
        """What a window manager does when the button in the title bar is pressed: send WM_DELETE_WINDOW (ICCCM)."""
        x11 = ctypes.CDLL(find_library("X11"))
        x11.XOpenDisplay.restype = ctypes.c_void_p
        x11.XInternAtom.restype = ctypes.c_ulong
        server = ctypes.c_void_p(x11.XOpenDisplay(self.name.encode()))
        protocols, delete = (x11.XInternAtom(server, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW"))
        message = _ClientMessage(_CLIENT_MESSAGE, 0, 1, server, int(window), protocols, 32, (delete, 0, 0, 0, 0))
        x11.XSendEvent(server, ctypes.c_ulong(int(window)), 0, ctypes.c_long(0), ctypes.byref(message))
        x11.XCloseDisplay(server)


class Program:
    """``python main.py`` in a process and a house of its own. Attributes: ``process``, ``home``."""

    def __init__(
        self,
        home: Path,
        arguments: Sequence[object] = (),
        environment: Mapping[str, str] = os.environ,
        code: str = "",
    ) -> None:
        self.home = home
        self._said = {name: home.with_name(f"{home.name}-{name}.txt") for name in ("output", "errors")}
        program = ["-c", code] if code else ["main.py"]
        with self._said["output"].open("w") as output, self._said["errors"].open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *program, *map(str, arguments)],
                cwd=REPOSITORY,
                env={**environment, "DIFFUSCOPE_HOME": str(home)},
                stdout=output,
                stderr=errors,
            )

    def log(self) -> str:
        """All that the program has written to its log so far."""
        path = self.home / "log" / "diffuscope.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def errors(self) -> str:
        """All that the program has written to standard error so far."""
        return self._said["errors"].read_text(encoding="utf-8")

    def output(self) -> str:
        return self._said["output"].read_text(encoding="utf-8")

    def until_logged(self, words: str) -> None:
        """Wait for these words in the log, as long as the program lives."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.log():
            code, late = self.process.poll(), time.monotonic() > deadline
            if code is None and not late:
                time.sleep(0.02)
            elif words not in self.log():
                raise AssertionError(f"exit code {code}, never logged {words!r} but\n{self.log()}{self.errors()}")

    def interrupt(self) -> None:
        """Ctrl+C in the terminal."""
        self.process.send_signal(signal.SIGINT)

    def end(self, seconds: float = PATIENCE) -> int:
        """The exit code, once the program has ended by itself."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        """Leave nothing behind, whatever happened."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


def share(picture: NDArray[np.uint8], colour: Colour, tolerance: int = 14) -> float:
    """How much of a picture (H, W, 3) has this colour, 0 to 1."""
    near = np.abs(picture.astype(np.int16) - np.array(colour)).max(axis=-1) <= tolerance
    return float(near.mean())


_OTHER_PLATFORMS = ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS")
_CLIENT_MESSAGE = 33


class _ClientMessage(ctypes.Structure):
    """XClientMessageEvent of Xlib, padded to the size of XEvent."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("serial", ctypes.c_ulong),
        ("send_event", ctypes.c_int),
        ("display", ctypes.c_void_p),
        ("window", ctypes.c_ulong),
        ("message_type", ctypes.c_ulong),
        ("format", ctypes.c_int),
        ("data", ctypes.c_long * 5),
        ("padding", ctypes.c_long * 12),
    )
