"""What can be done with trainings besides training: renamed, exported, shown in their folder, deleted."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QFile, QObject, QPoint, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QAction, QDesktopServices
from PySide6.QtWidgets import QFileDialog, QMenu, QMessageBox

from app.exports.saving import ask_file
from app.stages.trainings import Trainings
from app.widgets.run_list import RunList
from core.errors import Refusal
from core.training.ablation import FILE as ABLATION
from core.training.claim import holder_of, is_taken, release
from core.training.export import export_run
from core.training.keeping import list_checkpoints
from core.training.run_folder import check_deletable, check_run, delete_run, rename_run
from core.training.runs import moved

if TYPE_CHECKING:
    from app.bridge import Bridge

FOLDER, ZIP, HALF = "as a folder…", "as a zip file…", "as a zip file, half as large…"
EXPORTS = {
    FOLDER: "A model folder in the layout of diffusers, without what only the training needs",
    ZIP: "The same folder in one file",
    HALF: "The same folder in one file, its weights in half precision (float16)",
}


class RunCare(QObject):
    """The menu of a training in the list, and what its lines do.

    Attributes: ``looked_at``, the folder of the training looked at, or None; ``compared``, those of the trainings laid
    over it.

    Signals: ``go_on_wanted(Path)``; ``branch_wanted(Path, int)``, another training from the checkpoint of that step;
    ``compare_wanted(Path)``; ``renamed(Path, Path)``; ``gone(Path)``, deleted or no longer there; ``said(str)``;
    ``refused(message, details)``.
    """

    go_on_wanted = Signal(object)
    branch_wanted = Signal(object, int)
    compare_wanted = Signal(object)
    renamed = Signal(object, object)
    gone = Signal(object)
    said = Signal(str)
    refused = Signal(str, str)

    def __init__(self, runs: RunList, trainings: Trainings, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runs, self._trainings, self._bridge = runs, trainings, bridge
        self.looked_at: Path | None = None
        self.compared: frozenset[Path] = frozenset()
        runs.renamed.connect(self.rename)
        runs.delete_wanted.connect(self.delete)
        runs.compare_toggled.connect(self.compare_wanted)
        runs.menu_wanted.connect(self._open_menu)

    # The menu

    @Slot(object, QPoint)
    def _open_menu(self, folder: Path, where: QPoint) -> None:
        self.menu(folder).popup(where)

    def menu(self, folder: Path) -> QMenu:
        """What can be done with the training, or ablation, in ``folder``; a line that is grey says why."""
        menu = QMenu(self._runs)
        menu.setToolTipsVisible(True)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        busy = self._busy(folder)
        if folder not in self._runs.damaged and not (folder / ABLATION).is_file():
            self._add_training(menu, folder)
            menu.addSeparator()
            export = _submenu(menu, "Export the model")
            for kind, says in EXPORTS.items():
                _add(export, kind, says, partial(self._ask_export, folder, kind))
        rename = partial(self._runs.rename, folder)
        _add(menu, "Rename", "Another name, for its folder as well (F2)", rename, busy)
        _add(menu, "Show its folder", f"Open {folder} in the file manager", partial(self._show_folder, folder))
        menu.addSeparator()
        _add(menu, "Delete", "Move it to the trash (Delete)", partial(self.delete, folder), busy)
        return menu

    def _busy(self, folder: Path) -> str:
        """Why it must stay as it is, "" where nothing trains into it."""
        if is_taken(folder):
            return "It is being trained by another window or command: stop it there first"
        return "It is being trained: stop it first" if self._is_live(folder) else ""

    def _add_training(self, menu: QMenu, folder: Path) -> None:
        live, ablation = self._trainings.live, self._trainings.why_not_queue
        then = "" if live is None else f", once {live.name} is over"
        says = f"Train it on to its end, or to twice its length, from its last checkpoint{then}"
        _add(menu, "Go on", says, partial(self.go_on_wanted.emit, folder), self._busy(folder) or ablation)
        kept = [checkpoint for checkpoint in list_checkpoints(folder) if not checkpoint.latest]
        if kept:
            earlier = _submenu(menu, "Branch from")
            for checkpoint in kept:
                words = f"step {checkpoint.step:,}" + (", the best" if checkpoint.best else "")
                branch = partial(self.branch_wanted.emit, folder, checkpoint.step)
                _add(
                    earlier,
                    words,
                    f"Another training goes on from there{then}; this one stays as it is",
                    branch,
                    ablation,
                )
        says = "Draw its curve over that of the training looked at, or no more (Ctrl+click)"
        itself = "It is the one looked at: choose another to compare it with" if folder == self.looked_at else ""
        compare = _add(menu, "Compare", says, partial(self.compare_wanted.emit, folder), itself)
        compare.setCheckable(True)
        compare.setChecked(folder in self.compared)

    # What its lines do

    @Slot(object, str)
    def rename(self, folder: Path, name: str) -> None:
        """Give it another name; where that cannot be, it keeps its own."""
        try:
            self._check_rest(folder)
            renamed = rename_run(folder, name)
        except Refusal as refusal:
            self._refuse(folder, refusal)
            return
        self.renamed.emit(folder, renamed)

    @Slot(object)
    def delete(self, folder: Path) -> None:
        """Move it to the trash; where there is none, delete it once the person has agreed."""
        try:
            self._check_rest(folder)
            own = check_deletable(folder)
        except Refusal as refusal:
            self._refuse(folder, refusal)
            return
        if move_to_trash(own):
            moved(own, None)
            self.gone.emit(folder)  # whatever is looked at then has words of its own, so this is said after them
            self.said.emit(f"“{folder.name}” is in the trash.")
        else:
            self._ask_delete(folder)

    def _ask_delete(self, folder: Path) -> None:
        question = QMessageBox(self._runs.window())
        question.setIcon(QMessageBox.Icon.Warning)
        question.setText(f"Delete “{folder.name}” for good?")
        question.setInformativeText("It cannot be put into the trash: its model and all its checkpoints would be lost.")
        delete = question.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        question.setDefaultButton(question.addButton(QMessageBox.StandardButton.Cancel))
        question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        delete.clicked.connect(partial(self._delete_for_good, folder))
        question.open()

    def _delete_for_good(self, folder: Path, _checked: bool = False) -> None:
        def done(_nothing: None) -> None:
            self.gone.emit(folder)
            self.said.emit(f"“{folder.name}” is deleted.")

        self._bridge.in_background(lambda: delete_run(folder), done, partial(self._failed, folder), "runs")

    def _ask_export(self, folder: Path, kind: str) -> None:
        title = f"Export the model of {folder.name}"
        if kind != FOLDER:
            write = partial(self.export, folder, half=kind == HALF)
            ask_file(self._runs.window(), title, f"{folder.name}.zip", "Zip file (*.zip)", (".zip",), write)
            return
        dialog = QFileDialog(self._runs.window(), title, folder.name)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setLabelText(QFileDialog.DialogLabel.FileName, "New folder:")
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda name: self.export(folder, Path(name)))
        dialog.open()

    def export(self, folder: Path, out: Path, half: bool = False) -> None:
        """Write its model to ``out``, beside everything else that goes on."""

        def done(written: Path) -> None:
            self.said.emit(f"{written} holds the model of “{folder.name}”.")

        self._bridge.in_background(
            partial(export_run, folder, out, half=half), done, partial(self._failed, folder), "runs"
        )

    def _show_folder(self, folder: Path) -> None:
        try:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(check_run(folder))))
        except Refusal as refusal:
            self._refuse(folder, refusal)

    def _is_live(self, folder: Path) -> bool:
        return any(folder in (live, live.parent) for live in self._trainings.states())

    def _check_rest(self, folder: Path) -> None:
        """Raise Refusal for one at work here. The claim of one that has ended here may not be gone yet."""
        if self._is_live(folder):
            raise Refusal(f"“{folder.name}” is being trained. Stop it first.")
        if holder_of(folder) == os.getpid():
            release(folder)

    def _failed(self, folder: Path, error: Exception) -> None:
        words = str(error) if isinstance(error, Refusal) else f"That could not be done with “{folder.name}” ({error})."
        self._refuse(folder, Refusal(words, getattr(error, "details", "") or repr(error)))

    def _refuse(self, folder: Path, refusal: Refusal) -> None:
        self.refused.emit(str(refusal), refusal.details)
        if not folder.is_dir() and not self._is_live(folder):
            self.gone.emit(folder)


def move_to_trash(folder: Path) -> bool:
    """Whether the desktop has taken it into its trash."""
    return bool(QFile.moveToTrash(str(folder)))


def _submenu(menu: QMenu, words: str) -> QMenu:
    made = menu.addMenu(words)
    made.setToolTipsVisible(True)
    return made


def _add(menu: QMenu, words: str, says: str, act: Callable[[], object], why_not: str = "") -> QAction:
    """A line that does ``act``, or is grey and says why."""
    action = menu.addAction(words)
    action.setToolTip(why_not or says)
    action.setEnabled(not why_not)
    action.triggered.connect(lambda _checked=False: act())
    return action
