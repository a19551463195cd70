"""Pickles that would run something, or that describe what cannot be."""

from __future__ import annotations

import argparse
import builtins
import os
import pickle
import struct
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile import RAN, Case
from tests.hostile.writing import Say, Storage, pickled, plain, tensor, write_legacy, write_zip

Make = Callable[[str], object]
NAME = "model.pt"


def cases() -> Iterator[Case]:
    yield from _programs()
    yield from _notes_of_programs()
    yield from _tensors()
    yield from _bombs()


def _programs() -> Iterator[Case]:
    """Those that would run if they were unpickled."""

    def zipped(make: Make) -> Callable[[Path], Path]:
        return lambda folder: write_zip(folder / NAME, pickled(make(f"touch '{folder / RAN}'")))

    def legacy(make: Make) -> Callable[[Path], Path]:
        return lambda folder: write_legacy(folder / NAME, pickled(make(f"touch '{folder / RAN}'")))

    def bare(make: Make, protocol: int) -> Callable[[Path], Path]:
        return lambda folder: _write(folder / "model.pkl", pickled(make(f"touch '{folder / RAN}'"), protocol))

    def in_python(command: str) -> str:
        return f"__import__('os').system({command!r})"

    yield Case("os.system", zipped(lambda command: Say(os.system, command)), r"would run os\.system")
    yield Case(
        "os.system before 2020",
        legacy(lambda command: {"a": plain(), "b": Say(os.system, command)}),
        r"would run os\.system",
    )
    yield Case(
        "builtins.eval", zipped(lambda command: {"a": Say(eval, in_python(command))}), r"would run builtins\.eval"
    )
    yield Case("builtins.exec", legacy(lambda command: Say(exec, in_python(command))), r"would run builtins\.exec")
    yield Case(
        "a call in a list in a list",
        zipped(lambda command: {"state_dict": {"a": plain()}, "more": [[[Say(subprocess.check_output, command)]]]}),
        r"would run subprocess\.check_output",
    )
    yield Case(
        "a call in the place of a storage",
        zipped(lambda command: {"a": Say(_rebuild(), Say(os.popen, command), 0, (4,), (1,), False, {})}),
        r"would run os\.popen",
    )
    yield Case(
        "getattr",
        zipped(lambda command: Say(getattr, Say(builtins.__import__, "os"), "system")),
        r"would run .*builtins\.getattr",
    )
    yield Case(
        "torch.load in torch.load", zipped(lambda command: Say(_torch("load"), command)), r"would run torch\S*load"
    )
    yield Case("torch.hub", legacy(lambda command: Say(_torch("hub").load, "someone/else", "model")), r"run torch\.hub")
    yield Case("a plain pickle", bare(lambda command: Say(os.system, command), 4), r"model\.pkl holds more.*os\.system")
    yield Case(
        "a pickle of the newest protocol", bare(lambda command: Say(subprocess.Popen, command), 5), r"subprocess\.Popen"
    )
    yield Case(
        "a call hidden behind a broken end",
        lambda folder: _write(folder / NAME, pickled(Say(os.remove, str(folder / RAN)))[:-1] + b"\xff"),
        r"would run os\.remove",
    )
    yield Case(
        "a call by instruction INST",
        lambda folder: write_zip(folder / NAME, f"(S'touch {folder / RAN}'\nios\nsystem\n.".encode()),
        r"would run os\.system",
    )
    yield Case(
        "a call by instruction OBJ",
        lambda folder: write_zip(folder / NAME, f"(cpty\nspawn\nS'touch {folder / RAN}'\no.".encode()),
        r"would run pty\.spawn",
    )
    yield Case("a registered extension", lambda folder: write_zip(folder / NAME, b"\x80\x02\x82\x01)R."), "extension 1")
    yield Case(
        "a persistent id that is a function",
        lambda folder: write_zip(folder / NAME, b"\x80\x02cshutil\nrmtree\nQ."),
        r"would run shutil\.rmtree",
    )
    yield Case(
        "a name with control characters",
        lambda folder: write_zip(folder / NAME, b"\x80\x02cos\nsystem\x1b[2J\x1b[31m\n)R."),
        "would run os.system�",
    )


def _notes_of_programs() -> Iterator[Case]:
    """Those that hold objects, and harm nobody but could not be read without their programs."""
    import numpy
    import torch

    yield Case(
        "a number of numpy",
        lambda folder: _saved(folder, {"model": {"a": torch.ones(2)}, "best": numpy.float64(3)}),
        "values of numpy",
    )
    yield Case(
        "the arguments of a command",
        lambda folder: _saved(folder, {"model": {"a": torch.ones(2)}, "args": argparse.Namespace(lr=1)}),
        r"objects of a program \(argparse\.Namespace\)",
    )
    yield Case(
        "a whole model", lambda folder: _saved(folder, torch.nn.Linear(2, 2)), "a whole model saved with its program"
    )
    yield Case(
        "a whole model before 2020",
        lambda folder: _saved(folder, torch.nn.ReLU(), zipped=False),
        r"whole model .*activation\.ReLU",
    )
    yield Case(
        "a sparse tensor",
        lambda folder: _saved(folder, {"a": torch.eye(2).to_sparse()}),
        r"objects of a program \(torch\._utils\._rebuild_sparse_tensor",
    )
    yield Case(
        "EDM",
        lambda folder: _write(
            folder / "edm-cifar10.pkl",
            b"\x80\x03}U\x03emactorch_utils.persistence\n_reconstruct_persistent_obj\n}U\x0amodule_srcU\x01xs\x85Rs.",
        ),
        "in the manner of EDM",
    )
    yield Case(
        "TorchScript",
        lambda folder: write_zip(
            folder / NAME, b"\x80\x02}.", constants=b"", **{"code/model.py": b"", "constants.pkl": b""}
        ),
        "a compiled program",
    )
    yield Case(
        "TorchScript objects",
        lambda folder: write_zip(folder / NAME, b"\x80\x02c__torch__.unet\nUNet\n)\x81}b."),
        "TorchScript",
    )
    yield Case(
        "memory by a call", lambda folder: write_zip(folder / NAME, pickled({"a": Say(bytearray, 10**13)})), "bytearray"
    )


