"""What a model folder says of itself, as facts for a person."""

from __future__ import annotations

from core.checkpoints.description import Description, Fact, Origin
from core.folder_contents import FolderContents
from core.lucidrains_config import LucidrainsConfig

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
    facts.append(Fact("weights", ", ".join(contents.files), "file"))
    return Description(
        kind="model",
        family=f"{kind} folder",
        name=info.ref.name,
        facts=tuple(facts),
        notes=contents.notes,
        tensors=sum(len(file.stored) for file in contents.weights),
        parameters=info.parameters,
        nbytes=sum(file.nbytes for file in contents.weights),
    )
