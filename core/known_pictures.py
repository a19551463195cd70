"""Pictures that requests name, found by the hash of their content. No tensor here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import resources
from core.errors import Refusal
from core.images import OpenedImage, open_image


def find_pictures(wanted: Sequence[str], files: Sequence[str | Path] = ()) -> tuple[OpenedImage, ...]:
    """The pictures of these hashes, among ``files`` (or names of bundled samples) and the bundled samples. Raises
    Refusal for one that is nowhere, or a file that is no picture."""
    bundled = {sample.name: sample.path for sample in resources.samples()}
    named = [bundled.get(str(file), Path(file)) for file in files]
    found, missing = _search(wanted, [*named, *bundled.values()])
    if missing:
        said = " None of those that were named is it: their pixels differ." if files else ""
        raise Refusal(
            f"The picture ({missing[0][:12]}…) that this begins from is not bundled.{said} Name its file with --image.",
            "\n".join(missing),
        )
    return found


def known_pictures(wanted: Sequence[str], files: Sequence[Path]) -> tuple[OpenedImage, ...]:
    """Those of the pictures of these hashes that are among ``files`` and the bundled samples."""
    found: list[OpenedImage] = []
    for file in (*files, *(sample.path for sample in resources.samples())):
        try:
            found += _search([sha256 for sha256 in wanted if sha256 not in {one.sha256 for one in found}], [file])[0]
        except Refusal:
            continue  # it may have been moved, or replaced by something else
    return tuple(found)


def _search(wanted: Sequence[str], files: Sequence[Path]) -> tuple[tuple[OpenedImage, ...], list[str]]:
    """What is found of the wanted hashes, and what is not."""
    missing = list(dict.fromkeys(wanted))
    found: list[OpenedImage] = []
    for file in files:
        if not missing:
            break
        image = open_image(file)
        if image.sha256 in missing:
            missing.remove(image.sha256)
            found.append(image)
    return tuple(found), missing
