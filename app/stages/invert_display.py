"""Everything of Invert that shows and does not ask: pictures, evidence and instruments, moved together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from app.stages.denoise_plan import first_state
from app.stages.invert_evidence import InvertEvidence
from app.stages.invert_instruments import InvertInstruments
from app.stages.invert_plan import InvertPlan
from app.stages.invert_record import InvertRecord
from app.stages.invert_scene import COMES_BACK, Scene, end_words, planned, what_came_back
from app.stages.invert_view import InvertView
from app.state import AppState, Run
from core.requests import InvertRequest, SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge


class InvertDisplay(QObject):
    """Shows a position of a scene, or what is planned. Attributes: ``view``, ``evidence``, ``instruments``, ``scene``
    (planned or made)."""

    def __init__(
        self, state: AppState, bridge: Bridge, record: InvertRecord, plan: InvertPlan, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._record = record
        self._plan = plan
        self._evident: object = None
        self.scene: Scene | None = None
        self.view = InvertView(bridge)
        self.evidence = InvertEvidence()
        self.instruments = InvertInstruments()
        self.view.shown.connect(self.instruments.transport.set_shown)
        self.view.cell_changed.connect(self._refill)
        self.instruments.strip.wanted.connect(self.fill_frame)

    def show_plan(self, request: InvertRequest | SampleRequest | None, warning: str) -> None:
        """The picture in its place, ready, and what would follow."""
        image, model, picture = self._state.image, self._state.model, self._plan.converted()
        self._evident = None
        self.view.show_picture(picture, "" if image is None else image.name)
        self.scene = scene = None if request is None or model is None else planned(request)
        if scene is None or model is None:
            return
        walk, instruments = scene.walk, self.instruments
        instruments.lay(walk, scene.down.schedule, scene.timesteps)
        instruments.move(walk, 0, scene.up, scene.down)
        instruments.transport.set_shown(0)
        instruments.show_misses({}, walk)
        if isinstance(request, SampleRequest):
            start = first_state(request, model, image)
            if start is not None:
                self.view.show_noised(*start, walk.level(0).t)
                instruments.strip.set_frame(0, start[0][0])
        elif picture is not None:
            instruments.strip.set_frame(0, picture)
        self.evidence.show_scene(scene, self._record, self._bridge, self._plan.values(), warning)

    def show_scene(self, scene: Scene, position: int, warning: str, *, is_coming: bool) -> None:
        """A position of a walk that has begun."""
        self.scene, walk, runs, instruments = scene, scene.walk, self._state.runs, self.instruments
        instruments.lay(walk, scene.down.schedule, scene.timesteps)
        instruments.set_available(walk)
        instruments.move(walk, position, scene.up, scene.down)
        instruments.show_misses({} if walk.up_run is None else self._record.misses(walk.up_run.job), walk)
        self.view.name_picture(self._name_of(scene))
        self.view.show_walk(walk, position, end_words(scene, self._state.model), is_coming=is_coming)
        ways = tuple((run.job, run.stored == run.steps) for run in (walk.up_run, walk.down_run) if run is not None)
        if self._evident != (ways, len(self._record), warning):  # does not depend on the position
            self._evident = (ways, len(self._record), warning)
            self.view.show_returned(what_came_back(scene, runs), COMES_BACK)
            self.evidence.show_scene(scene, self._record, self._bridge, self._plan.values(), warning)

    def _name_of(self, scene: Scene) -> str:
        """What the picture of a walk is called: the window has another one by now, or the same."""
        image, run = self._state.image, scene.walk.up_run or scene.walk.down_run
        if image is not None and scene.picture == self._plan.own_picture():
            return image.name
        return "" if run is None else f"the picture of run {run.job}"

    def refresh(self, scene: Scene) -> None:
        """The same scene, a few steps further."""
        self.scene = scene
        self.instruments.set_available(scene.walk)

    def shows(self, job: int) -> bool:
        """Whether a run is one of the two ways shown."""
        ways: Mapping[str, Run | None] = {}
        if self.scene is not None:
            ways = {"up": self.scene.walk.up_run, "down": self.scene.walk.down_run}
        return any(run is not None and run.job == job for run in ways.values())

    @Slot(int)
    def fill_frame(self, position: int) -> None:
        """Put the picture of a position into the filmstrip, where there is one."""
        run, step = (None, 0) if self.scene is None else self.scene.walk.at(position)
        picture = None if run is None else self.view.thumbnail(run.job, step)
        if picture is not None:
            self.instruments.strip.set_frame(position, picture)

    @Slot()
    def _refill(self) -> None:
        if self.scene is not None:
            self.instruments.relay(self.scene.walk)
