"""The arguments of every command."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, get_args

from core.cli.reading import add_reading, add_scan
from core.cli.runs import add_arguments as add_runs
from core.errors import Refusal
from core.requests import (
    ClipPolicy,
    GradientPlace,
    InversionConvention,
    MetricName,
    MixName,
    PredictionKind,
    SamplerName,
    ScheduleName,
    SpacingName,
    VarianceKind,
    VarianceName,
)
from core.training.order import ObjectiveName, PresetName, TimestepSamplerName, WeightsName

MAX_SEED = 2**63 - 1

USAGE = """\
usage: main.py [IMAGE | FOLDER | MODEL ...]     open the window
       main.py sample --model M ...             draw samples from a model
       main.py noise IMAGE --t T1,T2,...        a picture in the forward process
       main.py denoise IMAGE --from-t T ...     a picture noised to t, and denoised again
       main.py invert IMAGE --model M ...       a picture's latent, and the picture made of it again
       main.py interpolate A B --model M ...    from picture to picture through their latents
       main.py scan FOLDER ...                  what there is in a folder of pictures
       main.py train FOLDER --out RUN ...       train a model on a folder of pictures
       main.py evaluate --model M --data FOLDER ...   its likelihood, and how far its samples are from the pictures
       main.py nearest MODEL FOLDER --out SHEET.png ...   the training pictures nearest to its samples
       main.py ablation FOLDER --out DIR ...    what DDPM's table 2 compares, on a folder of pictures
       main.py runs [list | compare | branch | rename | export | delete] ...   the trainings of this computer
       main.py screenshots DIR [--quick]        pictures of the window for the documentation

