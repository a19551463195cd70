"""Why the program cannot start, in one sentence: a missing Python package, system library or display."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from ctypes import CDLL
from importlib.util import find_spec
from pathlib import Path

from core.errors import Refusal

DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}

_OWN = ("app", "core", "resources")


def explain(error: ImportError | OSError) -> Refusal:
    """What is missing and how to install it. Re-raises what is neither a missing package nor a missing library."""
    library = re.search(r"(lib[\w.+-]+\.so[.\d]*): cannot open shared object", str(error))
    if library:
        return _missing_library(library.group(1), error)
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.split(".")[0] not in _OWN:
        return Refusal(
            f"The Python package {error.name.split('.')[0]} is missing. "
            "In the folder of Diffuscope run: pip install -e .",
            repr(error),
        )
    raise error


def check_display(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> None:
    """Raise Refusal where Qt would abort: no display, or no library for windows under X11. Linux only."""
    if not platform.startswith("linux") or environment.get("QT_QPA_PLATFORM"):
        return
    if environment.get("WAYLAND_DISPLAY"):
        return
    if not environment.get("DISPLAY"):
        raise Refusal(
            "There is no display to open a window on. Start it on a desktop, or use the commands "
            "that need none (see --help)."
        )
    check_library(_xcb_plugin())


def check_library(path: Path | None) -> None:
    """Raise Refusal where a shared library, or one that it needs, is not there."""
    if path is None:
        return
    try:
        CDLL(str(path))
    except OSError as error:
        raise explain(error) from error


def _xcb_plugin() -> Path | None:
    found = find_spec("PySide6")
    if found is None or not found.submodule_search_locations:
        return None
    plugin = Path(found.submodule_search_locations[0]) / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    return plugin if plugin.exists() else None


def _missing_library(name: str, error: Exception) -> Refusal:
    package = DEBIAN_PACKAGES.get(name)
    how = f"On Debian and Ubuntu: sudo apt install {package}" if package else "Install it with your system's packages"
    return Refusal(f"The system library {name} is missing. {how}.", repr(error))
