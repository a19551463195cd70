"""A recipe as what a person can paste elsewhere: a command line, or Python that runs against ``core``."""

from __future__ import annotations

import dataclasses
import json
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.cli.parser import parse
from core.cli.sample import build_request
from core.codec import to_json
from core.errors import Refusal
from core.known_models import place_of
from core.messages import ModelInfo
from core.recipe import Recipe, Shown, classifiers_of, models_of, of_request
from core.requests import SCHEMA, FromNoise, SampleRequest

PROGRAM = ("python", "main.py")
LONGEST = 100_000
"""Characters of a command line; systems cut longer ones off."""
WIDTH = 100


def command_line(recipe: Recipe, info: ModelInfo | None = None, images: Sequence[Path] = ()) -> str:
    """The command that makes the same pixels again: ``sample`` with its options where these say all of it, else ``run``
    with the recipe itself. ``info`` is the model's, where it is open; ``images`` are files of the pictures it needs.

    Raises Refusal for a recipe longer than a command line can be.
    """
    file = _file(recipe.shown)
    words = _sample_command(recipe, info) or ["run", compact_text(recipe), *_places(recipe)]
    for image in images:
        words += ["--image", str(image)]
    line = shlex.join([*PROGRAM, *words, "--npy" if file.endswith(".npy") else "--out", file])
    if len(line) > LONGEST:
        raise Refusal("This run is too long for a command line. Save its picture, and use main.py run PICTURE.png.")
    return line


def _places(recipe: Recipe) -> list[str]:
    """Where models lie that are not bundled, for a computer that has not opened them yet."""
    refs = [ref for request in recipe.requests for ref in (*models_of(request), *classifiers_of(request))]
    places = dict.fromkeys(place_of(ref) for ref in refs)
    return [word for place in places if place is not None and Path(place).is_absolute() for word in ("--model", place)]


def _file(shown: Shown) -> str:
    return {"film": "film.gif", "values": "values.npy"}.get(shown.layout, "picture.png")


def _sample_command(recipe: Recipe, info: ModelInfo | None) -> list[str]:
    """``sample`` with options that come to exactly this request; [] where no options do."""
    request = recipe.request
    if not isinstance(request, SampleRequest) or recipe != of_request(request) or info is None:
        return []
    if info.ref != request.model or not isinstance(request.start, FromNoise) or request.classifier is not None:
        return []
    words = ["sample", "--model", place_of(request.model) or request.model.name, *_options(request)]
    try:
        options = parse([*words, "--out", _file(recipe.shown)])
        return words if build_request(info, options) == request else []
    except (Refusal, SystemExit):
        return []


def _options(request: SampleRequest) -> Iterator[str]:
    sampler = request.sampler
    yield from ("--sampler", sampler.name)
    if request.spacing == "hand":
        yield from ("--timesteps", ",".join(map(str, request.timesteps)))
    else:
        yield from ("--steps", str(request.steps), "--spacing", request.spacing)
    if sampler.name == "ddim":
        yield from ("--eta", f"{sampler.eta!r}")
    if sampler.name == "ddpm":
        yield from ("--variance", sampler.variance)
    yield from ("--clip", sampler.clip)
    if sampler.clip == "dynamic":
        yield from ("--percentile", f"{sampler.percentile!r}")
        if sampler.limit is not None:
            yield from ("--limit", f"{sampler.limit!r}")
    if request.labels:
        yield from ("--label", ",".join("none" if label is None else str(label) for label in request.labels))
    if request.guidance:
        yield from ("--guidance", f"{request.guidance!r}")
    if request.interval is not None:
        yield from ("--interval", ",".join(map(str, request.interval)))
    if request.rescale:
        yield from ("--rescale", f"{request.rescale!r}")
    if request.temperature != 1:
        yield from ("--temperature", f"{request.temperature!r}")
    yield from ("-n", str(request.count), "--seed", str(request.seed), "--precision", request.precision)


def compact_text(recipe: Recipe) -> str:
    """The recipe as JSON without what it shares with the defaults."""
    data = {"schema": SCHEMA, **_pruned(recipe, to_json(recipe)), "shown": _pruned(recipe.shown, to_json(recipe.shown))}
    data["shown"].pop("schema", None)
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def _pruned(value: Any, data: Any) -> Any:
    """The JSON of a value without the fields that are their defaults."""
    if dataclasses.is_dataclass(value):
        kind = {"kind": data["kind"]} if "kind" in data else {}
        return {**kind, **{name: _pruned(item, data[name]) for name, item in _said(value)}}
    if isinstance(value, tuple):
        return [_pruned(item, written) for item, written in zip(value, data, strict=True)]
    return data


