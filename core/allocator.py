"""How the C library keeps memory that was freed, where it is glibc's; elsewhere nothing is changed.

A training step frees half a gigabyte of activations and asks for it again. By itself glibc gives it back to the system
each time, which then clears every page anew: an eighth of the step. Torch-free.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
KEEP = 1 << 30
"""Bytes at the end of the heap that stay there, and of a block that comes from it."""

OLD_MOST = 1 << 25
"""The largest block that an older glibc lets come from the heap."""


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, for its next step. To be called before there is a second thread: threads
    would have heaps of their own, of at most 64 MB. Whether that is possible here."""
    mallopt = _of_glibc("mallopt")
    if mallopt is None:
        return False
    one_heap = mallopt(_M_ARENA_MAX, 1) == 1
    from_heap = any(mallopt(_M_MMAP_THRESHOLD, size) == 1 for size in (KEEP, OLD_MOST))
    stays = mallopt(_M_TRIM_THRESHOLD, KEEP) == 1
    return one_heap and from_heap and stays


def give_back_freed_memory() -> None:
    """Return to the system what is kept. Others that ask for memory meanwhile wait: about a tenth of a second for a
    gigabyte."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Any:
    """A function of the C library, None where it has none of this name or is another's."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, "gnu_get_libc_version") else None
