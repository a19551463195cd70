"""Runs from the command line: listed, compared, renamed, exported, deleted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli import runs as runs_command
from core.model_folder import read_info
from core.training.keeping import keep
from core.training.order import TrainOrder
from core.training.runs import FILE, interrupted_runs, remember, runs_folder
from core.training.session import TrainingSession
from tests.conftest import Command
from tests.core.halves import DATA, TINY
from tests.core.test_training_runs import at_work, made
from tests.test_cli import ROOT, refused


def trained(folder: Path, lr: float = 1e-3) -> Path:
    order = TrainOrder(folder, steps=2, batch=4, samples=0, precision="float32", lr=lr)
    for _ in TrainingSession(order, DATA, network=TINY).work():
        pass
    return folder


def said(result: tuple[int, str, str]) -> str:
    code, out, err = result
    assert (code, err) == (0, "")
    return out


def test_that_without_runs_it_is_said_how_to_make_one(command: Command) -> None:
    assert "main.py train" in said(command("runs"))
    assert json.loads(said(command("runs", "list", "--json"))) == {"runs": [], "damaged": []}


def test_that_runs_are_listed_with_their_state(command: Command) -> None:
    made(runs_folder() / "old", 1.0, loss=None, steps=500, minutes=None, finished=True)
    made(runs_folder() / "new", 2.0)
    at_work(made(runs_folder() / "cut off", 3.0).folder, process=os.getpid(), born=1.0)
    assert said(command("runs")).splitlines() == [
        "cut off: 120 steps of 20 minutes, loss 0.2500, 1:02, interrupted, 400 pictures of flowers",
        "new: 120 steps of 20 minutes, loss 0.2500, 1:02, stopped, 400 pictures of flowers",
        "old: 120 steps of 500, 1:02, finished, 400 pictures of flowers",
    ]
    listed = json.loads(said(command("runs", "--json")))["runs"]
    assert [(run["name"], run["state"], run["step"]) for run in listed] == [
        ("cut off", "interrupted", 120),
        ("new", "stopped", 120),
        ("old", "finished", 120),
    ]


def test_that_a_run_at_work_is_said_to_be(command: Command) -> None:
    session = TrainingSession(TrainOrder(runs_folder() / "live", steps=9, batch=4, samples=0), DATA, network=TINY)
    next(session.work())
    assert "at work" in said(command("runs"))


CUT_OFF = """
import os, signal, sys
from pathlib import Path
from core.training.order import TrainOrder
from core.training.session import TrainingSession
from tests.core.halves import DATA, TINY
order = TrainOrder(Path(sys.argv[1]), steps=9, batch=4, samples=0, precision="float32", save_every=0)
for _ in (session := TrainingSession(order, DATA, network=TINY)).work():
    if session.trainer.step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_that_a_run_whose_process_was_killed_is_interrupted_until_it_goes_on(command: Command) -> None:
    folder = runs_folder() / "cut off"
    child = subprocess.run([sys.executable, "-c", CUT_OFF, folder], cwd=ROOT, timeout=120)
    assert child.returncode == -signal.SIGKILL
    assert [run.folder for run in interrupted_runs()] == [folder.resolve()]
    assert "interrupted" in said(command("runs"))
    order = TrainOrder(folder, steps=9, batch=4, samples=0, precision="float32", resume=True)
    session = TrainingSession(order, DATA, network=TINY)
    assert session.trainer.step == 2
    next(session.work())
    assert interrupted_runs() == ()
    assert "at work" in said(command("runs"))


def test_that_a_run_is_renamed_by_its_name_or_by_its_folder(command: Command, tmp_path: Path) -> None:
    elsewhere = made(tmp_path / "elsewhere", 1.0).folder
    remember(elsewhere, tmp_path)
    made(runs_folder() / "run", 2.0)
    assert said(command("runs", "rename", "run", "first")) == "run is now first\n"
    renamed = json.loads(said(command("runs", "rename", elsewhere, "second", "--json")))
    assert renamed == {"folder": str((tmp_path / "second").resolve()), "name": "second"}
    assert [line.split(":")[0] for line in said(command("runs")).splitlines()] == ["first", "second"]


