"""The files of weights in a model folder: which there are, which is taken, and what its tensors are called now."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from core.checkpoints.container import open_container
from core.checkpoints.stored import Stored
from core.errors import Refusal, shown
from core.json_file import read_json
from core.weights_file import WeightsFile, look_through

WEIGHTS = "diffusion_pytorch_model"

_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_OLD_STARTS = {
    "time_steps.": "time_proj.",
    "mid.": "mid_block.",
    "downsample_blocks.": "down_blocks.",
    "upsample_blocks.": "up_blocks.",
}
_ENDINGS = ("safetensors", "bin")
_VARIANTS = {
    "ema": "The averaged weights are opened ({}).",
    "": "",
    "non_ema": "The averaged weights are missing; the raw ones are opened ({}).",
    "fp16": "Only weights in half precision are there ({}); they are computed with in full.",
}


def inside(folder: Path, name: str) -> Path | None:
    """The file of this name, or None. Refuses links that lead out of the folder.

    The cache of the hub is one folder although its snapshots link to blobs that lie beside them.
    """
    path = folder / name
    if not path.is_file():
        return None
    real, home = path.resolve(), folder.resolve()
    in_hub_cache = home.parent.name == "snapshots" and real.is_relative_to(home.parent.parent / "blobs")
    if not (real.is_relative_to(home) or in_hub_cache):
        raise Refusal(
            f"{name} is a link that leads out of the model's folder; it is not followed. Put the file itself there.",
            f"{path} -> {real}",
        )
    return path


def weights_of(folder: Path, home: Path, notes: list[str], wanted: str = "") -> tuple[WeightsFile, ...]:
    """The weights in ``home``, which is ``folder`` or in it; tensors have their present names.

    Averages are taken, else the plain file or another that is there; where "raw" is ``wanted``, those that are not
    averaged. Safetensors go before pickles, which are read as data. ``notes`` are told of what is not the plain file.
    """
    within = home.relative_to(folder)
    for variant in ("non_ema", "", "ema", "fp16") if wanted == "raw" else _VARIANTS:
        for ending in _ENDINGS:
            name = _file_name(variant, ending)
            found = _whole(folder, within, name) or _shards(folder, within, f"{name}.index.json")
            if found:
                if variant and not (wanted == "raw" and variant == "non_ema"):
                    notes.append(_VARIANTS[variant].format(name))
                return tuple(map(_renamed, found))
    raise Refusal(
        f"The weights are missing: there is no {within / WEIGHTS}.safetensors in “{folder.resolve().name}”.",
        str(folder),
    )


def has_both_kinds(folder: Path, home: Path) -> bool:
    """Whether raw and averaged weights of the network in ``home`` are there: in the two folders that a training of
    diffusers leaves, or as two files. A plain one is the average where it lies beside raw ones, and raw otherwise."""
    within = home.relative_to(folder)
    if home.name in ("unet", "unet_ema") and home != folder:
        other = "unet" if home.name == "unet_ema" else "unet_ema"
        if inside(folder, str(within.parent / other / "config.json")) is not None:
            return True
    there = {variant for variant in ("", "ema", "non_ema") if _is_there(folder, within, variant)}
    return len(there) > 1


def _is_there(folder: Path, within: Path, variant: str) -> bool:
    names = [_file_name(variant, ending) for ending in _ENDINGS]
    return any(inside(folder, str(within / f"{name}{index}")) for name in names for index in ("", ".index.json"))


def _file_name(variant: str, ending: str) -> str:
    return f"{WEIGHTS}{variant and '.'}{variant}.{ending}"


def present_name(name: str) -> str:
    """What a tensor is called since 2023; attention layers had other names before, and blocks in 2022."""
    for old, new in _OLD_STARTS.items():
        if name.startswith(old):
            name = new + name.removeprefix(old)
    match = re.fullmatch(r"(.*\.attentions\.\d+\.)(query|key|value|proj_attn)(\.\w+)", name)
    return name if match is None else f"{match[1]}{_OLD_ATTENTION[match[2]]}{match[3]}"


def present_names(names: Mapping[str, Any]) -> dict[str, str]:
    """The present name of each; those that were stored twice, in 2022, are left out once. Raises Refusal where two
    tensors would have one name."""
    kept = [name for name in names if not (_is_copy(name) and name.replace(".op.", ".conv.") in names)]
    present = {name: present_name(name) for name in kept}
    if len(set(present.values())) != len(present):
        twice = next(new for new in present.values() if list(present.values()).count(new) > 1)
        raise Refusal(f"The weights hold {twice[:100]} twice. Download the model again.")
    return present


def _is_copy(name: str) -> bool:
    return name.endswith((".op.weight", ".op.bias"))


def _renamed(file: WeightsFile) -> WeightsFile:
    stored: dict[str, Stored] = {new: file.stored[old] for old, new in present_names(file.stored).items()}
    return WeightsFile(file.path, stored)


def _whole(folder: Path, within: Path, name: str) -> tuple[WeightsFile, ...]:
    path = inside(folder, str(within / name))
    return () if path is None else (_reader(name)(path),)


def _reader(name: str) -> Callable[[Path], WeightsFile]:
    return look_through if name.endswith(".safetensors") else lambda path: open_container(path).weights


def _shards(folder: Path, within: Path, index_name: str) -> tuple[WeightsFile, ...]:
    index = inside(folder, str(within / index_name))
    if index is None:
        return ()
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise Refusal("The list of the weights' files is damaged. Download the model again.")
    files = []
    for name in sorted(set(names.values())):
        if Path(name).name != name or "\\" in name or "\0" in name:
            raise Refusal(
                f"The list of the weights' files names one outside of its folder ({shown(name)}), which is not "
                "followed. Get the model from someone you trust."
            )
        path = inside(folder, str(within / name))
        if path is None:
            raise Refusal(f"A part of the weights is missing: {shown(name)}. Download it too.", str(folder))
        files.append(_reader(name)(path))
    return tuple(files)
