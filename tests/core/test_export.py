"""Models written to folders: what diffusers can say gives the same samples there, what it cannot is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.checkpoints.description import Description, Fact
from core.checkpoints.export import Source, check_new, diffusers_cannot, export, export_diffusers, save_copy
from core.checkpoints.opening import describe
from core.errors import Refusal
from core.folder_contents import OWN_FILE
from core.jobs import SampleRun
from core.library import Library, NetworkModel
from core.messages import ModelInfo
from core.model_folder import OpenModel, open_model
from core.paths import model_timesteps
from core.requests import ModelRef, SampleRequest, SamplerSpec, ScheduleSpec
from core.unet import UNet
from core.unet_config import UNetConfig

CONFIG = UNetConfig(
    sample_size=8,
    block_out_channels=(8, 16),
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    layers_per_block=1,
    norm_num_groups=4,
    attention_head_dim=None,
    downsample_padding=0,
    flip_sin_to_cos=False,
    freq_shift=1,
    norm_eps=1e-6,
)
LINEAR = ScheduleSpec("linear", 1000, 1e-4, 0.02)
STEPS = 4


class Made:
    """A model that lies nowhere, its weights at random and nowhere zero."""

    def __init__(self, config: UNetConfig = CONFIG, **said: Any) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.network = UNet(config).eval()
            with torch.no_grad():
                for parameter in self.network.parameters():
                    parameter.add_(0.05 * torch.randn_like(parameter))
        plain = ModelInfo(ModelRef("made", ""), (3, 8, 8), LINEAR, "eps", sampler=SamplerSpec("ddim"))
        self.info = replace(plain, **said)


def sampled(opened: OpenModel) -> np.ndarray:
    """A sample as the program itself draws it, by what the folder says."""
    info, library = opened.info, Library()
    library.add_model(NetworkModel(opened))
    request = SampleRequest(
        model=info.ref,
        schedule=info.schedule,
        timesteps=model_timesteps(info, STEPS, "leading"),
        spacing="leading",
        sampler=info.sampler,
        seed=5,
        count=1,
        precision="float32",
        final_alpha_bar=info.final_alpha_bar,
    )
    run = SampleRun(request, library, "cpu", cap=0)
    for _ in run.steps():
        pass
    return run.trajectory.frame(STEPS)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (CONFIG, {}),
        (CONFIG, {"prediction": "v", "schedule": ScheduleSpec("cosine", 1000)}),
        (CONFIG, {"prediction": "x0", "sampler": SamplerSpec("ddim", clip="none")}),
        (CONFIG, {"sampler": SamplerSpec("ddpm", variance="large")}),
        (replace(CONFIG, out_channels=6), {"variance": "range"}),
        (replace(CONFIG, attention_head_dim=4, resnet_time_scale_shift="scale_shift", downsample_type="resnet"), {}),
    ],
    ids=["ddim", "v, cosine", "x0, unclipped", "ddpm", "learned variance", "scale and shift"],
)
def test_that_diffusers_loads_the_folder_and_draws_the_same_samples(
    tmp_path: Path, config: UNetConfig, said: dict[str, Any]
) -> None:
    diffusers = pytest.importorskip("diffusers")
    export_diffusers(Made(config, **said), tmp_path / "out")
    ours = sampled(open_model(tmp_path / "out", "cpu"))

    pipeline = diffusers.DiffusionPipeline.from_pretrained(tmp_path / "out")
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(5)
    theirs = pipeline(generator=generator, num_inference_steps=STEPS, output_type="np").images
    assert np.abs((ours.transpose(0, 2, 3, 1) / 2 + 0.5).clip(0, 1) - theirs).max() < 1e-4
    assert theirs.std() > 0.01


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (Made(replace(CONFIG, time_factor=0.25)), "times are rescaled"),
        (Made(replace(CONFIG, attention_heads=2)), "the same number of heads"),
        (Made(prediction="mean"), "predicts the posterior's mean"),
    ],
)
def test_that_what_diffusers_cannot_say_is_refused_with_the_reason_and_copied_all_the_same(
    tmp_path: Path, made: Made, words: str
) -> None:
    with pytest.raises(Refusal, match=words):
        export(made, tmp_path / "out", "diffusers")
    assert not (tmp_path / "out").exists()
    export(made, tmp_path / "copy", "copy")
    copy = open_model(tmp_path / "copy", "cpu")
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(copy.network(x, torch.tensor([3.0, 900.0])), made.network(x, torch.tensor([3.0, 900.0])))
    assert (copy.info.prediction, copy.info.schedule) == (made.info.prediction, made.info.schedule)


def test_that_a_network_of_another_kind_is_none_that_diffusers_knows() -> None:
    class Other:
        info = Made().info
        network = torch.nn.Identity()

    Other.network.config = object()  # type: ignore[assignment]
    assert "no network like this one" in diffusers_cannot(Other())  # type: ignore[arg-type]


def test_that_a_copy_of_a_file_tells_how_it_was_read(tmp_path: Path) -> None:
    described = Description("model", "OpenAI guided-diffusion", "mine.pt", (Fact("heads", "4", "answered"),))
    save_copy(Made(), tmp_path / "copy", Source(tmp_path / "elsewhere" / "mine.pt", described, {"heads": "4"}))
    own = (tmp_path / "copy" / OWN_FILE).read_text()
    provenance = json.loads(own)["provenance"]
    assert provenance["format"] == "OpenAI guided-diffusion"
    assert (provenance["file"], provenance["answers"]) == ("mine.pt", {"heads": "4"})
    assert provenance["facts"] == [{"name": "heads", "value": "4", "origin": "answered"}]
    assert "elsewhere" not in own


def test_that_what_was_answered_is_told_of_the_copy_too_and_nonsense_in_its_place_is_not(tmp_path: Path) -> None:
    facts = (Fact("heads", "4", "answered"), Fact("size", "8", "guessed"), Fact("channels", "8, 16", "shapes"))
    described = Description("model", "OpenAI guided-diffusion", "mine.pt", facts)
    save_copy(Made(), tmp_path / "copy", Source(tmp_path / "mine.pt", described, {"heads": "4"}))
    known = describe(tmp_path / "copy").facts
    assert known[-3:] == (Fact("copied from", "mine.pt (OpenAI guided-diffusion)", "file"), *facts[:2])
    own = tmp_path / "copy" / OWN_FILE
    data = json.loads(own.read_text())
    for nonsense in (7, [], {"file": 1}, {"file": "a", "format": "b", "facts": [7, {}, {"name": 1}, {"origin": "x"}]}):
        own.write_text(json.dumps({**data, "provenance": nonsense}))
        assert {fact.origin for fact in describe(tmp_path / "copy").facts} <= {"file", "assumed"}


def test_that_a_copy_of_a_folder_keeps_what_the_folder_told_of_itself(tmp_path: Path, model: Path) -> None:
    opened = open_model(model, "cpu")
    source = Source(model, Description("model", "diffusers", "tiny"))
    before = json.loads((model / OWN_FILE).read_text())
    save_copy(opened, tmp_path / "copy", source, half=True)
    after = json.loads((tmp_path / "copy" / OWN_FILE).read_text())
    assert after == {**before, "name": "tiny"}
    weights = "unet/diffusion_pytorch_model.safetensors"
    assert (tmp_path / "copy" / weights).stat().st_size < 0.6 * (model / weights).stat().st_size


def test_that_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    check_new(tmp_path / "empty")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("words")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for name in ("full", "full/thesis.txt", "dangling"):
        with pytest.raises(Refusal, match="already"):
            save_copy(Made(), tmp_path / name)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "words"
