"""What Measure shows: the pictures, the measurement looked at, or what is made of pictures; and what lies below."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.stages.measure_coarse import CoarseToFine
from app.stages.measure_compared import Comparison
from app.stages.measure_compared import entry_of as compared_entry
from app.stages.measure_instruments import MeasureInstruments
from app.stages.measure_keeping import Keeping
from app.stages.measure_kinds import PLOTLESS, KindName
from app.stages.measure_nearest import Memorisation
from app.stages.measure_page import MeasurePage
from app.stages.measure_points import Points
from app.stages.measure_record import Record
from app.stages.measure_shared import Family
from app.stages.measure_shared import entry_of as family_entry
from app.stages.measure_view import names_of
from app.stages.measure_words import entry
from app.stages.measurements import Measurements, waits_for
from app.state import AppState
from core.measure_requests import MetricName, QualityRequest
from core.messages import Distances, Failed, RunEnded, RunPaused

if TYPE_CHECKING:
    from app.bridge import Bridge

REFRESH_MS = 150
EARLIER = "Measured with other settings than those above."


class MeasureScreen(QObject):
    """Attributes: ``measurements``, ``coarse`` and ``nearest``, what is measured, and
    ``keeping``, which keeps it; ``record``, the measurement looked at
    (None: the pictures are); ``asked``, what the controls would ask for now; ``page``, ``instruments``, ``points``.

    Signals: ``flushed()`` when all of it was shown anew; ``ended()`` when a measurement has, or rests;
    ``said(str)``, of the point that is pointed at; ``refused(message, details)``.
    """

    flushed = Signal()
    ended = Signal()
    said = Signal(str)
    refused = Signal(str, str)

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.measurements = Measurements(state, bridge, self)
        self.coarse = CoarseToFine(state, bridge, self)
        self.nearest = Memorisation(state, bridge, self)
        self.page = MeasurePage(self.coarse.page, self.nearest.page)
        self.keeping = Keeping(state, bridge, self.measurements, self.nearest, self.coarse)
        self.points = Points(state, bridge, self)
        self.instruments = MeasureInstruments(self.coarse.page.below)
        self.record: Record | None = None
        self.asked: QualityRequest | None = None
        self._refresh = QTimer(self, singleShot=True)
        self._refresh.timeout.connect(self.flush)
        self._connect()

    def _connect(self) -> None:
        view, parts = self.page.view, self.instruments
        view.view_changed.connect(self.flush)
        view.plot.point_clicked.connect(self._point_clicked)
        view.plot.pointed_changed.connect(self.said)
        parts.list.chosen.connect(self._chosen)
        parts.list.shown_changed.connect(self._shown_changed)
        parts.list.forgotten.connect(self.forget)
        parts.samples.opened.connect(self.points.open)
        self.measurements.changed.connect(self._changed)
        self.measurements.listed.connect(self.flush)
        self.coarse.changed.connect(self.flush)
        self.coarse.opened.connect(self.points.show_run)
        self.nearest.changed.connect(self._nearest_changed)
        for part in (self.points, self.coarse):
            part.failed.connect(self.refused)
        self.nearest.refused.connect(self.refused)

    @property
    def kind(self) -> KindName:
        return cast(KindName, self.page.controls.kind.value())

    @property
    def is_busy(self) -> bool:
        """Something that was asked for here is not done yet."""
        return self.measurements.live is not None or bool(self.coarse.live) or self.nearest.is_busy

    @property
    def jobs(self) -> tuple[int, ...]:
        """Whatever stands in the list."""
        records: tuple[Record | Comparison | Family, ...] = (*self.measurements.records, *self.nearest.records)
        return tuple(one.job for one in (*records, *self.coarse.records))

    # What can be asked of what is under way

    def stop(self) -> None:
        live = self.measurements.live
        if live is not None:
            self.measurements.stop(live)
        elif self.nearest.is_busy or self.kind == "nearest":
            self.nearest.stop()
        else:
            self.coarse.stop()

    def pause_or_resume(self) -> None:
        live = self.measurements.live
        if live is not None:
            self.measurements.pause_or_resume(live)
        elif self.nearest.is_busy:
            self.nearest.pause_or_resume()
        else:
            self.coarse.pause_or_resume()

    # What is looked at

    def look_at(self, record: Record | None) -> None:
        self.record = record
        self.points.leave()
        self.page.view.plot.point_at(None)
        self.page.view.plot.choose(None)
        self.flush()

    def look_at_last(self, kind: str) -> None:
        """The last measurement of a kind, or the pictures."""
        if kind == "nearest":
            self.nearest.look_at_last()
        elif kind == "coarse":
            self.coarse.look_at_last()
        self.look_at(next((r for r in reversed(self.measurements.records) if r.kind == kind), None))

    @Slot()
    def flush(self) -> None:
        """Show the newest figures now."""
        self._refresh.stop()
        kind, together, status = self.kind, self._together(), self._state.status
        self.page.view.show_kind(kind)
        if kind == "coarse":
            self.page.show_coarse(self.coarse.words, bool(self.coarse.jobs))
        elif kind == "nearest" and self.nearest.current is not None:
            self.page.show_nearest()
        elif self.record is None:
            self.page.show_data()
        else:
            self.page.show_result()
            self.show_record()
        self.show_idea()
        self.instruments.show_bottom(kind, together, self.points.at, dict(names_of(together, kind)))
        entries = [(one.made, entry(one, waits_for(one, status))) for one in self.measurements.records]
        entries += [(one.made, compared_entry(one)) for one in self.nearest.records]
        entries += [(one.made, family_entry(one)) for one in self.coarse.records]
        others = {"nearest": self.nearest.current, "coarse": self.coarse.current}
        current = others.get(kind, self.record)
        newest_first = [one for _made, one in sorted(entries, key=lambda pair: (-pair[0], -pair[1].job))]
        self.instruments.list.set_entries(newest_first, None if current is None else current.job)
        self.flushed.emit()

    def show_idea(self) -> None:
        """The mathematics of what is looked at."""
        self.instruments.show_idea(self.kind, self.page.view.key, self._metric())

    def show_record(self) -> None:
        """The measurement looked at, and whether the controls would ask for another now."""
        record = self.record
        if record is not None and self.kind not in PLOTLESS:
            differs = self.asked is not None and self.asked != record.request
            waits = waits_for(record, self._state.status)
            self.page.view.show_record(record, self._together(), EARLIER if differs else "", waits)

    def show_buttons(self, *, can_begin: bool) -> None:
        live, busy = self.measurements.live, self.is_busy
        others = self.nearest if self.nearest.is_busy else self.coarse
        paused = live.state == "paused" if live is not None else others.is_paused
        can_pause = busy if live is not None or others is self.coarse else self.nearest.can_pause
        self.page.show_buttons(can_start=can_begin and not busy, busy=busy, can_pause=can_pause, paused=paused)

    def _together(self) -> tuple[Record, ...]:
        return self.measurements.shown(self.kind)

    def _metric(self) -> MetricName:
        """Of the result looked at, else the one that is chosen."""
        result = None if self.record is None else self.record.result
        if isinstance(result, Distances):
            return result.metric
        return cast(MetricName, self.page.controls.distance.metric_choice.value())

    # What the person does

    @Slot(int)
    def _chosen(self, job: int) -> None:
        record, compared, family = self.measurements.of(job), self.nearest.of(job), self.coarse.of(job)
        if compared is not None:
            self.page.controls.kind.set_value("nearest")
            self.nearest.look_at(compared)
            self.flush()
        elif family is not None:
            self.page.controls.kind.set_value("coarse")
            self.coarse.look_at(family)
        elif record is not None:
            if record.kind != self.kind:
                self.page.controls.kind.set_value(record.kind)
            self.look_at(record)

    @Slot(int, bool)
    def _shown_changed(self, job: int, shown: bool) -> None:
        record = self.measurements.of(job)
        if record is not None:
            record.shown = shown
            self.points.leave()
            self.page.view.plot.choose(None)
            self.flush()

    @Slot(int)
    def forget(self, job: int) -> None:
        record, compared, family = self.measurements.of(job), self.nearest.of(job), self.coarse.of(job)
        if compared is not None:
            self.nearest.forget(compared)
            self.flush()
        elif family is not None:
            self.coarse.forget(family)
            self.ended.emit()  # the plan stands where nothing is left
            self.flush()
        elif record is not None and not record.is_live:
            if record is self.record:
                self.record = None
            self.measurements.forget(record)
            self.look_at_last(self.kind)

    @Slot(int, int)
    def _point_clicked(self, curve: int, point: int) -> None:
        is_own = self.points.choose(self._together(), curve, point)
        self.page.view.plot.choose((curve, point) if is_own else None)
        self.flush()

    # What the engine says

    @Slot(object, object)
    def _changed(self, record: Record, message: object) -> None:
        if isinstance(message, Failed):
            self.refused.emit(message.message, message.details)
            if record is self.record and record.result is None:
                self.record = None
        if isinstance(message, RunPaused) and message.reason:
            self.refused.emit(message.reason, "")
        if isinstance(message, Failed | RunEnded | RunPaused):
            self.flush()
            self.ended.emit()
        elif not self._refresh.isActive():
            self._refresh.start(REFRESH_MS)

    @Slot()
    def _nearest_changed(self) -> None:
        if self.kind == "nearest":
            self.flush()
            return
        self.flushed.emit()
        if not self._refresh.isActive():
            self._refresh.start(REFRESH_MS)
