"""The commands and their arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, get_args

from core.cli.answering import add_answers
from core.cli.arguments import (
    NAMED_SCHEDULES,
    add_image,
    add_inversion,
    add_model,
    add_network,
    add_reporting,
    add_seed,
    add_steps,
    fraction,
    not_negative,
    number,
    option,
    pair,
    positive,
    timesteps,
    whole,
)
from core.cli.reading import add_scan
from core.cli.replay_arguments import add_run
from core.cli.runs import add_arguments as add_runs
from core.cli.training_arguments import add_ablation, add_evaluate, add_nearest, add_train
from core.errors import Refusal
from core.requests import (
    ClipPolicy,
    GradientPlace,
    MixName,
    SamplerName,
    VarianceName,
)

USAGE = """\
usage: main.py [IMAGE | FOLDER | MODEL | SESSION ...]   open the window
       main.py --new-session ...                the same, without what was there last time
       main.py sample --model M ...             draw samples from a model
       main.py noise IMAGE --t T1,T2,...        a picture in the forward process
       main.py denoise IMAGE --from-t T ...     a picture noised to t, and denoised again
       main.py invert IMAGE --model M ...       a picture's latent, and the picture made of it again
       main.py interpolate A B --model M ...    from picture to picture through their latents
       main.py scan FOLDER ...                  what there is in a folder of pictures
       main.py run RECIPE --out FILE ...        a result again, from the picture of it or its request
       main.py inspect FILE|FOLDER ...          what a model's file is, how that is known, what is guessed
       main.py convert FILE|FOLDER --out DIR ... the model as a folder that opens without questions
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
    add_run(commands.add_parser("run", help="a result again, from its recipe", allow_abbrev=False))
    _add_inspect(commands.add_parser("inspect", help="what a model's file is", allow_abbrev=False))
    _add_convert(commands.add_parser("convert", help="a model's file as a folder", allow_abbrev=False))
    add_scan(commands.add_parser("scan", help="what there is in a folder of pictures", allow_abbrev=False))
    add_train(commands.add_parser("train", help="train a model on a folder", allow_abbrev=False))
    add_evaluate(commands.add_parser("evaluate", help="measure a model on a folder", allow_abbrev=False))
    add_nearest(commands.add_parser("nearest", help="has a model learned by heart", allow_abbrev=False))
    add_ablation(commands.add_parser("ablation", help="DDPM's table 2 on a folder", allow_abbrev=False))
    add_runs(commands.add_parser("runs", help="the trainings of this computer", allow_abbrev=False))
    return parser.parse_args(arguments)


def _add_sample(parser: argparse.ArgumentParser) -> None:
    parser.description = "Draw samples from a model; the same request in the window gives the same pictures."
    add_model(parser)
    option(parser, "--temperature", "factor of the initial noise (default 1)", type=not_negative, default=1.0,
            metavar="F")  # fmt: skip
    _add_sampling(parser)


def _add_denoise(parser: argparse.ArgumentParser) -> None:
    parser.description = "Noise a picture to t and denoise it again (SDEdit): the more noise, the freer the result."
    add_image(parser)
    option(parser, "--from-t", "the timestep it is noised to", type=whole(0, 9_999), required=True, metavar="T")
    add_model(parser)
    _add_sampling(parser)


def _add_sampling(parser: argparse.ArgumentParser) -> None:
    option(parser, "--sampler", "default: what the model's folder says", choices=get_args(SamplerName))
    add_steps(parser)
    option(parser, "--eta", "of DDIM: 0 is deterministic, 1 the DDPM posterior", type=fraction, metavar="E")
    option(
        parser,
        "--variance",
        "of DDPM: the posterior's (small), the step's beta (large), or as the model has learned",
        choices=get_args(VarianceName),
    )
    option(parser, "--timesteps", "picked by hand, falling, separated by commas", type=timesteps, metavar="T1,T2,...")
    option(parser, "--clip", "of x0_hat to the data's range", choices=get_args(ClipPolicy))
    option(parser, "--percentile", "of --clip dynamic: of each picture's |x0_hat| (default 0.995)", type=fraction,
            metavar="P")  # fmt: skip
    option(parser, "--limit", "of --clip dynamic: no |x0_hat| beyond it is scaled back (default none)", type=positive,
            metavar="L")  # fmt: skip
    _add_guidance(parser)
    option(parser, "-n", "number of samples (default 1)", dest="count", type=whole(1, 4096), default=1, metavar="K")
    option(parser, "--out", "all samples as one PNG", type=Path, metavar="GRID.png")
    option(parser, "--columns", "of the grid (default: as square as can be)", type=whole(1, 4096), metavar="N")
    option(parser, "--npy", "float32 (n, channels, height, width), unclamped", type=Path, metavar="X.npy")
    add_seed(parser)
    add_network(parser)
    add_reporting(parser)


