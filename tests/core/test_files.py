import errno
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from core.errors import Refusal
from core.files import check_writable, write_file


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
