"""Models on their way in and out: chosen, opened, asked about, left, looked at, exported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, Qt, Slot
from PySide6.QtWidgets import QFileDialog, QMenu

from app.incoming import WEIGHT_ENDINGS
from app.log import logger
from core.checkpoints.description import Answers, Description, ExportForm
from core.checkpoints.which_weights import WEIGHTS_KEY
from core.messages import (
    EngineState,
    Failed,
    ModelAsks,
    ModelExported,
    ModelLoading,
    ModelOpened,
    ModelSaving,
    Status,
)
from core.requests import ModelRef
from resources import models

if TYPE_CHECKING:
    from app.opening_dialog import CheckpointDialog
    from app.window import MainWindow

WAYS = ("open_weights", "open_model", "about_model")
"""Commands that are offered where another model is to be opened."""


class Opening(QObject):
    """The handlers behind the commands for models, and what the engine says of them.

    Attributes: ``dialog``, the page that is shown, or None; ``descriptions``, what is known of the models that have
    been opened, by their hash.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._wanted, self._copying = "", ""
        self._is_left = False
        self.dialog: CheckpointDialog | None = None
        self.descriptions: dict[str, Description] = {}
        chooser = window.sources.models
        chooser.chosen.connect(self.open)
        chooser.browse.connect(self.offer_ways)
        chooser.about_requested.connect(self.about)
        window.state.model_changed.connect(chooser.set_model)
        window.state.model_changed.connect(self._show_about)
        window.state.status_changed.connect(self._end_waiting)
        window.status_line.cancel_requested.connect(self.cancel)
        window.bridge.message.connect(self._receive)
        window.registry.connect_to(
            {
                "open_model": self.choose_folder,
                "open_weights": self.choose_file,
                "about_model": self.about,
                "export_diffusers": lambda: self.choose_export("diffusers"),
                "export_copy": lambda: self.choose_export("copy"),
            }
        )
        self._list_models()
        self._show_about()

    # In

    @Slot(str)
    def open(self, name_or_path: str, answers: Answers | None = None, sha256: str = "") -> None:
        """Open a bundled model, a folder or a file; what is being opened is left. ``sha256`` says which model is meant
        where it can be several."""
        self._close_dialog()
        self._wanted = name_or_path
        self._window.status_line.loading.hide()
        self._window.sources.models.request(name_or_path)
        if answers is None:
            self._window.bridge.open_model(name_or_path, None, sha256)
        else:
            self._window.bridge.open_model(name_or_path, answers)

    @Slot()
    def cancel(self) -> None:
        """Leave what is being opened or saved."""
        self._is_left = True
        self._window.bridge.cancel_opening()
        self._give_up()

    def choose_folder(self) -> None:
        dialog = QFileDialog(self._window, "Open a model folder")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(self.open)
        open_dialog(dialog)

    def choose_file(self) -> None:
        endings = " ".join(f"*{ending}" for ending in WEIGHT_ENDINGS)
        dialog = QFileDialog(self._window, "Open a model's file", "", f"Checkpoints ({endings});;All files (*)")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.open)
        open_dialog(dialog)

    @Slot(QPoint)
    def offer_ways(self, where: QPoint) -> None:
        """The ways to open another model, as a menu."""
        menu = QMenu(self._window)
        menu.setToolTipsVisible(True)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name in WAYS:
            menu.addAction(self._window.registry[name])
        menu.popup(where)

    def open_classifier(self, path: Path, answers: Answers | None = None) -> None:
        """Where the stage that is shown has no use for one, it is to guide in Denoise."""
        if not self._window.stage.handle_classifier(path, answers):
            self._window.state.move(stage="denoise")
            self._window.stage.handle_classifier(path, answers)

    # What is known

    @Slot()
    def about(self) -> None:
        """The page about the open model."""
        from app.opening_dialog import CheckpointDialog  # not needed for the first paint

        model = self._window.state.model
        known = None if model is None else self.descriptions.get(model.ref.sha256)
        if model is None or known is None:
            self._window.status_line.set_hint("There is no model that more is known of.")
            return
        path = self._window.state.folders.get(model.ref.sha256, "")
        asks = Path(path).is_file() or bool(known.options)  # a folder says all itself, but may hold two models
        dialog = self._show(CheckpointDialog(known, opened=True, changeable=asks, parent=self._window))
        dialog.change_wanted.connect(lambda: self._window.bridge.ask_again(path))

    def _ask(self, asked: ModelAsks) -> None:
        from app.opening_dialog import CheckpointDialog

        path, is_model = asked.path, asked.description.kind == "model"
        self._give_up()
        if not is_model and not asked.description.questions:
            self.open_classifier(Path(path))
            return
        dialog = self._show(CheckpointDialog(asked.description, dict(asked.answers), parent=self._window))
        dialog.copy_wanted.connect(lambda answers: self._choose_copy(path, answers))
        if is_model:
            dialog.open_wanted.connect(lambda answers: self.open(path, answers))
        else:
            dialog.open_wanted.connect(lambda answers: self.open_classifier(Path(path), answers))

    def _show(self, dialog: CheckpointDialog) -> CheckpointDialog:
        self._close_dialog()
        self.dialog = dialog
        dialog.finished.connect(lambda _result: self._forget(dialog))
        dialog.open()
        return dialog

    def _close_dialog(self) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.close()

    def _forget(self, dialog: CheckpointDialog) -> None:
        if self.dialog is dialog:
            self.dialog = None

    @Slot()
    def _show_about(self) -> None:
        model = self._window.state.model
        known = None if model is None else self.descriptions.get(model.ref.sha256)
        self._window.registry["about_model"].setEnabled(known is not None)
        for name in ("export_diffusers", "export_copy"):
            self._window.registry[name].setEnabled(model is not None)
        chooser = self._window.sources.models
        if known is None:
            chooser.set_about("")
            return
        guesses = sum(fact.origin == "guessed" for fact in known.facts)
        said = f", {guesses} guess{'es' if guesses > 1 else ''}" if guesses else ""
        is_raw = bool(known.options) and any(
            fact.name == WEIGHTS_KEY and fact.value.startswith("raw") for fact in known.facts
        )
        said += ", raw weights" if is_raw else ""
        chooser.set_about(f"About this model{said}", "\n".join(("What is known of it, and how (Ctrl+I)", *known.notes)))

    # Out

    def choose_export(self, form: ExportForm) -> None:
        """Ask where the open model is to be written."""
        model = self._window.state.model
        if model is not None:
            words = "Export the model for diffusers" if form == "diffusers" else "Save a safe copy of the model"
            place = self._window.state.folders.get(model.ref.sha256, "")
            is_own = bool(place) and all(Path(place) != bundled.path for bundled in models())
            dialog = self._new_folder(words, model.ref.name, Path(place).absolute().parent if is_own else Path.home())
            dialog.fileSelected.connect(lambda folder: self._export(model.ref, folder, form))
            open_dialog(dialog)

    def _export(self, ref: ModelRef, folder: str, form: ExportForm) -> None:
        self._is_left = False
        self._window.bridge.export_model(ref, folder, form)

    def _choose_copy(self, path: str, answers: Answers) -> None:
        dialog = self._new_folder("Save a safe copy", Path(path).stem, Path(path).absolute().parent)
        dialog.fileSelected.connect(lambda folder: self._save_copy(path, answers, folder))
        open_dialog(dialog)

    def _save_copy(self, path: str, answers: Answers, folder: str) -> None:
        self._wanted, self._copying, self._is_left = path, folder, False
        self._window.bridge.save_copy(path, answers, folder)

    def _new_folder(self, title: str, name: str, beside: Path) -> QFileDialog:
        dialog = QFileDialog(self._window, title, str(free_name(beside, name)))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setLabelText(QFileDialog.DialogLabel.FileName, "New folder:")
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        return dialog

    # What the engine says

    @Slot(object)
    def _receive(self, message: object) -> None:
        loading = self._window.status_line.loading
        match message:
            case ModelLoading(name=name, done=done, total=total) if done < total and self._is_awaited(message):
                loading.tell(name, done, total)
            case ModelSaving(name=name, done=done, total=total) if done < total and not self._is_left:
                loading.tell(name, done, total, saving=True)
            case ModelLoading() | ModelSaving() | Failed(job=None):
                loading.hide()
            case ModelAsks():
                self._ask(message)
            case ModelOpened():
                loading.hide()
                self._opened(message)
            case ModelExported(name=name, folder=folder, kind=kind):
                logger.info("model exported: %s", name)
                loading.hide()
                if folder == self._copying:
                    self._wanted, self._copying = folder, ""
                    if kind == "classifier":
                        self.open_classifier(Path(folder))
                self._window.status_line.set_hint(f"{folder} holds the {kind} “{name}”.")

    def _is_awaited(self, loading: ModelLoading) -> bool:
        """Whether it is not of a model that was left. Whatever asks for a classifier waits for it itself."""
        return loading.kind == "classifier" or loading.name == Path(self._wanted).name

    @Slot(object)
    def _end_waiting(self, status: Status) -> None:
        if status.state not in (EngineState.LOADING, EngineState.SAVING):
            self._window.status_line.loading.hide()

    def _opened(self, message: ModelOpened) -> None:
        """List and remember it, whoever has opened it, such as a stage that of a training."""
        if message.description is not None:
            self.descriptions[message.info.ref.sha256] = message.description
            self._show_about()
        if message.folder:
            bundled = next((model.name for model in models() if model.path == Path(message.folder)), None)
            if bundled is None:
                self._window.settings.remember_model(Path(message.folder))
            self._window.sources.models.opened(bundled or message.folder, message.info.ref.name)

    def _give_up(self) -> None:
        self._wanted = ""
        self._window.status_line.loading.hide()
        self._window.sources.models.give_up()

    def _list_models(self) -> None:
        recent = [(path.name, str(path)) for path in self._window.settings.recent_models]
        self._window.sources.models.set_models([*((model.name, model.name) for model in models()), *recent])


def free_name(folder: Path, name: str) -> Path:
    """A place in a folder where there is nothing yet: one that is there would be gone into, instead of written."""
    names = (name, *(f"{name} {number}" for number in range(2, 1000)))
    return next((folder / one for one in names if not os.path.lexists(folder / one)), folder / name)


def open_dialog(dialog: QFileDialog) -> None:
    """Show it without holding up the window."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
