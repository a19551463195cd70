"""Writing a morph: what the menu offers, what the dialog asks, what the files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtTest import QSignalSpy
from PySide6.QtWidgets import QFileDialog, QWidget

from app.exports.saving import ask_file
from app.stages.morph_export import FORMATS, ExportSettings, export, there_and_back
from app.stages.morph_export_menu import ExportMenu
from core.errors import Refusal


def frames(count: int = 4) -> np.ndarray:
    return np.stack([np.full((5, 6, 3), 40 * k, np.uint8) for k in range(count)])


def test_that_there_and_back_has_each_end_once():
    assert there_and_back(frames())[:, 0, 0, 0].tolist() == [0, 40, 80, 120, 80, 40]
    assert there_and_back(frames(2))[:, 0, 0, 0].tolist() == [0, 40]


@pytest.mark.parametrize("ending", [".gif", ".apng", ".webp"])
def test_that_an_animation_keeps_order_time_and_size(tmp_path: Path, ending: str):
    said = export(tmp_path / f"a{ending}", frames(), list("abcd"), 4, ExportSettings(70, False, 3))
    with Image.open(tmp_path / f"a{ending}") as image:
        assert image.size == (18, 15)
        shown = []
        for frame in range(image.n_frames):
            image.seek(frame)
            image.load()
            assert image.info["duration"] == 70
            shown.append(image.convert("RGB").getpixel((9, 7))[0])
    assert shown == [0, 40, 80, 120]
    assert "0.3 s" in said


def test_that_nothing_to_write_is_refused(tmp_path: Path):
    with pytest.raises(Refusal, match="No frame is finished"):
        export(tmp_path / "a.gif", frames()[:0], [], 1)


def test_that_a_format_that_is_not_known_is_refused(tmp_path: Path):
    with pytest.raises(Refusal, match=r"\.gif"):
        export(tmp_path / "a.mp4", frames(), list("abcd"), 4)


def test_that_the_menu_says_what_was_chosen(qtbot):
    menu = ExportMenu()
    qtbot.addWidget(menu)
    assert menu.settings() == ExportSettings(100, False, 8)
    menu.milliseconds.set_value(250)
    menu.zoom.set_value(2)
    menu.both_ways.setChecked(True)
    assert menu.settings() == ExportSettings(250, True, 2)
    spy = QSignalSpy(menu.chosen)
    for action in menu.formats.values():
        action.trigger()
    assert [spy.at(k)[0] for k in range(spy.count())] == [".gif", ".apng", ".webp", ".png"]


@pytest.mark.parametrize("ending", FORMATS)
def test_that_the_dialog_asks_for_a_file_of_that_kind(qtbot, ending: str, tmp_path):
    window = QWidget()
    qtbot.addWidget(window)
    chosen = []
    dialog = ask_file(window, "Export the morph", f"morph{ending}", FORMATS[ending], (ending,), chosen.append)
    assert dialog.acceptMode() is QFileDialog.AcceptMode.AcceptSave
    assert f"*{ending}" in dialog.nameFilters()[0]
    dialog.fileSelected.emit(str(tmp_path / "mine"))
    dialog.fileSelected.emit(str(tmp_path / f"mine{ending.upper()}"))
    assert chosen == [tmp_path / f"mine{ending}", tmp_path / f"mine{ending.upper()}"]
