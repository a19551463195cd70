"""Two runs beside each other: one slider for both, what they show, how far apart it is, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QMimeData, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.mementos import entry_of
from app.stages.base import Stage
from app.stages.compare_controls import CompareControls
from app.stages.compare_curve import CurveFiller
from app.stages.compare_plan import Pair, Spot, partners, why_not
from app.stages.compare_sights import CompareSights, What, apart
from app.stages.compare_view import CompareView, both
from app.state import COMPARE, UNMADE, AppState, Cursor, Run, stage_of
from app.theme import GRID, PANEL_PADDING
from app.widgets.comparison_facts import ComparisonFacts
from app.widgets.distance_curve import DistanceCurve
from app.widgets.transport import Transport
from core.images import OpenedImage
from core.request_differences import differences

if TYPE_CHECKING:
    from app.bridge import Bridge

HINT = "One slider for both runs. Drag the line; X swaps them, Esc leads back."
TOO_FEW = "Two runs can be compared: there is none, or one."
NO_PARTNER = "Choose the second run: the others cannot be compared with this one."
SIZES = "Their pictures have different sizes: they are shown side by side."
OF_PICTURES = "Of the pictures as they are shown: clamped to [−1,\u00a01], in 256 levels."
OF_STATES = "Of the states themselves, unclamped."


class CompareStage(Stage):
    """What is shown is the run and step of ``state.cursor``, and the run ``beside`` it.

    Attributes: ``controls``, ``view``, ``facts``, ``transport``, ``curve``; ``pair``, the two runs, or None.
    """

    key = COMPARE
    title = "Compare"

    def __init__(self, state: AppState, bridge: Bridge, parent: QWidget | None = None) -> None:
        super().__init__(state, parent)
        self.pair: Pair | None = None
        self._active = False
        self._before = ""
        """The stage that it was called from, as far as that is known."""
        self._compared: tuple[int, int] | None = None
        self._listed: dict[int, str] = {}
        self.controls = CompareControls()
        self.view = CompareView()
        self.facts = ComparisonFacts()
        self.transport = Transport()
        self.transport.export.hide()  # two runs are no one film
        self.curve = DistanceCurve(self.transport.rail)
        self.sights = CompareSights(bridge, self)
        self._filler = CurveFiller(bridge, self.curve, self)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(PANEL_PADDING, GRID, PANEL_PADDING, GRID)
        column.setSpacing(GRID)
        column.addWidget(self.controls)
        column.addWidget(self.view, 1)
        self.controls.runs_chosen.connect(self.compare)
        self.controls.changed.connect(self._show)
        self.controls.left.connect(self.stop)
        self.view.cell_clicked.connect(self.controls.turn_cell)
        self.transport.position_requested.connect(self._go)
        self.sights.learned.connect(self._show)
        self.sights.failed.connect(self._fail)
        bridge.message.connect(self.sights.receive)
        state.cursor_changed.connect(self._follow)
        state.runs_changed.connect(self._run_changed)
        state.run_removed.connect(self._run_removed)
        state.note_changed.connect(self._run_changed)
        chosen = {"mode": self.controls.mode, "what": self.controls.what}
        self.remember({name: replace(entry_of(choice), is_view=True) for name, choice in chosen.items()}, self._show)

    # What the window asks

    @property
    def commands(self) -> frozenset[str]:
        return frozenset({"stop", "toggle"} if self.pair is not None else {"stop"})

    @property
    def subject(self) -> str:
        return "" if self.pair is None else " and ".join(self._names(self.pair))

    def right_widgets(self) -> Sequence[QWidget]:
        return (self.facts,)

    def bottom_widgets(self) -> Sequence[QWidget]:
        return (self.transport, self.curve)

    def drop_verbs(self, mime: QMimeData) -> str:
        return "leave the comparison with it"

    def handle_drop(self, image: OpenedImage) -> None:
        self.stop()
        super().handle_drop(image)

    def activate(self) -> None:
        self._active = True
        self.hint_changed.emit(HINT)
        cursor = self.state.cursor
        if cursor.run not in self.state.runs or cursor.beside not in self.state.runs or cursor.run == cursor.beside:
            first, second = partners(self.state)
            if first is not None:
                step = cursor.step if first == cursor.run else self.state.runs[first].stored
                self._move(self.state.runs[first], second, step, cursor.frame)
        self._turn()
        self._filler.resume()
        self.transport.setFocus()

    def deactivate(self) -> None:
        self._active = False
        self.transport.stop()
        self._filler.stop()

    @Slot()
    def stop(self) -> None:
        """Back to the stage from which the two were compared; what is shown there is the first run."""
        run = self.state.runs.get(self.state.cursor.run or 0)
        own = "denoise" if run is None else stage_of(run.request)
        back = self._before if self._before in ("forward", "train", "measure") else own
        self.state.move(stage=back, beside=None)

    def toggle(self) -> None:
        self.transport.toggle_play()

    def seek(self, steps: int) -> None:
        self._go(self.transport.position + steps)

    @Slot(int, int)
    def compare(self, first: int, second: int) -> None:
        """Compare two runs by their jobs, at the place where the first is looked at, else at its end; of the same run
        chosen twice, the other one gives way."""
        cursor, runs = self.state.cursor, self.state.runs
        if first == second:
            second = cursor.run if cursor.run not in (None, first) else cursor.beside  # type: ignore[assignment]
        if first not in runs:
            return
        run = runs[first]
        step = cursor.step if first == cursor.run else self._level_of(run)
        self._move(run, second, step, cursor.frame)

    def _level_of(self, run: Run) -> int:
        """Where in another run that leads from now on the person is already."""
        if self.pair is None or self.pair.is_morph or run.job != self.pair.second.job:
            return run.stored
        return self.pair.nearest(self.transport.position)

    # What follows from the cursor

    def _move(self, run: Run, beside: int | None, step: int, frame: int) -> None:
        step = min(step, run.stored, run.steps)
        self.state.move(stage=COMPARE, run=run.job, beside=beside, step=step, t=int(run.path[step].t), frame=frame)

    @Slot(int)
    def _go(self, position: int) -> None:
        if self.pair is None:
            return
        position = min(max(0, position), self.pair.available - 1)
        if self.pair.is_morph:
            self.state.move(frame=position)
        else:
            self.state.move(step=position, t=int(self.pair.first.path[position].t))

    @Slot(object)
    def _follow(self, cursor: Cursor) -> None:
        if cursor.stage != COMPARE:
            self._before = cursor.stage
        elif self._active and (cursor.run, cursor.beside) != self._compared:
            self._turn()
        elif self._active:
            self._show()

    @Slot(int)
    def _run_changed(self, job: int) -> None:
        if self._active and self._compared is not None and job in self._compared:
            self._turn()
        elif self._active and self._listed.get(job) != self.state.name_of(job):
            self._list_runs()

    @Slot(int)
    def _run_removed(self, job: int) -> None:
        if self._active:
            self.activate() if self._compared is None or job in self._compared else self._list_runs()

    def _turn(self) -> None:
        """Another pair, or more of it than before."""
        cursor, runs = self.state.cursor, self.state.runs
        first, second = (runs.get(job or 0) for job in (cursor.run, cursor.beside))
        is_new = self._compared != (cursor.run, cursor.beside)
        self._compared = None if cursor.run is None or cursor.beside is None else (cursor.run, cursor.beside)
        self.pair = None if first is None or second is None else Pair(first, second)
        if is_new:
            self.view.show_nothing("")
            self.errors.dismiss()
        self._list_runs()
        pair = self.pair
        if pair is None or pair.why_not:
            reason = TOO_FEW if len(runs) < 2 else NO_PARTNER if pair is None else pair.why_not
            self.pair = None
            self.view.show_nothing(reason)
            self.facts.set_figures(None)
            self.facts.note.setText(reason)
            self.facts.set_settings(("", ""), ())
            self._filler.fill(None, None)
        else:
            self.controls.set_samples(pair.numbers, can_show_all=pair.can_show_all)
            if self.transport.times != pair.times:
                self.transport.set_positions(pair.times)
            self.transport.time_label.setText("frame" if pair.is_morph else "t =")
            if pair.is_morph:
                self.transport.rail.set_ends(f"frame {pair.times[0]}", f"frame {pair.times[-1]}")
            rows = [(row.name, row.first, row.second) for row in differences(pair.first.request, pair.second.request)]
            if is_new:
                self.facts.set_settings(self._names(pair), rows)
        self._show()
        self.commands_changed.emit()

    def _list_runs(self) -> None:
        cursor, runs = self.state.cursor, self.state.runs
        self._listed = {job: self.state.name_of(job) for job in runs}
        self.controls.set_runs(self._listed, cursor.run, cursor.beside)
        first = runs.get(cursor.run or 0)
        if first is not None:
            reasons = {str(job): why_not(first, run) for job, run in runs.items()}
            self.controls.second.set_reasons(reasons | {str(first.job): "This is the first run."})

    @Slot()
    def _show(self) -> None:
        """What the cursor is on in the first run, and what belongs to it in the second."""
        pair, cursor = self.pair, self.state.cursor
        if pair is None or not self._active:
            return
        position = pair.position(cursor.step, cursor.frame)
        self.transport.set_available(pair.available)
        self.transport.set_position(position)
        self.transport.set_shown(position)
        self.curve.set_current(position)
        self._filler.fill(pair, self.controls.cell())
        self.controls.what.set_reasons(
            {"x0_hat": "Of morphs the finished frames are compared."} if pair.is_morph else {}
        )
        what = cast(What, "x_t" if pair.is_morph else self.controls.what.value())
        spots = pair.spots(position, self.controls.cell())
        first, second = self.sights.see(spots, what)
        if first is None or second is None:
            self._wait(pair)
            return
        difference = apart(first, second)
        self.controls.mode.set_reasons({} if difference else dict.fromkeys(("wipe", "difference"), SIZES))
        self.view.set_mode(self.controls.mode.value() if difference else "beside")
        self.view.show_pair((first, second), difference, "x_0" if pair.is_morph else what)
        self.view.set_busy(False)
        self.facts.set_figures(None if difference is None else difference.figures)
        self._say(pair, position, spots, SIZES if difference is None else "" if what == "x_t" else OF_PICTURES)
        self.view.name(pair, spots, self._names(pair), what)

    def _wait(self, pair: Pair) -> None:
        """Nothing is known of a state yet: what is shown stays, dimmed."""
        unmade = [run for run in (pair.first, pair.second) if run.state in UNMADE]
        self.view.set_busy(self.view.first.content is not None)
        names = " and ".join(self.state.name_of(run.job) for run in unmade)
        self.facts.set_figures(None)
        if self.view.first.content is None:
            self.view.show_nothing(f"{names}: made again from before." if names else "Being looked at.")

    def _say(self, pair: Pair, position: int, spots: tuple[Spot, Spot], note: str) -> None:
        names = self._names(pair)
        if pair.is_morph:
            places = [f"frame {(spot.frame or 0) + 1}" for spot in spots]
        else:
            levels = [run.path[spot.step] for run, spot in zip((pair.first, pair.second), spots, strict=True)]
            places = ["data" if level.is_clean else f"t = {level.t:.0f}" for level in levels]
        shown = ["", ""]
        if not pair.is_morph and len(spots[0].cells) == 1 and len(pair.numbers) > 1:
            shown = [f", sample {spot.numbers[0]}" for spot in spots]
        captions = [f"{name}, {place}{one}" for name, place, one in zip(names, places, shown, strict=True)]
        self.view.say((captions[0], captions[1]), *(both(names, places, shown, sign) for sign in ("|", "−")))
        notes = [note or OF_STATES]
        if not pair.is_exact(position):
            by = "frame" if pair.is_morph else "noise level" if pair.by_level else "t"
            notes.append(f"{names[1]} has no state just there: its nearest {by} is shown, {places[1]}.")
        self.facts.note.setText("\n".join(notes))

    def _names(self, pair: Pair) -> tuple[str, str]:
        return self.state.name_of(pair.first.job), self.state.name_of(pair.second.job)

    @Slot(str, str)
    def _fail(self, message: str, details: str) -> None:
        if self._active and self.pair is not None:
            self.view.set_busy(False)
            self.errors.show_error(message, details)
