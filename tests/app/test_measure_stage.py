"""Measure: what is asked of the engine, what is made of its answers, and what is said about both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QPushButton

from app.plot_files import export
from app.stages.measure import MeasureStage
from app.stages.measure_kinds import DISTANCE_VIEWS, KINDS, LIKELIHOOD_VIEWS
from app.stages.measure_maths import account, rate
from app.stages.measure_screen import EARLIER
from app.state import AppState
from app.widgets.measured_curve import ink
from core.measure_requests import DistanceRequest, LikelihoodRequest
from core.messages import EngineState, Inspection, ModelInfo, RunPaused
from core.requests import FromStep, InspectImage, ModelRef, SampleRequest, ScheduleSpec
from tests.app.conftest import WindowBridge
from tests.app.fake_engine import DIGITS, GUIDE, Dock
from tests.app.measured import JUDGE, distances, folder_of_pictures, likelihood
from tests.app.test_measure_plot import has_near

COLOURFUL = ModelInfo(ModelRef("faces", "f" * 64), (3, 16, 16), ScheduleSpec("cosine"), "eps")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of_pictures(tmp_path / "things")


class Measured:
    """The stage on a bridge without an engine, with a folder and everything open."""

    def __init__(self, qtbot, folder: Path) -> None:
        self.qtbot = qtbot
        self.state = AppState()
        self.bridge = WindowBridge(self.state)
        self.stage = MeasureStage(self.state, self.bridge)  # type: ignore[arg-type]
        self.dock = Dock(self.stage)
        qtbot.addWidget(self.dock)
        self.bridge.ready()
        self.bridge.know(JUDGE)
        self.bridge.know(GUIDE)
        self.dock.show()
        self.state.move(stage="measure")
        self.stage.handle_folder(folder)
        self.stage.activate()

    @property
    def controls(self):
        return self.stage.controls

    def turn(self, kind: str) -> None:
        self.controls.kind.set_value(kind)

    def start(self) -> int:
        """Press the button; the job's number."""
        assert self.stage.primary_action.isEnabled()
        self.stage.primary_action.click()
        return len(self.bridge.submitted)

    def request(self):
        return self.bridge.measured[-1][0]

    def measure(self, kind: str = "likelihood", **result) -> int:
        """A measurement from beginning to end."""
        self.turn(kind)
        job = self.start()
        self.bridge.begin_measure(job)
        made = likelihood(**result) if kind == "likelihood" else distances(self.request(), **result)
        self.bridge.say_measured(job, made, 10)
        self.bridge.end(job)
        self.stage.flush()
        return job


@pytest.fixture
def scene(qapp, qtbot, folder) -> Measured:
    return Measured(qtbot, folder)


# Before


def test_that_bundled_pictures_are_there_before_a_folder_is_chosen(qapp, qtbot) -> None:
    state = AppState()
    stage = MeasureStage(state, WindowBridge(state))  # type: ignore[arg-type]
    dock = Dock(stage)
    qtbot.addWidget(dock)
    stage.activate()
    assert stage.pictures.data is not None
    assert len(stage.pictures.data) >= 10
    assert "bundled digits" in stage.page.data.advice.text()
    assert not stage.primary_action.isEnabled()
    assert "No model is open" in stage.page.cost.text()


def test_that_a_folder_is_read_at_the_models_size_and_what_is_made_of_it_is_said(scene) -> None:
    assert scene.stage.pictures.data.pictures.shape == (12, 32, 32, 1)
    assert "cropped to squares and scaled to 32 × 32" in scene.stage.page.data.advice.text()
    assert "measured at 32 × 32" in scene.stage.page.data.facts.text()
    scene.bridge.ready(COLOURFUL)
    assert scene.stage.pictures.data.pictures.shape[1:3] == (16, 16)
    assert "taken as equal red, green and blue" in scene.stage.page.data.advice.text()


def test_that_a_model_of_no_pictures_is_refused_in_words(scene) -> None:
    scene.bridge.ready(ModelInfo(ModelRef("points", "9" * 64), (2,), ScheduleSpec("linear"), "eps"))
    assert not scene.stage.primary_action.isEnabled()
    assert "is no model of pictures" in scene.stage.page.cost.text()


