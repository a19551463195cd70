"""The page on which an export is put together: what it shows, how large, how fast, and in which format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from app.exports.plan import ENDINGS, Kind, Order, Still, cells, every_for, positions, refusals, seconds
from app.exports.ways import WORDS, Pixels, State, Way
from app.theme import GRID, PANEL_PADDING
from app.widgets.controls import Choice, PrimaryButton, align, label
from app.widgets.number_field import NumberField
from app.widgets.rasters import to_image
from core.recipe import Quantity
from core.render import grid, of_state

PREVIEW = 28 * GRID
KINDS: Mapping[Kind, str] = {
    "picture": "This picture",
    "grid": "Grid of the batch",
    "sheet": "Contact sheet",
    "film": "Film",
    "numbers": "Numbers",
}
BOTH = "x_t+x0_hat"
NO_PICTURE = "There is no picture here."
ONE_PICTURE = "There is one picture here."
NO_WAY = "Nothing here goes from state to state. Run something first, or choose a run in the history."
ONE_STATE = "There is one state so far."


class ExportDialog(QDialog):
    """Choices that are not about the kind of file chosen are hidden; what cannot be had is greyed with the reason.

    Attributes: the controls ``kind``, ``along``, ``quantity``, ``samples``, ``every``, ``columns``, ``zoom``, ``rate``,
    ``hold``, ``both_ways``, ``form``; ``summary``; ``export_button``, ``close_button``; ``progress``. Signals:
    ``export_wanted()``; ``left()``, what is being written is not wanted any more; ``preview_wanted()``, the state
    looked at is to be shown with other quantities (see ``show_state``).
    """

    export_wanted = Signal()
    left = Signal()
    preview_wanted = Signal()

    def __init__(self, still: Still | None, ways: Sequence[Way], order: Order, parent: QWidget | None = None) -> None:
        """Begins with what ``order`` says, as far as that can be had."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Export")
        self.still, self.ways = still, tuple(ways)
        self.is_busy = False
        self._seen: dict[object, Pixels | str] = {}
        """What was found out of states: their pictures, or why there are none."""
        self._make_controls(order)
        self._lay_out()
        self._begin_with(order)
        for choice in (self.kind, self.along, self.quantity, self.samples, self.form):
            choice.value_changed.connect(self._follow)
        for number in (self.every, self.columns, self.zoom, self.rate, self.hold):
            number.value_changed.connect(self._follow)
        self.both_ways.toggled.connect(self._follow)
        self.export_button.clicked.connect(self.export_wanted)
        self.close_button.clicked.connect(self.reject)
        self._follow()
        self.kind.setFocus()

    # What is chosen

    @property
    def way(self) -> Way | None:
        return self.ways[int(self.along.value())] if self.ways else None

    def order(self) -> Order:
        chosen: Sequence[Quantity]
        kind: Kind = self.kind.value()  # type: ignore[assignment]
        if self.quantity.value() == BOTH:
            chosen = ("x_t", "x0_hat")
        elif self.quantity.value() == "all" and self.way is not None:
            chosen = self.way.tensors
        else:
            chosen = (self.quantity.value(),)  # type: ignore[assignment]
        return Order(
            kind,
            self.form.value(),
            tuple(chosen),
            alone=self.samples.value() == "one",
            every=int(self.every.value()),
            zoom=int(self.zoom.value()),
            columns=int(self.columns.value()),
            milliseconds=max(1, round(1000 / self.rate.value())),
            hold=round(1000 * self.hold.value()),
            there_and_back=self.both_ways.isChecked(),
        )

    def previewed(self) -> tuple[Way, tuple[Quantity, ...], tuple[int, ...]] | None:
        """Of which way, in which quantities and samples, the state looked at is shown; None where it is none."""
        way, order = self.way, self.order()
        if way is None or order.kind in ("picture", "grid"):
            return None
        drawn = tuple(name for name in order.quantities if name in way.quantities)
        return way, drawn or way.quantities[:1], cells(way, order.alone)

    def show_state(self, of: object, found: State | str) -> None:
        """What ``previewed`` named, or why it cannot be shown."""
        if isinstance(found, str):
            self._seen[of] = found
        else:
            self._seen[of] = of_state(list(found.pictures.values()))
        self._preview_again()

    # While it is written

    def set_progress(self, words: str, done: int, total: int) -> None:
        """Show how far it has come; nothing else can be chosen meanwhile."""
        self.is_busy = True
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.summary.setText(f"{words} {done} of {total}" if total else words)
        self._show_busy()

    def set_idle(self) -> None:
        """It has ended, or was not begun."""
        self.is_busy = False
        self._show_busy()
        self._follow()

    def _show_busy(self) -> None:
        self._controls.setEnabled(not self.is_busy)
        self.export_button.setEnabled(not self.is_busy)
        self.progress.setVisible(self.is_busy)
        self.close_button.setText("Cancel" if self.is_busy else "Close")

    def reject(self) -> None:
        if self.is_busy:
            self.is_busy = False
            self.left.emit()
        super().reject()

    # Controls

    def _make_controls(self, order: Order) -> None:
        self.kind = Choice("What", KINDS, tooltip="What the file is to hold")
        for kind, why in self._missing().items():
            self.kind.refuse(kind, why)
        self.along = Choice(
            "Along", {str(index): way.along for index, way in enumerate(self.ways)}, tooltip="What the states follow"
        )
        self.quantity = Choice("Quantity", (), tooltip="Which quantity of each state")
        self.samples = Choice("Samples", (), tooltip="All samples of the batch, or the one looked at")
        self.every = NumberField(
            "Every k-th", 1, 1000, 1, tooltip="Take one of so many states; the first and the last always"
        )
        self.columns = NumberField("Columns", 1, 64, order.columns, tooltip="Pictures in a row of the contact sheet")
        self.zoom = NumberField(
            "Size", 1, 32, order.zoom, unit="×", tooltip="Pixels of the file for one of the picture, nearest neighbour"
        )
        self.rate = NumberField(
            "Speed", 1, 60, 1000 / order.milliseconds, unit="frames / s", tooltip="How many frames a second"
        )
        self.hold = NumberField(
            "Hold", 0, 10, order.hold / 1000, step=0.5, decimals=1, unit="s", tooltip="How long the last frame stays"
        )
        self.both_ways = QCheckBox("There and back")
        self.both_ways.setToolTip("A film that turns round at the end, and so has no jump when it begins again")
        self.both_ways.setChecked(order.there_and_back)
        self.form = Choice("Format", (), tooltip="Each carries its recipe: dropped on the window, it can be restored")
        self.summary = label("", "quiet")
        self.summary.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.hide()
        self.export_button = PrimaryButton("Export…", "Choose where the file goes, and write it (Enter)")
        self.close_button = QPushButton("Close")
        self.close_button.setToolTip("Leave without writing anything more (Esc)")
        self._preview = QLabel()
        self._preview.setFixedSize(PREVIEW, PREVIEW)
        self._preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._preview.setToolTip("The picture looked at, as it will be in the file")

    def _missing(self) -> Mapping[Kind, str]:
        """Why a kind of file cannot be had, "" where it can."""
        several = self.still is not None and len(self.still.pictures) > 1
        way = "" if any(len(way.captions) > 1 for way in self.ways) else ONE_STATE if self.ways else NO_WAY
        return {
            "picture": "" if self.still is not None else NO_PICTURE,
            "grid": "" if several else NO_PICTURE if self.still is None else ONE_PICTURE,
            "sheet": way,
            "film": way,
            "numbers": "" if self.ways else NO_WAY,
        }

    def _lay_out(self) -> None:
        self._controls = QWidget()
        column = QVBoxLayout(self._controls)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID)
        rows: tuple[QWidget, ...] = (self.kind, self.along, self.quantity, self.samples, self.every, self.columns)
        rows += (self.zoom, self.rate, self.hold, self.both_ways, self.form)
        for widget in rows:
            column.addWidget(widget)
        column.addStretch()
        align(rows)
        self._controls.setMinimumWidth(34 * GRID)
        self._controls.setMinimumHeight(44 * GRID)  # the same whatever is hidden, so that nothing jumps
        upper = QHBoxLayout()
        upper.setSpacing(2 * PANEL_PADDING)
        upper.addWidget(self._preview, 0, Qt.AlignmentFlag.AlignTop)
        upper.addWidget(self._controls, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID)
        said = QVBoxLayout()
        said.setSpacing(GRID // 2)
        said.addWidget(self.summary)
        said.addWidget(self.progress)
        buttons.addLayout(said, 1)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.export_button)
        self.export_button.setMinimumWidth(14 * GRID)
        self.export_button.setSizePolicy(self.close_button.sizePolicy())
        self.export_button.setDefault(True)
        self.close_button.setAutoDefault(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(2 * PANEL_PADDING, 2 * PANEL_PADDING, 2 * PANEL_PADDING, PANEL_PADDING)
        whole.setSpacing(PANEL_PADDING)
        whole.addLayout(upper)
        whole.addLayout(buttons)

    def _begin_with(self, order: Order) -> None:
        missing = self._missing()
        can = [kind for kind in KINDS if not missing[kind]]
        self.kind.set_value(order.kind if order.kind in can else can[0] if can else "picture")
        self._offer()
        chosen = "all" if order.kind == "numbers" and len(order.quantities) > 1 else "+".join(order.quantities)
        if chosen in self.quantity.options():
            self.quantity.set_value(chosen)
        if order.ending in self.form.options() and not self.form.refusal(order.ending):
            self.form.set_value(order.ending)

    # What follows

    @Slot()
    def _follow(self) -> None:
        self._offer()
        order, way = self.order(), self.way
        self.summary.setText(self._summary(order, way))
        self.export_button.setEnabled(not self.is_busy and not self.kind.refusal(order.kind))
        self._preview_again()

    def _preview_again(self) -> None:
        shown = self._shown()
        if shown is None or isinstance(shown, str):
            self._preview.setText(shown or "Being looked at.")
            return
        side = int(PREVIEW * self.devicePixelRatioF())
        image = to_image(shown)
        smooth = max(image.width(), image.height()) > side
        how = Qt.TransformationMode.SmoothTransformation if smooth else Qt.TransformationMode.FastTransformation
        pixmap = QPixmap.fromImage(image.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatio, how))
        pixmap.setDevicePixelRatio(self.devicePixelRatioF())
        self._preview.setPixmap(pixmap)

    def _offer(self) -> None:
        """Show what belongs to the kind of file, and of it what there is."""
        kind: Kind = self.kind.value()  # type: ignore[assignment]
        way = self.way
        is_way = kind in ("sheet", "film", "numbers") and way is not None
        self.form.set_options(ENDINGS[kind])
        for ending, why in refusals(kind).items():
            self.form.refuse(ending, why)
        if self.form.refusal(self.form.value()):
            self.form.set_value(next(ending for ending in self.form.options() if not self.form.refusal(ending)))
        if way is not None:
            self._offer_of(kind, way)
        shown = {
            self.along: is_way and len(self.ways) > 1,
            self.quantity: is_way,
            self.samples: is_way and way is not None and way.count > 1,
            self.every: is_way,
            self.columns: kind == "sheet",
            self.zoom: kind != "numbers",
            self.rate: kind == "film",
            self.hold: kind == "film",
            self.both_ways: kind == "film",
        }
        for widget, is_shown in shown.items():
            widget.setVisible(is_shown)

    def _offer_of(self, kind: Kind, way: Way) -> None:
        names: dict[str, str]
        if kind == "numbers":
            names = {name: WORDS[name] for name in way.tensors}
            if self.form.value() == ".safetensors" and len(names) > 1:
                names = {"all": ", ".join(names.values()), **names}
        else:
            names = {name: WORDS[name] for name in way.quantities}
            if len(way.quantities) > 1:
                names[BOTH] = "x_t and x̂₀ side by side"
        if tuple(names) != self.quantity.options():
            self.quantity.set_options(names)
        one = "the first alone" if way.cell is None else f"sample {way.cell + 1} alone"
        wanted = {"all": f"all {way.count}", "one": one}
        if not self.samples.options():
            self.samples.set_options(wanted)
            self.samples.set_value("all" if way.cell is None else "one")
        if self._of is not way:
            self._of = way
            self.every.set_value(every_for(way))

    _of: Way | None = None
    """The way whose number of states ``every`` was chosen for."""

    def _shown(self) -> Pixels | str | None:
        """What the file shows of the state looked at; None while the network is asked for it."""
        order, of = self.order(), self.previewed()
        if of is None:
            if self.still is None:
                return self.kind.refusal(order.kind)
            return self.still.pictures[self.still.cell] if order.kind == "picture" else grid(self.still.pictures)
        if of not in self._seen:
            way, names, chosen = of
            found = way.find(way.current, names, False)
            if found is None:
                self.preview_wanted.emit()
                return self._seen.get(of)
            self._seen[of] = of_state(list(found.cut(chosen, names, False).pictures.values()))
        return self._seen[of]

    def _summary(self, order: Order, way: Way | None) -> str:
        if self.kind.refusal(order.kind):
            return self.kind.refusal(order.kind)
        if order.kind in ("picture", "grid"):
            assert self.still is not None
            pictures = self.still.pictures
            height, width = (pictures[self.still.cell] if order.kind == "picture" else grid(pictures)).shape[:2]
            return f"{self.still.name}\n{width * order.zoom} × {height * order.zoom} pixels"
        assert way is not None
        states = len(positions(way, order.every))
        of = f"{way.name}\n{states} of {len(way.captions)} states"
        if order.kind == "film":
            return f"{of}, {seconds(order, states):.1f} s"
        return of
