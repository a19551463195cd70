"""What Morph shows: the frame and step of the cursor, with strip, sheet and instruments, while frames come in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.morph_instruments import MorphInstruments
from app.stages.morph_maths import Pixels
from app.stages.morph_record import Record
from app.stages.morph_sheet import MorphSheet, Rows
from app.stages.morph_view import MorphView
from app.stages.readiness import LIVE
from app.state import UNMADE, AppState, Cursor, Run
from core.messages import Preview, RunEnded, RunPaused, RunStarted
from core.paths import make_path
from core.requests import MorphRequest
from core.schedules import make_schedule

if TYPE_CHECKING:
    from app.bridge import Bridge


class MorphScreen(QObject):
    """Moves view and instruments with ``state.cursor``.

    Attributes: ``view``, ``instruments``, ``active`` (whether the stage is shown), ``expected`` (jobs asked for that
    have not begun). Signals: ``turned(int)``, another morph is looked at; ``moved()``, a morph is further;
    ``finished(int, object)``, an end point and the picture (H, W, C) it has become; ``emptied()``, the morph that was
    shown is no more.
    """

    turned = Signal(int)
    moved = Signal()
    finished = Signal(int, object)
    emptied = Signal()

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state, self._bridge = state, bridge
        self.view = MorphView(bridge)
        self.instruments = MorphInstruments()
        self._sheet = MorphSheet(self.view.sheet)
        self.active = False
        self.expected: dict[int, Record] = {}
        self._records: dict[int, Record] = {}
        self._shown_job: int | None = None
        self._latest: int | None = None
        """The morph to come back to: that last looked at, or begun since."""
        self._mixed_at: int | None = None
        """The frame of the mixed pixels that is looked at, which no run made."""
        self._strip_is_mixed = False
        self._follows = True
        """Whether the cursor goes along with a morph that is under way, until the person goes back in it."""
        self._followed: tuple[int | None, int, int] = (None, 0, 0)
        shown, view = self.instruments, self.view
        shown.transport.position_requested.connect(self.go_to_place)
        shown.strip.frame_clicked.connect(self.go_to_place)
        shown.strip.wanted.connect(self._fill_place)
        shown.norms.frame_clicked.connect(self.go)
        shown.plots.t_dragged.connect(self._go_to_time)
        view.sheet.cell_clicked.connect(self._go_to_cell)
        view.descent.asked.connect(self.go_to_step)
        view.shown.connect(self._shown)
        bridge.message.connect(self._receive)
        state.cursor_changed.connect(self._follow)
        state.runs_changed.connect(self._run_changed)
        state.run_removed.connect(self._forget)

    # What is looked at

    @property
    def run(self) -> Run | None:
        """The morph looked at."""
        job = self.state.cursor.run
        run = None if job is None else self.state.runs.get(job)
        return run if run is not None and isinstance(run.request, MorphRequest) else None

    @property
    def record(self) -> Record | None:
        run = self.run
        return None if run is None else self._record_of(run)

    @property
    def rows(self) -> Rows | None:
        """The sheet over t and lambda that the morph looked at belongs to."""
        run = self.run
        return None if run is None else self._sheet.rows_of(run.job)

    def expect(self, plans: dict[int, Record], rows: Rows | None = None) -> None:
        """Morphs that were asked for, by job, perhaps as the rows of one sheet."""
        self.expected.update(plans)
        self._mixed_at = None
        self._follows = True
        if rows is not None:
            self._sheet.expect(tuple(plans), rows)

    def pictures(self, job: int) -> dict[int, Pixels]:
        """The finished frames of a morph, uint8 (H, W, C) by number; none before it has begun."""
        run = self.state.runs.get(job)
        if run is None:
            return {}
        kept = ((frame, self._bridge.frame(job, run.steps, frame)) for frame in sorted(self._record_of(run).finished))
        return {frame: stored.x_t[0] for frame, stored in kept if stored is not None}

    def activate(self) -> None:
        """Be shown: where the person was, or at a morph that began since."""
        self.active = True
        if self.run is None and self._latest in self.state.runs:
            run = self.state.runs[self._latest]
            _job, frame, step = self._followed if self._followed[0] == run.job else (None, 0, run.steps)
            step = min(step, run.steps)
            self.state.move(run=run.job, frame=frame, step=step, t=int(run.path[step].t))
        self.show()

    def deactivate(self) -> None:
        self.active = False
        self.instruments.transport.stop()

    def show_plan(self, plan: Record, portraits: Pixels | None, caption: str) -> None:
        """A morph that could be made, and its end points as pictures, uint8 (n, H, W, C)."""
        self._shown_job = None
        self._sheet.close()
        self.instruments.show_record(plan, 0)
        self.instruments.show_frame(0, -1)
        request = plan.request
        path = make_path(make_schedule(request.schedule), request.timesteps, request.final_alpha_bar)
        self.view.show_path(path)
        self.view.descent.set_position(0, 1)
        self.view.show_ends(portraits, caption, "Press Morph.")
        self._fill_ends(plan, portraits)

    def _fill_ends(self, record: Record, portraits: Pixels | None) -> None:
        row = self.instruments.row
        for picture, frame in zip(() if portraits is None else portraits, record.ends, strict=False):
            if frame in row:
                self.instruments.strip.put(frame - row.start, picture, finished=False)

    # Where the person goes

    @Slot(int)
    def go_to_place(self, place: int) -> None:
        """To a frame of the row shown."""
        row = self.instruments.row
        if row:
            self.go(row[min(max(0, place), len(row) - 1)])

    @Slot(int)
    def go(self, frame: int) -> None:
        run = self.run
        if run is not None:
            if self._mixed_at is not None:
                self._mixed_at = frame
                self.show()
            self.state.move(frame=min(max(0, frame), len(self._record_of(run).where) - 1))
        elif self.view.frame.isVisible():
            self.instruments.show_frame(frame, -1)

    @Slot(int)
    def go_to_step(self, step: int) -> None:
        """To a step of the way down of the frame shown."""
        run = self.run
        if run is not None:
            made = max(0, self._record_of(run).made(self._frame(run), run.stored))
            step = min(max(0, step), made)
            self._follows = step >= made - 1
            self._mixed_at = None
            self.state.move(step=step, t=int(run.path[step].t))

    @Slot(int)
    def _go_to_time(self, t: int) -> None:
        run = self.run
        if run is not None:
            self.go_to_step(min(range(run.steps + 1), key=lambda step: abs(run.path[step].t - t)))

    @Slot(int)
    def _go_to_cell(self, cell: int) -> None:
        run = self.run
        if run is None or run.job not in self._sheet.jobs:
            return
        job, frame = self._sheet.at(cell)
        self._mixed_at = frame if job is None else None
        if job is None or job == run.job:
            self.go(frame)
        elif job in self.state.runs:
            self._turn_to(self.state.runs[job], frame, at_end=self.state.cursor.step >= run.steps)
        self.show()

    def _turn_to(self, run: Run, frame: int, at_end: bool) -> None:
        """To a frame of another morph, at its picture or as far up its way as before."""
        step = run.steps if at_end else min(self.state.cursor.step, run.steps)
        self._follows = False
        self.state.move(run=run.job, frame=frame, step=step, t=int(run.path[step].t))

    # What follows from the cursor

    @Slot(object)
    def _follow(self, cursor: Cursor) -> None:
        if (cursor.run, cursor.frame, cursor.step) != self._followed:
            self.show()

    def show(self) -> None:
        """Everything that depends on the cursor."""
        run, cursor = self.run, self.state.cursor
        if not self.active or run is None:
            return
        self._followed = cursor.run, cursor.frame, cursor.step
        record = self._record_of(run)
        frame = self._frame(run)
        if run.job != self._shown_job:
            self._show_run(run, record, frame)
        elif self.instruments.turn_to_row(frame):
            self.instruments.show_norms()
        made = record.made(frame, run.stored)
        step = min(cursor.step, max(0, made))
        self.instruments.show_frame(frame, step if made >= 0 else -1)
        self._sheet.mark(run.job, frame, mixed=self._mixed_at is not None)
        if self._mixed_at is not None and self.rows is not None:
            self._show_mixed(self.rows, frame, record.names[frame])
            return
        if self._strip_is_mixed:
            self._strip_is_mixed = False
            self.instruments.empty_strip()
        climbs = made < 0 and run.stored <= record.climb and run.state in LIVE
        if not climbs or not record.climb:
            is_coming = self._follows and run.state == "running" and made < run.steps
            name = record.names[frame]
            self.view.show_state(run, frame, step, available=max(0, made) + 1, name=name, is_coming=is_coming)
        if run.state in UNMADE:
            self.view.show_meanwhile(self.state.thumbnails.get(run.job))
        self.moved.emit()

    def _show_mixed(self, rows: Rows, frame: int, name: str) -> None:
        """A frame of the lowest row, which needs no network."""
        self.view.show_picture(rows.pixels[frame : frame + 1], f"{name}: the pixels mixed")
        self.instruments.algorithm.light(None)
        if not self._strip_is_mixed:
            self._strip_is_mixed = True
            for place, picture in enumerate(rows.pixels):
                self.instruments.strip.put(place, picture, finished=True)

    def _show_run(self, run: Run, record: Record, frame: int) -> None:
        """Another morph than before."""
        self._shown_job = self._latest = run.job
        self._strip_is_mixed = False
        self.instruments.show_record(record, frame)
        self.view.show_path(run.path)
        if self._sheet.turn_to(run.job, record):
            for job in self._sheet.jobs:
                for made, picture in self.pictures(job).items():
                    self._sheet.put(job, made, picture, finished=True)
        self.turned.emit(run.job)

    def _frame(self, run: Run) -> int:
        return min(self.state.cursor.frame, len(self._record_of(run).where) - 1)

    def _record_of(self, run: Run) -> Record:
        if run.job not in self._records:
            assert isinstance(run.request, MorphRequest)
            self._records[run.job] = self.expected.get(run.job) or Record(run.request)
        return self._records[run.job]

    @Slot(int, int)
    def _shown(self, frame: int, step: int) -> None:
        run = self.run
        if run is not None and self.active and frame in self.instruments.row:
            self.instruments.transport.set_shown(frame - self.instruments.row.start)
            self.state.move(shown_t=int(run.path[step].t))

    # What comes in

    @Slot(int)
    def _forget(self, job: int) -> None:
        """A morph that is no more."""
        self._records.pop(job, None)
        if self._latest == job:
            self._latest = None
        if self._shown_job == job:
            self._shown_job = None
            self.emptied.emit()

    def _forget_frames(self, job: int) -> None:
        del self._records[job]
        if job == self._shown_job:
            self._shown_job = None
            self.show()

    @Slot(int)
    def _run_changed(self, job: int) -> None:
        run = self.state.runs.get(job)
        if run is None or not isinstance(run.request, MorphRequest):
            return
        if run.state in UNMADE and self._records.get(job) is not None and self._records[job].finished:
            self._forget_frames(job)  # they made room for others
        record = self._record_of(run)
        before = len(record.norms), record.geometry is None
        newly = record.learn(self._bridge, job, run.stored)
        for frame in newly:
            self._put_finished(run, record, frame)
        if job == self._shown_job:
            if before != (len(record.norms), record.geometry is None):
                self.instruments.show_norms()
            self._go_along(run, record)
        self.moved.emit()

    def _go_along(self, run: Run, record: Record) -> None:
        """A frame that has just been finished is looked at as a picture, where the person went along."""
        frame = self._frame(run)
        if self._follows and self.active and self.state.cursor.run == run.job and frame in record.finished:
            self.state.move(step=run.steps, t=int(run.path[-1].t))
        made = record.made(frame, run.stored)
        if made >= 0 and self._mixed_at is None:
            self.view.descent.set_position(min(self.state.cursor.step, made), made + 1)

    def _put_finished(self, run: Run, record: Record, frame: int) -> None:
        stored = self._bridge.frame(run.job, run.steps, frame)
        if stored is None:
            return
        self._put(run.job, frame, stored.x_t[0], finished=True)
        if run.job == self._shown_job and frame in record.ends:
            self.finished.emit(record.ends.index(frame), stored.x_t[0])

    def _put(self, job: int, frame: int, picture: Pixels, *, finished: bool) -> None:
        row = self.instruments.row
        if job == self._shown_job and frame in row and not self._strip_is_mixed:
            self.instruments.strip.put(frame - row.start, picture, finished=finished)
        self._sheet.put(job, frame, picture, finished=finished)

    @Slot(int)
    def _fill_place(self, place: int) -> None:
        run = self.run
        if run is None or run.job != self._shown_job:
            return
        frame = self.instruments.row[place]
        if frame in self._record_of(run).finished:
            self._put_finished(run, self._record_of(run), frame)

    @Slot(object)
    def _receive(self, message: object) -> None:
        self.view.receive(message)
        match message:
            case RunStarted(job=job) if job in self.expected:
                record = self._record_of(self.state.runs[job])
                del self.expected[job]
                self._latest = job
                if self._follows and self.active:
                    t = int(message.path[0].t)
                    self.state.move(stage="morph", run=job, frame=record.first_look, step=0, t=t)
            case Preview(job=job) if job in self._records:
                self._preview(message, self._records[job])
            case RunPaused(job=job) | RunEnded(job=job) if job in self._records:
                self._run_changed(job)
                self.show()

    def _preview(self, message: Preview, record: Record) -> None:
        job, run = message.job, self.state.runs[message.job]
        shown = message.x_t if message.x0_hat is None else message.x0_hat
        for picture, frame in zip(shown, message.frames, strict=False):
            if frame not in record.finished:
                self._put(job, frame, picture, finished=False)
        if not (self._follows and self.active and self.state.cursor.run == job):
            return
        if not message.frames:
            self.view.show_climb(message, record.climb)
        elif self._frame(run) in message.frames:
            self.state.move(step=message.step, t=int(message.level.t))
