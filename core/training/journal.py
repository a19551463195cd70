"""How a run was computed, step by step, so that one that goes on repeats it bit for bit. Torch-free.

One line for every change, on the disk before the first step that it holds for: a check number and a JSON object.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import Refusal
from core.files import sync_folder, write_refusal
from core.training.kernel_path import KernelPath

FILE = Path("training") / "journal.jsonl"
DAMAGED = "How parts of this run were computed is not known any more, so its bits may differ: journal.jsonl is damaged."


@dataclass(frozen=True, slots=True)
class Line:
    """From the step after ``step`` on the network is computed as ``path`` says (see ``KernelPath``), with the learning
    rate times ``lr_scale``. A line takes back what earlier lines said of later steps."""

    step: int
    path: dict[str, Any]
    lr_scale: float = 1.0
    why: str = ""


class Journal:
    """The lines of the run in ``folder``; ``note`` is for the person where some cannot be read."""

    def __init__(self, folder: Path, begins: bool = False) -> None:
        """Of a run that ``begins`` there are none, whatever lies there. Raises Refusal where the file is there and
        cannot be read."""
        self._path = folder / FILE
        self.lines: tuple[Line, ...] = ()
        self.note = ""
        self._length = 0
        """Of what is whole in the file; a torn end is overwritten."""
        if begins:
            return
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise Refusal(
                f"{self._path}, which tells how this run was computed, cannot be read ({error.strerror or error}). "
                "Make it readable, or move it elsewhere: without it the run goes on, though perhaps with other bits.",
                repr(error),
            ) from error
        whole, self._length = content[: content.rfind(b"\n") + 1], content.rfind(b"\n") + 1
        for text in whole.splitlines():
            line = _read(text)
            if line is None:
                self.note = DAMAGED
            else:
                self.lines += (line,)

    def in_force(self, step: int) -> Line | None:
        """What holds for the step after ``step``."""
        return next((line for line in reversed(self._timeline()) if line.step <= step), None)

    def says_more(self, step: int) -> bool:
        """Whether something is said of steps beyond the one after ``step``: until then nothing may be changed."""
        return any(line.step > step for line in self._timeline())

    def has_taken_back(self, step: int, lines: int) -> bool:
        """Whether the first ``step`` steps, as they were when there were so many ``lines``, belong to the run no
        more."""
        return any(line.step < step for line in self.lines[lines:])

    def write(self, line: Line) -> None:
        """Add a line, and bring it to the disk. Raises Refusal where that is impossible; then nothing is said."""
        self.bring_back()
        self._append(_text(line))
        self.lines += (line,)

    def bring_back(self) -> None:
        """Write all of it again where its file is gone. Raises Refusal where that is impossible."""
        if self.lines and not self._path.exists():
            self._length = 0
            self._append(b"".join(map(_text, self.lines)))

    def _append(self, content: bytes) -> None:
        try:
            is_new = not self._path.exists()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                try:
                    file.truncate(self._length)
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(self._length)
                    raise
            if is_new:
                sync_folder(self._path.parent)
        except OSError as error:
            raise write_refusal(self._path, error) from error
        self._length += len(content)

    def _timeline(self) -> list[Line]:
        """Lines by strictly rising step."""
        said: list[Line] = []
        for line in self.lines:
            while said and said[-1].step >= line.step:
                said.pop()
            said.append(line)
        return said


def _text(line: Line) -> bytes:
    text = json.dumps(asdict(line), sort_keys=True).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _read(text: bytes) -> Line | None:
    number, _, content = text.partition(b" ")
    try:
        if int(number, 16) != zlib.crc32(content):
            return None
        data = json.loads(content)
        line = Line(int(data["step"]), dict(data["path"]), float(data["lr_scale"]), str(data["why"]))
        KernelPath.from_json(line.path)
    except (Refusal, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return line if line.step >= 0 and 0 < line.lr_scale <= 1 else None
