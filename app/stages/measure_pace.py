"""How long a measurement will take, from how fast the network answered here before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from app.stages.measure_plan import cost_of, cost_of_run
from app.state import AppState, Run
from core.measure_requests import DistanceRequest, LikelihoodRequest, QualityRequest
from core.messages import Inspection, Measured, MeasureStarted, Progress
from core.requests import InspectImage, ModelRef, SampleRequest

if TYPE_CHECKING:
    from app.bridge import Bridge

SOME = 0.05
"""Share of a measurement after which its own rate is believed."""


class Pace(QObject):
    """Hears how fast each model is evaluated: from measurements, else from runs, else from single looks."""

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._rates: dict[tuple[str, int], float] = {}
        """Evaluations a second by model and by how good the evidence is: 0 a look, 1 a run, 2 a measurement."""
        self._measured: dict[int, QualityRequest] = {}
        bridge.message.connect(self._receive)

    def seconds(self, model: ModelRef, evaluations: float) -> float | None:
        """What so many evaluations for one picture take; None while nothing is known."""
        rates = (self._rates.get((model.sha256, evidence)) for evidence in (2, 1, 0))
        rate = next((rate for rate in rates if rate), None)
        return None if rate is None else evaluations / rate

    @Slot(object)
    def _receive(self, message: object) -> None:
        match message:
            case MeasureStarted(job=job, request=LikelihoodRequest() | DistanceRequest() as request):
                self._measured[job] = request
            case Measured(job=job, eta=eta, done=done, total=total) if job in self._measured and eta > 0:
                if SOME * total <= done < total:
                    request = self._measured[job]
                    left = cost_of(request) * (1 - done / total)
                    self._rates[model_of(request).sha256, 2] = left / eta
            case Progress(job=job, rate=rate) if rate > 0 and job in self._state.runs:
                self._hear_run(self._state.runs[job], rate)
            case Inspection(request=InspectImage(model=model), milliseconds=took) if took > 0:
                self._rates[model.sha256, 0] = max(1000 / took, self._rates.get((model.sha256, 0), 0.0))

    def _hear_run(self, run: Run, rate: float) -> None:
        if isinstance(run.request, SampleRequest):
            each = cost_of_run(run.request) / max(1, run.request.steps)
            self._rates[run.request.model.sha256, 1] = rate * each


def model_of(request: QualityRequest) -> ModelRef:
    return request.model if isinstance(request, LikelihoodRequest) else request.trials[0].request.model


def duration(seconds: float) -> str:
    """ "about 3 min": as exact as is known."""
    if seconds < 1.5:
        return "about a second"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
