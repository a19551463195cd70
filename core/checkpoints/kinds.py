"""Which kind of file it is, told by its first bytes; what is no file of weights is refused by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from core.checkpoints.pickle_data import BadPickle, read_pickle
from core.checkpoints.pickled import LEGACY_MAGIC, unreadable
from core.checkpoints.strange import refuse_strange
from core.checkpoints.zip_directory import ZipDamaged, names_in
from core.errors import Refusal
from core.json_file import LFS_MARK, lfs_refusal

Kind = Literal["safetensors", "zip", "legacy"]

_INSTEAD = "Choose a file of weights: .safetensors, or .pt, .pth, .ckpt, .bin as torch.save writes them."
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")
_ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_TENSORFLOW_INDEX = bytes.fromhex("57fb808b247547db")  # the last bytes of a table
_PICKLES = {bytes((0x80, protocol)) for protocol in range(2, 6)}
_HEAD = 512


def kind_of(path: Path) -> Kind:
    """The kind of a file of weights. Raises Refusal, in words that say what it is instead, for all other files."""
    try:
        if not path.is_file():  # a pipe would be waited for
            raise Refusal(f"{path.name} is no file that can be read. {_INSTEAD}", str(path))
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(max(0, size - 8))
            tail = file.read(8)
    except OSError as error:
        raise unreadable(path, error) from error
    if not head:
        raise Refusal(f"{path.name} is empty: its download has failed. Download it again.")
    if head.startswith(LFS_MARK):
        raise lfs_refusal(path)
    if head.startswith(b"PK"):
        return _zip(path)
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < 2**48:
        return "safetensors"
    if head[:2] in _PICKLES:
        return _pickle(path)
    raise _other(path, head, tail)


def _zip(path: Path) -> Kind:
    try:
        with path.open("rb") as file:
            names = names_in(file)
    except ZipDamaged as error:
        raise Refusal(f"{path.name} is cut short or damaged ({error}). Download it again.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    parts = {part for name in names for part in name.split("/")}
    if "data.pkl" in parts and ("constants.pkl" in parts or "code" in parts):
        raise Refusal(
            f"{path.name} is a compiled program (TorchScript), not weights alone; Diffuscope runs no program of a "
            "file. Ask for the weights as .safetensors, or as a state dict."
        )
    if "data.pkl" in parts:
        return "zip"
    if names and all(name.endswith(".npy") for name in names):
        raise Refusal(f"{path.name} holds arrays of numpy (.npz), not a network of torch. {_INSTEAD}")
    if any(name.endswith(".h5") for name in names):
        raise Refusal(f"{path.name} is a model of Keras, which Diffuscope does not compute. {_INSTEAD}")
    raise Refusal(f"{path.name} is a zip archive. Unpack it, and open the model that is in it.", ", ".join(names[:20]))


def _pickle(path: Path) -> Kind:
    """A legacy file of torch.save, or a pickle of something else, which is refused by what it names."""
    try:
        with path.open("rb") as file:
            first = read_pickle(file)
    except BadPickle as error:
        refuse_strange(path, error.names)
        raise Refusal(f"{path.name} is cut short or damaged. Download it again.", str(error)[:1000]) from error
    except OSError as error:
        raise unreadable(path, error) from error
    if isinstance(first.value, int) and first.value == LEGACY_MAGIC:
        return "legacy"
    refuse_strange(path, first.names)
    raise Refusal(f"{path.name} is a pickle, but holds no weights of torch. {_INSTEAD}")


def _other(path: Path, head: bytes, tail: bytes) -> Refusal:
    name, text = path.name, head.lstrip().lower()
    if head.startswith(_PICTURES) or head[8:12] in (b"WEBP", b"ftyp") or head[4:8] == b"ftyp":
        return Refusal(f"{name} is a picture or a film, not a model. Open it as a picture.")
    if head.startswith(b"\x89HDF"):
        return Refusal(f"{name} is an HDF5 file, as Keras writes it, which Diffuscope does not compute. {_INSTEAD}")
    if tail == _TENSORFLOW_INDEX or ".ckpt.data-" in name or ".data-0000" in name or name.endswith((".pb", ".tflite")):
        return Refusal(
            f"{name} is part of a checkpoint of TensorFlow. Use a version of the model for PyTorch; those of DDPM have "
            "been converted for diffusers (google/ddpm-…)."
        )
    if head[257:262] == b"ustar":
        return Refusal(f"{name} is a tar archive. Unpack it, and open the model that is in it.")
    for mark, kind in _ARCHIVES.items():
        if head.startswith(mark):
            return Refusal(f"{name} is an archive ({kind}). Unpack it, and open the model that is in it.")
    if text.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head", b"<script")):
        return Refusal(
            f"{name} is a web page: the download asked for something first, a login or a licence. "
            "Open the address in a browser, and save the file from there."
        )
    if head.startswith(b"GGUF"):
        return Refusal(f"{name} is a GGUF file, the weights of a language model or a latent one. {_INSTEAD}")
    if head.startswith(b"\x93NUMPY"):
        return Refusal(f"{name} is one array of numpy, not a network. {_INSTEAD}")
    if name.endswith((".onnx", ".msgpack", ".mlmodel", ".engine")):
        return Refusal(f"{name} is of a kind ({path.suffix}) that Diffuscope does not read. {_INSTEAD}")
    if text.startswith((b"{", b"[")):
        return Refusal(f"{name} is a JSON file, not weights. Open the folder of the model it belongs to.")
    if _is_text(head):
        return Refusal(f"{name} is a text file, not weights. {_INSTEAD}")
    return Refusal(f"{name} is of no kind that Diffuscope knows. {_INSTEAD}", f"begins with {head[:16].hex(' ')}")


def _is_text(head: bytes) -> bool:
    try:
        words = head.decode("utf-8", errors="strict" if len(head) < _HEAD else "ignore")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\r\n\t\f" for letter in words)
