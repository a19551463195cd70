"""What a command says while it works and when it is done."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

INTERVAL = 0.1
PLAIN_INTERVAL = 2.0


def counted(count: int, what: str) -> str:
    """ "1 picture", "1,200 pictures"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


class Progress:
    """One line on standard error that rewrites itself; lines of their own every two seconds where no terminal is."""

    def __init__(self, forced: bool = False) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown = self._terminal or forced
        self._last = -1e9
        self._unit = ""
        self._first, self._begun = 0, 0.0
        self._width = 0

    def step(self, done: int, total: int | None, words: str = "", unit: str = "step") -> None:
        """``done`` of ``total`` steps (None: nobody knows how many), of which the first told of may not be number 1."""
        now = time.monotonic()
        if unit != self._unit:
            self._unit, self._first, self._begun = unit, done, now
        last = total is not None and done >= total
        if not self._shown or (now - self._last < (INTERVAL if self._terminal else PLAIN_INTERVAL) and not last):
            return
        self._last = now
        rate = (done - self._first) / max(now - self._begun, 1e-9)
        parts = [f"{unit} {done}" if total is None else f"{unit} {done}/{total}"]
        if rate > 0:
            parts.append(f"{rate:.1f} {unit}s/s")
        if total is not None and rate > 0 and not last:
            parts.append(f"{clock((total - done) / rate)} to go")
        self._write(", ".join((*parts, words) if words else parts))

    def say(self, words: str) -> None:
        """A line that stays, shown whatever reads standard error."""
        self.close()
        print(words, file=sys.stderr)

    def close(self) -> None:
        """Leave the line behind."""
        if self._terminal and self._width:
            print(file=sys.stderr)
            self._width = 0

    def _write(self, line: str) -> None:
        if not self._terminal:
            print(line, file=sys.stderr)
            return
        print(f"\r{line:<{self._width}}", end="", file=sys.stderr, flush=True)
        self._width = len(line)


def clock(seconds: float) -> str:
    """72 → "1:12"."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def report(result: dict[str, Any], as_json: bool, words: str) -> None:
    """The result on standard output: one JSON object for machines, or a sentence for people."""
    print(json.dumps(result, allow_nan=False) if as_json else words)
