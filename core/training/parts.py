"""How many pictures of a batch go through a network at once. Torch-free."""

from __future__ import annotations

MICRO_BATCH_FLOPS = {"cpu": 4.8e10, "cuda": 2e13, "mps": 1e12}
"""Of the network's way forward on one micro-batch: enough to be worth its weights' way through memory, and few enough
for its activations to fit there and for the largest block not to keep others waiting."""
MOST = {"cpu": 32}
"""Pictures of a micro-batch, however small the network: more fall out of the processor's cache."""
FEWEST = 4
"""Pictures of a micro-batch, however large the network: fewer would leave most of the arithmetic unused."""


def micro_batch(flops: int, device: str, batch: int) -> int:
    """How many pictures go through a network of so many operations a picture at once; never a matter of timing."""
    kind = device.partition(":")[0]
    fitting = int(MICRO_BATCH_FLOPS.get(kind, MICRO_BATCH_FLOPS["cpu"]) / max(1, flops))
    return min(batch, max(FEWEST, min(fitting, MOST.get(kind, batch))))
