"""The list of a person's runs."""

from __future__ import annotations

import gc
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from core.errors import Refusal
from core.folders import data_folder
from core.training.claim import FILE as CLAIM
from core.training.claim import claim, holder_of, release
from core.training.runs import (
    FILE,
    INDEX,
    RunSummary,
    interrupted_runs,
    list_runs,
    look_through_runs,
    moved,
    new_run_folder,
    remember,
    runs_folder,
    write_summary,
)


def summary(folder: Path, **changes: object) -> RunSummary:
    values: dict[str, object] = {
        "folder": folder,
        "name": folder.name,
        "step": 120,
        "steps": None,
        "minutes": 20.0,
        "finished": False,
        "seconds": 61.5,
        "loss": 0.25,
        "size": 32,
        "data_name": "flowers",
        "count": 400,
        "pictures": None,
        "changed": 0.0,
    }
    return RunSummary(**(values | changes))  # type: ignore[arg-type]


def made(folder: Path, changed: float, **changes: object) -> RunSummary:
    written = summary(folder, changed=changed, **changes)
    write_summary(written)
    os.utime(folder / FILE, (changed, changed))
    return written


def test_that_runs_are_listed_newest_first_wherever_they_lie(tmp_path: Path) -> None:
    old = made(runs_folder() / "old", 1000.0, loss=None)
    new = made(runs_folder() / "new", 3000.0, steps=500, minutes=None, finished=True)
    elsewhere = made(tmp_path / "elsewhere", 2000.0, pictures=tmp_path)
    remember(elsewhere.folder, tmp_path)
    assert list_runs() == (new, elsewhere, old)


def test_that_where_pictures_lie_stands_in_the_data_folder_alone(tmp_path: Path) -> None:
    run = made(runs_folder() / "run", 1.0, pictures=tmp_path / "pictures")
    assert "pictures" not in json.loads((run.folder / FILE).read_text())
    assert list_runs()[0].pictures is None
    remember(run.folder, tmp_path / "pictures")
    remember(tmp_path / "another", tmp_path / "others")
    assert list_runs()[0].pictures == tmp_path / "pictures"
    remember(run.folder, tmp_path / "moved")
    assert list_runs()[0].pictures == tmp_path / "moved"


def test_that_without_any_run_the_list_is_empty() -> None:
    assert list_runs() == ()


def test_that_runs_that_are_gone_are_not_listed(tmp_path: Path) -> None:
    remember(tmp_path / "gone", tmp_path)
    (runs_folder() / "empty").mkdir(parents=True)
    (runs_folder() / ".hidden" / "training").mkdir(parents=True)
    (runs_folder() / ".hidden" / FILE).write_text("{}")
    assert list_runs() == ()


@pytest.mark.parametrize("text", ["", "[]", '{"step": "many"}', '{"loss": "low"}', '{"steps": 1.5}'])
def test_that_a_run_that_cannot_be_read_is_left_out_and_named_in_the_log(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = made(runs_folder() / "good", 1.0)
    made(runs_folder() / "bad", 2.0)
    (runs_folder() / "bad" / FILE).write_text(text)
    with caplog.at_level(logging.WARNING):
        assert list_runs() == (good,)
    assert "bad" in caplog.text
    assert [folder.name for folder in look_through_runs()[1]] == ["bad"]


@pytest.mark.parametrize("text", ["nothing", '{"runs": 3}', '{"runs": [3, {"folder": 4}]}'])
def test_that_a_damaged_index_begins_anew(text: str, tmp_path: Path) -> None:
    (data_folder() / INDEX).write_text(text)
    run = made(tmp_path / "run", 1.0)
    assert list_runs() == ()
    remember(run.folder, tmp_path)
    assert [listed.folder for listed in list_runs()] == [run.folder]


def test_that_an_index_that_cannot_be_written_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING):
        remember(tmp_path / "run", tmp_path)
    assert "is not kept" in caplog.text


def test_that_a_summary_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="could not be written"):
        write_summary(summary(tmp_path / "file"))


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("flowers", "flowers"),
        ("Blumen & Gräser", "Blumen Gräser"),
        ("../../etc", "etc"),
        ("a/b\\c", "a b c"),
        ("", "run"),
        ("...", "run"),
        ("x" * 300, "x" * 60),
        ("con\x00trol\n", "con trol"),
    ],
)
def test_that_a_new_run_is_called_as_far_as_a_folder_can_be(name: str, called: str) -> None:
    folder = new_run_folder(name)
    assert folder == runs_folder() / called
    assert not folder.exists()


