"""The Inception network of the Fréchet distance, held against a plain forward pass, layer after layer."""

import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from core.errors import Cancelled, Refusal
from core.evaluation.inception import open_inception
from core.evaluation.inception_layers import CONVOLUTIONS, SHAPES
from core.levels import CLEAN
from core.recognisers import open_recogniser

NAME = "weights-inception-2015-12-05-6726825d.pth"


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Random weights of every shape, scaled so that features neither vanish nor explode."""
    generator = torch.Generator().manual_seed(0)
    made = {}
    for name, shape in SHAPES.items():
        values = torch.randn(shape, generator=generator)
        if name.endswith("conv.weight"):
            values *= (1.6 / values[0].numel()) ** 0.5
        elif name.endswith("running_var"):
            values = 0.5 + values.abs()
        elif name.endswith("bn.weight"):
            values = 1 + 0.1 * values
        else:
            values = 0.1 * values
        made[name] = values
    return made


@pytest.fixture(scope="module")
def file(weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / NAME
    torch.save(weights, path)
    return path


def straight(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """x (n, 3, 299, 299) in the network's own range to (n, 2048), layer after layer as the published graph has them."""

    def conv(name: str, x: Tensor, stride: int = 1, padding: int | tuple[int, int] = 0) -> Tensor:
        x = F.conv2d(x, w[f"{name}.conv.weight"], None, stride, padding)
        bn = [w[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.relu(F.batch_norm(x, *bn, training=False, eps=0.001))

    def average(x: Tensor) -> Tensor:
        counted = F.avg_pool2d(torch.ones_like(x), 3, 1, 1)  # the border's zeros do not count
        return F.avg_pool2d(x, 3, 1, 1) / counted

    x = conv("Conv2d_1a_3x3", x, 2)
    assert x.shape[1:] == (32, 149, 149)
    x = conv("Conv2d_2a_3x3", x)
    x = conv("Conv2d_2b_3x3", x, 1, 1)
    assert x.shape[1:] == (64, 147, 147)
    x = F.max_pool2d(x, 3, 2)
    x = conv("Conv2d_4a_3x3", conv("Conv2d_3b_1x1", x))
    assert x.shape[1:] == (192, 71, 71)
    x = F.max_pool2d(x, 3, 2)
    for m, width in (("Mixed_5b", 256), ("Mixed_5c", 288), ("Mixed_5d", 288)):
        x = torch.cat(
            [
                conv(f"{m}.branch1x1", x),
                conv(f"{m}.branch5x5_2", conv(f"{m}.branch5x5_1", x), 1, 2),
                conv(
                    f"{m}.branch3x3dbl_3",
                    conv(f"{m}.branch3x3dbl_2", conv(f"{m}.branch3x3dbl_1", x), 1, 1),
                    1,
                    1,
                ),
                conv(f"{m}.branch_pool", average(x)),
            ],
            1,
        )
        assert x.shape[1:] == (width, 35, 35)
    m = "Mixed_6a"
    double = conv(f"{m}.branch3x3dbl_2", conv(f"{m}.branch3x3dbl_1", x), 1, 1)
    x = torch.cat([conv(f"{m}.branch3x3", x, 2), conv(f"{m}.branch3x3dbl_3", double, 2), F.max_pool2d(x, 3, 2)], 1)
    assert x.shape[1:] == (768, 17, 17)
    for m in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        once = conv(f"{m}.branch7x7_2", conv(f"{m}.branch7x7_1", x), 1, (0, 3))
        twice = conv(f"{m}.branch7x7dbl_2", conv(f"{m}.branch7x7dbl_1", x), 1, (3, 0))
        twice = conv(f"{m}.branch7x7dbl_4", conv(f"{m}.branch7x7dbl_3", twice, 1, (0, 3)), 1, (3, 0))
        x = torch.cat(
            [
                conv(f"{m}.branch1x1", x),
                conv(f"{m}.branch7x7_3", once, 1, (3, 0)),
                conv(f"{m}.branch7x7dbl_5", twice, 1, (0, 3)),
                conv(f"{m}.branch_pool", average(x)),
            ],
            1,
        )
    m = "Mixed_7a"
    large = conv(f"{m}.branch7x7x3_2", conv(f"{m}.branch7x7x3_1", x), 1, (0, 3))
    large = conv(f"{m}.branch7x7x3_3", large, 1, (3, 0))
    small = conv(f"{m}.branch3x3_2", conv(f"{m}.branch3x3_1", x), 2)
    x = torch.cat([small, conv(f"{m}.branch7x7x3_4", large, 2), F.max_pool2d(x, 3, 2)], 1)
    assert x.shape[1:] == (1280, 8, 8)
    pools: dict[str, Callable[[Tensor], Tensor]] = {
        "Mixed_7b": average,
        "Mixed_7c": lambda x: F.max_pool2d(x, 3, 1, 1),
    }
    for m, pool in pools.items():
        once = conv(f"{m}.branch3x3_1", x)
        twice = conv(f"{m}.branch3x3dbl_2", conv(f"{m}.branch3x3dbl_1", x), 1, 1)
        x = torch.cat(
            [
                conv(f"{m}.branch1x1", x),
                conv(f"{m}.branch3x3_2a", once, 1, (0, 1)),
                conv(f"{m}.branch3x3_2b", once, 1, (1, 0)),
                conv(f"{m}.branch3x3dbl_3a", twice, 1, (0, 1)),
                conv(f"{m}.branch3x3dbl_3b", twice, 1, (1, 0)),
                conv(f"{m}.branch_pool", pool(x)),
            ],
            1,
        )
    assert x.shape[1:] == (2048, 8, 8)
    return x.mean((2, 3))


def picture(side: int = 299) -> Tensor:
    levels = torch.randint(0, 256, (1, 3, side, side), generator=torch.Generator().manual_seed(1))
    return levels / 127.5 - 1


def test_that_there_are_as_many_convolutions_as_in_the_published_graph() -> None:
    assert len(CONVOLUTIONS) == 94


def test_that_the_features_are_those_of_a_straight_forward_pass(weights: dict[str, Tensor], file: Path) -> None:
    network = open_inception(file)
    x = picture()
    with torch.inference_mode():
        expected = straight(weights, (x * 127.5 + 127.5 - 128) / 128)
    found = network.features(x, lambda: None)
    assert found.shape == (1, 2048)
    assert found.dtype == torch.float32
    assert expected.std() > 1e-3
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))


