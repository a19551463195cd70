"""The noisy classifier: its network, its gradient, and what it is told of the noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.classifier import AttentionPool, Classifier
from core.classifier_config import PRESETS, ClassifierConfig, classifier_network, classifier_parameters
from core.classifier_folder import OpenClassifier
from core.errors import Refusal
from core.levels import CLEAN, Level
from core.messages import ClassifierInfo
from core.recognisers import NetworkRecogniser
from core.requests import ModelRef, ScheduleSpec
from core.schedules import make_schedule
from core.training.order import PresetName
from core.unet_config import UNetConfig

TINY = UNetConfig(
    sample_size=8,
    in_channels=1,
    out_channels=1,
    block_out_channels=(8, 16),
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    layers_per_block=1,
    norm_num_groups=4,
    attn_norm_num_groups=4,
    resnet_time_scale_shift="scale_shift",
)


def tiny(classes: int = 3, seed: int = 0) -> Classifier:
    """A small classifier whose every weight is drawn, so that nothing in it is 0 by its initialisation."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Classifier(ClassifierConfig(TINY, classes))
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.2)
    return network.eval()


def recogniser_of(network: Classifier, **changes: object) -> NetworkRecogniser:
    config = network.config
    labels = tuple(f"class {index}" for index in range(config.classes))
    ref = ModelRef("tiny", "0" * 64)
    info = ClassifierInfo(ref, config.event_shape, labels, ScheduleSpec("linear"), config.features)
    return NetworkRecogniser(OpenClassifier(replace(info, **changes), network, Path()))  # type: ignore[arg-type]


def pictures(count: int, seed: int = 1) -> Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_that_the_gradient_is_what_finite_differences_give() -> None:
    network = tiny().double()
    x, t, labels = pictures(2).double(), torch.tensor([3.0, 700.0]).double(), torch.tensor([2, 0])

    def log_p(x: Tensor) -> Any:
        logits = network(x, t)
        return (logits - logits.logsumexp(1, keepdim=True))[torch.arange(2), labels]

    given = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(log_p(given).sum(), given)
    with torch.no_grad():
        for row, column in ((0, 0), (3, 5), (7, 7)):
            step = torch.zeros_like(x)
            step[:, 0, row, column] = 1e-5
            slope = (log_p(x + step) - log_p(x - step)) / 2e-5
            assert torch.allclose(gradient[:, 0, row, column], slope, rtol=1e-6, atol=1e-9)


def test_that_the_recognisers_gradient_is_that_of_log_p_for_the_label_asked_for() -> None:
    network = tiny()
    x, labels = pictures(3), torch.tensor([0, 1, 2])
    level = make_schedule(ScheduleSpec("linear")).level(400)
    gradient, log_p = recogniser_of(network).gradient(x, level, labels)
    double, t = tiny().double(), torch.full((3,), 400.0).double()
    given = x.double().requires_grad_()
    logits = double(given, t)
    expected = (logits - logits.logsumexp(1, keepdim=True))[torch.arange(3), labels]
    (slope,) = torch.autograd.grad(expected.sum(), given)
    assert gradient.shape == x.shape
    assert gradient.dtype == torch.float32
    assert torch.allclose(log_p.double(), expected, atol=1e-5)
    assert torch.allclose(gradient.double(), slope, atol=1e-5)


def test_that_a_gradient_is_taken_within_inference_mode_as_well() -> None:
    recogniser, level = recogniser_of(tiny()), Level.from_alpha_bar(10, 0.9)
    with torch.inference_mode():
        x = pictures(2) * 1
        inside, _ = recogniser.gradient(x, level, torch.tensor([0, 1]))
    outside, _ = recogniser_of(tiny()).gradient(pictures(2), level, torch.tensor([0, 1]))
    assert torch.equal(inside, outside)


def test_that_log_probabilities_sum_to_one_and_contain_log_p() -> None:
    recogniser, level = recogniser_of(tiny()), Level.from_alpha_bar(10, 0.5)
    x, labels = pictures(4), torch.tensor([2, 1, 0, 2])
    every = recogniser.log_probabilities(x, level)
    _, log_p = recogniser.gradient(x, level, labels)
    assert every.shape == (4, 3)
    assert torch.allclose(every.exp().sum(1), torch.ones(4), atol=1e-6)
    assert torch.allclose(every[torch.arange(4), labels], log_p, atol=1e-6)


def test_that_features_are_one_vector_a_picture_and_the_logits_follow_from_them() -> None:
    network = tiny()
    recogniser = recogniser_of(network)
    features = recogniser.features(pictures(5), lambda: None)
    assert features.shape == (5, 16) == (5, recogniser.info.features)
    logits = features @ network.to_logits.weight.T + network.to_logits.bias
    clean = recogniser.log_probabilities(pictures(5), CLEAN)
    assert torch.allclose(logits.log_softmax(1), clean, atol=1e-5)


class Told(Classifier):
    """A classifier that tells which time it was told; copies tell the same list."""

    def __init__(self, times: list[float]) -> None:
        super().__init__(ClassifierConfig(TINY, 3))
        self.tell = times.extend

    def forward(self, x: Tensor, t: Tensor, labels: Tensor | None = None) -> Tensor:
        self.tell(t.tolist())
        return super().forward(x, t)


@pytest.mark.parametrize("foreign", [ScheduleSpec("cosine"), ScheduleSpec("linear", 250), ScheduleSpec("linear")])
def test_that_a_level_is_known_by_its_signal_to_noise_ratio(foreign: ScheduleSpec) -> None:
    times: list[float] = []
    recogniser, own = recogniser_of(Told(times)), make_schedule(ScheduleSpec("linear"))
    for t in (0, 60, 120, 200):
        level = make_schedule(foreign).level(t)
        recogniser.log_probabilities(pictures(1), level)
        told = times.pop()
        distance = [abs(own.level(step).log_snr - level.log_snr) for step in range(own.T)]
        assert distance[int(told)] == min(distance)
        assert foreign != ScheduleSpec("linear") or told == t


