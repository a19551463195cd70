"""Two stages that record what the window asks of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.stages.base import Stage
from app.state import AppState
from core.checkpoints.description import Answers

if TYPE_CHECKING:
    from app.bridge import Bridge


class Forward(Stage):
    key = "forward"
    title = "Forward"

    def __init__(self, state: AppState, bridge: Bridge) -> None:
        super().__init__(state)
        self.calls: list[object] = []
        self.right = QLabel("right of forward")
        self.bottom = QLabel("below forward")
        self.text = QLineEdit()
        self.button = QPushButton("press me")
        self.button.clicked.connect(lambda: self.calls.append("pressed"))
        column = QVBoxLayout(self.content)
        column.addWidget(self.text)
        column.addWidget(self.button)

    def right_widgets(self) -> Sequence[QWidget]:
        return (self.right,)

    def bottom_widgets(self) -> Sequence[QWidget]:
        return (self.bottom,)

    def drop_verbs(self, mime: QMimeData) -> str:
        return "noise it"

    def activate(self) -> None:
        self.calls.append("activate")
        self.hint_changed.emit("Drag the slider")

    def deactivate(self) -> None:
        self.calls.append("deactivate")

    def toggle(self) -> None:
        self.calls.append("toggle")

    def seek(self, steps: int) -> None:
        self.calls.append(steps)


class Denoise(Forward):
    key = "denoise"
    title = "Denoise"
    can: frozenset[str] = frozenset()

    @property
    def primary_action(self) -> QPushButton:
        return self.button

    @property
    def commands(self) -> frozenset[str]:
        return self.can

    def stop(self) -> None:
        self.calls.append("stop")

    def step(self) -> None:
        self.calls.append("step")

    def branch(self) -> None:
        self.calls.append("branch")

    def handle_folder(self, folder: Path) -> bool:
        self.calls.append(folder)
        return True

    def handle_classifier(self, path: Path, answers: Answers | None = None) -> bool:
        self.calls.append(("classifier", path, answers))
        return True


STAGES = (
    ("forward", "Forward", "tests.app.toy_stage:Forward"),
    ("denoise", "Denoise", "tests.app.toy_stage:Denoise"),
)
