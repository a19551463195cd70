"""What the settings of the moment would be: the request, what it takes, and what would take less."""

from __future__ import annotations

from app.stages.measure_controls import MeasureControls
from app.stages.measure_nearest import remarks as nearest_remarks
from app.stages.measure_pace import Pace, duration
from app.stages.measure_pictures import Pictures
from app.stages.measure_plan import Proposal, coarse_plan, cost_of, cost_of_run, nearest_plan, plan, remarks, smaller
from app.state import AppState
from core.errors import Refusal
from core.evaluation.coarse_to_fine import Sharing
from core.evaluation.verdict import FEWEST
from core.measure_requests import QualityRequest
from core.messages import ModelInfo
from core.requests import SampleRequest


class Intent:
    """Attributes: ``request``, None where there is none to be had or it is of another kind; ``can_begin``; ``words``,
    what it takes, or why it cannot be had; ``proposal``, something smaller, with ``proposal_words``."""

    def __init__(self, state: AppState, controls: MeasureControls, pictures: Pictures, pace: Pace) -> None:
        self._state, self._controls, self._pictures, self._pace = state, controls, pictures, pace
        self.request: QualityRequest | None = None
        self.can_begin = False
        self.words = ""
        self.proposal: Proposal | None = None
        self.proposal_words = ""

    def renew(self) -> None:
        """Settings, model, pictures or networks have changed."""
        self.request, self.can_begin, self.proposal, self.proposal_words = None, False, None, ""
        try:
            cost = self._cost()
        except Refusal as refusal:
            self.words = "The folder is being read." if self._pictures.is_reading else str(refusal)
            return
        model = self._state.model
        assert model is not None
        self.can_begin = True
        seconds = self._pace.seconds(model.ref, cost)
        took = f", {duration(seconds)}" if seconds is not None else ""
        self.words = f"{cost:,} evaluations of the network{took}. {self._remark(model)}".rstrip()
        self.proposal = smaller(self._controls.settings(), seconds)
        if self.proposal is not None and seconds is not None:
            self.proposal_words = f"{self.proposal.words}: {duration(seconds * self.proposal.share)}"

    def accept(self) -> None:
        """Take the smaller choice."""
        if self.proposal is not None:
            self._controls.use(self.proposal.values)

    def coarse(self) -> tuple[SampleRequest, tuple[Sharing, ...]]:
        """The runs of coarse to fine. Raises Refusal."""
        return coarse_plan(self._controls.settings(), self._state.model)

    def nearest(self) -> SampleRequest:
        """The run whose samples are compared with the pictures. Raises Refusal."""
        return nearest_plan(self._controls.settings(), self._state.model, self._pictures.data)

    def _remark(self, model: ModelInfo) -> str:
        data = self._pictures.data
        if self._controls.kind.value() == "nearest" and data is not None:
            return nearest_remarks(self._state, model.ref, data, FEWEST)
        return "" if self.request is None else remarks(self.request, self._state.classifiers)

    def _cost(self) -> int:
        settings = self._controls.settings()
        if settings.kind == "nearest":
            return cost_of_run(self.nearest())
        if settings.kind == "coarse":
            parent, shares = self.coarse()
            return cost_of_run(parent) + sum(cost_of_run(run) for share in shares for run in share.runs)
        self.request = plan(settings, self._state.model, self._pictures.data, self._state.classifiers)
        return cost_of(self.request)