main.py COMMAND --help tells more about a command."""


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        raise Refusal(f"{message[0].upper()}{message[1:]} ({self.prog} --help tells more).")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of a command, with ``command`` its name. Raises Refusal; exits 0 for --help."""
    parser = Parser(prog="main.py", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_sample(commands.add_parser("sample", help="draw samples from a model", allow_abbrev=False))
    _add_noise(commands.add_parser("noise", help="a picture in the forward process", allow_abbrev=False))
    _add_denoise(commands.add_parser("denoise", help="noise a picture and denoise it again", allow_abbrev=False))
    _add_invert(commands.add_parser("invert", help="a picture's latent and its reconstruction", allow_abbrev=False))
    _add_interpolate(commands.add_parser("interpolate", help="from picture to picture", allow_abbrev=False))
    add_scan(commands.add_parser("scan", help="what there is in a folder of pictures", allow_abbrev=False))
    _add_train(commands.add_parser("train", help="train a model on a folder", allow_abbrev=False))
    _add_evaluate(commands.add_parser("evaluate", help="measure a model on a folder", allow_abbrev=False))
    _add_nearest(commands.add_parser("nearest", help="has a model learned by heart", allow_abbrev=False))
    _add_ablation(commands.add_parser("ablation", help="DDPM's table 2 on a folder", allow_abbrev=False))
    add_runs(commands.add_parser("runs", help="the trainings of this computer", allow_abbrev=False))
    return parser.parse_args(arguments)


def _add_sample(parser: argparse.ArgumentParser) -> None:
    parser.description = "Draw samples from a model; the same request in the window gives the same pictures."
    _add_model(parser)
    _option(parser, "--temperature", "factor of the initial noise (default 1)", type=not_negative, default=1.0,
            metavar="F")  # fmt: skip
    _add_sampling(parser)


def _add_denoise(parser: argparse.ArgumentParser) -> None:
    parser.description = "Noise a picture to t and denoise it again (SDEdit): the more noise, the freer the result."
    _add_image(parser)
    _option(parser, "--from-t", "the timestep it is noised to", type=whole(0, 9_999), required=True, metavar="T")
    _add_model(parser)
    _add_sampling(parser)


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    _option(parser, "--sampler", "default: what the model's folder says", choices=get_args(SamplerName))
    _add_steps(parser)
    _option(parser, "--eta", "of DDIM: 0 is deterministic, 1 the DDPM posterior", type=fraction, metavar="E")
    _option(
        parser,
        "--variance",
        "of DDPM: the posterior's (small), the step's beta (large), or as the model has learned",
        choices=get_args(VarianceName),
    )
    _option(parser, "--timesteps", "picked by hand, falling, separated by commas", type=timesteps, metavar="T1,T2,...")
    _option(parser, "--clip", "of x0_hat to the data's range", choices=get_args(ClipPolicy))
    _option(parser, "--percentile", "of --clip dynamic: of each picture's |x0_hat| (default 0.995)", type=fraction,
            metavar="P")  # fmt: skip
    _option(parser, "--limit", "of --clip dynamic: no |x0_hat| beyond it is scaled back (default none)", type=positive,
            metavar="L")  # fmt: skip
    _add_guidance(parser)
    _option(parser, "-n", "number of samples (default 1)", dest="count", type=whole(1, 4096), default=1, metavar="K")
    _option(parser, "--out", "all samples as one PNG", type=Path, metavar="GRID.png")
    _option(parser, "--columns", "of the grid (default: as square as can be)", type=whole(1, 4096), metavar="N")
    _option(parser, "--npy", "float32 (n, channels, height, width), unclamped", type=Path, metavar="X.npy")
    _add_seed(parser)
    _add_network(parser)
    _add_reporting(parser)


def _add_guidance(parser: argparse.ArgumentParser) -> None:
    _option(parser, "--interval", "guide at these timesteps alone, both counted", type=pair, metavar="T1,T2")
    _option(parser, "--rescale", "how far guided predictions go back to the plain ones' strength (default 0)",
            type=fraction, default=0.0, metavar="R")  # fmt: skip
    _option(parser, "--classifier", "guide towards --label by this noisy classifier", metavar="NAME")
    _option(parser, "--classifier-scale", "of its gradient (default 1)", type=number, metavar="S")
    _option(parser, "--classifier-at", "of DDPM: where its gradient is taken (default x_t)",
            choices=get_args(GradientPlace))  # fmt: skip


def _add_invert(parser: argparse.ArgumentParser) -> None:
    parser.description = "DDIM inversion: a picture's latent, the picture made of it again, and how far that is off."
    _add_image(parser)
    _add_model(parser)
    _add_steps(parser)
    _option(parser, "--clip", "of x0_hat to the data's range (default none)", choices=get_args(ClipPolicy))
    _add_inversion(parser)
    _option(parser, "--out", "the picture made of its latent", type=Path, metavar="RECON.png")
    _option(parser, "--npy", "the latent, float32 (1, channels, height, width)", type=Path, metavar="LATENT.npy")
    _add_network(parser)
    _add_reporting(parser)


def _add_interpolate(parser: argparse.ArgumentParser) -> None:
    parser.description = "From picture to picture by way of their latents; three or four make a closed way, or a grid."
    parser.add_argument("ends", nargs="+", metavar="END", help="two to four: picture files, bundled samples, or seed:N")
    _add_model(parser)
    _add_steps(parser)
    _option(parser, "--frames", "from each end to the next, both counted (default 8)", type=whole(2, 1024), default=8,
            metavar="F")  # fmt: skip
    _option(parser, "--mode", "how latents are mixed (default slerp)", choices=get_args(MixName), default="slerp")
    _option(parser, "--t", "of ddpm: where noised pictures are mixed; several make rows", type=timesteps,
            metavar="T1,T2,...")  # fmt: skip
    parser.add_argument("--grid", action="store_true", help="between four ends: a slerp of slerps, F x F frames")
    _option(
        parser, "--clip", "of x0_hat to the data's range (default: none with pictures)", choices=get_args(ClipPolicy)
    )
    _add_inversion(parser)
    _option(parser, "--out", "a sheet (.png) or an animation (.gif, .webp, .apng)", type=Path, metavar="STRIP.png")
    _option(parser, "--milliseconds", "each frame is shown (default 100)", type=whole(10, 60_000), default=100)
    _option(parser, "--npy", "all frames, float32 (n, channels, height, width), unclamped", type=Path, metavar="X.npy")
    _add_seed(parser)
    _add_network(parser)
    _add_reporting(parser)


def _add_noise(parser: argparse.ArgumentParser) -> None:
    parser.description = "x_t of a picture at its own size for several t, with one noise, side by side."
    _add_image(parser)
    _option(parser, "--t", "timesteps, separated by commas", type=timesteps, required=True,
            metavar="T1,T2,...")  # fmt: skip
    _option(parser, "--schedule", "noise schedule (default linear)", choices=NAMED_SCHEDULES, default="linear")
    _option(parser, "--T", "number of timesteps of the schedule (default 1000)", type=whole(1, 10_000), default=1000)
    _option(parser, "--out", "the pictures side by side as one PNG", type=Path, required=True, metavar="STRIP.png")
    _add_seed(parser)
    _add_reporting(parser)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Train a model, or a classifier, on a folder of pictures; sub-folders are its classes. With several devices: "
        "torchrun --nproc-per-node N main.py train FOLDER --out RUN."
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="pictures, or sub-folders of pictures")
    _option(parser, "--out", "the run's folder, itself a model folder", type=Path, required=True, metavar="RUN")
    _option(parser, "--size", "side of the pictures in pixels (default 32)", type=whole(8, 1024), metavar="N")
    length = parser.add_mutually_exclusive_group()
    _option(length, "--steps", "train this many steps", type=whole(1, 100_000_000), metavar="N")
    _option(length, "--minutes", "train this long (default 20)", type=positive, metavar="M")
    _option(parser, "--preset", "size of the network (default small)", choices=get_args(PresetName))
    _option(parser, "--from", "fine-tune this model: a bundled name or a folder", dest="base", metavar="MODEL")
    _option(parser, "--batch", "pictures a step, of each process where torchrun starts several (default 64)",
            type=whole(1, 65_536), metavar="B")  # fmt: skip
    _option(parser, "--lr", "learning rate (default 0.001; 0.0002 with --from)", type=positive, metavar="R")
    _option(parser, "--prediction", "of the network (default v)", choices=get_args(PredictionKind))
    _option(parser, "--objective", "what is made small (default simple; hybrid where the variance is learned)",
            choices=get_args(ObjectiveName))  # fmt: skip
    _option(parser, "--variance", "of the reverse step: fixed, or learned within a range or freely (default fixed)",
            choices=get_args(VarianceKind))  # fmt: skip
    _option(parser, "--schedule", "noise schedule (default linear)", choices=NAMED_SCHEDULES)
    _option(parser, "--T", "number of timesteps of the schedule (default 1000)", type=whole(1, 10_000))
    parser.add_argument("--zero-snr", action="store_true", help="rescale the schedule to end without any signal")
    _option(parser, "--timestep-sampler", "how a batch's timesteps are drawn (default spread)",
            choices=get_args(TimestepSamplerName))  # fmt: skip
    parser.add_argument("--classifier", action="store_true", help="train a classifier of the classes, to guide with")
    parser.add_argument("--clean", action="store_true", help="of a classifier: on clean pictures, to judge with")
    add_reading(parser)
    parser.add_argument("--flip", action="store_true", help="mirror half of the pictures")
    _option(parser, "--never-flip", "of --flip: not those whose path matches one of these, such as 'Flags/*'",
            nargs="+", action="extend", default=[], metavar="PATTERN")  # fmt: skip
    _option(parser, "--validation", "pictures kept aside to measure on (default one in twenty, at most 256)",
            type=whole(0, 65_536), metavar="N")  # fmt: skip
    _option(parser, "--keep-every", "keep the checkpoint of every K-th step, besides the latest and the best",
            type=whole(1, 100_000_000), metavar="K")  # fmt: skip
    _option(parser, "--samples-from", "weights that samples are drawn with (default ema)",
            choices=get_args(WeightsName))  # fmt: skip
    _option(parser, "--compile", "kernels for the network are compiled beside a long run, and kept if faster (default)",
            action=argparse.BooleanOptionalAction)  # fmt: skip
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint, if there is one")
    _add_seed(parser, default=None)
    _add_network(parser)
    _add_reporting(parser)