@pytest.mark.parametrize(("level", "t"), [(CLEAN, 0), (Level(999.0, 0.0, 1.0), 999)])
def test_that_the_ends_of_all_schedules_are_those_of_its_own(level: Level, t: int) -> None:
    times: list[float] = []
    recogniser_of(Told(times)).log_probabilities(pictures(1), level)
    assert times == [t]


def test_that_work_stops_between_micro_batches() -> None:
    recogniser, calls = recogniser_of(tiny()), 0

    class Stop(BaseException):
        pass

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Stop

    recogniser._micro_batch = 2
    x, level, labels = pictures(6), Level.from_alpha_bar(10, 0.5), torch.zeros(6, dtype=torch.int64)
    for work in (
        lambda: recogniser.features(x, check),
        lambda: recogniser.log_probabilities(x, level, check),
        lambda: recogniser.gradient(x, level, labels, check),
    ):
        calls = 0
        with pytest.raises(Stop):
            work()


def test_that_micro_batches_change_nothing() -> None:
    whole, parts = recogniser_of(tiny()), recogniser_of(tiny())
    parts._micro_batch = 2
    level, labels = Level.from_alpha_bar(10, 0.5), torch.tensor([0, 1, 2, 1, 0])
    for one, other in zip(
        whole.gradient(pictures(5), level, labels), parts.gradient(pictures(5), level, labels), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-6)


def test_that_it_answers_again_after_it_was_released() -> None:
    recogniser, level = recogniser_of(tiny()), Level.from_alpha_bar(10, 0.5)
    before = recogniser.log_probabilities(pictures(2), level)
    recogniser.release()
    assert not recogniser._prepared
    assert torch.equal(recogniser.log_probabilities(pictures(2), level), before)


def test_that_a_judge_of_clean_pictures_neither_guides_nor_judges_noisy_ones() -> None:
    judge, level = recogniser_of(tiny(), noisy=False), Level.from_alpha_bar(10, 0.5)
    with pytest.raises(Refusal, match="judges and cannot guide"):
        judge.gradient(pictures(1), level, torch.tensor([0]))
    with pytest.raises(Refusal, match="says nothing of noisy"):
        judge.log_probabilities(pictures(1), level)
    assert judge.log_probabilities(pictures(1), CLEAN).shape == (1, 3)


def test_that_the_pool_does_not_mind_where_pixels_are_but_for_their_positions() -> None:
    torch.manual_seed(0)
    pool = AttentionPool(16, 4, 8).eval()
    x = torch.randn(2, 16, 2, 2)
    swapped = x.flatten(2)[:, :, [2, 0, 3, 1]].view_as(x)
    assert torch.allclose(pool(x), pool(swapped), atol=1e-6)
    nn.init.normal_(pool.positions)
    assert not torch.allclose(pool(x), pool(swapped), atol=1e-2)


def test_that_every_class_is_as_likely_at_first() -> None:
    network = Classifier(ClassifierConfig(TINY, 4))
    network.initialise()
    assert torch.equal(network(pictures(2), torch.zeros(2)), torch.zeros(2, 4))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("size", "channels"), [(8, 1), (16, 3), (32, 1), (64, 3)])
def test_that_every_preset_can_be_built(preset: PresetName, size: int, channels: int) -> None:
    config = ClassifierConfig(classifier_network(preset, size, channels), 10)
    with torch.device("meta"):
        network = Classifier(config)
    assert config.event_shape == (channels, size, size)
    assert network.flops(size, size) > 0
    assert classifier_parameters(preset, size, channels, 10) == sum(each.numel() for each in network.parameters())
    side = size // config.encoder.side_multiple
    assert config.tokens == side * side == len(network.pool.positions) - 1


def test_that_the_small_preset_fits_into_a_megabyte_in_half_precision() -> None:
    with torch.device("meta"):
        network = Classifier(ClassifierConfig(classifier_network("small", 32, 1), 10))
    assert 2 * sum(parameter.numel() for parameter in network.parameters()) < 1_000_000


def test_that_flops_are_those_of_torch() -> None:
    counter = pytest.importorskip("torch.utils.flop_counter").FlopCounterMode(display=False)
    network = tiny()
    with counter, torch.inference_mode():
        network(pictures(1), torch.zeros(1))
    pixels, channels, attentions = 4 * 4, 16, 1 + 1  # the counter leaves the attention itself out on a CPU
    counted = counter.get_total_flops() + attentions * 2 * (2 * pixels**2 * channels)
    queries, keys = 1 - pixels, 1  # the pool asks for one token only, and looks at one more than there are pixels
    assert network.flops(8, 8) == counted - 2 * channels**2 * (queries + 2 * keys)


@pytest.mark.parametrize("size", [4, 9, 36])
def test_that_sizes_which_cannot_be_halved_are_refused(size: int) -> None:
    with pytest.raises(Refusal, match="multiple of"):
        classifier_network("small", size, 1)
    assert classifier_parameters("small", size, 1, 10) is None


@pytest.mark.parametrize(
    ("encoder", "classes"),
    [
        (replace(TINY, sample_size=None), 3),
        (replace(TINY, sample_size=9), 3),
        (TINY, 1),
        (TINY, 10**9),
        (replace(TINY, attention_head_dim=7), 3),
    ],
)
def test_that_what_cannot_be_built_is_refused(encoder: UNetConfig, classes: int) -> None:
    with pytest.raises(Refusal):
        ClassifierConfig(encoder, classes)
