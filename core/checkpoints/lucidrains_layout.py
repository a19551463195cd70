"""Names and shapes in checkpoints of denoising-diffusion-pytorch: which network they are of, what each becomes here."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.checkpoints.family import Shapes, Tensors
from core.errors import Refusal
from core.lucidrains_config import LucidrainsConfig, NormName

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "denoising-diffusion-pytorch"

_PREFERRED = "Open a model of that package’s plain Unet, from version 1.8 on."
_DEFAULT_HEAD = 32
"""The width of a head where no learned keys tell it (version 1.8)."""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What shapes tell: the network (without the size of its pictures), and ``notes`` for the person."""

    config: LucidrainsConfig
    notes: tuple[str, ...] = ()

    def config_of(self, size: int) -> LucidrainsConfig:
        """The network for square pictures of this side."""
        return replace(self.config, sample_size=size)


def refuse_relatives(shapes: Shapes, version: object) -> None:
    """Raise Refusal for what is near to that package's Unet, and is something else."""
    if "net.init_conv.weight" in shapes:
        raise _refusal("is an ElucidatedDiffusion (Karras et al. 2022), whose noise levels are continuous")
    if "classes_emb.weight" in shapes or "null_classes_emb" in shapes:
        raise _refusal("is the class-conditional Unet of its classifier_free_guidance, which is another network")
    if "input_block.weight" in shapes:
        raise _refusal("is a KarrasUnet (Karras et al. 2024), which is another network")
    rank = len(shapes.get("init_conv.weight", ()))
    if rank in (3, 5):
        what = "is a Unet1D, of sequences and not of pictures" if rank == 3 else "is a Unet3D, of films"
        raise _refusal(what)
    if any(re.match(r"downs\.\d+\.\d+\.fn\.", name) for name in shapes) or _halves_with_kernels_of_four(shapes):
        raise Refusal(
            f"This model is of {_version(version, 'a version before 1.8')} of {PACKAGE} (or of its guided_diffusion), "
            f"whose network computes otherwise though its weights look alike. {_PREFERRED}"
        )
    if "time_mlp.0.weights" in shapes and "betas" not in shapes:
        raise _refusal("is of a diffusion in continuous time, whose network is told a signal-to-noise ratio")


def anatomy(shapes: Shapes) -> Anatomy:
    """The network with these tensors. Raises Refusal where there is none like it."""
    levels = sum(f"downs.{level}.0.block1.proj.weight" in shapes for level in range(len(shapes)))
    if not levels:
        raise _strange("downs.0.0.block1.proj.weight is missing")
    hidden, waves = _matrix(shapes, "time_mlp.1.weight")
    first, given = _convolution(shapes, "init_conv.weight")[:2]
    answered = _convolution(shapes, "final_conv.weight")[0]
    told_its_guess = given == 2 * answered
    channels = answered if told_its_guess else given
    if answered == 2 * channels + 2:
        raise _refusal("weighs two predictions (WeightedObjectiveGaussianDiffusion)")
    if answered not in (channels, 2 * channels):
        raise _strange(f"{given} channels in, {answered} out")
    attention = [_attention(shapes, f"downs.{level}.2") for level in range(levels)]
    config = LucidrainsConfig(
        time_width=hidden // 4,
        first_width=first,
        widths=tuple(_width(shapes, level, level == levels - 1) for level in range(levels)),
        heads=tuple(heads for heads, _, _, _ in attention),
        head_width=tuple(width for _, width, _, _ in attention),
        full_attention=tuple(is_full for _, _, _, is_full in attention),
        in_channels=channels,
        out_channels=answered,
        memory=attention[0][2],
        norm=_norm(shapes),
        fourier=waves - 1 if "time_mlp.0.weights" in shapes else None,
    )
    notes = [f"The network is that of {PACKAGE}: it samples, inverts and morphs; trainings do not go on from it."]
    if told_its_guess:
        notes.append(
            "It has learned to be told its own last guess of the picture, and half of the time to do without "
            "(self_condition); here it does without."
        )
    return Anatomy(config, tuple(notes))


def converted(config: LucidrainsConfig, tensors: Tensors) -> dict[str, Tensor]:
    """The network's state dict, names that it does not have included. Raises Refusal where two become one."""
    try:
        ours = {our_name(name): _relaid(config, name, tensor) for name, tensor in tensors.items()}
    except (IndexError, RuntimeError) as error:
        raise _strange(f"a tensor of a shape that its place does not have: {error}") from error
    if len(ours) < len(tensors):
        raise _strange("two tensors of one name")
    return ours