def _add_guidance(parser: argparse.ArgumentParser) -> None:
    option(parser, "--interval", "guide at these timesteps alone, both counted", type=pair, metavar="T1,T2")
    option(parser, "--rescale", "how far guided predictions go back to the plain ones' strength (default 0)",
            type=fraction, default=0.0, metavar="R")  # fmt: skip
    option(parser, "--classifier", "guide towards --label by this noisy classifier", metavar="NAME")
    option(parser, "--classifier-scale", "of its gradient (default 1)", type=number, metavar="S")
    option(parser, "--classifier-at", "of DDPM: where its gradient is taken (default x_t)",
            choices=get_args(GradientPlace))  # fmt: skip


def _add_invert(parser: argparse.ArgumentParser) -> None:
    parser.description = "DDIM inversion: a picture's latent, the picture made of it again, and how far that is off."
    add_image(parser)
    add_model(parser)
    add_steps(parser)
    option(parser, "--clip", "of x0_hat to the data's range (default none)", choices=get_args(ClipPolicy))
    add_inversion(parser)
    option(parser, "--out", "the picture made of its latent", type=Path, metavar="RECON.png")
    option(parser, "--npy", "the latent, float32 (1, channels, height, width)", type=Path, metavar="LATENT.npy")
    add_network(parser)
    add_reporting(parser)


def _add_interpolate(parser: argparse.ArgumentParser) -> None:
    parser.description = "From picture to picture by way of their latents; three or four make a closed way, or a grid."
    parser.add_argument("ends", nargs="+", metavar="END", help="two to four: picture files, bundled samples, or seed:N")
    add_model(parser)
    add_steps(parser)
    option(parser, "--frames", "from each end to the next, both counted (default 8)", type=whole(2, 1024), default=8,
            metavar="F")  # fmt: skip
    option(parser, "--mode", "how latents are mixed (default slerp)", choices=get_args(MixName), default="slerp")
    option(parser, "--t", "of ddpm: where noised pictures are mixed; several make rows", type=timesteps,
            metavar="T1,T2,...")  # fmt: skip
    parser.add_argument("--grid", action="store_true", help="between four ends: a slerp of slerps, F x F frames")
    option(
        parser, "--clip", "of x0_hat to the data's range (default: none with pictures)", choices=get_args(ClipPolicy)
    )
    add_inversion(parser)
    option(parser, "--out", "a sheet (.png) or a film (.gif, .webp, .apng; .mp4 where PyAV is installed)", type=Path,
           metavar="STRIP.png")  # fmt: skip
    option(parser, "--milliseconds", "each frame is shown (default 100)", type=whole(10, 60_000), default=100)
    option(parser, "--npy", "all frames, float32 (n, channels, height, width), unclamped", type=Path, metavar="X.npy")
    add_seed(parser)
    add_network(parser)
    add_reporting(parser)


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.description = "What a checkpoint is, how that is known, what is guessed; exit code 2 where it is refused."
    parser.add_argument("path", metavar="FILE|FOLDER", help="a file of weights, a model's folder, or a bundled name")
    add_answers(parser)
    parser.add_argument("--json", action="store_true", help="print the result for machines on standard output")


def _add_convert(parser: argparse.ArgumentParser) -> None:
    parser.description = "Write a model as a folder of safetensors and JSON that opens without questions."
    parser.add_argument("path", metavar="FILE|FOLDER", help="a file of weights, a model's folder, or a bundled name")
    option(parser, "--out", "the new folder", type=Path, required=True, metavar="DIR")
    add_answers(parser)
    parser.add_argument("--diffusers", action="store_true", help="for diffusers' pipelines; refused where it is not so")
    parser.add_argument("--half", action="store_true", help="weights as float16, half as large")
    add_reporting(parser)


def _add_noise(parser: argparse.ArgumentParser) -> None:
    parser.description = "x_t of a picture at its own size for several t, with one noise, side by side."
    add_image(parser)
    option(parser, "--t", "timesteps, separated by commas", type=timesteps, required=True,
            metavar="T1,T2,...")  # fmt: skip
    option(parser, "--schedule", "noise schedule (default linear)", choices=NAMED_SCHEDULES, default="linear")
    option(parser, "--T", "number of timesteps of the schedule (default 1000)", type=whole(1, 10_000), default=1000)
    option(parser, "--out", "the pictures side by side as one PNG", type=Path, required=True, metavar="STRIP.png")
    add_seed(parser)
    add_reporting(parser)