def _add_ablation(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "DDPM's ablation (Ho et al. 2020, table 2): the mean or the noise predicted, by the bound or L_simple, with a "
        "learned or a fixed variance, trained equally long and measured. The same command goes on where it was stopped."
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="pictures, or sub-folders of pictures")
    _option(parser, "--out", "where the trainings lie side by side", type=Path, required=True, metavar="DIR")
    _option(parser, "--steps", "of each training", type=whole(1, 100_000_000), metavar="N")
    _option(parser, "--size", "side of the pictures in pixels (default 32)", type=whole(8, 1024), metavar="N")
    _option(parser, "--preset", "size of the network (default small)", choices=get_args(PresetName))
    _option(parser, "--batch", "pictures a step (default 64)", type=whole(1, 65_536), metavar="B")
    _option(parser, "--lr", "learning rate (default 0.001)", type=positive, metavar="R")
    parser.add_argument("--hybrid", action="store_true", help="and L_hybrid with a learned variance (Nichol 2021)")
    _option(parser, "--held-out", "measure on these pictures in place of FOLDER's", type=Path, metavar="FOLDER")
    _option(parser, "--features", "a classifier's name or folder, or a file with Inception's weights", metavar="NAME")
    _option(parser, "--device", "auto, cpu, cuda, cuda:1, mps (default auto)", default="auto", metavar="NAME")
    _add_seed(parser, default=None)
    _add_reporting(parser)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = "How many bits pictures cost a model, and how far its samples are from them."
    _option(parser, "--model", "a bundled model's name, or a model folder in the diffusers layout", required=True)
    _option(parser, "--data", "pictures it is measured on, or sub-folders of them", type=Path, required=True,
            metavar="FOLDER")  # fmt: skip
    add_reading(parser)
    parser.add_argument("--nll", action="store_true", help="bits a value by the variational bound (the default)")
    parser.add_argument("--distance", action="store_true", help="of samples from the pictures")
    _option(parser, "--count", "pictures, and samples (default 200)", type=whole(2, 1_000_000), default=200,
            metavar="N")  # fmt: skip
    _option(parser, "--timesteps", "of --nll: strata of t (default 50), or all", type=strata, metavar="K")
    _option(parser, "--draws", "of --nll: of noise for each picture and t (default 1)", type=whole(1, 1000),
            metavar="D")  # fmt: skip
    _option(parser, "--sampler", "of --distance: one or several", choices=get_args(SamplerName), nargs="+")
    _option(parser, "--steps", "of --distance: network evaluations, one or several (default 50)", nargs="+",
            type=whole(1, 10_000), metavar="S")  # fmt: skip
    _option(parser, "--spacing", "of --distance", type=spacing, metavar="NAME")
    _option(parser, "--eta", "of DDIM", type=fraction, metavar="E")
    _option(parser, "--guidance", "of --distance: w of eps = (1 + w) eps_c - w eps_u", type=number, metavar="W")
    _option(parser, "--features", "a classifier's name or folder, or a file with Inception's weights", metavar="NAME")
    _option(parser, "--metric", "default kernel; frechet where there are enough samples", choices=get_args(MetricName))
    _option(parser, "--batch", "samples drawn together (default 50)", type=whole(1, 4096), default=50, metavar="B")
    parser.add_argument("--unlabelled", action="store_true", help="tell the model no classes")
    _option(parser, "--variance", "of the reverse step", choices=get_args(VarianceName))
    _option(parser, "--clip", "of x0_hat to the data's range (default: clamp for --nll)", choices=get_args(ClipPolicy))
    _add_seed(parser)
    _add_network(parser)
    _add_reporting(parser)


