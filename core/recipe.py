"""A result's recipe: the whole request behind a picture, and what of it the picture shows. No tensor here.

A recipe travels in the file's metadata (``core.recipe_files``) and is a stranger's data when it is read: bounded and
validated before it is believed. It names models and pictures by the hash of their content, and no path.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from core import codec, recipe_files
from core.errors import Refusal
from core.morph_plan import places
from core.request_words import printable, sentence
from core.requests import (
    SCHEMA,
    ClassifierSpec,
    FromImage,
    FromLatent,
    FromMorph,
    FromStep,
    ImageEnd,
    ImageRef,
    InspectImage,
    InvertRequest,
    ModelRef,
    MorphRequest,
    NoiseRequest,
    SampleRequest,
)
from core.training.draw_request import TrainingDraw
from core.version import VERSION

MAX_BYTES = recipe_files.MAX_BYTES
PROGRAM = f"Diffuscope {VERSION}"

Quantity = Literal["x_t", "x0_hat", "eps", "eps_hat", "difference", "gradient", "score"]
Layout = Literal["picture", "grid", "sheet", "table", "film", "values"]
Request = SampleRequest | InvertRequest | MorphRequest | NoiseRequest | InspectImage | TrainingDraw
KINDS: tuple[type[Request], ...] = (
    SampleRequest,
    InvertRequest,
    MorphRequest,
    NoiseRequest,
    InspectImage,
    TrainingDraw,
)


@dataclass(frozen=True, slots=True)
class SignedMap:
    """How signed numbers became colours: ``low``, ``zero`` and ``high`` (RGB) at -limit, 0 and limit."""

    limit: float
    low: tuple[int, int, int]
    zero: tuple[int, int, int]
    high: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Shown:
    """What of its run a file shows: ``quantity`` at state ``step`` of the walk (0 = where it begins),
    ``as_walked`` where it is what the walk itself saw on its way and not what the network sees when it is asked again.

    ``cells`` are samples of the run by their place in its batch, frames of a morph, pictures of an inversion or
    timesteps of a forward process; empty for all. The layout is one "picture", a "grid" in ``columns`` (0: as square
    as it can be), a "sheet" with the ``names`` below its pictures, a "table" of them with the ``names`` above its
    columns and the ``row_names`` left of its rows, a "film" of them (each ``milliseconds`` long, the
    last ``hold`` longer), or the "values" themselves. ``zoom`` is the side of a pixel. ``signed`` tells the colours of
    signed quantities; ``normalised``, that the extremes became black and white.

    Where there are ``steps``, the pictures of sheet and film are the run at these states, each a grid of its cells,
    with that of another quantity ``beside`` it where one is named. Samples of a training have one of ``steps`` for each
    of the moments of training that they were drawn ``after``. Where it goes ``onward``, steps beyond the end of a
    request are those of the next of the rows, which begins where that one ends.
    """

    quantity: Quantity = "x_t"
    step: int = 0
    cells: tuple[int, ...] = ()
    layout: Layout = "picture"
    columns: int = 0
    zoom: int = 1
    names: tuple[str, ...] = ()
    milliseconds: int = 100
    there_and_back: bool = False
    signed: SignedMap | None = None
    as_walked: bool = False
    normalised: bool = False
    steps: tuple[int, ...] = ()
    beside: Quantity | None = None
    hold: int = 0
    row_names: tuple[str, ...] = ()
    onward: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """The ``request`` that made a result, what of it is ``shown``, and the requests of further ``rows`` where the
    result is a sheet of several runs. ``program`` is the version that made it."""

    request: Request
    shown: Shown = Shown()
    rows: tuple[Request, ...] = ()
    program: str = PROGRAM

    @property
    def requests(self) -> tuple[Request, ...]:
        return (self.request, *self.rows)

    @property
    def sentence(self) -> str:
        """What a person may read in the file."""
        return f"{sentence(self.request)} Made with {printable(self.program)}."

    def of_cell(self, index: int) -> Recipe:
        """The recipe of one of the pictures shown, by its place among them."""
        cells = self.shown.cells
        one = (cells[index] if cells else index,)
        return replace(self, shown=replace(self.shown, cells=one, layout="picture", steps=(), beside=None))


def to_text(recipe: Recipe) -> str:
    """A recipe as one line of JSON in ASCII."""
    data = {"program": recipe.program, "schema": SCHEMA, **codec.to_json(recipe)}
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def read_recipe(source: Path | bytes) -> Recipe | None:
    """The recipe that a PNG, GIF or WebP carries, or that lies beside numbers or a video as ``<name>.json``; None
    where there is none. Nothing but metadata is read, and no picture is decoded.

    Raises Refusal where there is one that cannot be read: damaged, of a newer schema, or beyond all measure.
    """
    text = recipe_files.find_text(source)
    return None if text is None else from_text(text)


def from_text(text: str) -> Recipe:
    """The recipe of a text that ``to_text`` wrote, or of any request as JSON: alone, as the commands print it
    (``request``, ``requests``), or with the ``kind`` of its class. Raises Refusal."""
    if len(text) > MAX_BYTES:
        raise Refusal("This recipe is larger than any can be.")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refusal("This recipe is damaged: it is not valid JSON.", repr(error)) from error
    if not isinstance(data, dict):
        raise Refusal("This is not a recipe: a recipe is a JSON object.")
    try:
        return _from_json(data)
    except RecursionError as error:
        raise Refusal("This recipe is nested deeper than any can be.") from error


def _from_json(data: dict[str, Any]) -> Recipe:
    if "shown" in data:
        recipe = codec.from_json(Recipe, {name: value for name, value in data.items() if name != "about"})
    elif isinstance(data.get("request"), dict):
        recipe = of_request(_bare(data["request"]))
    elif isinstance(data.get("requests"), list) and data["requests"]:
        first, *others = map(_bare, data["requests"][: codec.MAX_LENGTHS["rows"]])
        recipe = replace(of_request(first), rows=tuple(others))
    else:
        recipe = of_request(_bare(data))
    return recipe


def of_request(request: Request, rows: Sequence[Request] = ()) -> Recipe:
    """The recipe of all that a request comes to: its end, in one picture."""
    if isinstance(request, MorphRequest):
        closed = request.layout == "edges" and len(request.ends) > 2
        shown = Shown(step=request.steps, layout="grid", columns=request.frames - closed)
    elif isinstance(request, NoiseRequest):
        shown = Shown(layout="grid", columns=len(request.timesteps))
    elif isinstance(request, InspectImage):
        shown = Shown("x0_hat")
    else:
        shown = Shown(step=request.steps, layout="grid")
    return Recipe(request, shown, tuple(rows))


def check_cells(recipe: Recipe) -> None:
    """Raise Refusal where samples, pictures or frames are shown that the runs of the recipe have not."""
    last = max(recipe.shown.cells, default=-1)
    for request in recipe.requests:
        match request:
            case SampleRequest():
                count, what = len(request.samples), "sample"
            case InvertRequest():
                count, what = len(request.images), "picture"
            case MorphRequest():
                count, what = len(places(request)), "frame"
            case TrainingDraw():
                count, what = request.count, "sample"
            case _:
                continue
        if last >= count:
            have = f"{count} {what}{'s' if count != 1 else ''}"
            raise Refusal(f"The recipe shows {what} {last + 1}, but its run has only {have}.")


def as_values(recipe: Recipe) -> Recipe:
    """The recipe of the same as an array."""
    return replace(recipe, shown=replace(recipe.shown, layout="values"))


def as_film(recipe: Recipe, milliseconds: int, *, zoom: int = 1, there_and_back: bool = False, hold: int = 0) -> Recipe:
    """The recipe of the same pictures one after the other."""
    shown = replace(recipe.shown, layout="film", milliseconds=milliseconds, zoom=zoom, there_and_back=there_and_back)
    return replace(recipe, shown=replace(shown, hold=hold))


def as_sheet(recipe: Recipe, names: Sequence[str], columns: int, zoom: int) -> Recipe:
    """The recipe of the same with names below the pictures."""
    shown = replace(recipe.shown, layout="sheet", names=tuple(names), columns=columns, zoom=zoom)
    return replace(recipe, shown=shown)


def as_table(recipe: Recipe, columns: Sequence[str], rows: Sequence[str], zoom: int) -> Recipe:
    """The recipe of the same with names above columns and left of rows."""
    shown = replace(recipe.shown, layout="table", names=tuple(columns), columns=len(columns), zoom=zoom)
    return replace(recipe, shown=replace(shown, row_names=tuple(rows)))


def in_columns(recipe: Recipe, columns: int | None) -> Recipe:
    """The recipe of the same as a grid of so many columns; None: as square as it can be."""
    return replace(recipe, shown=replace(recipe.shown, layout="grid", columns=columns or 0))


def _bare(data: object) -> Request:
    """A request without the name of its class, which its fields tell."""
    if not isinstance(data, dict):
        raise Refusal("This is not a request: a request is a JSON object.")
    kinds = {kind.__name__: kind for kind in KINDS}
    name = data.get("kind")
    if name is None:
        name = next((kind for kind, field in _TELLING if field in data), "")
    if not isinstance(name, str) or name not in kinds:
        raise Refusal("This is no request that can be run: it samples, inverts, morphs or noises nothing.")
    fields = {key: value for key, value in data.items() if key != "kind"}
    request: Request = codec.from_json(kinds[name], fields)
    return request


_TELLING = (
    ("TrainingDraw", "training"),
    ("MorphRequest", "ends"),
    ("InvertRequest", "images"),
    ("InspectImage", "t"),
    ("NoiseRequest", "image"),
    ("SampleRequest", "sampler"),
)


def models_of(request: Request) -> tuple[ModelRef, ...]:
    """The diffusion models that a request names, each once, the first its own."""
    return tuple(dict.fromkeys(found for found in _named(request) if isinstance(found, ModelRef)))


def classifiers_of(request: Request) -> tuple[ModelRef, ...]:
    """The classifiers that guide a request, or the runs it goes on from."""
    return tuple(dict.fromkeys(found.model for found in _named(request) if isinstance(found, ClassifierSpec)))


def images_of(request: Request) -> tuple[ImageRef, ...]:
    """The pictures that a request, or the run it goes on from, begins with, each once."""
    found = {image.sha256: image for image in _named(request) if isinstance(image, ImageRef)}
    return tuple(found.values())


def _named(request: Request) -> list[ModelRef | ClassifierSpec | ImageRef]:
    found: list[ModelRef | ClassifierSpec | ImageRef] = []
    following: Request | None = request
    while following is not None:
        if not isinstance(following, NoiseRequest | TrainingDraw):
            found.append(following.model)
        match following:
            case InvertRequest():
                found += following.images
            case MorphRequest():
                found += [end.image for end in following.ends if isinstance(end, ImageEnd)]
            case NoiseRequest() | InspectImage():
                found.append(following.image)
            case SampleRequest():
                if following.classifier is not None:
                    found.append(following.classifier)
                if isinstance(following.start, FromImage):
                    found.append(following.start.image)
        following = _parent(following)
    return found


def _parent(request: Request) -> Request | None:
    start = request.start if isinstance(request, SampleRequest) else None
    return start.parent if isinstance(start, FromStep | FromLatent | FromMorph) else None
