"""Start Diffuscope: the window, or one of its commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from core.allocator import keep_freed_memory
from core.cli import COMMANDS, guarded, run
from core.errors import Refusal
from core.startup import check_display, explain

# torch's threads wait for each other by spinning, which starves the window and, on a busy machine, themselves: a
# network evaluation takes ten times as long. After so many turns they sleep. It is read once, when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


NEW_SESSION = "--new-session"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    first = given[0] if given else ""
    keep_freed_memory()
    if first in COMMANDS:
        return run(given)
    if first == "screenshots":
        return guarded(lambda: _screenshots(given[1:]))
    if first in ("-h", "--help"):
        from core.cli.parser import USAGE

        print(USAGE)
        return 0
    return guarded(lambda: _window(given))


def _window(given: list[str]) -> int:
    new_session = NEW_SESSION in given
    given = [argument for argument in given if argument != NEW_SESSION]
    unknown = [argument for argument in given if argument.startswith("-")]
    if unknown:
        raise Refusal(f"There is no option {unknown[0]}. main.py --help lists the commands.")
    check_display()
    try:
        from app.application import run as open_window
    except ImportError as error:
        raise explain(error) from error
    return open_window(given, new_session=new_session)


def _screenshots(given: list[str]) -> int:
    quick, folders = "--quick" in given, [argument for argument in given if argument != "--quick"]
    if len(folders) != 1 or folders[0].startswith("-"):
        raise Refusal("Name one folder for the pictures: main.py screenshots DIR [--quick].")
    try:
        from app.screenshots import make
    except ImportError as error:
        raise explain(error) from error
    return make(folders[0], quick)


if __name__ == "__main__":
    raise SystemExit(main())
