"""How much memory is used, for the status bar."""

from __future__ import annotations

import psutil


def memory(device: str) -> tuple[int, int]:
    """Bytes used and in all: of the device where it has its own, else those of this process and of the computer."""
    if device.startswith("cuda"):
        import torch

        free, total = torch.cuda.mem_get_info(device)
        return total - free, total
    return psutil.Process().memory_info().rss, psutil.virtual_memory().total
