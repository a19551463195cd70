"""How good is the emoji model? Its distance to held-out emoji, and whether it has learned its pictures by heart.

    python -m tests.bench.emoji_quality --data DIR [--model emoji] [--guidance 0 1 ...] [--sheet FILE.png]

DIR is where the recipe (resources/recipes/emoji.py) has put ``train`` and ``held_out``. As many samples are drawn of
each group as emoji of it are held out, and printed for each guidance w, with DDIM steps: the Fréchet distance (Heusel
et al. 2017, in the 64 features of a judge that was trained on the training emoji alone, never guides and selects
nothing) between the samples and the held-out emoji, beside that of as many training emoji; how many samples the judge
recognises as the group asked for, beside how many held-out ones; and the distance of samples, and of held-out emoji, to
the nearest training emoji, in pixels (root mean square, 8-bit values) and in features. ``--sheet`` draws samples above
their nearest training emoji.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.model_folder import find_model, open_model
from core.training.dataset import open_folder
from tests.bench.digits_quality import draw, frechet, look, pixels_to_x, the_judge

EPOCHS = 30
SHOWN = 16
Pictures = NDArray[np.uint8]
Distances = NDArray[np.float64]


def nearest(of: Distances, to: Distances) -> tuple[Distances, NDArray[np.int64]]:
    """The root mean square distance of each row of ``of`` (n, d) to the nearest of ``to`` (m, d), and which it is."""
    squares = np.square(of).sum(1)[:, None] + np.square(to).sum(1)[None] - 2 * of @ to.T
    which = squares.argmin(1)
    return np.sqrt(np.square(of - to[which]).mean(1)), which


def nearest_mirrored(of: Pictures, to: Pictures) -> tuple[Distances, NDArray[np.int64]]:
    """The same in pixels, where a picture is as near as its mirror image."""
    flat = to.reshape(len(to), -1).astype(np.float64)
    both = [nearest(p.reshape(len(p), -1).astype(np.float64), flat) for p in (of, of[:, :, ::-1])]
    first = both[0][0] <= both[1][0]
    return np.where(first, both[0][0], both[1][0]), np.where(first, both[0][1], both[1][1])


def sheet(samples: Pictures, found: Pictures) -> Image.Image:
    """Samples above their nearest, three times as large."""
    rows = [np.concatenate(list(part), axis=1) for part in (samples, found)]
    picture = Image.fromarray(np.concatenate(rows))
    return picture.resize((3 * picture.width, 3 * picture.height), Image.Resampling.NEAREST)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the recipe's folder, with train and held_out")
    parser.add_argument("--model", default="emoji", help="a model folder or a bundled model's name")
    parser.add_argument("--guidance", type=float, nargs="+", default=[0.0, 1.0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--times", type=int, default=1, help="samples for each held-out emoji")
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16"))
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--sheet", type=Path, help="write the nearest-neighbour sheet here")
    options = parser.parse_args()

    train, held_out = open_folder(options.data / "train"), open_folder(options.data / "held_out")
    judge = the_judge(train, EPOCHS)
    seen, real = look(judge, pixels_to_x(held_out.pictures))
    accuracy = float((seen.numpy() == held_out.labels).mean())
    known_features = look(judge, pixels_to_x(train.pictures))[1]
    chosen = np.linspace(0, len(train) - 1, len(held_out)).round().astype(int)
    baseline = frechet(known_features[chosen], real)
    held_pixels, _ = nearest_mirrored(held_out.pictures, train.pictures)
    held_near, _ = nearest(real, known_features)
    print(f"judge: {accuracy:.1%} of the {len(held_out)} held-out emoji recognised by group")
    print(f"Fréchet distance of {len(chosen)} training emoji to the held-out ones: {baseline:.2f}")
    print(
        f"held-out emoji to the nearest training emoji: {_median(held_pixels)} in pixels, {_median(held_near)} features"
    )

    model = open_model(find_model(options.model))
    labels = torch.from_numpy(held_out.labels).repeat_interleave(options.times)
    figures = []
    for w in options.guidance:
        start = time.perf_counter()
        samples = draw(model, labels, w, options.steps, options.seed, options.precision)
        seconds = time.perf_counter() - start
        seen, features = look(judge, samples)
        pictures = ((samples + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        pixels, which = nearest_mirrored(pictures, train.pictures)
        near, _ = nearest(features, known_features)
        distance, recognised = frechet(features, real), float((seen == labels).double().mean())
        figures.append(
            {
                "guidance": w,
                "recognised": recognised,
                "frechet": distance,
                "ratio": distance / baseline,
                "pixels": float(np.median(pixels)),
                "features": float(np.median(near)),
            }
        )
        print(
            f"w = {w:<4g} {len(samples)} samples, {options.steps} DDIM steps: Fréchet distance {distance:.2f} = "
            f"{distance / baseline:.2f} x real, {recognised:.1%} recognised; to the nearest training emoji "
            f"{_median(pixels)} in pixels, {_median(near)} in features ({seconds:.0f} s)",
            flush=True,
        )
        if options.sheet and w == options.guidance[0]:
            shown = np.linspace(0, len(pictures) - 1, SHOWN).round().astype(int)
            sheet(pictures[shown], train.pictures[which[shown]]).save(options.sheet)
    if options.json:
        result = {"judge_accuracy": accuracy, "frechet_real": baseline, "samples": len(labels), "steps": options.steps}
        result |= {"held_out_pixels": float(np.median(held_pixels)), "held_out_features": float(np.median(held_near))}
        options.json.write_text(json.dumps(result | {"figures": figures}, indent=2) + "\n")
    return 0 if min(figure["pixels"] for figure in figures) >= np.median(held_pixels) else 1


def _median(distances: Distances) -> str:
    low, middle, high = np.percentile(distances, [25, 50, 75])
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


if __name__ == "__main__":
    sys.exit(main())
