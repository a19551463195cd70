"""File → Open recent: pictures and models that were opened last."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtGui import QAction

from app.recent import MENU, named_apart, where
from app.settings import Settings
from app.window import MainWindow
from core.messages import ModelOpened
from resources import samples
from tests.app.fake_engine import DIGITS


def listed(window: MainWindow) -> list[QAction]:
    """What the menu holds above its last line, opened anew."""
    menu = window.menus[MENU]
    menu.aboutToShow.emit()
    lines = [action for action in menu.actions() if not action.isSeparator()]
    assert lines[-1] is window.registry["clear_recent"]
    return lines[:-1]


def words(window: MainWindow) -> list[str]:
    return [action.text() for action in listed(window)]


def picture(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (5, 4)).save(path)
    return path


def test_that_pictures_and_models_stand_apart_and_open_again(window: MainWindow, tmp_path: Path) -> None:
    file, folder = tmp_path / "mine.pt", tmp_path / "mine step 275"
    file.write_bytes(b"weights")
    folder.mkdir()
    window.commands.open_path(picture(tmp_path / "recent.png"))
    for place in (folder, file):
        window.bridge.message.emit(ModelOpened(DIGITS, str(place)))
    lines = listed(window)
    assert [line.text() for line in lines] == ["Pictures", "recent.png", "Models", "mine.pt", "mine step 275"]
    assert [line.isEnabled() for line in lines] == [False, True, False, True, True]
    assert lines[3].toolTip() == str(file)
    window.state.set_image(None)
    lines[1].trigger()
    assert window.state.image is not None
    lines[3].trigger()
    assert window.bridge.calls[-1] == ("open_model", str(file))


def test_that_a_picture_has_the_thumbnail_that_was_made_of_it(window: MainWindow, tmp_path: Path) -> None:
    window.settings.remember_picture(picture(tmp_path / "never opened here.png"))
    window.commands.open_path(picture(tmp_path / "recent.png"))
    _, recent, never = listed(window)
    assert not recent.icon().isNull()
    assert never.icon().isNull()


def test_that_those_with_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    home = Path.home()
    paths = [home / "a" / "cat.png", Path("/b/cat.png"), Path("/b/dog.png")]
    assert named_apart(paths) == ("cat.png — ~/a", "cat.png — /b", "dog.png")
    assert where(home / "cat.png") in ("~", "~/.")
    (long,) = named_apart([Path("/" + 50 * "beginning" + "end.png")])
    assert len(long) < 70
    assert long.endswith("end.png")


def test_that_an_ampersand_in_a_name_is_shown(window: MainWindow, tmp_path: Path) -> None:
    window.commands.open_path(picture(tmp_path / "you & me.png"))
    assert words(window) == ["Pictures", "you && me.png"]


def test_that_what_is_gone_is_left_out_and_an_empty_list_says_so(window: MainWindow, tmp_path: Path) -> None:
    assert words(window) == ["Nothing yet"]
    assert not window.registry["clear_recent"].isEnabled()
    window.commands.open_path(picture(tmp_path / "gone.png"))
    window.commands.open_path(picture(tmp_path / "there.png"))
    (tmp_path / "gone.png").unlink()
    assert words(window) == ["Pictures", "there.png"]


def test_that_a_cleared_list_is_empty_here_in_the_gallery_and_at_the_next_start(
    window: MainWindow, tmp_path: Path
) -> None:
    window.commands.open_path(picture(tmp_path / "recent.png"))
    window.settings.remember_model(tmp_path)
    assert tmp_path / "recent.png" in window.sources.gallery.paths()
    assert words(window) == ["Pictures", "recent.png", "Models", tmp_path.name]
    window.registry["clear_recent"].trigger()
    assert words(window) == ["Nothing yet"]
    assert set(window.sources.gallery.paths()) <= {sample.path for sample in samples()}
    assert (tmp_path / "recent.png").exists()
    window.settings.save()
    assert (Settings().recent_pictures, Settings().recent_models) == ((), ())


@pytest.mark.parametrize("name", ["n" * 5000, "with a \0 in it"])
def test_that_a_path_that_no_file_can_have_is_left_out(window: MainWindow, name: str) -> None:
    window.settings._store.setValue("recent/pictures", [name])
    assert words(window) == ["Nothing yet"]
