"""Weights of diffusers without their configuration: exact where they are said to be what they are, and asked about."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from core.checkpoints.description import Description
from core.checkpoints.diffusers_weights import FAMILY
from core.checkpoints.family import Loose
from core.checkpoints.opening import describe, open_checkpoint
from core.errors import Cancelled, Refusal
from core.model_folder import OpenModel, find_model, open_model
from tests.lookalikes import LookAlike, relative_difference
from tests.lookalikes.diffusers import KINDS, config_of, drawn, lookalikes

LOOKALIKES = {look.name: look for look in lookalikes()}
GOOGLES = "as Google trained it"


@pytest.mark.parametrize("name", LOOKALIKES)
@torch.inference_mode()
def test_that_a_lookalike_computes_what_its_definition_says(name: str) -> None:
    look = LOOKALIKES[name]
    x, t, labels = look.inputs()
    assert relative_difference(look.network()(x, t, labels), look.reference(x, t, labels)) < 1e-5


@pytest.mark.parametrize("name", LOOKALIKES)
@torch.inference_mode()
def test_that_diffusers_computes_the_same_of_its_weights(name: str) -> None:
    pytest.importorskip("diffusers")
    look = LOOKALIKES[name]
    assert look.theirs is not None
    network = look.network()
    other = look.theirs(network)
    assert other is not None
    x, t, labels = look.inputs()
    assert relative_difference(network(x, t, labels), other(x, t, labels)) < 1e-5


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_that_shapes_and_answers_give_the_configuration_back(kind) -> None:
    config, found = config_of(kind), LOOKALIKES[kind.name].read().config
    for name, value in config.items():
        if not name.startswith("_"):
            assert getattr(found, name) == (tuple(value) if isinstance(value, list) else value), name


@torch.inference_mode()
def test_that_the_same_weights_said_to_be_another_program_s_answer_otherwise() -> None:
    look = LOOKALIKES[GOOGLES]
    x, t, labels = look.inputs()
    other = look.network(preset="diffusers")(x, t, labels)
    assert relative_difference(other, look.reference(x, t, labels)) > 0.05


def described(look: LookAlike, folder: Path, name: str = "model.safetensors", **answers: str) -> Description:
    save_file(look.tensors, folder / name)
    return describe(folder / name, answers)


def test_that_what_the_weights_do_not_say_is_asked_with_a_guess_and_its_reason(tmp_path: Path) -> None:
    found = described(LOOKALIKES[GOOGLES], tmp_path)
    assert found.kind == "model"
    assert found.parameters == 45_259
    assert found.tensors == len(LOOKALIKES[GOOGLES].tensors)
    assert found.nbytes == 4 * 45_259
    questions = {question.key: question for question in found.questions}
    assert set(questions) == {"preset", "size", "groups", "schedule", "prediction"}
    assert all(question.why.endswith(".") for question in found.questions)
    assert {choice.value for choice in questions["preset"].choices} == {"google", "diffusers"}  # 64 is too wide a head
    assert {fact.origin for fact in found.facts} == {"shapes", "guessed"}
    assert any("config.json" in note for note in found.notes)


def test_that_answers_are_taken_and_no_longer_asked(tmp_path: Path) -> None:
    answers = {"preset": "google", "size": "32", "groups": "8", "schedule": "cosine", "prediction": "v_prediction"}
    assert described(LOOKALIKES[GOOGLES], tmp_path, **answers).questions == ()
    opened = open_checkpoint(tmp_path / "model.safetensors", answers)
    assert isinstance(opened, OpenModel)
    assert opened.info.event_shape == (3, 32, 32)
    assert opened.info.prediction == "v"
    assert opened.info.schedule.name == "cosine"
    assert (opened.config.norm_eps, opened.config.norm_num_groups) == (1e-6, 8)
    assert not any(note.startswith("Guessed") for note in opened.notes)
    for key, wrong in {"size": "33", "preset": "adm", "groups": "7", "schedule": "lin"}.items():
        with pytest.raises(Refusal, match=key):
            describe(tmp_path / "model.safetensors", {**answers, key: wrong})


def test_that_a_person_chooses_between_raw_and_averaged_weights(tmp_path: Path) -> None:
    tensors = drawn(KINDS[0])
    torch.save({"model": tensors, "ema": {name: 2 * tensor for name, tensor in tensors.items()}}, tmp_path / "both.pt")

    def opened(**answers: str) -> tuple[torch.Tensor, list[tuple[str, str]]]:
        facts = describe(tmp_path / "both.pt", answers).facts
        network = open_checkpoint(tmp_path / "both.pt", answers).network
        return network.conv_in.bias, [(fact.value, fact.origin) for fact in facts if fact.name == "weights"]

    averaged, said = opened()
    assert torch.equal(averaged, 2 * tensors["conv_in.bias"])
    assert said == [("averaged (EMA)", "assumed")]
    raw, said = opened(weights="raw")
    assert torch.equal(raw, tensors["conv_in.bias"])
    assert said == [("raw", "answered")]


@pytest.mark.parametrize(
    ("widths", "file_name", "best", "size"),
    [
        ((128, 256, 256, 256), "weights.bin", "google", "32"),
        ((128, 128, 256, 256, 512, 512), "ddpm-cat-256.bin", "google", "256"),
        ((128, 128, 256, 256, 512, 512), "butterflies.bin", "diffusers", "128"),
        ((64, 128, 128, 256), "sd-class-butterflies.bin", "diffusers", "32"),
    ],
)
def test_that_published_models_are_guessed_right(widths: tuple[int, ...], file_name: str, best: str, size: str) -> None:
    attending = {4: 1, 6: 4}[len(widths)] if widths[0] == 128 else 2
    shapes = published_shapes(widths, {attending} if widths[0] == 128 else {2, 3})
    loose = Loose(shapes, lambda name: torch.empty(0), file_name)
    assert FAMILY.recognises(shapes)
    asked = {question.key: question.best for question in FAMILY.read(loose, {}).description.questions}
    assert (asked["preset"], asked["size"]) == (best, size)


def published_shapes(widths: tuple[int, ...], attending: set[int]) -> dict[str, tuple[int, ...]]:
    """The shapes that are looked at, of a network that attends at some resolutions."""
    hidden, last = 4 * widths[0], len(widths) - 1
    shapes: dict[str, tuple[int, ...]] = {
        "conv_in.weight": (widths[0], 3, 3, 3),
        "conv_out.weight": (3, widths[0], 3, 3),
        "time_embedding.linear_1.weight": (hidden, widths[0]),
        "mid_block.resnets.0.conv1.weight": (widths[-1], widths[-1], 3, 3),
        "mid_block.attentions.0.query.weight": (widths[-1], widths[-1]),
    }
    for level, width in enumerate(widths):
        for way, block in (("down", level), ("up", last - level)):
            name = f"{way}_blocks.{block}"
            for j in range(2):
                shapes[f"{name}.resnets.{j}.conv1.weight"] = (width, width, 3, 3)
                shapes[f"{name}.resnets.{j}.time_emb_proj.weight"] = (width, hidden)
                if level in attending:
                    shapes[f"{name}.attentions.{j}.query.weight"] = (width, width)
    return shapes


def test_that_what_was_guessed_is_said_of_an_opened_model_and_a_wrong_tensor_is_named(tmp_path: Path) -> None:
    look = LOOKALIKES[GOOGLES]
    save_file(look.tensors, tmp_path / "model.safetensors")
    opened = open_model(tmp_path / "model.safetensors")
    assert opened.info.ref.name == "model"
    assert opened.folder == tmp_path / "model.safetensors"
    assert any(note.startswith("Guessed") and "size" not in note.split(":")[0] for note in opened.notes)
    missing = {name: tensor for name, tensor in look.tensors.items() if name != "mid_block.resnets.1.conv2.bias"}
    save_file(missing, tmp_path / "missing.safetensors")
    with pytest.raises(Refusal, match="1 tensors are missing") as caught:
        open_model(tmp_path / "missing.safetensors")
    assert "mid_block.resnets.1.conv2.bias" in caught.value.details


def test_that_opening_tells_how_far_it_is_and_can_be_stopped(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(drawn(KINDS[0]), path)
    heard: list[tuple[int, int]] = []
    open_checkpoint(path, on_progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (4 * 45_259, 4 * 45_259)

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        open_checkpoint(path, check=stop)


def test_that_the_hash_names_the_weights_and_what_they_mean(tmp_path: Path) -> None:
    save_file(LOOKALIKES[GOOGLES].tensors, tmp_path / "a.safetensors")
    save_file(LOOKALIKES[GOOGLES].tensors, tmp_path / "b.safetensors")

    def sha256(name: str, **answers: str) -> str:
        return open_checkpoint(tmp_path / name, answers).info.ref.sha256

    assert sha256("a.safetensors") == sha256("b.safetensors")
    assert sha256("a.safetensors") != sha256("a.safetensors", preset="google")
    assert sha256("a.safetensors") != sha256("a.safetensors", prediction="sample")


def test_that_a_file_is_described_without_torch(tmp_path: Path) -> None:
    save_file(LOOKALIKES[GOOGLES].tensors, tmp_path / "model.safetensors")
    program = (
        "import sys; from core.checkpoints.opening import describe;"
        f"print(len(describe({str(tmp_path / 'model.safetensors')!r}).questions), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["5", "False"], done.stderr


def test_that_a_file_stands_for_itself_unless_it_belongs_to_a_model_folder(tmp_path: Path) -> None:
    for name in ("model.pt", "diffusion_pytorch_model.bin", "notes.h5"):
        (tmp_path / name).write_bytes(b"x")
        assert find_model(tmp_path / name) == tmp_path / name
    (tmp_path / "config.json").write_text("{}")
    for name in ("diffusion_pytorch_model.bin", "config.json", "notes.h5"):
        assert find_model(tmp_path / name) == tmp_path
    assert find_model(tmp_path / "model.pt") == tmp_path / "model.pt"