def _said(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a dataclass that are not their defaults."""
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if field.default is dataclasses.MISSING or item != field.default:
            yield field.name, item


# ------------------------------------------------------------------------------------------------ Python


def python_code(recipe: Recipe, images: Sequence[Path] = ()) -> str:
    """Python that makes the same pixels again, to be run in the program's folder and to be changed."""
    used = set(_classes(recipe.requests))
    imports = [
        _import(module, sorted(cls.__name__ for cls in used if cls.__module__ == module))
        for module in sorted({cls.__module__ for cls in used})
    ]
    writes, lays, write = _writing(recipe)
    rows = f", rows={_code(recipe.rows)}" if recipe.rows else ""
    found = f", images={[str(path) for path in images]!r}" if images else ""
    shown_names = sorted({"Recipe", "Shown", *(["SignedMap"] if recipe.shown.signed else [])})
    return "\n".join(
        (
            *textwrap.wrap(recipe.sentence, WIDTH, initial_indent="# ", subsequent_indent="# "),
            "from pathlib import Path",
            "",
            f"from core.recipe import {', '.join(shown_names)}",
            f"from core.render import {writes}",
            f"from core.replay import {', '.join(filter(None, (lays, 'library_for', 'made')))}",
            *imports,
            "",
            f"request = {_code(recipe.request)}",
            f"recipe = Recipe(request, {_code(recipe.shown)}{rows})",
            "",
            f"library = library_for(recipe.requests{found})  # models and pictures, by the hash of their content",
            'values, pictures = made(recipe, library, on_step=lambda done, total: print(f"step {done} of {total}"))',
            write,
            "",
        )
    )


def _import(module: str, names: Sequence[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n{textwrap.fill(', '.join(names), WIDTH, **_INDENTED)},\n)"


def _writing(recipe: Recipe) -> tuple[str, str, str]:
    """What writes the result, what lays it out first, and the line that does."""
    file = f'Path("{_file(recipe.shown)}")'
    if recipe.shown.layout == "values":
        return "write_npy", "", f"write_npy({file}, values, recipe)"
    if recipe.shown.layout == "film":
        shown = "frames(pictures, recipe.shown), recipe.shown.milliseconds"
        hold = f", hold={recipe.shown.hold}" if recipe.shown.hold else ""
        return "write_animation", "frames", f"write_animation({file}, {shown}, recipe{hold})"
    return "write_png", "laid_out", f"write_png({file}, laid_out(pictures, recipe.shown), recipe)"


_INDENTED: dict[str, Any] = {"initial_indent": "    ", "subsequent_indent": "    "}


def _classes(value: Any) -> Iterator[type]:
    """The dataclasses that a value's code names."""
    if isinstance(value, tuple):
        for item in value:
            yield from _classes(item)
    elif dataclasses.is_dataclass(value):
        yield type(value)
        for _, item in _said(value):
            yield from _classes(item)


def _code(value: Any, depth: int = 0) -> str:
    """A value as an expression, with the fields of a dataclass that are not their defaults."""
    margin = "    " * (depth + 1)
    if isinstance(value, tuple):
        parts = [_code(item, depth + 1) for item in value]
        line = f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
        if len(line) <= WIDTH - 4 * depth or not parts:
            return line
        is_plain = not any(dataclasses.is_dataclass(item) for item in value)
        body = f"{', '.join(parts)}," if is_plain else "".join(f"\n{margin}{part}," for part in parts)
        filled = "\n" + textwrap.fill(body, WIDTH, initial_indent=margin, subsequent_indent=margin)
        return f"({filled if is_plain else body}\n{margin[4:]})"
    if not dataclasses.is_dataclass(value):
        is_plain_text = isinstance(value, str) and repr(value) == f"'{value}'" and '"' not in value
        return f'"{value}"' if is_plain_text else repr(value)
    said = [f"{name}={_code(item, depth + 1)}" for name, item in _said(value)]
    line = f"{type(value).__name__}({', '.join(said)})"
    if len(line) <= WIDTH - 4 * depth and "\n" not in line:
        return line
    return f"{type(value).__name__}(" + "".join(f"\n{margin}{part}," for part in said) + f"\n{margin[4:]})"
