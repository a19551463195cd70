"""What stands beside and under a morph: norms, equation, algorithm, schedule, transport, filmstrip, buttons."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from PySide6.QtWidgets import QPushButton

from app.stages.morph_maths import (
    algorithm_of,
    formula_of,
    line_of,
    numbers_of,
    position_of,
    reading,
    row_of,
    short_name,
    way_of,
)
from app.stages.morph_record import Record
from app.state import Run
from app.theme import GRID, font
from app.widgets.algorithm import Algorithm
from app.widgets.controls import PrimaryButton, label
from app.widgets.equation import Equation
from app.widgets.morph_strip import MorphStrip
from app.widgets.norm_plot import NormPlot
from app.widgets.schedule_plots import SchedulePlots
from app.widgets.transport import Transport
from core.paths import make_path
from core.requests import MixName
from core.schedules import make_schedule

UNKNOWN = "The latents of pictures are known once they are inverted."
NEARLY_NOISE = 0.01
"""Up to this alpha_bar a noised picture is compared with the norm of noise."""


class MorphInstruments:
    """The instruments of Morph; a frame of the strip is one of the ``row`` that belongs to the frame looked at."""

    def __init__(self) -> None:
        self.norms = NormPlot()
        self.equation = Equation()
        self.reading = label("", "quiet")
        self.reading.setWordWrap(True)
        self.reading.setFont(font("caption", numbers=True))
        self.reading.setAccessibleName("The frame in numbers")
        self.reading.setToolTip(
            "λ: how far between the end points; θ: the angle between their latents; norms over √d.\n"
            "Each frame has the label of the end point nearest to it, so the picture may jump half-way:\n"
            "give both the same label, or none, to see what the latents alone do."
        )
        self.algorithm = Algorithm()
        self.plots = SchedulePlots()
        self.transport = Transport()
        self.transport.time_label.setText("frame")
        self.transport.entry.setAccessibleName("Frame")
        self.transport.entry.setToolTip("Type the number of a frame and press Enter to go there")
        self.strip = MorphStrip()
        self.row = range(0)
        self._record: Record | None = None
        self._mix: MixName | None = None

    def show_record(self, record: Record, frame: int) -> None:
        """Another morph, or the plan of one."""
        self._record, self.row = record, range(0)
        request = record.request
        if request.mix != self._mix:
            self._mix = request.mix
            self.algorithm.set_algorithm(*algorithm_of(request.mix))
            self.equation.setToolTip(formula_of(request.mix).paper)
        self.plots.set_schedule(make_schedule(request.schedule))
        self.plots.set_timesteps(request.timesteps)
        self.turn_to_row(frame)
        self.show_norms()

    def turn_to_row(self, frame: int) -> bool:
        """Show the row of a frame in strip, transport and plot; whether it is another one."""
        assert self._record is not None
        row = row_of(self._record.request, frame)
        if row == self.row:
            return False
        self.row = row
        self.empty_strip()
        self.transport.set_positions(range(1, len(row) + 1))
        self.transport.rail.set_ends(*(short_name(self._record.where[k]) for k in (row[0], row[-1])))
        return True

    def empty_strip(self) -> None:
        """The frames of the row, all of them to be filled anew."""
        assert self._record is not None
        self.strip.set_names([short_name(self._record.where[k]) for k in self.row])

    def show_norms(self) -> None:
        """The curves that the end points make possible, and the frames that have begun."""
        record = self._record
        assert record is not None
        request, geometry = record.request, record.geometry
        closed = request.layout == "edges" and len(request.ends) > 2
        marks = [(position_of(request, k, self.row), record.names[k]) for k in self.row if k in record.ends]
        if closed:
            marks.append((1.0, record.names[0]))
        if geometry is None:
            self.norms.set_way({}, marks, request.mix, None, UNKNOWN)
        else:
            made: MixName = "lerp" if request.mix == "ddpm" else request.mix
            others: tuple[MixName, ...] = ("lerp",) if request.mix == "ddpm" else ("slerp", "lerp")
            level = make_schedule(request.schedule).level(request.timesteps[0])
            is_noise = request.mix != "ddpm" or level.alpha**2 <= NEARLY_NOISE
            curves = {str(mix): way_of(request, geometry, mix, self.row) for mix in others}
            self.norms.set_way(curves, marks, made, geometry.tolerance if is_noise else None)
        begun = ((k, record.norms.get(k, math.nan)) for k in self.row)
        self.norms.set_points(
            {k: (position_of(request, k, self.row), norm) for k, norm in begun if math.isfinite(norm)}
        )

    def show_frame(self, frame: int, step: int) -> None:
        """Another frame of the morph, or another step of its way down; ``step`` -1: it has not begun."""
        record = self._record
        assert record is not None
        request, where = record.request, record.where[frame]
        level = make_path(make_schedule(request.schedule), request.timesteps, request.final_alpha_bar)[max(0, step)]
        place = frame - self.row.start
        self.transport.set_position(place)
        self.strip.set_current(place)
        self.norms.set_current(frame, position_of(request, frame, self.row))
        self.plots.set_cursor(max(0.0, level.t))
        self.equation.set_formula(formula_of(request.mix).latex, numbers_of(request, where, record.geometry))
        self.reading.setText(reading(request, where, record.geometry, record.norms.get(frame)))
        self.algorithm.light(line_of(request, step))


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setMinimumWidth(10 * GRID)
    button.setToolTip(tooltip)
    return button


@dataclass(frozen=True)
class MorphButtons:
    """What can be done with a morph. The buttons know nothing themselves: ``show`` says which make sense."""

    run: PrimaryButton = field(
        default_factory=lambda: PrimaryButton("Morph", "Make the frames between the end points (Ctrl+Enter)")
    )
    pause: QPushButton = field(default_factory=lambda: _button("Pause", "Pause after this step, or go on"))
    stop: QPushButton = field(default_factory=lambda: _button("Stop", "Stop now; the frames already made stay (Esc)"))
    export: QPushButton = field(
        default_factory=lambda: _button(
            "Export…",
            "Write the finished frames as GIF, APNG or WebP, or as a contact sheet",
        )
    )

    def show(self, *, can_run: bool, can_export: bool, waits: bool, live: Run | None) -> None:
        self.run.setEnabled(can_run)
        self.export.setEnabled(can_export)
        self.pause.setEnabled(live is not None)
        self.stop.setEnabled(live is not None or waits)
        self.pause.setText("Resume" if live is not None and live.state == "paused" else "Pause")
