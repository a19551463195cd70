"""``main.py runs``: the trainings of this computer, listed, compared, renamed, exported, deleted."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.output import clock, report
from core.errors import Refusal

if TYPE_CHECKING:
    from core.training.runs import RunSummary

NAMED = 5
"""Runs that a refusal names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What each of the things that can be done with runs needs; listing them is what is done by itself."""
    parser.description = "The trainings of this computer. RUN is a run's name, or its folder."
    parser.add_argument("--json", action="store_true", help="print the result for machines on standard output")
    actions = parser.add_subparsers(dest="action", metavar="list | compare | branch | rename | export | delete")

    def action(name: str, words: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(name, help=words, description=words, allow_abbrev=False)
        made.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="print the result for machines"
        )
        return made

    action("list", "every run, newest first")
    compare = action("compare", "in what runs differ: their settings, and what came of them")
    compare.add_argument("runs", nargs="+", metavar="RUN", help="two or more")
    branch = action("branch", "another run from a kept checkpoint of this one, which stays as it is")
    branch.add_argument("run", metavar="RUN")
    branch.add_argument("step", type=int, metavar="STEP")
    branch.add_argument("out", type=Path, metavar="OUT", help="the folder of the other run, not there yet")
    rename = action("rename", "give a run another name, and its folder with it")
    rename.add_argument("run", metavar="RUN")
    rename.add_argument("name", metavar="NAME")
    export = action("export", "a run's model by itself, without what only the training needs")
    export.add_argument("run", metavar="RUN")
    export.add_argument("out", type=Path, metavar="OUT", help="a new folder, or a file that ends in .zip")
    export.add_argument("--half", action="store_true", help="weights as float16, half as large")
    delete = action("delete", "delete a run for good, its model and checkpoints with it")
    delete.add_argument("run", metavar="RUN")
    delete.add_argument("--yes", action="store_true", help="without being asked")


def runs(options: argparse.Namespace) -> int:
    """Do what was asked for; raises Refusal."""
    actions = {"compare": _compare, "branch": _branch, "rename": _rename, "export": _export, "delete": _delete}
    actions.get(options.action, _list)(options)
    return 0


def find_run(name: str) -> Path:
    """The folder of the run of this name, or at this path. Raises Refusal."""
    from core.training.ablation import list_ablations
    from core.training.runs import list_runs

    listed = list_runs()
    named = {run.folder for run in listed if run.name == name}
    named |= {folder for folder in list_ablations(listed) if folder.name == name}
    if len(named) > 1:
        places = " and ".join(map(str, sorted(named)))
        raise Refusal(f"More than one run is called “{name}”: name the folder of the one you mean, {places}.")
    if named:
        return named.pop()
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    known = ", ".join(run.name for run in listed[:NAMED]) + ("…" if len(listed) > NAMED else "")
    raise Refusal(f"There is no run called “{name}”. " + (f"There are: {known}." if known else "There are none yet."))


def _list(options: argparse.Namespace) -> None:
    from core.training.claim import holder_of
    from core.training.keeping import list_checkpoints
    from core.training.runs import is_interrupted, look_through_runs

    def state(run: RunSummary) -> str:
        if holder_of(run.folder) is not None:
            return "at work"
        return "finished" if run.finished else "interrupted" if is_interrupted(run) else "stopped"

    listed, damaged = look_through_runs()
    kept = {run.folder: [kept.step for kept in list_checkpoints(run.folder)] for run in listed}
    lines = [_line(run, state(run)) for run in listed] or ["No runs yet: main.py train makes one."]
    lines += [f"{folder.name}: cannot be read. {why}" for folder, why in damaged.items()]
    result = [{**_json(run), "state": state(run), "checkpoints": kept[run.folder]} for run in listed]
    unread = [{"folder": str(folder), "why": why} for folder, why in damaged.items()]
    report({"runs": result, "damaged": unread}, options.json, "\n".join(lines))


def _line(run: RunSummary, state: str) -> str:
    loss = "" if run.loss is None else f"loss {run.loss:.4f}"
    of = f" of {run.steps:,}" if run.steps is not None else f" of {run.minutes or 0:g} minutes"
    of_what = f"{run.count:,} pictures of {run.data_name}" if run.count else f"pictures of {run.data_name}"
    facts = (f"{run.step:,} steps{of}", loss, clock(run.seconds), state, of_what)
    return f"{run.name}: {', '.join(filter(None, facts))}"


def _json(run: RunSummary) -> dict[str, Any]:
    values = dataclasses.asdict(run)
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def _compare(options: argparse.Namespace) -> None:
    from core.training.comparison import differences
    from core.training.runs import read_summary

    if len(options.runs) < 2:
        raise Refusal("Name two or more runs to compare.")
    summaries = []
    for name in options.runs:
        folder = find_run(name)
        try:
            summaries.append(read_summary(folder))
        except OSError as error:
            raise Refusal(f"“{name}” cannot be compared ({error.strerror or error}).", repr(error)) from error
    found = differences(summaries)
    names = [run.name for run in summaries]
    rows = [("", *names), *((difference.name, *difference.values) for difference in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    result = {"runs": names, "differences": {difference.name: list(difference.values) for difference in found}}
    report(result, options.json, "\n".join(lines) if found else f"{' and '.join(names)} differ in nothing.")


def _branch(options: argparse.Namespace) -> None:
    from core.training.keeping import branch

    branch(find_run(options.run), options.step, options.out)
    words = f"{options.out} has come to step {options.step}. Go on: main.py train FOLDER --out {options.out} --resume"
    report({"out": str(options.out.absolute()), "step": options.step}, options.json, words)


def _rename(options: argparse.Namespace) -> None:
    from core.training.run_folder import rename_run

    folder = find_run(options.run)
    renamed = rename_run(folder, options.name)
    report({"folder": str(renamed), "name": renamed.name}, options.json, f"{folder.name} is now {renamed.name}")


def _export(options: argparse.Namespace) -> None:
    from core.training.export import export_run

    out = export_run(find_run(options.run), options.out, half=options.half)
    size = out.stat().st_size if out.is_file() else sum(path.stat().st_size for path in out.rglob("*"))
    report({"out": str(out), "bytes": size}, options.json, f"{out}: {size / 1e6:.1f} MB")


def _delete(options: argparse.Namespace) -> None:
    from core.training.run_folder import check_deletable, delete_run

    folder = check_deletable(find_run(options.run))
    if not options.yes and not _agreed(folder):
        raise Refusal(f"“{folder.name}” was not deleted.")
    delete_run(folder)
    report({"deleted": str(folder)}, options.json, f"{folder.name} is deleted")


def _agreed(folder: Path) -> bool:
    """Ask whoever sits at the terminal. Raises Refusal where nobody does."""
    if not sys.stdin.isatty():
        raise Refusal(f"Deleting “{folder.name}” cannot be undone. Add --yes where nobody can be asked.")
    print(
        f"Delete “{folder.name}” with its model and checkpoints for good? [y/N] ", end="", file=sys.stderr, flush=True
    )
    return sys.stdin.readline().strip().lower() in ("y", "yes")
