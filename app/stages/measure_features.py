"""The network in whose features samples and pictures are compared: the bundled judge, or one of the person's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from app.stages.folder_dialog import choose_folder
from app.stages.measure_controls import MeasureControls
from app.stages.measure_sampling import FOLDER
from app.state import AppState
from core.messages import Failed
from resources import FOLDER as RESOURCES

if TYPE_CHECKING:
    from app.bridge import Bridge

JUDGE = "digits-judge"


class FeatureNetworks(QObject):
    """Opens them, and lists in the controls those that are open. Signals: ``changed()``."""

    changed = Signal()

    def __init__(self, state: AppState, bridge: Bridge, controls: MeasureControls, parent: QWidget) -> None:
        super().__init__(parent)
        self._state, self._bridge, self._controls, self._window = state, bridge, controls, parent
        self._awaited = ""
        """The name or path of the one that is being opened, to be chosen then."""
        controls.features_wanted.connect(self._choose)
        bridge.message.connect(self._receive)
        bridge.opening_left.connect(self._give_up)
        state.classifiers_changed.connect(self._list)
        controls.set_classifiers(state.classifiers)

    def begin(self) -> None:
        """Open the bundled judge, unless a network is open that is fit to judge."""
        is_there = any(not one.noisy for one in self._state.classifiers)
        if not is_there and not self._awaited and (RESOURCES / "classifiers" / JUDGE).is_dir():
            self.open(JUDGE)

    def open(self, name_or_path: str) -> None:
        """Open a bundled classifier, a folder or a file of Inception weights, and compare in its features."""
        self._awaited = name_or_path
        self._bridge.open_classifier(name_or_path)

    @Slot(str)
    def _choose(self, what: str) -> None:
        if what == FOLDER:
            choose_folder(self._window, "Open a classifier's folder", self._open_path)
            return
        endings = "Weights (*.pth *.pt *.safetensors);;All files (*)"
        dialog = QFileDialog(self._window, "Open Inception weights", "", endings)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._open_path)
        dialog.open()

    @Slot(str)
    def _open_path(self, path: str | Path) -> None:
        self.open(str(path))

    @Slot(object)
    def _list(self, _classifiers: object) -> None:
        classifiers = self._state.classifiers
        self._controls.set_classifiers(classifiers)
        if self._awaited and classifiers:
            self._awaited = ""
            self._controls.distance.judge(classifiers[-1].ref.sha256)
        self.changed.emit()

    @Slot(object)
    def _receive(self, message: object) -> None:
        if isinstance(message, Failed) and message.job is None:
            self._give_up()

    @Slot()
    def _give_up(self) -> None:
        self._awaited = ""
