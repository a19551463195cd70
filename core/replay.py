"""A recipe made again: what its requests name is found by hash, its runs are walked, and its picture is put together.

The pixels are those that the window showed, on the same machine and device.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import jobs
from core.checkpoints.answers import AnswerBook
from core.codec import MAX_T
from core.errors import Refusal
from core.forward import forward_of, shown_picture
from core.known_models import place_of, remember
from core.known_pictures import find_pictures
from core.library import Library, NetworkModel
from core.messages import Inspection, Preview
from core.model_folder import find_model, open_model
from core.morph import MorphRun
from core.morph_plan import places
from core.recipe import Quantity, Recipe, Request, Shown, check_cells, classifiers_of, images_of, models_of
from core.recognisers import open_recogniser
from core.render import contact_sheet, enlarged, grid, of_state, sheet_of_states, table, there_and_back
from core.request_words import printable
from core.requests import InspectImage, ModelRef, NoiseRequest, RunRequest, SampleRequest
from core.run import Run, Work
from core.signed import coloured
from core.store import DEFAULT_CAP
from core.training.draw_request import TrainingDraw, moments
from core.training.redraw import redrawn
from core.workers import work_of

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]
OnStep = Callable[[int, int], None]

_PICTURES: tuple[Quantity, ...] = ("x_t", "x0_hat")
_WALKED: tuple[Quantity, ...] = ("x0_hat", "eps_hat")


LARGEST = 2**28
"""Pixels of all that is written."""


def unheard(_done: int, _total: int) -> None:
    pass


# ------------------------------------------------------------------------------------------------ what is named


def library_for(
    requests: Sequence[Request],
    *,
    models: Sequence[str | Path] = (),
    images: Sequence[str | Path] = (),
    device: str = "cpu",
) -> Library:
    """All that the requests name, open. ``models`` (also classifiers) and ``images`` are places to look first; then
    come those that are bundled or known. Raises Refusal, with name and hash, for what is nowhere."""
    library = Library()
    places = list(models)
    opened: set[str] = set()
    for request in requests:
        for ref in (*models_of(request), *classifiers_of(request)):
            if ref.sha256 not in opened:
                _open(ref, ref in classifiers_of(request), places, library, device)
                opened.add(ref.sha256)
    wanted = {image.sha256: image for request in requests for image in images_of(request)}
    for image in find_pictures(tuple(wanted), images):
        library.add_image(image)
    return library


def _open(ref: ModelRef, is_classifier: bool, places: Sequence[str | Path], library: Library, device: str) -> None:
    opened = _opened_classifier if is_classifier else _opened_model
    reasons = []
    for place in places:
        try:
            if opened(place, ref.sha256, library, device) == ref.sha256:
                return
        except Refusal as refusal:
            reasons.append(refusal)
    known = place_of(ref)
    with contextlib.suppress(Refusal):  # it was a model once
        if known is not None and opened(known, ref.sha256, library, device) == ref.sha256:
            return
    if len(places) == len(reasons) == 1:
        raise reasons[0]
    what = "classifier" if is_classifier else "model"
    said = f" What was named is another {what}." if places else ""
    raise Refusal(
        f"The {what} “{printable(ref.name)}” ({ref.sha256[:12]}…) is neither bundled nor known on this computer.{said} "
        "Name its folder or file with --model, or open it in the window once.",
        "\n".join((ref.sha256, *map(str, reasons))),
    )


def _opened_model(place: str | Path, sha256: str, library: Library, device: str) -> str:
    path = find_model(place)
    opened = open_model(path, device, AnswerBook().of(path, sha256))
    library.add_model(NetworkModel(opened))
    remember(opened.info.ref, path)
    return opened.info.ref.sha256


def _opened_classifier(place: str | Path, _sha256: str, library: Library, device: str) -> str:
    opened = open_recogniser(place, device, AnswerBook().of(Path(place)) or {})
    library.add_recogniser(opened.recogniser)
    remember(opened.recogniser.info.ref, opened.folder)
    return opened.recogniser.info.ref.sha256


# ------------------------------------------------------------------------------------------------ making it again


def picture(recipe: Recipe, library: Library, device: str = "cpu", on_step: OnStep = unheard) -> Pixels:
    """What the recipe's file showed, uint8 (height, width, channels); a film's frames as a grid. Raises Refusal."""
    return laid_out(made(recipe, library, device, on_step)[1], recipe.shown)


def laid_out(pictures: Pixels, shown: Shown) -> Pixels:
    """Pictures (n, height, width, channels) as the one that is shown, (height, width, channels). Raises Refusal where
    it would be larger than other programs open."""
    pictures = by_state(pictures, shown)
    _check_size(pictures, shown.zoom)
    if shown.layout == "sheet":
        names = [*shown.names, *[""] * len(pictures)][: len(pictures)]
        sheet = sheet_of_states if shown.steps else contact_sheet
        return sheet(pictures, names, shown.columns or len(pictures), shown.zoom)
    if shown.layout == "table":
        return table(pictures, shown.names, shown.row_names, shown.columns or len(pictures), shown.zoom)
    if len(pictures) == 1:
        return enlarged(pictures[0], shown.zoom)
    return enlarged(grid(pictures, shown.columns or None), shown.zoom)


def frames(pictures: Pixels, shown: Shown) -> Pixels:
    """The same pictures as the frames of a film. Raises Refusal where they would not fit into memory."""
    pictures = by_state(pictures, shown)
    _check_size(pictures, shown.zoom)
    return enlarged(there_and_back(pictures) if shown.there_and_back else pictures, shown.zoom)


def _check_size(pictures: Pixels, zoom: int) -> None:
    if pictures[..., 0].size * zoom * zoom > LARGEST:
        raise Refusal(
            f"Enlarged {zoom} times these are {pictures[..., 0].size * zoom * zoom:,} pixels, more than other programs "
            "open. Ask for a smaller size in the recipe, or for fewer pictures."
        )


def by_state(pictures: Pixels, shown: Shown) -> Pixels:
    """One picture a state where several are shown, of all its samples and quantities; else the pictures themselves."""
    if not shown.steps and shown.beside is None:
        return pictures
    sides = 1 if shown.beside is None else 2
    states = pictures.reshape(max(1, len(shown.steps)), sides, -1, *pictures.shape[1:])
    return np.stack([of_state(list(state)) for state in states])


def stacked(values: Values, shown: Shown) -> Values:
    """The values of several states as (states, n, *event_shape)."""
    return values.reshape(len(shown.steps), -1, *values.shape[1:]) if shown.steps else values


def made(recipe: Recipe, library: Library, device: str = "cpu", on_step: OnStep = unheard) -> tuple[Values, Pixels]:
    """The values float32 (n, *event_shape) of all that is shown, and their pictures uint8 (n, height, width, channels).

    Raises Refusal where the requests do not fit what they name.
    """
    check_cells(recipe)
    shown = recipe.shown
    first = recipe.request
    if shown.onward and shown.steps:
        parts = [_made(request, part, library, device, on_step) for request, part in onward(recipe)]
        return np.concatenate([values for values, _ in parts]), np.concatenate([pictures for _, pictures in parts])
    at_end = isinstance(first, NoiseRequest | InspectImage) or shown.step >= first.steps
    others = replace(shown, step=MAX_T) if at_end else shown  # rows may be of different lengths
    parts = [
        _made(request, shown if row == 0 else others, library, device, on_step)
        for row, request in enumerate(recipe.requests)
    ]
    return np.concatenate([values for values, _ in parts]), np.concatenate([pictures for _, pictures in parts])


def onward(recipe: Recipe) -> list[tuple[Request, Shown]]:
    """Requests that lead on from each other, with the states of each that are shown; those without any are left out."""
    found: list[tuple[Request, Shown]] = []
    before = 0
    for request in recipe.requests:
        if isinstance(request, NoiseRequest | InspectImage | TrainingDraw):
            raise Refusal("Only runs go on from each other.")
        end = before + request.steps
        steps = tuple(step - before for step in recipe.shown.steps if before < step <= end or step == before == 0)
        if steps:
            found.append((request, replace(recipe.shown, step=steps[-1], steps=steps)))
        before = end
    if sum(len(part.steps) for _, part in found) < len(recipe.shown.steps):
        raise Refusal(f"The runs have {before} steps, but more are asked for.")
    return found


def _made(request: Request, shown: Shown, library: Library, device: str, on_step: OnStep) -> tuple[Values, Pixels]:
    if isinstance(request, NoiseRequest):
        return _noised(request, shown, library)
    if isinstance(request, TrainingDraw):
        return _learned(request, shown, device, on_step)
    if isinstance(request, InspectImage):
        return _coloured(_of(jobs.inspect_image(request, library, device), shown.quantity), shown)
    if shown.as_walked and shown.quantity in _WALKED and not shown.steps and shown.step < request.steps:
        return _walked(request, shown, library, device, on_step)
    work = work_of(request, library, device, find_run=lambda _: None, cap=DEFAULT_CAP)
    steps = [min(step, len(work.path) - 1) for step in shown.steps or (shown.step,)]
    _walk(work, max(steps), shown.cells, on_step)
    sides = (shown,) if shown.beside is None else (shown, replace(shown, quantity=shown.beside))
    parts = [_cells(work, step, side) for step in steps for side in sides]
    return np.concatenate([values for values, _ in parts]), np.concatenate([pixels for _, pixels in parts])


def _cells(work: Work, step: int, shown: Shown) -> tuple[Values, Pixels]:
    """One state of the cells that are shown."""
    if isinstance(work, MorphRun):
        cells = shown.cells or range(len(places(work.request)))
        parts = [_state(work, step, cell, shown) for cell in cells]
        return np.concatenate([values for values, _ in parts]), np.concatenate([pixels for _, pixels in parts])
    values, pictures = _state(work, step, None, shown)
    chosen: Any = list(shown.cells) or slice(None)
    return values[chosen], pictures[chosen]


def _walk(work: Work, step: int, cells: Sequence[int], on_step: OnStep) -> None:
    """As far as is needed for this state, of a morph for those of these frames."""
    for made_step in work.work():
        on_step(made_step.done, work.total)
        if isinstance(work, Run):
            if isinstance(getattr(work, "request", None), SampleRequest):
                work.refuse_no_numbers()
            if made_step.done >= step:
                return
        elif isinstance(work, MorphRun) and cells and all(map(work.is_made, cells)):
            return


def _state(work: Work, step: int, frame: int | None, shown: Shown) -> tuple[Values, Pixels]:
    """A state as the window shows it: what is stored as it is, what the network sees in it looked up again."""
    found, stored = work.run_of(frame), jobs.stored_preview(work, step, frame)
    if found is None:
        raise Refusal("The morph has no such frame.")
    run, cells = found
    quantity = "x_t" if shown.quantity == "x0_hat" and run.path[step].is_clean else shown.quantity
    if quantity == "x_t" and stored is not None:
        return np.asarray(jobs.stored_values(work, step, frame)), np.asarray(stored.x_t)
    looked = run.predict(step, cells)
    if quantity == "x_t":
        return looked.x_t.cpu().numpy(), jobs.preview(run.model, looked).x_t
    if quantity == "x0_hat":
        return looked.prediction.x0_hat.float().cpu().numpy(), _of(jobs.preview(run.model, looked), quantity)
    return _coloured(_of(jobs.preview(run.model, looked), quantity), shown)


def _of(seen: Inspection | Preview, quantity: Quantity) -> NDArray[Any]:
    found = getattr(seen, quantity, None)
    if found is None:
        raise Refusal(f"There is no {quantity} to show at t = {seen.level.t:g} of this run.")
    return np.asarray(found)


def _coloured(found: NDArray[Any], shown: Shown) -> tuple[Values, Pixels]:
    """What is a picture already has no other values; signed numbers get their colours."""
    if shown.quantity in _PICTURES:
        values = found.transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1)
        return values.astype(np.float32), found
    return found, coloured(found, shown.signed)


def _walked(request: RunRequest, shown: Shown, library: Library, device: str, on_step: OnStep) -> tuple[Values, Pixels]:
    """What a walk saw in a state when it came by: an inversion asks at another t, a morph several frames at once."""
    work = work_of(request, library, device, find_run=lambda _: None, cap=DEFAULT_CAP)
    found: dict[int, tuple[Values, Pixels]] = {}
    for passing in work.work():
        on_step(passing.done, work.total)
        if passing.step.index != shown.step or (isinstance(work, MorphRun) and not passing.frames):
            continue
        seen, prediction = jobs.preview(passing.run.model, passing.step), passing.step.prediction
        shots = _of(seen, shown.quantity)
        values = (prediction.x0_hat if shown.quantity == "x0_hat" else prediction.eps_hat).float().cpu().numpy()
        pictures = shots if shown.quantity in _PICTURES else _coloured(shots, shown)[1]
        cells = passing.frames or range(len(values))
        found |= {cell: (value, shot) for cell, value, shot in zip(cells, values, pictures, strict=True)}
        if set(shown.cells) <= set(found) and (shown.cells or isinstance(work, Run)):
            break
    cells = shown.cells or tuple(sorted(found))
    if not found or not set(cells) <= set(found):
        raise Refusal("The run has no such sample or frame.")
    return np.stack([found[cell][0] for cell in cells]), np.stack([found[cell][1] for cell in cells])


def _noised(request: NoiseRequest, shown: Shown, library: Library) -> tuple[Values, Pixels]:
    forward = forward_of(request, library.image(request.image).pixels)
    times = request.timesteps
    chosen = [times[cell] for cell in shown.cells if cell < len(times)] or times
    if shown.quantity == "eps":
        noise = forward.eps.transpose(2, 0, 1)[None]
        return _coloured(noise.repeat(len(chosen) if shown.layout == "values" else 1, axis=0), shown)
    x = np.stack([forward.at(t) for t in chosen])
    pictures = np.stack([shown_picture(x_t, shown.normalised) for x_t in x])
    return x.transpose(0, 3, 1, 2), pictures


def _learned(request: TrainingDraw, shown: Shown, device: str, on_step: OnStep) -> tuple[Values, Pixels]:
    """Samples of a training, each set in its own state."""
    sets = redrawn(request, device, on_step)
    kept, found = moments(request.steps), []
    for drawn, step in zip(sets, shown.steps or (shown.step,) * len(sets), strict=False):
        way = drawn.x0_hat if shown.quantity == "x0_hat" else drawn.x_t
        if step < request.steps and (way is None or step not in kept):
            raise Refusal(f"State {step} of the way to these samples is none of those that a training keeps.")
        pictures = drawn.pictures if way is None or step >= request.steps else way[kept.index(step)]
        chosen: Any = list(shown.cells) or slice(None)
        if shown.cells and max(shown.cells) >= len(pictures):
            raise Refusal(f"There are {len(pictures)} samples, but sample {max(shown.cells) + 1} is asked for.")
        found.append(pictures[chosen])
    return _coloured(np.concatenate(found), replace(shown, quantity="x_t"))
