"""The large plot as a file: SVG and PNG as it is seen, CSV with every digit of the tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from pyqtgraph.exporters import Exporter, ImageExporter
from PySide6.QtCore import QBuffer, QIODevice, QRectF
from PySide6.QtGui import QPainter
from PySide6.QtSvg import QSvgGenerator

from app.widgets.large_plot import LargePlot
from core.errors import Refusal
from core.files import check_writable, write_file

PNG_SCALE = 2
"""Pixels of the PNG for one on the screen, so that it can be printed."""

FORMATS: Mapping[str, str] = {
    ".svg": "Scalable picture (*.svg)",
    ".png": "Picture (*.png)",
    ".csv": "Table of numbers (*.csv)",
}


def export(plot: LargePlot, path: Path) -> None:
    """Write what the plot shows, in the format of the path's ending. Raises Refusal; an older file stays then."""
    check_writable(path, *FORMATS)
    make = {".svg": svg, ".png": png, ".csv": table}[path.suffix.lower()]
    content = make(plot)

    def write(stream: BinaryIO) -> None:
        stream.write(content)

    write_file(path, write)


def svg(plot: LargePlot) -> bytes:
    """Through Qt, which clips at the axes; neither it nor pyqtgraph's own exporter knows a gradient along a line."""
    view, area = plot.view, QRectF(plot.view.rect())
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    drawing = QSvgGenerator(QSvgGenerator.SvgVersion.Svg11)
    drawing.setOutputDevice(buffer)
    drawing.setSize(view.size())
    drawing.setViewBox(view.rect())
    drawing.setResolution(view.logicalDpiX())
    drawing.setTitle(plot.table.name)
    as_shapes = Exporter(view.scene())
    with plot.in_one_colour():
        painter = QPainter(drawing)
        as_shapes.setExportMode(True, {"painter": painter, "antialias": True, "resolutionScale": 1.0})
        try:
            painter.fillRect(area, view.backgroundBrush())
            view.scene().render(painter, area, area)
        finally:
            as_shapes.setExportMode(False)
            painter.end()
    return bytes(buffer.data().data())


def png(plot: LargePlot) -> bytes:
    exporter = ImageExporter(plot.view.scene())
    exporter.parameters()["width"] = PNG_SCALE * plot.view.width()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not exporter.export(toBytes=True).save(buffer, "PNG"):
        raise Refusal("The picture could not be made. Make the window smaller and try again.")
    return bytes(buffer.data().data())


def table(plot: LargePlot) -> bytes:
    """A row a timestep, a column a curve; floats as Python writes them, which reads back to the same bits."""
    columns = [plot.table.of(curve.schedule) for curve in plot.curves]
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["t", *(f"{plot.table.axis} {curve.label}" for curve in plot.curves)])
    for t in range(max(map(len, columns), default=0)):
        rows.writerow([t, *(repr(float(column[t])) if t < len(column) else "" for column in columns)])
    return text.getvalue().encode("utf-8")
