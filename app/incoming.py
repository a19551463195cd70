"""What comes in from outside: a drop, the clipboard or the command line, told apart before anything is decoded.

Files are looked for by ``os.path``, which says of every name whether it is one, also of those that no file can have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtGui import QImage

from app.session_file import ENDING
from core.errors import Refusal
from core.images import OpenedImage, from_pixels, open_image
from core.json_file import LFS_MARK, lfs_refusal
from core.recipe_files import SILENT, beside
from resources import samples

Kind = Literal["pictures", "model", "classifier", "folder", "recipe", "session"]

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2", ".avif")
WEIGHT_ENDINGS = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle")
_OTHERS = {
    ".onnx": "ONNX",
    ".gguf": "GGUF",
    ".tflite": "TensorFlow Lite",
    ".h5": "Keras",
    ".keras": "Keras",
    ".index": "TensorFlow",
    ".meta": "TensorFlow",
    ".pb": "TensorFlow",
    ".msgpack": "Flax",
}
_PACKED = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".npy", ".npz")
_MODEL_FILES = ("model_index.json", "unet/config.json", "unet_ema/config.json", "config.json")
_MOST_INSIDE = 1000
_RAW_FORMATS = ("image/png", "image/jpeg", "image/webp", "image/tiff", "image/bmp", "image/gif")
MAX_NAME = 200
_NOTHING = "There is no picture in this. Drop or paste a picture file, a model folder, or a picture copied elsewhere."


@dataclass(frozen=True, slots=True)
class Offer:
    """What lies on the pointer or the clipboard: pictures, a model's folder or file of weights, a classifier's folder,
    a folder of pictures, a file that is no picture and says how it was made, or a session. Which network a file holds,
    and whether it opens, is for the engine to say.

    ``paths`` is empty for a picture that comes as data.
    """

    kind: Kind
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One picture that can be opened, in any thread: a file, an encoded picture, or pixels (uint8 HWC)."""

    content: Path | bytes | NDArray[np.uint8]
    name: str

    def open(self) -> OpenedImage:
        """The picture. Raises Refusal."""
        if isinstance(self.content, np.ndarray):
            return from_pixels(self.content, self.name)
        return open_image(self.content, self.name)


def is_model_folder(path: Path) -> bool:
    """Whether a folder is laid out like a diffusers model, or holds what a training has left of one
    (checkpoint-500), or a state of one, as the hub's cache does."""
    inside = "snapshots/*/" if path.name.startswith("models--") else "checkpoint-*/"
    homes = (path, *islice(path.glob(inside), _MOST_INSIDE))
    return any(os.path.isfile(home / name) for home in homes for name in _MODEL_FILES)


def is_model(path: Path) -> bool:
    """Whether it looks like a model's folder, or by its name like a file of weights."""
    return is_model_folder(path) or (path.suffix.lower() in WEIGHT_ENDINGS and os.path.isfile(path))


def is_classifier_folder(path: Path) -> bool:
    """Whether a folder is that of a classifier."""
    return os.path.isfile(path / "classifier" / "config.json")


def offer_of(paths: Sequence[Path]) -> Offer:
    """What these files and folders are. Raises Refusal with the reason why they are of no use."""
    if not paths:
        raise Refusal(_NOTHING)
    first = paths[0]
    if len(paths) == 1 and os.path.isdir(first):
        if is_classifier_folder(first):
            return Offer("classifier", (first,))
        if is_model_folder(first):
            return Offer("model", (first,))
        if pictures_in(first):
            return Offer("folder", (first,))
        return Offer("model", (_only_weights_in(first),))
    if first.suffix.lower() == ENDING and os.path.isfile(first):
        return Offer("session", (first,))
    recipe = _only_recipe_in(paths)
    if recipe is not None:
        return Offer("recipe", (recipe,))
    if first.suffix.lower() in WEIGHT_ENDINGS and os.path.isfile(first):
        return _offer_of_weights(first)
    if first.suffix.lower() in _OTHERS:
        raise Refusal(
            f"{first.name} is a file of {_OTHERS[first.suffix.lower()]}. Diffuscope opens what PyTorch and diffusers "
            "write: .safetensors, .pt, .pth, .ckpt and .bin."
        )
    if _holds_weights(first):
        return _offer_of_weights(first)
    files = tuple(path for path in paths if os.path.isfile(path))
    if not files:
        raise Refusal(f"{first.name[:MAX_NAME]} is not there, or is not a file.")
    return Offer("pictures", files)


def _only_recipe_in(paths: Sequence[Path]) -> Path | None:
    """Numbers, a film or a request, alone or with the file that lies beside it; None where it is none. Raises Refusal
    for numbers and films beside which nothing lies."""
    main = [path for path in paths if path.suffix.lower() != ".json"] or [*paths[:1]]
    if len(main) > 1 or any(path not in (main[0], beside(main[0])) for path in paths) or not os.path.isfile(main[0]):
        return None
    file, ending = main[0], main[0].suffix.lower()
    has_beside = os.path.isfile(beside(file))
    if ending in (".npy", ".mp4") and not has_beside:
        what = "numbers" if ending == ".npy" else "a film"
        raise Refusal(
            f"{file.name} holds {what}. How they were made stands in {beside(file).name}, which is not beside it: put "
            "both into one folder, and drop it again."
        )
    return file if ending == ".json" or (ending in SILENT and has_beside) else None


