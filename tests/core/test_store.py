import numpy as np
import pytest

from core.store import Trajectory


def fill(trajectory: Trajectory, states: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    frames = [rng.standard_normal(trajectory.shape).astype(np.float32) for _ in range(states)]
    for step, frame in enumerate(frames):
        trajectory.put(step, frame, np.full(16, step % 256, np.uint8))
    return frames


def test_that_a_small_run_is_kept_to_the_bit() -> None:
    trajectory = Trajectory(10, (2, 3, 4, 4))
    frames = fill(trajectory, 11)
    assert trajectory.key_every == 1
    assert all(np.array_equal(trajectory.frame(k), frames[k]) for k in range(11))


def test_that_a_thousand_steps_of_64_colour_images_fit_in_400_megabytes_with_every_step_readable() -> None:
    trajectory = Trajectory(1000, (64, 3, 32, 32), 400_000_000)
    frame = np.zeros(trajectory.shape, np.float32)
    state = np.zeros(5056, np.uint8)
    stored_bytes = 0
    for step in range(1001):  # each put is counted, none is kept, so that the test itself stays small
        trajectory.put(step, frame, state)
        stored_bytes = trajectory.nbytes
        if not trajectory.is_key(step):
            trajectory._frames[step] = trajectory._frames[1]
        else:
            trajectory._frames[step] = trajectory._frames[0]
    assert trajectory.keeps_between
    assert stored_bytes <= 400_000_000
    assert all(trajectory.has(step) for step in range(1001))
    assert 1 < trajectory.key_every <= 200


def test_that_between_key_frames_states_are_within_half_precision() -> None:
    trajectory = Trajectory(20, (4, 1, 16, 16), cap=21 * 4 * 256 * 2 + 30_000)
    frames = fill(trajectory, 21)
    assert trajectory.key_every > 1
    assert trajectory.keeps_between
    assert trajectory.nbytes <= trajectory.cap
    for step, frame in enumerate(frames):
        np.testing.assert_allclose(trajectory.frame(step), frame, rtol=1e-3, atol=1e-6)
    key, exact, state = trajectory.key_frame_at_or_before(trajectory.key_every + 1)
    assert key == trajectory.key_every
    assert np.array_equal(exact, frames[key])
    assert state is not None
    assert state[0] == key


def test_that_a_run_too_large_even_for_half_precision_keeps_key_frames_under_the_cap() -> None:
    trajectory = Trajectory(100, (4, 1, 32, 32), cap=200_000)
    fill(trajectory, 101)
    assert not trajectory.keeps_between
    assert trajectory.nbytes <= trajectory.cap
    assert trajectory.has(0)
    assert not trajectory.has(1)
    assert len(trajectory) == 101


def test_that_stored_states_cannot_be_changed() -> None:
    trajectory = Trajectory(1, (1, 2))
    trajectory.put(0, np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match="read-only"):
        trajectory.frame(0)[0, 0] = 1


def test_that_a_state_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        Trajectory(1, (1, 2)).put(0, np.zeros((1, 3), np.float32))


def test_that_integer_states_come_back_as_they_are() -> None:
    trajectory = Trajectory(3, (2, 5), cap=60)
    states = np.arange(10).reshape(2, 5)
    trajectory.put(0, states)
    assert np.array_equal(trajectory.frame(0), states)


@pytest.mark.parametrize("cap", [150_000, 450_000, 10**9])
def test_that_a_walk_that_remembers_keeps_what_it_saw_beside_its_key_frames_under_the_cap(cap: int) -> None:
    trajectory = Trajectory(40, (4, 1, 32, 32), cap, remembers=True)
    rng = np.random.default_rng(1)
    seen = [rng.standard_normal(trajectory.shape).astype(np.float32) for _ in range(41)]
    for step, x0_hat in enumerate(seen):
        trajectory.put(step, x0_hat * 2, np.zeros(5056, np.uint8), None if step == 0 else x0_hat)
    assert trajectory.nbytes <= cap
    keys = [step for step in range(41) if trajectory.is_key(step)]
    assert len(keys) == 41 if cap == 10**9 else len(keys) < 41
    for step in range(1, 41):
        before = trajectory.before(step)
        assert (before is not None) == (step in keys)
        if before is not None:
            assert np.array_equal(before, seen[step])
    assert trajectory.before(0) is None
    with_memory, stored = trajectory.nbytes, sum(seen[step].nbytes for step in keys if step)
    trajectory.put(keys[-1], seen[-1], np.zeros(0, np.uint8), seen[-1])  # again: counted once
    assert trajectory.nbytes == with_memory
    assert stored < with_memory
