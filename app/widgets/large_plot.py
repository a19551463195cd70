"""One table of several schedules over t, large: to read, to zoom and to take away.

pyqtgraph comes with this module and takes a moment: import it when the plot is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest

import numpy as np
import pyqtgraph as pg
from pyqtgraph.exporters import Exporter
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QPaintEngine, QPainter, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.theme import colour, font, palette, theme
from app.widgets.curves import SHOWN, Curve, pen, signal_pen
from app.widgets.drawn_plot import DrawnPlot
from app.widgets.drawn_plot import Table as Rows
from app.widgets.plot_tables import TABLES, PlotTable, Table
from app.widgets.schedule_quantities import between

FAR = 0.05
"""How far, as a share of T, one can look past the ends."""
CLOSE = 2.0
"""Timesteps across the plot when one cannot zoom in further."""


class LargePlot(DrawnPlot):
    """Curves, dots where a sampler visits the shown one, and the cursor t as a line that can be dragged.

    The wheel zooms, dragging pans, a click puts the cursor there. Attributes: ``view`` (pyqtgraph's own
    widget), ``plotted``, ``is_log``, ``curves``, ``t``. Signals: ``t_dragged(int)``, within 0..T-1.
    """

    t_dragged = Signal(int)
    file_margin = 0

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Large plot of the schedule", parent)
        self.on_panel = True
        self.view = pg.PlotWidget(enableMenu=False)
        self._item = self.view.plotItem
        self._box = self._item.getViewBox()
        self.plotted: PlotTable = TABLES["alpha_bar"]
        self.is_log = False
        self.curves: tuple[Curve, ...] = ()
        self.t = 0.0
        self._shown: Curve | None = None
        self._T = 1
        self._timesteps: tuple[int, ...] = ()
        self._lines: dict[str, pg.PlotDataItem] = {}
        self._dots = pg.PlotDataItem(pen=None, symbol="o", symbolSize=6, pxMode=True, antialias=True)
        self._here = pg.PlotDataItem(pen=None, symbol="o", symbolSize=9, pxMode=True, antialias=True)
        self._cursor = pg.InfiniteLine(0, angle=90, movable=True, label="t = {value:.0f}", labelOpts={"position": 0.04})
        self._legend = self._item.addLegend(offset=(-12, 12))
        self._dots.setZValue(3)
        self._cursor.setZValue(10)
        self._here.setZValue(11)
        for item in (self._dots, self._here, self._cursor):
            self._item.addItem(item, ignoreBounds=item is not self._dots)
        self._item.hideButtons()
        self._box.setDefaultPadding(0.04)
        self._item.showGrid(x=True, y=True, alpha=0.4)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it would scroll with the keys that move the cursor
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)  # the right button also zooms
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.view)
        self._cursor.sigDragged.connect(self._dragged)
        self.view.scene().sigMouseClicked.connect(self._clicked)
        theme().theme_changed.connect(self.restyle)
        self.restyle()

    def show_table(self, table: PlotTable, is_log: bool) -> None:
        """Another table, or another axis for it; the whole of it comes into sight."""
        self.plotted, self.is_log = table, is_log and table.has_log
        self._item.setLogMode(x=False, y=self.is_log)
        self.title = table.name
        self._item.setLabel("left", table.axis)
        self._draw()
        self.fit()

    def show_curves(self, curves: Sequence[Curve], shown: Curve, timesteps: Sequence[int]) -> None:
        """The curves to draw; ``shown`` (drawn or not) has the cursor and the timesteps that a sampler visits."""
        self.curves, self._shown, self._timesteps = tuple(curves), shown, tuple(timesteps)
        self._T = shown.schedule.T
        room = max(1.0, FAR * self._T)
        self._item.setLimits(xMin=-room, xMax=self._T - 1 + room, minXRange=min(CLOSE, float(self._T)))
        self._cursor.setBounds((0, self._T - 1))
        self._draw()

    def set_cursor(self, t: float) -> None:
        """Move the cursor without a signal; outside the schedule it waits at the end."""
        self.t = min(max(t, 0.0), self._T - 1.0)
        self._cursor.setValue(self.t)
        self._mark()

    def value(self, curve: Curve, t: float) -> float:
        """The table of a curve at t of the shown schedule; between two timesteps the straight line."""
        values = self.plotted.of(curve.schedule)
        return between(values, t * (len(values) - 1) / max(1, self._T - 1))

    def drawn(self, key: str) -> tuple[Table, Table]:
        """t and value of a curve as they are plotted (on a logarithmic axis without what is not above 0)."""
        t, value = self._lines[key].getOriginalDataset()
        return t, value

    def dots(self) -> tuple[Table, Table]:
        """t and value of the visited timesteps."""
        t, value = self._dots.getOriginalDataset()
        return (np.zeros(0), np.zeros(0)) if t is None else (t, value)

    def table(self) -> Rows:
        """A row a timestep, a column a curve; a shorter schedule ends sooner."""
        columns = [self.plotted.of(curve.schedule).tolist() for curve in self.curves]
        names = ("t", *(f"{self.plotted.axis} {curve.label}" for curve in self.curves))
        return [names, *((t, *row) for t, row in enumerate(zip_longest(*columns, fillvalue="")))]

    @property
    def file_name(self) -> str:
        return next(key for key, table in TABLES.items() if table is self.plotted)

    def export_size(self) -> QSize:
        size: QSize = self.view.size()
        return size

    def draw(self, painter: QPainter) -> None:
        """The scene as it is seen. Through Qt, which clips at the axes."""
        if not self.in_file:  # pyqtgraph does
            return
        view, area = self.view, QRectF(self.view.rect())
        as_shapes = Exporter(view.scene())
        with self._pens_for(painter):
            as_shapes.setExportMode(True, {"painter": painter, "antialias": True, "resolutionScale": 1.0})
            try:
                view.scene().render(painter, area, area)
            finally:
                as_shapes.setExportMode(False)

    @contextmanager
    def _pens_for(self, painter: QPainter) -> Iterator[None]:
        """Curves as wide on a finer device, and in a single colour where that cannot draw a gradient along a line; the
        cursor is of the moment."""
        before = {key: line.opts["pen"] for key, line in self._lines.items()}
        is_svg = painter.paintEngine().type() == QPaintEngine.Type.SVG
        for key, line in self._lines.items():
            plain = is_svg and key == SHOWN and self.plotted.falls_with_signal
            made = QPen(pen(SHOWN, colour("alpha_bar")) if plain else before[key])
            made.setWidthF(made.widthF() * painter.device().devicePixelRatioF())
            line.setPen(made)
        for item in (self._cursor, self._here):
            item.hide()
        try:
            yield
        finally:
            for item in (self._cursor, self._here):
                item.show()
            for key, line in self._lines.items():
                line.setPen(before[key])

    @Slot()
    def fit(self) -> None:
        """Bring everything into sight, and keep it there until the person zooms or pans."""
        self._item.enableAutoRange()

    @Slot()
    def restyle(self) -> None:
        """The colours of the scheme in force."""
        surfaces, quiet = palette(), QColor(palette().quiet)
        self.view.setBackground(surfaces.panel)
        for side in ("left", "bottom"):
            axis = self._item.getAxis(side)
            axis.setPen(QColor(surfaces.line))
            axis.setTextPen(quiet)
            axis.setTickFont(font("caption", numbers=True))
        self._item.setLabel("bottom", "t")
        self._item.setLabel("left", self.plotted.axis)
        for axis in (self._item.getAxis("left"), self._item.getAxis("bottom")):
            axis.label.setFont(font("body"))
            axis.label.setDefaultTextColor(QColor(surfaces.text))
        self._legend.setLabelTextColor(QColor(surfaces.text))
        self._legend.setLabelTextSize("9pt")
        self._legend.setBrush(QColor(surfaces.panel))
        self._legend.setPen(QColor(surfaces.line))
        yellow = colour("t")
        self._cursor.setPen(yellow, width=1.5)
        self._cursor.setHoverPen(yellow, width=3)
        self._cursor.label.setColor(yellow)
        self._cursor.label.fill = pg.mkBrush(surfaces.panel)
        self._cursor.label.setFont(font("body", numbers=True))
        self._here.setSymbolBrush(yellow)
        self._here.setSymbolPen(None)
        self._dots.setSymbolBrush(QColor(surfaces.text))
        self._dots.setSymbolPen(None)
        self._draw()

    def _draw(self) -> None:
        for line in self._lines.values():
            self._item.removeItem(line)
        self._lines = {curve.key: self._line(curve) for curve in self.curves}
        falls = bool(self.curves) and _falls(self.plotted.of(self.curves[0].schedule))
        self._legend.anchor((1, 0) if falls else (0, 0), (1, 0) if falls else (0, 0), (-12, 12) if falls else (12, 12))
        self._dots.setData(*self._visited())
        self._mark()

    def _visited(self) -> tuple[Table, Table]:
        if self._shown is None or SHOWN not in self._lines:
            return np.zeros(0), np.zeros(0)
        times = np.array([t for t in self._timesteps if 0 <= t < self._T], dtype=np.intp)
        return times.astype(np.float64), self._positive(self.plotted.of(self._shown.schedule))[times]

    def _line(self, curve: Curve) -> pg.PlotDataItem:
        coloured = curve.key == SHOWN and self.plotted.falls_with_signal
        line = self._item.plot(
            self._times(curve),
            self._positive(self.plotted.of(curve.schedule)),
            pen=signal_pen(curve.schedule) if coloured else pen(curve.key),
            name=curve.label,
            connect="finite",
            antialias=True,
        )
        line.setZValue(2 if curve.key == SHOWN else 1)
        return line

    def _mark(self) -> None:
        if self._shown is None or SHOWN not in self._lines:
            self._here.setData([], [])
            return
        value = self._positive(np.array([self.value(self._shown, self.t)]))
        there = np.isfinite(value)  # else it is nowhere on the axis
        self._here.setData(np.array([self.t])[there], value[there])

    def _times(self, curve: Curve) -> Table:
        """Schedules of another length are laid over the same width."""
        return np.linspace(0, self._T - 1, curve.schedule.T)

    def _positive(self, values: Table) -> Table:
        return np.where((values > 0 if self.is_log else np.isfinite(values)), values, np.nan)

    @Slot(object)
    def _dragged(self, line: pg.InfiniteLine) -> None:
        self._ask(float(line.value()))

    @Slot(object)
    def _clicked(self, event: object) -> None:
        if event.button() == Qt.MouseButton.RightButton:  # type: ignore[attr-defined]
            self.open_menu(event.screenPos().toPoint())  # type: ignore[attr-defined]
            return
        place: QPointF = event.scenePos()  # type: ignore[attr-defined]
        left = event.button() == Qt.MouseButton.LeftButton  # type: ignore[attr-defined]
        if left and self._box.sceneBoundingRect().contains(place):
            self._ask(self._box.mapSceneToView(place).x())

    def _ask(self, t: float) -> None:
        wanted = round(min(max(t, 0), self._T - 1))
        self.set_cursor(wanted)
        self.t_dragged.emit(wanted)


def _falls(values: Table) -> bool:
    return bool(values[-1] < values[0])
