"""Files of weights: what is read of them is what torch reads, and the right weights are chosen of all that is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from core.checkpoints.container import Container, open_container
from core.errors import Cancelled, Refusal
from core.weights_file import WeightsFile

BOTH = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 2020"])


def weights(**more: Tensor) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "one.weight": torch.randn(3, 2, 3, 3, generator=generator),
        "one.bias": torch.randn(3, generator=generator),
        **more,
    }


def saved(folder: Path, value: Any, zipped: bool = True, name: str = "model.pt") -> Container:
    torch.save(value, folder / name, _use_new_zipfile_serialization=zipped)
    return open_container(folder / name)


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert found[name].dtype == torch.float32
        assert found[name].is_contiguous()
        assert torch.equal(found[name], tensor.detach().float()), name


@BOTH
def test_that_weights_are_read_as_they_were_saved(tmp_path: Path, zipped: bool) -> None:
    container = saved(tmp_path, weights(), zipped)
    assert_same(container.load(), weights())
    assert container.loose.shapes == {"one.weight": (3, 2, 3, 3), "one.bias": (3,)}
    assert container.nbytes == 4 * (54 + 3)
    assert container.notes == ()
    assert torch.equal(container.loose.peek("one.bias"), weights()["one.bias"])


@BOTH
def test_that_views_parameters_and_every_kind_of_number_are_read_as_torch_reads_them(
    tmp_path: Path, zipped: bool
) -> None:
    flat = torch.randn(200)
    mixed = {
        "a window": flat[3:33].view(5, 6),
        "its transpose": flat[3:33].view(5, 6).t(),
        "columns": flat[40:80].view(8, 5)[:, 1:3],
        "channels last": torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last),
        "a parameter": torch.nn.Parameter(torch.randn(3, 3)),
        "half": torch.randn(7).half(),
        "brain": torch.randn(7).bfloat16(),
        "double": torch.randn(2, 2, dtype=torch.float64),
        "a scalar": torch.tensor(1.5),
        "one number": flat[7:8].expand(1),
    }
    torch.save(mixed, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
    expected = torch.load(tmp_path / "model.pt", weights_only=True)
    assert_same(open_container(tmp_path / "model.pt").load(), expected)


@given(
    shape=st.lists(st.integers(1, 5), min_size=0, max_size=4),
    order=st.randoms(use_true_random=False),
    cut=st.integers(0, 2),
    zipped=st.booleans(),
)
def test_that_any_window_into_any_tensor_is_read(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], order: Any, cut: int, zipped: bool
) -> None:
    axes = list(range(len(shape)))
    order.shuffle(axes)
    tensor = torch.randn(shape).permute(axes) if shape else torch.randn(())
    if tensor.ndim and tensor.shape[0] > cut:
        tensor = tensor[cut:]
    container = saved(tmp_path_factory.mktemp("window"), {"a": tensor}, zipped)
    assert torch.equal(container.load()["a"], tensor)


def test_that_safetensors_are_read_by_their_content_whatever_they_are_called(tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "model.pt", metadata={"format": "pt"})
    assert_same(open_container(tmp_path / "model.pt").load(), {name: weights()[name] for name in sorted(weights())})


AVERAGED = {name: tensor + 1 for name, tensor in weights().items()}


def within(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


WRAPPED: dict[str, tuple[Any, bool]] = {
    "DDIM's training": ([within("module.", weights()), {"state": {}, "param_groups": []}, 7, 500], False),
    "DDIM's training with averages": ([within("module.", weights()), {}, 7, 500, AVERAGED], True),
    "state_dict": ({"state_dict": within("model.", weights()), "epoch": 3}, False),
    "model and ema": ({"model": weights(), "ema": AVERAGED, "optimizer": {"state": {}, "param_groups": []}}, True),
    "ema_state_dict in a module": ({"ema_state_dict": within("module._orig_mod.", AVERAGED)}, True),
    "model_state_dict": ({"model_state_dict": weights(), "loss": 0.5}, False),
    "an ema of no weights": ({"ema": {"decay": 0.9999}, "model": weights()}, False),
    "a wrapper in a wrapper": ({"state_dict": {"model": within("diffusion_model.", weights())}}, False),
    "one network by another name": ({"unet_weights": weights(), "step": 3}, False),
    "both in one dictionary": ({**within("online_model.", weights()), **within("ema_model.module.", AVERAGED)}, True),
    "lucidrains": (
        {
            "step": 500,
            "model": within("model.", weights(betas=torch.ones(4))),
            "opt": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]},
            "ema": {
                "initted": torch.tensor(True),
                "step": torch.tensor(500),
                **within("online_model.model.", weights(betas=torch.ones(4))),
                **within("ema_model.model.", AVERAGED),
            },
            "scaler": None,
            "version": "2.0.1",
        },
        True,
    ),
}


@BOTH
@pytest.mark.parametrize("name", WRAPPED)
def test_that_the_weights_are_found_in_what_trainings_save(tmp_path: Path, name: str, zipped: bool) -> None:
    value, averaged = WRAPPED[name]
    container = saved(tmp_path, value, zipped)
    assert_same(container.load(), AVERAGED if averaged else weights())
    assert container.has_both == (name in BOTH_THERE)
    assert container.averaged == averaged
    alone = averaged and name not in BOTH_THERE  # else it is a choice, which says so
    assert any("EMA" in note for note in container.notes) == alone


BOTH_THERE = ("DDIM's training with averages", "model and ema", "both in one dictionary", "lucidrains")


@pytest.mark.parametrize("name", BOTH_THERE)
def test_that_raw_weights_are_read_where_they_are_wanted(tmp_path: Path, name: str) -> None:
    torch.save(WRAPPED[name][0], tmp_path / "model.pt")
    raw = open_container(tmp_path / "model.pt", "raw")
    assert raw.has_both
    assert raw.notes == ()
    tensors = {name: tensor for name, tensor in raw.load().items() if name != "betas"}
    assert_same(tensors, weights())
    assert_same(open_container(tmp_path / "model.pt", "ema").load(), AVERAGED)


def test_that_weights_that_are_not_there_are_not_replaced_by_others(tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "raw.pt")
    with pytest.raises(Refusal, match="holds no averaged weights"):
        open_container(tmp_path / "raw.pt", "ema")
    torch.save({"ema": AVERAGED}, tmp_path / "ema.pt")
    with pytest.raises(Refusal, match="holds averaged weights alone"):
        open_container(tmp_path / "ema.pt", "raw")


def test_that_a_schedules_tables_stay_and_plain_values_are_kept_beside_them(tmp_path: Path) -> None:
    tables = {"betas": torch.linspace(0, 1, 4), "model.one.bias": torch.ones(3), "loss_weight": torch.ones(4)}
    container = saved(tmp_path, {"step": 12, "model": tables, "version": "1.9.2", "opt": {}})
    assert set(container.loose.shapes) == {"betas", "one.bias", "loss_weight"}
    assert container.loose.extras == {"step": 12, "version": "1.9.2"}


def test_that_counters_are_left_out_and_other_whole_numbers_refused(tmp_path: Path) -> None:
    counted = saved(tmp_path, weights(num_batches_tracked=torch.tensor(3)))
    assert_same(counted.load(), weights())
    indices = saved(tmp_path, weights(indices=torch.arange(5)))
    with pytest.raises(Refusal, match=r"numbers of a kind \(int64\)"):
        indices.load()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_that_weights_that_are_no_numbers_are_named(tmp_path: Path, value: float) -> None:
    broken = weights()
    broken["one.weight"][1, 0, 2, 2] = value
    with pytest.raises(Refusal, match=r"first in one\.weight"):
        saved(tmp_path, broken).load()


def test_that_nothing_is_shared_with_the_file_or_between_tensors(tmp_path: Path) -> None:
    flat = torch.zeros(10)
    container = saved(tmp_path, {"a": flat[:6], "b": flat[4:]})
    tensors = container.load()
    tensors["a"].fill_(1)
    assert tensors["b"].tolist() == [0] * 6
    assert container.load()["a"].tolist() == [0] * 6


@BOTH
def test_that_reading_tells_how_far_it_is_and_can_be_stopped(tmp_path: Path, zipped: bool) -> None:
    many = {f"layer{i}.weight": torch.ones(100) for i in range(20)}
    container = saved(tmp_path, many, zipped)
    heard: list[tuple[int, int]] = []
    container.load(lambda done, total: heard.append((done, total)))
    assert heard[-1] == (8000, 8000)
    assert heard == sorted(heard)
    assert len(heard) == 20

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        container.load(check=stop)


def test_that_weights_larger_than_the_memory_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = saved(tmp_path, weights())
    monkeypatch.setattr("core.weights_file.read_tensor", lambda *arguments: pytest.fail("read"))
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 227})())
    with pytest.raises(Refusal, match="GB of memory"):
        container.load()


def test_that_a_file_is_looked_through_without_torch_and_read_without_unpickling(tmp_path: Path) -> None:
    saved(tmp_path, {"state_dict": weights()})
    program = (
        "import pickle, sys\n"
        "def never(*arguments): raise AssertionError('unpickled')\n"
        "pickle.load = pickle.loads = pickle.Unpickler = never\n"
        "from core.checkpoints.container import open_container\n"
        f"container = open_container({str(tmp_path / 'model.pt')!r})\n"
        "print('torch' in sys.modules, len(container.loose.shapes))\n"
        "import torch\n"
        "torch.load = never\n"
        "print(len(container.load()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["False", "2", "2"], done.stderr


def test_that_a_file_that_shrinks_after_it_was_looked_through_is_refused(tmp_path: Path) -> None:
    container = saved(tmp_path, weights())
    (tmp_path / "model.pt").write_bytes((tmp_path / "model.pt").read_bytes()[:300])
    with pytest.raises(Refusal, match="ends too early"):
        container.load()
    (tmp_path / "model.pt").unlink()
    with pytest.raises(Refusal, match=r"model\.pt"):
        container.load()


def test_that_a_large_tensor_is_never_in_memory_twice(tmp_path: Path) -> None:
    """Half precision is the worst: a tensor's bytes and its float32 numbers, and no more than one tensor at a time."""
    big = {f"layer{i}.weight": torch.ones(2**20).half() for i in range(16)}
    container = saved(tmp_path, big)
    program = (
        "import resource, torch\n"
        "from core.checkpoints.container import open_container\n"
        f"path = {str(container.path)!r}\n"
        "open_container(path)\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "before = peak()\n"
        "tensors = open_container(path).load()\n"
        "print(peak() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert float(done.stdout) < 64 + 24, done.stderr  # 64 MB of float32, and a little for the way there


def test_that_a_container_holds_a_weights_file(tmp_path: Path) -> None:
    assert isinstance(saved(tmp_path, weights()).weights, WeightsFile)