def _add_nearest(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "The pictures a model was trained on that are nearest to its samples, by pixels and by features, beside how "
        "near pictures are that it was not trained on: has it learned by heart?"
    )
    parser.add_argument("model", metavar="MODEL", help="a training run's folder, a model folder, or a bundled name")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the pictures it was trained on")
    _option(parser, "--out", "samples and what is nearest to them, as one PNG", type=Path, required=True,
            metavar="SHEET.png")  # fmt: skip
    _option(parser, "--samples", "drawn from it, classes in turn (default 64)", type=whole(1, 10_000), default=64,
            metavar="N")  # fmt: skip
    _option(parser, "--held-out", "pictures of the same kind that it was not trained on", type=Path, metavar="FOLDER")
    _option(parser, "--neighbours", "of each sample (default 3)", type=whole(1, 16), default=3, metavar="K")
    _option(parser, "--shown", "samples on the sheet, the nearest first (default 24)", type=whole(1, 1000), default=24,
            metavar="N")  # fmt: skip
    _option(parser, "--features", "a classifier's name or folder, a file with Inception's weights, own (the model's "
            "network) or none", metavar="NAME")  # fmt: skip
    _option(parser, "--steps", "of each sample (default 50)", type=whole(1, 10_000), default=50, metavar="S")
    parser.add_argument("--mirrored", action="store_true", help="count mirrored pictures (as where the run flipped)")
    _add_seed(parser)
    _option(parser, "--device", "auto, cpu, cuda, cuda:1, mps (default auto)", default="auto", metavar="NAME")
    _add_reporting(parser)


