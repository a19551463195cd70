"""What can be chosen before a measurement. The controls hold one ``MeasureSettings``; they know nothing of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.mementos import Entry, entries_of
from app.stages.measure_kinds import ABOUT, KINDS, PLOTLESS, KindName
from app.stages.measure_likelihood import LikelihoodControls
from app.stages.measure_sampling import DistanceControls
from app.stages.measure_settings import MeasureSettings
from app.theme import GRID
from app.widgets.controls import Choice, MoreSection, SeedBox, ValueSlider, label
from core.messages import ClassifierInfo, ModelInfo
from core.requests import Precision
from core.training.dataset import PictureFolder

AUTO = "auto"
PRECISIONS = {AUTO: "automatic", "float32": "float32", "bfloat16": "bfloat16", "float16": "float16"}
COLUMNS = 3


class MeasureControls(QWidget):
    """Signals: ``changed()`` after anything of a request was changed; ``kind_changed(str)``; ``folder_wanted()``;
    ``features_wanted(str)``, "folder" or "file", where a feature network of one's own is to be opened."""

    changed = Signal()
    kind_changed = Signal(str)
    folder_wanted = Signal()
    features_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        says = MeasureSettings()
        self.kind = Choice("Measure", KINDS, says.kind)
        self.folder = QPushButton("Choose a folder…")
        self.folder.setAccessibleName("Folder of pictures")
        self.pictures = ValueSlider(
            "Pictures",
            1,
            1000,
            says.pictures,
            ends=("quick", "sure"),
            tooltip="How many pictures of the folder are coded, "
            "evenly over its classes.\nThe error bars shrink with their square root.",
        )
        self.samples = ValueSlider(
            "Samples",
            10,
            5000,
            says.samples,
            step=10,
            ends=("quick", "sure"),
            tooltip="Samples drawn for each point. Distances of few samples are noisy, and Fréchet's is too large\n"
            "(Chong & Forsyth 2020): compare numbers of the same n alone.",
        )
        self.copies = ValueSlider(
            "Samples",
            2,
            16,
            says.copies,
            ends=("few", "many"),
            tooltip="Samples that share x_t, beside each other in each row (Ho et al. 2020, figure 7).",
        )
        self.checked = ValueSlider(
            "Samples",
            4,
            64,
            says.checked,
            ends=("few", "many"),
            tooltip="Samples whose nearest pictures are looked up. The more there are, the surer is the verdict.",
        )
        self.likelihood, self.distance = LikelihoodControls(), DistanceControls()
        self.seed = SeedBox(
            says.seed,
            lockable=False,
            tooltip="All noise follows from this number: two models measured with it meet the same.",
        )
        self.precision = Choice(
            "Precision",
            PRECISIONS,
            AUTO,
            tooltip="What the network computes in. Automatic: float32 for a likelihood, which is a small difference of "
            "large numbers;\nfor samples what the model is fast and good in on this device.",
        )
        self.more = MoreSection("More")
        self._fast = "float32"
        self._names()
        self._lay_out()
        self._connect()
        self.set_model(None)
        self.set_data(None, None)
        self._show_kind()

    def _names(self) -> None:
        """The parts' controls are these controls too."""
        for part in (self.likelihood, self.distance):
            for name, widget in part.controls().items():
                setattr(self, name, widget)

    def _lay_out(self) -> None:
        pictures = QHBoxLayout()
        pictures.setSpacing(GRID)
        self._folder_name = label("Pictures of")
        self._folder_name.setBuddy(self.folder)
        pictures.addWidget(self._folder_name)
        pictures.addWidget(self.folder, 1)
        basic = QHBoxLayout()
        basic.setSpacing(2 * GRID)
        basic.addWidget(self.kind, 1)
        basic.addLayout(pictures, 1)
        self._counts = QWidget()
        counts = QVBoxLayout(self._counts)
        counts.setContentsMargins(0, 0, 0, 0)
        for count in (self.pictures, self.samples, self.copies, self.checked):
            counts.addWidget(count)
        basic.addWidget(self._counts, 1)
        shared = QWidget()
        grid = QGridLayout(shared)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * GRID)
        grid.addWidget(self.seed, 0, 0)
        grid.addWidget(self.precision, 0, 1)
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)
        for part in (self.likelihood, self.distance, shared):
            self.more.add(part)
        column_layout = QVBoxLayout(self)
        column_layout.setContentsMargins(0, 0, 0, 0)
        column_layout.setSpacing(GRID // 2)
        column_layout.addLayout(basic)
        column_layout.addWidget(self.more)

    def _connect(self) -> None:
        self.kind.value_changed.connect(self._kind_chosen)
        self.folder.clicked.connect(self.folder_wanted)
        for slider in (self.pictures, self.samples, self.copies, self.checked):
            slider.value_changed.connect(self._slid)
        self.likelihood.changed.connect(self.changed)
        self.distance.changed.connect(self.changed)
        self.distance.features_wanted.connect(self.features_wanted)
        self.seed.seed_changed.connect(self._seeded)
        self.precision.value_changed.connect(self._chosen)

    def entries(self) -> dict[str, Entry]:
        """What can be set here."""
        return entries_of(self) | {"features": self.distance.feature_entry()}

    def settle(self) -> None:
        """The controls have been set without a word: show what counts now, and tell."""
        self.distance.settle()
        self._kind_chosen(self.kind.value())

    # What there is

    def set_model(self, model: ModelInfo | None) -> None:
        """The open model, whose own sampler, spacing and precision are proposed."""
        self.likelihood.set_model(model)
        self.distance.set_model(model)
        self._fast = "float32" if model is None else model.precision

    def set_classifiers(self, classifiers: Sequence[ClassifierInfo]) -> None:
        self.distance.set_classifiers(classifiers)

    def set_data(self, data: PictureFolder | None, folder: Path | None) -> None:
        """Which pictures it is about; without them a folder is asked for."""
        self.folder.setText(folder.name if folder is not None else "Choose a folder…")
        about = "The folder whose pictures are coded or compared with; its sub-folders are classes."
        self.folder.setToolTip(f"{about} Drop another one anywhere.\n{folder or ''}".strip())
        if data is not None:
            kept = self.pictures.value()
            self.pictures.set_range(1, max(2, len(data)))
            self.pictures.set_value(min(kept, len(data)))

    # What they say

    def settings(self) -> MeasureSettings:
        """Raises Refusal where a list cannot be read."""
        kind = cast(KindName, self.kind.value())
        settings = MeasureSettings(
            kind=kind,
            pictures=int(self.pictures.value()),
            samples=int(self.samples.value()),
            copies=int(self.copies.value()),
            checked=int(self.checked.value()),
            seed=self.seed.seed(),
            precision=cast(Precision, self._precision(kind)),
        )
        return self.distance.fill(self.likelihood.fill(settings))

    def _precision(self, kind: KindName) -> str:
        chosen = self.precision.value()
        return chosen if chosen != AUTO else "float32" if kind == "likelihood" else self._fast

    def use(self, values: Mapping[str, float]) -> None:
        """Set sliders by their names, to a choice that was proposed."""
        for name, value in values.items():
            getattr(self, name).set_value(value)

    def _show_kind(self) -> None:
        kind = self.kind.value()
        self.kind.setToolTip("\n".join(f"{name}. {ABOUT[key]}" for key, name in KINDS.items()))
        is_likelihood, is_coarse = kind == "likelihood", kind == "coarse"
        self.pictures.setVisible(is_likelihood)
        self.samples.setVisible(not is_likelihood and kind not in PLOTLESS)
        self.checked.setVisible(kind == "nearest")
        self.copies.setVisible(is_coarse)
        self.folder.setVisible(not is_coarse)
        self._folder_name.setVisible(not is_coarse)
        self.likelihood.setVisible(is_likelihood)
        self.distance.setVisible(not is_likelihood)
        self.distance.show_kind(kind)

    @Slot(str)
    def _kind_chosen(self, kind: str) -> None:
        self._show_kind()
        self.kind_changed.emit(kind)
        self.changed.emit()

    @Slot(float)
    def _slid(self, _value: float) -> None:
        self.changed.emit()

    @Slot(str)
    def _chosen(self, _key: str) -> None:
        self.changed.emit()

    @Slot(int)
    def _seeded(self, _seed: int) -> None:
        self.changed.emit()
