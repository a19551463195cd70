"""Chosen settings of a recipe, put into those of a stage. No widget here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from app.restored_training import fields_of_training
from app.stages import denoise_settings, invert_settings, morph_settings
from app.stages.denoise_settings import DenoiseSettings
from app.stages.invert_settings import InvertSettings
from app.stages.morph_settings import MorphSettings
from app.state import stage_of
from core.messages import ClassifierInfo, ModelInfo
from core.recipe import Request, images_of
from core.request_words import SAMPLERS, printable
from core.requests import FromLatent, FromNoise, InspectImage, InvertRequest, MorphRequest, NoiseRequest, SampleRequest
from core.training.draw_request import TrainingDraw

Settings = DenoiseSettings | InvertSettings | MorphSettings

_DENOISE: Mapping[str, tuple[str, ...]] = {
    "sampler": ("sampler", "precision", "temperature"),
    "steps": ("steps", "spacing", "hand"),
    "labels": ("labels",),
    "guidance": ("guidance", "interval", "rescale", "classifier"),
    "seed": ("seed", "count"),
    "start": ("from_picture", "start_t"),
}
_INVERT: Mapping[str, tuple[str, ...]] = {
    "sampler": ("method", "convention", "refinements", "clip", "precision"),
    "steps": ("steps", "spacing"),
    "labels": ("label",),
    "guidance": ("guidance",),
}
_MORPH: Mapping[str, tuple[str, ...]] = {
    "sampler": (
        "mix",
        "frames",
        "t",
        "layout",
        "sampler",
        "eta",
        "convention",
        "refinements",
        "clip",
        "precision",
        "batch",
    ),
    "steps": ("steps", "spacing"),
    "guidance": ("guidance",),
    "seed": ("seed",),
}


def stage_for(request: Request) -> str:
    """The stage that shows what this request makes."""
    if isinstance(request, TrainingDraw):
        return "train"
    return "forward" if isinstance(request, NoiseRequest | InspectImage) else stage_of(request)


def inversion_in(request: Request) -> InvertRequest | None:
    """The inversion that a request is, or begins from."""
    if isinstance(request, SampleRequest) and isinstance(request.start, FromLatent):
        return request.start.parent
    return request if isinstance(request, InvertRequest) else None


def fields_of(request: Request) -> dict[str, tuple[str, str]]:
    """What of a request can be taken by itself: a name for each, and what it says here."""
    if isinstance(request, TrainingDraw):
        return fields_of_training(request)
    found: dict[str, tuple[str, str]] = {}
    if not isinstance(request, NoiseRequest):
        found["model"] = "Model", printable(request.model.name)
    if images_of(request):
        found["start"] = "Picture", f"{images_of(request)[0].sha256[:12]}…"
    elif isinstance(request, SampleRequest) and isinstance(request.start, FromNoise):
        found["start"] = "Start", "noise"
    found["schedule"] = "Noise schedule", f"{request.schedule.name}, T = {request.schedule.T}"
    if not isinstance(request, NoiseRequest | InspectImage):
        name = "ddim" if isinstance(request, InvertRequest) else request.sampler.name
        found["sampler"] = "Sampler", SAMPLERS[name]
        found["steps"] = "Steps", f"{request.steps}, {request.spacing}"
    if not isinstance(request, NoiseRequest):
        if not isinstance(request, MorphRequest):
            found["labels"] = "Labels", _labels(request)
        found["guidance"] = "Guidance", f"w = {request.guidance:g}"
    if not isinstance(request, InvertRequest) and inversion_in(request) is None:
        found["seed"] = "Seed", str(request.seed)
    return found


def _table(request: Request) -> Mapping[str, tuple[str, ...]]:
    if isinstance(request, MorphRequest):
        return _MORPH
    return _DENOISE if stage_for(request) == "denoise" else _INVERT


def _labels(request: SampleRequest | InvertRequest | InspectImage) -> str:
    labels = (request.label,) if isinstance(request, InspectImage) else request.labels
    shown = ", ".join("none" if label is None else str(label) for label in labels[:10]) + ("…" if labels[10:] else "")
    return shown or "none"


def merged(
    request: SampleRequest | InvertRequest | MorphRequest,
    fields: Collection[str],
    before: Settings,
    classifiers: Sequence[ClassifierInfo] = (),
    model: ModelInfo | None = None,
) -> Settings:
    """``before``, the settings of the request's stage, with these fields of the request; the classifiers and the
    ``model`` are those that are open."""
    table = _table(request)
    names = [name for field in fields for name in table.get(field, ())]
    up = inversion_in(request)
    if isinstance(before, MorphSettings) and isinstance(request, MorphRequest):
        said: Settings = morph_settings.settings_of(request, before)
    elif isinstance(before, InvertSettings) and up is not None:
        said = invert_settings.settings_of(up, before)
        if isinstance(request, SampleRequest):
            label = request.labels[0] if len(request.labels) == 1 else said.label
            said = replace(said, label=label, guidance=request.guidance)
    elif isinstance(before, DenoiseSettings) and isinstance(request, SampleRequest):
        said = denoise_settings.settings_of(request, classifiers, model)
    else:
        return before
    return replace(before, **{name: getattr(said, name) for name in names})
