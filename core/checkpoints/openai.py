"""Models of OpenAI's improved-diffusion (Nichol & Dhariwal 2021) and guided-diffusion (Dhariwal & Nichol 2021).

Bare state dicts: names and shapes tell the network, all else is known of the published ones or asked. Torch-free until
a network is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.checkpoints.asking import Asking, shape_of
from core.checkpoints.description import Answers, Origin
from core.checkpoints.family import Loose, Reading, Shapes, Tensors
from core.checkpoints.openai_anatomy import Anatomy, model_anatomy
from core.checkpoints.openai_layout import Order, Part, compare, converted, layout
from core.checkpoints.openai_questions import (
    heads_question,
    order_question,
    rescaled_question,
    schedule_question,
    size_question,
    timesteps_question,
)
from core.checkpoints.openai_table import CONSISTENCY, Published, published, size_of
from core.errors import Refusal
from core.requests import SamplerSpec, ScheduleSpec
from core.scheduler_config import SchedulerSays
from core.unet_config import UNetConfig

if TYPE_CHECKING:
    from torch import Tensor, nn

_BASES = {
    "64_256_upsampler": "64x64_diffusion.pt",
    "128_512_upsampler": "128x128_diffusion.pt",
    "upsample_cond_500K": "imagenet64_cond_270M_250K.pt",
}


@dataclass(frozen=True, slots=True)
class OpenAIModel:
    """The family: anything with a way down, a way up and a time embedding of these names."""

    def recognises(self, shapes: Shapes) -> bool:
        return (
            "time_embed.0.weight" in shapes
            and "input_blocks.0.0.weight" in shapes
            and any(name.startswith("output_blocks.") for name in shapes)
        )

    def read(self, found: Loose, answers: Answers) -> Reading:
        """Raises Refusal for super-resolution, latent and consistency models, and for changed programs' files."""
        _refuse_relatives(found)
        anatomy = model_anatomy(found.shapes)
        _refuse_others(anatomy, found.file_name)
        parts = layout(anatomy)
        compare(parts, found.shapes)
        known, asking = published(anatomy, found.file_name), Asking(answers)
        settings = known.settings if known is not None else None
        network_facts(asking, anatomy)
        size = int(
            asking.settle(
                size_question(anatomy, *size_of(anatomy, found.file_name)),
                None if settings is None else str(settings.size),
            )
        )
        heads = asking.settle(heads_question(anatomy), None if settings is None else settings.heads)
        order = settled_order(asking, anatomy, heads, None if settings is None else settings.order)
        schedule = asking.settle(schedule_question(anatomy), None if settings is None else settings.schedule)
        T = int(asking.settle(timesteps_question(anatomy), None if settings is None else str(settings.T)))
        rescaled = asking.settle(
            rescaled_question(anatomy), None if settings is None else "yes" if settings.rescaled else "no"
        )
        learned = anatomy.outputs == 2 * anatomy.inputs
        asking.note("predicts", f"the noise{', and the variance of a step' if learned else ''}", "assumed")
        config = network_config(anatomy, heads, size, 1000 / T if rescaled == "yes" else 1.0)
        spec = ScheduleSpec("cosine" if schedule == "cosine" else "linear", T)
        description = asking.description(
            "model",
            "OpenAI guided-diffusion" if anatomy.resampling == "res" else "OpenAI improved-diffusion",
            found.file_name,
            [part.shape for part in parts],
            table_notes(known, found.file_name),
        )
        return Reading(
            description=description,
            config=config,
            build=lambda: _build(config),
            convert=lambda tensors: _convert(parts, tensors, config, order),
            event_shape=(anatomy.inputs, size, size),
            says=SchedulerSays(
                schedule=spec,
                prediction="eps",
                sampler=SamplerSpec("ddpm", variance="learned" if learned else "large", clip="rederive"),
                spacing="linspace",
                variance="range" if learned else "fixed",
            ),
            labels=tuple(str(index) for index in range(anatomy.classes)),
        )


def network_facts(asking: Asking, anatomy: Anatomy) -> None:
    """Say what the shapes tell."""
    asking.note("channels of its pictures", str(anatomy.inputs), "shapes")
    asking.note("network", shape_of(anatomy.widths, anatomy.blocks), "shapes")
    attending = [str(level + 1) for level, attends in enumerate(anatomy.attention) if attends]
    where = f"at resolution {', '.join(attending)} and in the middle" if attending else "in the middle"
    asking.note("attention", where, "shapes")
    asking.note("times enter", "by scale and shift" if anatomy.film else "by shift", "shapes")
    changes = {"res": "residual blocks", "conv": "convolutions", "pool": "averaging and repeating"}
    asking.note("resolution changed by", changes[anatomy.resampling], "shapes")
    if anatomy.classes:
        asking.note("classes", str(anatomy.classes), "shapes")


