"""The film of a run's learning: what it has drawn from fixed seeds, with the way there, in its folder. Torch-free."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import write_file, write_refusal
from core.messages import Picture, TrainingSamples, frozen
from core.training.arrays_file import Damaged, read_arrays
from core.training.events import Drawn

FILE = Path("training") / "samples.npz"
FORMER = Path("training") / "history.npz"
"""Where samples were kept, without the way there, before they had a file of their own."""
MAX_SETS = 64
MAX_BYTES = 96_000_000
MAX_FILE_BYTES = 4 * MAX_BYTES
MAX_TIMESTEPS = 1000


class Film:
    """Sets of samples in the order drawn, by training step; of one step those of the averaged and of the raw weights.

    At most ``MAX_SETS`` sets and about ``MAX_BYTES`` are kept: the first, the last, and others between them, denser
    where a run learns fastest, evenly along the square root of the step. Where room is short the ways go first and
    then whole sets. ``note`` says what is wrong with the file that it was read from, if anything is.
    """

    def __init__(self, sets: Sequence[Drawn] = (), note: str = "") -> None:
        self.note = note
        self._lies_in: Path | None = None  # the folder whose file is as it is now
        self._sets: list[Drawn] = []
        for drawn in sets:
            self.add(drawn)

    @property
    def sets(self) -> tuple[Drawn, ...]:
        return tuple(self._sets)

    @property
    def nbytes(self) -> int:
        return sum(map(_bytes, self._sets))

    def add(self, drawn: Drawn) -> None:
        """Take in what was drawn, in the place of an earlier set of that step and weights, and of all later steps."""
        kept = [known for known in self._sets if known.step < drawn.step]
        kept += [known for known in self._sets if known.step == drawn.step and known.weights != drawn.weights]
        self._sets, self._lies_in = [*kept, _frozen(drawn)], None
        self._make_room()

    def cut_to(self, step: int) -> None:
        """Forget what was drawn after later steps."""
        if any(known.step > step for known in self._sets):
            self._sets, self._lies_in = [known for known in self._sets if known.step <= step], None

    def lies_in(self, folder: Path) -> bool:
        """Whether the file in a run's folder is as it is now."""
        return self._lies_in == folder and (folder / FILE).is_file()

    def written_to(self, folder: Path) -> None:
        """It was written there."""
        self._lies_in = folder

    def _make_room(self) -> None:
        while len(self._sets) > MAX_SETS:
            del self._sets[_least_missed(self._sets)]
        while self.nbytes > MAX_BYTES:
            with_way = [place for place, known in enumerate(self._sets) if known.timesteps]
            if len(with_way) > 1:
                place = with_way[_least_missed([self._sets[place] for place in with_way])]
                self._sets[place] = _without_way(self._sets[place])
            elif len(self._sets) > 3:
                del self._sets[_least_missed(self._sets)]
            else:
                break


def _least_missed(sets: Sequence[Drawn]) -> int:
    """The one between the first and the last whose neighbours are closest; of two the first."""
    if len(sets) < 3:
        return 0
    places = [math.sqrt(drawn.step) for drawn in sets]
    return 1 + int(np.argmin([after - before for before, after in zip(places, places[2:], strict=False)]))


def _bytes(drawn: Drawn) -> int:
    return sum(states.nbytes for states in (drawn.pictures, drawn.x0_hat, drawn.x_t) if states is not None)


def _without_way(drawn: Drawn) -> Drawn:
    return replace(drawn, timesteps=(), x0_hat=None, x_t=None)


def _frozen(drawn: Drawn) -> Drawn:
    x0_hat, x_t = (None if states is None else frozen(states) for states in (drawn.x0_hat, drawn.x_t))
    return replace(drawn, pictures=frozen(drawn.pictures), x0_hat=x0_hat, x_t=x_t)


def told(drawn: Drawn, job: int) -> TrainingSamples:
    """What the window is told of a set."""
    return TrainingSamples(job, drawn.step, drawn.pictures, drawn.weights, drawn.timesteps, drawn.x0_hat, drawn.x_t)


def as_drawn(message: TrainingSamples) -> Drawn:
    """The inverse of ``told``."""
    return Drawn(message.step, message.pictures, message.weights, message.timesteps, message.x0_hat, message.x_t)


