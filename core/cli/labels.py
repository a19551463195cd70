"""Labels by name or index, one for all samples or one for each."""

from __future__ import annotations

from core.errors import Refusal
from core.messages import ModelInfo


def labels_of(info: ModelInfo, text: str | None, count: int) -> tuple[int | None, ...]:
    """One label index a sample (None: no class) from names or indices; one for all, or one each. Raises Refusal."""
    if text is None:
        return (None,) * count if info.labels else ()
    if not info.labels:
        raise Refusal(f"The model {info.ref.name} knows no labels. Leave --label out.")
    return labels_among(info.labels, info.ref.name, text, count)


def labels_among(names: tuple[str, ...], whose: str, text: str, count: int) -> tuple[int | None, ...]:
    """The same among the labels ``names`` of what is called ``whose``."""
    # A name may itself hold a comma: the whole text is tried first.
    parts = [text] if text in names else [part.strip() for part in text.split(",")]
    labels = tuple(_label(names, whose, part) for part in parts)
    if len(labels) == 1:
        return labels * count
    if len(labels) != count:
        raise Refusal(f"--label lists {len(labels)} labels for {count} samples. Give one, or one for each.")
    return labels


def _label(names: tuple[str, ...], whose: str, text: str) -> int | None:
    if text in names:
        return names.index(text)
    if text.lower() in ("none", "null"):
        return None
    if text.isdecimal() and int(text) < len(names):
        return int(text)
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise Refusal(f"The model {whose} has no label {text!r}. Its labels are {shown}.")
