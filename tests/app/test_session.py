"""Sessions as data and as files: what was there is there again, and what is damaged harms nothing."""

from __future__ import annotations

import copy
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.session import VERSION, KeptRun, Opened, Session, from_data, to_data
from app.session_dialogs import strangers
from app.session_file import LARGEST_JSON, SessionFolder, encoded, read_archive, take, write_archive
from app.state import Cursor, Note
from core.errors import Refusal
from core.images import from_pixels
from core.requests import Conversion, FromLatent, FromStep
from tests.app.test_history import INVERSION, MORPH, REQUEST

PICTURES = tuple(
    from_pixels(np.random.default_rng(channels).integers(0, 256, (6, 9, channels), np.uint8), f"{channels} channels")
    for channels in (1, 3, 4)
)
BRANCH = type(REQUEST)(**{n: getattr(REQUEST, n) for n in REQUEST.__slots__} | {"start": FromStep(REQUEST, 2)})
BACK = type(REQUEST)(**{n: getattr(REQUEST, n) for n in REQUEST.__slots__} | {"start": FromLatent(INVERSION)})
SESSION = Session(
    image=PICTURES[1].sha256,
    pictures={picture.sha256: picture.name for picture in PICTURES},
    conversion=Conversion((32, 32), 1, crop=(0.1, 0.2, 0.9, 1.0), invert=True),
    seed=123,
    cursor=Cursor("denoise", run=2, step=3, t=300, shown_t=300),
    model=Opened("digits", "d" * 64, "/models/digits"),
    models=(Opened("digits", "d" * 64, "/models/digits"),),
    classifiers=(Opened("guide", "c" * 64, "/classifiers/guide"),),
    runs=(
        KeptRun(1, REQUEST, Note("the good one", True), PICTURES[0].sha256),
        KeptRun(2, BRANCH, parent=1, parent_step=2),
        KeptRun(3, INVERSION),
        KeptRun(4, BACK, parent=3),
        KeptRun(7, MORPH),
    ),
    stages={"denoise": {"guidance": 2.5, "folder": "/private"}, "train": {"folder": "/private", "lr": 0.01}},
    panels=(True, False),
)
DATA = json.loads(json.dumps(to_data(SESSION), allow_nan=False))


def test_that_a_session_survives_being_written_and_read() -> None:
    assert from_data(DATA) == SESSION


@pytest.mark.parametrize("part", [part for part in DATA if part not in ("format", "version", "is_closed")])
@pytest.mark.parametrize("junk", [None, 7, "x", [1, {}], {"a": []}, [[[]]]])
def test_that_a_damaged_part_falls_back_alone_and_is_said(part, junk) -> None:
    read = from_data(DATA | {part: junk})
    whole = {name: getattr(SESSION, name) for name in SESSION.__slots__ if name not in (part, "left_out")}
    assert {name: getattr(read, name) for name in whole} == whole
    is_fine = (part in ("conversion", "model") and junk is None) or (part == "seed" and junk == 7)
    assert bool(read.left_out) != is_fine or part in ("stages", "pictures", "panels")


def test_that_a_run_that_cannot_be_read_is_left_out_alone() -> None:
    data = copy.deepcopy(DATA)
    data["runs"][1]["request"]["seed"] = "many"
    del data["runs"][3]["kind"]
    read = from_data(data)
    assert [run.job for run in read.runs] == [1, 3, 7]
    assert read.left_out == ("a run and 1 more",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "not a session"),
        ({}, "not a session"),
        ({"format": "another"}, "not a session"),
        (DATA | {"version": 99}, "newer version"),
        (DATA | {"version": None}, "newer version"),
    ],
)
def test_that_what_is_no_session_is_refused_in_words(data, words) -> None:
    with pytest.raises(Refusal, match=words):
        from_data(data)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(DATA)), PLAIN))
def test_that_no_data_whatever_make_reading_fail_in_another_way(parts) -> None:
    try:
        assert isinstance(from_data(DATA | parts), Session)
    except Refusal:
        assert {"format", "version"} & set(parts)


# Folders


def pixels() -> dict[str, np.ndarray]:
    return {picture.sha256: picture.pixels for picture in PICTURES}


def taken() -> SessionFolder:
    folder = take()
    assert folder is not None
    return folder


def test_that_a_window_finds_its_session_and_its_pictures_again(qapp) -> None:
    folder = taken()
    assert folder.read() == (None, "")
    folder.write(DATA, pixels())
    folder.release()
    again = taken()
    assert again.folder == folder.folder
    assert again.read() == (SESSION, "")
    for picture in PICTURES:
        read = again.picture(picture.sha256, picture.name)
        assert (read.sha256, read.name, read.pixels.shape) == (picture.sha256, picture.name, picture.pixels.shape)
    again.release()


def test_that_two_windows_have_a_session_each(qapp) -> None:
    first, second = taken(), taken()
    assert first.folder != second.folder
    assert (first.is_first, second.is_first) == (True, False)
    second.release()
    first.release()