def write_film(film: Film, folder: Path) -> None:
    """Write it into a run's folder, whole or not at all, unless it lies there already. Raises Refusal where that is
    impossible."""
    if film.lies_in(folder):
        return
    arrays: dict[str, Any] = {
        "steps": np.array([drawn.step for drawn in film.sets], np.int64),
        "raw": np.array([drawn.weights == "raw" for drawn in film.sets], np.bool_),
    }
    for index, drawn in enumerate(film.sets):
        arrays[f"pictures_{index}"] = drawn.pictures
        if drawn.timesteps:
            arrays[f"timesteps_{index}"] = np.array(drawn.timesteps, np.int64)
            arrays |= {f"x0_hat_{index}": drawn.x0_hat, f"x_t_{index}": drawn.x_t}
    try:
        (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_refusal(folder, error) from error
    write_file(folder / FILE, lambda stream: np.savez(stream, **arrays))
    film.written_to(folder)


def read_film(folder: Path) -> Film:
    """The film in a run's folder; an empty one where there is none, with a note where it is damaged."""
    path = next((folder / file for file in (FILE, FORMER) if os.path.exists(folder / file)), None)
    if path is None:
        return Film()
    try:
        return Film(read_arrays(path, MAX_FILE_BYTES, "samples", _read if path.name == FILE.name else _read_former))
    except Damaged as error:
        return Film(note=f"The samples of this run cannot be shown: {path.name} is damaged ({error}).")


def read_newest(folder: Path) -> Picture | None:
    """The samples, uint8 (n, H, W, C), that a run drew last, without reading the others; None where there are none, or
    none that can be read."""
    try:
        return read_arrays(folder / FILE, MAX_FILE_BYTES, "samples", _read_last)
    except Damaged:
        return None


def _read_last(kept: np.lib.npyio.NpzFile) -> Picture | None:
    count = len(_steps(kept["steps"]))
    return _pictures(kept, f"pictures_{count - 1}", 4) if count else None


def _read(kept: np.lib.npyio.NpzFile) -> list[Drawn]:
    steps, raw = kept["steps"], kept["raw"]
    if raw.dtype != np.bool_ or raw.shape != steps.shape:
        raise ValueError("its sets do not say whose they are")
    return [
        Drawn(step, _pictures(kept, f"pictures_{index}", 4), "raw" if raw[index] else "ema", *_way(kept, index))
        for index, step in enumerate(_steps(steps))
    ]


def _way(kept: np.lib.npyio.NpzFile, index: int) -> tuple[tuple[int, ...], Picture | None, Picture | None]:
    if f"timesteps_{index}" not in kept:
        return (), None, None
    times = kept[f"timesteps_{index}"]
    if times.dtype != np.int64 or times.ndim != 1 or not 1 <= len(times) <= MAX_TIMESTEPS:
        raise ValueError("its times are none")
    timesteps = tuple(times.tolist())
    if any(later >= earlier for earlier, later in pairwise(timesteps)):
        raise ValueError("its times do not fall")
    x0_hat, x_t = (_pictures(kept, f"{name}_{index}", 5) for name in ("x0_hat", "x_t"))
    wanted = (len(timesteps), *kept[f"pictures_{index}"].shape)
    if x0_hat.shape != wanted or x_t.shape != wanted:
        raise ValueError("its ways do not lead to its samples")
    return timesteps, x0_hat, x_t


def _read_former(kept: np.lib.npyio.NpzFile) -> list[Drawn]:
    if "sample_steps" not in kept:
        return []
    return [
        Drawn(step, _pictures(kept, f"samples_{index}", 4)) for index, step in enumerate(_steps(kept["sample_steps"]))
    ]


def _steps(steps: NDArray[np.int64]) -> list[int]:
    if steps.dtype != np.int64 or steps.ndim != 1 or len(steps) > MAX_SETS:
        raise ValueError("its samples do not fit its steps")
    found: list[int] = steps.tolist()
    if any(later < earlier for earlier, later in pairwise(found)) or (found and found[0] < 0):
        raise ValueError("its steps do not rise")
    return found


def _pictures(kept: np.lib.npyio.NpzFile, name: str, axes: int) -> Picture:
    pictures: Picture = kept[name]
    if pictures.dtype != np.uint8 or pictures.ndim != axes or pictures.shape[-1] not in (1, 3) or not pictures.size:
        raise ValueError("its samples are no pictures")
    return pictures
