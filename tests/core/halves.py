"""Pictures that are quickly learned, half black and half white, and the smallest network that learns them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from core.training.dataset import PictureFolder
from core.training.request import TrainRequest
from core.unet_config import UNetConfig

TINY = UNetConfig(
    sample_size=8,
    in_channels=1,
    out_channels=1,
    block_out_channels=(8, 8),
    down_block_types=("DownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "UpBlock2D"),
    layers_per_block=1,
    norm_num_groups=4,
    add_attention=False,
    num_class_embeds=3,
)


def two_classes(count: int = 10) -> PictureFolder:
    """The left half white, or the right half."""
    pictures = np.zeros((count, 8, 8, 1), dtype=np.uint8)
    labels = np.arange(count) % 2
    pictures[labels == 0, :, :4] = 255
    pictures[labels == 1, :, 4:] = 255
    return PictureFolder("halves", pictures, labels.astype(np.int64), ("left", "right"))


DATA = two_classes()
REQUEST = TrainRequest(
    data_name="halves", data_sha256=DATA.sha256, network=TINY, labels=DATA.classes, steps=6, batch=4, warm_up=2
)


def folder_of(data: PictureFolder, folder: Path) -> Path:
    """The pictures as files, a sub-folder for each class."""
    for index, (picture, label) in enumerate(zip(data.pictures, data.labels, strict=True)):
        path = folder / data.classes[label] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[:, :, 0]).save(path)
    return folder
