"""Safetensors files and zip archives that are broken, or made to mislead."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile import Case
from tests.hostile.writing import pickled, plain, write_legacy, write_zip

NAME = "model.safetensors"


def cases() -> Iterator[Case]:
    yield from _safetensors()
    yield from _archives()
    yield from _values()


def _safetensors() -> Iterator[Case]:
    def header(entries: object, data: bytes = bytes(16)) -> Callable[[Path], Path]:
        text = json.dumps(entries).encode()
        return raw(struct.pack("<Q", len(text)) + text + data)

    def raw(content: bytes) -> Callable[[Path], Path]:
        return lambda folder: _write(folder / NAME, content)

    def entry(shape: object = (4,), offsets: object = (0, 16), dtype: object = "F32") -> dict[str, object]:
        return {"dtype": dtype, "shape": shape, "data_offsets": offsets}

    damaged = "is damaged, or is no file of weights"
    yield Case("a header of 2^40 bytes", raw(struct.pack("<Q", 2**40) + b"{}"), damaged)
    yield Case("a header of 2^62 bytes", raw(struct.pack("<Q", 2**62) + b"{}" * 40), "of no kind that")
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    yield Case("a header 100,000 objects deep", raw(struct.pack("<Q", len(deep)) + deep), damaged)
    yield Case("a header without tensors", header({}, b""), damaged)
    yield Case("two tensors in one place", header({"a": entry(), "b": entry()}), damaged)
    yield Case(
        "bytes that belong to no tensor", header({"a": entry((2,), (0, 8)), "b": entry((1,), (12, 16))}), damaged
    )
    yield Case("a shape of 10^12 numbers", header({"a": entry((10**6, 10**6))}), damaged)
    yield Case("a shape that overflows", header({"a": entry((2**31 - 1,) * 4, (0, 0))}), damaged)
    yield Case("a negative shape", header({"a": entry((-4,), (0, -16))}), damaged)
    yield Case("an offset beyond the file", header({"a": entry((4,), (2**40, 2**40 + 16))}), damaged)
    yield Case("texts for numbers", header({"a": entry("44", "ab")}), damaged)
    yield Case("true for a number", header({"a": entry((True,), (0, 4))}, bytes(4)), damaged)
    yield Case("a number of 5,000 digits", raw(struct.pack("<Q", 5010) + b'{"a":     ' + b"9" * 5000), damaged)
    yield Case("kinds of numbers that there are not", header({"a": entry(dtype="F99")}), r"of a kind \(F99\)")
    yield Case("a cut end", header({"a": entry()}, bytes(12)), "cut short or damaged")
    yield Case("something behind the end", header({"a": entry()}, bytes(20)), "cut short or damaged")
    yield Case("only a beginning", raw(struct.pack("<Q", 500) + b'{"a'), damaged)
    yield Case(
        "whole numbers", header({"conv_in.weight": entry((2,), (0, 16), "I64")}), "does not know|numbers of a kind"
    )


def _archives() -> Iterator[Case]:
    name = "model.pt"

    def changed(change: Callable[[bytearray], None]) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            path = write_zip(folder / name, pickled({"a": plain()}))
            content = bytearray(path.read_bytes())
            change(content)
            return _write(path, bytes(content))

        return write

    def at(content: bytearray, mark: bytes) -> int:
        return content.rindex(mark)

    def moved(content: bytearray) -> None:
        place = at(content, b"PK\x01\x02")
        struct.pack_into("<I", content, place + 42, 3)  # where the last entry is said to lie

    def doubled(content: bytearray) -> None:
        first, second = content.index(b"PK\x01\x02"), at(content, b"PK\x01\x02")
        struct.pack_into("<I", content, second + 42, *struct.unpack_from("<I", content, first + 42))

    def enlarged(content: bytearray) -> None:
        struct.pack_into("<I", content, at(content, b"PK\x05\x06") + 12, 2**31)

    def locked(content: bytearray) -> None:
        struct.pack_into("<H", content, content.index(b"PK\x01\x02") + 8, 1)

    def longer(content: bytearray) -> None:
        place = at(content, b"PK\x01\x02")
        struct.pack_into("<II", content, place + 20, 10**9, 10**9)

    yield Case(
        "an archive without its end",
        changed(lambda content: content.__delitem__(slice(-40, None))),
        "its end is missing",
    )
    yield Case("an archive whose directory is too large", changed(enlarged), "more entries than weights")
    yield Case("an entry elsewhere than said", changed(moved), "is not where the directory says")
    yield Case("two entries in one place", changed(doubled), "lies across something else")
    yield Case("an entry longer than the file", changed(longer), "lies across something else, or outside")
    yield Case("an encrypted entry", changed(locked), "is compressed or encrypted")
    yield Case("an entry twice", _twice, "is in it twice")
    yield Case(
        "two objects in one file",
        lambda folder: (
            write_zip(folder / name, pickled({"a": plain()}), **{"../other/data.pkl": b"", "x": b""})
            and _two_objects(folder / name)
        ),
        "2 objects in place of one",
    )
    yield Case(
        "a way out of the archive",
        lambda folder: write_zip(folder / name, pickled({"a": plain()}), {"../../../etc/passwd": bytes(16)}),
        "are missing",
    )
    yield Case(
        "numbers the other way round",
        lambda folder: write_zip(folder / name, pickled({"a": plain()}), byteorder=b"big"),
        "the bytes of numbers the other way round",
    )
    yield Case(
        "a storage of another size",
        lambda folder: write_zip(folder / name, pickled({"a": plain()}), {"0": bytes(12)}),
        "another number of values",
    )


def _values() -> Iterator[Case]:
    import torch

    weights = {"temb.dense.0.weight": torch.ones(4, 4), "conv_in.weight": torch.ones(4, 3, 3, 3)}

    def saved(value: object, name: str = "model.pt") -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            torch.save(value, folder / name)
            return folder / name

        return write

    optimiser = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))]).state_dict()
    yield Case("the state of an optimiser", saved(optimiser, "opt500000.pt"), "the state of an optimiser")
    sde = {"optimizer": {}, "model": {"module.all_modules.0.weight": torch.ones(1)}, "ema": {}, "step": 1}
    yield Case("score_sde", saved(sde), r"score-based SDE model \(score_sde\)")
    averaged = {"ema": {"decay": 0.9, "num_updates": 3, "shadow_params": [torch.ones(2)]}, "step": 1}
    yield Case("score_sde, averaged weights alone", saved(averaged), r"score-based SDE model \(score_sde\)")
    yield Case("a single tensor", saved(torch.ones(3)), "a single tensor")
    yield Case("a list of tensors", saved([torch.ones(3)]), "no weights by name")
    yield Case("numbers and texts", saved({"step": 3, "name": "x"}), "no weights by name")
    gan = {"generator": dict(weights), "discriminator": dict(weights)}
    yield Case("two networks", saved(gan), r"several networks \(generator, discriminator\)")
    yield Case(
        "names that nobody knows", saved({"one.weight": torch.ones(2)}), "a network that Diffuscope does not know"
    )
    for part, words in {
        "first_stage_model.a": "is a latent or text-to-image model",
        "down_blocks.0.attentions.0.transformer_blocks.0.a": "is a latent or text-to-image model",
        "unet.lora_down.weight": "is a LoRA",
        "encoder.down_blocks.0.a": r"is an autoencoder \(VAE\)",
        "blocks.0.adaLN_modulation.1.weight": r"is a diffusion transformer \(DiT\)",
        "synthesis.b4.const": "is the generator of a GAN",
        "enc.32x32_conv.weight": "is a network of EDM",
        "all_modules.0.weight": "is a score-based SDE model",
        "Mixed_7c.branch1x1.conv.weight": "is the Inception network",
        "class_emb.weight": "is a network of diffusers inside one of its own",
    }.items():
        yield Case(f"tensors called {part}", saved({part: torch.ones(2), "b.weight": torch.ones(2)}), words)
    yield Case("a file cut short", _cut, "is cut short")


def _twice(folder: Path) -> Path:
    path = folder / "model.pt"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", pickled({"a": plain()}))
        archive.writestr("archive/data/0", bytes(16))
        archive.writestr("archive/data/1", bytes(16))
    return _write(path, stream.getvalue().replace(b"archive/data/1", b"archive/data/0"))


def _two_objects(path: Path) -> Path:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/data.pkl", b"\x80\x02}.")
    return path


def _cut(folder: Path) -> Path:
    path = write_legacy(folder / "model.pt", pickled({"a": plain()}))
    return _write(path, path.read_bytes()[:-4])


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
