"""What a pickle wanted called that makes no tensors: which kind of file that is, and what the person can do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from core.errors import Refusal, shown

_HARMFUL = {
    *("os", "subprocess", "sys", "shutil", "socket", "pty", "runpy", "importlib", "imp", "code"),
    *("ctypes", "pickle", "_pickle", "cPickle", "marshal", "types", "operator", "functools", "webbrowser", "pathlib"),
    *("asyncio", "multiprocessing", "threading", "signal", "platform", "tempfile", "urllib", "http", "requests"),
    *("timeit", "cProfile", "pdb", "bdb", "profile", "trace", "popen2", "linecache", "zipimport", "pip"),
    *("io", "fileinput", "glob", "codeop", "builtins", "nturl2path", "_io", "doctest", "idlelib"),
}
_TORCH_HARMFUL = (
    "torch.load",
    "torch.serialization.load",
    "torch.hub",
    "torch.utils",
    "torch.distributed",
    "torch.ops",
)
_NOW = {"posix": "os", "nt": "os", "__builtin__": "builtins", "commands": "subprocess"}
_HARMLESS = {"set", "frozenset", "bytearray", "complex", "slice", "object", "dict", "list", "tuple", "bytes", "range"}


def refuse_strange(path: Path, names: Iterable[str]) -> None:
    """Raise Refusal where there are any names of functions or classes that are not those of plain weights."""
    found = sorted(map(_present, names))
    if not found:
        return
    details = "It names: " + ", ".join(shown(name, 100) for name in found[:50])
    harmful = [name for name in found if _is_harmful(name)]
    named = ", ".join(shown(name) for name in (harmful or found)[:3])
    if any("persist" in name and "reconstruct" in name for name in found):
        raise Refusal(
            f"{path.name} is a pickle in the manner of EDM and StyleGAN: it holds program code ({named}) that would "
            "run when it is opened. Diffuscope opens no such file. Look for the weights as .safetensors.",
            details,
        )
    if harmful:
        raise Refusal(
            f"{path.name} holds more than weights: opening it the usual way would run {named}. Nothing was run. "
            "Do not open it with other programs either, and get the weights from someone you trust.",
            details,
        )
    if any(name.startswith(("torch.jit", "__torch__")) for name in found):
        raise Refusal(
            f"{path.name} holds a compiled program (TorchScript: {named}), not weights alone. "
            "Ask for the weights as .safetensors, or as a state dict.",
            details,
        )
    if all(name.startswith(("numpy", "_codecs")) for name in found):
        raise Refusal(
            f"{path.name} holds values of numpy ({named}) beside its weights, which only its own program can read. "
            "Save the weights alone there, torch.save(model.state_dict(), …), and open that file.",
            details,
        )
    if any(name.startswith(("torch.nn.", "__main__.")) for name in found):
        raise Refusal(
            f"{path.name} is a whole model saved with its program ({named}), which Diffuscope does not run. "
            "Save its weights alone where it came from, torch.save(model.state_dict(), …), and open that file.",
            details,
        )
    raise Refusal(
        f"{path.name} holds objects of a program ({named}) beside its weights, which Diffuscope does not run. "
        "Save the weights alone where it came from, torch.save(model.state_dict(), …), and open that file.",
        details,
    )


def _present(name: str) -> str:
    """What it is called now, and on every system."""
    module, dot, rest = name.partition(".")
    return f"{_NOW.get(module, module)}{dot}{rest}"


def _is_harmful(name: str) -> bool:
    module, _, rest = name.partition(".")
    if module == "builtins" and rest in _HARMLESS:
        return False
    return module in _HARMFUL or name.startswith(_TORCH_HARMFUL) or name.startswith("extension ")
