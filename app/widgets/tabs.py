"""A few pages of controls of which one is shown at a time, named by flat buttons above them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from app.theme import GRID


class Tabs(QWidget):
    """As high as the page shown. The Tab key goes along the names, then what stands at their right, then the page.

    Signals: ``current_changed(str)`` with the key of a page.
    """

    current_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons: dict[str, QToolButton] = {}
        self._pages: dict[str, QWidget] = {}
        self._corners: list[QWidget] = []
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._names = QHBoxLayout()
        self._names.setSpacing(GRID // 2)
        self._names.addStretch(1)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(GRID)
        self._column.addLayout(self._names)

    def add(self, key: str, title: str, page: QWidget, tooltip: str = "") -> None:
        """Another page; the first one is shown."""
        button = QToolButton()
        button.setText(title)
        button.setCheckable(True)
        button.setToolTip(tooltip)
        button.setAccessibleName(title)
        button.toggled.connect(self._toggled)
        self._group.addButton(button)
        self._names.insertWidget(len(self._pages), button)
        self._buttons[key], self._pages[key] = button, page
        self._column.addWidget(page)
        page.setVisible(False)
        if len(self._pages) == 1:
            button.setChecked(True)

    def add_corner(self, widget: QWidget) -> None:
        """Something that stands at the right end of the line of names."""
        self._names.addWidget(widget)
        self._corners.append(widget)

    def keys(self) -> tuple[str, ...]:
        return tuple(self._pages)

    def current(self) -> str:
        return next((key for key, button in self._buttons.items() if button.isChecked()), "")

    def set_current(self, key: str) -> None:
        self._buttons[key].setChecked(True)

    def key_of(self, widget: QWidget) -> str:
        """The page that a widget is, or stands in; "" for none."""
        pages = self._pages.items()
        return next((key for key, page in pages if page is widget or page.isAncestorOf(widget)), "")

    def set_title(self, key: str, title: str) -> None:
        """What is said of a page even while another is shown."""
        self._buttons[key].setText(title)

    def set_offered(self, key: str, is_offered: bool) -> None:
        """Whether a page can be chosen; where it was shown and cannot be any more, the first one is."""
        self._buttons[key].setVisible(is_offered)
        if not is_offered and self.current() == key:
            self.set_current(self.keys()[0])

    def offered(self) -> tuple[str, ...]:
        """The pages that can be chosen."""
        return tuple(key for key, button in self._buttons.items() if not button.isHidden())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._order_focus()

    def _order_focus(self) -> None:
        """By themselves widgets follow each other as they were made."""
        places = {widget: place for place, widget in enumerate(_chain(self))}
        ordered: list[QWidget] = []
        for group in (*self._buttons.values(), *self._corners, *self._pages.values()):
            within = [widget for widget in (group, *group.findChildren(QWidget)) if widget in places]
            ordered += sorted(within, key=places.__getitem__)
        for before, after in pairwise(ordered):
            QWidget.setTabOrder(before, after)

    @Slot(bool)
    def _toggled(self, is_on: bool) -> None:
        if is_on:
            current = self.current()
            for key, page in self._pages.items():
                page.setVisible(key == current)
            self.current_changed.emit(current)


def _chain(root: QWidget) -> Iterator[QWidget]:
    """What the Tab key goes through within a widget, from it on."""
    widget = root.nextInFocusChain()
    while widget is not None and widget is not root:
        is_stop = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None
        if is_stop and root.isAncestorOf(widget):
            yield widget
        widget = widget.nextInFocusChain()
