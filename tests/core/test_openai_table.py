"""The table of OpenAI's published models: sizes as they are known, and what each row says fits its network."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from core.checkpoints.family import Loose, Reading
from core.checkpoints.openai import FAMILY
from core.checkpoints.openai_anatomy import Anatomy
from core.checkpoints.openai_classifier import CLASSIFIER
from core.checkpoints.openai_layout import layout
from core.checkpoints.openai_table import CLASSIFIERS, CONSISTENCY, MODELS, Published
from core.errors import Refusal
from core.requests import ScheduleSpec

PARAMETERS = {
    "cifar10_uncond_50M_500K": 52_546_438,
    "imagenet64_uncond_100M_1500K": 121_063_942,
    "imagenet64_cond_270M_250K": 273_049_350,
    "upsample_cond_500K": 279_792_390,
    "lsun_uncond_100M_1200K_bs128": 113_676_678,
    "64x64_diffusion": 295_904_454,
    "128x128_diffusion": 421_529_606,
    "256x256_diffusion": 553_838_086,
    "256x256_diffusion_uncond": 552_814_086,
    "512x512_diffusion": 558_997_638,
    "ffhq_p2": 93_563_910,
    "64_256_upsampler": 311_795_910,
    "128_512_upsampler": 308_835_270,
    "64x64_classifier": 65_438_568,
    "128x128_classifier": 42_568_040,
    "256x256_classifier": 54_096_360,
    "512x512_classifier": 54_448_360,
}
TENSORS = {
    "256x256_diffusion_uncond": 566,
    "64x64_diffusion": 541,
    "cifar10_uncond_50M_500K": 446,
    "lsun_uncond_100M_1200K_bs128": 426,
    "512x512_diffusion": 645,
}
ROWS = {row.files[0]: row for row in (*MODELS, *CLASSIFIERS)}
DRAWING = [name for name, row in ROWS.items() if row.anatomy.inputs == 3 and not row.anatomy.pool]


def loose_of(row: Published, file_name: str = "") -> Loose:
    shapes = {part.theirs: part.shape for part in layout(row.anatomy)}
    return Loose(shapes, lambda name: pytest.fail("nothing needs to be read"), file_name or f"{row.files[0]}.pt")


def read(row: Published, **answers: str) -> Reading:
    return (CLASSIFIER if row.anatomy.pool else FAMILY).read(loose_of(row), answers)


def test_that_every_row_is_known_here() -> None:
    assert ROWS.keys() == PARAMETERS.keys()


@pytest.mark.parametrize("name", PARAMETERS)
def test_that_the_published_model_has_as_many_parameters_as_it_is_known_to_have(name: str) -> None:
    parts = layout(ROWS[name].anatomy)
    assert sum(math.prod(part.shape) for part in parts) == PARAMETERS[name]
    assert len({part.theirs for part in parts}) == len(parts) == TENSORS.get(name, len(parts))


@pytest.mark.parametrize("name", [*DRAWING, *(row.files[0] for row in CLASSIFIERS)])
def test_that_a_published_model_is_known_by_its_shapes_and_opens_without_a_question(name: str) -> None:
    reading = read(ROWS[name])
    assert reading.description.questions == ()
    assert reading.description.parameters == PARAMETERS[name]
    size = ROWS[name].settings.size
    assert reading.event_shape == (3, size, size)


@pytest.mark.parametrize("name", [*DRAWING, "256x256_classifier"])
def test_that_its_network_has_the_shapes_of_the_file(name: str) -> None:
    """On the meta device, where weights take no memory."""
    row = ROWS[name]
    reading = read(row)
    network = reading.build()
    assert sum(tensor.numel() for tensor in network.state_dict().values()) == PARAMETERS[name]


def heads_in(reading: Reading) -> set[tuple[int, int]]:
    """How many heads of how many channels there are."""
    network = reading.build()
    found = [module for name, module in network.named_modules() if name.rpartition(".")[0].endswith("attentions")]
    return {(module.heads, module.to_q.out_features // module.heads) for module in found}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("cifar10_uncond_50M_500K", {(4, 64)}),
        ("imagenet64_cond_270M_250K", {(4, 144), (4, 192)}),
        ("lsun_uncond_100M_1200K_bs128", {(1, 512)}),
        ("64x64_diffusion", {(6, 64), (9, 64), (12, 64)}),
        ("128x128_diffusion", {(4, 128), (4, 192), (4, 256)}),
        ("512x512_diffusion", {(8, 64), (16, 64)}),
        ("256x256_classifier", {(4, 64), (8, 64)}),
    ],
)
def test_that_it_has_the_heads_it_was_trained_with(name: str, heads: set[tuple[int, int]]) -> None:
    assert heads_in(read(ROWS[name])) == heads


@pytest.mark.parametrize(
    ("name", "schedule", "factor"),
    [
        ("cifar10_uncond_50M_500K", ScheduleSpec("cosine", 4000), 0.25),
        ("imagenet64_cond_270M_250K", ScheduleSpec("cosine", 4000), 1.0),
        ("lsun_uncond_100M_1200K_bs128", ScheduleSpec("linear", 1000), 1.0),
        ("64x64_diffusion", ScheduleSpec("cosine", 1000), 1.0),
        ("256x256_diffusion_uncond", ScheduleSpec("linear", 1000), 1.0),
    ],
)
def test_that_it_is_walked_along_the_noise_it_was_trained_on(name: str, schedule: ScheduleSpec, factor: float) -> None:
    reading = read(ROWS[name])
    assert reading.says.schedule == schedule
    assert reading.config.time_factor == factor
    assert reading.says.variance == "range"
    assert reading.says.sampler.variance == "learned"


def test_that_the_512_model_embeds_its_times_wider_than_its_first_channels() -> None:
    config = read(ROWS["512x512_diffusion"]).config
    assert (config.time_channels, config.time_hidden, config.block_out_channels[0]) == (256, 1024, 128)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("64_256_upsampler", "64x64_diffusion.pt"),
        ("128_512_upsampler", "128x128_diffusion.pt"),
        ("upsample_cond_500K", "imagenet64_cond_270M_250K.pt"),
    ],
)
def test_that_super_resolution_is_refused_by_name_and_its_base_proposed(name: str, base: str) -> None:
    with pytest.raises(Refusal, match=rf"This is {name}: it enlarges .* Open the model that draws them, {base}\."):
        read(ROWS[name])


@pytest.mark.parametrize("anatomy", CONSISTENCY)
def test_that_consistency_models_are_told_from_models_of_the_discrete_process(anatomy: Anatomy) -> None:
    with pytest.raises(Refusal, match="a consistency model or its teacher"):
        read(replace(ROWS["64x64_diffusion"], anatomy=anatomy))


def test_that_a_file_of_another_name_is_known_by_its_tensors_and_says_so() -> None:
    reading = FAMILY.read(loose_of(ROWS["ffhq_p2"], "my_dogs.pt"), {})
    assert reading.description.questions == ()
    assert "Its tensors are those of ffhq_p2.pt" in reading.description.notes[0]
    assert not read(ROWS["ffhq_p2"]).description.notes


def test_that_an_answer_counts_more_than_the_table() -> None:
    reading = read(ROWS["ffhq_p2"], schedule="cosine", size="128")
    assert reading.says.schedule.name == "cosine"
    assert reading.event_shape == (3, 128, 128)
    origins = {fact.name: fact.origin for fact in reading.description.facts}
    assert origins["noise schedule"] == "answered"
    assert origins["attention heads"] == "table"


def test_that_no_two_rows_share_their_tensors() -> None:
    rows = sorted(ROWS.values(), key=lambda row: repr(row.anatomy))
    assert all(one.anatomy != other.anatomy for one, other in pairwise(rows))