def test_that_a_new_run_never_takes_the_place_of_another() -> None:
    for expected in ("run", "run 2", "run 3"):
        folder = new_run_folder("run")
        assert folder.name == expected
        made(folder, 1.0)


# ------------------------------------------------------------------------------------------- runs that moved


def test_that_where_pictures_lie_is_known_after_a_run_has_moved(tmp_path: Path) -> None:
    made(tmp_path / "before", 1.0)
    remember(tmp_path / "before", tmp_path / "pictures")
    (tmp_path / "before").rename(tmp_path / "after")
    moved((tmp_path / "before").resolve(), (tmp_path / "after").resolve())
    (run,) = list_runs()
    assert (run.name, run.pictures) == ("after", (tmp_path / "pictures").resolve())


def test_that_runs_within_a_folder_that_has_moved_are_known_there(tmp_path: Path) -> None:
    made(tmp_path / "table" / "a", 1.0)
    remember(tmp_path / "table" / "a", tmp_path)
    remember(tmp_path / "tables", tmp_path)  # only its name begins alike
    (tmp_path / "table").rename(tmp_path / "renamed")
    moved((tmp_path / "table").resolve(), (tmp_path / "renamed").resolve())
    assert [run.folder for run in list_runs()] == [(tmp_path / "renamed" / "a").resolve()]
    moved((tmp_path / "renamed").resolve(), None)
    assert list_runs() == ()
    assert "tables" in (data_folder() / INDEX).read_text()


# ------------------------------------------------------------------------------------------- runs that were cut off


def at_work(folder: Path, **holder: object) -> None:
    (folder / CLAIM).write_text(json.dumps(holder))


@pytest.fixture
def dead() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_that_unfinished_runs_whose_process_is_dead_are_interrupted_newest_first(dead: int) -> None:
    for name, changed in (("old", 1.0), ("new", 2.0)):
        at_work(made(runs_folder() / name, changed).folder, process=dead, born=1.0)
    made(runs_folder() / "stopped", 3.0)
    at_work(made(runs_folder() / "finished", 4.0, finished=True).folder, process=dead, born=1.0)
    assert [run.name for run in interrupted_runs()] == ["new", "old"]


def test_that_a_run_at_work_in_another_window_is_not_interrupted() -> None:
    run = made(runs_folder() / "run", 1.0)
    at_work(run.folder, process=os.getpid(), born=round(psutil.Process().create_time(), 1))
    assert interrupted_runs() == ()


def test_that_a_living_process_keeps_its_run_but_this_one_may_let_its_own_go() -> None:
    run = made(runs_folder() / "run", 1.0)
    parent = os.getppid()
    at_work(run.folder, process=parent, born=round(psutil.Process(parent).create_time(), 1))
    release(run.folder)
    assert holder_of(run.folder) == parent
    at_work(run.folder, process=os.getpid(), born=round(psutil.Process().create_time(), 1))
    release(run.folder)
    assert holder_of(run.folder) is None


def test_that_an_owner_who_goes_late_leaves_the_next_ones_claim() -> None:
    class Owner:
        pass

    folder, first, second = runs_folder() / "run", Owner(), Owner()
    claim(folder, first)
    claim(folder, second)
    del first
    gc.collect()
    assert holder_of(folder) == os.getpid()
    del second
    gc.collect()
    assert not (folder / CLAIM).exists()


def test_that_a_process_with_the_number_of_a_dead_one_is_another(dead: int) -> None:
    run = made(runs_folder() / "run", 1.0)
    at_work(run.folder, process=os.getpid(), born=1.0)
    assert interrupted_runs() == (run,)


@pytest.mark.parametrize("text", ["", "[]", '{"process": "me"}'])
def test_that_a_damaged_note_of_who_works_counts_as_left(text: str) -> None:
    run = made(runs_folder() / "run", 1.0)
    (run.folder / CLAIM).write_text(text)
    assert interrupted_runs() == (run,)


def test_that_a_run_is_offered_no_more_once_it_was_let_go(dead: int) -> None:
    run = made(runs_folder() / "run", 1.0)
    at_work(run.folder, process=dead, born=1.0)
    release(run.folder)
    assert interrupted_runs() == ()
    assert list_runs() == (run,)


def test_that_a_folder_that_waits_for_its_run_is_not_given_to_another() -> None:
    first = new_run_folder("cats")
    second = new_run_folder("cats", {first.resolve()})
    assert (first.name, second.name) == ("cats", "cats 2")
    assert new_run_folder("cats", [first.resolve(), second.resolve()]).name == "cats 3"
