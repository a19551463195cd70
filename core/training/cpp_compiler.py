"""Whether this computer can compile a network's kernels. Torch-free, so that the window can say it."""

from __future__ import annotations

import os
import shutil

COMPILERS = ("c++", "g++", "clang++", "cl")


def compiler() -> str | None:
    """The C++ compiler that torch would call, None where there is none."""
    named = os.environ.get("CXX")
    return next(filter(None, map(shutil.which, [named] if named else COMPILERS)), None)
