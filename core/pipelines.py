"""Which of diffusers' pipelines are opened, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import Refusal, shown

PIPELINES = ("DDPMPipeline", "DDIMPipeline", "PNDMPipeline")
_HIDDEN = ("vae", "vqvae", "text_encoder", "text_encoder_2", "tokenizer", "movq", "prior")
_REASONS = {
    "Consistency": "It is a consistency model: its network leaps to the picture at once, and is not sampled step by "
    "step. Open the diffusion model that it was made from.",
    "ScoreSde": "Its noise levels are continuous (a score-based SDE), which Diffuscope does not compute yet. "
    "Open a model of the DDPM family.",
    "Karras": "Its noise levels are continuous (EDM), which Diffuscope does not compute yet. "
    "Open a model of the DDPM family.",
    "DiT": "Its network is a transformer on a hidden code of pictures. Open a model with a U-Net on pixels.",
    "RePaint": "It is a DDPM model with a sampler for filling holes: its folder opens once model_index.json says "
    "DDPMPipeline.",
}
_OTHERS = "Open a model of these, which is a unet on pixels and a scheduler."


def check_pipeline(index: Mapping[str, Any]) -> None:
    """Raise Refusal unless a parsed ``model_index.json`` is of a model that is computed here."""
    pipeline = str(index.get("_class_name", PIPELINES[0]))[:60]
    parts = {
        name: part for name, part in index.items() if not name.startswith("_") and part not in (None, [None, None])
    }
    if any(name in _HIDDEN for name in parts):
        raise Refusal(
            f"This model ({pipeline}) works on a hidden code of pictures or on text; Diffuscope opens pixel-space "
            "models. Open one that draws the pixels themselves, as google/ddpm-cifar10-32."
        )
    if pipeline not in PIPELINES:
        reason = next((words for start, words in _REASONS.items() if pipeline.startswith(start)), _OTHERS)
        raise Refusal(f"This model belongs to {pipeline}; Diffuscope opens {', '.join(PIPELINES)}. {reason}")
    for name, part in parts.items():
        if name not in ("unet", "scheduler"):
            raise Refusal(
                f"This model has a part that Diffuscope does not know: {shown(name, 60)}. Open one that is a unet "
                "and a scheduler alone."
            )
        if not isinstance(part, list) or len(part) != 2 or part[0] != "diffusers":
            raise Refusal(
                f"This model brings program code of its own ({name}), which Diffuscope does not run. Ask for one whose "
                "parts are those of diffusers, or open its file of weights.",
                str(part)[:200],
            )
