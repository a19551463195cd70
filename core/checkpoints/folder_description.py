"""What a model folder says of itself, as facts for a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.checkpoints.description import Description, Fact, Origin
from core.checkpoints.which_weights import WEIGHTS_KEY, options, taken
from core.folder_contents import OWN_FILE, FolderContents
from core.folder_weights import inside
from core.json_file import read_json
from core.lucidrains_config import LucidrainsConfig

_LONGEST, _MOST = 200, 50
_PREDICTIONS = {"eps": "the noise", "x0": "the clean picture", "v": "v", "mean": "the mean of the step back"}


def described(contents: FolderContents) -> Description:
    """Facts of a folder that can be opened; it asks nothing."""
    info, config = contents.info, contents.config
    channels, height, width = info.event_shape
    kind = "denoising-diffusion-pytorch" if isinstance(config, LucidrainsConfig) else "diffusers"
    assumed: Origin = "file" if contents.has_scheduler else "assumed"
    learned = "" if info.variance == "fixed" else ", and the variance of a step"
    facts = [
        Fact("pictures", f"{width} × {height}, {'grey' if channels == 1 else f'{channels} channels'}", "file"),
        Fact("predicts", f"{_PREDICTIONS[info.prediction]}{learned}", assumed),
        Fact("noise schedule", f"{info.schedule.name}, {info.schedule.T} timesteps", assumed),
    ]
    if info.labels:
        facts.append(Fact("classes", str(len(info.labels)), "file"))
    usual = [] if info.usual_guidance is None else [f"guidance w = {info.usual_guidance:g}"]
    usual += [] if info.usual_steps is None else [f"{info.usual_steps} steps"]
    if usual:
        facts.append(Fact("usually", ", ".join(usual), "file"))
    facts.append(_weights(contents))
    facts += _of_the_original(contents)
    return Description(
        kind="model",
        family=f"{kind} folder",
        name=info.ref.name,
        facts=tuple(facts),
        options=options(contents.has_both),
        notes=contents.notes,
        tensors=sum(len(file.stored) for file in contents.weights),
        parameters=info.parameters,
        nbytes=sum(file.nbytes for file in contents.weights),
    )


def _weights(contents: FolderContents) -> Fact:
    files = ", ".join(contents.files)
    if not contents.has_both:
        return Fact(WEIGHTS_KEY, files, "file")
    return taken(contents.wanted != "raw", True, {WEIGHTS_KEY: contents.wanted} if contents.wanted else {}, files)


def _of_the_original(contents: FolderContents) -> Iterator[Fact]:
    """Of a copy of a checkpoint: what that was, and what was answered or guessed of it."""
    own = inside(contents.folder, OWN_FILE)
    made = None if own is None else read_json(own).get("provenance")
    if not isinstance(made, dict) or not isinstance(made.get("file"), str) or not isinstance(made.get("format"), str):
        return
    yield Fact("copied from", f"{made['file'][:_LONGEST]} ({made['format'][:_LONGEST]})", "file")
    stored = made.get("facts")
    for fact in stored[:_MOST] if isinstance(stored, list) else []:
        said: list[Any] = [fact.get(name) for name in ("name", "value", "origin")] if isinstance(fact, dict) else []
        if len(said) == 3 and all(isinstance(word, str) for word in said) and said[2] in ("answered", "guessed"):
            yield Fact(said[0][:_LONGEST], said[1][:_LONGEST], said[2])
