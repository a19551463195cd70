"""The pictures that are measured on: read at the model's size, and read again where the model is another."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from app.stages.measure_data import MeasureData
from app.stages.train_loader import Background, FolderLoader
from core.messages import ModelInfo
from core.training.dataset import PictureFolder
from resources import FOLDER as RESOURCES

EXAMPLE = RESOURCES / "samples" / "digits"
SIDE = 32
"""At which a folder is read while no model says otherwise."""


class Pictures(QObject):
    """Attributes: ``data`` and ``folder``, None while there are none; ``view``, what is shown of them.

    Signals: ``changed()``; ``refused(message, details)`` where a folder cannot be measured on.
    """

    changed = Signal()
    refused = Signal(str, str)

    def __init__(self, background: Background, view: MeasureData, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.data: PictureFolder | None = None
        self.folder: Path | None = None
        self.view = view
        self._model: ModelInfo | None = None
        self._loader = FolderLoader(background, self)
        view.follow(self._loader)
        self._loader.opened.connect(self._opened)
        self._loader.failed.connect(self._failed)
        view.cancelled.connect(self.cancel)

    @property
    def is_reading(self) -> bool:
        return self.reading is not None

    @property
    def reading(self) -> Path | None:
        """The folder that is being read."""
        return self._loader.folder

    def begin(self) -> None:
        """Where there are none, the bundled ones."""
        if self.data is None and not self.is_reading and EXAMPLE.is_dir():
            self.read(EXAMPLE)

    def read(self, folder: Path) -> None:
        """Read a folder, in the place of the one before."""
        self.view.show_reading(folder)
        self._loader.open(folder, side_of(self._model))
        self.changed.emit()

    def set_model(self, model: ModelInfo | None) -> None:
        """Which model they are for; read again where it takes another size."""
        self._model = model
        folder = self._loader.folder or self.folder
        sides = None if self.data is None else self.data.pictures.shape[1]
        if folder is not None and (self.is_reading or sides != side_of(model)):
            self.read(folder)
        self._show()

    @Slot()
    def cancel(self) -> None:
        """Read no further; what was there before stays."""
        self._loader.cancel()
        self._show()
        self.changed.emit()

    @Slot(object, object)
    def _opened(self, data: PictureFolder, folder: Path) -> None:
        self.data, self.folder = data, folder
        self._loader.ask_kept()
        self._show()
        self.changed.emit()

    @Slot(str, str)
    def _failed(self, message: str, details: str) -> None:
        self._show()
        self.changed.emit()
        self.refused.emit(message, details)

    def _show(self) -> None:
        self.view.show_reading(self._loader.folder)
        self.view.show_pictures(self.data, self._model, is_example=self.folder == EXAMPLE)


def side_of(model: ModelInfo | None) -> int:
    """The side at which a folder is read for a model."""
    return model.event_shape[1] if model is not None and len(model.event_shape) == 3 else SIDE
