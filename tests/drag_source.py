"""Another program with a picture to drag away:  python drag_source.py url|pixels PICTURE

Says "ready" when it can be dragged from, and "copy" or "ignored" after each drop.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, QTimer, QUrl
from PySide6.QtGui import QDrag, QImage, QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel

TITLE = "Another program"
PLACE = (1360, 860)
"""Where its window lies, in pixels from the top left; 200×100 large."""
MIDDLE = (PLACE[0] + 100, PLACE[1] + 50)


class Source(QLabel):
    """Gives its picture away as a file's address or as pixels."""

    def __init__(self, kind: str, picture: Path) -> None:
        super().__init__(f"drag this ({kind})")
        self._kind = kind
        self._picture = picture
        self._dragging = False
        self.setWindowTitle(TITLE)
        self.setGeometry(*PLACE, 200, 100)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragging or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        self._dragging = True
        mime = QMimeData()
        if self._kind == "url":
            mime.setUrls([QUrl.fromLocalFile(str(self._picture))])
        else:
            mime.setImageData(QImage(str(self._picture)))
        drag = QDrag(self)
        drag.setMimeData(mime)
        action = drag.exec(Qt.DropAction.CopyAction)
        print("copy" if action is Qt.DropAction.CopyAction else "ignored", flush=True)
        self._dragging = False


def main() -> None:
    app = QApplication(sys.argv[:1])
    source = Source(sys.argv[1], Path(sys.argv[2]))
    source.show()
    QTimer.singleShot(0, lambda: print("ready", flush=True))
    app.exec()


if __name__ == "__main__":
    main()