def _tensors() -> Iterator[Case]:
    """Those whose tensors cannot be what they say."""

    def one(*arguments: object, **more: object) -> Callable[[Path], Path]:
        return lambda folder: write_zip(folder / NAME, pickled({"a": tensor(*arguments, **more)}))  # type: ignore[arg-type]

    cannot = "one of its tensors cannot be what it says"
    beyond = "reaches beyond the values"
    yield Case("a tensor of 10^12 numbers", one(Storage(), (10**6, 10**6), (10**6, 1)), beyond)
    yield Case("a tensor beyond its storage", one(Storage(), (4,), (1,), 1), beyond)
    yield Case("a tensor with wide strides", one(Storage(), (2, 2), (100, 1)), beyond)
    yield Case("one number repeated 10^12 times", one(Storage(), (10**6, 10**6), (0, 0)), cannot)
    yield Case("rows that overlap", one(Storage(), (3, 2), (1, 1)), cannot)
    yield Case("an empty tensor", one(Storage(), (0, 4), (4, 1)), cannot)
    yield Case("a tensor of rank nine", one(Storage(), (1,) * 9, (1,) * 9), cannot)
    yield Case("fewer strides than sides", one(Storage(), (2, 2), (1,)), cannot)
    yield Case("negative strides", one(Storage(), (4,), (-1,)), "holds no weights by name")
    yield Case("a storage that is not there", one(Storage("7"), (4,), (1,)), "are missing")
    yield Case("a storage of 10^12 numbers", one(Storage("0", 10**12), (4,), (1,)), "another number of values")
    yield Case(
        "two things said of one storage",
        lambda folder: write_zip(
            folder / NAME,
            pickled({"a": tensor(Storage(), (2,), (1,)), "b": tensor(Storage("0", 2, "DoubleStorage"), (2,), (1,))}),
        ),
        "two things of the same values",
    )
    yield Case(
        "before 2020: a storage larger than the file",
        lambda folder: write_legacy(
            folder / NAME, pickled({"a": tensor(Storage("0", 10**11), (4,), (1,))}), numbers=struct.pack("<q", 10**11)
        ),
        "is cut short",
    )
    yield Case(
        "before 2020: values of nobody",
        lambda folder: write_legacy(folder / NAME, pickled({"a": plain()}), keys=("0", "1")),
        "belong to no tensor",
    )
    yield Case(
        "before 2020: no list of values",
        lambda folder: write_legacy(folder / NAME, pickled({"a": plain()}), keys=3),
        "does not say which values",
    )


def _bombs() -> Iterator[Case]:
    """Those that would fill the memory, or never end."""
    unread = "list of contents cannot be read"

    def data(content: bytes) -> Callable[[Path], Path]:
        return lambda folder: write_zip(folder / NAME, content)

    yield Case(
        "50,000 lists in one another", data(b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b"."), "no weights by name"
    )
    yield Case(
        "tuples in one another as a key", data(b"\x80\x02})" + b"\x85" * 20_000 + b"K\x01s."), "no weights by name"
    )
    laughs = (
        b"]q\x00("
        + b"h\x00" * 9
        + b"e"
        + b"".join(b"]q" + bytes([n]) + b"(" + (b"h" + bytes([n - 1])) * 10 + b"e" for n in range(1, 60))
    )
    yield Case("a billion laughs", data(b"\x80\x02" + laughs + b"."), "no weights by name")
    yield Case(
        "a dictionary that holds itself", data(b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s."), "no weights by name"
    )
    yield Case("600,000 instructions", data(b"\x80\x02" + b"N0" * 300_000 + b"N."), unread)
    yield Case("a text of 2^62 bytes", data(b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"."), unread)
    yield Case("a bytearray of 2^40 bytes", data(b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"."), unread)
    yield Case("a frame of 2^60 bytes", data(b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"}."), "no weights by name")
    yield Case(
        "a place of 2^31 in the memo", data(b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b"."), "no weights by name"
    )
    yield Case("a line without end", data(b"\x80\x02c" + b"a" * 10_000), unread)
    yield Case("an instruction that there is not", data(b"\x80\x02\xfe."), unread)
    yield Case("nothing on the stack", data(b"\x80\x02R."), unread)
    yield Case("no end", data(b"\x80\x02}"), unread)
    yield Case("an empty list of contents", data(b""), unread)
    yield Case(
        "a packed list of contents",
        lambda folder: write_zip(folder / NAME, bytes(5_000_000), packing=zipfile.ZIP_DEFLATED),
        "is compressed or encrypted",
    )
    yield Case(
        "a plain pickle of nothing",
        lambda folder: _write(folder / "x.pkl", pickle.dumps([1, 2], 4)),
        "is a pickle, but",
    )


def _rebuild() -> object:
    import torch

    return torch._utils._rebuild_tensor_v2


def _torch(name: str) -> object:
    import torch

    return getattr(torch, name)


def _saved(folder: Path, value: object, zipped: bool = True) -> Path:
    import torch

    torch.save(value, folder / NAME, _use_new_zipfile_serialization=zipped)
    return folder / NAME


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
