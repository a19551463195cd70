"""Opening a model that does not say all: asked, answered, left, looked at, exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from app.bridge import Bridge
from app.incoming import offer_of
from app.opening_dialog import APART, CheckpointDialog, summary
from app.settings import Settings
from app.state import AppState
from app.window import MainWindow
from core.checkpoints.description import Choice, Description, Fact, Question
from core.errors import Refusal
from core.json_file import LFS_MARK
from core.messages import EngineState, ModelAsks, ModelExported, ModelLoading, ModelOpened, ModelSaving, Status
from tests.app.fake_engine import DIGITS
from tests.app.toy_stage import STAGES
from tests.lookalikes.openai import Options, drawn

HEADS = Question(
    "heads",
    "Attention heads",
    "4",
    "Most networks of this kind have four.",
    (Choice("4", "4 at every level"), Choice("64c", "64 channels each")),
)
SIZE = Question("size", "Picture size", "64", "The bottom is then 8 pixels wide.", low=16, high=256, multiple=16)
ASKED = Description(
    "model",
    "OpenAI improved-diffusion",
    "mine.pt",
    facts=(
        Fact("channels", "128, 256", "shapes"),
        Fact("predicts", "noise", "assumed"),
        Fact("attention heads", "4 at every level", "guessed"),
    ),
    questions=(HEADS, SIZE),
    notes=("The averaged weights are taken.",),
    parameters=52_500_000,
    nbytes=210_000_000,
)


def ask(window: MainWindow, description: Description = ASKED, said: dict[str, str] | None = None) -> CheckpointDialog:
    window.commands.open_model("/models/mine.pt")
    window.bridge.message.emit(ModelAsks("/models/mine.pt", description, tuple((said or {}).items())))
    dialog = window.commands.opening.dialog
    assert dialog is not None
    return dialog


def words(dialog: CheckpointDialog) -> str:
    return "\n".join(label.text() for label in dialog.findChildren(QLabel))


def test_that_a_file_that_does_not_say_all_is_asked_about_beside_what_is_known_of_it(window: MainWindow) -> None:
    dialog = ask(window)
    assert dialog.isVisible()
    assert not dialog.isModal() or dialog.windowModality() is Qt.WindowModality.WindowModal
    for part in ("mine.pt", "OpenAI improved-diffusion", "52.5 M parameters", "200 MiB", "128, 256", "shapes"):
        assert part in words(dialog)
    assert "Guessed: Most networks of this kind have four." in words(dialog)
    assert "The averaged weights are taken." in words(dialog)
    dialog.close()


def test_that_open_sends_the_best_guesses_unless_the_person_knows_better(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.mouseClick(ask(window).open_button, Qt.MouseButton.LeftButton)
    assert window.bridge.calls[-1] == ("open_model", ("/models/mine.pt", {"heads": "4", "size": "64"}))
    assert window.commands.opening.dialog is None
    dialog = ask(window)
    heads, size = dialog.questions.asked
    heads.control.set_value("64c")
    size.control.set_value(100)
    assert heads.origin == "Your choice. The guess was 4 at every level: Most networks of this kind have four."
    assert size.answer == "96"
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert window.bridge.calls[-1] == ("open_model", ("/models/mine.pt", {"heads": "64c", "size": "96"}))


def test_that_what_was_said_before_is_there_again_and_what_means_nothing_any_more_is_not(window: MainWindow) -> None:
    dialog = ask(window, said={"heads": "64c", "size": "7", "gone": "1"})
    assert dialog.questions.answers() == {"heads": "64c", "size": "64"}
    assert dialog.questions.asked[0].origin == "As you said before."
    dialog.close()


def test_that_cancel_leaves_the_model_of_before_and_the_file_off_the_list(window: MainWindow, qtbot: QtBot) -> None:
    window.commands.open_model("digits")
    window.bridge.ready(DIGITS)
    dialog = ask(window)
    assert window.sources.models._combo.currentText() == "digits"
    calls = list(window.bridge.calls)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert window.commands.opening.dialog is None
    assert window.bridge.calls == calls
    listed = window.sources.models.keys()
    assert "/models/mine.pt" not in listed
    assert window.settings.recent_models == ()


def test_that_a_safe_copy_is_asked_a_place_for_and_gets_the_answers(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[QFileDialog] = []
    monkeypatch.setattr("app.opening.open_dialog", shown.append)
    qtbot.mouseClick(ask(window).copy_button, Qt.MouseButton.LeftButton)
    shown[0].fileSelected.emit(str(tmp_path / "copy"))
    expected = ("/models/mine.pt", {"heads": "4", "size": "64"}, str(tmp_path / "copy"))
    assert window.bridge.calls[-1] == ("save_copy", expected)
    window.bridge.message.emit(ModelLoading("mine.pt", 1 << 20, 2 << 20))
    assert window.status_line.loading.words == "1 of 2 MiB"
    window.bridge.message.emit(ModelExported("mine", str(tmp_path / "copy")))
    assert "copy holds the model “mine”" in window.status_line._hint.text()
    shown[0].deleteLater()


WEIGHTS = Question(
    "weights", "Weights", "ema", "Averages draw better.", (Choice("ema", "averaged (EMA)"), Choice("raw", "raw"))
)


def test_that_raw_weights_can_be_chosen_where_a_file_has_averaged_ones_as_well(
    window: MainWindow, qtbot: QtBot
) -> None:
    both = replace(ASKED, facts=(*ASKED.facts, Fact("weights", "averaged (EMA)", "assumed")), options=(WEIGHTS,))
    dialog = ask(window, both)
    (weights,) = dialog.options.asked
    assert weights.origin == "Usual: Averages draw better."
    assert "You can choose" in words(dialog)
    assert APART["assumed"] in words(dialog)  # what is predicted; the weights stand above
    assert words(dialog).count("averaged (EMA)") == 0
    weights.control.set_value("raw")
    assert weights.origin == "Your choice. The usual was averaged (EMA): Averages draw better."
    qtbot.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)
    answers = {"heads": "4", "size": "64", "weights": "raw"}
    assert window.bridge.calls[-1] == ("open_model", ("/models/mine.pt", answers))
    again = ask(window, both, answers)
    assert again.answers() == answers
    assert again.options.asked[0].origin == "As you said before."
    again.close()


def test_that_the_weights_of_a_folder_that_has_both_are_changed_from_the_page_about_it(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    known = Description("model", "diffusers folder", "trained", options=(WEIGHTS,))
    window.state.folders[DIGITS.ref.sha256] = str(tmp_path)
    window.bridge.ready(DIGITS)
    window.bridge.message.emit(ModelOpened(DIGITS, str(tmp_path), known))
    window.registry["about_model"].trigger()
    dialog = window.commands.opening.dialog
    assert dialog is not None
    assert dialog.answers() == {}
    qtbot.mouseClick(dialog.change_button, Qt.MouseButton.LeftButton)
    assert window.bridge.calls[-1] == ("ask_again", str(tmp_path))
    window.bridge.message.emit(ModelAsks(str(tmp_path), known))
    dialog = window.commands.opening.dialog
    assert dialog is not None
    dialog.options.asked[0].control.set_value("raw")
    qtbot.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)
    assert window.bridge.calls[-1] == ("open_model", (str(tmp_path), {"weights": "raw"}))
    about = window.sources.models.about
    for value, text in (("raw: unet/a", "About this model, raw weights"), ("averaged (EMA)", "About this model")):
        opened = replace(known, facts=(Fact("weights", value, "answered"),))
        window.bridge.message.emit(ModelOpened(DIGITS, str(tmp_path), opened))
        assert about.text() == text


def test_that_it_is_told_how_far_a_model_is_written_and_that_it_can_be_left(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = window.status_line.loading
    window.bridge.ready(DIGITS)
    shown: list[QFileDialog] = []
    monkeypatch.setattr("app.opening.open_dialog", shown.append)
    for _ in range(2):  # what was left has nothing to do with the next
        window.registry["export_copy"].trigger()
        shown[-1].fileSelected.emit("/models/out")
        window.bridge.message.emit(ModelSaving("digits", "/models/out", 10 << 20, 136 << 20))
        assert loading.words == "10 of 136 MiB"
        assert loading.toolTip() == "Saving digits"
        assert "nothing of it stays" in loading.cancel.toolTip()
        qtbot.mouseClick(loading.cancel, Qt.MouseButton.LeftButton)
        assert window.bridge.calls[-1] == ("cancel_opening", None)
        window.bridge.message.emit(ModelSaving("digits", "/models/out", 20 << 20, 136 << 20))  # on its way before that
        assert loading.words == ""
        shown[-1].deleteLater()
    window.commands.open_model("/models/large.pt")
    window.bridge.message.emit(ModelLoading("large.pt", 100 << 20, 434 << 20))
    assert loading.toolTip() == "Opening large.pt"
    assert "the model of before stays open" in loading.cancel.toolTip()


def test_that_opening_the_copy_that_was_just_saved_is_told_as_well(window: MainWindow) -> None:
    loading = window.status_line.loading
    dialog = ask(window)
    dialog.close()
    window.commands.opening._save_copy("/models/mine.pt", {}, "/models/copy")
    window.bridge.message.emit(ModelSaving("mine", "/models/copy", 1 << 20, 2 << 20))
    assert loading.words == "1 of 2 MiB"
    window.bridge.message.emit(ModelExported("mine", "/models/copy"))
    assert loading.words == ""
    window.bridge.message.emit(ModelLoading("copy", 2 << 20, 3 << 20))
    assert loading.words == "2 of 3 MiB"


def test_that_another_model_closes_the_page_about_the_first(window: MainWindow) -> None:
    dialog = ask(window)
    window.commands.open_model("digits")
    assert window.commands.opening.dialog is None
    assert not dialog.isVisible()


@pytest.mark.parametrize("questions", [(), (HEADS,)])
def test_that_a_classifier_is_offered_as_guidance(window: MainWindow, qtbot: QtBot, questions: tuple) -> None:
    described = Description("classifier", "OpenAI classifier", "64x64_classifier.pt", questions=questions)
    window.commands.open_model("/models/64x64_classifier.pt")
    window.bridge.message.emit(ModelAsks("/models/64x64_classifier.pt", described))
    dialog = window.commands.opening.dialog
    if questions:
        assert dialog is not None
        assert dialog.open_button.text() == "Guide with it"
        assert dialog.copy_button.isVisible()
        qtbot.mouseClick(dialog.open_button, Qt.MouseButton.LeftButton)
    else:
        assert dialog is None
    assert window.state.cursor.stage == "denoise"
    answers = {"heads": "4"} if questions else None
    assert window.stage.calls.count(("classifier", Path("/models/64x64_classifier.pt"), answers)) == 1
    assert "open_classifier" not in {name for name, _ in window.bridge.calls}  # the stage has it opened, and none else


def test_that_the_safe_copy_of_a_classifier_guides(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[QFileDialog] = []
    monkeypatch.setattr("app.opening.open_dialog", shown.append)
    described = Description("classifier", "OpenAI classifier", "judge.pt", questions=(HEADS,))
    window.bridge.message.emit(ModelAsks("/models/judge.pt", described))
    dialog = window.commands.opening.dialog
    assert dialog is not None
    qtbot.mouseClick(dialog.copy_button, Qt.MouseButton.LeftButton)
    shown[0].fileSelected.emit("/models/copy")
    assert window.bridge.calls[-1] == ("save_copy", ("/models/judge.pt", {"heads": "4"}, "/models/copy"))
    window.bridge.message.emit(ModelExported("judge", "/models/copy", "classifier"))
    assert window.stage.calls[-1] == ("classifier", Path("/models/copy"), None)
    assert "holds the classifier “judge”" in window.status_line._hint.text()
    shown[0].deleteLater()


def test_that_it_is_told_how_far_a_classifier_is_read_until_it_is_there_or_left(
    window: MainWindow, qtbot: QtBot
) -> None:
    loading = window.status_line.loading
    window.commands.opening.open_classifier(Path("/models/judge.pt"))
    window.bridge.message.emit(ModelLoading("judge.pt", 10 << 20, 200 << 20, "classifier"))
    assert loading.words == "10 of 200 MiB"
    qtbot.mouseClick(loading.cancel, Qt.MouseButton.LeftButton)
    assert window.bridge.calls[-1] == ("cancel_opening", None)
    assert loading.words == ""
    window.bridge.message.emit(ModelLoading("judge.pt", 20 << 20, 200 << 20, "classifier"))  # on its way before that
    window.state.set_status(Status(EngineState.IDLE, "cpu"))
    assert loading.words == ""


def test_that_it_is_told_how_far_a_file_is_read_and_that_it_can_be_left(window: MainWindow, qtbot: QtBot) -> None:
    loading = window.status_line.loading
    window.commands.open_model("/models/large.pt")
    assert loading.words == ""
    window.bridge.message.emit(ModelLoading("large.pt", 100 << 20, 434 << 20))
    assert loading.isVisible()
    assert loading.words == "100 of 434 MiB"
    qtbot.mouseClick(loading.cancel, Qt.MouseButton.LeftButton)
    assert window.bridge.calls[-1] == ("cancel_opening", None)
    assert loading.words == ""
    window.bridge.message.emit(ModelLoading("large.pt", 120 << 20, 434 << 20))
    assert loading.words == ""
    window.commands.open_model("/models/other.pt")
    window.bridge.message.emit(ModelLoading("large.pt", 140 << 20, 434 << 20))
    assert loading.words == ""
    window.bridge.message.emit(ModelLoading("other.pt", 1 << 20, 4 << 20))
    assert loading.words == "1 of 4 MiB"
    window.bridge.fail(None, "It is damaged.")
    assert loading.words == ""


def test_that_what_is_known_of_the_open_model_can_be_looked_at_and_answered_anew(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    file = tmp_path / "mine.pt"
    file.write_bytes(b"weights")
    chooser, action = window.sources.models, window.registry["about_model"]
    assert not action.isEnabled()
    window.state.folders[DIGITS.ref.sha256] = str(file)
    window.bridge.ready(DIGITS)
    assert chooser.about.isHidden()
    window.bridge.message.emit(ModelOpened(DIGITS, str(file), ASKED))
    assert chooser.about.text() == "About this model, 1 guess"
    assert "The averaged weights are taken." in chooser.about.toolTip()
    qtbot.mouseClick(chooser.about, Qt.MouseButton.LeftButton)
    dialog = window.commands.opening.dialog
    assert dialog is not None
    assert dialog.questions.answers() == {}
    assert not dialog.open_button.isVisible()
    assert "guessed" in words(dialog)
    qtbot.mouseClick(dialog.change_button, Qt.MouseButton.LeftButton)
    assert window.bridge.calls[-1] == ("ask_again", str(file))
    window.state.folders[DIGITS.ref.sha256] = str(tmp_path)
    action.trigger()
    dialog = window.commands.opening.dialog
    assert dialog is not None
    assert not dialog.change_button.isVisible()
    qtbot.mouseClick(dialog.close_button, Qt.MouseButton.LeftButton)
    assert window.commands.opening.dialog is None


def test_that_what_is_assumed_is_no_guess_and_stands_apart(window: MainWindow) -> None:
    answered = replace(ASKED, facts=(*ASKED.facts[:2], Fact("attention heads", "4", "answered")), questions=())
    window.bridge.ready(DIGITS)
    window.bridge.message.emit(ModelOpened(DIGITS, "/models/mine.pt", answered))
    assert window.sources.models.about.text() == "About this model"
    window.registry["about_model"].trigger()
    dialog = window.commands.opening.dialog
    assert dialog is not None
    known, assumed = words(dialog).split(APART["assumed"])
    assert "attention heads" in known
    assert "predicts" in assumed
    assert APART["guessed"] not in assumed
    dialog.close()


@pytest.mark.parametrize("form", ["diffusers", "copy"])
def test_that_the_open_model_is_exported_in_either_form(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    action = window.registry[f"export_{form}"]
    assert not action.isEnabled()
    window.bridge.ready(DIGITS)
    shown: list[QFileDialog] = []
    monkeypatch.setattr("app.opening.open_dialog", shown.append)
    action.trigger()
    shown[0].fileSelected.emit("/models/out")
    assert window.bridge.calls[-1] == ("export_model", (DIGITS.ref, "/models/out", form))
    shown[0].deleteLater()


def test_that_a_new_folder_is_proposed_beside_the_model_and_never_one_that_is_there(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[QFileDialog] = []
    monkeypatch.setattr("app.opening.open_dialog", shown.append)
    place = tmp_path / DIGITS.ref.name
    place.mkdir()
    window.state.folders[DIGITS.ref.sha256] = str(place)
    window.bridge.ready(DIGITS)
    window.registry["export_copy"].trigger()
    assert shown[0].selectedFiles() == [f"{place} 2"]
    shown[0].deleteLater()


def test_that_a_file_is_chosen_in_a_dialog_of_its_own(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[QFileDialog] = []
    monkeypatch.setattr("app.opening.open_dialog", shown.append)
    window.registry["open_weights"].trigger()
    shown[0].fileSelected.emit("/models/mine.ckpt")
    assert window.bridge.calls == [("open_model", "/models/mine.ckpt")]
    shown[0].deleteLater()


def test_that_a_line_sums_up_whose_format_it_is_and_how_large() -> None:
    assert summary(ASKED) == "OpenAI improved-diffusion · 52.5 M parameters · 200 MiB"


def test_that_a_file_goes_all_the_way_from_its_name_to_the_open_model_and_is_asked_about_once(
    qapp: QApplication, qtbot: QtBot, tmp_path: Path
) -> None:
    torch.save(drawn(Options(32, (1, 2), (1,), heads=4, times=0.25), 0), tmp_path / "mine.pt")
    state = AppState()
    bridge = Bridge(state)
    window = MainWindow(state, bridge, settings=Settings(), stages=STAGES)
    state.setParent(window)
    qtbot.addWidget(window)
    window.show()
    bridge.start()
    try:
        window.commands.open_path(tmp_path / "mine.pt")
        qtbot.waitUntil(lambda: window.commands.opening.dialog is not None, timeout=20_000)
        assert state.model is None
        qtbot.mouseClick(window.commands.opening.dialog.open_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: state.model is not None, timeout=20_000)
        assert state.model.ref.name == "mine"
        assert state.model.schedule.T == 4000
        assert window.settings.recent_models == (tmp_path / "mine.pt",)
        assert window.sources.models.about.text() == "About this model"
        state.set_model(None)
        window.commands.open_path(tmp_path / "mine.pt")
        qtbot.waitUntil(lambda: state.model is not None, timeout=20_000)
        assert window.commands.opening.dialog is None
    finally:
        window.close()
        assert bridge.shut_down(10)


@pytest.mark.parametrize("ending", [".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".pkl"])
def test_that_a_file_of_weights_is_a_model_to_be_opened(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"mine{ending}"
    file.write_bytes(b"weights")
    found = offer_of((file,))
    assert (found.kind, found.paths) == ("model", (file,))
    assert offer_of((tmp_path,)).paths == (file,)


@pytest.mark.parametrize("ending", [".bin", ".safetensors"])
def test_that_a_file_of_a_models_folder_is_that_folder(tmp_path: Path, ending: str) -> None:
    (tmp_path / "model" / "unet").mkdir(parents=True)
    (tmp_path / "model" / "model_index.json").write_text("{}")
    file = tmp_path / "model" / "unet" / f"diffusion_pytorch_model{ending}"
    file.write_bytes(b"weights")
    assert offer_of((file,)).paths == (tmp_path / "model",)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("mine.pt", b"", "is empty"),
        ("mine.safetensors", LFS_MARK + b".com/spec/v1\n", "only a pointer"),
        ("mine.onnx", b"x", "is a file of ONNX"),
        ("mine.h5", b"x", "is a file of Keras"),
    ],
)
def test_that_a_file_of_no_use_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refusal, match=reason):
        offer_of((tmp_path / name,))


def test_that_of_several_files_in_a_folder_the_one_meant_is_asked_for(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        (tmp_path / name).write_bytes(b"weights")
    with pytest.raises(Refusal, match="holds 2 files of weights"):
        offer_of((tmp_path,))
