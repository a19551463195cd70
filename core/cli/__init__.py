"""The commands of ``main.py`` that need no window. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from core.errors import Cancelled, Refusal, is_out_of_memory
from core.startup import explain

EXIT_REFUSED = 2
EXIT_UNEXPECTED = 1
EXIT_INTERRUPTED = 130

COMMANDS = (
    "sample",
    "noise",
    "denoise",
    "invert",
    "interpolate",
    "run",
    "inspect",
    "convert",
    "scan",
    "train",
    "evaluate",
    "nearest",
    "ablation",
    "runs",
)

MODULES = {"run": "replay"}
"""Of commands that lie in a module of another name."""


def run(arguments: Sequence[str]) -> int:
    """Run one of ``COMMANDS`` with its arguments; the exit code."""
    return guarded(lambda: _run(arguments))


def guarded(work: Callable[[], int]) -> int:
    """The exit code of ``work``; what it cannot do becomes one line on standard error, never a traceback.

    2 for a refusal, 130 for Ctrl-C, 1 for a mistake of the program itself, whose traceback goes to the log.
    """
    try:
        return work()
    except Refusal as refusal:
        return _say(str(refusal), EXIT_REFUSED)
    except (KeyboardInterrupt, Cancelled):
        return _say("stopped", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output has gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNEXPECTED
    except (ImportError, OSError) as error:
        try:
            return _say(str(explain(error)), EXIT_REFUSED)
        except (ImportError, OSError):
            return _unexpected(error)
    except Exception as error:
        return _unexpected(error)


def _run(arguments: Sequence[str]) -> int:
    from core.cli.parser import parse

    options = parse(arguments)
    command = import_module(f"core.cli.{MODULES.get(options.command, options.command)}")
    code: int = getattr(command, options.command)(options)
    return code


def _say(words: str, code: int) -> int:
    print(f"diffuscope: {' '.join(words.split())}", file=sys.stderr)
    return code


def _unexpected(error: Exception) -> int:
    if is_out_of_memory(error):
        return _say("There is not enough memory for this. Ask for fewer or smaller pictures.", EXIT_REFUSED)
    kept = ""
    try:
        import traceback

        from core.folders import log_folder

        path = log_folder() / "command-line.log"
        with path.open("a", encoding="utf-8") as stream:
            traceback.print_exception(error, file=stream)
        kept = f" Details are in {path}."
    except (Refusal, OSError):
        pass
    return _say(f"Something went wrong that should not: {type(error).__name__}: {error}.{kept}", EXIT_UNEXPECTED)
