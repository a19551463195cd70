"""Folders as the world has them: flat or nested, pickled, sharded, halved, averaged, left by a training, from 2022."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core import folder_contents
from core.checkpoints.opening import describe, open_checkpoint
from core.errors import Refusal
from core.model_folder import OpenModel, open_model
from core.requests import ScheduleSpec
from tests.lookalikes import relative_difference
from tests.lookalikes.diffusers import KINDS, config_of, drawn, present, reference

KIND = next(kind for kind in KINDS if kind.name == "as Google trained it")
STEM = "diffusion_pytorch_model"
SCHEDULER = {"_class_name": "DDPMScheduler", "beta_schedule": "scaled_linear", "num_train_timesteps": 500}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model as diffusers saves it, with a scheduler of its own."""
    model = tmp_path / "model"
    write_json(model / "unet/config.json", config_of(KIND))
    write_json(model / "scheduler/scheduler_config.json", SCHEDULER)
    write_json(
        model / "model_index.json",
        {
            "_class_name": "DDPMPipeline",
            "scheduler": ["diffusers", "DDPMScheduler"],
            "unet": ["diffusers", "UNet2DModel"],
        },
    )
    save_file(drawn(KIND), model / f"unet/{STEM}.safetensors")
    return model


def write_json(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def weights(folder: Path, name: str = f"{STEM}.safetensors") -> dict[str, Tensor]:
    return load_file(folder / "unet" / name)


@torch.inference_mode()
def assert_exact(opened: OpenModel, tensors: dict[str, Tensor] | None = None, within: float = 1e-5) -> None:
    """It computes what the definition of UNet2DModel says of the weights."""
    x, t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([20.0, 700.0])
    expected = reference(present(tensors or drawn(KIND)), config_of(KIND), x, t, None)
    assert relative_difference(opened.network(x, t), expected) < within


def raised(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Other weights of the same network."""
    return {name: 1.1 * tensor for name, tensor in tensors.items()}


def pickled(folder: Path) -> None:
    torch.save(weights(folder), folder / f"unet/{STEM}.bin")
    (folder / f"unet/{STEM}.safetensors").unlink()


def pickled_before_2020(folder: Path) -> None:
    torch.save(weights(folder), folder / f"unet/{STEM}.bin", _use_new_zipfile_serialization=False)
    (folder / f"unet/{STEM}.safetensors").unlink()


def pickled_with_old_names(folder: Path) -> None:
    old = drawn(next(kind for kind in KINDS if kind.old_names))
    torch.save(old, folder / f"unet/{STEM}.bin")
    (folder / f"unet/{STEM}.safetensors").unlink()


def sharded(folder: Path, ending: str = "safetensors") -> None:
    tensors = weights(folder)
    (folder / f"unet/{STEM}.safetensors").unlink()
    halves = {f"{STEM}-0000{i + 1}-of-00002.{ending}": sorted(tensors)[i::2] for i in range(2)}
    for name, half in halves.items():
        part = {key: tensors[key] for key in half}
        save_file(part, folder / "unet" / name) if ending == "safetensors" else torch.save(part, folder / "unet" / name)
    weight_map = {key: name for name, half in halves.items() for key in half}
    write_json(folder / f"unet/{STEM}.{ending}.index.json", {"metadata": {}, "weight_map": weight_map})


def flat(folder: Path) -> None:
    for path in [*folder.glob("unet/*"), *folder.glob("scheduler/*")]:
        path.rename(folder / path.name)


def flat_and_pickled(folder: Path) -> None:
    pickled(folder)
    flat(folder)


def without_index(folder: Path) -> None:
    (folder / "model_index.json").unlink()


def with_the_names_of_2022(folder: Path) -> None:
    config = config_of(KIND)
    old = {
        "sample_size": "image_size",
        "layers_per_block": "num_res_blocks",
        "block_out_channels": "block_channels",
        "down_block_types": "down_blocks",
        "up_block_types": "up_blocks",
        "freq_shift": "downscale_freq_shift",
        "norm_num_groups": "resnet_num_groups",
        "norm_eps": "resnet_eps",
        "attention_head_dim": "num_head_channels",
        "_class_name": "_class_name",
    }
    renamed: dict[str, Any] = {old.get(name, name): value for name, value in config.items()}
    renamed["down_blocks"] = ["UNetResDownBlock2D", "UNetResAttnDownBlock2D"]
    renamed["_class_name"] = "UNetUnconditionalModel"
    write_json(folder / "unet/config.json", renamed)
    starts = {"mid_block.": "mid.", "down_blocks.": "downsample_blocks.", "up_blocks.": "upsample_blocks."}
    tensors = {}
    for name, tensor in weights(folder).items():
        start = next((start for start in starts if name.startswith(start)), "")
        tensors[starts.get(start, "") + name.removeprefix(start)] = tensor
    copies = {name.replace(".conv.", ".op."): tensor for name, tensor in tensors.items() if "samplers.0.conv." in name}
    assert copies
    torch.save({**tensors, **copies}, folder / f"unet/{STEM}.bin")
    (folder / f"unet/{STEM}.safetensors").unlink()


@pytest.mark.parametrize(
    "change",
    [
        *(pickled, pickled_before_2020, pickled_with_old_names, sharded, flat, flat_and_pickled, without_index),
        with_the_names_of_2022,
        pytest.param(lambda folder: sharded(folder, "bin"), id="sharded_and_pickled"),
    ],
)
def test_that_the_same_model_opens_exactly_in_every_layout(folder: Path, change: Callable[[Path], None]) -> None:
    change(folder)
    opened = open_model(folder)
    assert_exact(opened)
    assert opened.info.schedule == ScheduleSpec("quadratic", 500, 1e-4, 0.02)
    assert opened.info.event_shape == (3, 16, 16)
    assert describe(folder).parameters == opened.info.parameters == 45_259


def test_that_half_precision_is_opened_where_nothing_else_is_there_and_said(folder: Path) -> None:
    halved = {name: tensor.half() for name, tensor in weights(folder).items()}
    save_file(halved, folder / f"unet/{STEM}.fp16.safetensors")
    assert open_model(folder).notes == ()
    (folder / f"unet/{STEM}.safetensors").unlink()
    opened = open_model(folder)
    assert any("half precision" in note for note in opened.notes)
    assert_exact(opened, {name: tensor.float() for name, tensor in halved.items()})


@pytest.mark.parametrize(("variant", "average"), [("ema", "other"), ("non_ema", "plain")])
def test_that_raw_weights_beside_averaged_ones_are_a_choice_and_averages_the_usual(
    folder: Path, variant: str, average: str
) -> None:
    assert describe(folder).options == ()
    save_file(raised(weights(folder)), folder / f"unet/{STEM}.{variant}.safetensors")
    two = {"plain": drawn(KIND), "other": raised(drawn(KIND))}
    opened, asked = open_model(folder), describe(folder)
    assert_exact(opened, two.pop(average))
    assert asked.questions == ()
    assert [(option.key, option.best) for option in asked.options] == [("weights", "ema")]
    usual = next(fact for fact in asked.facts if fact.name == "weights")
    assert usual.origin == "assumed"
    assert usual.value.startswith("averaged (EMA): unet/")
    assert open_model(folder, answers={"weights": "ema"}).info == opened.info
    raw = open_model(folder, answers={"weights": "raw"})
    assert_exact(raw, *two.values())
    assert raw.info.ref.sha256 != opened.info.ref.sha256
    said = next(fact for fact in describe(folder, {"weights": "raw"}).facts if fact.name == "weights")
    assert said.origin == "answered"
    assert said.value.startswith("raw: unet/")
    with pytest.raises(Refusal, match="ema or raw"):
        open_model(folder, answers={"weights": "both"})


def test_that_a_training_s_averaged_folder_goes_before_the_raw_one(folder: Path) -> None:
    averaged = {**config_of(KIND), "decay": 0.9999, "optimization_step": 500, "power": 0.75, "update_after_step": 0}
    write_json(folder / "unet_ema/config.json", averaged)
    save_file(raised(weights(folder)), folder / f"unet_ema/{STEM}.safetensors")
    opened = open_model(folder)
    assert_exact(opened, raised(drawn(KIND)))
    assert opened.notes == ("The averaged weights are opened (unet_ema), not the raw ones beside them.",)
    assert [option.best for option in describe(folder).options] == ["ema"]
    assert_exact(open_model(folder, answers={"weights": "raw"}))
    for path in (folder / "unet_ema", folder / "unet_ema/config.json"):
        assert_exact(open_model(path), raised(drawn(KIND)))


def test_that_what_a_training_has_left_opens_at_its_latest_checkpoint(folder: Path) -> None:
    for step, factor in ((500, 0.9), (1500, 1.1), (1000, 1.0)):
        home = folder / f"checkpoint-{step}" / "unet"
        shutil.copytree(folder / "unet", home)
        save_file({name: factor * tensor for name, tensor in weights(folder).items()}, home / f"{STEM}.safetensors")
        torch.save({"state": {}, "param_groups": []}, home.parent / "optimizer.bin")
    shutil.rmtree(folder / "unet")
    (folder / "model_index.json").unlink()
    opened = open_model(folder)
    assert_exact(opened, raised(drawn(KIND)))
    assert any("checkpoint-1500" in note for note in opened.notes)
    alone = open_model(folder / "checkpoint-1000")
    assert_exact(alone)
    assert any("linear schedule of DDPM is assumed" in note for note in alone.notes)
    with pytest.raises(Refusal, match="state of an optimiser"):
        describe(folder / "checkpoint-500" / "optimizer.bin")


def test_that_safetensors_go_before_pickles_and_whole_precision_before_half(folder: Path) -> None:
    torch.save(raised(weights(folder)), folder / f"unet/{STEM}.bin")
    assert_exact(open_model(folder))
    save_file(
        {name: tensor.half() for name, tensor in weights(folder).items()}, folder / f"unet/{STEM}.fp16.safetensors"
    )
    (folder / f"unet/{STEM}.safetensors").unlink()
    assert_exact(open_model(folder), raised(drawn(KIND)))


def test_that_a_folder_is_described_without_its_weights_being_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_model(folder)

    def read(*_of: object) -> str:
        raise AssertionError("the weights are hashed, which takes seconds where they are large")

    monkeypatch.setattr(folder_contents, "digest", read)
    assert describe(folder).parameters == opened.info.parameters


def test_that_a_folder_says_what_it_is(folder: Path) -> None:
    found = describe(folder)
    assert found.kind == "model"
    assert found.questions == ()
    assert found.nbytes == 4 * 45_259
    facts = {fact.name: (fact.value, fact.origin) for fact in found.facts}
    assert facts["pictures"] == ("16 × 16, 3 channels", "file")
    assert facts["noise schedule"] == ("quadratic, 500 timesteps", "file")
    assert facts["weights"] == (f"unet/{STEM}.safetensors", "file")
    shutil.rmtree(folder / "scheduler")
    assert {fact.origin for fact in describe(folder).facts if fact.name == "noise schedule"} == {"assumed"}


def test_that_a_model_in_the_hub_s_cache_opens_by_the_folder_that_bears_its_name(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "models--someone--tiny"
    shutil.copytree(folder, home / "snapshots" / "0123")
    (home / "blobs").mkdir()
    weights_file = home / "snapshots" / "0123" / "unet" / f"{STEM}.safetensors"
    weights_file.rename(home / "blobs" / "abcd")
    weights_file.symlink_to("../../../blobs/abcd")
    assert_exact(open_model(home))


def test_that_a_tensor_under_two_names_is_refused(folder: Path) -> None:
    name = "mid_block.attentions.0.to_q.bias"
    twice = {**weights(folder), name.replace("to_q", "query"): torch.ones(16)}
    save_file(twice, folder / f"unet/{STEM}.safetensors")
    with pytest.raises(Refusal, match="twice"):
        open_checkpoint(folder)


@pytest.mark.parametrize("name", ["model_index.json", f"unet/{STEM}.safetensors", "scheduler/scheduler_config.json"])
def test_that_a_pointer_of_git_is_told_as_one_wherever_it_lies(folder: Path, name: str) -> None:
    (folder / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    with pytest.raises(Refusal, match="git lfs pull"):
        open_checkpoint(folder)


def test_that_a_pickled_pointer_of_git_is_told_as_one(folder: Path) -> None:
    pickled(folder)
    (folder / f"unet/{STEM}.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    with pytest.raises(Refusal, match="git lfs pull"):
        open_checkpoint(folder)


def test_that_what_diffusers_saves_as_a_pickle_in_shards_opens_here(tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers")
    theirs = diffusers.UNet2DModel.from_config(config_of(KIND)).eval()
    theirs.load_state_dict(drawn(KIND))
    theirs.save_pretrained(tmp_path / "unet", safe_serialization=False, max_shard_size="100KB")
    assert len(list((tmp_path / "unet").glob("*.bin"))) > 1
    assert_exact(open_model(tmp_path))
