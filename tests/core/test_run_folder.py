"""Runs renamed and deleted: nothing but a run, whole or not at all, never while it is trained into."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.errors import Refusal
from core.json_file import read_json
from core.training.ablation import Ablation, begin
from core.training.claim import FILE as CLAIM
from core.training.order import TrainOrder
from core.training.run_folder import check_deletable, delete_run, rename_run
from core.training.runs import FILE, list_runs, read_summary, remember, runs_folder
from core.training.session import TrainingSession
from tests.core.halves import DATA, TINY
from tests.core.test_training_runs import at_work, made


@pytest.fixture
def run() -> Path:
    """A run's folder with all its parts."""
    folder = made(runs_folder() / "flowers", 1.0).folder
    for part in (
        "unet/config.json",
        "snapshots/flowers step 3/model_index.json",
        "model_index.json",
        "diffuscope.json",
    ):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).write_text("{}")
    return folder.resolve()


@pytest.fixture
def other_process() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate(b"\n")


def names() -> list[str]:
    return sorted(path.name for path in runs_folder().iterdir())


# ------------------------------------------------------------------------------------------- renamed


def test_that_a_renamed_run_is_listed_under_its_new_name_with_its_pictures(run: Path, tmp_path: Path) -> None:
    remember(run, tmp_path)
    assert rename_run(run, "  wild   flowers ") == run.with_name("wild flowers")
    (listed,) = list_runs()
    assert (listed.name, listed.pictures) == ("wild flowers", tmp_path.resolve())
    assert (listed.folder / "unet" / "config.json").is_file()
    assert names() == ["wild flowers"]


def test_that_a_run_may_keep_its_name_or_change_its_capitals(run: Path) -> None:
    assert rename_run(run, "flowers") == run
    assert rename_run(run, "Flowers").name == "Flowers"


