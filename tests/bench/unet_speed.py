"""One evaluation of the DDPM CIFAR-10 U-Net: this program beside diffusers, same weights, one process, interleaved.

    python -m tests.bench.unet_speed [--rounds 15] [--threads 2] [--images 1 16]

Each round runs every contestant once, in a changing order; what is printed are medians of times, and medians of the
ratios within a round, so that a busy machine disturbs all alike. Nothing is compiled.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from core.unet import UNet, UNetConfig, prepare

CIFAR10: dict[str, Any] = {
    "sample_size": 32,
    "block_out_channels": [128, 256, 256, 256],
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
    "attention_head_dim": None,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
    "norm_eps": 1e-6,
}
GOALS = {(1, "float32"): 3.5, (1, "bfloat16"): 1.5, (16, "float32"): 4.0, (16, "bfloat16"): 1.1}

Contestant = Callable[[Tensor, float], Tensor]


def contestants() -> tuple[dict[str, Contestant], UNet]:
    """What is timed, by name, and the network itself."""
    from diffusers import UNet2DModel

    torch.manual_seed(0)
    theirs = UNet2DModel(**CIFAR10).eval()
    network = UNet(UNetConfig.from_json(CIFAR10))
    network.load_state_dict(theirs.state_dict())
    theirs_half = UNet2DModel(**CIFAR10).eval()
    theirs_half.load_state_dict(theirs.state_dict())
    theirs_half = theirs_half.to(torch.bfloat16).to(memory_format=torch.channels_last)

    def half(x: Tensor, t: float) -> Tensor:
        y: Tensor = theirs_half(x.to(torch.bfloat16, memory_format=torch.channels_last), t).sample
        return y

    return {
        "diffusers float32": lambda x, t: theirs(x, t).sample,
        "diffusers bfloat16": half,
        "Diffuscope float32": prepare(network, "cpu", "float32"),
        "Diffuscope bfloat16": prepare(network, "cpu", "bfloat16"),
    }, network


def measure(run: dict[str, Contestant], images: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of every contestant in every round."""
    x = torch.randn(images, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    times: dict[str, list[float]] = {name: [] for name in run}
    names = list(run)
    with torch.inference_mode():
        for name in names:
            run[name](x, 500.0)
        for round_ in range(rounds):
            shift = round_ % len(names)
            for name in names[shift:] + names[:shift]:
                run[name](x, 10.0)  # caches hold its own weights, not the neighbour's
                start = time.perf_counter()
                for _ in range(repeats(images)):
                    run[name](x, float(round_))
                times[name].append((time.perf_counter() - start) / repeats(images))
    return times


def repeats(images: int) -> int:
    return 5 if images == 1 else 1


def errors(run: dict[str, Contestant]) -> dict[str, float]:
    """Largest difference from diffusers in float32, relative to its largest value."""
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        expected = run["diffusers float32"](x, 300.0)
        return {
            name: float((f(x, 300.0).float() - expected).abs().max() / expected.abs().max()) for name, f in run.items()
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--images", type=int, nargs="+", default=[1, 16])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    import diffusers

    flags = torch.cpu.get_capabilities()
    on = [name for name in ("avx512_f", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16") if flags.get(name)]
    print(f"torch {torch.__version__}, diffusers {diffusers.__version__}, {arguments.threads} threads")
    print(f"{flags.get('cpu_name', 'CPU')}: {', '.join(on)}; AMX {'yes' if flags.get('amx_tile') else 'no'}")
    run, network = contestants()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    print(f"{parameters / 1e6:.1f} M parameters, {network.flops(32, 32) / 1e9:.1f} GFLOP an image")
    for name, error in errors(run).items():
        print(f"  {name:20} largest error {error:.1e}")
    for images in arguments.images:
        times = measure(run, images, arguments.rounds)
        print(f"\n{images} image{'s' * (images > 1)}")
        for name in times:
            rate = images * network.flops(32, 32) / statistics.median(times[name]) / 1e12
            print(f"  {name:20} {statistics.median(times[name]) * 1e3:8.1f} ms   {rate:5.2f} TFLOP/s")
        for ours, peer in (("bfloat16", "float32"), ("bfloat16", "bfloat16"), ("float32", "float32")):
            pairs = zip(times[f"diffusers {peer}"], times[f"Diffuscope {ours}"], strict=True)
            ratio = statistics.median(theirs / mine for theirs, mine in pairs)
            goal = GOALS.get((images, peer)) if ours == "bfloat16" else 1.0
            wanted = f"   (goal on AMX: {goal})" if goal and ours == "bfloat16" else "   (goal: 1.0)" if goal else ""
            print(f"  {ours} is {ratio:5.2f} times as fast as diffusers in {peer}{wanted}")


if __name__ == "__main__":
    main()
