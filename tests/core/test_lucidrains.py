"""Checkpoints of denoising-diffusion-pytorch: recognised, opened exactly, or refused by name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from core.checkpoints.container import open_container
from core.checkpoints.family import Loose, Reading
from core.checkpoints.lucidrains import FAMILY
from core.errors import Cancelled, Refusal
from core.lucidrains_config import LucidrainsConfig
from core.lucidrains_unet import LucidrainsUnet
from core.network import prepare_network
from core.requests import ScheduleSpec
from core.schedules import make_schedule
from tests.lookalikes.lucidrains import OPTIONS, Weights, cosine_betas, linear_betas, reference, save, tables, weights

SIZE = {"size": "8"}


def read(path: Path, answers: dict[str, str] = SIZE) -> tuple[Reading, LucidrainsUnet]:
    container = open_container(path)
    assert FAMILY.recognises(container.loose.shapes)
    reading = FAMILY.read(container.loose, answers)
    network = reading.build()
    network.load_state_dict(reading.convert(container.load()), strict=True, assign=True)
    assert isinstance(network, LucidrainsUnet)
    return reading, network.eval()


def network_of(w: Weights) -> LucidrainsUnet:
    shapes = {name: tuple(tensor.shape) for name, tensor in w.items()}
    reading = FAMILY.read(Loose(shapes, w.__getitem__), SIZE)
    network = reading.build()
    network.load_state_dict(reading.convert(w), strict=True, assign=True)
    assert isinstance(network, LucidrainsUnet)
    return network.eval()


def refusal(network: Weights, extras: dict[str, object] | None = None) -> str:
    shapes = {name: tuple(tensor.shape) for name, tensor in network.items()}
    assert FAMILY.recognises(shapes)
    with pytest.raises(Refusal) as told:
        FAMILY.read(Loose(shapes, network.__getitem__, "model-1.pt", extras or {}), SIZE)
    return str(told.value)


def noisy(channels: int, sides: tuple[int, int] = (8, 16)) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, channels, *sides, generator=generator), torch.tensor([3.0, 712.0])


@pytest.mark.parametrize("name", OPTIONS)
@torch.inference_mode()
def test_that_its_network_is_computed_as_its_formulas_say(name: str, tmp_path: Path) -> None:
    w = weights(**OPTIONS[name])
    _, network = read(save(tmp_path / "model-1.pt", w, tables(linear_betas(100))))
    x, t = noisy(network.config.in_channels)
    expected = reference(w, x, t, OPTIONS[name].get("heads", 4))
    scale = expected.abs().max()
    assert (network(x, t) - expected).abs().max() < 1e-4 * scale
    ready = prepare_network(network, "cpu", "float32")
    for i in range(2):  # a single time goes another way, and convolutions have packed weights
        assert (ready(x[i : i + 1], float(t[i])) - expected[i]).abs().max() < 1e-4 * scale


@torch.inference_mode()
def test_that_one_that_is_told_its_own_guess_does_without(tmp_path: Path) -> None:
    w = weights(given=6)
    reading, network = read(save(tmp_path / "model-1.pt", w, tables(linear_betas(100))))
    x, t = noisy(3)
    expected = reference(w, torch.cat((torch.zeros_like(x), x), 1), t)
    assert (network(x, t) - expected).abs().max() < 1e-4 * expected.abs().max()
    assert any("self_condition" in note for note in reading.description.notes)


@torch.inference_mode()
def test_that_learned_frequencies_of_the_time_are_known(tmp_path: Path) -> None:
    w = weights(fourier=16)
    _, network = read(save(tmp_path / "model-1.pt", w, tables(linear_betas(100))))
    x, t = noisy(3)
    expected = reference(w, x, t)
    assert (network(x, t) - expected).abs().max() < 1e-4 * expected.abs().max()


@torch.inference_mode()
def test_that_in_bfloat16_it_answers_nearly_the_same() -> None:
    network = network_of(weights(16))
    x, t = noisy(3)
    exact, rounded = network(x, t), prepare_network(network, "cpu", "bfloat16")(x, t).float()
    assert (rounded - exact).square().mean().sqrt() < 0.05 * exact.square().mean().sqrt()


@pytest.mark.parametrize(
    "change",
    [
        {"widths": []},
        {"widths": [8, 1.5]},
        {"widths": [8] * 40},
        {"heads": [4]},
        {"heads": [0, 4]},
        {"full_attention": [1, 0]},
        {"norm": "layer"},
        {"norm": "group", "first_width": 12},
        {"time_width": 7},
        {"time_width": 10**9},
        {"fourier": 3},
        {"sample_size": [8, 8, 8]},
        {"sample_size": "8"},
        {"memory": -1},
        {"in_channels": None},
    ],
)
def test_that_options_that_make_no_network_are_refused(change: dict[str, Any]) -> None:
    sound = network_of(weights()).config
    assert LucidrainsConfig.from_json(sound.to_json()) == sound
    with pytest.raises(Refusal):
        LucidrainsConfig.from_json({**sound.to_json(), **change})


def test_that_it_can_be_stopped_between_any_two_resolutions() -> None:
    network, calls = network_of(weights()), 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise Cancelled

    network.check = check
    x, t = noisy(3)
    with pytest.raises(Cancelled), torch.inference_mode():
        network(x, t)
    network.check = None
    assert network(x, t).shape == x.shape


def test_that_pictures_of_other_sides_and_labels_are_refused() -> None:
    network = network_of(weights())
    with pytest.raises(Refusal, match="multiples of 2"):
        network(torch.zeros(1, 3, 7, 8), 0.0)
    with pytest.raises(Refusal, match="no classes"):
        network(torch.zeros(1, 3, 8, 8), 0.0, torch.tensor([1]))


def test_that_the_published_sizes_are_met() -> None:
    sizes = {(64, (1, 2, 4, 8)): 35_711_491, (32, (1, 2, 4, 8)): 9_199_363, (8, (1, 2)): 79_787}
    for (dim, mults), parameters in sizes.items():
        levels = len(mults)
        config = LucidrainsConfig(
            time_width=dim,
            first_width=dim,
            widths=tuple(dim * mult for mult in mults),
            heads=(4,) * levels,
            head_width=(32,) * levels,
            full_attention=(False,) * (levels - 1) + (True,),
        )
        with torch.device("meta"):
            network = LucidrainsUnet(config)
        assert sum(parameter.numel() for parameter in network.parameters()) == parameters
        if dim == 64:  # as torch counts them of the package’s own network
            assert network.flops(32, 32) == pytest.approx(3.65e9, rel=1e-3)


@pytest.mark.parametrize("objective", ["pred_noise", "pred_x0", "pred_v"])
@pytest.mark.parametrize("limit", [float("inf"), 5.0])
def test_that_schedule_and_objective_are_read_from_what_lies_beside_the_network(
    objective: str, limit: float, tmp_path: Path
) -> None:
    file = save(tmp_path / "model-1.pt", weights(), tables(cosine_betas(1000), objective, limit))
    reading = FAMILY.read(open_container(file).loose, SIZE)
    assert reading.says.schedule.name == "cosine"
    assert reading.says.schedule.T == 1000
    assert reading.says.prediction == {"pred_noise": "eps", "pred_x0": "x0", "pred_v": "v"}[objective]
    assert reading.description.questions == ()
    assert (reading.says.sampler.name, reading.says.sampler.clip) == ("ddim", "rederive")


def test_that_its_usual_schedule_is_kept_by_name_and_not_as_a_thousand_betas(tmp_path: Path) -> None:
    u = torch.linspace(0, 1, 1001, dtype=torch.float64)
    alpha_bar = 0.5 - torch.tanh(3 * u - 1.5) / (2 * math.tanh(1.5))
    betas = (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999)
    reading = FAMILY.read(open_container(save(tmp_path / "model-1.pt", weights(), tables(betas))).loose, SIZE)
    assert reading.says.schedule == ScheduleSpec("sigmoid_alpha_bar", 1000)
    assert ("noise schedule", "sigmoid, 1000 timesteps") in {(f.name, f.value) for f in reading.description.facts}


def test_that_betas_of_no_known_schedule_are_taken_as_they_are(tmp_path: Path) -> None:
    betas = torch.linspace(0.01, 0.3, 40, dtype=torch.float64) ** 1.5
    reading = FAMILY.read(open_container(save(tmp_path / "model-1.pt", weights(), tables(betas))).loose, SIZE)
    assert reading.says.schedule.name == "betas"
    assert make_schedule(reading.says.schedule).betas == pytest.approx(betas.float().double().numpy(), rel=1e-12)


def test_that_what_the_file_does_not_say_is_asked(tmp_path: Path) -> None:
    beside = tables(linear_betas(100), weight="p2_loss_weight")
    loose = open_container(save(tmp_path / "model-1.pt", weights(norm="group"), beside, version="1.4.5")).loose
    asked = {question.key: question for question in FAMILY.read(loose, {}).description.questions}
    assert asked.keys() == {"size", "prediction"}
    assert asked["prediction"].best == "eps"
    assert "1.4.5" in asked["prediction"].why
    answered = FAMILY.read(loose, {"size": "16", "prediction": "x0"})
    assert answered.description.questions == ()
    assert answered.event_shape == (3, 16, 16)
    assert answered.says.prediction == "x0"
    with pytest.raises(Refusal, match="multiple of 2"):
        FAMILY.read(loose, {"size": "15"})


def test_that_of_a_bare_network_all_is_asked(tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "unet.pt")
    reading = FAMILY.read(open_container(tmp_path / "unet.pt").loose, {})
    assert {question.key for question in reading.description.questions} == {
        *("size", "schedule", "timesteps", "prediction"),
    }
    assert reading.says.schedule == ScheduleSpec("sigmoid_alpha_bar", 1000)
    chosen = {**SIZE, "schedule": "cosine", "timesteps": "50", "prediction": "v"}
    assert FAMILY.read(open_container(tmp_path / "unet.pt").loose, chosen).says.schedule.T == 50


def test_that_averaged_weights_are_preferred_and_raw_ones_do(tmp_path: Path) -> None:
    w, beside = weights(), tables(linear_betas(100))
    _, averaged = read(save(tmp_path / "model-1.pt", w, beside))
    _, raw = read(save(tmp_path / "model-2.pt", w, beside, ema=False))
    assert torch.equal(averaged.final_conv.weight, w["final_conv.weight"])
    assert torch.equal(raw.final_conv.weight, w["final_conv.weight"])


def test_that_relatives_and_older_versions_are_refused_by_name() -> None:
    w = weights()
    assert "ElucidatedDiffusion" in refusal({f"net.{name}": tensor for name, tensor in w.items()})
    assert "classifier_free_guidance" in refusal({**w, "classes_emb.weight": torch.zeros(10, 8)})
    assert "KarrasUnet" in refusal(
        {"input_block.weight": torch.zeros(8, 4, 3, 3), "to_time_emb.1.weight": torch.zeros(32, 16)}
    )
    assert "Unet1D" in refusal({**w, "init_conv.weight": torch.zeros(8, 3, 7)})
    assert "continuous time" in refusal(weights(fourier=16))
    assert "WeightedObjective" in refusal(weights(out=8))
    old = {name.replace("downs.0.2.to_qkv", "downs.0.2.fn.fn.to_qkv"): tensor for name, tensor in w.items()}
    assert "version 1.5.4" in refusal(old, {"version": "1.5.4"})
    assert "before 1.8" in refusal(old)
    oldest = {name: tensor for name, tensor in w.items() if not name.startswith("downs.0.3")}
    assert "before 1.8" in refusal({**oldest, "downs.0.3.weight": torch.zeros(8, 8, 4, 4)})


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_that_a_changed_network_is_refused(change: str, tmp_path: Path) -> None:
    w = weights()
    if change == "missing":
        del w["mid_block1.block1.proj.bias"]
    elif change == "unknown":
        w["downs.0.4.weight"] = torch.zeros(3)
    else:
        w["ups.0.0.block1.proj.weight"] = torch.zeros(16, 20, 3, 3)
    with pytest.raises(Refusal):
        read(save(tmp_path / "model-1.pt", w, tables(linear_betas(100))))
