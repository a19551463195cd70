"""Where the pixels of one or many pictures lie on the screen: grids, whole zooms and panning. All in device pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

GAP = 2
LARGEST_ZOOM = 64
LEAST_FRACTION = 1.2
"""From here to 2 a picture is fitted at a fraction: at 1 it would take as little as a quarter of the area."""


@dataclass(frozen=True, slots=True)
class View:
    """What part is looked at, so that pictures of different sizes can share it.

    ``extent`` is how wide all of the pictures are drawn, in device pixels (None: as large as fits); ``x`` and ``y``
    the share of the whole (0..1) that lies in the middle.
    """

    extent: float | None = None
    x: float = 0.5
    y: float = 0.5


@dataclass(frozen=True, slots=True)
class Grid:
    """``count`` pictures of ``width`` x ``height`` pixels in ``columns``, with gaps of ``GAP``."""

    count: int
    width: int
    height: int
    columns: int

    @property
    def rows(self) -> int:
        return math.ceil(self.count / self.columns)

    def size(self, zoom: float) -> tuple[int, int]:
        cell_width, cell_height = self.cell_size(zoom)
        return (
            self.columns * cell_width + (self.columns - 1) * GAP,
            self.rows * cell_height + (self.rows - 1) * GAP,
        )

    def cell_size(self, zoom: float) -> tuple[int, int]:
        return max(1, round(self.width * zoom)), max(1, round(self.height * zoom))

    def cell_origin(self, cell: int, zoom: float) -> tuple[int, int]:
        row, column = divmod(cell, self.columns)
        cell_width, cell_height = self.cell_size(zoom)
        return column * (cell_width + GAP), row * (cell_height + GAP)

    def at(self, x: float, y: float, zoom: float) -> tuple[int, int, int] | None:
        """The cell, row and column of the pixel under a point of the drawn grid; None in a gap or outside."""
        cell_width, cell_height = self.cell_size(zoom)
        column, in_x = divmod(x, cell_width + GAP)
        row, in_y = divmod(y, cell_height + GAP)
        cell = int(row) * self.columns + int(column)
        inside = 0 <= column < self.columns and row >= 0 and cell < self.count
        if not inside or in_x >= cell_width or in_y >= cell_height:
            return None
        return cell, int(in_y * self.height / cell_height), int(in_x * self.width / cell_width)

    def fit(self, area_width: int, area_height: int) -> float:
        """The largest whole zoom that fits; below 1, and between 1 and 2 where the whole would leave much of the area
        empty, the exact fraction."""
        free_width = area_width - (self.columns - 1) * GAP
        free_height = area_height - (self.rows - 1) * GAP
        zoom = min(free_width / (self.columns * self.width), free_height / (self.rows * self.height))
        if zoom >= 2 or 1 <= zoom < LEAST_FRACTION:
            return float(math.floor(zoom))
        # Rounding a cell's side up would push the grid over the edge.
        widest, highest = free_width // self.columns, free_height // self.rows
        return max(min(widest / self.width, highest / self.height), 1 / max(self.width, self.height))

    def zoom(self, view: View, area_width: int, area_height: int) -> float:
        """Device pixels a pixel under ``view``: whole above 1."""
        if view.extent is None:
            return self.fit(area_width, area_height)
        exact = (view.extent - (self.columns - 1) * GAP) / (self.columns * self.width)
        return float(max(1, round(exact))) if exact > 0.75 else max(exact, 1 / self.width)

    def origin(self, view: View, zoom: float, area_width: int, area_height: int) -> tuple[int, int]:
        """Where the grid's top left corner lies: centred where it is smaller than the area, else never past an edge."""
        width, height = self.size(zoom)
        return _place(width, area_width, view.x), _place(height, area_height, view.y)

    def zoomed(self, view: View, x: float, y: float, direction: int, area: tuple[int, int]) -> View:
        """One zoom further in (1) or out (-1), with the point (x, y) of the area staying where it is."""
        zoom = next_zoom(self.zoom(view, *area), direction)
        if zoom <= self.fit(*area):
            return View()
        left, top = self.origin(view, self.zoom(view, *area), *area)
        old_width, old_height = self.size(self.zoom(view, *area))
        width, height = self.size(zoom)
        share_x = (x - left) / old_width + (area[0] / 2 - x) / width
        share_y = (y - top) / old_height + (area[1] / 2 - y) / height
        return View(float(width), share_x, share_y)

    def panned(self, view: View, x: float, y: float, area: tuple[int, int]) -> View:
        """Moved by (x, y); what is shown as large as fits stays."""
        if view.extent is None:
            return view
        zoom = self.zoom(view, *area)
        left, top = self.origin(view, zoom, *area)
        width, height = self.size(zoom)
        share_x, share_y = (area[0] / 2 - left - x) / width, (area[1] / 2 - top - y) / height
        return View(view.extent, min(1.0, max(0.0, share_x)), min(1.0, max(0.0, share_y)))


def best_grid(count: int, width: int, height: int, area_width: int, area_height: int) -> Grid:
    """The grid whose pictures are drawn largest in the area; among equals the one with the fewest empty cells."""
    grids = (Grid(count, width, height, columns) for columns in range(1, count + 1))

    def merit(grid: Grid) -> tuple[float, int, int]:
        drawn_width, drawn_height = grid.size(grid.fit(area_width, area_height))
        empty = grid.rows * grid.columns - grid.count
        return grid.fit(area_width, area_height), -empty, -max(drawn_width, drawn_height)

    return max(grids, key=merit)


def next_zoom(zoom: float, direction: int) -> float:
    """The next whole zoom (steps of about a quarter), or the next whole fraction below 1."""
    if direction > 0:
        if zoom < 1:
            return 1 / max(1, math.ceil(1 / zoom) - 1)
        return min(float(LARGEST_ZOOM), math.floor(zoom) + max(1, int(zoom / 4)))
    if zoom > 1:
        return max(1.0, zoom - max(1, int(zoom / 5)))
    return 1 / (math.floor(1 / zoom) + 1)


def _place(length: int, area: int, share: float) -> int:
    if length <= area:
        return (area - length) // 2
    return min(0, max(area - length, round(area / 2 - share * length)))
