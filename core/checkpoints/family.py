"""What every family of checkpoints offers: to recognise its own by names and shapes, and to say how they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from core.checkpoints.description import Answers, Description
from core.scheduler_config import SchedulerSays

if TYPE_CHECKING:
    from torch import Tensor, nn

Shapes = Mapping[str, tuple[int, ...]]
"""The shapes of a state dict's tensors by name, after wrappers and prefixes are gone."""

Tensors = Mapping[str, "Tensor"]


@dataclass(frozen=True, slots=True)
class Loose:
    """A state dict that has been looked through, its weights unread.

    ``peek`` reads one small tensor, float32 on the CPU; ``extras`` are the plain values stored beside it (step,
    version); ``file_name`` helps where shapes are equal.
    """

    shapes: Shapes
    peek: Callable[[str], Tensor]
    file_name: str = ""
    extras: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """How such a file becomes a network: ``build`` makes it on the meta device, ``convert`` turns the stored tensors
    into the state dict it wants, using each exactly once (Refusal names what is missing, left over or misshapen).

    ``config`` is the network's (``to_json`` for identity and saving), ``event_shape`` (channels, height, width).
    """

    description: Description
    config: Any
    build: Callable[[], nn.Module]
    convert: Callable[[Tensors], dict[str, Tensor]]
    event_shape: tuple[int, int, int]
    says: SchedulerSays = field(default_factory=SchedulerSays)
    labels: tuple[str, ...] = ()
    null_label: int | None = None


class Family(Protocol):
    """A format. ``recognises`` looks at names alone; ``read`` raises Refusal for its own that cannot be opened."""

    def recognises(self, shapes: Shapes) -> bool: ...

    def read(self, found: Loose, answers: Answers) -> Reading: ...
