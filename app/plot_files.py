"""A plot as a file: which formats there are, how one is chosen and written."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from PySide6.QtCore import QBuffer, QIODevice, QObject, QRectF, Signal
from PySide6.QtGui import QImage, QPaintDevice, QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QFileDialog, QWidget

from app.exports.saving import ask_file
from app.widgets.drawn_plot import DrawnPlot, Table, cell
from core.errors import Refusal
from core.files import check_writable, write_file

PNG_SCALE = 2
"""Pixels of the PNG for one on the screen, so that it can be printed."""

FORMATS: Mapping[str, str] = {
    ".svg": "Scalable picture (*.svg)",
    ".png": "Picture (*.png)",
    ".csv": "Table of numbers (*.csv)",
}


class PlotSaver(QObject):
    """Saves plots where the person says.

    Signals: ``saved(Path)``; ``refused(message, details)``.
    """

    saved = Signal(object)
    refused = Signal(str, str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent

    def choose(self, plot: DrawnPlot, ending: str, subject: str = "") -> QFileDialog:
        """Ask where the file is to go; the window stays usable meanwhile. ``subject`` is whose plot it is where the
        plot itself does not know."""
        name, kinds = proposed(plot, ending, subject), FORMATS[ending]
        return ask_file(self._window, "Save the plot", name, kinds, (ending,), lambda path: self.save(plot, path))

    def save(self, plot: DrawnPlot, path: Path) -> bool:
        """Write it; False where that could not be, which ``refused`` says."""
        try:
            export(plot, path)
        except Refusal as refusal:
            self.refused.emit(str(refusal), refusal.details)
            return False
        self.saved.emit(path)
        return True


def proposed(plot: DrawnPlot, ending: str, subject: str = "") -> str:
    """The name of a file: what is plotted of what, "digits-loss.svg"."""
    words = re.sub(r"[^\w.]+", "-", f"{plot.subject or subject} {plot.file_name}").strip("-.")
    return f"{words or 'plot'}{ending}"


def export(plot: DrawnPlot, path: Path) -> None:
    """Write what the plot shows, in the format of the path's ending. Raises Refusal; an older file stays then."""
    make = {".svg": lambda: svg(plot), ".png": lambda: png(plot), ".csv": lambda: table(plot.table())}
    check_writable(path, *make)
    content = make[path.suffix.lower()]()

    def write_content(stream: BinaryIO) -> None:
        stream.write(content)

    write_file(path, write_content)


def svg(plot: DrawnPlot) -> bytes:
    size = plot.export_size()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    drawing = QSvgGenerator(QSvgGenerator.SvgVersion.Svg11)
    drawing.setOutputDevice(buffer)
    drawing.setSize(size)
    drawing.setViewBox(QRectF(0, 0, size.width(), size.height()))
    drawing.setResolution(plot.logicalDpiX())
    drawing.setTitle(plot.title)
    _paint(plot, drawing)
    return bytes(buffer.data().data())


def png(plot: DrawnPlot) -> bytes:
    image = QImage(plot.export_size() * PNG_SCALE, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(PNG_SCALE)
    _paint(plot, image)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not image.save(buffer, "PNG"):  # type: ignore[call-overload]  # the stubs ask for bytes, which it refuses
        raise Refusal("The picture could not be made. Make the window smaller and try again.")
    return bytes(buffer.data().data())


def table(rows: Table) -> bytes:
    """Floats as Python writes them, which reads back to the same bits; nothing where there is no number."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in rows:
        writer.writerow(map(cell, row))
    return text.getvalue().encode("utf-8")


def _paint(plot: DrawnPlot, device: QPaintDevice) -> None:
    painter = QPainter(device)
    try:
        plot.draw_file(painter)
    finally:
        painter.end()
