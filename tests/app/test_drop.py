"""What comes in from other programs: told apart, named before the drop, and refused with a reason."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.incoming import files, offer, offer_of, pictures_in, pixels_of, sources
from app.window import MainWindow
from core.errors import Refusal
from core.messages import ModelOpened
from resources import samples
from tests.app.fake_engine import DIGITS


def zipped(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, b"content")
    return stream.getvalue()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "holiday.png"
    Image.fromarray(np.arange(30 * 20 * 3, dtype=np.uint8).reshape(20, 30, 3)).save(path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "my model"
    (folder / "unet").mkdir(parents=True)
    (folder / "model_index.json").write_text("{}")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    return folder


@pytest.mark.parametrize("inside", ["models--someone--tiny/snapshots/0123", "trained/checkpoint-500"])
def test_that_a_model_is_found_where_a_training_or_the_hub_has_put_it(model: Path, tmp_path: Path, inside: str) -> None:
    (tmp_path / inside).parent.mkdir(parents=True)
    (model / "unet" / "config.json").write_text("{}")
    model.rename(tmp_path / inside)
    folder = tmp_path / inside.split("/")[0]
    assert offer(of_files(folder)).paths == (folder,)
    (tmp_path / inside / "model_index.json").unlink()
    (tmp_path / inside / "unet" / "config.json").unlink()
    with pytest.raises(Refusal, match="neither a model"):
        offer(of_files(folder))


@pytest.mark.parametrize("name", ["ema_0.9999_500000", "unet.th", "weights.model"])
def test_that_weights_are_told_by_what_is_in_them_where_the_name_does_not_say_it(tmp_path: Path, name: str) -> None:
    torch.save({"a": torch.ones(3)}, tmp_path / name)
    assert offer(of_files(tmp_path / name)).kind == "model"
    (tmp_path / name).write_bytes(png(0))
    assert offer(of_files(tmp_path / name)).kind == "pictures"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("model.zip", zipped("model.safetensors"), "zip archive. Unpack it"),
        ("model.tar.gz", b"\x1f\x8b" + bytes(30), r"archive \(gzip\). Unpack it"),
        ("statistics.npz", zipped("mu.npy"), "arrays of numpy"),
        ("model.ckpt-790000.data-00000-of-00001", bytes(50), "checkpoint of TensorFlow"),
    ],
)
def test_that_what_a_model_comes_in_is_told_from_a_picture(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refusal, match=words):
        offer(of_files(tmp_path / name))


def of_files(*paths: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def of_data(form: str, data: bytes) -> QMimeData:
    mime = QMimeData()
    mime.setData(form, data)
    return mime


def of_text(text: str) -> QMimeData:
    mime = QMimeData()
    mime.setText(text)
    return mime


def png(value: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), (value, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


def drag(window: MainWindow, mime: QMimeData) -> None:
    actions, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    window.dragEnterEvent(QDragEnterEvent(QPoint(500, 300), actions, mime, button, Qt.KeyboardModifier.NoModifier))


def drop(window: MainWindow, mime: QMimeData) -> None:
    drag(window, mime)
    actions, button = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    window.dropEvent(QDropEvent(QPointF(500, 300), actions, mime, button, Qt.KeyboardModifier.NoModifier))


# ------------------------------------------------------------------------------------------------ telling apart


def test_that_a_bundled_picture_has_its_own_name_however_it_is_opened(tmp_path: Path) -> None:
    three = next(sample for sample in samples() if sample.name == "digit 3")
    assert [source.name for source in files(offer_of((three.path,)))] == ["digit 3"]
    copy = tmp_path / three.path.name
    copy.write_bytes(three.path.read_bytes())
    assert [source.name for source in files(offer_of((copy,)))] == [copy.name]


def test_that_files_folders_and_models_are_told_apart(picture: Path, model: Path) -> None:
    assert offer(of_files(picture)).kind == "pictures"
    assert offer(of_files(model)).kind == "model"
    assert offer(of_files(picture.parent)).kind == "folder"
    assert offer(of_files(picture, picture)).paths == (picture, picture)


def test_that_a_folder_of_classes_is_a_folder_of_pictures(picture: Path, tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "one.png").write_bytes(picture.read_bytes())
    found = offer(of_files(tmp_path / "pets"))
    assert found.kind == "folder"
    assert [(path.parent.name, path.name) for path in pictures_in(found.paths[0])] == [
        ("cats", "one.png"),
        ("dogs", "one.png"),
    ]


def test_that_weights_stand_for_the_folder_they_lie_in(model: Path) -> None:
    assert offer_of((model / "unet" / "diffusion_pytorch_model.safetensors",)).paths == (model,)


@pytest.mark.parametrize("name", ["n" * 5000 + ".pt", "a\0b.png", "~nobody of this name/x.png", "/dev/null/x.png"])
def test_that_a_name_that_no_file_can_have_is_said_to_be_none(name: str) -> None:
    with pytest.raises(Refusal, match="is not there"):
        offer_of((Path(name),))
    with pytest.raises(Refusal, match="no picture in this"):
        offer(of_text(name))


def test_that_a_path_in_a_text_is_a_file(picture: Path) -> None:
    assert offer(of_text(f"  {picture}\n")).paths == (picture,)
    assert offer(of_text(f'"{picture}"')).paths == (picture,)
    assert offer(of_text(QUrl.fromLocalFile(str(picture)).toString())).paths == (picture,)


def link() -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/cat.png")])
    return mime


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _folder: of_text("hello"), "no picture in this"),
        (lambda _folder: QMimeData(), "no picture in this"),
        (lambda _folder: link(), "only a link"),
        (lambda folder: of_files(folder), "neither a model, a classifier nor pictures"),
        (lambda folder: of_files(folder / "gone.png"), "is not there"),
    ],
)
def test_that_what_cannot_be_used_is_refused_with_a_reason(
    tmp_path: Path, make: Callable[[Path], QMimeData], reason: str
) -> None:
    with pytest.raises(Refusal, match=reason):
        offer(make(tmp_path))


def test_that_an_encoded_picture_is_preferred_and_decoded(picture: Path) -> None:
    mime = of_data("image/png", png(200))
    mime.setImageData(QImage(2, 2, QImage.Format.Format_RGB32))
    (source,) = sources(mime)
    assert source.open().pixels[0, 0].tolist() == [200, 0, 0]


def test_that_a_link_with_picture_data_is_a_picture() -> None:
    mime = link()
    mime.setData("image/png", png(9))
    assert sources(mime)[0].open().pixels.shape == (3, 4, 3)


@pytest.mark.parametrize(
    ("form", "channels"),
    [
        (QImage.Format.Format_RGB888, 3),
        (QImage.Format.Format_RGB32, 3),
        (QImage.Format.Format_ARGB32, 4),
        (QImage.Format.Format_Grayscale8, 1),
    ],
)
def test_that_raw_pixels_come_over_row_by_row_even_at_odd_widths(form: QImage.Format, channels: int) -> None:
    image = QImage(5, 3, form)
    for y in range(3):
        for x in range(5):
            value = 10 * y + x
            image.setPixel(x, y, 0xFF000000 | value * 0x10101)
    if channels == 3:
        image.setPixel(4, 2, 0xFF010203)
    pixels = pixels_of(image)
    assert pixels.shape == (3, 5, channels)
    assert pixels[1, 3, 0] == 13
    if channels == 3:
        assert pixels[2, 4].tolist() == [1, 2, 3]
    if channels == 4:
        assert (pixels[..., 3] == 255).all()


# ------------------------------------------------------------------------------------------------ on the window


def test_that_the_overlay_names_what_a_drop_will_do(window: MainWindow, picture: Path, model: Path) -> None:
    drag(window, of_files(picture))
    assert window.dropping.overlay.isVisible()
    assert window.dropping.overlay.text == "Noise it: holiday.png"
    assert window.dropping.overlay.geometry() == window.rect()
    drag(window, of_files(model))
    assert window.dropping.overlay.text == "Open this model: my model"
    drag(window, of_files(picture, picture, picture))
    assert window.dropping.overlay.text == "Noise it: holiday.png; the other 2 are kept at hand"
    drag(window, of_text("hello"))
    assert window.dropping.overlay.text.startswith("This cannot be used here: There is no picture")


def test_that_the_pointer_shows_whether_a_drop_would_do_something(window: MainWindow, picture: Path) -> None:
    for mime, accepted in ((of_files(picture), True), (of_text("hello"), False)):
        drag(window, mime)
        moved = QDragMoveEvent(
            QPoint(510, 300),
            Qt.DropAction.CopyAction,
            mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        window.dragMoveEvent(moved)
        assert moved.isAccepted() is accepted


def test_that_the_overlay_goes_when_the_drag_leaves(window: MainWindow, picture: Path) -> None:
    drag(window, of_files(picture))
    window.dragLeaveEvent(QDragLeaveEvent())
    assert not window.dropping.overlay.isVisible()
    assert window.state.image is None


def test_that_the_overlay_covers_the_window_when_it_grows(window: MainWindow, picture: Path, qtbot: QtBot) -> None:
    drag(window, of_files(picture))
    window.resize(1400, 900)
    qtbot.waitUntil(lambda: window.dropping.overlay.geometry() == window.rect())


def test_that_a_dropped_file_becomes_the_picture_and_is_remembered(window: MainWindow, picture: Path) -> None:
    drop(window, of_files(picture))
    assert not window.dropping.overlay.isVisible()
    assert window.state.image is not None
    assert window.state.image.name == "holiday.png"
    assert window.settings.recent_pictures == (picture,)


def test_that_of_several_files_the_first_is_used_and_all_are_at_hand(window: MainWindow, tmp_path: Path) -> None:
    paths = []
    for name in ("a.png", "b.png", "c.png"):
        Image.new("L", (8, 8), len(paths) * 50).save(tmp_path / name)
        paths.append(tmp_path / name)
    drop(window, of_files(*paths))
    assert window.state.image is not None
    assert window.state.image.name == "a.png"
    assert window.sources.gallery.paths()[:3] == tuple(paths)


def test_that_raw_picture_data_becomes_the_picture(window: MainWindow) -> None:
    drop(window, of_data("image/png", png(77)))
    assert window.state.image is not None
    assert window.state.image.pixels[0, 0].tolist() == [77, 0, 0]


def test_that_a_dropped_model_is_opened(window: MainWindow, model: Path) -> None:
    drop(window, of_files(model))
    assert window.bridge.calls == [("open_model", str(model))]
    assert window.settings.recent_models == ()
    window.bridge.message.emit(ModelOpened(DIGITS, str(model)))
    assert window.settings.recent_models == (model,)


def test_that_a_classifier_dropped_anywhere_guides_in_denoise(window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "guide" / "classifier").mkdir(parents=True)
    (tmp_path / "guide" / "classifier" / "config.json").write_text("{}")
    drag(window, of_files(tmp_path / "guide"))
    assert window.dropping.overlay.text == "Guide with this classifier: guide"
    drop(window, of_files(tmp_path / "guide"))
    assert window.state.cursor.stage == "denoise"
    assert ("classifier", tmp_path / "guide", None) in window.stage.calls


def test_that_a_dropped_folder_goes_to_the_stage_or_else_its_pictures_are_opened(
    window: MainWindow, picture: Path
) -> None:
    drop(window, of_files(picture.parent))
    assert window.state.image is not None
    window.state.set_image(None)
    window.state.move(stage="denoise")
    drop(window, of_files(picture.parent))
    assert window.state.image is None
    assert window.stage.calls[-1] == picture.parent


def test_that_a_file_that_is_no_picture_is_refused_in_words_and_the_old_picture_stays(
    window: MainWindow, picture: Path, tmp_path: Path
) -> None:
    drop(window, of_files(picture))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    drop(window, of_files(broken))
    assert "broken.png" in window.stage.errors.message()
    assert window.state.image.name == "holiday.png"
    drop(window, of_text("hello"))
    assert "no picture in this" in window.stage.errors.message()


def test_that_a_good_picture_takes_an_old_error_away(window: MainWindow, picture: Path) -> None:
    drop(window, of_text("hello"))
    drop(window, of_files(picture))
    assert window.stage.errors.message() == ""


def test_that_paste_takes_pictures_paths_and_files_alike(window: MainWindow, picture: Path, qtbot: QtBot) -> None:
    clipboard = QApplication.clipboard()
    window.setFocus()
    for mime, name in (
        (of_data("image/png", png(5)), "pasted picture"),
        (of_text(str(picture)), "holiday.png"),
        (of_files(picture), "holiday.png"),
    ):
        window.state.set_image(None)
        clipboard.setMimeData(mime)
        qtbot.keyClick(window, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
        assert window.state.image is not None
        assert window.state.image.name == name
    image = QImage(3, 2, QImage.Format.Format_RGB32)
    image.fill(0xFF0A0B0C)
    clipboard.setImage(image)
    qtbot.keyClick(window, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert window.state.image.pixels[0, 0].tolist() == [10, 11, 12]


def test_that_pasting_into_a_text_field_pastes_text(window: MainWindow, qtbot: QtBot) -> None:
    QApplication.clipboard().setText("12")
    window.stage.text.setFocus()
    qtbot.keyClick(window.stage.text, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert window.stage.text.text() == "12"
    assert window.stage.errors.message() == ""
