"""Model folders: what is opened, what is refused and how that is said, and that diffusers reads what is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from core import model_folder
from core.denoiser import Clipped, Condition, NetworkDenoiser
from core.errors import Refusal
from core.messages import ModelInfo
from core.model_folder import OpenModel, find_model, open_model, read_info, save_model
from core.paths import make_path, spaced_timesteps
from core.requests import ModelRef, SamplerSpec, ScheduleSpec
from core.samplers import StepNoise, ddim, ddpm
from core.schedules import make_schedule
from core.unet import UNet, UNetConfig
from tests.core.test_unet import network_of

TINY: dict[str, Any] = {
    "sample_size": 8,
    "in_channels": 1,
    "out_channels": 1,
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
    "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
}
WEIGHTS = "diffusion_pytorch_model.safetensors"


def info_of(network: UNet, **changes: Any) -> ModelInfo:
    config = network.config
    assert config.sides is not None
    info = ModelInfo(
        ref=ModelRef("", ""),
        event_shape=(config.in_channels, *config.sides),
        schedule=ScheduleSpec("linear", 1000, 1e-4, 0.02),
        prediction="eps",
    )
    return replace(info, **changes)


def write_json(path: Path, data: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


def change(path: Path, **changes: Any) -> None:
    """Set fields of a JSON file; ``...`` takes one out."""
    data = {**json.loads(path.read_text()), **changes}
    write_json(path, {name: value for name, value in data.items() if value is not ...})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model's folder, as saved."""
    network = network_of(**TINY)
    save_model(tmp_path / "tiny", network, info_of(network, sampler=SamplerSpec("ddpm")))
    return tmp_path / "tiny"


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    network = network_of(**TINY, num_class_embeds=4)
    info = info_of(network, labels=("ant", "bee", "cat"), null_label=3, prediction="v", sampler=SamplerSpec("ddim"))
    save_model(tmp_path / "classes", network, info)
    return tmp_path / "classes"


@pytest.mark.parametrize(
    ("usual", "why"),
    [
        ("much", "must be an object"),
        ({"guidance": "high"}, "guidance must be a number"),
        ({"guidance": 1e6}, "between -1 and 100"),
        ({"steps": 0}, "its schedule has 1000"),
        ({"steps": 1001}, "its schedule has 1000"),
    ],
)
def test_that_nonsense_about_how_a_model_is_sampled_is_refused_by_name(folder: Path, usual: Any, why: str) -> None:
    change(folder / "diffuscope.json", usual=usual)
    with pytest.raises(Refusal, match=why):
        read_info(folder)


def test_that_a_folder_may_say_nothing_of_how_its_model_is_usually_sampled(folder: Path) -> None:
    assert "usual" not in json.loads((folder / "diffuscope.json").read_text())
    assert (read_info(folder).usual_guidance, read_info(folder).usual_steps) == (None, None)


def test_that_a_saved_model_opens_with_everything_it_was_saved_with(tmp_path: Path) -> None:
    network = network_of(**TINY, num_class_embeds=3)
    info = info_of(
        network,
        schedule=ScheduleSpec("cosine", 200),
        prediction="v",
        labels=("ant", "bee"),
        null_label=2,
        sampler=SamplerSpec("ddpm", variance="large", clip="none"),
        spacing="trailing",
        description="Insects",
        licence="CC0",
        data_statistics=(0.5, 0.25),
        usual_guidance=1.5,
        usual_steps=40,
    )
    saved = save_model(tmp_path / "insects", network, info, provenance={"steps": 12})
    opened = open_model(tmp_path / "insects")
    assert opened.info == saved == read_info(tmp_path / "insects")
    expected = replace(
        info, ref=opened.info.ref, parameters=sum(parameter.numel() for parameter in network.parameters())
    )
    assert opened.info == expected
    assert opened.info.ref.name == "insects"
    assert len(opened.info.ref.sha256) == 64
    assert opened.spec.event_shape == (1, 8, 8)
    assert opened.notes == ()
    for name, value in network.state_dict().items():
        assert torch.equal(opened.network.state_dict()[name], value)
    assert json.loads((tmp_path / "insects" / "diffuscope.json").read_text())["provenance"] == {"steps": 12}