def test_that_each_start_keeps_the_session_before_and_no_more_than_three(qapp) -> None:
    for seed in range(6):
        folder = taken()
        folder.write(DATA | {"seed": seed}, {})
        folder.write(DATA | {"seed": seed + 100}, {})
        folder.release()
    seeds = [json.loads(path.read_text())["seed"] for path in sorted(folder.folder.glob("session*.json"))]
    assert sorted(seeds) == [102, 103, 104, 105]


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"[1]", b"null", b"[" * 100_000])
def test_that_a_damaged_session_falls_back_to_the_one_before_and_says_so(qapp, damage) -> None:
    folder = taken()
    folder.write(DATA | {"seed": 1}, {})
    folder.release()
    folder = taken()
    folder.write(DATA | {"seed": 2}, {})
    (folder.folder / "session.json").write_bytes(damage)
    session, why = folder.read()
    assert session is not None
    assert session.seed == 1
    assert why
    folder.release()


def test_that_what_cannot_be_read_is_kept_aside_with_its_pictures(qapp) -> None:
    folder = taken()
    folder.write(DATA | {"version": VERSION + 1}, pixels())
    folder.release()
    newer = (folder.folder / "session.json").read_bytes()
    for _ in range(6):
        folder = taken()
        folder.read()
        folder.write(to_data(Session()), {})
        folder.release()
    assert (folder.folder / "session.unread.json").read_bytes() == newer
    assert len(list((folder.folder / "pictures").iterdir())) == len(PICTURES)


def test_that_a_file_larger_than_any_session_pushes_no_session_out(qapp) -> None:
    folder = taken()
    folder.write(DATA, {})
    folder.release()
    with (folder.folder / "session.json").open("r+b") as stream:
        stream.truncate(LARGEST_JSON + 1)
    folder = taken()
    assert folder.read()[0] is None
    folder.write(DATA, {})
    assert folder.read() == (SESSION, "")
    assert sum(path.stat().st_size for path in folder.folder.glob("*.json")) < LARGEST_JSON
    folder.release()


def test_that_a_picture_that_is_another_than_its_name_says_is_refused(qapp) -> None:
    folder = taken()
    folder.write(DATA, pixels())
    a, b = (folder.folder / "pictures" / f"{picture.sha256}.png" for picture in PICTURES[:2])
    a.write_bytes(b.read_bytes())
    with pytest.raises(Refusal, match="not what it was"):
        folder.picture(PICTURES[0].sha256, "a")
    b.write_bytes(b"\x89PNG and then nothing")
    with pytest.raises(Refusal, match="damaged"):
        folder.picture(PICTURES[1].sha256, "b")
    b.unlink()
    with pytest.raises(Refusal, match="gone"):
        folder.picture(PICTURES[1].sha256, "b")
    folder.release()


def test_that_pictures_nobody_names_any_more_are_removed(qapp) -> None:
    folder = taken()
    folder.write(DATA, pixels())
    for _ in range(5):
        folder.release()
        folder = taken()
        folder.write(to_data(Session()), {})
    assert not list((folder.folder / "pictures").iterdir())
    folder.release()


def test_that_a_damaged_session_keeps_no_later_one_from_being_written(qapp) -> None:
    folder = taken()
    folder.write(DATA, pixels())
    folder.release()
    (folder.folder / "session.2.json").write_bytes(b"\xff\xfe\x00" * 1000)
    folder = taken()
    folder.write(DATA, pixels())
    assert folder.read() == (SESSION, "")
    assert len(list((folder.folder / "pictures").iterdir())) == len(PICTURES)
    folder.release()


def test_that_a_session_that_ends_the_program_each_time_is_left_after_two_attempts(qapp) -> None:
    folder = taken()
    assert [folder.attempt() for _ in range(3)] == [True, True, False]
    assert folder.attempt()
    folder.succeed()
    assert [folder.attempt() for _ in range(2)] == [True, True]
    folder.release()


# Files


def test_that_a_session_can_be_taken_elsewhere_in_one_file_that_names_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "mine.diffuscope"
    write_archive(path, to_data(strangers(SESSION)), pixels())
    session, pictures = read_archive(path)
    assert session.runs == SESSION.runs
    assert set(pictures) == set(SESSION.pictures)
    with zipfile.ZipFile(path) as archive:
        text = archive.read("session.json").decode()
    assert "/private" not in text
    assert "/models" not in text
    assert session.stages["train"] == {"lr": 0.01}


def archive_of(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"no archive"),
        lambda path: archive_of(path),
        lambda path: archive_of(path, **{"session.json": b"{}"}),
        lambda path: archive_of(path, **{"session.json": b"[" * 10**6}),
        lambda path: archive_of(path, **{"session.json": b" " * (64 * 2**20 + 2)}),
        lambda path: path.mkdir(),
    ],
)
def test_that_a_file_that_is_no_session_is_refused(tmp_path: Path, make) -> None:
    path = tmp_path / "theirs.diffuscope"
    make(path)
    with pytest.raises(Refusal):
        read_archive(path)


def test_that_of_a_strangers_pictures_only_those_are_read_that_are_what_their_names_say(tmp_path: Path) -> None:
    right, wrong = PICTURES[:2]
    data = DATA | {"pictures": {right.sha256: "right", wrong.sha256: "wrong", "0" * 64: "missing"}}
    files = {
        "session.json": json.dumps(data).encode(),
        f"pictures/{right.sha256}.png": encoded(right.pixels),
        f"pictures/{wrong.sha256}.png": encoded(right.pixels),
        "../../outside.png": b"x",
    }
    path = tmp_path / "theirs.diffuscope"
    archive_of(path, **files)
    _session, pictures = read_archive(path)
    assert set(pictures) == {right.sha256}
    assert not (tmp_path.parent / "outside.png").exists()
