"""The command Export: the page on which it is put together, where it goes, and writing it while the window lives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot

from app.exports.dialog import ExportDialog
from app.exports.gathering import Gathering
from app.exports.plan import ENDINGS, Order, Still, cells, positions, write_states, write_still
from app.exports.saving import ask_file
from app.exports.ways import State, Way
from app.log import logger
from app.widgets.drag_out import ExportWanted
from core.errors import Cancelled, Refusal
from core.files import check_writable
from core.token import Token

if TYPE_CHECKING:
    from app.window import MainWindow


class Exporter(QObject):
    """Attributes: ``dialog``, the page that is shown, or None."""

    _written = Signal(int, int)
    """How many frames of how many are written, from the worker."""

    def __init__(self, window: MainWindow, still: Callable[[], Still | None], file_name: Callable[[str], str]) -> None:
        """``still`` is the picture that commands mean; ``file_name`` makes a file's name of words."""
        super().__init__(window)
        self._window, self._still, self._file_name = window, still, file_name
        self.dialog: ExportDialog | None = None
        self._order = Order("picture", ".png")
        self._gathering: Gathering | None = None
        self._looking: tuple[Gathering, object] | None = None
        """For the page: the state looked at in the quantities chosen, and which these are."""
        self._token = Token()
        self._written.connect(self._show_written, Qt.ConnectionType.QueuedConnection)
        window.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if isinstance(event, ExportWanted):
            self.open()
            return True
        return False

    def open(self) -> None:
        """Show the page for what is looked at now."""
        if self.dialog is not None:
            if self.dialog.is_busy:
                self.dialog.raise_()
                self.dialog.activateWindow()
                return
            self.dialog.reject()
        self.dialog = ExportDialog(self._still(), self._window.stage.ways(), self._order, self._window)
        self.dialog.export_wanted.connect(self.choose_file)
        self.dialog.left.connect(self.leave)
        self.dialog.preview_wanted.connect(self._look)
        self._look()  # what it begins with
        self.dialog.finished.connect(self._forget)
        self.dialog.show()

    @Slot()
    def choose_file(self) -> None:
        """Ask where the file goes."""
        dialog = self.dialog
        assert dialog is not None
        order, still, way = dialog.order(), dialog.still, dialog.way
        self._order = order
        whose = still.name if order.kind in ("picture", "grid") and still is not None else way.name if way else ""
        kind = {"sheet": " sheet", "numbers": f" {order.quantities[0]}", "grid": " grid"}.get(order.kind, "")
        proposed = str(Path(self._file_name(f"{whose}{kind}")).with_suffix(order.ending))
        words = ENDINGS[order.kind][order.ending]
        kinds = f"{words} (*{order.ending})"
        ask_file(dialog, "Export", proposed, kinds, (order.ending,), lambda path: self.write(path, order, still, way))

    def write(self, path: Path, order: Order, still: Still | None, way: Way | None) -> None:
        """Collect what it takes, and write it in a worker."""
        self._token = Token()
        if order.kind in ("picture", "grid"):
            assert still is not None
            self._window.bridge.in_background(
                lambda: write_still(path, order, still), self._done, self._not_written, "export"
            )
            return
        assert way is not None
        try:
            check_writable(path, *ENDINGS[order.kind])  # before the network is asked for anything
        except Refusal as refusal:
            self._not_written(refusal)
            return
        chosen = positions(way, order.every)
        samples, numbers = cells(way, order.alone), order.kind == "numbers"
        self._gathering = Gathering(self._window.bridge, way, chosen, order.quantities, samples, numbers, self)
        self._show("Looking at state", 0, len(chosen))
        self._gathering.progressed.connect(lambda done: self._show("Looking at state", done, len(chosen)))
        self._gathering.failed.connect(lambda words, details: self._not_written(Refusal(words, details)))
        self._gathering.finished.connect(lambda states: self._write_states(path, order, way, chosen, states))
        self._gathering.begin()

    def _write_states(self, path: Path, order: Order, way: Way, chosen: tuple[int, ...], states: list[State]) -> None:
        token, many = self._token, len(chosen) * (2 if order.there_and_back else 1)
        self._gathering = None
        self._show("Writing", 0, 0)

        def on_done(done: int) -> None:
            token.check()
            self._written.emit(done, many)

        def work() -> str | None:
            try:
                return write_states(path, order, way, chosen, states, on_done)
            except Cancelled:
                return None

        self._window.bridge.in_background(work, self._done, self._not_written, "export")

    @Slot()
    def _look(self) -> None:
        """Ask for what the page wants to show."""
        dialog = self.dialog
        of = None if dialog is None else dialog.previewed()
        if self._looking is not None and self._looking[1] == of:
            return
        self._stop_looking()
        if dialog is None or of is None or dialog.is_busy:
            return
        way, names, samples = of
        looking = Gathering(self._window.bridge, way, (way.current,), names, samples, False, self)
        looking.finished.connect(lambda states: self._looked(of, states[0]))
        looking.failed.connect(lambda words, _details: self._looked(of, words))
        self._looking = looking, of
        looking.begin()

    def _looked(self, of: object, found: State | str) -> None:
        self._looking = None
        if self.dialog is not None:
            self.dialog.show_state(of, found)

    def _stop_looking(self) -> None:
        if self._looking is not None:
            self._looking[0].leave()
            self._looking = None

    @Slot()
    def leave(self) -> None:
        """Write nothing more; an older file stays as it was."""
        self._token.cancel()
        if self._gathering is not None:
            self._gathering.leave()
            self._gathering = None
        self._say("The export was left. Nothing was written.")

    def _done(self, words: str | None) -> None:
        if words is None:
            return
        logger.info("exported: %s", words)
        self._say(words)
        if self.dialog is not None:
            self.dialog.set_idle()
            self.dialog.accept()

    def _not_written(self, error: Exception) -> None:
        self._gathering = None
        if self.dialog is not None:
            self.dialog.set_idle()
        if not isinstance(error, Refusal):
            logger.error("an export failed", exc_info=error)
            error = Refusal("The file could not be written. Name another place.", repr(error))
        self._window.show_error(str(error), error.details)

    @Slot(int, int)
    def _show_written(self, done: int, many: int) -> None:
        if self.dialog is not None and self.dialog.is_busy:
            self._show("Writing frame", done + 1, many)

    def _show(self, words: str, done: int, total: int) -> None:
        if self.dialog is not None:
            self.dialog.set_progress(words, done, total)

    @Slot(int)
    def _forget(self, _how: int) -> None:
        self._stop_looking()
        self.dialog = None

    def _say(self, words: str) -> None:
        self._window.status_line.set_hint(words)