@pytest.mark.parametrize(
    "schedule",
    [
        ScheduleSpec("linear", 50),
        ScheduleSpec("quadratic", 30),
        ScheduleSpec("sigmoid", 30, 1e-3, 0.03),
        ScheduleSpec("constant", 20),
        ScheduleSpec("drawn", 20, points=((0.0, 0.99), (1.0, 0.01))),
    ],
    ids=lambda spec: spec.name,
)
def test_that_every_schedule_keeps_its_betas_through_a_folder(tmp_path: Path, schedule: ScheduleSpec) -> None:
    network = network_of(**TINY)
    info = save_model(tmp_path / "model", network, info_of(network, schedule=schedule))
    np.testing.assert_allclose(make_schedule(info.schedule).betas, make_schedule(schedule).betas, rtol=1e-12)


@pytest.mark.parametrize(
    "changes",
    [
        {"variance": "range", "sampler": SamplerSpec("ddpm", variance="learned")},
        {"variance": "range", "sampler": SamplerSpec("ddim", clip="rederive"), "prediction": "mean"},
        {"variance": "diagonal", "sampler": SamplerSpec("ddpm", variance="learned"), "prediction": "mean"},
        {"variance": "diagonal", "sampler": SamplerSpec("ddim"), "schedule": ScheduleSpec("cosine", 4000)},
        {
            "prediction": "mean",
            "sampler": SamplerSpec("ddim", clip="none"),
            "schedule": ScheduleSpec("cosine", 1000, zero_snr=True),
        },
        {"prediction": "v", "schedule": ScheduleSpec("sigmoid", 100, 1e-3, 0.1, zero_snr=True)},
        {"sampler": SamplerSpec("ddim", clip="dynamic", percentile=0.9, limit=None)},
        {"sampler": SamplerSpec("ddpm", clip="dynamic", percentile=0.99, limit=2.5)},
    ],
    ids=str,
)
def test_that_what_the_network_has_learned_and_how_it_is_held_come_back(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    network = network_of(**{**TINY, "out_channels": 2 if "variance" in changes else 1})
    saved = save_model(tmp_path / "model", network, info_of(network, **changes))
    assert read_info(tmp_path / "model") == saved
    for name, value in changes.items():
        assert getattr(saved, name) == value


def test_that_a_rescaled_schedule_without_a_name_keeps_its_betas_through_a_folder(tmp_path: Path) -> None:
    network = network_of(**TINY)
    schedule = ScheduleSpec("constant", 40, 0.05, 0.05, zero_snr=True)
    info = save_model(tmp_path / "model", network, info_of(network, prediction="x0", schedule=schedule))
    np.testing.assert_allclose(make_schedule(info.schedule).betas, make_schedule(schedule).betas, rtol=1e-12)
    assert make_schedule(info.schedule).alpha_bar[-1] == 0


@pytest.mark.parametrize("zero_snr", [False, True])
def test_that_a_schedule_that_diffusers_has_no_name_for_is_known_by_its_betas(tmp_path: Path, zero_snr: bool) -> None:
    network = network_of(**TINY)
    schedule = ScheduleSpec("sigmoid_alpha_bar", 1000, zero_snr=zero_snr)
    info = info_of(network, prediction="v", schedule=schedule)
    assert save_model(tmp_path / "model", network, info).schedule == schedule
    assert read_info(tmp_path / "model").schedule == schedule
    assert len(json.loads((tmp_path / "model/scheduler/scheduler_config.json").read_text())["trained_betas"]) == 1000


def test_that_twice_the_channels_without_a_word_are_taken_for_a_learned_range_and_that_is_said(tmp_path: Path) -> None:
    network = network_of(**{**TINY, "out_channels": 2})
    info = info_of(network, variance="range", sampler=SamplerSpec("ddim"))
    sha256 = save_model(tmp_path / "model", network, info).ref.sha256
    change(tmp_path / "model" / "diffuscope.json", variance=...)
    opened = open_model(tmp_path / "model")
    assert opened.info.variance == "range"
    assert opened.info.ref.sha256 == sha256
    assert "learned variance" in opened.notes[0]
    change(tmp_path / "model" / "diffuscope.json", variance="diagonal")
    assert read_info(tmp_path / "model").ref.sha256 != sha256  # the same weights mean something else
    change(tmp_path / "model" / "diffuscope.json", variance="spread")
    with pytest.raises(Refusal, match="spread"):
        read_info(tmp_path / "model")


def test_that_the_hash_names_weights_and_configuration(folder: Path, tmp_path: Path) -> None:
    before = read_info(folder).ref.sha256
    shutil.copytree(folder, tmp_path / "copy")
    assert read_info(tmp_path / "copy").ref.sha256 == before
    change(folder / "scheduler" / "scheduler_config.json", prediction_type="sample")
    assert read_info(folder).ref.sha256 != before
    tensors = load_file(tmp_path / "copy" / "unet" / WEIGHTS)
    tensors["conv_in.bias"][0] += 1
    save_file(tensors, tmp_path / "copy" / "unet" / WEIGHTS)
    assert read_info(tmp_path / "copy").ref.sha256 != before


def test_that_saving_again_replaces_the_model_and_leaves_other_files_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    network = network_of(**TINY)
    with torch.no_grad():
        network.conv_in.weight.zero_()
    before = read_info(folder)
    assert save_model(folder, network, before).ref != before.ref
    assert torch.count_nonzero(open_model(folder).network.conv_in.weight) == 0
    assert (folder / "notes.txt").read_text() == "mine"
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_that_a_full_disk_while_saving_leaves_nothing_half_written(folder: Path, small_files_only: None) -> None:
    before = read_info(folder)
    with pytest.raises(Refusal, match="could not be written"):
        save_model(folder, network_of(**TINY), replace(before, description="another"))
    assert read_info(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


@pytest.fixture
def small_files_only(folder: Path) -> Iterator[None]:
    """The operating system lets nobody write more than 20 kB into a file, as on a disk that fills up."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_that_whoever_may_read_the_configuration_may_read_the_weights(folder: Path) -> None:
    modes = {(folder / "unet" / name).stat().st_mode for name in ("config.json", WEIGHTS)}
    assert len(modes) == 1


def test_that_half_precision_weights_are_half_the_size_and_open_in_float32(tmp_path: Path) -> None:
    network = network_of(**TINY)
    save_model(tmp_path / "full", network, info_of(network))
    save_model(tmp_path / "half", network, info_of(network), half=True)
    sizes = [(tmp_path / name / "unet" / WEIGHTS).stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.7 * sizes[0]
    opened = open_model(tmp_path / "half").network
    for name, value in network.state_dict().items():
        assert opened.state_dict()[name].dtype == torch.float32
        torch.testing.assert_close(opened.state_dict()[name], value, rtol=1e-3, atol=1e-6)


def test_that_the_precision_is_what_auto_means_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.device.auto_precision", lambda device, flops: f"{device} {flops}")
    opened = open_model(folder, device="cpu")
    assert opened.info.precision == f"cpu {opened.network.flops(8, 8)}"


def test_that_a_flat_folder_opens_like_a_nested_one(folder: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in [*folder.rglob("*.json"), *folder.rglob("*.safetensors")]:
        shutil.copy(path, flat / path.name)
    nested, opened = open_model(folder), open_model(flat)
    assert opened.info == replace(nested.info, ref=replace(nested.info.ref, name="flat"))
    x = torch.randn(1, 1, 8, 8)
    assert torch.equal(opened.network(x, 5.0), nested.network(x, 5.0))


def test_that_the_names_attention_had_until_2023_are_accepted(folder: Path) -> None:
    network = open_model(folder).network
    path = folder / "unet" / WEIGHTS
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {}
    for name, tensor in load_file(path).items():
        for new_part, old_part in old.items():
            name = name.replace(f".{new_part}.", f".{old_part}.")
        tensors[name] = tensor
    assert "mid_block.attentions.0.proj_attn.bias" in tensors
    save_file(tensors, path)
    x = torch.randn(1, 1, 8, 8)
    assert torch.equal(open_model(folder).network(x, 5.0), network(x, 5.0))


def test_that_a_missing_head_width_is_eight_and_a_null_one_is_one_head(folder: Path) -> None:
    change(folder / "unet" / "config.json", attention_head_dim=...)
    assert open_model(folder).config.attention_head_dim == 8
    change(folder / "unet" / "config.json", attention_head_dim=None)
    assert open_model(folder).config.attention_head_dim is None


def test_that_a_middle_norm_from_old_times_is_used(tmp_path: Path) -> None:
    options = {**TINY, "resnet_time_scale_shift": "scale_shift", "attn_norm_num_groups": 4}
    network = network_of(**options)
    save_model(tmp_path / "old", network, info_of(network))
    change(tmp_path / "old" / "unet" / "config.json", attn_norm_num_groups=None)
    opened = open_model(tmp_path / "old")
    x = torch.randn(1, 1, 8, 8)
    assert torch.equal(opened.network(x, 5.0), network(x, 5.0))
    assert any("middle" in note for note in opened.notes)


def test_that_weights_in_several_files_are_put_together(folder: Path) -> None:
    path = folder / "unet" / WEIGHTS
    tensors, expected = load_file(path), open_model(folder).info.parameters
    path.unlink()
    names = sorted(tensors)
    files = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in files.items():
        save_file({name: tensors[name] for name in part}, folder / "unet" / file)
    weight_map = {name: file for file, part in files.items() for name in part}
    write_json(folder / "unet" / f"{WEIGHTS}.index.json", {"weight_map": weight_map})
    opened = open_model(folder)
    assert opened.info.parameters == expected
    assert torch.equal(opened.network.conv_in.weight, tensors["conv_in.weight"])
    write_json(folder / "unet" / f"{WEIGHTS}.index.json", {"weight_map": {"conv_in.weight": "../a.safetensors"}})
    with pytest.raises(Refusal, match="outside of its folder"):
        open_model(folder)


def test_that_unknown_fields_of_the_configuration_are_told(folder: Path) -> None:
    change(folder / "unet" / "config.json", decay=0.9999, _name_or_path="x")
    assert open_model(folder).notes == ("Fields without a meaning for the network: decay.",)


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({"_class_name": "DDIMScheduler"}, {"sampler": SamplerSpec("ddim", clip="clamp")}),
        ({"_class_name": "DDIMScheduler", "clip_sample": False}, {"sampler": SamplerSpec("ddim", clip="none")}),
        ({"_class_name": "DDIMScheduler", "set_alpha_to_one": False}, {"final_alpha_bar": 0.9999}),
        ({"_class_name": "DDIMScheduler", "steps_offset": 1}, {"steps_offset": 1}),
        ({"_class_name": "PNDMScheduler", "set_alpha_to_one": ...}, {"final_alpha_bar": 0.9999}),
        ({"variance_type": "fixed_large"}, {"sampler": SamplerSpec("ddpm", variance="large")}),
        ({"variance_type": "fixed_small_log"}, {"sampler": SamplerSpec("ddpm")}),
        ({"variance_type": ..., "clip_sample": ...}, {"sampler": SamplerSpec("ddpm")}),
        ({"timestep_spacing": "trailing"}, {"spacing": "trailing"}),
        ({"timestep_spacing": ...}, {"spacing": "leading"}),
        ({"prediction_type": "v_prediction"}, {"prediction": "v"}),
        ({"prediction_type": "sample"}, {"prediction": "x0"}),
        ({"prediction_type": ..., "predict_epsilon": False}, {"prediction": "x0"}),
        ({"beta_schedule": "squaredcos_cap_v2"}, {"schedule": ScheduleSpec("cosine", 1000)}),
        ({"beta_schedule": "scaled_linear"}, {"schedule": ScheduleSpec("quadratic", 1000, 1e-4, 0.02)}),
        ({"beta_schedule": "sigmoid"}, {"schedule": ScheduleSpec("sigmoid", 1000, 1e-4, 0.02)}),
        ({"num_train_timesteps": 500}, {"schedule": ScheduleSpec("linear", 500, 1e-4, 0.02)}),
        ({"trained_betas": [0.1, 0.2]}, {"schedule": ScheduleSpec("betas", 2, betas=(0.1, 0.2))}),
        (
            {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
            {"schedule": ScheduleSpec("linear", 1000, 1e-4, 0.02, zero_snr=True)},
        ),
        ({"thresholding": True, "sample_max_value": ...}, {"sampler": SamplerSpec("ddpm", clip="dynamic", limit=1.0)}),
        (
            {"thresholding": True, "dynamic_thresholding_ratio": 0.9, "sample_max_value": 3, "clip_sample_range": 2.0},
            {"sampler": SamplerSpec("ddpm", clip="dynamic", percentile=0.9, limit=3.0)},
        ),
        ({"thresholding": True, "sample_max_value": 1e6}, {"sampler": SamplerSpec("ddpm", clip="dynamic", limit=None)}),
    ],
    ids=str,
)
def test_that_what_the_scheduler_says_holds(folder: Path, changes: dict[str, Any], holds: dict[str, Any]) -> None:
    change(folder / "scheduler" / "scheduler_config.json", **changes)
    info = read_info(folder)
    for name, value in holds.items():
        assert getattr(info, name) == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"thresholding": True, "dynamic_thresholding_ratio": 1.5}, "between 0 and 1"),
        ({"thresholding": True, "sample_max_value": 0}, "above 0"),
        ({"variance_type": "learned_range"}, "answers none"),
        ({"variance_type": "something"}, "something"),
        ({"rescale_betas_zero_snr": True}, "predict v"),
        ({"rescale_betas_zero_snr": True, "prediction_type": "sample", "num_train_timesteps": 1}, "two timesteps"),
        ({"clip_sample_range": 2.0}, "clips"),
        ({"beta_schedule": "laplace"}, "laplace"),
        ({"prediction_type": "flow"}, "flow"),
        ({"timestep_spacing": "karras"}, "karras"),
        ({"num_train_timesteps": "many"}, "num_train_timesteps must be a whole number"),
        ({"num_train_timesteps": 10**9}, "timesteps"),
        ({"trained_betas": [0.1, "x"]}, "trained_betas must be a list of numbers"),
        ({"beta_end": 2.0}, "below 1"),
        ({"_class_name": "EulerDiscreteScheduler"}, "EulerDiscreteScheduler"),
    ],
    ids=str,
)
def test_that_a_scheduler_beyond_this_program_is_refused_in_words(
    folder: Path, changes: dict[str, Any], words: str
) -> None:
    change(folder / "scheduler" / "scheduler_config.json", **changes)
    with pytest.raises(Refusal, match=words):
        read_info(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_class_name": "UNet2DConditionModel"}, "UNet2DConditionModel"),
        ({"time_embedding_type": "fourier"}, "fourier"),
        ({"down_block_types": ["DownBlock2D", "SkipDownBlock2D"]}, "SkipDownBlock2D"),
        ({"block_out_channels": [8, 16, 16]}, "3 widths"),
        ({"block_out_channels": [8, 18]}, "groups"),
        ({"block_out_channels": [8, 10**9]}, "block_out_channels"),
        ({"block_out_channels": "8"}, "block_out_channels must be a list"),
        ({"layers_per_block": True}, "layers_per_block must be a whole number"),
        ({"layers_per_block": 10**6}, "layers_per_block"),
        ({"norm_eps": "small"}, "norm_eps must be a number"),
        ({"attention_head_dim": 500}, "head"),
        ({"sample_size": None}, "sample_size"),
        ({"sample_size": 9}, "multiples of 2"),
        ({"sample_size": [8, 8, 8]}, "sample_size"),
        ({"out_channels": 3}, "answers 3"),
        ({"in_channels": 3}, "conditioned on pictures"),
        ({"class_embed_type": "identity"}, "class"),
        ({"act_fn": "tanh"}, "tanh"),
        ({"num_class_embeds": 10}, "1 tensors are missing"),
        ({"layers_per_block": 2}, "tensors are missing"),
        ({"time_embedding_dim": 48}, "has the shape"),
    ],
    ids=str,
)
def test_that_a_network_beyond_this_program_is_refused_in_words(
    folder: Path, changes: dict[str, Any], words: str
) -> None:
    change(folder / "unet" / "config.json", **changes)
    with pytest.raises(Refusal, match=words):
        open_model(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"_class_name": "ScoreSdeVePipeline"}, "ScoreSdeVePipeline"),
        ({"_class_name": "LDMPipeline", "vqvae": ["diffusers", "VQModel"]}, "pixel-space"),
        ({"unet": ["my_network", "UNet2DModel"]}, "program code"),
        ({"safety": ["diffusers", "Checker"]}, "safety"),
    ],
    ids=str,
)
def test_that_a_pipeline_beyond_this_program_is_refused_in_words(
    folder: Path, changes: dict[str, Any], words: str
) -> None:
    change(folder / "model_index.json", **changes)
    with pytest.raises(Refusal, match=words):
        open_model(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": ["ant"]}, "names 1 classes"),
        ({"null_label": 7}, "null label"),
        ({"null_label": True}, "null_label must be a whole number"),
        ({"labels": [1, 2, 3]}, "labels must be a list of texts"),
        ({"licence": 3}, "licence must be a text"),
    ],
    ids=str,
)
def test_that_labels_which_do_not_fit_are_refused(classes: Path, changes: dict[str, Any], words: str) -> None:
    change(classes / "diffuscope.json", **changes)
    with pytest.raises(Refusal, match=words):
        read_info(classes)


def test_that_classes_without_names_are_numbered(classes: Path) -> None:
    (classes / "diffuscope.json").unlink()
    info = read_info(classes)
    assert info.labels == ("0", "1", "2", "3")
    assert info.null_label is None


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")


def endless_header(path: Path) -> None:
    path.write_bytes((2**40).to_bytes(8, "little") + b"{}")


def no_header(path: Path) -> None:
    path.write_bytes(b"not weights at all")


def huge_tensor(path: Path) -> None:
    header = json.dumps({"conv_in.weight": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"0000")


def overlapping(path: Path) -> None:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = json.dumps({"a": entry, "b": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"0000")


def whole_numbers(path: Path) -> None:
    tensors = load_file(path)
    save_file({**tensors, "conv_in.bias": tensors["conv_in.bias"].long()}, path)


def not_finite(path: Path) -> None:
    tensors = load_file(path)
    tensors["conv_out.bias"][0] = torch.nan
    save_file(tensors, path)


def a_program(path: Path) -> None:
    path.unlink()
    path.with_suffix(".bin").write_bytes(b"\x80\x02cos\nsystem\nU\x04true\x85R.")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut_short, "cut short"),
        (pointer, "git lfs pull"),
        (endless_header, "damaged"),
        (no_header, "damaged"),
        (huge_tensor, "damaged"),
        (overlapping, "damaged"),
        (whole_numbers, "numbers of a kind"),
        (not_finite, "conv_out.bias"),
        (a_program, "would run os.system"),
        (Path.unlink, "weights are missing"),
    ],
)
def test_that_weights_that_are_not_sound_are_refused_in_words(
    folder: Path, damage: Callable[[Path], None], words: str
) -> None:
    damage(folder / "unet" / WEIGHTS)
    with pytest.raises(Refusal, match=words):
        open_model(folder)


def test_that_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    weights = folder / "unet" / WEIGHTS
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refusal, match="leads out"):
        open_model(folder)


def test_that_the_links_of_a_hub_cache_are_followed(folder: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "models--someone--tiny" / "snapshots" / "0123"
    blobs = tmp_path / "models--someone--tiny" / "blobs"
    blobs.mkdir(parents=True)
    shutil.copytree(folder, snapshot)
    (snapshot / "unet" / WEIGHTS).rename(blobs / "abc")
    (snapshot / "unet" / WEIGHTS).symlink_to(Path("../../../blobs/abc"))
    assert open_model(snapshot).info.parameters == read_info(folder).parameters


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 10_000, "x" * 2_000_000])
def test_that_damaged_configurations_are_refused(folder: Path, content: str) -> None:
    (folder / "unet" / "config.json").write_text(content)
    with pytest.raises(Refusal, match=r"config\.json"):
        open_model(folder)


def test_that_a_folder_without_scheduler_is_opened_and_said_to_be_assumed(folder: Path) -> None:
    shutil.rmtree(folder / "scheduler")
    (folder / "model_index.json").unlink()
    opened = open_model(folder)
    assert opened.info.schedule == ScheduleSpec("linear", 1000, 1e-4, 0.02)
    assert any("assumed" in note for note in opened.notes)


def test_that_a_model_is_found_by_its_folder_or_a_file_in_it(folder: Path) -> None:
    for path in (folder, folder / "model_index.json", folder / "unet", folder / "unet" / WEIGHTS, str(folder)):
        assert find_model(path) == folder


def test_that_an_unknown_model_is_refused_with_the_names_there_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_folder, "BUNDLED", folder.parent)
    assert find_model("tiny") == folder
    with pytest.raises(Refusal, match=r"no model “nothing”.*tiny"):
        find_model("nothing")


def test_that_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="not a model folder"):
        open_model(tmp_path)


def test_that_a_model_is_read_about_without_torch(folder: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from core.model_folder import read_info;"
        f"print(read_info({str(folder)!r}).parameters, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(read_info(folder).parameters), "False"]


def our_samples(
    opened: OpenModel, steps: int, seed: int, labels: Tensor | None, timesteps: Sequence[int] = ()
) -> Tensor:
    info = opened.info
    schedule = make_schedule(info.schedule)
    path = make_path(schedule, timesteps or spaced_timesteps(schedule, steps, "leading"), info.final_alpha_bar)
    network = NetworkDenoiser(opened.network, info.prediction, variance=info.variance, schedule=schedule)
    denoise = Clipped(network, info.sampler.clip, percentile=info.sampler.percentile, limit=info.sampler.limit)
    noise = StepNoise(seed, (2, *info.event_shape))
    condition = None if labels is None else Condition(labels, info.null_label)
    if info.sampler.name == "ddim":
        walk = ddim(denoise, path, noise.initial(), condition, eta=0.0, noise=noise)
    else:
        walk = ddpm(denoise, path, noise.initial(), condition, variance=info.sampler.variance, noise=noise)
    return [step.x_next for step in walk][-1]


@torch.no_grad()
def their_samples(network: Any, scheduler: Any, shape: tuple[int, ...], steps: int, seed: int, labels: Any) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        output = network(x, t, class_labels=labels).sample
        x = scheduler.step(output, t, x, generator=generator).prev_sample
    return x


def quiet(network: UNet) -> UNet:
    """The same network with small answers, as a trained one gives, so that no step blows up."""
    with torch.no_grad():
        network.conv_out.weight.mul_(0.2)
    return network


@pytest.mark.parametrize("clip", ["none", "clamp"])
@pytest.mark.parametrize("prediction", ["eps", "x0", "v"])
@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_that_a_plain_loop_over_diffusers_gives_our_samples(
    tmp_path: Path, sampler: Any, prediction: Any, clip: Any
) -> None:
    diffusers = pytest.importorskip("diffusers")
    network = quiet(network_of(**TINY, num_class_embeds=4))
    spec = SamplerSpec(sampler, clip=clip, variance="large" if clip == "none" else "small")
    info = info_of(
        network, labels=("ant", "bee", "cat"), null_label=3, prediction=prediction, sampler=spec,
        final_alpha_bar=1.0 if clip == "none" or sampler == "ddpm" else 0.9999,
    )  # fmt: skip
    save_model(tmp_path / "model", network, info)
    labels = torch.tensor([1, 3])
    ours = our_samples(open_model(tmp_path / "model"), 10, 5, labels)
    theirs_network = diffusers.UNet2DModel.from_pretrained(tmp_path / "model", subfolder="unet").eval()
    kind = diffusers.DDIMScheduler if sampler == "ddim" else diffusers.DDPMScheduler
    scheduler = kind.from_pretrained(tmp_path / "model", subfolder="scheduler")
    theirs = their_samples(theirs_network, scheduler, (2, 1, 8, 8), 10, 5, labels)
    assert float((ours - theirs).abs().max()) < 1e-4 * float(theirs.abs().max())


def test_that_the_bundled_digits_are_the_same_in_a_plain_loop_over_diffusers() -> None:
    diffusers = pytest.importorskip("diffusers")
    opened, labels = open_model("digits"), torch.tensor([3, 10])
    assert opened.info.sampler.name == "ddim"
    theirs_network = diffusers.UNet2DModel.from_pretrained(opened.folder, subfolder="unet").eval()
    scheduler = diffusers.DDIMScheduler.from_pretrained(opened.folder, subfolder="scheduler")
    theirs = their_samples(theirs_network, scheduler, (2, *opened.info.event_shape), 5, 7, labels)
    assert float((our_samples(opened, 5, 7, labels) - theirs).abs().max()) < 1e-4


@pytest.mark.parametrize(("sampler", "half"), [("ddpm", False), ("ddim", True)])
def test_that_the_pipelines_of_diffusers_open_our_folder(
    tmp_path: Path, sampler: Any, half: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    diffusers = pytest.importorskip("diffusers")
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)  # its progress bars would leave a thread behind
    network = quiet(network_of(**{**TINY, "in_channels": 3, "out_channels": 3}))
    save_model(tmp_path / "model", network, info_of(network, sampler=SamplerSpec(sampler)), half=half)
    kind = diffusers.DDPMPipeline if sampler == "ddpm" else diffusers.DDIMPipeline
    pipeline = kind.from_pretrained(tmp_path / "model")
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(9)
    pictures = pipeline(batch_size=2, generator=generator, num_inference_steps=10, output_type="np").images
    ours = our_samples(open_model(tmp_path / "model"), 10, 9, None)
    expected = (ours / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(pictures, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("sampler", "prediction", "schedule"),
    [
        (SamplerSpec("ddpm", variance="learned"), "eps", ScheduleSpec("linear", 1000, 1e-4, 0.02)),
        (SamplerSpec("ddpm", variance="learned", clip="none"), "v", ScheduleSpec("cosine", 4000)),
        (SamplerSpec("ddpm", clip="none"), "v", ScheduleSpec("linear", 1000, 1e-4, 0.02, zero_snr=True)),
        (SamplerSpec("ddim", clip="clamp"), "v", ScheduleSpec("quadratic", 1000, 1e-3, 0.02, zero_snr=True)),
        (SamplerSpec("ddim", clip="clamp"), "x0", ScheduleSpec("constant", 500, zero_snr=True)),
        (SamplerSpec("ddpm", clip="dynamic", percentile=0.8), "x0", ScheduleSpec("cosine", 1000)),
        (SamplerSpec("ddpm", clip="dynamic", percentile=0.9, limit=1.2), "v", ScheduleSpec("cosine", 1000)),
    ],
    ids=str,
)
def test_that_a_plain_loop_over_diffusers_gives_our_samples_of_later_models_too(
    tmp_path: Path, sampler: SamplerSpec, prediction: Any, schedule: ScheduleSpec
) -> None:
    diffusers = pytest.importorskip("diffusers")
    learned = sampler.variance == "learned"
    network = quiet(network_of(**{**TINY, "out_channels": 2 if learned else 1}))
    info = info_of(
        network, prediction=prediction, schedule=schedule, sampler=sampler, variance="range" if learned else "fixed"
    )
    save_model(tmp_path / "model", network, info)
    kind = diffusers.DDIMScheduler if sampler.name == "ddim" else diffusers.DDPMScheduler
    scheduler = kind.from_pretrained(tmp_path / "model", subfolder="scheduler")
    timesteps = [schedule.T - 1, schedule.T // 2, 3 * schedule.T // 10, 20, 0]  # the last one too, whose SNR may be 0
    if sampler.name == "ddim":  # takes no list of its own, and steps down evenly
        timesteps = [schedule.T * share // 5 - 1 for share in (5, 4, 3, 2, 1)]
    theirs_network = diffusers.UNet2DModel.from_pretrained(tmp_path / "model", subfolder="unet").eval()
    theirs = loop(theirs_network, scheduler, (2, 1, 8, 8), timesteps, 5)
    ours = our_samples(open_model(tmp_path / "model"), 5, 5, None, timesteps)
    assert float((ours - theirs).abs().max()) < 1e-3 * float(theirs.abs().max())


@torch.no_grad()
def loop(network: Any, scheduler: Any, shape: tuple[int, ...], timesteps: list[int], seed: int) -> Tensor:
    """Their loop over timesteps of one's own choice."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    if "DDPM" in type(scheduler).__name__:
        scheduler.set_timesteps(timesteps=timesteps)
    else:
        scheduler.set_timesteps(len(timesteps))
    for t in timesteps:
        x = scheduler.step(network(x, t).sample, t, x, generator=generator).prev_sample
    return x


@pytest.mark.parametrize(
    ("sampler", "settings"),
    [
        ("DDIMScheduler", {}),
        ("DDPMScheduler", {}),
        ("DDPMScheduler", {"variance_type": "learned_range", "num_train_timesteps": 4000}),
        ("DDPMScheduler", {"thresholding": True, "sample_max_value": 1.5, "prediction_type": "sample"}),
        ("DDIMScheduler", {"rescale_betas_zero_snr": True, "prediction_type": "v_prediction"}),
    ],
    ids=str,
)
def test_that_a_folder_written_by_diffusers_opens_here(tmp_path: Path, sampler: str, settings: dict[str, Any]) -> None:
    diffusers = pytest.importorskip("diffusers")
    shape = {**TINY, "out_channels": 2 if "variance_type" in settings else 1}
    theirs = diffusers.UNet2DModel(**shape).eval()
    theirs.load_state_dict(quiet(network_of(**shape)).state_dict())
    scheduler = getattr(diffusers, sampler)(beta_schedule="squaredcos_cap_v2", **settings)
    diffusers.DDPMPipeline(theirs, scheduler).save_pretrained(tmp_path / "model")
    opened = open_model(tmp_path / "model")
    assert opened.notes == ()
    expected = their_samples(theirs, scheduler, (2, 1, 8, 8), 10, 3, None)
    ours = our_samples(opened, 10, 3, None)
    assert float((ours - expected).abs().max()) < 1e-4 * float(expected.abs().max())


def test_that_a_configuration_keeps_every_field_through_json() -> None:
    config = UNetConfig.from_json({**TINY, "sample_size": [8, 16], "attention_head_dim": None, "dropout": 0.1})
    assert UNetConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