def _holds_weights(file: Path) -> bool:
    """Whether a file whose name says neither is one of weights. Raises Refusal for an archive and the like, which is no
    picture either."""
    if file.suffix.lower() in PICTURE_ENDINGS or not os.path.isfile(file):
        return False
    from core.checkpoints.kinds import kind_of  # not needed for the first paint

    try:
        kind_of(file)
    except Refusal:
        if file.suffix.lower() in _PACKED or ".ckpt" in file.name:
            raise
        return False
    return True


def _offer_of_weights(file: Path) -> Offer:
    """The folder that the file is a part of, else the file itself."""
    if is_classifier_folder(file.parent.parent):
        return Offer("classifier", (file.parent.parent,))
    if (file.parent.parent / "model_index.json").is_file():
        return Offer("model", (file.parent.parent,))
    if is_model_folder(file.parent):
        return Offer("model", (file.parent,))
    try:
        with file.open("rb") as stream:
            start = stream.read(len(LFS_MARK))
    except OSError as error:
        raise Refusal(f"{file.name} cannot be read ({error.strerror}).", repr(error)) from error
    if not start:
        raise Refusal(f"{file.name} is empty. Download it again.")
    if start == LFS_MARK:
        raise lfs_refusal(file)
    return Offer("model", (file,))


def _only_weights_in(folder: Path) -> Path:
    """The one file of weights in a folder that holds nothing else of use. Raises Refusal."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in WEIGHT_ENDINGS and path.is_file())
    if not found:
        raise Refusal(f"{folder.name} holds neither a model, a classifier nor pictures.")
    if len(found) > 1:
        raise Refusal(f"{folder.name} holds {len(found)} files of weights ({found[0].name} …): drop the one you mean.")
    return found[0]


def pictures_in(folder: Path, limit: int = 64) -> tuple[Path, ...]:
    """The picture files directly in a folder, by name, at most ``limit``; where there are none, those in its
    sub-folders, which are classes."""
    try:
        return _directly_in(folder)[:limit] or tuple(islice(_in_folders_of(folder), limit))
    except OSError as error:
        raise Refusal(f"The folder {folder.name} cannot be read ({error.strerror}).") from error


def _directly_in(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_ENDINGS and p.is_file()))


def _in_folders_of(folder: Path) -> Iterator[Path]:
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        yield from _directly_in(inner)


def offer(mime: QMimeData) -> Offer:
    """What ``mime`` brings, without fetching picture data from the other program. Raises Refusal."""
    urls = mime.urls()
    local = tuple(Path(url.toLocalFile()) for url in urls if url.isLocalFile())
    if local:
        return offer_of(local)
    if mime.hasImage() or any(form in _RAW_FORMATS for form in mime.formats()):
        return Offer("pictures")
    path = _path_in_text(mime.text()) if mime.hasText() else None
    if path is not None:
        return offer_of((path,))
    if urls:
        raise Refusal("This is only a link, and Diffuscope downloads nothing. Copy the picture itself and paste it.")
    raise Refusal(_NOTHING)


def sources(mime: QMimeData) -> tuple[Source, ...]:
    """The pictures in ``mime``, data fetched. Raises Refusal where it brings none."""
    found = offer(mime)
    if found.paths:
        return files(found)
    for form in _RAW_FORMATS:
        data = bytes(mime.data(form).data()) if mime.hasFormat(form) else b""
        if data:
            return (Source(data, "pasted picture"),)
    image = mime.imageData()
    if not isinstance(image, QImage) or image.isNull():
        raise Refusal("The other program offered a picture but sent none. Copy it again.")
    return (Source(pixels_of(image), "pasted picture"),)


def source_of(path: Path) -> Source:
    """A picture file by the name people know it by: a bundled one is "digit 3" however it is opened."""
    known = {sample.path: sample.name for sample in samples()}
    return Source(path, known.get(path.absolute(), path.name))


def files(found: Offer) -> tuple[Source, ...]:
    """The picture files of an offer."""
    paths = pictures_in(found.paths[0]) if found.kind == "folder" else found.paths
    return tuple(source_of(path) for path in paths)


def pixels_of(image: QImage) -> NDArray[np.uint8]:
    """A QImage's pixels, uint8 (H, W, C) with C = 1 (grey), 3 or 4 (transparent), copied."""
    grey = image.isGrayscale() and not image.hasAlphaChannel()
    form, channels = (
        (QImage.Format.Format_Grayscale8, 1)
        if grey
        else (QImage.Format.Format_RGBA8888, 4)
        if image.hasAlphaChannel()
        else (QImage.Format.Format_RGB888, 3)
    )
    image = image.convertToFormat(form)
    height, width = image.height(), image.width()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(height, image.bytesPerLine())
    return rows[:, : width * channels].reshape(height, width, channels).copy()


def _path_in_text(text: str) -> Path | None:
    text = text.strip().strip("\"'")
    if not text or "\n" in text or len(text) > 4096:
        return None
    path = Path(os.path.expanduser(QUrl(text).toLocalFile() if text.startswith("file:") else text))
    return path if os.path.exists(path) else None
