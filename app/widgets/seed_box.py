"""The seed of the noise, as a number that can be kept or drawn anew."""

from __future__ import annotations

import random

from PySide6.QtCore import QLocale, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QSpinBox, QWidget

from app.theme import GRID, font
from app.widgets.labels import label

MAX_SEED = 2**31 - 1


class SeedBox(QWidget):
    """The seed of the noise: typed, drawn anew, or locked.

    Unlocked, ``next()`` draws a new seed for each run; locked, it keeps the one shown, so that the same settings give
    the same picture. Where nothing runs there is nothing to lock: ``lockable`` False leaves the lock out.

    Signals: ``seed_changed(int)``, ``locked_changed(bool)``.
    """

    seed_changed = Signal(int)
    locked_changed = Signal(bool)

    def __init__(
        self,
        seed: int = 42,
        *,
        locked: bool = True,
        lockable: bool = True,
        tooltip: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        tooltip = tooltip or "The same seed gives the same noise ε on every machine."
        self._edit = QSpinBox()
        self._edit.setLocale(QLocale.c())
        self._edit.setGroupSeparatorShown(False)
        self._edit.setRange(0, MAX_SEED)
        self._edit.setValue(seed)
        self._edit.setKeyboardTracking(False)
        self._edit.setFont(font("body", numbers=True))
        self._edit.setMinimumWidth(10 * GRID)
        self._edit.lineEdit().setTextMargins(GRID // 2, 0, GRID // 2, 0)
        self._edit.lineEdit().setAcceptDrops(False)  # a dropped file belongs to the window
        self._new = QPushButton("New")
        self._lock = QCheckBox("Lock")
        self._lock.setChecked(locked)
        if not lockable:
            self._lock.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        self.named = label("Seed")
        self.named.setBuddy(self._edit)
        row.addWidget(self.named)
        row.addWidget(self._edit, 1)
        row.addWidget(self._new)
        row.addWidget(self._lock)
        self.setToolTip(tooltip)
        self.setAccessibleName("Seed")
        self._edit.setAccessibleName("Seed")
        self._new.setAccessibleName("New seed")
        self._new.setToolTip("Draw another seed")
        self._lock.setAccessibleName("Lock the seed")
        self._lock.setToolTip("Locked: every run uses this seed. Unlocked: every run draws a new one.")
        self.setFocusProxy(self._edit)
        self._edit.valueChanged.connect(self.seed_changed)
        self._lock.toggled.connect(self.locked_changed)
        self._new.clicked.connect(self._draw)

    def seed(self) -> int:
        return self._edit.value()

    def set_seed(self, seed: int) -> None:
        self._edit.setValue(seed)

    def locked(self) -> bool:
        return self._lock.isChecked()

    def set_locked(self, locked: bool) -> None:
        self._lock.setChecked(locked)

    def next(self) -> int:
        """The seed for a run that starts now."""
        if not self.locked():
            self._draw()
        return self.seed()

    @Slot()
    def _draw(self) -> None:
        self.set_seed(random.SystemRandom().randint(0, MAX_SEED))
