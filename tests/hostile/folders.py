"""Model folders that lead elsewhere, bring programs, or are described by what cannot be."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.hostile import RAN, Case
from tests.hostile.writing import Say, pickled, write_zip

_WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
_CONFIG = "unet/config.json"


def cases() -> Iterator[Case]:
    def with_weights(change: Callable[[Path], None]) -> Callable[[Path], Path]:
        def write(folder: Path) -> Path:
            shutil.copytree(_sound(), folder / "model")
            change(folder / "model")
            return folder / "model"

        return write

    def with_map(name: str) -> Callable[[Path], Path]:
        def change(model: Path) -> None:
            (model / _WEIGHTS).rename(model.parent / "secret.safetensors")
            _json(model / f"{_WEIGHTS}.index.json", {"weight_map": {"conv_in.weight": name}})

        return with_weights(change)

    def with_config(**fields: Any) -> Callable[[Path], Path]:
        return with_weights(lambda model: _change(model / _CONFIG, **fields))

    def with_text(name: str, text: str) -> Callable[[Path], Path]:
        return with_weights(lambda model: (model / name).write_text(text) and None)

    outside = "names one outside of its folder"
    yield Case("weights on a way out", with_map("../secret.safetensors"), outside)
    yield Case("weights on a way of Windows", with_map("..\\secret.safetensors"), outside)
    yield Case("weights by an absolute path", with_map("/etc/passwd"), outside)
    yield Case("weights with an end in their name", with_map("a\0b"), outside)
    yield Case("weights that are missing", with_map("secret.safetensors"), "A part of the weights is missing")
    yield Case("a map that is none", with_map(3), "list of the weights' files is damaged")  # type: ignore[arg-type]
    yield Case("a link out of the folder", with_weights(_linked), "leads out of the model's folder")
    yield Case("a configuration that links out", with_weights(_linked_config), "leads out of the model's folder")
    yield Case("a folder in it that links out", with_weights(_linked_folder), "leads out of the model's folder")
    yield Case("a pickle that would run a program", with_weights(_program), r"would run os\.system")
    yield Case("parts that lie elsewhere", with_weights(_own_code), "program code of its own")
    yield Case("parts that nobody knows", with_weights(_more_parts), "a part that Diffuscope does not know")
    for pipeline, words in {
        "ConsistencyModelPipeline": "It is a consistency model",
        "ScoreSdeVePipeline": "Its noise levels are continuous",
        "StableDiffusionPipeline": "belongs to StableDiffusionPipeline",
    }.items():
        index = {"_class_name": pipeline, "unet": ["diffusers", "UNet2DModel"]}
        yield Case(pipeline, with_text("model_index.json", json.dumps(index)), words)
    latent = {"_class_name": "LDMPipeline", "vqvae": ["diffusers", "VQModel"], "unet": ["diffusers", "UNet2DModel"]}
    yield Case("LDMPipeline", with_text("model_index.json", json.dumps(latent)), "a hidden code of pictures")
    yield Case("JSON 100,000 lists deep", with_text(_CONFIG, "[" * 100_000), r"config\.json is damaged")
    yield Case("JSON of 2 MB", with_text(_CONFIG, " " * 2_000_000), "larger than a configuration can be")
    yield Case(
        "JSON with a number of 10,000 digits",
        with_text(_CONFIG, '{"in_channels": %s}' % ("9" * 10_000)),
        r"config\.json is damaged",
    )
    yield Case("JSON that is a list", with_text(_CONFIG, "[]"), "does not hold a configuration")
    yield Case(
        "a pointer for a configuration", with_text(_CONFIG, "version https://git-lfs.github.com/spec/v1\n"), "pointer"
    )
    yield Case("10^9 channels", with_config(block_out_channels=[8, 10**9]), "must lie between 1 and 8192")
    yield Case("10^9 layers", with_config(layers_per_block=10**9), "must lie between 1 and 32")
    yield Case("10^6 levels", with_config(block_out_channels=[8] * 10**5), "must be a list of whole numbers")
    yield Case("text for a number", with_config(in_channels="1; rm"), "in_channels must be a whole number")
    yield Case("not a number", with_text(_CONFIG, '{"norm_eps": NaN}'), "norm_eps must be a number")
    yield Case("groups of nothing", with_config(norm_num_groups=0), "norm_num_groups is 0")
    yield Case("10^12 timesteps", with_weights(_endless), "timesteps")
    yield Case("a network of conditions", with_config(_class_name="UNet2DConditionModel"), "UNet2DConditionModel")
    yield Case(
        "a folder of anything", lambda folder: _made(folder / "anything", "notes.txt"), "the one with model_index"
    )
    yield Case(
        "a folder of files", lambda folder: _made(folder / "results", "model-3.pt"), r"a file in it \(model-3\.pt\)"
    )


@cache
def _sound() -> Path:
    """A small model's folder without fault, written by hand."""
    from safetensors.torch import save_file
    from torch import ones

    folder = Path(mkdtemp(prefix="sound-"))
    (folder / "unet").mkdir()
    config = {
        "_class_name": "UNet2DModel",
        "sample_size": 8,
        "in_channels": 1,
        "out_channels": 1,
        "block_out_channels": [8, 8],
        "norm_num_groups": 4,
        "down_block_types": ["DownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "UpBlock2D"],
    }
    _json(folder / _CONFIG, config)
    save_file({"conv_in.weight": ones(8, 1, 3, 3)}, folder / _WEIGHTS)
    return folder


def _change(path: Path, **fields: Any) -> None:
    _json(path, {**json.loads(path.read_text()), **fields})


def _json(path: Path, data: object) -> None:
    path.write_text(json.dumps(data))


def _linked(model: Path) -> None:
    (model / _WEIGHTS).rename(model.parent / "elsewhere.safetensors")
    (model / _WEIGHTS).symlink_to("../../elsewhere.safetensors")


def _linked_config(model: Path) -> None:
    (model / _CONFIG).unlink()
    (model / _CONFIG).symlink_to("/etc/hostname")


def _linked_folder(model: Path) -> None:
    (model / "unet").rename(model.parent / "elsewhere")
    (model / "unet").symlink_to("../elsewhere")


def _program(model: Path) -> None:
    (model / _WEIGHTS).unlink()
    command = f"touch '{model.parent / RAN}'"
    write_zip((model / _WEIGHTS).with_suffix(".bin"), pickled({"conv_in.weight": Say(os.system, command)}))


def _own_code(model: Path) -> None:
    _json(model / "model_index.json", {"_class_name": "DDPMPipeline", "unet": ["my_code", "UNet2DModel"]})


def _more_parts(model: Path) -> None:
    _json(model / "model_index.json", {"_class_name": "DDPMPipeline", "safety_checker": ["diffusers", "Checker"]})


def _endless(model: Path) -> None:
    (model / "scheduler").mkdir()
    _json(model / "scheduler/scheduler_config.json", {"num_train_timesteps": 10**12})


def _made(folder: Path, name: str) -> Path:
    folder.mkdir()
    (folder / name).write_text("nothing")
    return folder
