"""JSON files that came from elsewhere: small, an object, every field of the type it should have."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.errors import Refusal

MAX_BYTES = 1_000_000
LFS_MARK = b"version https://git-lfs"
UNREADABLE = (Refusal, ValueError, KeyError, TypeError, AttributeError, OverflowError)
"""What is raised where what was read is not what it should be; whoever goes on without that part catches these."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of at most ``MAX_BYTES``. Raises Refusal where there is none."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Refusal(f"{path.name} cannot be read ({error.strerror or error}).", repr(error)) from error
    if content.startswith(LFS_MARK):
        raise lfs_refusal(path)
    if len(content) > MAX_BYTES:
        raise Refusal(f"{path.name} is larger than a configuration can be: this is not a model folder.", str(path))
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{path.name} is damaged: it is not valid JSON. Download or save the model again.") from error
    if not isinstance(data, dict):
        raise Refusal(f"{path.name} does not hold a configuration. Download or save the model again.", str(path))
    return data


def lfs_refusal(path: Path) -> Refusal:
    """What to tell a person whose clone holds pointers in place of files."""
    return Refusal(
        f"{path.name} is only a pointer: the model was cloned without its large files. "
        "Run “git lfs pull” in its folder, or download the file itself.",
        str(path),
    )


class Fields:
    """Typed access to an object from a file; a field of the wrong type is refused by name.

    A field that is missing gives the default, one that is null gives None only where None is the default.
    """

    def __init__(self, data: Mapping[str, Any], source: str) -> None:
        self.data = data
        self._source = source

    def text(self, name: str, default: str = "") -> str:
        return str(self._get(name, default, lambda value: isinstance(value, str), "a text"))

    def flag(self, name: str, default: bool) -> bool:
        return bool(self._get(name, default, lambda value: isinstance(value, bool), "true or false"))

    def whole(self, name: str, default: int) -> int:
        return int(self._get(name, default, _is_whole, "a whole number"))

    def maybe_whole(self, name: str) -> int | None:
        value = self.data.get(name)
        return None if value is None else self.whole(name, 0)

    def number(self, name: str, default: float) -> float:
        return float(self._get(name, default, _is_number, "a number"))

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of finite numbers; missing and null are empty."""
        return tuple(float(value) for value in self._list(name, _is_number, "a list of numbers"))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts; missing and null are empty."""
        return tuple(self._list(name, lambda value: isinstance(value, str), "a list of texts"))

    def _list(self, name: str, is_item: Any, kind: str) -> list[Any]:
        value = self.data.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(map(is_item, value)):
            raise self._refusal(name, kind)
        return value

    def _get(self, name: str, default: Any, is_right: Any, kind: str) -> Any:
        value = self.data.get(name, default)
        if not is_right(value):
            raise self._refusal(name, kind)
        return value

    def _refusal(self, name: str, kind: str) -> Refusal:
        return Refusal(
            f"{self._source} cannot be read: {name} must be {kind}.", f"{name} = {str(self.data.get(name))[:200]}"
        )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))
