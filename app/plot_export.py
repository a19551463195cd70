"""The large plot as a file: SVG and PNG as it is seen, CSV with every digit of the tables."""

from __future__ import annotations

from pathlib import Path

from pyqtgraph.exporters import Exporter, ImageExporter
from PySide6.QtCore import QBuffer, QIODevice, QRectF
from PySide6.QtGui import QPainter
from PySide6.QtSvg import QSvgGenerator

from app import plot_files
from app.plot_files import PNG_SCALE
from app.widgets.large_plot import LargePlot
from core.errors import Refusal


def export(plot: LargePlot, path: Path) -> None:
    """Write what the plot shows, in the format of the path's ending. Raises Refusal; an older file stays then."""
    plot_files.write(path, {".svg": lambda: svg(plot), ".png": lambda: png(plot), ".csv": lambda: table(plot)})


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
    rows: list[list[str | float]] = [["t", *(f"{plot.table.axis} {curve.label}" for curve in plot.curves)]]
    rows += [
        [str(t), *(float(column[t]) if t < len(column) else "" for column in columns)]
        for t in range(max(map(len, columns), default=0))
    ]
    return plot_files.table(rows)
