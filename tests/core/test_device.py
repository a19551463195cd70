"""Which device and precision are chosen, and the words for them."""

from __future__ import annotations

import pytest
import torch

from core.device import SMALL_FLOPS, auto_precision, device_words, pick_device
from core.errors import Refusal


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False, flags: tuple[str, ...] = ()) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(flags, True))


def test_that_auto_takes_the_fastest_device_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    assert pick_device() == "cpu"
    pretend(monkeypatch, mps=True)
    assert pick_device("auto") == "mps"
    pretend(monkeypatch, cuda=1, mps=True)
    assert pick_device("auto") == "cuda"


def test_that_a_device_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=2)
    assert [pick_device(name) for name in ("cpu", "cuda", "cuda:1")] == ["cpu", "cuda", "cuda:1"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("cuda", "no cuda"), ("mps", "no mps"), ("toaster", "toaster"), ("", "called"), ("xla", "no xla")],
)
def test_that_a_device_that_is_not_there_is_refused(name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    with pytest.raises(Refusal, match=words):
        pick_device(name)


def test_that_a_missing_second_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=1)
    with pytest.raises(Refusal, match="cuda:1"):
        pick_device("cuda:1")


@pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
def test_that_a_cpu_good_at_bfloat16_uses_it_for_all_but_tiny_networks(
    flag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, flags=(flag,))
    assert auto_precision("cpu", 10 * SMALL_FLOPS) == "bfloat16"
    assert auto_precision("cpu", SMALL_FLOPS // 10) == "float32"


def test_that_other_cpus_compute_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, flags=("avx2",))
    assert auto_precision("cpu", 10 * SMALL_FLOPS) == "float32"


@pytest.mark.parametrize(("supported", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_that_a_gpu_uses_bfloat16_where_it_can(
    supported: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    assert auto_precision("cuda", 1) == precision


def test_that_the_device_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    pretend(monkeypatch, flags=("amx_bf16",))
    assert device_words("cpu", "bfloat16") == "2 CPU threads with AMX, bfloat16"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    pretend(monkeypatch)
    assert device_words("cpu") == "1 CPU thread"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert device_words("cuda:1", "float32") == "GPU 1, float32"
