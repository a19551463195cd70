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
_FEW_TOKENS = 256


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

    def forward(self, input: Tensor) -> Tensor:
        """Rows of the weights. Compiled, as a product with a matrix of ones: the way back of a look-up would add what
        several threads bring in the order in which they come, and no run would have the bits of another."""
        if not torch.compiler.is_compiling():
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            chosen = input[:, None] == torch.arange(self.num_embeddings, device=input.device)
            return chosen.to(self.weight.dtype) @ self.weight


class GroupNorm(nn.GroupNorm):
    """Group normalisation, with the scale, the shift and the activation that often follow it here."""

    def forward(
        self,
        x: Tensor,
        activate: Activation | None = None,
        scale: Tensor | None = None,
        shift: Tensor | None = None,
    ) -> Tensor:
        """x (n, c, h, w), normalised; where they are given times 1 + scale plus shift, each (n, c); activated where
        asked; in the dtype of x."""
        if torch.compiler.is_compiling() and _is_bfloat16_on_cpu(x):
            h = self._normalised_by_channels(x, scale, shift)
        else:
            h = self._normalised(x.float() if self._is_narrow(x) else x)
            if scale is not None and shift is not None:
                h = torch.addcmul(shift[:, :, None, None], h.to(x.dtype), 1 + scale[:, :, None, None])
        return (h if activate is None else activate(h)).to(x.dtype)

    def _normalised(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def _is_narrow(self, x: Tensor) -> bool:
        """Narrow groups of bfloat16, for which torch has no vectors, are faster done in float32."""
        return (
            _is_bfloat16_on_cpu(x)
            and self.weight.dtype == torch.float32
            and x.shape[1] // self.num_groups < _WIDE_GROUP
            and x.shape[2] * x.shape[3] < _MANY_PIXELS
        )

    def _normalised_by_channels(self, x: Tensor, scale: Tensor | None, shift: Tensor | None) -> Tensor:
        """The same in a form that compiles, both ways, to vectors along the channels: sums of each channel, and one
        factor and one term for each. From sums of squares a variance is less exact, but more than bfloat16 can tell.

        Channels are joined to groups, and groups handed to their channels, by products with a matrix of ones: compiled
        otherwise, every pixel would look up its group.
        """
        c, height, width = x.shape[1:]
        each = c // self.num_groups
        with torch.autocast(x.device.type, enabled=False):
            h = x.float()
            sums = torch.cat((h.sum((2, 3)), (h * h).sum((2, 3))))
            channels, groups = torch.arange(c, device=x.device), torch.arange(self.num_groups, device=x.device)
            belongs = (channels[:, None] // each == groups).float()
            mean, square = (sums @ belongs / (each * height * width)).chunk(2)
            rstd = torch.rsqrt((square - mean * mean).clamp_min(0) + self.eps)
            mean, rstd = (torch.cat((mean, rstd)) @ belongs.T).chunk(2)
            factor = rstd * self.weight
            term = self.bias - mean * factor
            if scale is not None and shift is not None:
                factor, term = factor * (1 + scale), term * (1 + scale) + shift
            return h * factor[:, :, None, None] + term[:, :, None, None]


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)) v for (n, heads, tokens, d); in bfloat16 on a CPU plain products are faster for wide
    heads, by a third for one picture and a fifth for many, and for few tokens both ways, twice to four times."""
    n, heads, tokens, width = q.shape
    plain = tokens <= _FEW_TOKENS if torch.is_grad_enabled() else width >= _WIDE_HEAD and tokens >= _MANY_TOKENS
    if not plain or not _is_bfloat16_on_cpu(q):
        return F.scaled_dot_product_attention(q, k, v)
    q, k, v = (part.reshape(n * heads, -1, width) for part in (q, k, v))
    scores = torch.baddbmm(q.new_zeros(1, 1, 1), q, k.transpose(1, 2), beta=0, alpha=width**-0.5)
    return torch.bmm(scores.softmax(-1), v).view(n, heads, tokens, width)


def _is_bfloat16_on_cpu(x: Tensor) -> bool:
    return x.dtype == torch.bfloat16 and x.device.type == "cpu"


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
    return F.avg_pool2d(x, 2) if way == "down" else doubled(x)


def doubled(x: Tensor) -> Tensor:
    """Each pixel four times: (n, c, h, w) to (n, c, 2 h, 2 w)."""
    if not torch.compiler.is_compiling():
        return F.interpolate(x, scale_factor=2.0, mode="nearest")
    n, c, height, width = x.shape  # compiled, the way back of the other is done pixel by pixel
    y = x.permute(0, 2, 3, 1)[:, :, None, :, None].expand(n, height, 2, width, 2, c)
    return y.reshape(n, 2 * height, 2 * width, c).permute(0, 3, 1, 2)


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
        y: Tensor = self.conv(doubled(x))
        return y
