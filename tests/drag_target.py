"""Another program that takes what is dropped on it:  python drag_target.py FOLDER

Says "ready" when something can be dropped, and after each drop the formats that came, as JSON; the picture's bytes are
then in FOLDER as "dropped.png", and a copy of the file that came as "file.png".
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel

TITLE = "A program to drop on"
PLACE = (1360, 860)
"""Where its window lies, in pixels from the top left; 200×100 large."""
MIDDLE = (PLACE[0] + 100, PLACE[1] + 50)


class Target(QLabel):
    """Takes PNG data and the address of a file."""

    def __init__(self, folder: Path) -> None:
        super().__init__("drop here")
        self._folder = folder
        self.setAcceptDrops(True)
        self.setWindowTitle(TITLE)
        self.setGeometry(*PLACE, 200, 100)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat("image/png"):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        mime = event.mimeData()
        (self._folder / "dropped.png").write_bytes(mime.data("image/png").data())
        files = [Path(url.toLocalFile()) for url in mime.urls()]
        for file in files:
            shutil.copy(file, self._folder / "file.png")
        said = {
            "formats": mime.formats(),
            "files": [str(file) for file in files],
            "copied": event.dropAction() is Qt.DropAction.CopyAction,
        }
        event.acceptProposedAction()
        print(json.dumps(said), flush=True)


def main() -> None:
    app = QApplication(sys.argv[:1])
    target = Target(Path(sys.argv[1]))
    target.show()
    QTimer.singleShot(0, lambda: print("ready", flush=True))
    app.exec()


if __name__ == "__main__":
    main()