def test_that_each_file_is_resized_as_by_the_program_it_is_for(
    weights: dict[str, Tensor], file: Path, tmp_path: Path
) -> None:
    x = picture(32)
    other = tmp_path / "pt_inception-2015-12-05-6726825d.pth"
    torch.save(weights, other)
    spread = torch.zeros(299, 32)  # pixel i of 299 lies at 32 i / 299, between two of the 32
    for i in range(299):
        low, share = divmod(32 * i / 299, 1)
        spread[i, int(low)] += 1 - share
        spread[i, min(int(low) + 1, 31)] += share
    by_corners = spread @ (x * 127.5 + 127.5) @ spread.T
    by_centres = F.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False)
    with torch.inference_mode():
        expected = straight(weights, torch.cat(((by_corners - 128) / 128, by_centres)))
    found = torch.cat([open_inception(path).features(x, lambda: None) for path in (file, other)])
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))
    assert not torch.allclose(found[0], found[1], atol=1e-3 * float(expected.abs().max()))
    assert open_inception(file).info.ref.sha256 != open_inception(other).info.ref.sha256


def test_that_safetensors_and_counters_of_batches_are_read_as_well(
    weights: dict[str, Tensor], file: Path, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "inception.safetensors"
    save_file(weights, path)
    counted = tmp_path / "counted.pth"
    torch.save(weights | {"Conv2d_1a_3x3.bn.num_batches_tracked": torch.tensor(0)}, counted)
    x = picture(16)
    first, second = (open_inception(one).features(x, lambda: None) for one in (path, counted))
    assert torch.equal(first, second)


def test_that_the_network_gives_features_alone(file: Path) -> None:
    network = open_inception(file)
    assert network.info.features == 2048
    assert not network.info.noisy
    with pytest.raises(Refusal, match="features alone"):
        network.log_probabilities(picture(), CLEAN)
    with pytest.raises(Refusal, match="never met noise"):
        network.gradient(picture(), CLEAN, torch.zeros(1, dtype=torch.int64))


def test_that_a_look_can_be_stopped_in_the_middle(file: Path) -> None:
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise Cancelled

    network = open_inception(file)
    with pytest.raises(Cancelled):
        network.features(picture(32), check)


Spoil = Callable[[dict[str, Tensor]], object]


def _without(weights: dict[str, Tensor]) -> object:
    del weights["Mixed_7c.branch1x1.conv.weight"]
    return weights


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_without, "does not hold the Inception network"),
        (lambda weights: weights | {"AuxLogits.conv0.conv.weight": torch.zeros(1)}, "does not hold the Inception"),
        (lambda weights: weights | {"fc.weight": torch.zeros(1000, 2048)}, "does not hold the Inception network"),
        (lambda weights: weights | {"fc.weight": torch.zeros(1).expand(1008, 2048)}, "cannot be what it says"),
        (
            lambda weights: weights | {"fc.bias": torch.zeros(1, dtype=torch.half).expand(10**12)},
            "cannot be what it says",
        ),
        (lambda weights: weights | {"fc.bias": torch.zeros(1008, device="meta")}, "objects of a program"),
        (lambda weights: weights | {"fc.bias": torch.zeros(1008, dtype=torch.complex64)}, "objects of a program"),
        (lambda weights: weights | {"fc.bias": torch.zeros(1008).to_sparse()}, "objects of a program"),
        (lambda weights: weights | {"fc.bias": torch.full((1008,), float("inf"))}, "not numbers"),
        (lambda weights: weights | {"Mixed_5b.branch1x1.bn.running_var": -torch.ones(64)}, "no variances"),
        (lambda weights: weights | {"fc.bias": "heavy"}, "does not hold the Inception network"),
        (lambda weights: weights | {7: torch.zeros(1)}, "no weights by name"),
        (lambda weights: [torch.zeros(1)], "no weights by name"),
        (lambda weights: "weights", "no weights by name"),
    ],
)
def test_that_another_file_is_refused_in_words(
    spoil: Spoil, words: str, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / NAME
    torch.save(spoil(dict(weights)), path)
    with pytest.raises(Refusal, match=words):
        open_inception(path)


class _Evil:
    """A file that writes another one where it is unpickled."""

    def __init__(self, written: Path) -> None:
        self.written = written

    def __reduce__(self):  # type: ignore[no-untyped-def]
        return Path.touch, (self.written,)


@pytest.mark.parametrize("zipped", [True, False])
def test_that_code_in_a_file_is_not_executed(zipped: bool, tmp_path: Path) -> None:
    path, written = tmp_path / NAME, tmp_path / "executed"
    torch.save({"weights": _Evil(written)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(Refusal, match=r"would run pathlib\.Path\.touch|would run builtins\.getattr"):
        open_inception(path)
    assert not written.exists()
    pickle.loads(pickle.dumps(_Evil(written)))  # it is not for want of trying
    assert written.exists()


def test_that_a_file_that_unpacks_to_more_than_memory_is_refused_unopened(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("core.evaluation.inception.LARGEST_FILE", 10_000)
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(1_000_000))
    assert path.stat().st_size < 10_000
    with pytest.raises(Refusal, match="is compressed"):
        open_inception(path)
    path.write_bytes(bytes(20_000))
    with pytest.raises(Refusal, match="far larger"):
        open_inception(path)


def test_that_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for name in (NAME, "inception.safetensors"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(Refusal, match="cannot be read"):
            open_inception(tmp_path / name)


def test_that_a_large_file_of_other_weights_is_refused_before_it_is_loaded(tmp_path: Path, monkeypatch) -> None:
    from safetensors.torch import save_file

    from core.weights_file import WeightsFile

    save_file({"layer": torch.zeros(3)}, tmp_path / "other.safetensors")
    monkeypatch.setattr(WeightsFile, "load", lambda self: pytest.fail("loaded"))
    with pytest.raises(Refusal, match="does not hold the Inception network"):
        open_inception(tmp_path / "other.safetensors")


@pytest.mark.parametrize("zipped", [True, False])
def test_that_a_damaged_file_is_refused_wherever_it_is_damaged(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / NAME
    torch.save({"fc.bias": torch.zeros(8)}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    rng = random.Random(0)
    for cut in (0, 1, 2, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(Refusal):
            open_inception(path)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        with pytest.raises(Refusal):
            open_inception(path)


def test_that_a_file_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="cannot be read"):
        open_inception(tmp_path / "nobody.pth")


def test_that_the_file_is_opened_like_any_feature_network(file: Path) -> None:
    opened = open_recogniser(file)
    assert opened.folder == file
    assert opened.recogniser.info.features == 2048
