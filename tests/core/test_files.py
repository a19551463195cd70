import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from core.errors import Refusal
from core.files import check_writable, clear_leftovers, write_file


def test_that_a_file_is_written_with_ordinary_permissions_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_file(path, lambda stream: stream.write(b"new"))
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_that_a_failure_in_the_middle_leaves_the_older_file_whole(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(stream: BinaryIO) -> None:
        stream.write(b"half of it")
        raise error

    with pytest.raises((Refusal, KeyboardInterrupt)):
        write_file(path, fail)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "may not be written"),
        (errno.EROFS, "may not be written"),
        (errno.ENAMETOOLONG, "too long"),
        (errno.EIO, "could not be written"),
    ],
)
def test_that_each_reason_has_words_of_its_own(tmp_path: Path, code: int, words: str) -> None:
    def fail(stream: BinaryIO) -> None:
        raise OSError(code, os.strerror(code))

    with pytest.raises(Refusal, match=words):
        write_file(tmp_path / "a.bin", fail)


def test_that_a_really_full_device_is_said_to_be_full() -> None:
    with pytest.raises(Refusal, match="disk is full"):
        write_file(Path("/dev/full"), lambda stream: stream.write(bytes(100_000)))


def test_that_hopeless_places_are_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="does not exist"):
        check_writable(tmp_path / "missing" / "a.png")
    with pytest.raises(Refusal, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(Refusal, match=r"end in \.png"):
        check_writable(tmp_path / "a.txt", ".png")
    check_writable(tmp_path / "a.PNG", ".png")


# What is left of no process that is running: such numbers are never given.
GONE = 999_999_999


@pytest.mark.parametrize("name", ["run", "checkpoint.safetensors", "x" * 150])
def test_that_what_killed_processes_left_of_a_file_or_folder_is_cleared(tmp_path: Path, name: str) -> None:
    shown = name[:40]
    (tmp_path / f".{shown}-{GONE}-abcd_123").mkdir()
    (tmp_path / f".{shown}-{GONE}-abcd_123" / "weights").touch()
    (tmp_path / f".{shown}-{GONE}-abcd_456.part").touch()
    clear_leftovers(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_that_a_name_that_a_disk_just_takes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("漢" * 85)  # 255 bytes
    write_file(path, lambda stream: stream.write(b"new"))
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    "name",
    [
        "run",
        f"run-{GONE}-abcd_123",  # not hidden
        f".run-2-{GONE}-abcd_123",  # belongs to run-2
        f".walk-{GONE}-abcd_123",
        f".run-{os.getppid()}-abcd_123",  # at work
        f".run-{GONE}-abcd_1234",
        ".run-notes",
    ],
)
def test_that_nothing_else_is_cleared(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    clear_leftovers(tmp_path / "run")
    assert os.listdir(tmp_path) == [name]


def test_that_clearing_follows_no_link_and_needs_no_folder(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "picture").touch()
    (tmp_path / f".run-{GONE}-abcd_123").symlink_to(tmp_path / "mine", target_is_directory=True)
    clear_leftovers(tmp_path / "run")
    assert (tmp_path / "mine" / "picture").exists()
    clear_leftovers(tmp_path / "nowhere" / "run")


def test_that_a_process_that_is_killed_leaves_what_the_next_one_clears(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from core.files import write_file\n"
        f"write_file(Path({str(tmp_path / 'a.bin')!r}), lambda stream: os.kill(os.getpid(), signal.SIGKILL))"
    )
    subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).resolve().parents[2])
    assert len(os.listdir(tmp_path)) == 1
    clear_leftovers(tmp_path / "a.bin")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_that_a_pipe_that_nobody_reads_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refusal, match="pipe"):
        write_file(tmp_path / "pipe", lambda stream: stream.write(b"new"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_that_a_pipe_that_is_read_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_file(tmp_path / "pipe", lambda stream: stream.write(b"new"))
        assert os.read(reader, 10) == b"new"
    finally:
        os.close(reader)
