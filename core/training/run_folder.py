"""A run's folder in a person's hands: renamed and deleted, never while it is trained into, never anything else.

All of this holds for an ablation's folder as well, which goes with the runs in it. Torch-free.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from pathlib import Path

from core.errors import Refusal
from core.files import beside, write_refusal
from core.training.ablation import FILE as ABLATION
from core.training.claim import holder_of
from core.training.runs import LONGEST_NAME, is_run, is_stillborn, moved

RESOURCES = Path(__file__).resolve().parents[2] / "resources"
PARTS = frozenset(
    ("model_index.json", "unet", "scheduler", "classifier", "diffuscope.json", "training", "snapshots", ABLATION)
)
"""What a run's folder is made of."""
JUNK = re.compile(r"\.DS_Store|Thumbs\.db|desktop\.ini|\..+-\d{1,9}-[a-z0-9_]{8}(\.part)?")
"""What file managers, and processes that were killed, leave in any folder."""
IMPOSSIBLE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that one system or another gives to no folder: a run may be copied to any."""
NAMED = 3
"""Files that a refusal names."""

log = logging.getLogger("diffuscope.training")


def rename_run(folder: Path, name: str) -> Path:
    """Give a run another name; the folder as it is called now. Raises Refusal for names that are taken or that no
    folder can have, and where the run is at work, comes with the program or is no run."""
    own = _at_rest(folder)
    if (own.parent / ABLATION).is_file():
        raise Refusal(
            f"“{own.name}” is a training of the ablation “{own.parent.name}”, which knows it by that name. "
            "Rename the ablation instead."
        )
    target = own.with_name(_possible(name))
    if target == own:
        return own
    if target.exists() and not target.samefile(own):  # the same where only capitals differ
        raise Refusal(f"There is something called “{target.name}” in {own.parent} already. Choose another name.")
    try:
        own.rename(target)
    except OSError as error:
        raise write_refusal(target, error) from error
    moved(own, target)
    return target


def check_deletable(folder: Path) -> Path:
    """The folder as it really lies, where nothing is lost with it but a run. Raises Refusal where it is at work, comes
    with the program, is no run, is a link, or holds other files as well."""
    own = _at_rest(folder)
    others = _others(own)
    if others:
        named = ", ".join(others[:NAMED]) + (f" and {len(others) - NAMED} more" if len(others) > NAMED else "")
        raise Refusal(
            f"“{own.name}” holds files that are no part of a training ({named}), which would be lost with it. "
            "Move them elsewhere first."
        )
    return own


def delete_run(folder: Path) -> None:
    """Delete a run for good; links in it are taken away, not followed. Raises Refusal as ``check_deletable`` does, and
    where the disk does not allow it: then the run is still whole."""
    own = check_deletable(folder)
    try:
        doomed = Path(tempfile.mkdtemp(prefix=beside(own), dir=own.parent)) / own.name
    except OSError as error:
        raise _kept(own, error) from error
    try:
        own.rename(doomed)  # all of it or nothing
    except OSError as error:
        doomed.parent.rmdir()
        raise _kept(own, error) from error
    moved(own, None)
    try:
        shutil.rmtree(doomed.parent)
    except OSError as error:
        log.warning("%s is left over from “%s”: %s", doomed.parent, own.name, error)


def _kept(folder: Path, error: OSError) -> Refusal:
    return Refusal(
        f"“{folder.name}” could not be deleted ({error.strerror or error}). Change the permissions of {folder.parent}, "
        "or delete it by hand.",
        repr(error),
    )


def check_run(folder: Path) -> Path:
    """The folder of a run or of an ablation, as it really lies. Raises Refusal for any other, and for a link."""
    if folder.is_symlink():
        raise Refusal(f"“{folder.name}” is a link. Name the folder that it leads to.", str(folder))
    if not folder.is_dir():
        raise Refusal(
            f"“{folder.name}” is no longer there: its folder was moved or deleted. It leaves the list.", str(folder)
        )
    own = folder.resolve()
    if own.is_relative_to(RESOURCES):
        raise Refusal(f"“{own.name}” comes with the program: it stays as it is.", str(own))
    if not is_run(own) and not (own / ABLATION).is_file():
        raise Refusal(f"{own} is not the folder of a training. Nothing was done to it.")
    return own


def _at_rest(folder: Path) -> Path:
    own = check_run(folder)
    for run in (own, *_runs_in(own)):
        holder = holder_of(run)
        if holder is not None:
            here = "here" if holder == os.getpid() else f"by another window or command (process {holder})"
            raise Refusal(f"“{run.name}” is being trained {here}. Stop it first.")
    return own


def _runs_in(folder: Path) -> tuple[Path, ...]:
    """The trainings of an ablation."""
    if not (folder / ABLATION).is_file():
        return ()
    return tuple(sub for sub in sorted(folder.iterdir()) if not sub.is_symlink() and (is_run(sub) or is_stillborn(sub)))


def _others(folder: Path) -> list[str]:
    """The names of what is no part of the run, or ablation, in a folder."""
    runs = _runs_in(folder)
    names = {path.name for path in folder.iterdir()} - PARTS - {run.name for run in runs}
    found = [name for name in sorted(names) if JUNK.fullmatch(name) is None]
    return found + [f"{run.name}/{name}" for run in runs for name in _others(run)]


def _possible(name: str) -> str:
    """A name that any system gives to a folder. Raises Refusal."""
    plain = " ".join(name.split())
    if not plain:
        raise Refusal("A training needs a name of at least one character.")
    if len(plain) > LONGEST_NAME:
        raise Refusal(f"That name is too long: choose one of at most {LONGEST_NAME} characters.")
    found = IMPOSSIBLE.search(plain)
    if found is not None:
        raise Refusal(f"A name cannot hold the character “{found[0]}”: it is also that of the run's folder.")
    if plain[0] == "." or plain[-1] == "." or RESERVED.fullmatch(plain):
        raise Refusal(f"A folder cannot be called “{plain}”. Choose another name.")
    return plain
