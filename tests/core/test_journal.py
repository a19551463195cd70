"""The journal of how a run was computed: what it says of every step, and what becomes of it on a bad disk."""

from __future__ import annotations

import errno
import os

import pytest

from core.errors import Refusal
from core.training.journal import FILE, Journal, Line

EAGER, COMPILED = {"compiled": False, "threads": 2}, {"compiled": True, "threads": 2}


def test_that_a_line_holds_from_the_step_after_it_until_the_next(tmp_path) -> None:
    journal = Journal(tmp_path)
    assert journal.in_force(0) is None
    journal.write(Line(0, EAGER))
    journal.write(Line(40, COMPILED, why="compiled"))
    assert [journal.in_force(step).path for step in (0, 39, 40, 900)] == [EAGER, EAGER, COMPILED, COMPILED]
    assert [journal.says_more(step) for step in (0, 39, 40, 41)] == [True, True, False, False]


def test_that_a_line_takes_back_what_was_said_of_later_steps(tmp_path) -> None:
    journal = Journal(tmp_path)
    for line in (Line(0, EAGER), Line(100, COMPILED), Line(80, COMPILED, 0.5)):
        journal.write(line)
    assert journal.in_force(79) == Line(0, EAGER)
    assert journal.in_force(100) == Line(80, COMPILED, 0.5)
    assert not journal.says_more(80)


def test_that_a_checkpoint_of_steps_that_were_taken_back_is_known(tmp_path) -> None:
    journal = Journal(tmp_path)
    journal.write(Line(0, EAGER))
    assert not journal.has_taken_back(100, lines=1)
    journal.write(Line(80, EAGER, 0.5))
    assert journal.has_taken_back(100, lines=1)
    assert not journal.has_taken_back(80, lines=1)
    assert not journal.has_taken_back(100, lines=2)


def test_that_it_is_read_as_it_was_written(tmp_path) -> None:
    written = Journal(tmp_path)
    for line in (Line(0, EAGER), Line(7, COMPILED, 0.25, "“why” it was so")):
        written.write(line)
    again = Journal(tmp_path)
    assert again.lines == written.lines
    assert again.note == ""


@pytest.mark.parametrize("lost", [1, 10, 40])
def test_that_a_torn_end_is_left_out_and_overwritten(tmp_path, lost: int) -> None:
    journal = Journal(tmp_path)
    journal.write(Line(0, EAGER))
    journal.write(Line(5, COMPILED))
    path = tmp_path / FILE
    os.truncate(path, path.stat().st_size - lost)
    torn = Journal(tmp_path)
    assert (torn.lines, torn.note) == ((Line(0, EAGER),), "")
    torn.write(Line(6, COMPILED))
    assert Journal(tmp_path).lines == (Line(0, EAGER), Line(6, COMPILED))


def test_that_a_flipped_byte_is_noticed(tmp_path) -> None:
    journal = Journal(tmp_path)
    journal.write(Line(0, EAGER))
    journal.write(Line(5, COMPILED))
    path = tmp_path / FILE
    content = bytearray(path.read_bytes())
    content[content.index(b'"step": 0') + 8] ^= 1
    path.write_bytes(content)
    damaged = Journal(tmp_path)
    assert damaged.lines == (Line(5, COMPILED),)
    assert "not known any more" in damaged.note


def test_that_a_full_disk_leaves_no_half_line(tmp_path, monkeypatch) -> None:
    journal = Journal(tmp_path)
    journal.write(Line(0, EAGER))
    before, fsync = (tmp_path / FILE).read_bytes(), os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refusal, match="disk is full"):
        journal.write(Line(5, COMPILED))
    assert (tmp_path / FILE).read_bytes() == before
    assert journal.lines == (Line(0, EAGER),)
    monkeypatch.setattr(os, "fsync", fsync)
    journal.write(Line(6, COMPILED))
    assert Journal(tmp_path).lines == (Line(0, EAGER), Line(6, COMPILED))