def _add_image(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="a picture file, or a bundled sample's name")


def _add_model(parser: argparse.ArgumentParser) -> None:
    _option(parser, "--model", "a bundled model's name, or a model folder in the diffusers layout", required=True)
    _option(parser, "--label", "class by name or index, or one for each sample, separated by commas", metavar="L")
    parser.add_argument("--labels", dest="label", metavar="L", help=argparse.SUPPRESS)
    _option(
        parser, "--guidance", "w of eps = (1 + w) eps_c - w eps_u (default 0)", type=number, default=0.0, metavar="W"
    )


def _add_steps(parser: argparse.ArgumentParser) -> None:
    _option(parser, "--steps", "network evaluations (default 50)", type=whole(1, 10_000), metavar="S")
    _option(parser, "--spacing", f"of the timesteps: {', '.join(SPACINGS)}", type=spacing, metavar="NAME")


def _add_inversion(parser: argparse.ArgumentParser) -> None:
    _option(parser, "--convention", "where the way up asks the network (default diffusers)",
            choices=get_args(InversionConvention), default="diffusers")  # fmt: skip
    _option(parser, "--refine", "fixed-point iterations a step up, 0 to 5 (default 0)", type=whole(0, 5), default=0,
            metavar="N")  # fmt: skip


def _add_seed(parser: argparse.ArgumentParser, default: int | None = 0) -> None:
    _option(parser, "--seed", "of all randomness (default 0)", type=whole(0, MAX_SEED), default=default, metavar="N")


def _add_network(parser: argparse.ArgumentParser) -> None:
    precisions = ("auto", "float32", "bfloat16")
    _option(parser, "--precision", "of the network (default auto)", choices=precisions, default="auto")
    _option(parser, "--device", "auto, cpu, cuda, cuda:1, mps (default auto)", default="auto", metavar="NAME")


def _add_reporting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result for machines on standard output")
    parser.add_argument("--progress", action="store_true", help="show progress even where no terminal is")


def _option(parser: argparse._ActionsContainer, name: str, words: str, **settings: object) -> None:
    parser.add_argument(name, help=words, **settings)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ values

NAMED_SCHEDULES = [name for name in get_args(ScheduleName) if name not in ("drawn", "betas")]
SPACINGS = [name for name in get_args(SpacingName) if name != "hand"]


def whole(low: int, high: int) -> Callable[[str], int]:
    """A type for whole numbers low..high."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return value

    return read


def number(text: str) -> float:
    """A finite number within ±1000."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from -1000 to 1000")
    return value


def fraction(text: str) -> float:
    """A number 0..1."""
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} does not lie between 0 and 1")
    return value


def positive(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def not_negative(text: str) -> float:
    """A number 0..100."""
    value = number(text)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} does not lie between 0 and 100")
    return value


def pair(text: str) -> tuple[int, int]:
    """Two timesteps separated by a comma."""
    given = timesteps(text)
    if len(given) != 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not two timesteps: the first and the last")
    return given[0], given[1]


def strata(text: str) -> int | str:
    """A number of timesteps, or all of them."""
    return text if text == "all" else whole(2, 10_000)(text)


def spacing(text: str) -> str:
    """The name of a spacing; log-snr and log_snr are one."""
    name = text.replace("-", "_")
    if name not in SPACINGS:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(SPACINGS)}")
    return name


def timesteps(text: str) -> tuple[int, ...]:
    """Timesteps separated by commas."""
    read = whole(0, 9_999)
    return tuple(read(part.strip()) for part in text.split(","))
