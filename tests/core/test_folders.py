from pathlib import Path

import pytest

from core import folders
from core.errors import Refusal

ALL = [folders.data_folder, folders.cache_folder, folders.config_folder, folders.log_folder]


def test_that_everything_lies_under_the_home_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "home"))
    made = [folder() for folder in ALL]
    assert [path.parent for path in made] == [tmp_path / "home"] * 4
    assert len(set(made)) == 4
    assert all(path.is_dir() for path in made)


def test_that_the_platform_decides_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIFFUSCOPE_HOME", raising=False)
    monkeypatch.setattr(folders.platformdirs, "user_data_dir", lambda name, appauthor: str(tmp_path / name))
    assert folders.data_folder() == tmp_path / "diffuscope"


def test_that_a_folder_that_cannot_be_made_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DIFFUSCOPE_HOME", str(tmp_path / "file"))
    with pytest.raises(Refusal, match="DIFFUSCOPE_HOME"):
        folders.data_folder()
