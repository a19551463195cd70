"""Opens classifiers for the controls that choose one: bundled ones by name, others by their folder or file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtWidgets import QFileDialog

from app.incoming import WEIGHT_ENDINGS
from app.stages.classifier_controls import FILE, ClassifierControls
from app.stages.denoise_settings import misfit
from app.state import AppState
from core.checkpoints.description import Answers
from core.classifier_folder import bundled_classifiers, read_classifier
from core.errors import Refusal
from core.messages import ClassifierOpened, Failed, ModelAsks

if TYPE_CHECKING:
    from app.bridge import Bridge


class ClassifierDesk(QObject):
    """Between ``controls`` and the engine. Signals: ``refused(str)``, why a classifier just opened cannot guide."""

    refused = Signal(str)

    def __init__(
        self, state: AppState, bridge: Bridge, controls: ClassifierControls, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._state, self._bridge, self._controls = state, bridge, controls
        controls.set_at_hand(guides())
        controls.set_classifiers(state.classifiers)
        controls.wanted.connect(self._bridge.open_classifier)
        controls.browse_requested.connect(self._browse)
        state.classifiers_changed.connect(controls.set_classifiers)
        bridge.message.connect(self._receive)
        bridge.opening_left.connect(self._give_up)

    def open(self, path: Path, answers: Answers | None = None) -> None:
        """Open a classifier's folder or file, to guide with it; ``answers`` are to what it does not say."""
        self._controls.expect(str(path))
        if answers is None:
            self._bridge.open_classifier(str(path))
        else:
            self._bridge.open_classifier(str(path), answers)

    @Slot()
    def _give_up(self) -> None:
        if self._controls.awaited:
            self._controls.give_up()

    @Slot(str)
    def _browse(self, kind: str) -> None:
        dialog = QFileDialog(self._controls.choice.window(), f"Open a classifier's {kind}")
        if kind == FILE:
            endings = " ".join(f"*{ending}" for ending in WEIGHT_ENDINGS)
            dialog.setNameFilters([f"Checkpoints ({endings})", "All files (*)"])
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        else:
            dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda name: self.open(Path(name)))
        dialog.open()

    @Slot(object)
    def _receive(self, message: object) -> None:
        if isinstance(message, ClassifierOpened) and self._controls.opened(message.info, message.folder):
            why_not = misfit(message.info, self._state.model) if self._state.model is not None else ""
            if why_not:
                self._controls.give_up()
                self.refused.emit(why_not)
        elif self._is_the_end_of_waiting(message):
            self._controls.give_up()

    def _is_the_end_of_waiting(self, message: object) -> bool:
        """Whether what is awaited will not come, or not before the person has answered what is asked of it."""
        awaited = self._controls.awaited
        if isinstance(message, Failed):
            return message.job is None and awaited != ""
        return isinstance(message, ModelAsks) and message.path == awaited


def guides() -> tuple[str, ...]:
    """The bundled classifiers that guide, by name."""
    return tuple(name for name in bundled_classifiers() if _guides(name))


def _guides(name: str) -> bool:
    try:
        return read_classifier(name).noisy
    except Refusal:
        return False
