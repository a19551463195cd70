"""The options of a noisy classifier, and the networks offered for training one. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from core.errors import Refusal
from core.json_file import Fields
from core.training.order import PresetName
from core.unet_config import UNetConfig
from core.unet_size import encoder_parameters, linear

CLASS_NAME = "EncoderUNet"
MAX_CLASSES = 100_000
POOLS = ("attention", "mean")
COARSEST = 4
"""Pictures are halved down to about this side, at which the head attends."""

_WAY_UP = ("out_channels", "up_block_types", "upsample_type", "class_embed_type", "num_class_embeds")


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """The encoder half of the U-Net ``encoder`` (its way down and its middle) under a head that tells ``classes``
    apart (Dhariwal & Nichol 2021, section 4); ``pool`` is how it makes one vector of all pixels: by attending to them,
    or by their mean. The constructor raises Refusal for what cannot be built."""

    encoder: UNetConfig
    classes: int
    pool: str = "attention"

    def __post_init__(self) -> None:
        sides, multiple = self.encoder.sides, self.encoder.side_multiple
        if sides is None:
            raise Refusal("The configuration does not say how large the classifier's pictures are (sample_size).")
        if any(side % multiple for side in sides):
            raise Refusal(
                f"The classifier's pictures are {sides[0]} × {sides[1]}: both must be multiples of {multiple}."
            )
        if not 2 <= self.classes <= MAX_CLASSES:
            raise Refusal(f"A classifier tells 2 to {MAX_CLASSES} classes apart, not {self.classes}.")
        if self.pool not in POOLS:
            raise Refusal(f"A classifier's pool is one of {', '.join(POOLS)}, not {self.pool[:60]}.")
        head = self.encoder.attention_head_dim
        if self.pool == "attention" and head is not None and self.features % head:
            raise Refusal(f"Heads of {head} channels do not divide {self.features} features (attention_head_dim).")

    @property
    def event_shape(self) -> tuple[int, int, int]:
        height, width = self.encoder.sides or (0, 0)
        return self.encoder.in_channels, height, width

    @property
    def features(self) -> int:
        """The length of what the head's last layer is given."""
        return self.encoder.block_out_channels[-1]

    @property
    def tokens(self) -> int:
        """Pixels of the coarsest resolution, which the head attends to."""
        _, height, width = self.event_shape
        return (height // self.encoder.side_multiple) * (width // self.encoder.side_multiple)

    def to_json(self) -> dict[str, Any]:
        encoder = {name: value for name, value in self.encoder.to_json().items() if name not in _WAY_UP}
        pool = {} if self.pool == "attention" else {"pool": self.pool}
        return {"_class_name": CLASS_NAME, "classes": self.classes, **pool, **encoder}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ClassifierConfig:
        """The inverse of ``to_json``. Raises Refusal for wrong types, bounds, and what is no classifier."""
        name = data.get("_class_name")
        if name != CLASS_NAME:
            raise Refusal(f"This network is a {str(name)[:60]}, not a classifier that Diffuscope knows.")
        encoder = {name: value for name, value in data.items() if name not in _WAY_UP}
        down = data.get("down_block_types")
        levels = len(down) if isinstance(down, list) else 0
        encoder["up_block_types"] = ["UpBlock2D"] * levels
        fields = Fields(data, "The classifier's configuration")
        return cls(UNetConfig.from_json(encoder), fields.whole("classes", 0), fields.text("pool", "attention"))


@dataclass(frozen=True, slots=True)
class ClassifierPreset:
    """``words`` say what it is for; ``widths`` go from the finest resolution on, and ``attention_at`` are the sides of
    those with attention besides the coarsest."""

    words: str
    widths: tuple[int, ...]
    layers: int
    attention_at: tuple[int, ...]
    groups: int
    head: int
    time: int


PRESETS: Mapping[PresetName, ClassifierPreset] = MappingProxyType(
    {
        "small": ClassifierPreset(
            "For minutes on two CPU cores: about 600 pictures of 32 × 32 a second on one.",
            (16, 32, 48, 64),
            layers=1,
            attention_at=(),
            groups=8,
            head=32,
            time=64,
        ),
        "medium": ClassifierPreset(
            "For an hour on a CPU, or minutes on a GPU.",
            (32, 64, 128, 128),
            layers=1,
            attention_at=(8,),
            groups=16,
            head=32,
            time=128,
        ),
        "large": ClassifierPreset(
            "For a GPU: two residual blocks a resolution.",
            (128, 128, 256, 512),
            layers=2,
            attention_at=(16, 8),
            groups=32,
            head=64,
            time=512,
        ),
    }
)


def classifier_network(preset: PresetName, size: int, channels: int) -> UNetConfig:
    """The U-Net whose encoder half is a preset's classifier of pictures ``size`` x ``size``.

    Resolutions are halved down to 4 x 4 at most three times. Raises Refusal where ``size`` cannot be halved that often.
    """
    chosen = PRESETS[preset]
    widths = chosen.widths[-max(2, min(len(chosen.widths), (size // COARSEST).bit_length())) :]
    multiple = 2 ** (len(widths) - 1)
    if size < 2 * COARSEST or size % multiple:
        choose = max(2 * COARSEST, multiple)
        raise Refusal(f"Pictures of {size} × {size} cannot be trained on: choose a multiple of {choose}.")
    kinds = ["Attn" if size >> level in chosen.attention_at else "" for level in range(len(widths))]
    return UNetConfig(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=widths,
        down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
        up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
        layers_per_block=chosen.layers,
        norm_num_groups=chosen.groups,
        attn_norm_num_groups=chosen.groups,
        attention_head_dim=chosen.head,
        time_embedding_dim=chosen.time,
        resnet_time_scale_shift="scale_shift",
        num_train_timesteps=1000,
    )


def classifier_parameters(preset: PresetName, size: int, channels: int, classes: int) -> int | None:
    """How many numbers the preset's classifier learns; None where it cannot be made for this."""
    try:
        config = ClassifierConfig(classifier_network(preset, size, channels), classes)
    except Refusal:
        return None
    width = config.features
    pool = (config.tokens + 1) * width + 3 * linear(width, width)
    return encoder_parameters(config.encoder) + 2 * width + pool + linear(width, classes)
