"""The pictures that the README shows are made by the real window."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import resources

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.timeout(300)
def test_that_the_window_photographs_every_stage_in_both_schemes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "screenshots", "shots", "--quick"],
        cwd=tmp_path, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    stages = ["forward", "denoise", "invert", "morph", "train", "measure"] if resources.models() else ["forward"]
    for stage in stages:
        with (
            Image.open(tmp_path / "shots" / f"{stage}.png") as dark,
            Image.open(tmp_path / "shots" / f"{stage}-light.png") as light,
        ):
            assert dark.size == light.size == (1280, 800)
            assert np.asarray(dark.convert("L")).mean() < 90
            assert np.asarray(light.convert("L")).mean() > 165
            assert len(dark.convert("RGB").getcolors(1 << 20) or ()) > 1000
    assert done.stdout.split() == [
        str(Path("shots") / f"{stage}{end}.png") for stage in stages for end in ("", "-light")
    ]


def test_that_the_readme_shows_pictures_that_are_there() -> None:
    shown = re.findall(r"!\[.+?\]\((.+?)\)", (ROOT / "README.md").read_text())
    assert len(shown) >= 2
    for path in shown:
        with Image.open(ROOT / path) as image:
            assert image.size == (1280, 800)
