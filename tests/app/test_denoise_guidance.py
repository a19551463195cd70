"""Guidance in Denoise: by a classifier, in an interval, rescaled; what of it is seen, and what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QUrl
from PySide6.QtWidgets import QFileDialog

from app.incoming import Offer, offer
from app.stages.denoise_settings import ClassifierSettings, DenoiseSettings, misfit, resolve, settings_of
from app.state import Run
from app.widgets.run_words import description, summary
from core.checkpoints.description import Description
from core.codec import from_json, to_json
from core.errors import Refusal
from core.messages import ClassifierOpened, ModelAsks
from core.requests import ClassifierSpec, InspectStep, ModelRef, SampleRequest, SamplerSpec
from tests.app.fake_engine import DIGITS, GUIDE
from tests.app.scenes import denoising

WITHOUT_LABELS = replace(DIGITS, labels=(), null_label=None)
JUDGE = replace(GUIDE, ref=ModelRef("digits-judge", "e" * 64), noisy=False)
LARGE = replace(GUIDE, ref=ModelRef("large", "f" * 64), event_shape=(3, 64, 64))


@pytest.fixture
def scene(qtbot):
    """Denoise with a model, about to make 5 steps of 3 samples; no classifier is open."""
    with denoising(qtbot) as (state, bridge, stage):
        bridge.ready()
        stage.controls.steps.set_value(5)
        stage.controls.count.set_value(3)
        yield state, bridge, stage


def press(scene):
    _, bridge, stage = scene
    stage.buttons.run.click()
    return bridge.submitted[-1]


def guide(scene):
    """Open a classifier and choose it."""
    _, bridge, stage = scene
    bridge.know()
    stage.controls.classifier.choice.set_value(GUIDE.ref.sha256)
    return stage.controls.classifier


# Settings and requests


@pytest.mark.parametrize(
    ("control", "value", "field", "expected"),
    [
        ("first", 700, "interval", (700, 0)),
        ("last", 100, "interval", (999, 100)),
        ("rescale", 0.7, "rescale", 0.7),
        ("temperature", 0.8, "temperature", 0.8),
        ("clip", "dynamic", "sampler", SamplerSpec(clip="dynamic")),
        ("sampler", "heun", "sampler", SamplerSpec("heun")),
        ("sampler", "dpmpp", "sampler", SamplerSpec("dpmpp")),
    ],
)
def test_that_every_control_is_in_the_request(scene, control, value, field, expected):
    _, _, stage = scene
    getattr(stage.controls, control).set_value(value)
    assert getattr(press(scene), field) == expected


def test_that_the_ends_of_the_interval_never_pass_each_other(scene):
    controls = scene[2].controls
    controls.first.set_value(700)
    controls.last.set_value(800)
    assert press(scene).interval == (800, 800)
    controls.first.set_value(300)
    assert press(scene).interval == (300, 300)


def test_that_the_whole_way_down_is_no_interval(scene):
    assert press(scene).interval is None


def test_that_dynamic_thresholding_has_its_percentile_and_its_limit_there_alone(scene):
    _, _, stage = scene
    controls = stage.controls
    controls.more.set_open(True)
    assert not controls.percentile.isVisible()
    controls.clip.set_value("dynamic")
    assert controls.percentile.isVisible()
    controls.percentile.set_value(95)
    controls.limit.set_value(3)
    assert press(scene).sampler == SamplerSpec(clip="dynamic", percentile=0.95, limit=3)
    controls.clip.set_value("clamp")
    assert press(scene).sampler == SamplerSpec()


def test_that_a_learned_variance_is_offered_where_there_is_one(scene):
    _, bridge, stage = scene
    assert "has not learned a variance" in stage.controls.variance.refusal("learned")
    bridge.ready(replace(DIGITS, variance="range", sampler=SamplerSpec("ddpm", variance="learned")))
    assert stage.controls.variance.refusal("learned") == ""
    assert press(scene).sampler.variance == "learned"
    stage.controls.sampler.set_value("ddpm")
    bridge.ready()
    assert stage.controls.variance.value() != "learned", "this model has none"


def test_that_how_often_the_network_is_asked_is_said(scene):
    _, _, stage = scene
    stage.controls.steps.set_value(10)
    said = []
    for sampler in ("ddim", "dpmpp", "heun"):
        stage.controls.sampler.set_value(sampler)
        said.append(stage.controls.steps._ends[1].text())
    assert said == ["10 evaluations", "10 evaluations", "19 evaluations"]


def test_that_eps_is_refused_where_nothing_of_the_picture_is_left(scene):
    _, bridge, stage = scene
    zero = replace(DIGITS.schedule, zero_snr=True)
    bridge.ready(replace(DIGITS, prediction="eps", schedule=zero))
    stage.controls.spacing.set_value("trailing")
    assert "nothing of the picture is left" in stage.errors.message()
    assert not stage.buttons.run.isEnabled()
    bridge.ready(replace(DIGITS, prediction="v", schedule=zero))
    assert stage.errors.message() == ""
    assert stage.buttons.run.isEnabled()


def test_that_fewer_samples_than_classes_are_shown_again_as_each_in_turn(scene):
    _, bridge, stage = scene
    press(scene)
    bridge.run_to_end(1)
    stage.controls.label.set_value("7")
    stage.controls.set_settings(settings_of(bridge.submitted[0]))
    assert stage.controls.label.value() == "each"
    assert press(scene).labels == (0, 1, 2)


# Choosing a classifier


def test_that_a_classifier_guides_each_sample_towards_the_label_it_is_asked_for(scene):
    controls = guide(scene)
    controls.scale.set_value(4)
    assert press(scene).classifier == ClassifierSpec(GUIDE.ref, (0, 1, 2), 4.0, "x_t")


@pytest.mark.parametrize(("target", "labels"), [("each", (0, 1, 2)), ("7", (7, 7, 7)), ("namesake", (5, 5, 5))])
def test_that_the_class_to_go_to_can_be_another_than_the_label(scene, target, labels):
    _, _, stage = scene
    stage.controls.label.set_value("5")
    guide(scene).target.set_value(target)
    assert press(scene).classifier.labels == labels


def test_that_where_the_gradient_is_taken_is_ddpms_choice_alone(scene):
    _, _, stage = scene
    controls = guide(scene)
    assert not controls.at.isEnabled()
    stage.controls.sampler.set_value("ddpm")
    controls.at.set_value("mean")
    assert press(scene).classifier.at == "mean"


def test_that_a_model_without_labels_is_guided_towards_the_classifiers(scene):
    _, bridge, stage = scene
    bridge.ready(WITHOUT_LABELS)
    controls = guide(scene)
    assert "namesake" not in controls.target.options()
    controls.target.set_value("3")
    assert press(scene).classifier.labels == (3, 3, 3)
    assert stage.buttons.run.isEnabled()


def test_that_no_label_is_no_class_to_go_to_and_that_is_said(scene):
    _, _, stage = scene
    guide(scene)
    stage.controls.label.set_value("none")
    assert "choose a label" in stage.errors.message()
    assert not stage.buttons.run.isEnabled()
    stage.controls.classifier.target.set_value("3")
    assert press(scene).classifier.labels == (3, 3, 3)


@pytest.mark.parametrize(
    ("info", "words"),
    [(JUDGE, "can judge, not guide"), (LARGE, "64 × 64 colour"), (replace(GUIDE, labels=()), "tells no classes apart")],
)
def test_that_a_classifier_that_does_not_fit_is_refused_in_words(info, words):
    assert words in misfit(info, DIGITS)
    with pytest.raises(Refusal, match="Choose another classifier"):
        resolve(DenoiseSettings(classifier=ClassifierSettings(info, (1,))), DIGITS)


@pytest.mark.parametrize(
    ("way", "mode"), [("folder", QFileDialog.FileMode.Directory), ("file", QFileDialog.FileMode.ExistingFile)]
)
def test_that_a_folder_or_a_file_is_chosen_in_a_dialog_and_guides_when_it_is_open(scene, tmp_path, way, mode):
    _, bridge, stage = scene
    controls = stage.controls.classifier
    controls.choice.set_value(way)
    dialog = next(child for child in stage.window().findChildren(QFileDialog) if child.fileMode() == mode)
    assert dialog.windowTitle() == f"Open a classifier's {way}"
    assert controls.choice.value() == "none"
    path = tmp_path / "64x64_classifier.pt"
    dialog.fileSelected.emit(str(path))
    dialog.close()
    assert bridge.calls[-1] == ("open_classifier", str(path))
    bridge.state.add_classifier(GUIDE)
    bridge.say(ClassifierOpened(GUIDE, str(path)))
    assert press(scene).classifier.model == GUIDE.ref


def test_that_a_classifier_that_asks_is_waited_for_no_longer(scene, tmp_path):
    _, bridge, stage = scene
    stage.handle_classifier(tmp_path / "judge.pt")
    assert stage.controls.classifier.note.isVisibleTo(stage.controls.classifier.note.parentWidget())
    bridge.say(ModelAsks(str(tmp_path / "another.pt"), Description("model", "", "another.pt")))
    assert stage.controls.classifier.awaited
    bridge.say(ModelAsks(str(tmp_path / "judge.pt"), Description("classifier", "", "judge.pt")))
    assert not stage.controls.classifier.awaited


def test_that_a_classifier_is_opened_once_with_its_answers_and_waited_for_until_it_is_left(scene, tmp_path):
    _, bridge, stage = scene
    stage.handle_classifier(tmp_path / "judge.pt", {"heads": "4"})
    opened = [call for call in bridge.calls if call[0] == "open_classifier"]
    assert opened == [("open_classifier", (str(tmp_path / "judge.pt"), {"heads": "4"}))]
    assert stage.controls.classifier.awaited
    bridge.cancel_opening()
    assert not stage.controls.classifier.awaited
    assert stage.buttons.run.isEnabled()


def test_that_those_that_cannot_guide_this_model_are_greyed_and_judges_are_not_offered(scene):
    _, bridge, stage = scene
    for info in (GUIDE, JUDGE, LARGE):
        bridge.know(info)
    choice = stage.controls.classifier.choice
    assert choice.refusal(GUIDE.ref.sha256) == ""
    assert "64 × 64" in choice.refusal(LARGE.ref.sha256)
    assert JUDGE.ref.sha256 not in choice.options()


def test_that_a_classifier_at_hand_is_opened_when_it_is_chosen_and_a_run_waits_for_it(scene):
    _, bridge, stage = scene
    controls = stage.controls.classifier
    controls.set_at_hand(["digits-guide"])
    controls.choice.set_value("bundled:digits-guide")
    assert bridge.calls[-1] == ("open_classifier", "digits-guide")
    assert not stage.buttons.run.isEnabled()
    assert "Opening" in controls.note.text()
    bridge.know()
    assert controls.info == GUIDE
    assert stage.buttons.run.isEnabled()
    assert controls.choice.value() == GUIDE.ref.sha256


def test_that_a_folder_is_opened_and_what_goes_wrong_with_it_is_said(scene):
    _, bridge, stage = scene
    stage.handle_classifier(Path("/somewhere/guide"))
    assert stage.controls.more.is_open()
    assert bridge.calls[-1] == ("open_classifier", "/somewhere/guide")
    bridge.fail(None, "The folder holds no weights.")
    assert stage.errors.message() == "The folder holds no weights."
    assert stage.buttons.run.isEnabled()
    assert stage.controls.classifier.info is None


def test_that_a_judge_that_was_opened_to_guide_is_refused_in_words(scene):
    state, bridge, stage = scene
    stage.handle_classifier(Path("/somewhere/judge"))
    state.add_classifier(JUDGE)
    bridge.say(ClassifierOpened(JUDGE, "/somewhere/judge"))
    assert "can judge, not guide" in stage.errors.message()
    assert press(scene).classifier is None


def test_that_a_folder_of_a_classifier_is_told_from_one_of_a_model(tmp_path):
    (tmp_path / "guide" / "classifier").mkdir(parents=True)
    (tmp_path / "guide" / "classifier" / "config.json").write_text(json.dumps({}))
    weights = tmp_path / "guide" / "classifier" / "diffusion_pytorch_model.safetensors"
    weights.touch()
    for dropped in (tmp_path / "guide", weights):
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(dropped))])
        assert offer(mime) == Offer("classifier", (tmp_path / "guide",))


def test_that_two_kinds_of_guidance_at_once_are_pointed_out(scene):
    _, _, stage = scene
    hints = []
    stage.hint_changed.connect(hints.append)
    guide(scene)
    assert "which adds up" in hints[-1]
    stage.controls.guidance.set_value(0)
    assert "which adds up" not in hints[-1]


def test_that_controls_that_would_do_nothing_cannot_be_turned(scene):
    _, _, stage = scene
    controls = stage.controls
    controls.guidance.set_value(0)
    assert not controls.first.isEnabled()
    assert not controls.rescale.isEnabled()
    guide(scene)
    assert controls.first.isEnabled()
    assert not controls.rescale.isEnabled(), "there is no conditional prediction to go back to"
    controls.guidance.set_value(2)
    assert controls.rescale.isEnabled()


# What is seen of it


def test_that_a_guided_run_shows_what_the_label_changes_and_an_unguided_one_does_not(scene):
    _, bridge, stage = scene
    press(scene)
    bridge.advance(1, 2)
    assert stage.view.difference.isVisible()
    assert stage.view.difference.content.shape[0] == 3
    assert not stage.view.gradient.isVisible()
    bridge.advance(1, 3)
    bridge.end(1)
    stage.controls.guidance.set_value(0)
    press(scene)
    bridge.run_to_end(2)
    assert not stage.view.difference.isVisible()


def test_that_a_classified_run_shows_its_gradient_and_log_p_under_the_slider(scene):
    _, bridge, stage = scene
    stage.controls.guidance.set_value(0)
    guide(scene)
    press(scene)
    bridge.begin(1)
    curve = stage.instruments.recognition
    assert curve.isVisible()
    assert curve.text() == ""
    bridge.advance(1, 3)
    assert stage.view.gradient.isVisible()
    assert curve.values == {0: (-2.0,) * 3, 1: (-1.0,) * 3, 2: pytest.approx((-2 / 3,) * 3)}
    assert curve.value(1) == -1
    assert curve.current == 2
    stage.seek(-1)
    assert curve.text().strip() == "−1.000"


def test_that_the_curve_goes_with_the_sample_that_is_enlarged(scene):
    _, bridge, stage = scene
    guide(scene)
    press(scene)
    bridge.run_to_end(1)
    stage.view._sights.memory.clear()
    stage.seek(-3)
    bridge.answer(InspectStep(1, 2))
    curve = stage.instruments.recognition
    assert curve.value(2) == pytest.approx(-2)  # of −1, −2, −3
    stage.view.enlarge(2)
    assert curve.value(2) == -3
    assert stage.view.gradient.content.shape[0] == 1


def test_that_the_curve_lies_under_the_positions_of_the_slider(scene, qtbot):
    _, bridge, stage = scene
    guide(scene)
    press(scene)
    bridge.run_to_end(1)
    curve, rail = stage.instruments.recognition, stage.transport.rail
    for step in (0, 3, 5):
        there = rail.mapTo(stage.window(), rail.rect().topLeft()).x() + rail.place_of(step)
        here = curve.mapTo(stage.window(), curve.rect().topLeft()).x() + curve.place(step, -0.5).x()
        assert here == pytest.approx(there, abs=0.01)
    assert curve.place(0, 0).y() < curve.place(0, -1).y()


def test_that_a_run_without_a_classifier_has_no_curve(scene):
    _, bridge, stage = scene
    press(scene)
    bridge.run_to_end(1)
    assert not stage.instruments.recognition.isVisible()


def test_that_at_the_data_the_guidance_of_the_last_step_is_shown(scene):
    _, bridge, stage = scene
    press(scene)
    bridge.run_to_end(1)
    assert stage.view.difference.content is not None
    assert "t = 0" in stage.view.difference.accessibleName()


def test_that_the_interval_is_shaded_in_the_plots(scene):
    _, _, stage = scene
    assert {panel._band for panel in stage.plots.panels} == {None}
    stage.controls.first.set_value(700)
    stage.controls.last.set_value(200)
    assert {panel._band for panel in stage.plots.panels} == {(200, 700)}
    stage.controls.first.set_value(999)
    stage.controls.last.set_value(0)
    assert {panel._band for panel in stage.plots.panels} == {None}


# Runs that were made


def whole_request():
    settings = DenoiseSettings(
        SamplerSpec("ddpm", clip="dynamic", percentile=0.9, limit=4.0),
        labels=(2, 4),
        count=4,
        guidance=1.0,
        interval=(800, 100),
        rescale=0.5,
        temperature=0.9,
        classifier=ClassifierSettings(GUIDE, (7,), 3.0, "mean"),
    )
    return resolve(settings, DIGITS)


def test_that_a_guided_run_is_read_again_as_it_is_written():
    assert from_json(SampleRequest, to_json(whole_request())) == whole_request()


def test_that_choosing_a_run_brings_all_of_its_guidance_back(scene):
    state, bridge, stage = scene
    bridge.know()
    bridge.submitted.append(whole_request())
    bridge.run_to_end(1)
    press(scene)
    bridge.run_to_end(2)
    state.move(run=1, step=3, t=200)
    settings = stage.controls.settings()
    assert settings == replace(settings_of(whole_request(), (GUIDE,)), steps=settings.steps)
    assert press(scene) == whole_request()


def test_that_a_branch_takes_the_guidance_of_the_controls(scene):
    _, bridge, stage = scene
    press(scene)
    bridge.run_to_end(1)
    stage.seek(-3)
    guide(scene).scale.set_value(5)
    stage.controls.first.set_value(500)
    stage.branch()
    assert bridge.submitted[-1].classifier == ClassifierSpec(GUIDE.ref, (0, 1, 2), 5.0)
    assert bridge.submitted[-1].interval == (500, 0)


@pytest.mark.parametrize(
    ("sampler", "words"),
    [("heun", "Heun 50 · w 0.5"), ("dpmpp", "DPM++ 2M 50 · w 0.5"), ("ddpm", "DDPM 50 · w 0.5")],
)
def test_that_samplers_have_the_names_that_people_know(sampler, words):
    assert summary(resolve(DenoiseSettings(SamplerSpec(sampler), labels=(3,)), DIGITS)) == words


def test_that_a_run_in_the_history_says_what_guided_it():
    settings = DenoiseSettings(guidance=0.0, labels=(3,), classifier=ClassifierSettings(GUIDE, (1,), 4.0))
    assert summary(resolve(settings, DIGITS)) == "DDIM 50 · s 4"
    assert summary(resolve(replace(settings, guidance=1.0), DIGITS)) == "DDIM 50 · w 1 · s 4"
    request = whole_request()
    words = description(Run(1, request, (), request.steps))
    assert "classifier digits-guide, scale s = 3, gradient at the mean" in words
    assert "guided from t = 800 down to 100" in words
    assert "guidance rescaled by 0.5" in words
    assert "clip dynamic at 90 %, at most 4, temperature 0.9" in words