_RENAMED = (
    (r"^time_mlp\.0\.weights$", "frequencies"),
    (r"^time_mlp\.1\.", "time_1."),
    (r"^time_mlp\.3\.", "time_2."),
    (r"^mid_attn\.", "mid_attention."),
    (r"^final_res_block\.", "final_block."),
    (r"^(downs|ups)\.(\d+)\.0\.", r"\1.\2.block1."),
    (r"^(downs|ups)\.(\d+)\.1\.", r"\1.\2.block2."),
    (r"^(downs|ups)\.(\d+)\.2\.", r"\1.\2.attention."),
    (r"^downs\.(\d+)\.3\.1\.", r"downs.\1.resample."),
    (r"^ups\.(\d+)\.3\.1\.", r"ups.\1.resample.conv."),
    (r"^(downs|ups)\.(\d+)\.3\.", r"\1.\2.resample."),
    (r"\.mlp\.1\.", ".time_proj."),
    (r"\.block([12])\.proj\.", r".conv\1."),
    (r"\.block([12])\.norm\.", r".norm\1."),
    (r"\.res_conv\.", ".shortcut."),
    (r"\.mem_kv$", ".memory"),
    (r"\.to_out\.0\.", ".to_out."),
    (r"\.to_out\.1\.", ".norm_out."),
    (r"\.g$", ".weight"),
)


def our_name(name: str) -> str:
    """What a tensor of theirs is called here."""
    for theirs, ours in _RENAMED:
        name = re.sub(theirs, ours, name)
    return name


def _relaid(config: LucidrainsConfig, name: str, tensor: Tensor) -> Tensor:
    """The same numbers as they lie here."""
    if name.endswith(".g"):
        return tensor.flatten()
    if name.endswith((".to_qkv.weight", ".to_out.weight", ".to_out.0.weight")):
        return tensor.flatten(1)
    if name.endswith(".mem_kv"):
        is_full = name.startswith("mid_attn") or config.full_attention[_level(config, name)]
        return tensor if is_full or tensor.ndim < 2 else tensor.mT.contiguous()
    if re.fullmatch(r"downs\.\d+\.3\.1\.weight", name):  # channel, row, column lie side by side as channels
        return tensor.reshape(len(tensor), -1, 2, 2)
    if name == "init_conv.weight":  # the guess comes first where it is told one
        return tensor[:, -config.in_channels :].clone()
    return tensor


def _level(config: LucidrainsConfig, name: str) -> int:
    place = re.match(r"(downs|ups)\.(\d{1,2})\.", name)
    if place is None or int(place[2]) >= config.levels:
        raise _strange(f"unknown: {name}")
    return int(place[2]) if place[1] == "downs" else config.levels - 1 - int(place[2])


def _attention(shapes: Shapes, place: str) -> tuple[int, int, int, bool]:
    """Heads, their width, how many learned keys there are, and whether it is full attention."""
    is_full = f"{place}.to_out.weight" in shapes
    memory = shapes.get(f"{place}.mem_kv")
    if memory is None:
        inner = _convolution(shapes, f"{place}.to_qkv.weight")[0] // 3
        if inner % _DEFAULT_HEAD:
            raise _strange(f"{place}: {inner} channels to attend with, and no learned keys that tell its heads")
        return inner // _DEFAULT_HEAD, _DEFAULT_HEAD, 0, is_full
    if len(memory) != 4:
        raise _strange(f"{place}.mem_kv: {memory}")
    return memory[1], memory[3] if is_full else memory[2], memory[2] if is_full else memory[3], is_full


def _width(shapes: Shapes, level: int, is_last: bool) -> int:
    return _convolution(shapes, f"downs.{level}.3.weight" if is_last else f"downs.{level}.3.1.weight")[0]


def _norm(shapes: Shapes) -> NormName:
    if "downs.0.0.block1.norm.g" in shapes:
        return "rms"
    if "downs.0.0.block1.norm.weight" in shapes:
        return "group"
    raise _strange("downs.0.0.block1.norm is missing")


def _halves_with_kernels_of_four(shapes: Shapes) -> bool:
    return shapes.get("downs.0.3.weight", ())[2:] == (4, 4)


def _matrix(shapes: Shapes, name: str) -> tuple[int, int]:
    shape = shapes.get(name, ())
    if len(shape) != 2:
        raise _strange(f"{name}: {shape or 'missing'}")
    return shape[0], shape[1]


def _convolution(shapes: Shapes, name: str) -> tuple[int, ...]:
    shape = shapes.get(name, ())
    if len(shape) != 4:
        raise _strange(f"{name}: {shape or 'missing'}")
    return shape


def _version(said: object, otherwise: str) -> str:
    return f"version {said[:20]}" if isinstance(said, str) else otherwise


def _refusal(what: str) -> Refusal:
    return Refusal(f"This model of {PACKAGE} {what}; Diffuscope does not compute it. {_PREFERRED}")


def _strange(details: str) -> Refusal:
    return Refusal(
        f"This looks like a model of {PACKAGE}, but its tensors are not those of the package’s Unet: it is of a "
        f"changed program, or damaged. {_PREFERRED}",
        details,
    )
