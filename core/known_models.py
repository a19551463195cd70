"""Where models lie that have been opened on this computer, by the hash of their content.

A request names models by hash alone; this book of the data folder says where to look first. It is never believed: what
lies there is opened and hashed again.
"""

from __future__ import annotations

import json
import logging
import os
from functools import cache
from pathlib import Path

from core.classifier_folder import BUNDLED as BUNDLED_CLASSIFIERS
from core.classifier_folder import bundled_classifiers, read_classifier
from core.errors import Refusal
from core.files import write_file
from core.folders import data_folder
from core.json_file import read_json
from core.model_folder import BUNDLED, bundled_models, read_info
from core.requests import ModelRef

FILE = "known-models.json"
MOST = 500
log = logging.getLogger(__name__)


def remember(ref: ModelRef, path: Path | str) -> None:
    """Note where a model or a classifier lies; what cannot be noted is forgotten without a word."""
    place = str(Path(path).absolute())
    if place.startswith((str(BUNDLED), str(BUNDLED_CLASSIFIERS))) or not os.path.exists(place):
        return
    known = _read()
    if next(iter(known.items()), None) == (ref.sha256, place):
        return
    known = {ref.sha256: place, **{sha256: path for sha256, path in known.items() if sha256 != ref.sha256}}
    text = json.dumps({"format": 1, "models": dict(list(known.items())[:MOST])}, indent=1)
    try:
        write_file(data_folder() / FILE, lambda stream: stream.write(text.encode(errors="backslashreplace")))
    except Refusal as refusal:
        log.warning("the place of %s is not remembered: %s", ref.name, refusal)


def place_of(ref: ModelRef) -> str | None:
    """The name of the bundled model or classifier of this hash, else the path where it lay last; None where that is
    not known, or nothing is there any more."""
    bundled = _bundled(bundled_models(), bundled_classifiers())
    if ref.sha256 in bundled:
        return bundled[ref.sha256]
    place = _read().get(ref.sha256)
    return place if place is not None and os.path.exists(place) else None


@cache
def _bundled(models: tuple[str, ...], classifiers: tuple[str, ...]) -> dict[str, str]:
    """The names of what comes with the program, by hash; it does not change while the program runs."""
    named = {read_info(name).ref.sha256: name for name in models}
    return named | {read_classifier(name).ref.sha256: name for name in classifiers}


def _read() -> dict[str, str]:
    try:
        file = data_folder() / FILE
        stored = read_json(file).get("models") if file.is_file() else {}
    except Refusal as refusal:
        log.warning("the places of models cannot be read: %s", refusal)
        return {}
    if not isinstance(stored, dict):
        return {}
    return {str(sha256): place for sha256, place in stored.items() if isinstance(place, str)}
