"""Networks small enough to run in a millisecond, with weights nowhere zero: an open model, a classifier's folder."""

from __future__ import annotations

from pathlib import Path

import torch

from core.classifier import Classifier
from core.classifier_config import ClassifierConfig
from core.classifier_folder import save_classifier
from core.dataspec import ImageSpec
from core.library import NetworkModel
from core.messages import ClassifierInfo, ModelInfo
from core.model_folder import OpenModel
from core.requests import ModelRef, SamplerSpec, ScheduleSpec
from core.unet import UNet, UNetConfig

SIDE = 16


def tiny_model(learned: bool = False) -> NetworkModel:
    """Grey 16 × 16 pictures of two classes, v-prediction; with a ``learned`` variance where that is asked."""
    config = UNetConfig.from_json(
        {
            "sample_size": SIDE,
            "in_channels": 1,
            "out_channels": 2 if learned else 1,
            "block_out_channels": [8, 8],
            "down_block_types": ["DownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "UpBlock2D"],
            "layers_per_block": 1,
            "norm_num_groups": 4,
            "add_attention": False,
            "num_class_embeds": 3,
        }
    )
    network = UNet(config).eval()
    _draw(network)
    with torch.no_grad():
        network.conv_out.weight.mul_(4)  # answers that leave the data's range, so that clipping is seen
    info = ModelInfo(
        ref=ModelRef("tiny", ("8" if learned else "7") * 64),
        event_shape=(1, SIDE, SIDE),
        schedule=ScheduleSpec("linear"),
        prediction="v",
        labels=("a", "b"),
        null_label=2,
        sampler=SamplerSpec("ddim", clip="none"),
        variance="range" if learned else "fixed",
    )
    return NetworkModel(OpenModel(info, ImageSpec(info.event_shape), network, config, Path("tiny")))


def tiny_classifier(folder: Path) -> Path:
    """Write a noisy classifier of the same pictures and classes; its folder."""
    encoder = UNetConfig.from_json(
        {
            "sample_size": SIDE,
            "in_channels": 1,
            "block_out_channels": [8, 8],
            "down_block_types": ["DownBlock2D", "DownBlock2D"],
            "up_block_types": ["UpBlock2D", "UpBlock2D"],
            "layers_per_block": 1,
            "norm_num_groups": 4,
        }
    )
    network = Classifier(ClassifierConfig(encoder, 2)).eval()
    _draw(network)
    info = ClassifierInfo(
        ModelRef("tiny-guide", ""), (1, SIDE, SIDE), ("a", "b"), ScheduleSpec("linear"), network.config.features
    )
    save_classifier(folder, network, info)
    return folder


def _draw(network: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 16
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