def settled_order(asking: Asking, anatomy: Anatomy, heads: str, known: Order | None, origin: Origin = "table") -> Order:
    """The order of q, k and v; where there surely is one head everywhere, both are the same."""
    guessed = any(question.key == "heads" for question in asking.questions)
    if not guessed and all(_heads(heads, width) == 1 for width in anatomy.attended):
        return "legacy"
    return "new" if asking.settle(order_question(), known, origin) == "new" else "legacy"


def network_config(anatomy: Anatomy, heads: str, size: int, factor: float = 1.0) -> UNetConfig:
    """The U-Net with these shapes; a classifier's has the same way down."""
    kind = "Resnet{way}sampleBlock2D" if anatomy.resampling == "res" else "{way}Block2D"
    kinds = ["Attn{way}Block2D" if attends else kind for attends in anatomy.attention]
    resampling = "resnet" if anatomy.resampling == "res" else "conv"
    each = {width // _heads(heads, width) for width in anatomy.attended}
    one_head = all(_heads(heads, width) == 1 for width in anatomy.attended)
    return UNetConfig(
        sample_size=size,
        in_channels=anatomy.inputs,
        out_channels=anatomy.inputs if anatomy.pool else anatomy.outputs,
        down_block_types=tuple(kind.format(way="Down") for kind in kinds),
        up_block_types=tuple(kind.format(way="Up") for kind in reversed(kinds)),
        block_out_channels=anatomy.widths,
        layers_per_block=anatomy.blocks,
        downsample_type=resampling,
        upsample_type=resampling,
        attention_head_dim=None if one_head or len(each) > 1 else min(each),
        attention_heads=_number(heads) if len(each) > 1 and not one_head else None,
        attn_norm_num_groups=32 if anatomy.film else None,
        resnet_time_scale_shift="scale_shift" if anatomy.film else "default",
        num_class_embeds=anatomy.classes or None,
        time_width=anatomy.channels if anatomy.channels != anatomy.widths[0] else None,
        time_factor=factor,
        resample_conv=anatomy.resampling != "pool",
    )


def table_notes(known: Published | None, file_name: str) -> tuple[str, ...]:
    if known is None or any(name in file_name for name in known.files):
        return ()
    return (
        f"Its tensors are those of {known.files[0]}.pt, so it is taken to have been trained with the same settings.",
    )


def _number(heads: str) -> int:
    return int(heads.rpartition("-")[2])


def _heads(heads: str, width: int) -> int:
    """How many there are at this width, by the answer to the question."""
    return _number(heads) if heads.startswith("heads") else width // _number(heads)


def _build(config: UNetConfig) -> nn.Module:
    import torch

    from core.unet import UNet

    with torch.device("meta"):
        return UNet(config)


def _convert(parts: tuple[Part, ...], tensors: Tensors, config: UNetConfig, order: Order) -> dict[str, Tensor]:
    return converted(parts, tensors, config.heads, order)


def _refuse_relatives(found: Loose) -> None:
    if any("encoder_kv" in name or name.startswith(("transformer.", "token_embedding")) for name in found.shapes):
        raise Refusal("This model is told a text (GLIDE), which Diffuscope does not compute yet. Open one that is not.")


def _refuse_others(anatomy: Anatomy, file_name: str) -> None:
    if anatomy.inputs == 6 and anatomy.outputs in (3, 6):
        known = published(anatomy, file_name)
        name = known.files[0] if known is not None else ""
        raise Refusal(
            f"This is {name or 'a super-resolution model'}: it enlarges the small pictures that another model draws, "
            "and must be told them, which Diffuscope does not compute yet. Open the model that draws them"
            f"{f', {_BASES[name]}' if name in _BASES else ''}."
        )
    if anatomy.outputs not in (anatomy.inputs, 2 * anatomy.inputs):
        raise Refusal(
            f"This model takes {anatomy.inputs} channels and answers {anatomy.outputs}: "
            "it is conditioned on pictures, which Diffuscope does not compute yet. Open a model that draws without any."
        )
    if anatomy in CONSISTENCY:
        raise Refusal(
            "This is a consistency model or its teacher (EDM): it is told noise levels of another process than the "
            "discrete diffusion that Diffuscope computes. Open a model of guided-diffusion, as 64x64_diffusion.pt."
        )


FAMILY = OpenAIModel()
