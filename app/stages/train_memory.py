"""What can be set in Train, with the folder whose pictures are learned."""

from __future__ import annotations

from dataclasses import replace

from app.mementos import Entry, entries_of, known_folder
from app.stages.train_setup import TrainSetup

FIRST = ("goal", "fine_tune")
"""What decides which values the other controls can have."""


def entries(setup: TrainSetup) -> dict[str, Entry]:
    """All of them, in the order in which they can be set one after the other."""
    found = entries_of(setup.controls)
    folder = Entry(
        "Pictures", lambda: own_folder(setup), lambda path: _open(setup, path), (setup.changed,), is_path=True
    )
    flip = replace(found["flip"], write=lambda is_on: _flip(setup, is_on))
    first = {name: found[name] for name in FIRST}
    return {**first, "folder": folder, **found, "flip": flip}


def own_folder(setup: TrainSetup) -> str:
    """The person's folder; "" for the bundled example."""
    return "" if setup.folder is None or setup.folder == setup.example else str(setup.folder)


def _open(setup: TrainSetup, path: object) -> None:
    if path == (own_folder(setup) if setup.loader.folder is None else str(setup.loader.folder)):
        return
    if path != "":
        setup.open(known_folder(path))
    elif setup.example is not None:
        setup.open(setup.example, is_example=True)


def _flip(setup: TrainSetup, is_on: object) -> None:
    if not isinstance(is_on, bool):
        raise ValueError("true or false is expected")
    setup.controls.reading.choose_flip(is_on)
