"""Files that are something else than weights, and are told so by name."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.hostile import Case

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Accept the licence first.</body></html>"
_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n"


def cases() -> Iterator[Case]:
    def raw(name: str, content: bytes) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            (folder / name).write_bytes(content)
            return folder / name

        return write

    yield Case("nothing", raw("model.pt", b""), "is empty")
    yield Case("a pointer of git", raw("model.safetensors", _POINTER), "git lfs pull")
    yield Case("a web page", raw("model.ckpt", _PAGE), "is a web page")
    yield Case("JSON", raw("weights.json", b'{"a": 1}'), "is a JSON file")
    yield Case("a text", raw("model.pt", b"These are no weights.\n" * 40), "is a text file")
    yield Case("a text in letters of many kinds", raw("model.pt", "Gewichte – 重み\n".encode() * 100), "is a text file")
    yield Case("a picture", raw("model.png", _picture()), "is a picture")
    yield Case("bytes at random", raw("model.pt", bytes(range(1, 255)) * 3), "of no kind that Diffuscope knows")
    yield Case("HDF5", raw("model.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)), "HDF5")
    yield Case(
        "TensorFlow, its table", raw("model.ckpt.index", bytes(64) + bytes.fromhex("57fb808b247547db")), "TensorFlow"
    )
    yield Case("TensorFlow, its data", raw("model.ckpt-790000.data-00000-of-00001", bytes(range(200))), "TensorFlow")
    yield Case("an array of numpy", raw("model.npy", _numpy()), "is one array of numpy")
    yield Case("arrays of numpy", raw("model.npz", _zip({"a.npy": _numpy(), "b.npy": _numpy()})), "arrays of numpy")
    yield Case("Keras", raw("model.keras", _zip({"config.json": b"{}", "model.weights.h5": b"x"})), "a model of Keras")
    yield Case("a zip archive", raw("model.zip", _zip({"model.pt": b"x", "readme": b"y"})), "is a zip archive")
    yield Case("gzip", raw("model.pt.gz", gzip.compress(b"weights")), r"an archive \(gzip\)")
    yield Case("7z", raw("model.7z", b"7z\xbc\xaf\x27\x1c" + bytes(40)), r"an archive \(7z\)")
    yield Case("tar", raw("model.tar", _tar()), "is a tar archive")
    yield Case("GGUF", raw("model.gguf", b"GGUF" + bytes(100)), "is a GGUF file")
    yield Case("ONNX", raw("model.onnx", b"\x08\x07\x12\x07pytorch" + bytes(30)), r"of a kind \(\.onnx\)")
    yield Case("half an archive", raw("model.pt", _zip({"archive/data.pkl": b"x" * 900})[:-30]), "its end is missing")
    yield Case("a pipe", _pipe, "no file that can be read")
    yield Case("something that is not there", lambda folder: folder / "gone.pt", "no file that can be read")


def _picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    return stream.getvalue()


def _numpy() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ones(3))
    return stream.getvalue()


def _zip(entries: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _tar() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.pt"))
    return stream.getvalue()


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "model.pt")
    return folder / "model.pt"
