"""Whether a model's weights are an average over its training: what every published distance depends on."""

from __future__ import annotations

from pathlib import Path

from core.errors import Refusal
from core.folder_contents import OWN_FILE
from core.json_file import read_json


def weights_of(folder: str | Path) -> str:
    """The weights in a model folder in words: averaged (EMA), as far as the folder says so."""
    path = Path(folder) / OWN_FILE
    try:
        own = read_json(path) if path.is_file() else {}
    except Refusal:
        own = {}
    provenance = own.get("provenance")
    training = provenance.get("training") if isinstance(provenance, dict) else None
    decay = training.get("ema_decay") if isinstance(training, dict) else None
    if isinstance(decay, (int, float)) and not isinstance(decay, bool) and 0 < decay < 1:
        return f"EMA, decay {decay:g}"
    return "as they lie in the folder, which does not say whether they are averaged (EMA)"