def test_that_an_exported_run_opens_as_a_model(command: Command, tmp_path: Path) -> None:
    trained(runs_folder() / "halves")
    assert said(command("runs", "export", "halves", "out")).startswith(str(tmp_path / "out"))
    whole = json.loads(said(command("runs", "export", "halves", "whole.zip", "--json")))
    half = json.loads(said(command("runs", "export", "halves", "half.zip", "--half", "--json")))
    assert read_info(tmp_path / "out").labels == ("left", "right")
    assert whole["bytes"] == (tmp_path / "whole.zip").stat().st_size
    assert half["bytes"] < whole["bytes"]
    assert "something at" in refused(command("runs", "export", "halves", "out"))


def test_that_runs_are_compared_in_what_differs(command: Command) -> None:
    trained(runs_folder() / "a")
    trained(runs_folder() / "b", lr=1e-2)
    table = said(command("runs", "compare", "a", "b"))
    assert table.splitlines()[0].split() == ["a", "b"]
    assert "learning rate  0.001" in table
    assert "batch" not in table
    told = json.loads(said(command("runs", "compare", "b", "a", "--json")))
    assert told["runs"] == ["b", "a"]
    assert told["differences"]["learning rate"] == ["0.01", "0.001"]


def test_that_a_run_that_cannot_be_read_is_named_with_the_reason(command: Command) -> None:
    (made(runs_folder() / "run", 1.0).folder / FILE).write_text("{")
    assert said(command("runs")).splitlines()[-1].startswith("run: cannot be read. run.json is damaged")
    assert json.loads(said(command("runs", "--json")))["damaged"][0]["folder"].endswith("run")


def test_that_a_branch_goes_on_from_where_it_left(command: Command, tmp_path: Path) -> None:
    folder = trained(runs_folder() / "halves")
    keep(folder, 2)
    order = TrainOrder(folder, steps=4, batch=4, samples=0, precision="float32", resume=True)
    for _ in TrainingSession(order, DATA, network=TINY).work():
        pass
    assert json.loads(said(command("runs", "--json")))["runs"][0]["checkpoints"] == [2, 4]
    assert "--resume" in said(command("runs", "branch", "halves", "2", "other"))
    order = TrainOrder(tmp_path / "other", steps=6, batch=4, samples=0, resume=True)
    assert TrainingSession(order, DATA, network=TINY).trainer.step == 2
    assert "keeps no checkpoint of step 3" in refused(command("runs", "branch", "halves", "3", "third"))
    assert "there already" in refused(command("runs", "branch", "halves", "2", "other"))


def test_that_a_run_is_deleted_only_by_whoever_means_it(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = made(runs_folder() / "run", 1.0).folder
    assert "--yes" in refused(command("runs", "delete", "run"))
    monkeypatch.setattr(runs_command, "_agreed", lambda folder: False)
    assert "not deleted" in refused(command("runs", "delete", "run"))
    assert folder.is_dir()
    assert said(command("runs", "delete", "run", "--yes")) == "run is deleted\n"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rename", "nowhere", "b"], "no run called “nowhere”. There are: run."),
        (["delete", ".", "--yes"], "not the folder of a training"),
        (["export", "run", "out"], "not a model folder"),
        (["export", "run"], "OUT"),
        (["compare", "run"], "two or more"),
        (["compare", "run", "."], "run.json cannot be read"),
        (["rename", "run"], "NAME"),
        (["rename", "run", ""], "at least one character"),
        (["frobnicate"], "frobnicate"),
        (["list", "--frobnicate"], "--frobnicate"),
    ],
)
def test_that_what_cannot_be_done_with_runs_is_one_line(command: Command, arguments: list[str], words: str) -> None:
    made(runs_folder() / "run", 1.0)
    assert words in refused(command("runs", *arguments))


def test_that_a_name_that_two_runs_have_is_not_guessed_at(command: Command, tmp_path: Path) -> None:
    made(runs_folder() / "run", 1.0)
    remember(made(tmp_path / "elsewhere" / "run", 2.0).folder, tmp_path)
    assert "More than one run" in refused(command("runs", "rename", "run", "other"))
    assert said(command("runs", "rename", tmp_path / "elsewhere" / "run", "other")) == "run is now other\n"
