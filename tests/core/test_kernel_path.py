"""How a run is computed: said, kept, changed on the way."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from core.errors import Refusal
from core.training.kernel_path import KernelPath
from core.training.trainer import Trainer
from tests.core.halves import DATA, REQUEST


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([value.flatten() for value in trainer.ema.averages.values()])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (KernelPath("cpu", "bfloat16", 2, 16, True), "bfloat16, compiled, 2 threads, 16 pictures at once"),
        (KernelPath("cpu", "float32", 1, 1), "float32, eager, 1 thread, 1 picture at once"),
        (KernelPath("cuda:1", "bfloat16", 8, 64), "bfloat16, eager, cuda:1, 64 pictures at once"),
        (KernelPath("cpu", "float32", 2, 4, world=3), "float32, eager, 2 threads, 4 pictures at once, 3 processes"),
    ],
)
def test_that_a_path_is_said_in_words(path: KernelPath, words: str) -> None:
    assert path.words == words


def test_that_a_path_survives_json() -> None:
    path = KernelPath("cuda", "bfloat16", 7, 9, True, 2)
    assert KernelPath.from_json(json.loads(json.dumps(path.to_json()))) == path


@pytest.mark.parametrize("change", [{"threads": 0}, {"threads": "2"}, {"precision": "float8"}, {"world": 0}])
def test_that_what_is_no_path_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Refusal):
        KernelPath.from_json(KernelPath().to_json() | change)


def test_that_a_run_begins_on_the_path_of_its_request() -> None:
    path = Trainer(replace(REQUEST, precision="bfloat16", micro_batch=3), DATA).path
    assert path == KernelPath("cpu", "bfloat16", torch.get_num_threads(), 3)


def test_that_a_path_is_taken_from_the_next_step_on() -> None:
    request = replace(REQUEST, micro_batch=2)
    plain, changed = Trainer(REQUEST, DATA), Trainer(request, DATA)
    changed.take(replace(changed.path, micro_batch=4))
    assert [step.loss for step in changed.steps()] == [step.loss for step in plain.steps()]
    assert torch.equal(weights(changed), weights(plain))


def test_that_the_same_changes_at_the_same_steps_give_the_same_bits() -> None:
    def trained() -> torch.Tensor:
        trainer = Trainer(REQUEST, DATA)
        for step in range(6):
            if step == 2:
                trainer.take(replace(trainer.path, precision="bfloat16", micro_batch=3))
            if step == 4:
                trainer.take(replace(trainer.path, precision="float32"))
            trainer.one_step()
        return weights(trainer)

    assert torch.equal(trained(), trained())
    assert not torch.equal(trained(), weights_of_an_undisturbed_run())


def weights_of_an_undisturbed_run() -> torch.Tensor:
    trainer = Trainer(REQUEST, DATA)
    list(trainer.steps())
    return weights(trainer)


def test_that_the_threads_of_the_path_work_on_a_step() -> None:
    before, seen = torch.get_num_threads(), []
    trainer = Trainer(REQUEST, DATA, check=lambda: seen.append(torch.get_num_threads()))
    trainer.take(replace(trainer.path, threads=before + 1))
    try:
        torch.set_num_threads(before)
        trainer.one_step()
        assert set(seen) == {before + 1}
    finally:
        torch.set_num_threads(before)


def test_that_device_and_processes_are_not_changed_by_a_path() -> None:
    trainer = Trainer(REQUEST, DATA)
    taken = trainer.take(KernelPath("cuda", "float32", 1, 2, world=4))
    assert (taken.device, taken.world, taken.micro_batch) == ("cpu", 1, 2)
    assert trainer.path == taken


def test_that_a_scaled_learning_rate_is_kept_in_the_runs_state() -> None:
    trainer, other = Trainer(replace(REQUEST, warm_up=0, decay=False), DATA), Trainer(REQUEST, DATA)
    trainer.lr_scale = 0.25
    assert trainer.one_step().lr == pytest.approx(REQUEST.lr / 4)
    other.restore(*trainer.state())
    assert other.lr_scale == 0.25
    tensors, numbers = trainer.state()
    del numbers["lr_scale"]  # an older version's
    other.restore(tensors, numbers)
    assert other.lr_scale == 1.0


def test_that_a_step_tells_its_losses_by_level() -> None:
    trainer = Trainer(replace(REQUEST, batch=20, timestep_sampler="spread"), DATA)
    done = trainer.one_step()
    assert done.by_level.shape == (10,)  # of twenty spread over all t, two fall into each bin
    assert float(done.by_level.mean()) == pytest.approx(done.loss, rel=1e-5)
