"""What a command with a model works at: the open model, its pictures, the device, and the files to be written."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.cli.answering import answers_of
from core.conversion import convert, default_conversion
from core.dataspec import DataSpec
from core.errors import Refusal
from core.files import check_writable
from core.images import OpenedImage
from core.known_models import remember
from core.likeness import likeness
from core.messages import ModelInfo
from core.model_folder import find_model, open_model
from core.requests import ImageRef

if TYPE_CHECKING:
    from core.library import Library


@dataclass(frozen=True, slots=True)
class Bench:
    info: ModelInfo
    spec: DataSpec
    library: Library
    device: str
    notes: tuple[str, ...]

    def add(self, image: OpenedImage) -> tuple[ImageRef, tuple[str, ...]]:
        """The picture as the model takes it, and what a person should know of that. Raises Refusal."""
        channels, *size = self.info.event_shape
        if len(size) != 2:
            raise Refusal(f"The model {self.info.ref.name} does not work on pictures. Name another.")
        conversion = default_conversion(image.pixels, (size[0], size[1]), channels, self.info.data_statistics)
        unlike = likeness(convert(image.pixels, conversion), self.info.data_statistics)
        notes = [f"{image.name}: {note}" for note in image.notes]
        if conversion.invert:
            notes.append(f"{image.name}: Dark and light are swapped, as in the training data.")
        if unlike is not None:
            notes.append(f"{image.name}: {unlike}")
        self.library.add_image(image)
        return ImageRef(image.sha256, conversion), tuple(notes)


def open_bench(options: argparse.Namespace) -> Bench:
    """The model and device that the options name. Raises Refusal."""
    path = find_model(options.model)
    answers = answers_of(options, path)
    from core.device import pick_device  # torch: after what can be refused without it
    from core.library import Library, NetworkModel

    device = pick_device(options.device)
    opened = open_model(path, device, answers)
    remember(opened.info.ref, opened.folder)
    library = Library()
    library.add_model(NetworkModel(opened))
    return Bench(opened.info, opened.spec, library, device, tuple(opened.notes))


def check_outputs(options: argparse.Namespace, *suffixes: str) -> None:
    """Raise Refusal before the work is done where ``--out`` (of these suffixes) or ``--npy`` cannot be written."""
    if options.out is None and options.npy is None:
        raise Refusal("Name a file for the result: --out FILE.png, --npy FILE.npy, or both.")
    if options.out is not None:
        check_writable(options.out, *suffixes)
    if options.npy is not None:
        check_writable(options.npy, ".npy")


def named(options: argparse.Namespace) -> str:
    """The files written, for a sentence."""
    return " and ".join(str(path) for path in (options.out, options.npy) if path is not None)


def outputs(options: argparse.Namespace) -> dict[str, Any]:
    """The files written, for a machine."""
    return {name: None if path is None else str(path) for name, path in (("out", options.out), ("npy", options.npy))}
