"""``main.py sample``: every sampler, learned variances, guidance of both kinds, and how what is predicted is held."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import refused, sampled

DDIM = ("--label", "cat", "--steps", 4)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without labels that has learned a range of variances."""
    import torch

    from core.messages import ModelInfo
    from core.model_folder import save_model
    from core.requests import ModelRef, SamplerSpec, ScheduleSpec
    from tests.core.test_unet import network_of

    network = network_of(
        sample_size=8, in_channels=1, out_channels=2, block_out_channels=[8, 16], layers_per_block=1,
        norm_num_groups=4, down_block_types=["DownBlock2D", "DownBlock2D"], up_block_types=["UpBlock2D", "UpBlock2D"],
    )  # fmt: skip
    with torch.no_grad():
        network.conv_out.weight.mul_(0.2)
    info = ModelInfo(
        ModelRef("", ""), (1, 8, 8), ScheduleSpec("cosine", 4000), "v", variance="range",
        sampler=SamplerSpec("ddpm", variance="learned"),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("learned") / "plain"
    save_model(folder, network, info)
    return folder


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ((), ("--sampler", "heun")),
        ((), ("--sampler", "dpmpp")),
        ((), ("--temperature", 0.5)),
        ((), ("--clip", "dynamic")),
        (("--clip", "dynamic"), ("--percentile", 0.5)),
        (("--clip", "dynamic"), ("--limit", 1.1)),
        (("--guidance", 3), ("--interval", "400,600")),
        (("--guidance", 3), ("--rescale", 0.7)),
    ],
)
def test_that_every_option_of_the_samplers_changes_the_samples(
    command, model: Path, options: tuple[object, ...], more: tuple[object, ...]
) -> None:
    before, after = sampled(command, model, *DDIM, *options), sampled(command, model, *DDIM, *options, *more)
    assert not np.allclose(before[1], after[1], atol=1e-4)
    name, value = str(more[0]).removeprefix("--"), more[1]
    request = after[0]["request"]
    said = request["sampler"]["name"] if name == "sampler" else (request | request["sampler"]).get(name)
    assert said == ([400, 600] if name == "interval" else value)


def test_that_a_model_of_4000_timesteps_with_a_learned_variance_draws_with_it(command, learned: Path) -> None:
    result, x = sampled(command, learned, "--steps", 6)
    assert result["request"]["sampler"]["variance"] == "learned"
    assert result["request"]["timesteps"][0] > 3000
    ends = [sampled(command, learned, "--steps", 6, "--variance", name)[1] for name in ("learned", "small", "large")]
    assert np.array_equal(ends[0], x)
    assert not np.allclose(x, ends[1], atol=1e-4)
    assert not np.allclose(x, ends[2], atol=1e-4)
    assert sampled(command, learned, "--steps", 6, "--sampler", "dpmpp")[1].shape == x.shape


def test_that_a_classifier_guides_a_model_without_labels(command, learned: Path, guide: Path) -> None:
    def drawn(*options: object) -> tuple[dict, np.ndarray]:
        return sampled(command, learned, "--steps", 5, "--seed", 3, *options)

    plain = drawn()[1]
    with_guide = ("--classifier", guide, "--label", "bee")
    result, x = drawn(*with_guide)
    assert result["request"]["classifier"]["labels"] == [2]
    assert result["request"]["classifier"]["model"]["name"] == "insects"
    assert result["request"]["labels"] == []
    assert str(guide.parent) not in json.dumps(result["request"])
    assert not np.array_equal(x, plain)
    assert np.array_equal(drawn(*with_guide, "--classifier-scale", 0)[1], plain)
    for more in (("--classifier-scale", 40), ("--classifier-at", "mean"), ("--interval", "0,500")):
        assert not np.array_equal(drawn(*with_guide, *more)[1], x), more
    assert not np.array_equal(drawn("--classifier", guide, "--label", "cat")[1], x)


def test_that_what_is_guessed_of_a_classifiers_file_is_said(command, learned: Path, tmp_path: Path) -> None:
    import torch

    from tests.lookalikes.openai import Options, drawn

    plain = Options(32, (1, 2), (), resampling="conv", inputs=1, outputs=3, head_channels=64, pool="attention", side=8)
    torch.save(drawn(plain, 0), tmp_path / "judge.pt")
    guiding = ("--classifier", tmp_path / "judge.pt", "--label", "2")
    result, _ = sampled(command, learned, "--steps", 2, *guiding)
    assert result["request"]["classifier"]["model"]["name"] == "judge"
    (note,) = result["notes"]
    assert note.startswith("judge: Guessed, as the file does not say it: noise schedule: linear")


def test_that_a_classifier_is_asked_for_the_models_class_by_its_name(command, model: Path, guide: Path) -> None:
    result, _ = sampled(command, model, "--label", "dog,cat", "-n", 2, "--steps", 2, "--classifier", guide)
    assert result["request"]["labels"] == [1, 0]
    assert result["request"]["classifier"]["labels"] == [1, 0]
    arguments = ("sample", "--model", model, "--out", "a.png", "--steps", 2, "--classifier", guide)
    assert "no class 'fish, raw'" in refused(command(*arguments, "--label", "fish, raw"))
    assert "is none" in refused(command(*arguments, "--label", "none"))
    assert "--label" in refused(command(*arguments))
    assert "score" in refused(command(*arguments, "--label", "cat", "--classifier-at", "mean"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--percentile", 0.9), "--clip dynamic"),
        (("--clip", "dynamic", "--percentile", 1.5), "between 0 and 1"),
        (("--clip", "dynamic", "--limit", 0), "above 0"),
        (("--interval", "1,2"), "--guidance"),
        (("--guidance", 1, "--interval", "1,2,3"), "two timesteps"),
        (("--rescale", 0.5), "--guidance"),
        (("--temperature", -1), "between 0 and 100"),
        (("--classifier-scale", 2), "--classifier"),
        (("--classifier", "nobody", "--label", "cat"), "nobody"),
        (("--sampler", "ddpm", "--variance", "learned"), "has not learned its variance"),
        (("--sampler", "heun", "--eta", 1), "DDIM"),
        (("--sampler", "dpmpp", "--variance", "large"), "DDPM"),
    ],
)
def test_that_options_that_say_nothing_to_each_other_are_refused(
    command, model: Path, options: tuple[object, ...], words: str
) -> None:
    assert words in refused(command("sample", "--model", model, "--out", "a.png", *options))
    assert not Path("a.png").exists()
