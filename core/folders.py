"""Where the program keeps its files: the platform's own folders, or everything under ``DIFFUSCOPE_HOME``."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from core.errors import Refusal

HOME_VARIABLE = "DIFFUSCOPE_HOME"
_NAME = "diffuscope"


def data_folder() -> Path:
    """Models that the person adds, training runs, history. Created if missing; raises Refusal where it cannot be."""
    return _folder("data", platformdirs.user_data_dir(_NAME, appauthor=False))


def cache_folder() -> Path:
    """What can be made again: decoded training pictures, thumbnails, compiled kernels."""
    return _folder("cache", platformdirs.user_cache_dir(_NAME, appauthor=False))


def config_folder() -> Path:
    """Settings and the layout of the window."""
    return _folder("config", platformdirs.user_config_dir(_NAME, appauthor=False))


def log_folder() -> Path:
    """The one log file."""
    return _folder("log", platformdirs.user_log_dir(_NAME, appauthor=False))


def _folder(kind: str, platform: str) -> Path:
    home = os.environ.get(HOME_VARIABLE)
    folder = Path(home).expanduser() / kind if home else Path(platform)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refusal(
            f"The {kind} folder {folder} cannot be made ({error.strerror or error}). "
            f"Make its parent writable, or set {HOME_VARIABLE} to a folder that is.",
            repr(error),
        ) from error
    return folder
