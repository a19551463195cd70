"""Which device a network runs on, in which precision, and how that is said to a person."""

from __future__ import annotations

import torch

from core.errors import Refusal
from core.requests import Precision

SMALL_FLOPS = 250_000_000
"""Below this for one picture, rounding to bfloat16 costs a CPU more than its faster arithmetic gives back."""


def pick_device(requested: str = "auto") -> str:
    """The torch name of the device asked for ("cpu", "cuda", "cuda:1", "mps"); "auto" takes the fastest there is.

    Raises Refusal where that device is not there.
    """
    if requested == "auto":
        return next(name for name, is_there in _devices() if is_there)
    try:
        device = torch.device(requested)
    except RuntimeError:
        raise Refusal(f"There is no device called “{requested}”: use auto, cpu, cuda, cuda:1 or mps.") from None
    if not dict(_devices()).get(device.type, False):
        have = ", ".join(name for name, is_there in _devices() if is_there)
        raise Refusal(f"This computer has no {device.type} device that can be used here; it has: {have}.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise Refusal(
            f"There is no {requested}: this computer has {torch.cuda.device_count()} of them, counted from 0."
        )
    return requested


def auto_precision(device: str, flops: int) -> Precision:
    """What precision "auto" means for a network of so many operations a picture (``UNet.flops``) on a device.

    bfloat16 where the device computes in it faster than in float32; its error is about 1 % of a network's answer,
    which sampling forgives. Inversion runs in float32 unless asked.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if kind == "cpu" and flops >= SMALL_FLOPS and _cpu_computes_in_bfloat16():
        return "bfloat16"
    return "float32"


def device_words(device: str, precision: Precision | None = None) -> str:
    """The device, and the precision, for a status bar: "2 CPU threads with AMX, bfloat16"."""
    kind = torch.device(device)
    if kind.type == "cuda":
        words = torch.cuda.get_device_name(kind)
    elif kind.type == "mps":
        words = "Apple GPU"
    else:
        threads = torch.get_num_threads()
        words = f"{threads} CPU thread{'' if threads == 1 else 's'}" + (" with AMX" if _cpu_flag("amx_bf16") else "")
    return words if precision is None else f"{words}, {precision}"


def _devices() -> tuple[tuple[str, bool], ...]:
    """The kinds of device, fastest first, and whether each is there."""
    return (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()), ("cpu", True))


def _cpu_computes_in_bfloat16() -> bool:
    return _cpu_flag("avx512_bf16") or _cpu_flag("amx_bf16")


def _cpu_flag(name: str) -> bool:
    return bool(torch.cpu.get_capabilities().get(name, False))
