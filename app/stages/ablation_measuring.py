"""The trained models of an ablation, measured alike: bits a value one by one, then the distance of all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.ablation_record import AblationRecord
from core.errors import Refusal
from core.evaluation.ablation import distances_of, figures_of, likelihood_of
from core.messages import ClassifierInfo, Distances, Failed, Likelihood, Measured, ModelInfo, ModelKnown, RunEnded
from core.training.ablation import Figures, note_figures
from core.training.dataset import PictureFolder

if TYPE_CHECKING:
    from app.bridge import Bridge


class AblationMeasuring(QObject):
    """Attributes: ``is_live``; ``progress``, 0..1.

    Signals: ``changed()``; ``refused(message, details)``.
    """

    changed = Signal()
    refused = Signal(str, str)

    def __init__(self, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._record: AblationRecord | None = None
        self._data: PictureFolder | None = None
        self._judge: ClassifierInfo | None = None
        self._folders: dict[Path, str] = {}
        self._models: dict[str, ModelInfo] = {}
        self._likelihoods: dict[str, Likelihood] = {}
        self._distances: Distances | None = None
        self._queue: list[str] = []
        self._parts = 1
        self._job: int | None = None
        self.progress = 0.0
        bridge.message.connect(self._receive)

    @property
    def is_live(self) -> bool:
        return self._record is not None

    def start(self, record: AblationRecord, data: PictureFolder, judge: ClassifierInfo | None) -> None:
        """Measure every trained model on these pictures; without a ``judge`` the likelihoods alone."""
        self._record, self._data, self._judge = record, data, judge
        self._folders = {(record.folder / one.cell.key).resolve(): one.cell.key for one in record.trained}
        self._models, self._likelihoods, self._distances = {}, {}, None
        self._job, self.progress = None, 0.0
        for folder in self._folders:
            self._bridge.know_model(str(folder))
        self.changed.emit()

    def stop(self) -> None:
        """What was measured so far stays."""
        if self._job is not None:
            self._bridge.cancel(self._job)
        else:
            self._end()

    @Slot(object)
    def _receive(self, message: object) -> None:
        if not self.is_live:
            return
        match message:
            case ModelKnown(info=info, folder=folder) if Path(folder).resolve() in self._folders:
                self._know(self._folders[Path(folder).resolve()], info)
            case Measured(job=job) if job == self._job:
                self._take(message)
            case RunEnded(job=job, reason=reason) if job == self._job:
                self._job = None
                if reason == "finished":
                    self._next()
                else:
                    self._leave()
            case Failed(job=job) if job == self._job:  # also of a model that cannot be opened, before the first job
                self._job = None
                self.refused.emit(message.message, message.details)
                if job is None:
                    self._end()
                else:  # the others are measured all the same
                    self._forget()
                    self._next()

    def _know(self, key: str, info: ModelInfo) -> None:
        self._models[key] = info
        if len(self._models) == len(self._folders):
            keys = list(self._folders.values())
            self._models = {key: self._models[key] for key in keys}
            self._queue = [*keys, *([""] if self._judge is not None else [])]
            self._parts = len(self._queue)
            self._next()

    def _next(self) -> None:
        """The likelihood of the next model; after all of them, under the name "", their distances."""
        if not self._queue:
            self._end()
            return
        record, data = self._record, self._data
        assert record is not None
        assert data is not None
        key = self._queue.pop(0)
        try:
            if key:
                request = likelihood_of(self._models[key], data, record.plan.seed)
                self._job = self._bridge.measure(request, data)
            elif self._judge is not None:
                self._job = self._bridge.measure(distances_of(self._models, data, self._judge, record.plan.seed), data)
        except Refusal as refusal:
            self.refused.emit(str(refusal), refusal.details)
            self._end()

    def _take(self, message: Measured) -> None:
        done = self._parts - len(self._queue) - 1
        self.progress = (done + message.done / max(1, message.total)) / self._parts
        if isinstance(message.result, Distances):
            self._distances = message.result
        elif isinstance(message.result, Likelihood):
            self._likelihoods[list(self._models)[done]] = message.result
        assert self._record is not None
        self._record.take(figures_of(self._likelihoods, self._distances, self._judge))
        self.changed.emit()

    def _leave(self) -> None:
        """Stopped in the middle of one."""
        self._forget()
        self._end()

    def _forget(self) -> None:
        """What is known of a model that was not measured to the end counts for nothing beside the others."""
        key = list(self._models)[min(self._parts - len(self._queue), len(self._models)) - 1]
        if self._distances is None and key in self._likelihoods:
            del self._likelihoods[key]
            assert self._record is not None
            self._record.take({key: Figures()})

    def _end(self) -> None:
        record, self._record = self._record, None
        self._queue = []
        if record is not None and self._likelihoods:
            try:
                note_figures(record.folder, {one.cell.key: one.figures for one in record.trained})
            except Refusal as refusal:
                self.refused.emit(str(refusal), refusal.details)
        self.changed.emit()
