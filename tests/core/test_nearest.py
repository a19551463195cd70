"""The nearest training pictures to samples: planted ones are found, and distances are what they are by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from core.codec import from_json, to_json
from core.dataspec import ImageSpec
from core.errors import Cancelled, Refusal
from core.evaluation import measurement_of
from core.evaluation.nearest_plan import as_pictures, nearest_request
from core.library import Library, NetworkModel
from core.measure_requests import NearestRequest
from core.messages import ClassifierInfo, ModelInfo, Nearest
from core.model_folder import OpenModel
from core.requests import ModelRef, ScheduleSpec
from core.training.dataset import PictureFolder
from core.unet import UNet
from core.unet_config import UNetConfig

SIDE = 8
CONFIG = UNetConfig(
    sample_size=SIDE,
    in_channels=3,
    out_channels=3,
    block_out_channels=(8, 16),
    down_block_types=("DownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "UpBlock2D"),
    layers_per_block=1,
    norm_num_groups=4,
    attn_norm_num_groups=4,
    attention_head_dim=8,
    num_class_embeds=3,
)


class Means:
    """Features of a picture: the means of its quarters in each colour."""

    info = ClassifierInfo(ModelRef("means", "m" * 64), (3, SIDE, SIDE), ("a",), ScheduleSpec(), 12, noisy=False)

    def __init__(self) -> None:
        self.looks = 0

    def features(self, x: Tensor, check) -> Tensor:
        check()
        self.looks += len(x)
        return torch.nn.functional.avg_pool2d(x, SIDE // 2).flatten(1)

    def log_probabilities(self, x, level, check):
        raise AssertionError("nothing is recognised here")

    gradient = log_probabilities

    def release(self) -> None:
        pass


def random(seed: int, count: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE, SIDE, channels), dtype=np.uint8)


def folder(pictures: np.ndarray, **more: object) -> PictureFolder:
    return PictureFolder("cards", pictures, np.zeros(len(pictures), dtype=np.int64), (), **more)  # type: ignore[arg-type]


def flat(value: int, count: int = 1) -> np.ndarray:
    return np.full((count, SIDE, SIDE, 3), value, dtype=np.uint8)


def work_of(
    data: PictureFolder, samples: np.ndarray, held_out: np.ndarray | None = None, eye=None, beside=None, **asked
):
    """The work of a check, and the checks it is done with."""
    library = Library()
    features = None
    if isinstance(eye, NetworkModel):
        library.add_model(eye)
        features = eye.info.ref
    elif eye is not None:
        library.add_recogniser(eye)
        features = eye.info.ref
    mine, theirs = as_pictures("samples", samples), None if held_out is None else as_pictures("aside", held_out)
    neighbours, yardstick = asked.pop("neighbours", 3), asked.pop("yardstick", 500)
    checks = {"check": lambda: None, "breathe": lambda: None} | {
        name: asked.pop(name) for name in ("check", "breathe") if name in asked
    }
    request = nearest_request(mine, data, theirs, features, neighbours=neighbours, **asked)
    given: Sequence[PictureFolder] = [mine, *([] if theirs is None else [theirs])] if beside is None else beside
    return measurement_of(replace(request, yardstick=yardstick), library, "cpu", data, given, **checks)


def found(*given, **asked) -> Nearest:
    work = work_of(*given, **asked)
    parts = list(work.work())
    assert [part.done for part in parts] == list(range(1, work.total + 1))
    result = parts[-1].result
    assert isinstance(result, Nearest)
    return result


def network() -> NetworkModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        made = UNet(CONFIG)
    info = ModelInfo(
        ModelRef("tiny", "t" * 64), (3, SIDE, SIDE), ScheduleSpec(), "eps", labels=("a", "b"), null_label=2
    )
    from pathlib import Path

    return NetworkModel(OpenModel(info, ImageSpec(info.event_shape), made.eval(), CONFIG, Path()))


def test_that_planted_training_pictures_are_found_by_pixels_and_by_features() -> None:
    data = folder(random(1, 90))
    samples = random(2, 6)
    samples[1], samples[4] = data.pictures[77], data.pictures[3]
    for eye in (Means(), network()):
        result = found(data, samples, eye=eye)
        for seen in (result.pixels, result.features):
            assert (seen.indices[1, 0], seen.indices[4, 0]) == (77, 3)
            assert seen.distances[[1, 4], 0] == pytest.approx(0, abs=1e-3)
            assert (seen.distances[[0, 2, 3, 5], 0] > 0.1).all()
            assert np.array_equal(seen.pictures[1, 0], data.pictures[77])
        assert np.array_equal(result.samples, samples)


def test_that_pixel_distances_are_those_of_every_pair_by_hand() -> None:
    data, samples, aside = folder(random(1, 150)), random(2, 5), random(3, 30)
    seen = found(data, samples, aside).pixels

    def by_hand(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        apart = a[:, None].astype(float) - b[None].astype(float)
        return np.sqrt((apart**2).mean(axis=(2, 3, 4)))

    all_pairs = by_hand(samples, data.pictures)
    assert np.array_equal(seen.indices, np.argsort(all_pairs, axis=1)[:, :3])
    assert np.array_equal(seen.distances, np.sort(all_pairs, axis=1)[:, :3])
    assert np.array_equal(seen.held_out, np.sort(by_hand(aside, data.pictures).min(axis=1)))
    own = by_hand(data.pictures, data.pictures)
    np.fill_diagonal(own, np.inf)
    assert np.array_equal(seen.own, np.sort(own.min(axis=1)))


def test_that_constant_pictures_are_as_far_apart_as_their_values() -> None:
    data = folder(np.concatenate([flat(10), flat(40), flat(200)]))
    seen = found(data, np.concatenate([flat(37), flat(255)])).pixels
    assert seen.indices.tolist() == [[1, 0, 2], [2, 1, 0]]
    assert seen.distances.tolist() == [[3, 27, 163], [55, 215, 245]]
    assert sorted(seen.own) == [30, 30, 160]


def test_that_of_equally_near_pictures_the_first_comes_first() -> None:
    data = folder(np.concatenate([flat(90), flat(110), flat(90), flat(50)]))
    seen = found(data, flat(100)).pixels
    assert seen.indices.tolist() == [[0, 1, 2]]
    assert seen.distances.tolist() == [[10, 10, 10]]
    assert not found(data, flat(100), neighbours=9).pixels.distances.shape[1] > 4


def test_that_mirrored_pictures_count_where_the_run_flips_and_not_where_a_picture_must_not_be() -> None:
    pictures = random(1, 60)
    data, sample = folder(pictures), pictures[20:21, :, ::-1]
    plain, turned = found(data, sample, eye=Means()), found(data, sample, eye=Means(), mirrored=True)
    assert plain.pixels.distances[0, 0] > 50
    assert plain.features.distances[0, 0] > 1
    for seen in (turned.pixels, turned.features):
        assert (seen.indices[0, 0], seen.mirrored[0, 0]) == (20, True)
        assert seen.distances[0, 0] == pytest.approx(0, abs=1e-3)
        assert np.array_equal(seen.pictures[0, 0], sample[0])
    kept = found(replace(data, kept_as_is=(20,)), sample, eye=Means(), mirrored=True)
    for seen, as_before in ((kept.pixels, plain.pixels), (kept.features, plain.features)):
        assert seen.distances[0, 0] > 0.1
        assert seen.distances[0, 0] <= as_before.distances[0, 0]  # others may still be mirrored


def test_that_a_training_picture_is_not_its_own_neighbour_not_even_mirrored() -> None:
    own = found(folder(random(1, 40)), random(2, 4), eye=Means(), mirrored=True)
    assert own.pixels.own.min() > 20
    assert own.features.own.min() > 0.1


def test_that_features_are_compared_by_direction_from_their_mean() -> None:
    data, samples = folder(random(1, 40)), random(2, 3)

    def by_hand(pictures: np.ndarray) -> np.ndarray:
        x = pictures.transpose(0, 3, 1, 2) / 127.5 - 1
        return x.reshape(len(x), 3, 2, 4, 2, 4).mean(axis=(3, 5)).reshape(len(x), 12)

    centre = by_hand(data.pictures).mean(axis=0)
    a, b = by_hand(samples) - centre, by_hand(data.pictures) - centre
    cosine = (a @ b.T) / (np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1))
    degrees = np.degrees(np.arccos(cosine))
    result = found(data, samples, eye=Means())
    assert np.array_equal(result.features.indices, np.argsort(degrees, axis=1)[:, :3])
    assert result.features.distances == pytest.approx(np.sort(degrees, axis=1)[:, :3], abs=1e-3)
    assert result.by == "means’s last features"


def test_that_the_models_own_network_looks_between_its_halves_at_little_noise() -> None:
    model = network()
    result = found(folder(random(1, 20)), random(2, 2), eye=model)
    assert result.by.startswith("the middle of tiny’s own network at t = ")
    t = int(result.by.rsplit(" ", 1)[1])
    betas = np.linspace(1e-4, 0.02, 1000)
    alpha_bar = np.cumprod(1 - betas)
    assert t == np.abs(np.log(alpha_bar / (1 - alpha_bar)) - 4).argmin()
    x, labels = torch.randn(2, 3, SIDE, SIDE), torch.tensor([0, 2])
    seen: list[Tensor] = []
    model.network.mid_block.register_forward_hook(lambda _block, _given, answer: seen.append(answer))
    with torch.no_grad():
        model.network(x, t, labels)
        assert torch.equal(model.network.middle(x, t, labels), seen[0])


def test_that_copies_are_told_from_samples_that_are_like_others_of_their_kind() -> None:
    base = np.random.default_rng(7).integers(0, 256, (12, SIDE, SIDE, 3))

    def kind(seed: int, count: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return np.clip(base[rng.integers(0, 12, count)] + rng.normal(0, 20, (count, SIDE, SIDE, 3)), 0, 255).astype(
            np.uint8
        )

    data, aside = folder(kind(1, 200)), kind(2, 60)
    honest = found(data, kind(3, 24), aside)
    copied = found(data, np.concatenate([kind(3, 12), data.pictures[:12]]), aside)
    assert honest.pixels.sign == "none"
    assert copied.pixels.sign == "copies"
    assert "12 of 24 samples" in copied.pixels.verdict
    assert "60 held-out pictures" in copied.pixels.verdict


def test_that_pictures_kept_aside_are_the_yardstick_and_no_training_pictures() -> None:
    pictures = random(1, 40)
    data = folder(pictures, aside=(5, 30))
    for eye in (Means(), network()):
        result = found(data, pictures[[5, 6]], eye=eye)
        assert result.count == 38
        for seen in (result.pixels, result.features):
            assert seen.indices[1, 0] == 6
            assert not np.isin(seen.indices, (5, 30)).any()
            assert seen.distances[0, 0] > 0.1
            assert len(seen.held_out) == 2
            assert len(seen.own) == 38
        again = found(folder(pictures), pictures[[5, 6]], eye=eye, aside=(5, 30))
        assert again.count == 38
        assert len(again.pixels.held_out) == 2
        elsewhere = found(data, pictures[:2], pictures[[1, 2, 3]]).pixels
        assert elsewhere.held_out.tolist() == [0, 0, 0]


def test_that_names_and_classes_of_the_pictures_met_are_told() -> None:
    pictures = np.concatenate([flat(10), flat(40), flat(200)])
    data = PictureFolder(
        "cards", pictures, np.array([0, 1, 1]), ("dark", "light"), paths=("d/0.png", "l/1.png", "l/2.png")
    )
    result = found(data, flat(12), neighbours=1)
    assert result.names == {0: "d/0.png"}
    assert result.classes == {0: "dark"}
    assert result.count == 3


def test_that_grey_and_coloured_pictures_are_compared_as_colours() -> None:
    data = folder(np.full((2, SIDE, SIDE, 1), 100, np.uint8))
    sample = flat(100)
    sample[..., 0] = 130
    seen = found(data, sample).pixels
    assert seen.distances[0, 0] == pytest.approx(np.sqrt(900 / 3))


def test_that_one_training_picture_has_no_other() -> None:
    result = found(folder(flat(10)), flat(10, 5), eye=Means())
    assert len(result.pixels.own) == 0
    assert result.pixels.sign == "unknown"


def test_that_pictures_on_the_disk_are_never_copied_whole(tmp_path) -> None:
    pictures = np.lib.format.open_memmap(tmp_path / "p.npy", "w+", np.uint8, (9000, SIDE, SIDE, 3))
    pictures[:] = random(1, 9000)
    pictures.flush()
    most = 0

    class Watched(np.memmap):
        def __getitem__(self, which):
            nonlocal most
            got = np.array(super().__getitem__(which))
            most = max(most, got.nbytes)
            return got

    mapped = np.load(tmp_path / "p.npy", mmap_mode="r").view(Watched)
    data = folder(mapped)
    result = found(data, np.array(random(1, 9000)[8500:8502]), yardstick=20)
    assert result.pixels.indices[:, 0].tolist() == [8500, 8501]
    assert 0 < most < pictures.nbytes / 2


@pytest.mark.parametrize("eye", [None, Means()])
def test_that_a_check_can_be_left_at_any_moment(eye) -> None:
    calls = 0

    def breathe() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(work_of(folder(random(1, 200)), random(2, 4), eye=eye, breathe=breathe).work())


def test_that_what_does_not_fit_is_refused_in_words() -> None:
    data, samples = folder(random(1, 10)), random(2, 4)
    with pytest.raises(Refusal, match="not at hand"):
        work_of(data, samples, beside=[])
    with pytest.raises(Refusal, match="Pictures of 4 × 4 pixels"):
        work_of(data, samples[:, :4, :4])
    small = Means()
    small.info = replace(small.info, event_shape=(3, 4, 4))
    with pytest.raises(Refusal, match="looks at pictures of 4 × 4"):
        work_of(data, samples, eye=small)
    request = nearest_request(as_pictures("samples", samples), data)
    nothing = {"check": lambda: None, "breathe": lambda: None}
    with pytest.raises(Refusal, match="not those this measurement was made for"):
        measurement_of(request, Library(), "cpu", folder(random(9, 10)), [], **nothing)


def test_that_a_request_survives_the_way_through_text() -> None:
    request = nearest_request(
        as_pictures("samples", random(1, 3)),
        folder(random(2, 3)),
        folder(random(3, 3)),
        ModelRef("eye", "e" * 64),
        mirrored=True,
        neighbours=5,
    )
    assert from_json(NearestRequest, to_json(request)) == request
