"""The card: panels around a stage, and a drop target that covers everything."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QCloseEvent,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QMainWindow,
    QSizePolicy,
    QStackedWidget,
    QWidget,
)

from app.actions import COMMANDS, Actions, Command, fill_menu_bar
from app.branch_steps import BranchSteps
from app.commands import Commands
from app.dropping import Dropping
from app.history_care import HistoryCare
from app.interrupted import Interrupted
from app.log import Log
from app.panels import (
    LEFT_WIDTH,
    RIGHT_WIDTH,
    SCROLL_BAR,
    Pages,
    column_of,
    headed,
    line,
    row_of,
    scrolled,
    surface,
)
from app.preparing import Preparation
from app.recalling import Recalling
from app.sessions import Sessions
from app.settings import Settings
from app.side_panels import SidePanels
from app.state import COMPARE, AppState, Cursor
from app.tab_row import tab_row
from app.theme import GRID, PANEL_PADDING
from app.undo import Undo, UndoActions
from app.widgets.drawn_plot import SaveWanted
from app.widgets.history import History
from app.widgets.offer_bar import OfferBar
from app.widgets.recipe_bar import RecipeBar
from app.widgets.run_search import RunSearch
from app.widgets.sources import Sources
from app.widgets.status import StatusLine
from core.messages import EngineState, Failed, Status

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.stages.base import Stage

STAGES: tuple[tuple[str, str, str], ...] = (
    ("forward", "Forward", "app.stages.forward:ForwardStage"),
    ("denoise", "Denoise", "app.stages.denoise:DenoiseStage"),
    ("invert", "Invert", "app.stages.invert:InvertStage"),
    ("morph", "Morph", "app.stages.morph:MorphStage"),
    ("train", "Train", "app.stages.train:TrainStage"),
    ("measure", "Measure", "app.stages.measure:MeasureStage"),
)
"""Key, title and class of each stage, in the order of their tabs; a stage is made when it is first shown."""

WHAT_STAGES_DO = {
    "forward": "A picture on its way into noise",
    "denoise": "A network's way from noise to a picture, step by step",
    "invert": "A picture's way up to its latent, and back",
    "morph": "From picture to picture, by way of their latents",
    "train": "A model of your own, from a folder of pictures",
    "measure": "How good a model is: bits, distances, and what decides between two",
}


class MainWindow(QMainWindow):
    """The window. Everything it shows derives from ``state``; all it asks goes through ``bridge``.

    Attributes: ``registry`` (all commands), ``commands`` (what they do), ``sources``, ``history``, ``left_panel``,
    ``right_panel``, ``bottom_panel``; lines above the stage: ``offer``, ``told`` (what only has to be said),
    ``recipe_bar``; ``side_panels``, ``dropping``, ``status_line``, ``preparation``, ``interrupted``, ``undo``,
    ``sessions``; of the history: ``run_search``, ``care``, ``recalling``. Signals: ``painted()`` once, after the first
    paint; ``stage_made(Stage)``.
    """

    painted = Signal()
    stage_made = Signal(object)

    def __init__(
        self,
        state: AppState,
        bridge: Bridge,
        *,
        settings: Settings | None = None,
        log: Log | None = None,
        stages: Sequence[tuple[str, str, str]] = STAGES,
    ) -> None:
        super().__init__()
        self._paths = {key: path for key, _title, path in stages} | {COMPARE: "app.stages.compare:CompareStage"}
        self.state = state
        self.bridge = bridge
        self.settings = settings or Settings()
        self._stages: dict[str, Stage] = {}
        self._active = False
        self._has_painted = False

        self.registry = Actions(self, (*(_stage_command(*found) for found in enumerate(stages, 1)), *COMMANDS))
        self.sources = Sources()
        self.history = History(state)
        self.run_search = RunSearch()
        self.left_panel = surface(QWidget())
        self.right_panel = Pages(spacing=2 * GRID, width=RIGHT_WIDTH)
        self.bottom_panel = Pages(spacing=GRID // 2)
        self.status_line = StatusLine(state)
        self.offer, self.told = OfferBar(), OfferBar()
        self.recipe_bar = RecipeBar()
        self.told.declined.connect(self.told.hide)
        self.undo = Undo(state, self)
        self.side_panels = SidePanels(self.left_panel, self.right_panel, self.settings, self.registry)
        self._centre = QStackedWidget()
        self._lay_out(stages)
        self.menus = fill_menu_bar(self.menuBar(), self.registry)
        UndoActions(self.undo, self.registry["undo"], self.registry["redo"])
        self.commands = Commands(self, log or Log(self))
        self.dropping = Dropping(self)

        self.setWindowTitle("Diffuscope")
        self.setMinimumSize(1024, 700)
        self.setAcceptDrops(True)
        if not self.restoreGeometry(self.settings.geometry):
            self.resize(1280, 800)
        self.side_panels.fit(self.width())
        self.side_panels.fold()
        state.cursor_changed.connect(self._follow)
        bridge.message.connect(self._receive)
        bridge.message.connect(self.history.receive)
        self.undo.model_wanted.connect(self.commands.open_model)
        self.preparation = Preparation(self)
        self.interrupted = Interrupted(self)
        self.care = HistoryCare(self)
        self.branch_steps = BranchSteps(self)
        self.recalling = Recalling(self)
        self.sessions = Sessions(self)
        state.status_changed.connect(self._prepare)
        self._follow(state.cursor)

    # Stages

    @property
    def stage(self) -> Stage:
        """The stage that is shown."""
        return cast("Stage", self._centre.currentWidget())

    def stages(self) -> tuple[Stage, ...]:
        """Those made so far."""
        return tuple(self._stages.values())

    @Slot(object)
    def _follow(self, cursor: Cursor) -> None:
        stage = self._stages.get(cursor.stage) or self._make_stage(cursor.stage)
        before = self._centre.currentWidget()
        if stage is before and self._active:
            return
        if self._active:
            cast("Stage", before).deactivate()
        self._active = True
        if cursor.stage != COMPARE:  # which lies over the stage it was called from
            self.registry[f"stage_{cursor.stage}"].setChecked(True)
        self._centre.setCurrentWidget(stage)
        self.right_panel.turn_to(cursor.stage, stage.right_widgets())
        self.bottom_panel.turn_to(cursor.stage, stage.bottom_widgets())
        self.status_line.set_hint("")
        stage.activate()
        self.commands.follow_stage()

    def _make_stage(self, key: str) -> Stage:
        module, _, name = self._paths[key].partition(":")
        stage: Stage = getattr(import_module(module), name)(self.state, self.bridge)
        self._stages[key] = stage
        self._centre.addWidget(stage)
        stage.hint_changed.connect(lambda words: self._hint(stage, words))
        stage.commands_changed.connect(self.commands.follow_stage)
        self.undo.watch(stage)
        self.stage_made.emit(stage)
        return stage

    def _hint(self, stage: Stage, words: str) -> None:
        """Of a stage that is not shown nobody wants to know what to press there."""
        if stage is self._centre.currentWidget():
            self.status_line.set_hint(words)

    @Slot(object)
    def _prepare(self, status: Status) -> None:
        """Import what is not shown yet once the engine has begun: nobody is to wait for it who turns to a stage."""
        if status.state is EngineState.IDLE:
            self.state.status_changed.disconnect(self._prepare)
            self.preparation.begin()

    @Slot(object)
    def _receive(self, message: object) -> None:
        if isinstance(message, Failed) and message.job is None:
            self.sources.models.give_up()
            self.show_error(message.message, message.details)

    @Slot(str, str)
    def show_error(self, message: str, details: str = "") -> None:
        """Say in the stage that is shown what went wrong."""
        if self._active:
            self.stage.errors.show_error(message, details)

    def reset_layout(self) -> None:
        self.settings.forget_layout()
        self.showNormal()
        self.resize(1280, 800)
        self.side_panels.reset()

    # Events

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.side_panels.fit(event.size().width())
        if self._has_painted:
            self.sessions.change()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(250, self, self._say_painted)  # where the platform never asks for a paint

    @Slot()
    def _say_painted(self) -> None:
        if not self._has_painted:
            self._has_painted = True
            self.painted.emit()

    def keep_layout(self) -> None:
        """Remember where the window is and what is unfolded in it."""
        if not self.isFullScreen():
            self.settings.geometry = self.saveGeometry()
        self.settings.save()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.keep_layout()
        self.preparation.stop()
        for stage in self._stages.values():
            stage.deactivate()
        self.commands.close_windows()
        self.bridge.close()
        super().closeEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.UpdateRequest and not self._has_painted:
            QTimer.singleShot(0, self, self._say_painted)
        # A single key that is a shortcut must still press the button or open the list that has the focus.
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            focus = self.focusWidget()
            keys: tuple[int, ...] = (Qt.Key.Key_Space,) if isinstance(focus, (QAbstractButton, QComboBox)) else ()
            if event.key() in keys and not event.modifiers():
                event.accept()
                return True
        return super().event(event)

    def customEvent(self, event: QEvent) -> None:
        if isinstance(event, SaveWanted):
            self.commands.save_plot(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if steps:
            self.stage.seek(steps * (10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1))
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        keyboard = event.reason() == QContextMenuEvent.Reason.Keyboard
        over = self.focusWidget() if keyboard else self.childAt(self.mapFromGlobal(event.globalPos()))
        menus = (self.commands.taking.menu, self.care.menu)
        if all(menu(over, event.globalPos()) is None for menu in menus):
            super().contextMenuEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self.dropping.enter(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self.dropping.move(event)

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self.dropping.leave()

    def dropEvent(self, event: QDropEvent) -> None:
        self.dropping.drop(event)

    # Layout

    def _lay_out(self, stages: Sequence[tuple[str, str, str]]) -> None:
        self.left_panel.setFixedWidth(LEFT_WIDTH)
        self.right_panel.setFixedWidth(RIGHT_WIDTH)
        self.bottom_panel.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.history.setMinimumHeight(12 * GRID)
        small = {"Compare": "compare", "Find": "find_run", "★": "starred_only"}
        above = headed("History", {words: self.registry[name] for words, name in small.items()})
        inside = column_of(self.sources, above, self.run_search, self.history, spacing=GRID)
        inside.setContentsMargins(PANEL_PADDING, PANEL_PADDING, PANEL_PADDING - SCROLL_BAR, GRID)
        column_of(scrolled(inside, LEFT_WIDTH), into=self.left_panel)
        tabs = tab_row(self.registry, [key for key, _title, _path in stages])
        upper = row_of(
            column_of(tabs, line(), self.offer, self.told, self.recipe_bar, self._centre),
            self.side_panels.edges["right"],
            self.right_panel,
        )
        stage_over_transport = column_of(upper, line(), self.bottom_panel)
        self.setCentralWidget(row_of(self.left_panel, self.side_panels.edges["left"], stage_over_transport))
        self.setStatusBar(self.status_line)


def _stage_command(place: int, stage: tuple[str, str, str]) -> Command:
    key, title, _path = stage
    return Command(f"stage_{key}", "View", title, WHAT_STAGES_DO[key], f"Ctrl+{place}", True, "stage")
