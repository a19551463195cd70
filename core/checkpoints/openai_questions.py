"""What the files of improved-diffusion and guided-diffusion cannot say, as questions with the best guess."""

from __future__ import annotations

from core.checkpoints.description import Choice, Question
from core.checkpoints.openai_anatomy import Anatomy
from core.checkpoints.openai_layout import Order
from core.schedules import MAX_T
from core.unet_config import MAX_SIDE

ORDERS: dict[Order, str] = {
    "legacy": "head by head (the default of both programs)",
    "new": "all q, all k, all v (use_new_attention_order)",
}
_HEADS, _CHANNELS = (4, 1, 2, 8), (64, 32, 128, 16)


def heads_question(anatomy: Anatomy, *, only_channels: bool = False) -> Question:
    """How many heads attend: no tensor's shape depends on it."""
    by_count = [Choice(f"heads-{count}", _times(count)) for count in _HEADS if _divides(anatomy, count)]
    by_width = [Choice(f"channels-{c}", f"heads of {c} channels") for c in _CHANNELS if _divides(anatomy, c)]
    if anatomy.resampling == "res" or only_channels:
        choices, why = by_width + by_count, "Heads of 64 channels are the ones that guided-diffusion recommends."
    else:
        choices, why = by_count + by_width, "Four heads everywhere are improved-diffusion's default."
    if only_channels:
        choices = by_width or [Choice(f"channels-{anatomy.widths[-1]}", _times(1))]
    return Question("heads", "Attention heads", choices[0].value, why, tuple(choices))


def order_question() -> Question:
    why = "Of the published models only 64x64_diffusion.pt has the other order."
    choices = tuple(Choice(value, words) for value, words in ORDERS.items())
    return Question("order", "Order of q, k and v", "legacy", why, choices)


def schedule_question(anatomy: Anatomy) -> Question:
    choices = (Choice("linear", "linear"), Choice("cosine", "cosine"))
    if anatomy.pool or anatomy.resampling == "res":
        why = "Most models of guided-diffusion are trained with it."
        return Question("schedule", "Noise schedule", "linear", why, choices)
    why = "Improved DDPM proposes it, and the published models of this kind have it."
    return Question("schedule", "Noise schedule", "cosine", why, choices)


def timesteps_question(anatomy: Anatomy) -> Question:
    if anatomy.pool or anatomy.resampling == "res":
        why = "All published models of guided-diffusion have 1000."
        return Question("timesteps", "Timesteps", "1000", why, low=2, high=MAX_T)
    why = "The published models of Improved DDPM with a learned variance have 4000."
    return Question("timesteps", "Timesteps", "4000", why, low=2, high=MAX_T)


def rescaled_question(anatomy: Anatomy) -> Question:
    choices = (
        Choice("no", "as they are"),
        Choice("yes", "rescaled to 0 … 1000 (rescale_timesteps)"),
    )
    if anatomy.resampling == "res":
        return Question("rescaled", "Times told to the network", "no", "It is guided-diffusion's default.", choices)
    return Question("rescaled", "Times told to the network", "yes", "It is improved-diffusion's default.", choices)


def size_question(anatomy: Anatomy, size: int, why: str) -> Question:
    multiple = anatomy.side_multiple
    high = MAX_SIDE // multiple * multiple
    return Question("size", "Side of its pictures", str(size), why, low=multiple, high=high, multiple=multiple)


def _divides(anatomy: Anatomy, number: int) -> bool:
    return all(width % number == 0 for width in anatomy.attended)


def _times(count: int) -> str:
    return "one head" if count == 1 else f"{count} heads at every width"