def test_that_a_folder_without_pictures_is_refused_and_the_one_before_stays(scene, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    scene.stage.handle_folder(tmp_path / "empty")
    assert "no pictures" in scene.stage.errors.message()
    assert scene.stage.pictures.data.name == "things"


def test_that_the_cost_is_said_and_in_time_once_the_network_has_answered(scene) -> None:
    scene.controls.pictures.set_value(10)
    scene.controls.timesteps.set_value(40)
    assert scene.stage.page.cost.text() == "400 evaluations of the network."
    look = InspectImage(DIGITS.ref, DIGITS.schedule, None, 5, 0)  # type: ignore[arg-type]
    scene.bridge.say(Inspection(look, None, np.zeros((1, 1, 1, 1)), None, None, None, 50.0))  # type: ignore[arg-type]
    scene.controls.draws.set_value(2)
    assert scene.stage.page.cost.text() == "800 evaluations of the network, about 40 s."


def test_that_a_smaller_choice_is_proposed_where_it_takes_long_and_one_click_takes_it(scene) -> None:
    look = InspectImage(DIGITS.ref, DIGITS.schedule, None, 5, 0)  # type: ignore[arg-type]
    scene.bridge.say(Inspection(look, None, np.zeros((1, 1, 1, 1)), None, None, None, 100.0))  # type: ignore[arg-type]
    scene.controls.pictures.set_value(12)
    scene.controls.timesteps.set_value(1000)
    assert scene.stage.page.smaller.text() == "Take 50 timesteps: about 60 s"
    scene.stage.page.smaller.click()
    assert scene.controls.timesteps.value() == 50
    assert not scene.stage.page.smaller.isVisibleTo(scene.stage)


def test_that_a_comparison_without_a_feature_network_says_where_to_open_one(qapp, qtbot, folder) -> None:
    state = AppState()
    bridge = WindowBridge(state)
    stage = MeasureStage(state, bridge)  # type: ignore[arg-type]
    dock = Dock(stage)
    qtbot.addWidget(dock)
    bridge.ready()
    stage.handle_folder(folder)
    stage.controls.kind.set_value("distance")
    assert "Features of" in stage.page.cost.text()
    assert not stage.primary_action.isEnabled()
    stage.features.open(str(folder))
    assert bridge.calls[-1] == ("open_classifier", str(folder))
    bridge.know(JUDGE)
    assert stage.controls.features.value() == JUDGE.ref.sha256
    assert stage.primary_action.isEnabled()


def test_that_features_of_another_size_are_refused_before_anything_is_drawn(scene) -> None:
    scene.bridge.ready(COLOURFUL)
    scene.turn("distance")
    assert "looks at pictures of 32 × 32 pixels, “faces” makes 16 × 16" in scene.stage.page.cost.text()
    assert not scene.stage.primary_action.isEnabled()
    scene.bridge.know(replace(JUDGE, ref=ModelRef("inception", "b" * 64), labels=(), event_shape=(3, 299, 299)))
    scene.controls.features.set_value("b" * 64)
    assert scene.stage.primary_action.isEnabled()


def test_that_too_few_pictures_to_compare_with_are_said_to_be(scene) -> None:
    assert "says little" not in scene.stage.page.cost.text()
    scene.turn("distance")
    assert "Only 12 pictures to compare with" in scene.stage.page.cost.text()


def test_that_too_few_samples_of_each_class_are_said_to_bias_the_distance(scene) -> None:
    scene.turn("distance")
    scene.controls.samples.set_value(20)  # two of each of ten classes
    assert "fewer than 4 samples of each class" in scene.stage.page.cost.text()
    scene.controls.samples.set_value(40)
    assert "of each class" not in scene.stage.page.cost.text()


def test_that_coarse_to_fine_is_laid_out_before_anything_is_drawn(scene) -> None:
    scene.turn("coarse")
    page = scene.stage.coarse.page
    assert page.shared.rows == ("t = 980", "t = 740", "t = 480", "t = 220")
    assert page.shared.columns == ("xₜ", "1", "2", "3", "4")
    scene.controls.copies.set_value(2)
    assert page.shared.columns == ("xₜ", "1", "2")
    assert not scene.bridge.submitted


def test_that_too_few_samples_for_a_frechet_distance_are_said_before(scene) -> None:
    scene.turn("distance")
    scene.controls.metric_choice.set_value("frechet")
    assert "needs 160 samples and as many pictures: the kernel distance" in scene.stage.page.cost.text()
    scene.controls.metric_choice.set_value("kernel")
    assert "Fréchet" not in scene.stage.page.cost.text()


# Requests

LIKELIHOOD_CASES = [
    ("pictures", 5, lambda r: len(r.pictures), 5),
    ("timesteps", 20, lambda r: len(r.timesteps), 20),
    ("timesteps", 1000, lambda r: r.timesteps, tuple(range(999, -1, -1))),
    ("draws", 3, lambda r: r.draws, 3),
    ("variance", "small", lambda r: r.variance, "small"),
    ("likelihood_clip", "none", lambda r: r.clip, "none"),
    ("seed", 7, lambda r: r.seed, 7),
    ("precision", "bfloat16", lambda r: r.precision, "bfloat16"),
]


def first(request: DistanceRequest) -> SampleRequest:
    return request.trials[0].request


def xs(request: DistanceRequest, series: str) -> list[float]:
    return [trial.x for trial in request.trials if trial.series == series]


DISTANCE_CASES = [
    ("distance", "samples", 60, lambda r: (first(r).count, r.trials[0].batches), (50, 2)),
    ("distance", "metric_choice", "frechet", lambda r: r.metric, "frechet"),
    ("distance", "neighbours", 5, lambda r: r.neighbours, 5),
    ("distance", "sampler", "heun", lambda r: first(r).sampler.name, "heun"),
    ("distance", "steps", 12, lambda r: first(r).steps, 12),
    ("distance", "spacing", "trailing", lambda r: (first(r).spacing, first(r).timesteps[0]), ("trailing", 999)),
    ("distance", "clip", "none", lambda r: first(r).sampler.clip, "none"),
    ("distance", "guidance", 2.0, lambda r: first(r).guidance, 2.0),
    ("distance", "label", "3", lambda r: set(first(r).labels), {3}),
    ("distance", "label", "none", lambda r: set(first(r).labels), {None}),
    ("coarse", "label", "7", None, (7,)),
    ("distance", "seed", 9, lambda r: (first(r).seed, r.seed), (9, 9)),
    ("distance", "precision", "bfloat16", lambda r: first(r).precision, "bfloat16"),
    ("distance", "features", GUIDE.ref.sha256, lambda r: r.features, GUIDE.ref),
    ("samplers", "evaluations", "4, 9", lambda r: xs(r, "DDIM"), [4, 9]),
    ("samplers", "use_heun", False, lambda r: {t.series for t in r.trials}, {"DDIM", "DDPM", "DPM-Solver++ 2M"}),
    ("fidelity", "ws", "0, 3", lambda r: xs(r, "Classifier-free guidance"), [0.0, 3.0]),
    ("fidelity", "temperatures", "0.5", lambda r: xs(r, "Temperature"), [0.5]),
    ("skip", "skipped", "0, 0.5", lambda r: [t.request.timesteps[0] < 500 for t in r.trials], [False, True]),
]


def turn(control, value) -> None:
    from tests.app.test_every_control import turn as turn_one

    turn_one(control, value)


@pytest.mark.parametrize(("control", "value", "seen", "wanted"), LIKELIHOOD_CASES)
def test_that_every_control_of_a_likelihood_is_in_the_request(scene, control, value, seen, wanted) -> None:
    turn(getattr(scene.controls, control), value)
    scene.start()
    request, data = scene.bridge.measured[-1]
    assert isinstance(request, LikelihoodRequest)
    assert request.data.sha256 == data.sha256
    assert seen(request) == wanted


def test_that_the_class_is_told_or_not(scene) -> None:
    asked = []
    for told in (True, False):
        scene.controls.labelled.setChecked(told)
        job = scene.start()
        scene.bridge.begin_measure(job)
        scene.bridge.end(job)
        asked.append(scene.request().labelled)
    assert asked == [True, False]


@pytest.mark.parametrize(("kind", "control", "value", "seen", "wanted"), DISTANCE_CASES)
def test_that_every_control_of_a_distance_is_in_the_request(scene, kind, control, value, seen, wanted) -> None:
    scene.turn(kind)
    before = scene.stage.intent.request
    turn(getattr(scene.controls, control), value)
    scene.start()
    if kind == "coarse":
        assert scene.bridge.submitted[0].labels == wanted
        return
    assert isinstance(scene.request(), DistanceRequest)
    assert seen(scene.request()) == wanted
    assert scene.request() != before


def test_that_classifier_guidance_is_swept_by_the_classifier_that_is_chosen(scene) -> None:
    scene.turn("fidelity")
    assert not scene.controls.scales.isEnabled()
    scene.controls.guide.set_value(GUIDE.ref.sha256)
    turn(scene.controls.scales, "0, 2.5")
    scene.start()
    guided = [trial for trial in scene.request().trials if trial.request.classifier is not None]
    assert [trial.request.classifier.scale for trial in guided] == [0.0, 2.5]
    assert guided[0].request.classifier.model == GUIDE.ref


def test_that_a_network_that_judges_is_not_offered_as_a_guide(scene) -> None:
    assert JUDGE.ref.sha256 not in scene.controls.guide.options()
    assert JUDGE.ref.sha256 in scene.controls.features.options()


@pytest.mark.parametrize(
    ("kind", "control", "text", "words"),
    [
        ("samplers", "evaluations", "5, many", "“many” is not a number"),
        ("samplers", "evaluations", "2.5", "not a whole number"),
        ("samplers", "evaluations", "", "at least one"),
        ("skip", "skipped", "1.5", "not between 0 and 1"),
        ("fidelity", "ws", "1e9", "not between"),
        ("coarse", "shared", "", "at least one share"),
    ],
)
def test_that_a_list_that_cannot_be_read_is_refused_in_words(scene, kind, control, text, words) -> None:
    scene.turn(kind)
    turn(getattr(scene.controls, control), text)
    assert words in scene.stage.page.cost.text()


def test_that_every_control_says_what_it_means(scene) -> None:
    controls = scene.controls
    for name, widget in vars(controls).items():
        if not name.startswith("_") and hasattr(widget, "toolTip") and name not in ("more", "likelihood", "distance"):
            assert len(widget.toolTip()) > 20, name


@pytest.mark.parametrize("kind", KINDS)
def test_that_each_kind_shows_its_own_controls_alone(scene, kind) -> None:
    scene.turn(kind)
    scene.controls.more.set_open(True)
    counts = ("pictures", "samples", "copies", "checked")
    shown = {name for name in counts if getattr(scene.controls, name).isVisible()}
    assert shown == {{"likelihood": "pictures", "coarse": "copies", "nearest": "checked"}.get(kind, "samples")}
    assert scene.controls.timesteps.isVisible() == (kind == "likelihood")
    assert scene.controls.evaluations.isVisible() == (kind == "samplers")
    assert scene.controls.steps.isVisible() == (kind not in ("likelihood", "samplers"))
    assert scene.controls.ws.isVisible() == (kind == "fidelity")


# While it is measured


def test_that_what_is_known_is_drawn_while_the_rest_is_measured(scene) -> None:
    job = scene.start()
    scene.bridge.begin_measure(job, total=40)
    scene.bridge.say_measured(job, likelihood(known=2), 10, eta=30)
    scene.stage.flush()
    assert "25 % measured, about 30 s left" in scene.stage.view.progress.text()
    assert scene.stage.view.bar.value() == 250
    (curve,) = scene.stage.view.plot.curves
    assert np.isfinite(curve.y).tolist() == [True, True, False, False]
    assert not scene.stage.primary_action.isEnabled()


def test_that_the_axis_holds_every_timestep_while_few_are_known(scene) -> None:
    job = scene.start()
    scene.bridge.begin_measure(job)
    scene.bridge.say_measured(job, likelihood(known=1), 1)
    scene.stage.flush()
    laid = scene.stage.view.plot._laid()
    assert laid.x.low <= 0
    assert laid.x.high >= 999


def test_that_how_long_it_takes_is_said_once_that_is_known(scene) -> None:
    job = scene.start()
    scene.bridge.begin_measure(job, total=1000)
    scene.bridge.say_measured(job, likelihood(known=1), 1, eta=5000)
    scene.stage.flush()
    assert scene.stage.view.progress.text() == "0 % measured."
    scene.bridge.say_measured(job, likelihood(known=1), 100, eta=200)
    scene.stage.flush()
    assert scene.stage.view.progress.text() == "10 % measured, about 3 min left."


def test_that_a_measurement_is_paused_resumed_and_stopped_and_what_is_known_stays(scene) -> None:
    job = scene.start()
    scene.bridge.begin_measure(job)
    scene.bridge.say_measured(job, likelihood(pictures=10), 3)
    scene.stage.toggle()
    assert scene.bridge.calls[-1] == ("pause", job)
    assert scene.stage.page.pause.text() == "Resume"
    scene.stage.toggle()
    assert scene.bridge.calls[-1] == ("resume", job)
    scene.stage.stop()
    assert scene.bridge.calls[-1] == ("cancel", job)
    scene.bridge.end(job, "stopped")
    assert scene.stage.view.headline.text() == "2.250 ± 0.030 bits a value"
    assert "10 of 12 pictures" in scene.stage.view.beside.text()
    assert scene.stage.primary_action.isEnabled()


def test_that_a_pause_of_the_engines_own_says_why(scene) -> None:
    job = scene.start()
    scene.bridge.begin_measure(job)
    scene.bridge.say(RunPaused(job, 0, "There is no memory left. Close other programs, then resume."))
    assert "no memory left" in scene.stage.errors.message()


def test_that_a_failure_is_said_and_leaves_the_pictures_there(scene) -> None:
    job = scene.start()
    scene.bridge.fail(job, "The pictures have changed. Read the folder again.")
    assert "pictures have changed" in scene.stage.errors.message()
    assert scene.stage.measurements.records == ()
    assert scene.stage.page._pages.currentWidget() is scene.stage.page.data


def test_that_it_is_said_what_a_measurement_waits_for(scene) -> None:
    job = scene.start()
    scene.bridge.begin_measure(job)
    run = scene.bridge.submit(SampleRequest(DIGITS.ref, DIGITS.schedule, (999, 500), "hand", DIGITS.sampler, 0))
    scene.bridge.begin(run)
    scene.stage.flush()
    assert scene.stage.view.progress.text() == f"Waiting for run {run}."
    assert scene.state.status.state is EngineState.SAMPLING


# Likelihoods


def test_that_bits_stand_in_the_papers_accounting() -> None:
    made = account("m", likelihood())
    assert made.prior == 0.00002
    assert made.decoder == 1.0
    assert made.prior + made.reverse + made.decoder == pytest.approx(2.25)


def test_that_the_rate_of_all_timesteps_is_the_sum_of_the_later_terms() -> None:
    T = 6
    terms = np.array([1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125])
    made = replace(likelihood(), timesteps=np.arange(T), terms=terms, prior=0.01)
    expected = [0.01 + sum(terms[s] for s in range(T) if s > t) for t in range(T)]
    np.testing.assert_allclose(rate(made, T), expected)


def test_that_the_rate_of_strata_counts_every_timestep_once() -> None:
    made = replace(likelihood(), timesteps=np.array([0, 2, 5]), terms=np.array([1.0, 0.1, 0.01]), prior=0.0)
    # 0 | 1 2 3 | 4 5 6 7: after x_2 come 3 of its own and four of the next
    np.testing.assert_allclose(rate(made, 8), [3 * 0.1 + 4 * 0.01, 0.1 + 4 * 0.01, 2 * 0.01])


@pytest.mark.parametrize("view", LIKELIHOOD_VIEWS)
def test_that_every_plot_of_a_likelihood_is_drawn_and_saved_as_it_is_shown(scene, view, tmp_path) -> None:
    scene.measure()
    scene.stage.view.view.set_value(view)
    plot = scene.stage.view.plot
    curve = plot.curves[0]
    image = plot.grab().toImage()
    for point in np.flatnonzero(np.isfinite(curve.y)):
        assert has_near(image, plot.place(0, int(point)), ink(0)), point
    export(plot, tmp_path / "plot.csv")
    rows = [line.split(",") for line in (tmp_path / "plot.csv").read_text().splitlines()[1:]]
    saved = [float(row[2]) for row in rows if row[0] == "digits"]
    np.testing.assert_array_equal(saved, curve.y[np.isfinite(curve.y)])


def test_that_the_papers_curve_stands_beside_ones_own(scene) -> None:
    scene.measure()
    scene.stage.view.view.set_value("distortion")
    paper = scene.stage.view.plot.curves[-1]
    assert paper.published
    assert (paper.x[0], paper.y[0]) == (1000, 0.95136)


def test_that_axes_keep_what_was_chosen_for_each_plot(scene) -> None:
    scene.measure()
    view = scene.stage.view
    assert view.log_y.isChecked()
    view.log_y.setChecked(False)
    assert not view.plot.frame.log_y
    view.log_x.setChecked(True)
    assert view.plot.frame.log_x
    view.view.set_value("mse")
    assert (view.log_x.isChecked(), view.log_y.isChecked()) == (False, True)
    view.view.set_value("terms")
    assert (view.log_x.isChecked(), view.log_y.isChecked()) == (True, False)


def test_that_two_models_are_drawn_over_each_other_and_told_apart(scene) -> None:
    scene.measure()
    other = ModelInfo(ModelRef("cosine", "a" * 64), DIGITS.event_shape, ScheduleSpec("cosine"), "eps")
    scene.bridge.ready(other)
    job = scene.measure(shift=0.1)
    plot, parts = scene.stage.view.plot, scene.stage.instruments
    assert [curve.name for curve in plot.curves] == ["digits", "cosine"]
    assert [entry.title for entry in parts.list.entries] == ["Likelihood: cosine", "Likelihood: digits"]
    assert [a.name for a in parts.accounting.accounts] == ["digits", "cosine"]
    parts.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert [curve.name for curve in plot.curves] == ["cosine"]
    parts.list.item(1).setCheckState(Qt.CheckState.Checked)
    parts.list.setCurrentRow(0)
    scene.qtbot.keyClick(parts.list, Qt.Key.Key_Delete)
    assert [record.job for record in scene.stage.measurements.records] == [job - 1]


def test_that_two_models_are_compared_picture_by_picture(scene) -> None:
    scene.measure()
    scene.bridge.ready(ModelInfo(ModelRef("cosine", "a" * 64), DIGITS.event_shape, ScheduleSpec("cosine"), "eps"))
    scene.measure()
    rng = np.random.default_rng(0)
    hard = rng.uniform(1, 5, 12)  # pictures differ far more than the models do
    one, other = scene.stage.measurements.records
    one.result = replace(likelihood(), per_picture=hard + 0.1 + 0.01 * rng.standard_normal(12))
    other.result = replace(likelihood(), per_picture=hard)
    scene.stage.flush()
    note = scene.stage.view.note.text()
    assert note.startswith("Paired over 12 pictures, digits − cosine is 0.")
    assert "cosine needs fewer" in note
    one.result = replace(likelihood(), per_picture=hard + 0.1 * rng.standard_normal(12))
    scene.stage.flush()
    assert "no difference beyond two standard errors" in scene.stage.view.note.text()


def test_that_a_result_stays_while_settings_change_and_is_said_to_be_of_others(scene) -> None:
    scene.measure()
    assert EARLIER not in scene.stage.view.note.text()
    scene.controls.draws.set_value(4)
    assert EARLIER in scene.stage.view.note.text()
    assert len(scene.stage.view.plot.curves) == 1
    scene.controls.draws.set_value(1)
    assert EARLIER not in scene.stage.view.note.text()


def test_that_each_kind_shows_its_last_result_again(scene) -> None:
    scene.measure()
    scene.measure("samplers")
    assert "kernel distance" in scene.stage.view.headline.text()
    scene.turn("likelihood")
    assert "bits a value" in scene.stage.view.headline.text()
    scene.turn("skip")
    assert scene.stage.page._pages.currentWidget() is scene.stage.page.data
    scene.stage.instruments.list.setCurrentRow(0)
    assert scene.controls.kind.value() == "samplers"
    assert "kernel distance" in scene.stage.view.headline.text()


# Distances


def test_that_what_stands_beside_a_distance_is_said(scene) -> None:
    scene.measure("distance")
    beside = scene.stage.view.beside.text()
    assert scene.stage.view.headline.text() == "kernel distance 0.2 ± 0.01"
    for words in (
        "n = 200",
        "reference: 12 pictures of things",
        "32 features of digits-judge",
        "real pictures 0.002",
        "50 steps",
        "DDIM",
        "leading spacing",
        "x₀ clamped",
        "k = 3",
    ):
        assert words in beside, words


@pytest.mark.parametrize("view", DISTANCE_VIEWS)
def test_that_every_plot_of_a_comparison_is_drawn(scene, view) -> None:
    scene.measure("samplers")
    scene.stage.view.view.set_value(view)
    plot = scene.stage.view.plot
    assert [curve.name for curve in plot.curves] == ["DDIM", "Heun", "DPM-Solver++ 2M", "DDPM"]
    image = plot.grab().toImage()
    for number in range(4):
        assert has_near(image, plot.place(number, 1), ink(number), reach=4), number


def test_that_a_clicked_point_shows_its_samples_and_opens_as_a_run(scene) -> None:
    scene.measure("samplers")
    plot, parts = scene.stage.view.plot, scene.stage.instruments
    at = plot.place(2, 1)
    scene.qtbot.mouseClick(plot, Qt.MouseButton.LeftButton, pos=at.toPoint())
    assert parts.samples.isVisibleTo(scene.dock)
    assert parts.samples.title.text() == "DPM-Solver++ 2M, 10 evaluations"
    point = scene.stage.points.at[1]
    assert (parts.samples.sheet.rows[0].pictures == point.pictures).all()
    assert "recognised" in parts.samples.words.toolTip()
    parts.samples.open.click()
    asked = scene.bridge.submitted[-1]
    assert isinstance(asked, SampleRequest)
    assert (asked.sampler.name, asked.steps) == ("dpmpp", 10)
    scene.bridge.begin(len(scene.bridge.submitted))
    assert scene.state.cursor.stage == "denoise"
    assert scene.state.cursor.run == len(scene.bridge.submitted)


def test_that_guidance_is_first_seen_as_precision_against_recall(scene) -> None:
    scene.measure("fidelity")
    assert scene.stage.view.key == "fidelity"
    plot = scene.stage.view.plot
    assert (plot.frame.x_name, plot.frame.y_name) == ("recall", "precision")
    assert [curve.name for curve in plot.curves] == ["Classifier-free guidance", "Temperature"]
    np.testing.assert_allclose(plot.curves[0].y, [0.5, 0.52, 0.54, 0.56, 0.58])


def test_that_real_pictures_are_a_level_of_the_plot(scene) -> None:
    scene.measure("skip", real=0.05)
    assert scene.stage.view.plot.frame.levels == (("real pictures", 0.05),)


def test_that_a_plot_of_what_was_not_measured_is_not_offered(scene) -> None:
    scene.turn("distance")
    job = scene.start()
    scene.bridge.begin_measure(job)
    made = distances(scene.request())
    unlabelled = replace(made, points=tuple(replace(point, recognised=float("nan")) for point in made.points))
    scene.bridge.say_measured(job, unlabelled, 10)
    scene.bridge.end(job)
    assert "Nothing of this was measured" in scene.stage.view.view.refusal("recognised")
    assert scene.stage.view.view.refusal("precision") == ""


# Coarse to fine


def test_that_coarse_to_fine_draws_a_run_and_those_that_leave_it(scene) -> None:
    scene.turn("coarse")
    scene.controls.steps.set_value(8)
    scene.controls.copies.set_value(2)
    turn(scene.controls.shared, "1, 0.5")
    scene.start()
    parent, *leaves = scene.bridge.submitted
    assert parent.sampler.eta == 1.0
    assert [leaf.start for leaf in leaves] == [FromStep(parent, 0)] * 2 + [FromStep(parent, 4)] * 2
    assert len({leaf.seed for leaf in leaves} | {parent.seed}) == 3
    page = scene.stage.coarse.page
    assert page.shared.rows == ("t = 875", "t = 375")
    for job in range(1, 6):
        scene.bridge.run_to_end(job)
    assert all(page.shared.is_finished(cell) for cell in range(6))
    assert all(page.way.has(cell) for cell in range(8))
    assert scene.stage.primary_action.isEnabled()
    page.shared.cell_clicked.emit(4)
    assert (scene.state.cursor.stage, scene.state.cursor.run) == ("denoise", 4)


def test_that_what_went_by_unseen_is_asked_for(scene) -> None:
    scene.turn("coarse")
    scene.controls.steps.set_value(4)
    scene.controls.copies.set_value(2)
    scene.start()
    coarse = scene.stage.coarse
    scene.bridge.message.disconnect(coarse._receive)
    scene.bridge.run_to_end(1)
    scene.bridge.message.connect(coarse._receive)
    scene.bridge.end(1)
    for _ in range(4):
        scene.bridge.answer()
    assert all(coarse.page.way.has(cell) for cell in range(4))


def test_that_stopping_coarse_to_fine_takes_back_all_that_is_not_done(scene) -> None:
    scene.turn("coarse")
    scene.controls.copies.set_value(2)
    scene.start()
    jobs = scene.stage.coarse.jobs
    scene.bridge.run_to_end(1)
    scene.stage.stop()
    assert [job for method, job in scene.bridge.calls if method == "cancel"] == list(jobs[1:])


def test_that_what_was_drawn_from_coarse_to_fine_can_be_looked_at_again(scene, qtbot) -> None:
    scene.turn("coarse")
    scene.controls.steps.set_value(4)
    scene.controls.copies.set_value(2)
    scene.start()
    first, listed = len(scene.bridge.submitted), scene.stage.instruments.list
    page = scene.stage.coarse.page
    for job in range(1, first + 1):
        scene.bridge.run_to_end(job)
    assert listed.entries[0].words == "2 samples from 4 states"
    drawn = page.shared.picture(1)
    scene.controls.copies.set_value(3)
    scene.start()
    assert listed.entries[0].words == f"0 of {len(scene.bridge.submitted) - first} runs made"
    qtbot.keyClick(listed, Qt.Key.Key_Delete)
    assert len(listed.entries) == 2  # what is being drawn stays
    scene.turn("likelihood")
    listed.setCurrentRow(1)
    assert scene.stage.kind == "coarse"
    assert page.shared.columns == ("xₜ", "1", "2")
    assert page.shared.picture(1) == drawn
    assert all(page.way.has(cell) for cell in range(4))
    scene.bridge.run_to_end(first + 1)  # the parent of the others goes on unseen
    assert page.shared.columns == ("xₜ", "1", "2")
    listed.setCurrentRow(0)
    assert page.shared.columns == ("xₜ", "1", "2", "3")
    assert page.way.has(0)
    listed.setCurrentRow(1)
    qtbot.keyClick(listed, Qt.Key.Key_Delete)
    assert [entry.job for entry in listed.entries] == [first + 1]


# The window


def test_that_a_dropped_folder_is_measured_on(scene, tmp_path) -> None:
    from PySide6.QtCore import QMimeData, QUrl

    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    assert scene.stage.drop_verbs(mime) == "measure on this folder"


def test_that_there_is_one_filled_button(scene) -> None:
    scene.measure()
    filled = [b for b in scene.stage.findChildren(QPushButton) if b.property("role") == "primary" and b.isVisible()]
    assert filled == [scene.stage.primary_action]


def test_that_arrows_read_the_plot_where_no_widget_wants_them(scene) -> None:
    scene.measure()
    scene.stage.seek(1)
    scene.stage.seek(2)
    assert scene.stage.view.plot.pointed == (0, 2)
    assert scene.stage.view.plot.place(0, 2) != QPointF()


def test_that_whether_weights_are_averages_stands_beside_every_number(scene, tmp_path) -> None:
    (tmp_path / "diffuscope.json").write_text('{"provenance": {"training": {"ema_decay": 0.99}}}')
    scene.state.folders[scene.state.model.ref.sha256] = str(tmp_path)
    scene.measure("distance")
    assert "weights EMA, decay 0.99" in scene.stage.view.beside.text()
    (tmp_path / "diffuscope.json").unlink()
    scene.measure("likelihood")
    assert "does not say whether they are averaged" in scene.stage.view.beside.text()
