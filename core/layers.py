"""The layers of the U-Net: torch's own, with what always goes with them here done in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: dict[str, Activation] = {"mish": F.mish, "gelu": F.gelu, "relu": F.relu}
_WIDE_GROUP = 16
_MANY_PIXELS = 1024
_WIDE_HEAD = 128
_MANY_TOKENS = 128


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x), overwriting x where nobody needs it for a gradient."""
    return F.silu(x, inplace=not torch.is_grad_enabled())


def sinusoid(t: Tensor, width: int, freq_shift: int, cos_first: bool) -> Tensor:
    """sin and cos of t times falling frequencies (Vaswani et al. 2017, section 3.5): (n,) to (n, width), float32."""
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=t.device) * (-math.log(10_000) / (half - freq_shift))
    angles = t.float()[:, None] * exponents.exp()
    waves = (angles.cos(), angles.sin()) if cos_first else (angles.sin(), angles.cos())
    return F.pad(torch.cat(waves, dim=1), (0, width % 2))


def look_up(check: Callable[[], None] | None, x: Tensor) -> None:
    """Call ``check`` now, and once more on the way back, when the gradient of x is known.

    A GPU's way back runs in a thread of its own, which is left alone.
    """
    if check is None:
        return
    check()
    if x.requires_grad and x.device.type == "cpu":
        x.register_hook(lambda gradient: check())  # type: ignore[no-untyped-call]


class Conv2d(nn.Conv2d):
    """A convolution that also adds what always follows it here: a shift for each channel, and a residual."""

    def forward(self, x: Tensor, shift: Tensor | None = None, residual: Tensor | None = None) -> Tensor:
        """x (n, c, h, w), shift (n or 1, channels), residual like the result."""
        return shifted(self._convolved, x, self.bias, shift, residual)

    def _convolved(self, x: Tensor, bias: Tensor | None) -> Tensor:
        return F.conv2d(x, self.weight, bias, self.stride, self.padding)


def shifted(
    convolved: Callable[[Tensor, Tensor | None], Tensor],
    x: Tensor,
    bias: Tensor | None,
    shift: Tensor | None,
    residual: Tensor | None,
) -> Tensor:
    """A convolution, called with x and its bias, with shift and residual added as cheaply as the moment allows."""
    if shift is not None and len(shift) == 1 and not torch.is_grad_enabled():
        bias, shift = shift[0] if bias is None else bias + shift[0], None
    y = convolved(x, bias)
    for term in (None if shift is None else shift[:, :, None, None], residual):
        if term is not None:
            y = y + term if torch.is_grad_enabled() else y.add_(term)
    return y


class Embedding(nn.Embedding):
    """An embedding that is not drawn where it will be loaded: on the meta device that would bring in torch's compiler,
    which takes a second."""

    def reset_parameters(self) -> None:
        if not self.weight.is_meta:
            super().reset_parameters()


class GroupNorm(nn.GroupNorm):
    """Group normalisation; narrow groups of bfloat16, for which torch has no vectors, are faster done in float32."""

    def forward(self, x: Tensor, activate: Activation | None = None) -> Tensor:
        """x (n, c, h, w), normalised and, where asked, activated; in the dtype of x."""
        h = self._normalised(x.float() if self._is_narrow(x) else x)
        return (h if activate is None else activate(h)).to(x.dtype)

    def _normalised(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def _is_narrow(self, x: Tensor) -> bool:
        return (
            x.dtype == torch.bfloat16
            and x.device.type == "cpu"
            and self.weight.dtype == torch.float32
            and x.shape[1] // self.num_groups < _WIDE_GROUP
            and x.shape[2] * x.shape[3] < _MANY_PIXELS
        )


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v for (n, heads, tokens, d); wide heads in bfloat16 on a CPU are faster as two plain
    products, by a third for one picture and a fifth for many."""
    n, heads, tokens, width = q.shape
    plain = q.dtype == torch.bfloat16 and q.device.type == "cpu" and not torch.is_grad_enabled()
    if not plain or width < _WIDE_HEAD or tokens < _MANY_TOKENS:
        return F.scaled_dot_product_attention(q, k, v)
    q, k, v = (part.reshape(n * heads, tokens, width) for part in (q, k, v))
    scores = torch.bmm(q, k.transpose(1, 2)).float().mul_(width**-0.5)
    return torch.bmm(scores.softmax(-1).to(v.dtype), v).view(n, heads, tokens, width)


class JoinedLinear:
    """Several linear layers with one input, computed in one matrix product.

    The layers stay where they are and keep their parameters; ``hold`` keeps the joined weights from then on, for
    inference, where they no longer change.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        self._layers = layers
        self._held: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """(…, inputs) to (…, all their outputs, side by side)."""
        return F.linear(x, *(self._held or self._joined()))

    def hold(self) -> None:
        self._held = self._joined()

    def _joined(self) -> tuple[Tensor, Tensor]:
        return torch.cat([layer.weight for layer in self._layers]), torch.cat([layer.bias for layer in self._layers])


class TimeEmbedding(nn.Module):
    """Linear, SiLU, linear: (n, width) to (n, hidden)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(width, hidden)
        self.linear_2 = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear_2(silu(self.linear_1(x)))
        return y


def resampled(x: Tensor, way: str) -> Tensor:
    """Half the sides by averaging ("down"), or twice the sides, each pixel four times ("up")."""
    return F.avg_pool2d(x, 2) if way == "down" else F.interpolate(x, scale_factor=2.0, mode="nearest")


class Resample(nn.Module):
    """Half or twice the sides, with nothing to learn."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        return resampled(x, self.way)


class Downsample(nn.Module):
    """Half the sides by a convolution of stride 2."""

    def __init__(self, channels: int, padding: int) -> None:
        super().__init__()
        self.right_and_bottom = padding == 0
        self.conv = Conv2d(channels, channels, 3, stride=2, padding=padding)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        y: Tensor = self.conv(F.pad(x, (0, 1, 0, 1)) if self.right_and_bottom else x)
        return y


class Upsample(nn.Module):
    """Twice the sides: each pixel four times, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        y: Tensor = self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return y