def test_that_a_name_that_is_taken_is_refused_whatever_has_it(run: Path) -> None:
    made(runs_folder() / "trees", 1.0)
    (runs_folder() / "a file").touch()
    for name in ("trees", "a file"):
        with pytest.raises(Refusal, match="already"):
            rename_run(run, name)
    assert names() == ["a file", "flowers", "trees"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "at least one character"),
        (" \n ", "at least one character"),
        ("../trees", "“/”"),
        ("a/b", "“/”"),
        ("a\\b", "“\\\\”"),
        ("what?", "“\\?”"),
        ("nul\x00l", "character"),
        (".", "cannot be called"),
        ("..", "cannot be called"),
        (".hidden", "cannot be called"),
        ("trees.", "cannot be called"),
        ("CON", "cannot be called"),
        ("lpt1.old", "cannot be called"),
        ("x" * 61, "at most 60"),
    ],
)
def test_that_a_name_that_no_folder_can_have_is_refused(run: Path, name: str, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        rename_run(run, name)
    assert names() == ["flowers"]


def test_that_where_nothing_can_be_moved_the_run_stays(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(Refusal, match="permissions"):
        rename_run(run, "trees")
    with pytest.raises(Refusal, match="permissions"):
        delete_run(run)
    assert names() == ["flowers"]
    assert (run / "model_index.json").is_file()


# ------------------------------------------------------------------------------------------- deleted


def test_that_a_deleted_run_is_gone_from_disk_and_list_and_nothing_else_is(run: Path, tmp_path: Path) -> None:
    remember(run, tmp_path)
    other = made(runs_folder() / "trees", 2.0)
    delete_run(run)
    assert names() == ["trees"]
    assert list_runs() == (other,)


def test_that_links_in_a_run_are_taken_away_and_not_followed(run: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "photo.png").write_text("mine")
    (run / "snapshots" / "linked").symlink_to(tmp_path / "precious", target_is_directory=True)
    delete_run(run)
    assert (tmp_path / "precious" / "photo.png").read_text() == "mine"


def test_that_a_link_to_a_run_is_neither_deleted_nor_renamed(run: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(run, target_is_directory=True)
    for act in (lambda: delete_run(link), lambda: rename_run(link, "trees")):
        with pytest.raises(Refusal, match="is a link"):
            act()
    assert (run / FILE).is_file()


def test_that_a_folder_with_a_persons_own_files_in_it_is_not_deleted(run: Path) -> None:
    for name in ("thesis.odt", "pictures", "b", "c"):
        (run / name).mkdir()
    with pytest.raises(Refusal, match="b, c, pictures and 1 more"):
        delete_run(run)
    assert (run / "thesis.odt").exists()


def test_that_what_file_managers_and_killed_processes_leave_keeps_no_run(run: Path) -> None:
    for name in (".DS_Store", "Thumbs.db", ".training-123-ab3d5f7h", ".model_index.json-9-ab3d5f7h.part"):
        (run / name).touch()
    delete_run(run)
    assert names() == []


@pytest.mark.parametrize("act", [delete_run, check_deletable, lambda folder: rename_run(folder, "mine")])
def test_that_other_folders_are_left_alone(act, tmp_path: Path, model: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", model):
        with pytest.raises(Refusal, match="not the folder of a training"):
            act(folder)
        assert folder.is_dir()
    with pytest.raises(Refusal, match="no longer there"):
        act(tmp_path / "nowhere")


def test_that_what_comes_with_the_program_stays(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.training.run_folder.RESOURCES", run.parent)
    for act in (lambda: delete_run(run), lambda: rename_run(run, "trees")):
        with pytest.raises(Refusal, match="comes with the program"):
            act()


# ------------------------------------------------------------------------------------------- at work


def test_that_a_run_at_work_elsewhere_is_neither_renamed_nor_deleted(run: Path, other_process: int) -> None:
    at_work(run, process=other_process, born=round(psutil.Process(other_process).create_time(), 1))
    for act in (lambda: delete_run(run), lambda: rename_run(run, "trees")):
        with pytest.raises(Refusal, match=f"process {other_process}.*Stop it first"):
            act()


def test_that_a_run_at_work_here_is_to_be_stopped_first(run: Path) -> None:
    at_work(run, process=os.getpid(), born=round(psutil.Process().create_time(), 1))
    with pytest.raises(Refusal, match="trained here"):
        rename_run(run, "trees")
    (run / CLAIM).unlink()
    assert rename_run(run, "trees").name == "trees"


# ------------------------------------------------------------------------------------------- ablations


@pytest.fixture
def ablation() -> Path:
    folder = runs_folder() / "table"
    begin(Ablation("flowers", 16, 10), folder)
    made(folder / "eps-simple", 1.0)
    return folder.resolve()


def test_that_an_ablation_is_renamed_with_its_trainings(ablation: Path, tmp_path: Path) -> None:
    remember(ablation / "eps-simple", tmp_path)
    renamed = rename_run(ablation, "my table")
    assert [run.folder for run in list_runs()] == [renamed / "eps-simple"]
    assert list_runs()[0].pictures == tmp_path.resolve()


def test_that_a_training_of_an_ablation_keeps_its_name(ablation: Path) -> None:
    with pytest.raises(Refusal, match="Rename the ablation"):
        rename_run(ablation / "eps-simple", "mine")


def test_that_an_ablation_is_deleted_whole_but_not_with_other_files(ablation: Path) -> None:
    (ablation / "eps-simple" / "notes.txt").touch()
    with pytest.raises(Refusal, match=r"eps-simple/notes.txt"):
        delete_run(ablation)
    (ablation / "eps-simple" / "notes.txt").unlink()
    delete_run(ablation)
    assert names() == []


def test_that_an_ablation_of_which_one_is_at_work_stays(ablation: Path) -> None:
    at_work(ablation / "eps-simple", process=os.getpid(), born=round(psutil.Process().create_time(), 1))
    with pytest.raises(Refusal, match=r"eps-simple.*Stop it first"):
        delete_run(ablation)


# ------------------------------------------------------------------------------------------- misfortune


def test_that_a_run_whose_folder_was_removed_by_hand_is_said_to_be_gone(run: Path) -> None:
    shutil.rmtree(run)
    with pytest.raises(Refusal, match="no longer there"):
        delete_run(run)


def test_that_a_run_with_a_damaged_summary_can_still_be_deleted(run: Path) -> None:
    (run / FILE).write_text("{")
    with pytest.raises(Refusal):
        read_json(run / FILE)
    delete_run(run)
    assert names() == []


def test_that_a_run_whose_folder_is_removed_while_it_trains_is_written_again(tmp_path: Path) -> None:
    order = TrainOrder(tmp_path / "run", steps=4, batch=4, samples=0, precision="float32", save_every=0)
    session = TrainingSession(order, DATA, network=TINY)
    events = session.work()
    while session.trainer.step < 2:
        next(events)
    shutil.rmtree(tmp_path / "run")
    for _ in events:
        pass
    assert read_summary(tmp_path / "run").finished
    assert TrainingSession(replace(order, resume=True), DATA, network=TINY).trainer.step == 4
