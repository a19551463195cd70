"""How a network is computed in training: all that decides the bits of a step beside its request. Torch-free."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from core.codec import field_from_json
from core.errors import Refusal
from core.requests import Precision

MOST_THREADS = 1024


@dataclass(frozen=True, slots=True)
class KernelPath:
    """The kernels that a step takes.

    ``device`` is torch's name of it, ``threads`` how many of the processor's work together, ``micro_batch`` how many
    pictures go through the network at once, ``compiled`` whether its kernels were made for this network by a compiler,
    ``world`` how many processes share a batch. The same path gives the same bits on one machine and version of torch.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    threads: int = 1
    micro_batch: int = 64
    compiled: bool = False
    world: int = 1

    def __post_init__(self) -> None:
        for name in ("threads", "micro_batch", "world"):
            if getattr(self, name) < 1:
                raise Refusal(f"A training's {name.replace('_', '-')} is at least 1.")
        if self.threads > MOST_THREADS:
            raise Refusal(f"A training's step is worked on by at most {MOST_THREADS} threads.")

    @property
    def words(self) -> str:
        """For a person: "bfloat16, eager, 2 threads, 16 pictures at once"."""
        parts = [self.precision, "compiled" if self.compiled else "eager"]
        parts.append(_counted(self.threads, "thread") if self.device == "cpu" else self.device)
        parts.append(f"{_counted(self.micro_batch, 'picture')} at once")
        if self.world > 1:
            parts.append(f"{self.world} processes")
        return ", ".join(parts)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> KernelPath:
        """The inverse of ``to_json``; what is missing is as usual. Raises Refusal for what is no path."""
        try:
            return cls(**{f.name: field_from_json(cls, f.name, data[f.name]) for f in fields(cls) if f.name in data})
        except (TypeError, ValueError) as error:
            raise Refusal("How this run was computed cannot be read: its journal was changed.", repr(error)) from error


def _counted(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
