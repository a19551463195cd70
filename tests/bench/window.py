"""Drives the real program from within, for the benchmarks of the window."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app.bridge import Bridge
from app.window import MainWindow
from main import main

Script = Callable[[MainWindow, Bridge], Coroutine[Any, Any, None]]


def drive(script: Script, arguments: Sequence[str] = ()) -> int:
    """Run the program as ``python main.py`` does, and ``script`` beside it; the program's exit code."""
    original = Bridge.run_loop

    def run_loop(bridge: Bridge, app: QApplication) -> int:
        window = next(widget for widget in app.topLevelWidgets() if isinstance(widget, MainWindow))
        QTimer.singleShot(0, lambda: bridge._spawn(guarded(window, bridge)))
        return original(bridge, app)

    async def guarded(window: MainWindow, bridge: Bridge) -> None:
        try:
            await script(window, bridge)
        except Exception:
            traceback.print_exc()
            window.close()

    Bridge.run_loop = run_loop  # type: ignore[method-assign]
    try:
        return main(arguments)
    finally:
        Bridge.run_loop = original  # type: ignore[method-assign]


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait, with the window alive, until ``condition`` holds."""
    loop = asyncio.get_event_loop()
    deadline = loop.time() + seconds
    while not condition():
        if loop.time() > deadline:
            raise TimeoutError("what the benchmark waits for never happened")
        await asyncio.sleep(0.005)
