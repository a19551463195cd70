"""The end points of Morph: what is in place at first, what becomes of a drop, seeds, pictures and runs' samples."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QMimeData, QObject, Qt, Signal, Slot
from PySide6.QtGui import QCursor, QIcon, QPixmap
from PySide6.QtWidgets import QMenu

from app.incoming import sources
from app.mementos import Entry
from app.stages import morph_memory
from app.stages.morph_points import (
    adapted,
    bundled,
    first_label,
    first_look,
    picture_point,
    portrait,
    sample_point,
    seed_name,
    seed_point,
    unlike,
    warning,
)
from app.stages.morph_settings import MOST_ENDS, NAMES, EndPoint, PicturePoint
from app.stages.network_eye import takes_pictures
from app.state import AppState, Run, stage_of
from app.widgets.end_points import EndPoints
from app.widgets.rasters import to_image
from app.widgets.seed_box import MAX_SEED
from core.errors import Refusal
from core.images import OpenedImage, open_image
from core.messages import ModelInfo
from core.requests import Conversion, ImageEnd, MorphRequest, SampleRequest, SeedEnd
from resources import Bundled, samples

if TYPE_CHECKING:
    from app.bridge import Bridge

Pixels = NDArray[np.uint8]
NONE = "none"
MENU_ICON = 32


class MorphEnds(QObject):
    """The list of end points, and the cards that show it.

    Attributes: ``points``; ``cards``. Signals: ``changed()`` after the person changed an end point;
    ``failed(str, str)``, words and details where something could not be taken.
    """

    changed = Signal()
    failed = Signal(str, str)

    def __init__(self, state: AppState, bridge: Bridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state, self._bridge = state, bridge
        self.points: list[EndPoint] = []
        self._touched: set[int] = set()
        self._opened: dict[str, OpenedImage] = {}
        self.cards = EndPoints(NAMES)
        self.cards.seed_typed.connect(self._seed_typed)
        self.cards.seed_wanted.connect(self._seed_wanted)
        self.cards.picture_wanted.connect(self._picture_wanted)
        self.cards.label_chosen.connect(self._label_chosen)
        self.cards.removed.connect(self._removed)
        self.cards.bundled_opened.connect(self._offer_bundled)
        self.cards.menu_opened.connect(self._offer_samples)
        self.cards.dropped.connect(self._dropped)
        self.cards.added.connect(self._added)
        state.conversion_changed.connect(self._convert)

    # What there is

    @property
    def pictures(self) -> int:
        """How many end points are pictures."""
        return sum(isinstance(point.source, PicturePoint) for point in self.points)

    def images(self) -> list[OpenedImage]:
        return [point.source.image for point in self.points if isinstance(point.source, PicturePoint)]

    def portraits(self) -> Pixels | None:
        """Every end point as a picture, uint8 (n, H, W, C): a seed's is its noise."""
        shown = [portrait(point, self._state.model) for point in self.points]
        known = [picture for picture in shown if picture is not None]
        return np.stack(known) if known and len(known) == len(shown) else None

    def set_model(self, model: ModelInfo | None) -> None:
        """Another model: its own conversions and classes; what nobody chose is chosen anew."""
        if model is None:
            return
        if not self._touched:
            self.points = first_look(self._state, model)
        else:
            self.points = [adapted(self._state, point, model) for point in self.points]
        self._show()

    def entry(self) -> Entry:
        """The end points as one thing that is set: None while nobody has chosen any."""
        return Entry("end point", self._told, self._recall, (self.changed,), quiet=(self,))

    def _told(self) -> list[dict[str, object]] | None:
        return [morph_memory.told(point) for point in self.points] if self._touched else None

    def _recall(self, points: object) -> None:
        model = self._state.model
        if points is None:
            self._touched = set()
            self.set_model(model)
        else:
            self.points = morph_memory.read(points, self._state.pictures, model)
            self._touched = set(range(len(self.points)))
            self._show()

    def restore(self, request: MorphRequest) -> None:
        """Show the end points of a morph again, as far as its pictures are known, and as the open model takes them."""
        points, model = [], self._state.model
        labels = request.labels or (None,) * len(request.ends)
        for end, chosen in zip(request.ends, labels, strict=True):
            if isinstance(end, ImageEnd):
                sha256 = end.image.sha256
                image = self._opened.get(sha256) or self._state.pictures.get(sha256)
                if image is None:
                    return
                points.append(EndPoint(PicturePoint(image, end.image.conversion), chosen, image.name))
            else:
                points.append(EndPoint(end, chosen, seed_name(end)))
        is_of_another = model is not None and request.model != model.ref
        self.points = [adapted(self._state, point, model) for point in points] if model and is_of_another else points
        self._touched = set(range(len(points)))
        self._show()

    def show_frame(self, place: int, picture: Pixels) -> None:
        """The frame that a seed's end point has become, uint8 (H, W, C)."""
        if place < len(self.points) and isinstance(self.points[place].source, SeedEnd):
            self.cards.cards[place].thumbnail.set_picture(picture)

    # What the person does

    def next_place(self) -> int:
        """Which end point a picture that comes without a place becomes."""
        untouched = [place for place in range(len(self.points)) if place not in self._touched]
        if untouched:
            return untouched[0]
        return len(self.points) if len(self.points) < MOST_ENDS else 0

    def place_under_pointer(self) -> int | None:
        """The card that the mouse is over."""
        for place, card in enumerate(self.cards.cards):
            if card.isVisible() and card.rect().contains(card.mapFromGlobal(QCursor.pos())):
                return place
        return None

    def put_picture(self, image: OpenedImage, place: int | None = None) -> None:
        """Make a picture an end point: a given one, or the next."""
        model = self._state.model
        if model is None or not takes_pictures(model):
            self.failed.emit("This model takes no pictures: morph between seeds, or open an image model.", "")
            return
        self._put(self.next_place() if place is None else place, picture_point(self._state, image, model))

    @Slot(int, int)
    def _seed_typed(self, place: int, seed: int) -> None:
        self._put(place, seed_point(seed, self.points[place].label))

    @Slot(int)
    def _seed_wanted(self, place: int) -> None:
        self._put(place, seed_point(random.SystemRandom().randint(0, MAX_SEED), self.points[place].label))

    @Slot(int)
    def _picture_wanted(self, place: int) -> None:
        if self._state.image is None:
            self.failed.emit("There is no picture in the window. Open, paste or draw one on the left.", "")
        else:
            self.put_picture(self._state.image, place)

    @Slot(int, str)
    def _label_chosen(self, place: int, key: str) -> None:
        self._put(place, replace(self.points[place], label=None if key == NONE else int(key)))

    @Slot(int)
    def _removed(self, place: int) -> None:
        if len(self.points) > 2:
            del self.points[place]
            self._touched = {p - (p > place) for p in self._touched if p != place}
            self._show()
            self.changed.emit()

    @Slot()
    def _added(self) -> None:
        model = self._state.model
        if model is None or len(self.points) >= MOST_ENDS:
            return
        others = unlike(bundled(self._state, model), self.points, model)
        if self.pictures == len(self.points) and others:
            point = others[0]
        else:
            point = seed_point(self._state.seed + len(self.points), first_label(model))
        self._touched = set(range(len(self.points) + 1))
        self.points.append(point)
        self._show()
        self.changed.emit()

    @Slot(int, object)
    def _dropped(self, place: int, mime: QMimeData) -> None:
        try:
            source = sources(mime)[0]
        except Refusal as refusal:
            self.failed.emit(str(refusal), refusal.details)
            return
        self._bridge.in_background(source.open, lambda image: self._opened_for(image, place), self._not_opened)

    def _opened_for(self, image: OpenedImage, place: int) -> None:
        """It becomes the window's picture as well, and so how it is converted can be chosen."""
        self._state.set_image(image)
        self.put_picture(image, place)

    @Slot(object)
    def _convert(self, conversion: Conversion | None) -> None:
        """The person has another crop of the window's picture in mind, or wants it inverted."""
        image, model = self._state.image, self._state.model
        if image is None or model is None or conversion is None:
            return
        before = list(self.points)
        for place, point in enumerate(before):
            source = point.source
            if isinstance(source, PicturePoint) and source.image.sha256 == image.sha256:
                anew = picture_point(self._state, image, model)
                self.points[place] = replace(anew, label=point.label, name=point.name)
        if any(a.end != b.end for a, b in zip(before, self.points, strict=True)):
            self._show()
            self.changed.emit()
        else:
            self.points = before

    def _not_opened(self, error: Exception) -> None:
        if isinstance(error, Refusal):
            self.failed.emit(str(error), error.details)
        else:
            self.failed.emit("This picture cannot be opened. Save it in another format and try again.", repr(error))

    def _put(self, place: int, point: EndPoint) -> None:
        if place < len(self.points):
            self.points[place] = point
        else:
            self.points.append(point)
        self._touched.add(place)
        self._show()
        self.changed.emit()

    # Bundled pictures and samples of runs

    @Slot(int, object)
    def _offer_bundled(self, place: int, menu: QMenu) -> None:
        menu.clear()
        for sample in samples():
            action = menu.addAction(sample.name)
            picture = QPixmap(str(sample.path))
            action.setIcon(QIcon(picture.scaled(MENU_ICON, MENU_ICON, Qt.AspectRatioMode.KeepAspectRatioByExpanding)))
            action.triggered.connect(self._bundled_taker(place, sample))

    def _bundled_taker(self, place: int, sample: Bundled) -> Callable[[bool], None]:
        def take(_checked: bool = False) -> None:
            try:
                self._opened_for(open_image(sample.path, sample.name), place)
            except Refusal as refusal:
                self.failed.emit(str(refusal), refusal.details)

        return take

    @Slot(int, object)
    def _offer_samples(self, place: int, menu: QMenu) -> None:
        menu.clear()
        for run in reversed(self._state.runs.values()):
            if isinstance(run.request, SampleRequest) and run.state == "finished":
                self._offer_run(place, run, run.request, menu)
        if menu.isEmpty():
            menu.addAction("No run is finished yet: make one in Denoise").setEnabled(False)

    def _offer_run(self, place: int, run: Run, request: SampleRequest, menu: QMenu) -> None:
        kept = self._bridge.frame(run.job, run.steps)
        if kept is None:
            return
        kind = {"denoise": "Run", "invert": "Reconstruction"}.get(stage_of(request), "Run")
        of_run = menu.addMenu(f"{kind} {run.job}")
        for index, picture in zip(request.samples, kept.x_t, strict=False):
            action = of_run.addAction(f"Sample {index + 1}")
            side = to_image(picture).scaled(MENU_ICON, MENU_ICON)
            action.setIcon(QIcon(QPixmap.fromImage(side)))
            action.triggered.connect(self._taker(place, run, request, index, picture))

    def _taker(
        self, place: int, run: Run, request: SampleRequest, index: int, picture: Pixels
    ) -> Callable[[bool], None]:
        def take(_checked: bool = False) -> None:
            self._put(place, sample_point(self._state, run, request, index, picture))

        return take

    # Showing them

    def _show(self) -> None:
        self.cards.set_count(len(self.points))
        model = self._state.model
        options = {str(index): f"label {name}" for index, name in enumerate(model.labels)} if model is not None else {}
        if options and model is not None and model.null_label is not None:
            options = {NONE: "no label", **options}
        for card, point in zip(self.cards.cards, self.points, strict=False):
            if isinstance(point.source, SeedEnd):
                card.show_seed(point.source.seed, "" if point.source.count == 1 else point.name)
            else:
                self._opened[point.source.image.sha256] = point.source.image
                self._state.pictures[point.source.image.sha256] = point.source.image
                card.show_picture(point.name, "" if model is None else warning(point, model) or "")
            card.set_labels(options, NONE if point.label is None else str(point.label))
            card.thumbnail.set_picture(portrait(point, model), dimmed=isinstance(point.source, SeedEnd))
