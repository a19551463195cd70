"""The sheet of a morph: a grid between four corners, or rows over t with the mixed pixels below them."""

from __future__ import annotations

from dataclasses import dataclass

from app.stages.morph_maths import Pixels, short_name
from app.stages.morph_record import Record
from app.widgets.sheet import Sheet


@dataclass(frozen=True, eq=False)
class Rows:
    """A sheet over t and lambda: a morph for each t, and below them the mixed pixels, uint8 (n, H, W, C)."""

    jobs: tuple[int, ...]
    times: tuple[int, ...]
    pixels: Pixels


class MorphSheet:
    """Which cell of the widget ``view`` is which frame of which morph.

    Attributes: ``jobs`` on the sheet, from top to bottom; none where the morph looked at has no sheet.
    """

    def __init__(self, view: Sheet) -> None:
        self.view = view
        self.jobs: tuple[int, ...] = ()
        self._rows: dict[int, Rows] = {}
        self._columns = 1

    def expect(self, jobs: tuple[int, ...], rows: Rows) -> None:
        """These morphs are the rows of one sheet."""
        self._rows.update(dict.fromkeys(jobs, rows))

    def rows_of(self, job: int | None) -> Rows | None:
        """The sheet over t and lambda that a morph belongs to."""
        return None if job is None else self._rows.get(job)

    def turn_to(self, job: int, record: Record) -> bool:
        """Show the sheet of a morph, if it has one; whether its cells are still to be filled."""
        rows, is_grid = self._rows.get(job), record.request.layout == "grid"
        self.view.setVisible(rows is not None or is_grid)
        jobs = rows.jobs if rows is not None else (job,) if is_grid else ()
        if jobs == self.jobs:
            return False
        self.jobs = jobs
        if rows is not None:
            self._columns = len(rows.pixels)
            names = [*(f"t = {t}" for t in rows.times), "pixels"]
            self.view.set_cells(names, [short_name(place) for place in record.where])
            for column, picture in enumerate(rows.pixels):
                self.view.put(len(rows.jobs) * self._columns + column, picture, finished=True)
        elif is_grid:
            self._columns = len(record.where)
            shares = [f"{record.where[k].across:.2f}" for k in range(record.request.frames)]
            self.view.set_cells(shares, shares)
        return bool(jobs)

    def close(self) -> None:
        self.jobs = ()
        self.view.hide()

    def put(self, job: int, frame: int, picture: Pixels, *, finished: bool) -> None:
        """A frame, uint8 (H, W, C), where its morph is on the sheet."""
        if job in self.jobs:
            self.view.put(self._cell(job, frame), picture, finished=finished)

    def mark(self, job: int, frame: int, *, mixed: bool) -> None:
        """The frame looked at: of a morph, or of the mixed pixels below all of them."""
        if job in self.jobs:
            self.view.set_current(len(self.jobs) * self._columns + frame if mixed else self._cell(job, frame))

    def at(self, cell: int) -> tuple[int | None, int]:
        """Job and frame of a cell; no job for the mixed pixels."""
        row, frame = divmod(cell, self._columns)
        return (self.jobs[row] if row < len(self.jobs) else None), frame

    def _cell(self, job: int, frame: int) -> int:
        return self.jobs.index(job) * self._columns + frame
