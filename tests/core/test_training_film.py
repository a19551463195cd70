"""What a run has drawn, with the way there: few sets, evenly spread, on the disk and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.errors import Refusal
from core.training import film as module
from core.training.events import Drawn
from core.training.film import FILE, FORMER, Film, as_drawn, read_film, read_newest, told, write_film

TIMES = (999, 500, 0)


def drawn(step: int, weights: str = "ema", *, way: bool = True) -> Drawn:
    """Two pictures whose grey is the step; their way's greys tell moment and kind."""
    pictures = np.full((2, 4, 4, 1), step % 256, np.uint8)
    if not way:
        return Drawn(step, pictures, weights)
    x0_hat = np.stack([np.full_like(pictures, 10 + moment) for moment in range(len(TIMES))])
    return Drawn(step, pictures, weights, TIMES, x0_hat, x0_hat + 100)


def steps(film: Film) -> list[int]:
    return [kept.step for kept in film.sets]


def test_that_sets_come_back_from_the_disk_with_their_ways(tmp_path: Path) -> None:
    write_film(Film([drawn(0), drawn(3, way=False), drawn(3, "raw")]), tmp_path)
    read = read_film(tmp_path)
    assert read.note == ""
    assert [(kept.step, kept.weights, kept.timesteps) for kept in read.sets] == [
        (0, "ema", TIMES),
        (3, "ema", ()),
        (3, "raw", TIMES),
    ]
    assert read.sets[1].x0_hat is None
    last = read.sets[-1]
    assert last.x0_hat is not None
    assert last.x_t is not None
    assert last.x0_hat[:, 1, 0, 0, 0].tolist() == [10, 11, 12]
    assert last.x_t[:, 1, 0, 0, 0].tolist() == [110, 111, 112]
    assert int(last.pictures[0, 0, 0, 0]) == 3


def test_that_what_is_kept_cannot_be_changed(tmp_path: Path) -> None:
    film = Film([drawn(1)])
    write_film(film, tmp_path)
    for kept in (film.sets[0], read_film(tmp_path).sets[0]):
        assert kept.x0_hat is not None
        assert kept.x_t is not None
        assert not any(states.flags.writeable for states in (kept.pictures, kept.x0_hat, kept.x_t))


def test_that_sets_of_a_former_version_are_still_read(tmp_path: Path) -> None:
    former = {f"samples_{index}": drawn(step).pictures for index, step in enumerate((0, 40))}
    (tmp_path / FORMER).parent.mkdir()
    np.savez(tmp_path / FORMER, sample_steps=np.array([0, 40]), losses=np.zeros(40, np.float32), **former)
    read = read_film(tmp_path)
    assert [(kept.step, kept.weights, kept.timesteps) for kept in read.sets] == [(0, "ema", ()), (40, "ema", ())]
    assert int(read.sets[1].pictures[0, 0, 0, 0]) == 40


def test_that_a_run_without_a_film_has_an_empty_one(tmp_path: Path) -> None:
    assert (read_film(tmp_path).sets, read_film(tmp_path).note) == ((), "")
    (tmp_path / FORMER).parent.mkdir()
    np.savez(tmp_path / FORMER, losses=np.zeros(3, np.float32))
    assert (read_film(tmp_path).sets, read_film(tmp_path).note) == ((), "")


def test_that_sets_drawn_again_take_the_place_of_the_former_and_of_later_ones() -> None:
    film = Film([drawn(2, way=False), drawn(3), drawn(4)])
    film.add(drawn(2))
    assert steps(film) == [2]
    assert film.sets[0].timesteps == TIMES


def test_that_averaged_and_raw_weights_of_one_step_stand_side_by_side() -> None:
    film = Film([drawn(2), drawn(2, "raw"), drawn(2)])
    assert [(kept.step, kept.weights) for kept in film.sets] == [(2, "raw"), (2, "ema")]


def test_that_a_cut_film_keeps_what_was_drawn_until_then() -> None:
    film = Film([drawn(0), drawn(5), drawn(9)])
    film.cut_to(5)
    assert steps(film) == [0, 5]


def test_that_sets_stay_few_keep_both_ends_and_are_denser_where_a_run_learns_fastest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_SETS", 9)
    film = Film([drawn(step, way=False) for step in range(0, 1000, 5)])
    kept = steps(film)
    assert len(kept) == 9
    assert (kept[0], kept[-1]) == (0, 995)
    gaps = np.diff(np.sqrt(kept))
    assert gaps.max() <= 3 * gaps[:-1].min()
    assert kept[1] - kept[0] < kept[-2] - kept[-3]


