"""What each malicious or broken file of the corpus is told: nothing runs, nothing crashes, memory stays flat.

python -m tests.bench.hostile [--markdown]
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.checkpoints.opening import describe
from core.errors import Refusal
from core.model_folder import find_model
from tests.hostile import RAN, Case, all_cases

MB_ALLOWED = 150
SECONDS_ALLOWED = 5.0


@dataclass(frozen=True)
class Told:
    """What became of a case: the refusal's words, "" where it was opened."""

    case: Case
    words: str
    seconds: float
    grown: float
    ran: bool

    @property
    def is_right(self) -> bool:
        return re.search(self.case.words, self.words) is not None and not self.ran and self.seconds < SECONDS_ALLOWED


def tell(case: Case, folder: Path) -> Told:
    """Open a case in an empty folder."""
    path = case.write(folder)
    before, began = _peak(), time.perf_counter()
    words = _refusal(path)
    seconds, grown = time.perf_counter() - began, _peak() - before
    return Told(case, words, seconds, grown, next(folder.rglob(RAN), None) is not None)


def all_told() -> Iterator[Told]:
    """Open every case, one after the other, each in a folder of its own."""
    for case in all_cases():
        with tempfile.TemporaryDirectory() as folder:
            yield tell(case, Path(folder))


def _refusal(path: Path) -> str:
    try:
        describe(path if path.is_dir() else _found(path))
    except Refusal as refusal:
        return str(refusal)
    return ""


def _found(path: Path) -> Path:
    try:
        return find_model(path)
    except Refusal:
        return path


def _peak() -> float:
    """The most memory that this process has ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Open every file of the corpus, and print what it is told.")
    parser.add_argument("--markdown", action="store_true", help="print a table for a note")
    options = parser.parse_args()
    told = list(all_told())
    for one in told:
        mark = "" if one.is_right else "  <-- WRONG"
        if options.markdown:
            print(f"| {one.case.name} | {one.words or 'opened'} |{mark}")
        else:
            print(f"{one.case.name:<48}{one.seconds * 1000:6.0f} ms {one.grown:5.0f} MB  {one.words}{mark}")
    wrong, ran = sum(not one.is_right for one in told), sum(one.ran for one in told)
    messages = len({one.words for one in told})
    print(
        f"\n{len(told)} cases, {messages} different messages; {ran} ran anything, {wrong} wrong; "
        f"slowest {max(one.seconds for one in told):.1f} s, most memory {max(one.grown for one in told):.0f} MB"
    )


if __name__ == "__main__":
    main()
