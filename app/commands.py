"""What the commands of the window do: pictures and models in, panels, colours, help."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QObject, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFileDialog

from app.finding import Finding
from app.incoming import PICTURE_ENDINGS, Offer, Source, files, is_model, offer, offer_of, sources
from app.loader import Loader
from app.log import Log, logger
from app.opening import Opening, open_dialog
from app.own_keys import OwnKeys
from app.recent import Recent
from app.recipes import Recipes
from app.taking import Taking
from app.theme import SchemeName, theme
from app.widgets.controls import MAX_SEED
from app.widgets.drawn_plot import SaveWanted
from app.widgets.schedule_plots import SchedulePlots
from core.errors import Refusal
from core.images import OpenedImage
from core.recipe_files import SILENT
from resources import models, samples

if TYPE_CHECKING:
    from app.plot_window import PlotWindow
    from app.session import Session
    from app.stages.base import Stage
    from app.window import MainWindow

STAGE_COMMANDS = ("stop", "toggle", "step", "branch")


class Commands(QObject):
    """The handlers behind ``window.registry``. Attributes: ``loader``, ``taking``, ``opening``, ``recipes``,
    ``finding``, ``own_keys``, ``recent``."""

    def __init__(self, window: MainWindow, log: Log) -> None:
        super().__init__(window)
        self._window = window
        self._log = log
        self.loader = Loader(window.bridge, self)
        self.taking = Taking(window)
        self.recipes = Recipes(window)
        self.opening = Opening(window)
        self.finding = Finding(window)
        self._large: PlotWindow | None = None
        registry = window.registry
        self.own_keys = OwnKeys(registry, window.settings)
        registry.connect_to(
            {
                "open": self.choose_pictures,
                "quit": window.close,
                "paste": self.paste,
                "draw": self.draw,
                "run": self.run,
                "new_seed": self.new_seed,
                "left_panel": lambda: window.side_panels.toggle("left"),
                "right_panel": lambda: window.side_panels.toggle("right"),
                "large_plot": self.enlarge,
                "full_screen": self.full_screen,
                "scheme_system": lambda: self.set_scheme(None),
                "scheme_dark": lambda: self.set_scheme("dark"),
                "scheme_light": lambda: self.set_scheme("light"),
                "reset_layout": window.reset_layout,
                "keyboard": lambda: _help().keyboard_page(window, registry, self.own_keys),
                "report": lambda: _help().report_page(window, _help().report(window.state, log.last_error)),
                "open_log": self.open_log,
                "about": lambda: _help().about_page(window),
            }
            | {name: self._of_stage(name) for name in STAGE_COMMANDS}
            | {command.id: self._to_stage(command.id) for command in registry if command.group == "stage"}
        )
        registry["open_log"].setEnabled(log.path is not None)
        registry[f"scheme_{window.settings.scheme or 'system'}"].setChecked(True)
        self.recent = Recent(window)

        shown = window.sources
        shown.open_requested.connect(self.choose_pictures)
        shown.paste_requested.connect(self.paste)
        shown.drawn.connect(self._take)
        shown.gallery.chosen.connect(self.open_path)
        window.state.image_changed.connect(shown.set_image)
        self.loader.opened.connect(self._opened)
        self.loader.opened.connect(self.recipes.opened)
        self.loader.recognised.connect(self.recipes.offer)
        self.loader.thumbnail.connect(shown.gallery.set_thumbnail)
        self.loader.failed.connect(window.show_error)
        log.error.connect(window.show_error)
        self.list_pictures()

    # At start

    def begin(self, arguments: Sequence[str] = (), session: Session | None = None) -> bool:
        """After the first paint: a picture in place, a model on its way; what was asked for, else those of the last
        ``session``, else what is bundled. Whether a picture was asked for."""
        bundled = {model.name: model for model in models()}
        model = next((name for name in arguments if name in bundled or is_model(Path(name))), None)
        paths = [Path(name) for name in arguments if name != model]
        has_picture = self._begin_with(paths)
        if not has_picture and (session is None or not session.image):
            for sample in samples()[:1]:
                self.loader.open_now(Source(sample.path, sample.name))
        model = model or (None if session is None else self._model_of(session))
        if model is not None or bundled:
            self.open_model(model or next(iter(bundled)))
        self.loader.make_thumbnails(self._window.sources.gallery.wanting())
        self._window.interrupted.look()
        return has_picture

    def _model_of(self, session: Session) -> str | None:
        """What was worked with last, if it is still there."""
        opened = session.model
        if opened is None or not opened.folder:
            return None
        bundled = next((model.name for model in models() if model.path == Path(opened.folder)), None)
        if bundled is None and not Path(opened.folder).exists():
            self._window.told.tell(f"The model “{opened.name}” of the last session is not where it was.")
            return None
        return bundled or opened.folder

    def _begin_with(self, paths: Sequence[Path]) -> bool:
        if not paths:
            return False
        try:
            found = offer_of(paths)
            if found.kind == "classifier":
                self.opening.open_classifier(found.paths[0])
                return False  # the picture in place stays the bundled one
            if found.kind == "folder" and any(command.id == "stage_train" for command in self._window.registry):
                self._window.state.move(stage="train")
                return not self._window.stage.handle_folder(
                    found.paths[0]
                )  # the picture in place stays the bundled one
            if found.kind == "recipe":
                self.loader.open_recipe(found.paths[0])
                return False
            if found.kind == "session":
                self._window.sessions.files.open(found.paths[0])
                return False
            self.loader.open(files(found), offers=True)
        except Refusal as refusal:
            self._window.show_error(str(refusal), refusal.details)
            return False
        return True

    # Pictures

    def choose_pictures(self) -> None:
        endings = " ".join(f"*{ending}" for ending in (*PICTURE_ENDINGS, *SILENT, ".json"))
        words = f"Pictures, and files that say how they were made ({endings});;All files (*)"
        dialog = QFileDialog(self._window, "Open pictures", "", words)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self._open_names)
        open_dialog(dialog)

    @Slot(object)
    def open_path(self, path: Path) -> None:
        """Open a picture, a model's or a classifier's folder, the pictures of a folder, or a session."""
        self._open_paths((path,))

    def _open_paths(self, paths: Sequence[Path], offers: bool = False) -> None:
        self._window.stage.errors.dismiss()
        try:
            self.open_offer(offer_of(paths), offers)
        except Refusal as refusal:
            self._window.show_error(str(refusal), refusal.details)

    def paste(self) -> None:
        self.take(QGuiApplication.clipboard().mimeData() or QMimeData())  # there is none where it cannot be reached

    def take(self, mime: QMimeData) -> None:
        """Use what was dropped or pasted."""
        self._window.stage.errors.dismiss()
        try:
            found = offer(mime)
            if found.kind == "pictures":
                self.loader.open(sources(mime), offers=True)
            else:
                self.open_offer(found)
        except Refusal as refusal:
            self._window.show_error(str(refusal), refusal.details)

    def open_offer(self, found: Offer, offers: bool = False) -> None:
        """Open what was found; where it ``offers``, a picture that comes alone may bring its recipe."""
        if found.kind == "recipe":
            self.loader.open_recipe(found.paths[0])
        elif found.kind == "session":
            self._window.sessions.files.open(found.paths[0])
        elif found.kind == "model":
            self.open_model(str(found.paths[0]))
        elif found.kind == "classifier":
            self.opening.open_classifier(found.paths[0])
        elif found.kind == "pictures" or not self._window.stage.handle_folder(found.paths[0]):
            self.loader.open(files(found), offers)

    def draw(self) -> None:
        self._window.side_panels.show("left")
        self._window.sources.draw()

    @Slot(object, object)
    def _opened(self, image: OpenedImage, path: Path | None) -> None:
        height, width = image.pixels.shape[:2]
        logger.info("picture opened: %s, %d × %d", image.name, width, height)
        if path is not None and path not in {sample.path for sample in samples()}:
            self._window.settings.remember_picture(path)
            self.list_pictures()
            self._window.sources.gallery.set_thumbnail(path.absolute(), image.pixels)
        self._take(image)

    @Slot(object)
    def _take(self, image: OpenedImage) -> None:
        self._window.stage.handle_drop(image)

    @Slot(list)
    def _open_names(self, names: list[str]) -> None:
        self._open_paths([Path(name) for name in names], offers=True)

    def list_pictures(self) -> None:
        """In the gallery: the last ones opened, then those that come with the program."""
        recent = [(path.name, path) for path in self._window.settings.recent_pictures]
        self._window.sources.gallery.set_entries([*recent[:4], *((sample.name, sample.path) for sample in samples())])

    # Models

    def open_model(self, name_or_path: str, sha256: str = "") -> None:
        """Open a bundled model, a folder or a file of weights; where it can be several models, that of this hash."""
        self.opening.open(name_or_path, None, sha256)

    # Stage

    def run(self) -> None:
        button = self._window.stage.primary_action
        if button is not None:
            button.click()

    def new_seed(self) -> None:
        self._window.state.set_seed(random.SystemRandom().randint(0, MAX_SEED))

    @Slot()
    def follow_stage(self) -> None:
        """Enable what the stage can do at this moment."""
        can = self._window.stage.commands
        for name in STAGE_COMMANDS:
            self._window.registry[name].setEnabled(name in can)
        self._window.registry["run"].setEnabled(self._window.stage.primary_action is not None)
        plots = _plots_of(self._window.stage)
        self._window.registry["large_plot"].setEnabled(plots is not None)
        if plots is not None:
            plots.enlarge_requested.connect(self.enlarge, Qt.ConnectionType.UniqueConnection)
            if self._large is not None:
                self._large.follow(plots)

    def _of_stage(self, name: str) -> Callable[[], object]:
        return lambda: getattr(self._window.stage, name)()

    def _to_stage(self, command: str) -> Callable[[], object]:
        return lambda: self._window.state.move(stage=command.removeprefix("stage_"))

    # Window

    @Slot(str)
    def enlarge(self, table: str = "") -> None:
        """Show the stage's schedule in a window of its own; ``table`` by its key, "" leaves the one last chosen."""
        plots = _plots_of(self._window.stage)
        if plots is None:
            return
        if self._large is None:
            from app.plot_window import PlotWindow  # pyqtgraph takes a moment

            self._large = PlotWindow(self._window)
            self._large.destroyed.connect(self._forget_large)
        self._large.follow(plots)
        if table:
            self._large.enlarge(table)
        self._large.setWindowState(self._large.windowState() & ~Qt.WindowState.WindowMinimized)
        self._large.show()
        self._large.activateWindow()

    def save_plot(self, wanted: SaveWanted) -> None:
        """Ask where, and say in the status line or in the stage's error bar what came of it."""
        from app.plot_files import PlotSaver  # not needed before

        saver = PlotSaver(self._window)
        saver.saved.connect(lambda path: self._window.status_line.set_hint(f"Saved {path}"))
        saver.refused.connect(self._window.show_error)
        saver.choose(wanted.plot, wanted.ending, self._window.stage.subject).finished.connect(saver.deleteLater)

    def close_windows(self) -> None:
        """Close what was opened beside the window."""
        if self._large is not None:
            self._large.close()

    @Slot()
    def _forget_large(self) -> None:
        self._large = None

    def full_screen(self) -> None:
        self._window.setWindowState(self._window.windowState() ^ Qt.WindowState.WindowFullScreen)

    def set_scheme(self, scheme: SchemeName | None) -> None:
        self._window.settings.scheme = scheme
        theme().override(scheme)

    def open_log(self) -> None:
        if self._log.path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._log.path)))


def _plots_of(stage: Stage) -> SchedulePlots | None:
    return next((widget for widget in stage.right_widgets() if isinstance(widget, SchedulePlots)), None)


def _help() -> ModuleType:
    from app import help as pages  # not needed for the first paint

    return pages
