"""Whose format a state dict is in, told by the names of its tensors; what is known and not opened is refused by name.

Torch-free: the families bring torch when they build a network.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator

from core.checkpoints.family import Family, Loose, Shapes
from core.errors import Refusal, shown

FAMILIES = (
    ("core.checkpoints.openai", "FAMILY"),
    ("core.checkpoints.openai_classifier", "CLASSIFIER"),
    ("core.checkpoints.ddpm", "FAMILY"),
    ("core.checkpoints.lucidrains", "FAMILY"),
    ("core.checkpoints.diffusers_weights", "FAMILY"),
)
"""Where the families are, in the order in which they are asked."""


def recognise(found: Loose) -> Family:
    """The family that knows these tensors. Raises Refusal, in words that say what it is where that is known."""
    for is_it, words in _OTHERS:
        if is_it(found.shapes):
            raise Refusal(f"{found.file_name} {words}", _names(found.shapes))
    for family in families():
        if family.recognises(found.shapes):
            return family
    raise Refusal(
        f"{found.file_name} holds the weights of a network that Diffuscope does not know. It opens models of diffusers "
        "(UNet2DModel), OpenAI's improved-diffusion and guided-diffusion, DDPM and DDIM in PyTorch, and "
        "denoising-diffusion-pytorch.",
        _names(found.shapes),
    )


def families() -> Iterator[Family]:
    """All of them, in the order in which they are asked, each imported when its turn comes."""
    for module, name in FAMILIES:
        yield getattr(importlib.import_module(module), name)


def _names(shapes: Shapes) -> str:
    return "\n".join(f"{shown(name, 100)} {shape}" for name, shape in list(shapes.items())[:40])


def _begins(*starts: str) -> Callable[[Shapes], bool]:
    return lambda shapes: any(name.startswith(starts) for name in shapes)


def _holds(*parts: str) -> Callable[[Shapes], bool]:
    return lambda shapes: any(part in name for part in parts for name in shapes)


_OTHERS: tuple[tuple[Callable[[Shapes], bool], str], ...] = (
    (
        _holds("lora_up.", "lora_down.", "lora_A.", "lora_B.", "lora.up", "lora.down"),
        "is a LoRA: small changes to another model, of no use without it, and made for latent models. "
        "Open a whole model.",
    ),
    (
        _holds("first_stage_model.", "cond_stage_model.", "transformer_blocks.", "conditioner.embedders."),
        "is a latent or text-to-image model (as Stable Diffusion): it works on a hidden code of pictures. "
        "Diffuscope opens models that work on the pixels themselves.",
    ),
    (
        _holds("quant_conv.", "encoder.down_blocks.", "encoder.down.0.", "quantize.embedding"),
        "is an autoencoder (VAE): it codes pictures and draws none by itself. Open a model that works on pixels.",
    ),
    (
        _holds("adaLN_modulation", "x_embedder.proj", "pos_embed.proj"),
        "is a diffusion transformer (DiT), which Diffuscope does not compute. Open a model with a U-Net.",
    ),
    (
        _begins("class_emb."),
        "is a network of diffusers inside one of its own (class_emb), which only that program computes. "
        "Save the inner network alone, model.model.save_pretrained(…), and open that folder.",
    ),
    (
        _begins("all_modules."),
        "is a score-based SDE model (score_sde), whose noise levels are continuous; Diffuscope does not compute these "
        "yet. Open a model of the DDPM family.",
    ),
    (
        lambda shapes: any("_conv.weight" in name and name.startswith(("enc.", "dec.")) for name in shapes),
        "is a network of EDM, whose noise levels are continuous; Diffuscope does not compute these yet. "
        "Open a model of the DDPM family.",
    ),
    (
        _begins("synthesis.", "mapping.", "G.synthesis", "style."),
        "is the generator of a GAN: it draws in one step, and no diffusion is in it. Open a diffusion model.",
    ),
    (
        lambda shapes: any(name.startswith("Mixed_7c.") for name in shapes),
        "is the Inception network, which compares pictures and draws none. Choose it where a distance is measured.",
    ),
    (
        lambda shapes: "fc.weight" in shapes and "layer1.0.conv1.weight" in shapes,
        "is a ResNet that recognises pictures without noise; it neither draws nor guides. Open a diffusion model, or a "
        "classifier that was trained on noisy pictures.",
    ),
)