def test_that_where_room_is_short_ways_are_forgotten_before_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    final, whole = drawn(0, way=False).pictures.nbytes, 7 * drawn(0, way=False).pictures.nbytes
    monkeypatch.setattr(module, "MAX_BYTES", 17 * final + 3 * whole)
    film = Film([drawn(step) for step in range(20)])
    assert steps(film) == list(range(20))
    with_way = [kept.step for kept in film.sets if kept.timesteps]
    assert len(with_way) == 3
    assert (with_way[0], with_way[-1]) == (0, 19)
    assert film.nbytes <= module.MAX_BYTES


def test_that_large_pictures_are_kept_in_fewer_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    final = drawn(0, way=False).pictures.nbytes
    monkeypatch.setattr(module, "MAX_BYTES", 5 * final)
    film = Film([drawn(step, way=False) for step in range(20)])
    assert len(film.sets) == 5
    monkeypatch.setattr(module, "MAX_BYTES", 1)
    film.add(drawn(20))
    assert (len(film.sets), film.sets[0].step, film.sets[-1].step) == (3, 0, 20)
    assert film.sets[-1].timesteps == TIMES


def test_that_the_window_is_told_all_of_a_set() -> None:
    before = drawn(7, "raw")
    message = told(before, 3)
    assert (message.job, message.step, message.weights, message.timesteps) == (3, 7, "raw", TIMES)
    after = as_drawn(message)
    assert (after.step, after.weights, after.timesteps) == (7, "raw", TIMES)
    assert after.pictures is before.pictures
    assert after.x0_hat is before.x0_hat
    assert after.x_t is before.x_t


def test_that_a_film_is_written_again_only_where_it_has_changed(tmp_path: Path) -> None:
    film = Film([drawn(0), drawn(2)])

    def is_written() -> bool:
        (tmp_path / FILE).write_bytes(b"")
        write_film(film, tmp_path)
        return (tmp_path / FILE).stat().st_size > 0

    write_film(film, tmp_path)
    assert not is_written()
    film.cut_to(2)
    assert not is_written()
    film.add(drawn(5))
    assert is_written()
    film.cut_to(2)
    assert is_written()
    assert steps(read_film(tmp_path)) == [0, 2]
    (tmp_path / FILE).unlink()
    write_film(film, tmp_path)
    assert steps(read_film(tmp_path)) == [0, 2]
    other = tmp_path / "other"
    write_film(film, other)
    assert steps(read_film(other)) == [0, 2]


CHANGES = {
    "pictures": {"pictures_0": np.zeros((4, 4), np.uint8)},
    "floats": {"x_t_0": np.zeros((3, 2, 4, 4, 1), np.float32)},
    "longer": {"x0_hat_0": np.zeros((4, 2, 4, 4, 1), np.uint8)},
    "rising": {"timesteps_0": np.array([0, 1, 2])},
    "steps": {"steps": np.array([5, 2])},
    "whose": {"raw": np.array([True])},
    "object": {"steps": np.array([{}, {}])},
    "many": {"steps": np.arange(module.MAX_SETS + 1), "raw": np.zeros(module.MAX_SETS + 1, bool)},
    "missing": {"steps": np.array([0, 2, 4]), "raw": np.zeros(3, bool)},
}


@pytest.mark.parametrize("change", ["cut", "text", "bomb", *CHANGES])
def test_that_a_damaged_film_is_empty_and_says_so(tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_film(Film([drawn(0), drawn(2)]), tmp_path)
    path = tmp_path / FILE
    with np.load(path) as kept:
        arrays = dict(kept)
    if change == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif change == "text":
        path.write_text("no film")
    elif change == "bomb":
        monkeypatch.setattr(module, "MAX_FILE_BYTES", 100)
    else:
        np.savez(path, **(arrays | CHANGES[change]))
    read = read_film(tmp_path)
    assert read.sets == ()
    assert "samples of this run cannot be shown" in read.note
    assert "is damaged" in read.note


def test_that_a_film_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="could not be written"):
        write_film(Film(), tmp_path / "file")


def test_that_the_newest_samples_are_read_alone_and_none_of_a_damaged_film(tmp_path: Path) -> None:
    assert read_newest(tmp_path) is None
    write_film(Film([drawn(0), drawn(7)]), tmp_path)
    newest = read_newest(tmp_path)
    assert newest is not None
    assert np.array_equal(newest, drawn(7).pictures)
    (tmp_path / FILE).write_bytes(b"PK nothing")
    assert read_newest(tmp_path) is None
