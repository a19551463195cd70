"""Every family of checkpoints by its look-alikes: how far the opened network is from the formulas, and from others.

    python -m tests.bench.lookalikes [--family NAME]

A look-alike is small, random and nowhere zero. The reference is computed from the file's own tensors with torch's
functions, straight down; "others" is the program that such files are from (guided_diffusion,
denoising_diffusion_pytorch) where it can be imported, or else diffusers where it has such a network. Differences are
the largest of any number, relative to the largest number of the answer.
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

from tests.lookalikes import Forward, LookAlike, all_lookalikes, relative_difference

GOAL = 1e-4


@torch.inference_mode()
def compared(look: LookAlike) -> tuple[float, float | None]:
    """The largest difference to the reference, and to another program's network (None where there is none)."""
    network = look.network()
    x, t, labels = look.inputs()
    answer = network(x, t, labels)
    theirs = _theirs(look, network)
    other = None if theirs is None else relative_difference(answer, theirs(x, t, labels))
    return relative_difference(answer, look.reference(x, t, labels)), other


def _theirs(look: LookAlike, network: nn.Module) -> Forward | None:
    try:
        return look.theirs(network) if look.theirs is not None else None
    except ImportError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare every family's look-alikes with the formulas.")
    parser.add_argument("--family", default="", help="only families whose name holds this")
    options = parser.parse_args()
    print(f"{'family':<26}{'look-alike':<38}{'parameters':>12}{'reference':>12}{'others':>12}")
    worst = 0.0
    for look in all_lookalikes():
        if options.family in look.family:
            reference, other = compared(look)
            worst = max(worst, reference, other or 0.0)
            shown = "–" if other is None else f"{other:.1e}"
            print(f"{look.family:<26}{look.name:<38}{look.parameters:>12,}{reference:>12.1e}{shown:>12}")
    print(f"\nlargest difference {worst:.1e}, goal {GOAL:.0e}: {'reached' if worst <= GOAL else 'missed'}")


if __name__ == "__main__":
    main()
