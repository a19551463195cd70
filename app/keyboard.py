"""All keys on one page: found, read, and given to other commands."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.actions import KEYS_WITHOUT_COMMAND, MENUS, Actions
from app.own_keys import OwnKeys
from app.theme import GRID, font, palette
from app.widgets.controls import label

COMMAND = Qt.ItemDataRole.UserRole
EVERYWHERE = "Everywhere"
CHOOSE = "Choose a command to give it other keys."


class KeyboardPage(QWidget):
    """A line to search in, every command with its keys, and below them what gives the chosen one others."""

    def __init__(self, actions: Actions, own: OwnKeys, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._actions, self._own = actions, own
        self._items: dict[str, QTreeWidgetItem] = {}
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search commands and keys")
        self.search.setAccessibleName("Search commands and keys")
        self.search.setClearButtonEnabled(True)
        self.list = QTreeWidget()
        self.list.setAccessibleName("Commands and their keys")
        self.list.setHeaderLabels(["Command", "Keys", "What it does"])
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setRootIsDecorated(False)
        self.list.setItemsExpandable(False)
        self.list.setIndentation(GRID)
        self.keys = QKeySequenceEdit()
        self.keys.setMaximumSequenceLength(1)
        self.keys.setAccessibleName("New keys")
        self.keys.setToolTip("Press the keys that the chosen command should have")
        self.keys.setFixedWidth(18 * GRID)
        self.give = QPushButton("Set")
        self.give.setToolTip("Give these keys to the chosen command; who has them loses them")
        self.none = QPushButton("None")
        self.none.setToolTip("The chosen command has no keys")
        self.default = QPushButton("Default")
        self.default.setToolTip("The keys that the chosen command comes with")
        self.all_defaults = QPushButton("All defaults")
        self.all_defaults.setToolTip("Every command has the keys it comes with")
        self.words = label(CHOOSE, "quiet")
        self._lay_out()
        self._fill()
        self.search.textChanged.connect(self._seek)
        self.list.currentItemChanged.connect(self._follow)
        self.keys.keySequenceChanged.connect(self._follow)
        self.give.clicked.connect(self._give)
        self.none.clicked.connect(self._take_away)
        self.default.clicked.connect(self._reset)
        self.all_defaults.clicked.connect(self._reset_all)
        self._follow()

    def choose(self, command: str) -> None:
        """Make a command, by its id, the one that is given keys."""
        self.list.setCurrentItem(self._items[command])

    @property
    def chosen(self) -> str | None:
        """The id of the command that is given keys."""
        item = self.list.currentItem()
        found = None if item is None or item.isHidden() else item.data(0, COMMAND)
        return found if isinstance(found, str) else None

    def _fill(self) -> None:
        groups = {menu: self._group(menu) for menu in (*MENUS, EVERYWHERE)}
        for command in self._actions:
            menu, _, under = command.menu.partition("/")
            words = self._actions.text(command.id)
            item = QTreeWidgetItem(groups[menu], [f"{under}: {words}" if under else words, "", command.tooltip])
            item.setData(0, COMMAND, command.id)
            self._items[command.id] = item
        for keys, text in KEYS_WITHOUT_COMMAND.items():
            item = QTreeWidgetItem(groups[EVERYWHERE], ["", keys, text])
            item.setToolTip(2, text)
        self.list.expandAll()
        self._show_keys()

    def _group(self, title: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem(self.list, [title])
        item.setFirstColumnSpanned(True)
        item.setFont(0, font("body", bold=True))
        item.setFlags(Qt.ItemFlag.ItemIsEnabled)
        return item

    def _show_keys(self) -> None:
        for command, item in self._items.items():
            keys = QKeySequence(self._actions.keys(command)).toString(QKeySequence.SequenceFormat.NativeText)
            changed = self._own.is_changed(command)
            item.setText(1, keys or ("none" if changed else ""))
            item.setFont(1, font("body", bold=changed))
            item.setForeground(2, QColor(palette().quiet))
            item.setToolTip(1, "Changed" if changed else "")
            item.setToolTip(2, item.text(2))
        self.all_defaults.setEnabled(any(map(self._own.is_changed, self._items)))

    @Slot(str)
    def _seek(self, typed: str) -> None:
        words = typed.lower().split()
        for index in range(self.list.topLevelItemCount()):
            group = self.list.topLevelItem(index)
            assert group is not None
            shown = 0
            for row in range(group.childCount()):
                item = group.child(row)
                assert item is not None
                text = " ".join(item.text(column) for column in range(3)).lower()
                item.setHidden(not all(word in text for word in words))
                shown += not item.isHidden()
            group.setHidden(not shown)
        self._follow()

    @Slot()
    def _follow(self) -> None:
        """Say what can be done with the command chosen and the keys typed."""
        command, keys = self.chosen, self._typed()
        obstacle = "" if command is None or not keys else self._own.obstacle(command, keys)
        holder = self._actions.holder(keys)
        can_be_taken = holder is not None and holder != command
        self.keys.setEnabled(command is not None)
        self.give.setEnabled(command is not None and bool(keys) and (not obstacle or can_be_taken))
        self.none.setEnabled(command is not None and bool(self._actions.keys(command)))
        self.default.setEnabled(command is not None and self._own.is_changed(command))
        if command is None:
            self.words.setText(CHOOSE)
        elif obstacle:
            self.words.setText(f"{obstacle} Set takes them from it." if can_be_taken else obstacle)
        else:
            self.words.setText(f"For “{self._actions.text(command)}”.")

    def _typed(self) -> str:
        return self.keys.keySequence().toString(QKeySequence.SequenceFormat.PortableText)

    @Slot()
    def _give(self) -> None:
        if self.chosen is not None:
            self._own.set(self.chosen, self._typed())
            self._changed()

    @Slot()
    def _take_away(self) -> None:
        if self.chosen is not None:
            self._own.set(self.chosen, "")
            self._changed()

    @Slot()
    def _reset(self) -> None:
        if self.chosen is not None:
            self._own.reset(self.chosen)
            self._changed()

    @Slot()
    def _reset_all(self) -> None:
        self._own.reset_all()
        self._changed()

    def _changed(self) -> None:
        self.keys.clear()
        self._show_keys()
        self._follow()

    def _lay_out(self) -> None:
        header = self.list.header()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        row = QHBoxLayout()
        row.setSpacing(GRID)
        for widget in (self.keys, self.give, self.none, self.default):
            row.addWidget(widget)
        row.addWidget(self.words, 1)
        row.addWidget(self.all_defaults)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        column.addLayout(row)
