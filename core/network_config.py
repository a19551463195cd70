"""The options of the networks there are, told apart by the ``_class_name`` in a folder's ``config.json``.

Torch-free until a network is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from core import lucidrains_config, unet_config
from core.errors import Refusal, shown
from core.lucidrains_config import LucidrainsConfig
from core.unet_config import UNetConfig

if TYPE_CHECKING:
    from core.network import Network

NetworkConfig = UNetConfig | LucidrainsConfig

_DEFAULT = "UNet2DModel"


def config_of(data: Mapping[str, Any]) -> NetworkConfig:
    """The options in a parsed ``config.json``. Raises Refusal for a network that is not computed here, and for options
    that cannot be read."""
    name = data.get("_class_name", _DEFAULT)
    if name == lucidrains_config.CLASS_NAME:
        return LucidrainsConfig.from_json(data)
    if name in unet_config.CLASS_NAMES:
        return UNetConfig.from_json(data)
    instead = "It is told a text or a picture: open a model that draws by itself." if "Condition" in str(name) else ""
    raise Refusal(
        f"This model's network is a {shown(name, 60)}; Diffuscope opens {_DEFAULT}. "
        f"{instead or 'Open a model with such a U-Net on pixels.'}"
    )


def class_name(config: NetworkConfig) -> str:
    """The ``_class_name`` of its ``config.json``."""
    return lucidrains_config.CLASS_NAME if isinstance(config, LucidrainsConfig) else unet_config.class_name(config)


def unknown_fields(config: NetworkConfig, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Names in its ``config.json`` that mean nothing to the network, apart from underscored bookkeeping."""
    known = {field.name for field in fields(config)}
    return tuple(sorted(name for name in data if name not in known and not name.startswith("_")))


def trainable(config: NetworkConfig) -> UNetConfig:
    """The options of a network that trainings go on from. Raises Refusal where it is of another kind."""
    if isinstance(config, UNetConfig):
        return config
    raise Refusal(
        "A model from denoising-diffusion-pytorch samples, inverts and morphs here, but its network is of another kind "
        "than those that are trained: begin from another model, or from the start."
    )


def network_of(config: NetworkConfig) -> Network:
    """The network with these options, its weights not yet what they should be."""
    if isinstance(config, LucidrainsConfig):
        from core.lucidrains_unet import LucidrainsUnet

        return LucidrainsUnet(config)
    from core.unet import UNet

    return UNet(config)
