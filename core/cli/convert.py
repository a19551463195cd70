"""``main.py convert``: a checkpoint as a folder that opens without questions, here or in diffusers."""

from __future__ import annotations

import argparse

from core.checkpoints.description import ExportForm
from core.checkpoints.opening import describe, open_checkpoint
from core.cli.answering import answers_of
from core.cli.output import Progress, report
from core.errors import Refusal
from core.messages import ClassifierInfo, ModelInfo
from core.model_folder import OpenModel, find_model
from core.weights_file import OnProgress


def convert(options: argparse.Namespace) -> int:
    """Write the folder and report; raises Refusal."""
    path = find_model(options.path)
    said = answers_of(options, path)
    described = describe(path, said)
    from core.checkpoints.export import Source, check_new, copy_opened, export

    check_new(options.out, described.parameters * (2 if options.half else 4))
    progress = Progress(options.progress)

    def on_progress(words: str) -> OnProgress:
        return lambda done, total: progress.step(done >> 20, total >> 20, words, unit="MiB")

    form: ExportForm = "diffusers" if options.diffusers else "copy"
    if described.kind == "classifier" and form == "diffusers":
        raise Refusal("diffusers has no classifiers. Leave out --diffusers for a copy, which opens here.")
    opened = open_checkpoint(path, said, on_progress("read"))
    source, telling = Source(path, described, said), on_progress("written")
    info: ModelInfo | ClassifierInfo
    if isinstance(opened, OpenModel):
        info = export(opened, options.out, form, source, half=options.half, on_progress=telling)
    else:
        info = copy_opened(opened, options.out, source, half=options.half, on_progress=telling)
    progress.close()
    for question in described.questions:
        progress.say(f"note: guessed {question.key}={question.best}: {question.why}")
    result = {
        "out": str(options.out),
        "form": form,
        "name": info.ref.name,
        "sha256": info.ref.sha256,
        "guessed": {question.key: question.best for question in described.questions},
        "notes": list(opened.notes),
    }
    words = "for diffusers" if options.diffusers else "which opens here without questions"
    report(result, options.json, f"{options.out}: {info.parameters:,} parameters, {words}")
    return 0
