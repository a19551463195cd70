"""Files of improved-diffusion and guided-diffusion: exact, strict, and asking for what they cannot say."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from core.checkpoints.description import Question
from core.checkpoints.family import Loose
from core.checkpoints.openai import FAMILY
from core.checkpoints.openai_classifier import CLASSIFIER
from core.classifier import Classifier
from core.classifier_folder import open_classifier, save_classifier
from core.errors import Refusal
from core.messages import ClassifierInfo
from core.requests import ModelRef
from tests.lookalikes import Draw, LookAlike, relative_difference
from tests.lookalikes.openai import (
    CLASSIFIER_OPTIONS,
    OPTIONS,
    Options,
    answers,
    drawn,
    forward,
    lookalike,
    of_diffusers,
    written,
)

ADM = "ADM, classes, 2 heads, legacy"
TINY = Options(32, (1, 2), (1,), resampling="res", head_channels=32)


def loose(tensors: dict[str, Tensor], file_name: str = "unknown.pt") -> Loose:
    return Loose({name: tuple(tensor.shape) for name, tensor in tensors.items()}, tensors.__getitem__, file_name)


@pytest.fixture(scope="module")
def adm() -> LookAlike:
    return lookalike(ADM)


@pytest.mark.parametrize("name", [*OPTIONS, *CLASSIFIER_OPTIONS])
@torch.inference_mode()
def test_that_it_answers_what_the_formulas_say(name: str) -> None:
    look = lookalike(name)
    x, t, labels = look.inputs()
    expected = look.reference(x, t, labels)
    assert relative_difference(look.network()(x, t, labels), expected) < 1e-5


@pytest.mark.parametrize("name", ["iDDPM, shift only, 1 head", ADM, "ADM, classes, 2 heads, new"])
@torch.inference_mode()
def test_that_diffusers_answers_the_same_where_it_has_such_a_network(name: str) -> None:
    pytest.importorskip("diffusers")
    look = lookalike(name)
    network = look.network()
    theirs = of_diffusers(network)
    assert theirs is not None
    x, t, labels = look.inputs()
    assert relative_difference(network(x, t, labels), theirs(x, t, labels)) < 1e-4


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (ADM, {"order": "new"}),
        ("ADM, classes, 2 heads, new", {"order": "legacy"}),
        (ADM, {"heads": "channels-64"}),
        ("iDDPM, 4 heads, rescaled times", {"rescaled": "no"}),
        ("iDDPM, 4 heads, rescaled times", {"timesteps": "1000"}),
    ],
)
@torch.inference_mode()
def test_that_a_wrong_answer_gives_another_picture(name: str, wrong: dict[str, str]) -> None:
    look = lookalike(name)
    x, t, labels = look.inputs()
    assert relative_difference(look.network(**wrong)(x, t, labels), look.reference(x, t, labels)) > 1e-3


@torch.inference_mode()
def test_that_both_orders_of_the_same_weights_are_the_same_network(adm: LookAlike) -> None:
    """Channels moved by hand from head by head to all q, all k, all v."""
    moved = dict(adm.tensors)
    for name in [name for name in moved if ".qkv." in name]:
        tensor = moved[name]
        width = len(tensor) // 3
        rows = [head * 96 + part * 32 + i for part in range(3) for head in range(width // 32) for i in range(32)]
        moved[name] = tensor[rows]
    other = replace(adm, tensors=moved)
    x, t, labels = adm.inputs()
    torch.testing.assert_close(other.network(order="new")(x, t, labels), adm.network()(x, t, labels), rtol=0, atol=0)


def test_that_every_tensor_is_used_once(adm: LookAlike) -> None:
    converted = adm.read().convert(adm.tensors)
    assert sum(tensor.numel() for tensor in converted.values()) == adm.parameters
    assert len({tensor.data_ptr() for tensor in converted.values()}) == len(converted)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"middle_block.1.norm.bias": None}, "missing: middle_block.1.norm.bias"),
        ({"middle_block.1.extra": torch.ones(1)}, "unknown: middle_block.1.extra"),
        ({"out.0.weight": torch.ones(64)}, r"out.0.weight has the shape \(64,\), not \(32,\)"),
        ({"time_embed.0.weight": torch.ones(128)}, r"time_embed.0.weight: \(128,\)"),
        ({"output_blocks.9.0.in_layers.0.weight": torch.ones(32)}, "input_blocks.6.0.out_layers.3.weight: missing"),
        ({"input_blocks.9999.0.in_layers.0.weight": torch.ones(32)}, "input_blocks.9999"),
    ],
)
def test_that_a_tensor_too_few_too_many_or_of_another_shape_is_named(
    adm: LookAlike, change: dict[str, Tensor | None], told: str
) -> None:
    tensors = {name: tensor for name, tensor in {**adm.tensors, **change}.items() if tensor is not None}
    with pytest.raises(Refusal, match="do not make one") as refused:
        FAMILY.read(loose(tensors), {})
    assert re.search(told, refused.value.details)


def questions_of(o: Options, file_name: str = "unknown.pt") -> dict[str, Question]:
    reader = CLASSIFIER if o.pool else FAMILY
    return {question.key: question for question in reader.read(loose(drawn(o, 0), file_name), {}).description.questions}


class Outline(Draw):
    """Only names and shapes."""

    def weight(self, name: str, *shape: int) -> None:
        self.tensors[name] = torch.empty(shape, device="meta")

    def vector(self, name: str, width: int, around: float = 0.0) -> None:
        self.weight(name, width)


SHAPES = {
    "multipliers": st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple),
    "attention": st.sets(st.integers(0, 4)).map(tuple),
    "blocks": st.integers(1, 4),
    "film": st.booleans(),
    "resampling": st.sampled_from(["res", "conv", "pool"]),
    "classes": st.sampled_from([0, 7]),
    "outputs": st.sampled_from([3, 6]),
    "heads": st.just(1),
}


@given(st.builds(partial(Options, 32), **SHAPES))
@settings(max_examples=25)
def test_that_every_network_of_the_programs_is_told_by_its_shapes(o: Options) -> None:
    config = FAMILY.read(loose(written(Outline(0), o)), {}).config
    attends = [kind.startswith("Attn") for kind in config.down_block_types]
    assert config.block_out_channels == tuple(32 * multiplier for multiplier in o.multipliers)
    assert attends == [level in o.attention for level in range(len(o.multipliers))]
    assert (config.layers_per_block, config.num_class_embeds) == (o.blocks, o.classes or None)
    assert (config.out_channels, config.resnet_time_scale_shift == "scale_shift") == (o.outputs, o.film)
    if len(o.multipliers) > 1:
        assert (config.downsample_type == "resnet", config.resample_conv) == (
            o.resampling == "res",
            o.resampling != "pool",
        )


@given(
    st.builds(
        partial(Options, 64, head_channels=64, outputs=5, pool="attention", resampling="res", side=64),
        multipliers=st.lists(st.integers(1, 4), min_size=2, max_size=4).map(lambda each: tuple(sorted(each))),
        attention=st.just((1, 2, 3)),
        blocks=st.integers(2, 4),
    )
)
@settings(max_examples=20)
def test_that_classifiers_that_attend_below_the_finest_resolution_are_told_by_their_shapes(o: Options) -> None:
    reading = CLASSIFIER.read(loose(written(Outline(0), o)), {})
    encoder = reading.config.encoder
    assert encoder.block_out_channels == tuple(64 * multiplier for multiplier in o.multipliers)
    assert (encoder.layers_per_block, reading.event_shape) == (o.blocks, (3, 64, 64))


def test_that_an_unknown_model_asks_for_all_that_shapes_do_not_say() -> None:
    questions = questions_of(TINY)
    assert list(questions) == ["size", "heads", "order", "schedule", "timesteps", "rescaled"]
    assert all(question.why.endswith(".") for question in questions.values())
    guesses = {key: question.best for key, question in questions.items()}
    assert guesses["size"] == "16"
    assert {"order": "legacy", "schedule": "linear", "timesteps": "1000", "rescaled": "no"}.items() <= guesses.items()


def test_that_a_model_of_improved_diffusion_is_guessed_to_have_that_program_s_settings() -> None:
    guesses = {key: question.best for key, question in questions_of(OPTIONS["iDDPM, 4 heads, rescaled times"]).items()}
    assert {"heads": "heads-4", "schedule": "cosine", "timesteps": "4000", "rescaled": "yes"}.items() <= guesses.items()


def test_that_only_heads_are_offered_that_divide_the_channels() -> None:
    values = [choice.value for choice in questions_of(TINY)["heads"].choices]
    assert values == ["channels-64", "channels-32", "channels-16", "heads-4", "heads-1", "heads-2", "heads-8"]


@pytest.mark.parametrize(
    ("multipliers", "file_name", "size"),
    [
        ((1, 2, 3, 4), "ema_0.9999_010000.pt", 64),
        ((1, 2, 2, 2), "cats.pt", 32),
        ((1, 1), "cats128x128.pt", 128),
        ((1, 1, 1), "cats.pt", 32),
    ],
)
def test_that_the_size_is_guessed_from_the_widths_or_the_file_s_name(
    multipliers: tuple[float, ...], file_name: str, size: int
) -> None:
    last = len(multipliers) - 1
    questions = questions_of(Options(32, multipliers, (last,), heads=1), file_name)
    assert questions["size"].best == str(size)


def test_that_answers_settle_everything_and_are_marked(adm: LookAlike) -> None:
    reading = adm.read()
    assert reading.description.questions == ()
    origins = {fact.name: fact.origin for fact in reading.description.facts}
    assert origins["order of q, k and v"] == origins["timesteps"] == "answered"
    assert origins["network"] == "shapes"
    assert reading.labels == tuple(map(str, range(10)))
    assert (reading.event_shape, reading.description.parameters) == ((3, 16, 16), adm.parameters)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"heads": "heads-3"}, "heads.*can be .*heads-4.*not “heads-3”"),
        ({"order": "other"}, "can be legacy, new, not “other”"),
        ({"timesteps": "many"}, "is a whole number, not “many”"),
        ({"timesteps": "20000"}, "between 2 and 10000"),
        ({"size": "17"}, "a multiple of 2; it cannot be 17"),
        ({"size": "٣٢"}, "is a whole number"),
    ],
)
def test_that_an_answer_that_is_none_is_refused(adm: LookAlike, answer: dict[str, str], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        adm.read(**answer)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [(6, "a super-resolution model"), (4, "takes 4 channels and answers 6")],
)
def test_that_models_that_are_told_pictures_are_refused(inputs: int, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        FAMILY.read(loose(drawn(replace(TINY, inputs=inputs), 0)), {})


def test_that_a_model_that_is_told_a_text_is_named(adm: LookAlike) -> None:
    with pytest.raises(Refusal, match="GLIDE"):
        FAMILY.read(loose({**adm.tensors, "token_embedding.weight": torch.ones(1)}), {})


@pytest.mark.parametrize("name", OPTIONS)
def test_that_models_and_classifiers_are_told_apart_by_names(name: str) -> None:
    shapes = lookalike(name).loose().shapes
    assert FAMILY.recognises(shapes)
    assert not CLASSIFIER.recognises(shapes)


@pytest.mark.parametrize("name", CLASSIFIER_OPTIONS)
def test_that_a_classifier_is_no_model(name: str) -> None:
    shapes = lookalike(name).loose().shapes
    assert CLASSIFIER.recognises(shapes)
    assert not FAMILY.recognises(shapes)


def test_that_a_classifier_s_size_is_that_of_its_pool() -> None:
    reading = lookalike("classifier, 2 heads").read()
    assert reading.event_shape == (3, 16, 16)
    assert reading.config.features == 128
    origins = {fact.name: (fact.value, fact.origin) for fact in reading.description.facts}
    assert origins["side of its pictures"] == ("16", "shapes")


def test_that_a_spatial_pool_is_refused_in_words() -> None:
    tensors = drawn(CLASSIFIER_OPTIONS["classifier, 2 heads"], 0)
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith("out.")}
    kept |= {"out.0.weight": torch.ones(2048, 320), "out.0.bias": torch.ones(2048)}
    assert CLASSIFIER.recognises({name: tuple(tensor.shape) for name, tensor in kept.items()})
    with pytest.raises(Refusal, match="spatial"):
        CLASSIFIER.read(loose(kept), {})


@torch.inference_mode()
def test_that_a_classifier_that_halves_by_convolutions_is_read_as_well() -> None:
    o = Options(32, (1, 2), (1,), head_channels=32, outputs=3, pool="attention")
    tensors = drawn(o, 0)
    reading = CLASSIFIER.read(loose(tensors), answers(o))
    network = reading.build()
    network.load_state_dict(reading.convert(tensors), assign=True)
    x, t = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)), torch.tensor([5.0, 700.0])
    assert relative_difference(network(x, t), forward(tensors, o, x, t)) < 1e-5


@pytest.mark.parametrize("name", CLASSIFIER_OPTIONS)
@torch.inference_mode()
def test_that_a_classifier_saved_as_a_folder_is_the_same(name: str, tmp_path: Path) -> None:
    look = lookalike(name)
    reading, network = look.read(), look.network()
    assert isinstance(network, Classifier)
    info = ClassifierInfo(
        ModelRef("judge", ""), reading.event_shape, reading.labels, reading.says.schedule, reading.config.features
    )
    save_classifier(tmp_path / "judge", network, info)
    opened = open_classifier(tmp_path / "judge")
    assert opened.network.config.to_json() == network.config.to_json()
    x, t, _ = look.inputs()
    torch.testing.assert_close(opened.network(x, t), network(x, t), rtol=0, atol=0)


def test_that_an_unknown_pool_is_refused() -> None:
    config = lookalike("classifier, 2 heads").read().config
    with pytest.raises(Refusal, match="pool is one of attention, mean, not max"):
        replace(config, pool="max")
