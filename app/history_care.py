"""What can be done with the runs of the history: named, starred, compared, deleted; all but the comparison undoable."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, Qt, QTimer, Slot
from PySide6.QtWidgets import QMenu, QWidget

from app.kept_runs import AWAITED, KEPT
from app.stages.compare_plan import partners, why_not
from app.state import COMPARE, Cursor, Run, stage_of
from core.messages import Failed, RunEnded
from core.recipe import of_request

if TYPE_CHECKING:
    from app.window import MainWindow

NOTHING = "No run is chosen in the history."
ALONE = "There is no other run that this one can be compared with."
LIVE = ("running", "paused", AWAITED)
OTHERS_OFFERED = 8


class HistoryCare(QObject):
    """What the history's keys, menu and commands do."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._leaving: list[tuple[set[int], Callable[[], None]]] = []
        """Runs that the engine is still at work at, and what is done when it has left them."""
        history, state = window.history, window.state
        history.renamed.connect(self._renamed)
        history.star_clicked.connect(self._star)
        history.compare_wanted.connect(self.compare)
        history.delete_wanted.connect(self.delete)
        window.run_search.textChanged.connect(history.look_for)
        window.run_search.left.connect(history.enter)
        window.bridge.message.connect(self._receive)
        state.cursor_changed.connect(self._show)
        state.runs_changed.connect(self._show)
        state.run_removed.connect(self._show)
        window.registry.connect_to(
            {
                "compare": self._compare,
                "star_run": lambda: self._for_chosen(self.star),
                "rename_run": lambda: self._for_chosen(lambda jobs: history.edit_name(jobs[0])),
                "delete_run": lambda: self._for_chosen(self.delete),
                "find_run": self._find,
                "starred_only": lambda: history.show_starred(window.registry["starred_only"].isChecked()),
            }
        )
        self._show(state.cursor)

    # Commands

    def _for_chosen(self, do: Callable[[Sequence[int]], object]) -> None:
        """For the runs chosen in the history, else the one looked at."""
        jobs, cursor = self._window.history.jobs(), self._window.state.cursor
        if not jobs and cursor.run in self._window.state.runs:
            jobs = (cursor.run,)
        if jobs:
            do(jobs)
        else:
            self._window.status_line.set_hint(NOTHING)

    @Slot()
    @Slot(object)
    @Slot(int)
    def _show(self, _changed: object = None) -> None:
        registry, state = self._window.registry, self._window.state
        for name in ("star_run", "rename_run", "delete_run", "find_run"):
            registry[name].setEnabled(bool(state.runs))
        registry["compare"].setEnabled(len(state.runs) > 1 or state.cursor.stage == COMPARE)
        registry["compare"].setChecked(state.cursor.stage == COMPARE)

    def _find(self) -> None:
        self._window.side_panels.show("left")
        self._window.run_search.begin()

    # Named and starred

    @Slot(int, str, str)
    def _renamed(self, job: int, before: str, after: str) -> None:
        note = partial(self._window.state.set_note, job)
        self._window.undo.push("name of a run", lambda: note(name=before), lambda: note(name=after))

    @Slot(int)
    def _star(self, job: int) -> None:
        self.star((job,))

    def star(self, jobs: Sequence[int]) -> None:
        """Star these runs; where all are, take their stars away."""
        state = self._window.state
        wanted = not all(state.note(job).is_starred for job in jobs)
        turned = [job for job in jobs if state.note(job).is_starred != wanted]

        def put(is_starred: bool) -> None:
            for job in turned:
                state.set_note(job, is_starred=is_starred)

        put(wanted)
        what = "star of a run" if len(turned) == 1 else f"stars of {len(turned)} runs"
        self._window.undo.push(what, lambda: put(not wanted), lambda: put(wanted))

    # Compared

    def _compare(self) -> None:
        """The two that are chosen; with one, the other that it is best compared with; again: back."""
        state, jobs = self._window.state, self._window.history.jobs()
        if state.cursor.stage == COMPARE:
            self._window.stage.stop()
            return
        first, second = jobs if len(jobs) == 2 else partners(state, jobs[0] if len(jobs) == 1 else None)
        if first is None or second is None:
            self._show()
            self._window.status_line.set_hint(ALONE)
        else:
            self.compare(first, second)

    @Slot(int, int)
    def compare(self, first: int, second: int) -> None:
        """Show two runs beside each other, from where the first is looked at."""
        state = self._window.state
        run = state.runs[first]
        words = why_not(run, state.runs[second])
        if words:
            self._window.status_line.set_hint(words)
            return
        step = state.cursor.step if state.cursor.run == first else run.stored
        step = min(step, run.stored, run.steps)
        state.move(stage=COMPARE, run=first, beside=second, step=step, t=int(run.path[step].t))

    # Deleted

    @Slot(list)
    def delete(self, jobs: Collection[int]) -> None:
        """Delete runs with all that was branched from them; what is under way is stopped first."""
        self._leave(jobs, self._delete)

    def _delete(self, jobs: Collection[int]) -> None:
        state = self._window.state
        gone, cursor = self._with_branches(jobs), state.cursor
        if not gone:
            return
        self._remove(gone)
        what = f"delete {state.name_of(gone[0].job)}" if len(gone) == 1 else f"delete {len(gone)} runs"
        self._window.undo.push(
            what, lambda: self._put_back(gone, cursor), lambda: self._leave(jobs, self._delete_again)
        )
        self._window.status_line.set_hint(
            f"{what.capitalize()}: Ctrl+Z brings {'it' if len(gone) == 1 else 'them'} back."
        )

    def take_out(self, jobs: Collection[int]) -> None:
        """Take runs out of the history, but not what was branched from them; nothing to take back by itself."""
        self._leave(
            jobs, lambda left: self._remove([run for job, run in self._window.state.runs.items() if job in left])
        )

    def put_back(self, gone: Sequence[Run]) -> None:
        """Put runs back that were taken out: what the engine no longer has is made again when it is looked at."""
        state = self._window.state
        for run in gone:
            is_lost = run.state in LIVE or (run.state != "failed" and not self._window.bridge.keeps(run.job))
            state.put_run(replace(run, state=KEPT, stored=0) if is_lost else run)

    def _delete_again(self, jobs: Collection[int]) -> None:
        self._remove(self._with_branches(jobs))

    def _with_branches(self, jobs: Collection[int]) -> list[Run]:
        """These runs and all that hang under them, in the order of their start."""
        runs = self._window.state.runs
        gone = set(jobs)
        for run in runs.values():  # a branch is younger than what it was branched from
            if run.parent in gone:
                gone.add(run.job)
        return [run for job, run in runs.items() if job in gone]

    def _leave(self, jobs: Collection[int], then: Callable[[Collection[int]], None]) -> None:
        """``then`` as soon as the engine is at work at none of them."""
        live = {run.job for run in self._with_branches(jobs) if run.state in LIVE}
        if live:
            self._leaving.append((live, partial(self._leave, jobs, then)))
            for job in live:
                self._window.bridge.cancel(job)
        else:
            then(jobs)

    @Slot(object)
    def _receive(self, message: object) -> None:
        if isinstance(message, RunEnded | Failed) and message.job is not None:
            for live, _then in self._leaving:
                live.discard(message.job)
            ready = [then for live, then in self._leaving if not live]
            self._leaving = [both for both in self._leaving if both[0]]
            for then in ready:
                QTimer.singleShot(0, self, then)  # when everybody has heard of its end

    def _remove(self, gone: Sequence[Run]) -> None:
        state = self._window.state
        jobs = {run.job for run in gone}
        if state.cursor.stage == COMPARE and jobs & {state.cursor.run, state.cursor.beside}:
            self._window.stage.stop()
        if state.cursor.run in jobs:
            self._look_at(neighbour(state.runs, jobs, state.cursor.run))
        for run in reversed(gone):
            state.remove_run(run.job)

    def _look_at(self, run: Run | None) -> None:
        if run is None:
            self._window.state.move(run=None, step=0, frame=0)
            return
        step = min(run.stored, run.steps)
        stage, t = stage_of(run.request), int(run.path[step].t)
        self._window.state.move(stage=stage, run=run.job, step=step, t=t, shown_t=t, frame=0)

    def _put_back(self, gone: Sequence[Run], cursor: Cursor) -> None:
        state = self._window.state
        self.put_back(gone)
        if cursor.run in state.runs:
            state.move(stage=stage_of(state.runs[cursor.run].request), run=cursor.run, step=cursor.step, t=cursor.t)
            state.move(frame=cursor.frame)

    # Its menu

    def menu(self, child: QWidget | None, where: QPoint) -> QMenu | None:
        """Offer what can be done with the run of the history that the pointer is on; None elsewhere."""
        window, history = self._window, self._window.history
        if child is None or child not in (history, history.viewport()):
            return None
        job = history.job_at(history.viewport().mapFromGlobal(where))
        run = None if job is None else window.state.runs.get(job)
        if run is None or job is None:
            return None
        jobs = history.jobs() if job in history.jobs() else (job,)
        menu = QMenu(window)
        menu.setToolTipsVisible(True)
        if len(jobs) == 1:
            menu.addMenu(self._partners(menu, run))
            self._add(menu, "rename_run", lambda: history.edit_name(job))
        elif len(jobs) == 2:
            self._add(menu, "compare", lambda: self.compare(*jobs), "Compare these two")
        starred = all(window.state.note(one).is_starred for one in jobs)
        self._add(menu, "star_run", lambda: self.star(jobs), "Take the star away" if starred else "Star")
        count = len(self._with_branches(jobs))
        self._add(menu, "delete_run", lambda: self.delete(jobs), "Delete" if count == 1 else f"Delete {count} runs")
        if len(jobs) == 1:
            menu.addSeparator()
            window.commands.recipes.add_to(menu, of_request(run.request))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(where)
        return menu

    def _partners(self, menu: QMenu, run: Run) -> QMenu:
        """The runs that this one can be compared with: what it was branched from first, then the latest."""
        state = self._window.state
        offered = QMenu("Compare with", menu)
        others = [run.parent, state.cursor.run, *reversed(state.runs)]
        known = [job for job in dict.fromkeys(others) if job in state.runs and job != run.job]
        fit = [job for job in known if job is not None and not why_not(run, state.runs[job])]
        for job in fit[:OTHERS_OFFERED]:
            offered.addAction(state.name_of(job)).triggered.connect(partial(self._compare_with, run.job, job))
        offered.setEnabled(bool(fit))
        return offered

    def _compare_with(self, first: int, second: int, _checked: bool = False) -> None:
        self.compare(first, second)

    def _add(self, menu: QMenu, command: str, do: Callable[[], object], words: str = "") -> None:
        known = self._window.registry[command]
        action = menu.addAction(words or known.text())
        action.setToolTip(known.toolTip())
        action.triggered.connect(lambda _checked=False: do())


def neighbour(runs: Mapping[int, Run], gone: Collection[int], job: int | None) -> Run | None:
    """The run to look at when those in ``gone`` are no more: what the one looked at was branched from, else the one
    before it, else the one after it."""
    above = runs[job].parent if job in runs else None  # type: ignore[index]
    while above is not None and above in gone and above in runs:
        above = runs[above].parent
    if above in runs and above not in gone:
        return runs[above]  # type: ignore[index]
    left = [other for other in runs if other not in gone]
    before = [other for other in left if job is not None and other < job]
    return runs[(before[-1:] or left[:1])[0]] if left else None
