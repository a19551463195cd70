"""The ablation in Train: prepared from what was chosen, trained cell by cell, measured, stopped and gone on with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.stages.ablation_card import figures, with_error
from app.stages.ablation_record import CellRecord
from app.stages.train import TrainStage
from core.measure_requests import DistanceRequest, LikelihoodRequest
from core.messages import (
    DistancePoint,
    Distances,
    EngineState,
    Failed,
    Likelihood,
    ModelKnown,
    RunEnded,
    RunPaused,
    TrainingSamples,
    TrainingSaved,
    TrainingStarted,
    TrainingTick,
    frozen,
)
from core.requests import ModelRef, ScheduleSpec
from core.training.ablation import FILE, HYBRID, TABLE, Figures, outcomes, read
from core.training.events import TrainStep
from core.training.history import History, write_history
from core.training.reading import Reading
from core.training.runs import RunSummary, remember, runs_folder, write_summary
from tests.app.fake_engine import DIGITS, GUIDE
from tests.app.scenes import training
from tests.app.test_train_stage import a_folder


@pytest.fixture
def scene(qtbot, tmp_path):
    with training(qtbot) as (state, bridge, stage):
        stage.handle_folder(a_folder(tmp_path / "shapes", {"circle": 8, "square": 4}))
        stage.setup.controls.side.set_value("16")
        yield state, bridge, stage


def prepared(stage, steps: int = 40):
    stage.setup.ablation.click()
    desk = stage.ablation
    desk.view.steps.set_value(steps)
    return desk


def train_one(bridge, step: int = 40, reason: str = "finished", losses=None) -> Path:
    """The engine makes the training that was ordered last; its folder."""
    job, (order, data) = len(bridge.submitted), bridge.trained[-1]
    values = {"pictures": 12, "labels": data.classes, "parameters": 1, "batch": 64, "precision": "float32"}
    values |= {"step": 0, "total": order.steps, "minutes": None, "samples": ()}
    bridge._status(EngineState.TRAINING, job)
    bridge.say(
        TrainingStarted(job=job, name=order.out.name, folder=str(order.out), losses=frozen(np.zeros(0)), **values)
    )
    bridge.say(TrainingSaved(job, 0))
    news = frozen(np.full(step, 0.5, np.float32) if losses is None else np.asarray(losses, np.float32))
    bridge.say(TrainingTick(job, 1, news, 80.0, 90.0, 0.5))
    bridge.say(TrainingSamples(job, step, frozen(np.full((4, 16, 16, 3), 90, np.uint8))))
    saved = RunSummary(order.out, order.out.name, step, order.steps, None, reason == "finished", 3.0, 0.5, 16,
                       data.name, len(data), data.source, 0.0)  # fmt: skip
    history = History()
    for loss in news:
        history.add(TrainStep(history.step + 1, float(loss), 1e-3, 0.1, 0.01))
    write_history(history, order.out)
    write_summary(saved)
    remember(order.out, data.source)
    bridge._status(EngineState.IDLE, None)
    bridge.say(RunEnded(job, reason, step, 1.0))
    return order.out


def diverge(bridge, step: int) -> None:
    job = len(bridge.submitted)
    bridge.say(Failed(job, f"The training stopped at step {step}: its loss is no longer a number.", "", step))


def trained(stage, bridge):
    """All six, of which one diverged."""
    desk = prepared(stage)
    desk.view.next.click()
    for cell in TABLE:
        if cell.key == "eps-L-learned":
            diverge(bridge, 7)
        else:
            train_one(bridge)
    desk.show()
    return desk


def known_bits(value: float) -> Likelihood:
    nothing = frozen(np.zeros(0))
    return Likelihood(frozen(np.zeros(0, np.int64)), *[nothing] * 5, 0.0, value, 0.01, 3)


def point(series: str, value: float) -> DistancePoint:
    pictures = frozen(np.zeros((1, 16, 16, 3), np.uint8))
    return DistancePoint(series, 0.0, value, 0.002, 0.5, 0.5, float("nan"), 200, 50, 1.0, pictures)


def test_that_the_page_says_without_a_tooltip_what_is_compared(scene):
    _, _, stage = scene
    words = prepared(stage).view.words
    assert words.isVisibleTo(stage)
    assert "DDPM's table 2" in words.text()
    assert "equally long on the same batches and noise" in words.text()


def test_that_the_ablation_is_prepared_with_what_was_chosen(scene):
    _, _, stage = scene
    controls = stage.setup.controls
    for name, value in (("batch", 16), ("lr", 0.0004), ("preset", "medium"), ("schedule", "cosine"), ("samples", 4)):
        getattr(controls, name).set_value(value)
    controls.seed.set_seed(9)
    controls.flip.setChecked(True)
    controls.never.setText("*left*")
    controls.timesteps.set_value("antithetic")
    plan = prepared(stage, steps=123).record.plan
    assert (plan.steps, plan.batch, plan.lr, plan.preset, plan.seed) == (123, 16, 0.0004, "medium", 9)
    assert (plan.schedule, plan.samples, plan.flip) == (ScheduleSpec("cosine"), 4, True)
    assert (plan.timestep_sampler, plan.size) == ("antithetic", 16)
    assert (plan.never_flipped, plan.reading) == (("*left*",), stage.setup.data.reading)
    assert plan.data_sha256 == stage.setup.data.sha256
    assert stage.primary_action is stage.ablation.view.next
    assert not (stage.ablation.record.folder / FILE).exists()


def test_that_steps_and_the_hybrid_change_the_plan_before_it_begins(scene):
    _, bridge, stage = scene
    desk = prepared(stage, steps=70)
    desk.view.hybrid.setChecked(True)
    assert [one.cell for one in desk.record.cells] == [*TABLE, HYBRID]
    assert len(desk.view.cards) == 7
    assert desk.view.next.text() == "Train all seven"
    desk.view.hybrid.setChecked(False)
    assert len(desk.view.cards) == 6
    desk.view.next.click()
    assert bridge.trained[-1][0].steps == 70


def test_that_all_cells_are_trained_one_after_the_other(scene):
    _, bridge, stage = scene
    desk = prepared(stage)
    desk.view.next.click()
    for count, cell in enumerate(TABLE, 1):
        order, data = bridge.trained[-1]
        assert len(bridge.trained) == count
        assert order == desk.record.plan.order(cell, desk.record.folder)
        assert data is stage.setup.data
        train_one(bridge)
    assert len(bridge.trained) == len(TABLE)
    desk.show()
    assert [card.state.text() for card in desk.view.cards] == ["trained"] * 6
    assert read(desk.record.folder).steps == 40
    assert desk.view.next.text() == "Measure"
    assert desk.table.rows[5][:4] == ("ε", "L_simple", "fixed", "trained")
    assert desk.table.rows[5][7] == "3.17"


def test_that_a_divergence_is_a_result_and_the_others_go_on(scene):
    _, bridge, stage = scene
    desk = prepared(stage)
    desk.view.next.click()
    diverge(bridge, 7)
    assert len(bridge.trained) == 2
    train_one(bridge)
    desk.show()
    assert [card.state.text() for card in desk.view.cards[:2]] == ["diverged at step 7", "trained"]
    assert not stage.errors.isVisible()
    assert outcomes(desk.record.folder)[0].diverged == 7


def test_that_a_loss_that_explodes_is_said_to_have(scene):
    _, bridge, stage = scene
    desk = prepared(stage, steps=300)
    desk.view.next.click()
    train_one(bridge, 300, losses=[0.1] * 150 + [50.0] * 150)
    desk.show()
    assert desk.view.cards[0].state.text().startswith("exploded at step 1")


def test_that_another_trouble_is_an_error_and_stops_the_ablation(scene):
    _, bridge, stage = scene
    desk = prepared(stage)
    desk.view.next.click()
    bridge.say(Failed(len(bridge.submitted), "The disk is full.", ""))
    assert "disk is full" in stage.errors.message()
    assert len(bridge.trained) == 1
    desk.show()
    assert desk.view.next.text() == "Go on"


def test_that_an_ablation_is_stopped_and_gone_on_with(scene):
    _, bridge, stage = scene
    desk = prepared(stage)
    desk.view.next.click()
    train_one(bridge)
    desk.show()
    assert desk.view.stop.isVisible()
    desk.view.stop.click()
    assert bridge.calls[-1] == ("cancel", 2)
    train_one(bridge, step=9, reason="stopped")
    assert len(bridge.trained) == 2
    desk.show()
    assert desk.view.cards[1].state.text() == "stopped, step 9 of 40"
    desk.view.next.click()
    order, _data = bridge.trained[-1]
    assert order.out.name == TABLE[1].key
    assert order.resume


def test_that_the_training_under_way_is_paused_from_the_sheet(scene):
    _, bridge, stage = scene
    desk = prepared(stage)
    desk.view.next.click()
    desk.show()
    job = len(bridge.submitted)
    bridge.say(TrainingStarted(job, "x", str(bridge.trained[-1][0].out), 12, (), 1, 8, "float32", 0, 40, None,
                               frozen(np.zeros(0, np.float32))))  # fmt: skip
    desk.view.pause.click()
    assert bridge.calls[-1] == ("pause", job)
    bridge.say(RunPaused(job, 3))
    desk.show()
    assert desk.view.pause.text() == "Resume"
    stage.toggle()
    assert bridge.calls[-1] == ("resume", job)
    stage.stop()
    assert bridge.calls[-1] == ("cancel", job)


def test_that_it_goes_on_while_another_stage_is_looked_at(scene):
    state, bridge, stage = scene
    desk = prepared(stage)
    desk.view.next.click()
    stage.deactivate()
    state.move(stage="denoise")
    train_one(bridge)
    train_one(bridge)
    assert len(bridge.trained) == 3


def test_that_one_training_can_be_looked_at_alone_and_left_again(scene):
    _, bridge, stage = scene
    desk = trained(stage, bridge)
    desk.view.cards[1].title.click()
    assert stage.view.name.text() == TABLE[1].key
    assert stage.primary_action is stage.view.use
    assert stage.runs.current() == desk.record.folder
    assert not stage.view.length.isVisible(), "its cells are equally long"
    assert not stage.view.pause.isVisible()
    stage.runs.setCurrentRow(0)
    stage.runs.setCurrentRow(1)
    assert stage.primary_action is desk.view.next


def test_that_a_training_that_diverged_says_so_by_itself_too(scene):
    _, bridge, stage = scene
    desk = trained(stage, bridge)
    desk.view.cards[3].title.click()
    assert "diverged at step 7" in stage.view.state.text()


def test_that_seven_cards_stand_side_by_side_without_a_scroll_bar_across(scene):
    _, bridge, stage = scene
    state = stage.state
    state.add_classifier(replace(GUIDE, event_shape=(3, 16, 16), noisy=False))
    desk = prepared(stage)
    desk.view.hybrid.setChecked(True)
    desk.view.next.click()
    train_one(bridge, losses=np.linspace(200_000, 100_000, 40))
    desk.record.take({TABLE[0].key: Figures(11_377.1, 283.6, 0.4158, 0.3, "kernel", "a judge")})
    desk.view.resize(716, 560)
    desk.show()
    assert desk.view._scroll.widget().minimumSizeHint().width() <= 700
    widths = {card.minimumSizeHint().width() for card in desk.view.cards}
    assert len(widths) == 1


def test_that_the_list_shows_the_ablation_in_the_place_of_its_runs(scene):
    _, bridge, stage = scene
    trained(stage, bridge)
    stage.activate()
    texts = [stage.runs.item(row).text() for row in range(stage.runs.count())]
    assert texts == ["New training", "shapes ablation\nablation · 5 of 6 trained, 1 diverged"]


def test_that_what_was_trained_is_measured_alike(scene):
    state, bridge, stage = scene
    state.add_classifier(replace(GUIDE, event_shape=(3, 16, 16), noisy=False))
    desk = trained(stage, bridge)
    desk.view.next.click()
    keys = [cell.key for cell in TABLE if cell.key != "eps-L-learned"]
    opened = [Path(str(path)).name for call, path in bridge.calls if call == "know_model"]
    assert opened == keys
    for key in reversed(keys):
        info = replace(DIGITS, ref=ModelRef(key, key * 8), event_shape=(3, 16, 16))
        bridge.say(ModelKnown(info, str(desk.record.folder / key)))
    for count, key in enumerate(keys, 1):
        request, _data = bridge.measured[-1]
        assert isinstance(request, LikelihoodRequest)
        assert (len(bridge.measured), request.model.name) == (count, key)
        job = len(bridge.submitted)
        bridge.begin_measure(job)
        bridge.say_measured(job, known_bits(3.0 + count), 10)
        bridge.end(job)
    request, _data = bridge.measured[-1]
    assert isinstance(request, DistanceRequest)
    assert [trial.series for trial in request.trials] == keys
    assert request.features == GUIDE.ref
    job = len(bridge.submitted)
    bridge.begin_measure(job)
    points = tuple(point(key, 0.1 * place) for place, key in enumerate(keys))
    bridge.say_measured(job, Distances(points, "kernel", 64, 12), 10)
    bridge.end(job)
    desk.show()
    found = [outcome.figures for outcome in outcomes(desk.record.folder)]
    assert [one.bits_per_dim for one in found] == [4.0, 5.0, 6.0, None, 7.0, 8.0]
    assert found[5] == Figures(8.0, 0.01, pytest.approx(0.4), 0.002, "kernel", "digits-guide")
    assert desk.table.rows[0][5:7] == ("4.000 ± 0.010", "0.0000 ± 0.0020")
    assert desk.view.next.text() == "Measure again"
    assert state.model is DIGITS


def test_that_a_measurement_stopped_half_way_counts_for_nothing(scene):
    _, bridge, stage = scene
    desk = trained(stage, bridge)
    desk.view.next.click()
    for one in desk.record.trained:
        bridge.say(ModelKnown(DIGITS, str(desk.record.folder / one.cell.key)))
    job = len(bridge.submitted)
    bridge.begin_measure(job)
    bridge.say_measured(job, known_bits(3.0), 2)
    assert desk.measuring.progress == pytest.approx(0.2 / 5)
    desk.show()
    desk.view.stop.click()
    assert bridge.calls[-1] == ("cancel", job)
    bridge.end(job, "stopped")
    assert not desk.measuring.is_live
    assert desk.record.cells[0].figures == Figures()


def test_that_a_model_that_cannot_be_measured_counts_for_nothing_and_the_others_are_measured(scene):
    _, bridge, stage = scene
    desk = trained(stage, bridge)
    desk.view.next.click()
    for one in desk.record.trained:
        bridge.say(ModelKnown(DIGITS, str(desk.record.folder / one.cell.key)))
    job = len(bridge.submitted)
    bridge.begin_measure(job)
    bridge.say_measured(job, known_bits(3.0), 2)
    bridge.say(Failed(job, "It answers no numbers.", ""))
    assert stage.errors.message() == "It answers no numbers."
    assert desk.measuring.is_live
    assert desk.record.cells[0].figures == Figures()
    for count in range(2, 6):
        job = len(bridge.submitted)
        assert len(bridge.measured) == count
        bridge.begin_measure(job)
        bridge.say_measured(job, known_bits(3.0 + count), 10)
        bridge.end(job)
    assert not desk.measuring.is_live
    found = [outcome.figures.bits_per_dim for outcome in outcomes(desk.record.folder)]
    assert found == [None, 5.0, 6.0, None, 7.0, 8.0]


def test_that_a_model_that_cannot_be_opened_ends_the_measuring_in_words(scene):
    _, bridge, stage = scene
    desk = trained(stage, bridge)
    desk.view.next.click()
    bridge.say(Failed(None, "The model is damaged.", ""))
    assert stage.errors.message() == "The model is damaged."
    assert not desk.measuring.is_live


def test_that_an_ablation_on_the_disk_is_shown_and_gone_on_with(scene, qtbot):
    state, bridge, stage = scene
    stage.setup.controls.background.set_value("black")
    desk = prepared(stage)
    desk.view.next.click()
    train_one(bridge)
    diverge(bridge, 3)
    train_one(bridge, step=9, reason="stopped")
    folder = desk.record.folder
    later = TrainStage(state, bridge)
    qtbot.addWidget(later)
    for widget in (*later.right_widgets(), *later.bottom_widgets()):
        qtbot.addWidget(widget)
    later.activate()
    later.runs.setCurrentRow(1)
    found = later.ablation
    assert found.record.folder == folder
    states = [one.state for one in found.record.cells]
    assert states[:4] == ["trained", "diverged at step 3", "stopped, step 9 of 40", "waits for its turn"]
    assert not found.view.steps.isVisible()
    found.view.next.click()
    order, data = bridge.trained[-1]
    assert (order.out.name, data.source) == (TABLE[2].key, stage.setup.data.source)
    assert data.reading == Reading(16, background=(0, 0, 0))


def test_that_the_pictures_of_an_ablation_are_asked_for_where_they_are_gone(scene, qtbot, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("app.stages.ablation.choose_folder", lambda parent, title, take: asked.append((title, take)))
    _, bridge, stage = scene
    desk = prepared(stage)
    desk.view.next.click()
    train_one(bridge, step=9, reason="stopped")
    source = stage.setup.data.source
    moved = source.rename(tmp_path / "elsewhere")
    desk.ablations.data, desk.record.pictures = None, source
    desk.show()
    desk.view.next.click()
    (title, take) = asked[0]
    assert "shapes" in title
    take(a_folder(tmp_path / "others", {"circle": 2, "square": 2}))
    assert "not the pictures of this ablation" in stage.errors.message()
    desk.view.next.click()
    asked[-1][1](moved)
    assert bridge.trained[-1][0].out.name == TABLE[0].key
    assert len(bridge.trained) == 2


def test_that_curves_share_an_axis_with_those_counted_in_the_same(scene):
    _, bridge, stage = scene
    desk = prepared(stage)
    desk.view.next.click()
    for scale in (1.0, 100.0, 3.0):
        train_one(bridge, losses=np.linspace(2, 1, 40) * scale)
    desk.show()
    plots = [card.plot for card in desk.view.cards[:3]]
    heights = [plot.place(1, 10.0).y() for plot in plots]
    desk.view.common.setChecked(True)
    shared = [plot.place(1, 10.0).y() for plot in plots]
    assert shared[0] == shared[1]
    assert heights[0] != heights[1]
    assert plots[2].place(1, 10.0).y() == heights[2]


def test_that_an_ablation_cannot_begin_where_a_training_is_at_work(scene):
    _, bridge, stage = scene
    stage.setup.start.click()
    stage.view.new.click()
    assert not stage.setup.ablation.isEnabled()
    assert "being trained" in stage.setup.ablation.toolTip()
    bridge.say(RunEnded(1, "stopped", 0, 0.0))


def test_that_fine_tuning_has_no_ablation(scene):
    _, _, stage = scene
    stage.setup.controls.fine_tune.setChecked(True)
    assert not stage.setup.ablation.isEnabled()
    assert "from the start" in stage.setup.ablation.toolTip()


def test_that_a_damaged_ablation_is_refused_in_words(scene):
    _, _, stage = scene
    folder = runs_folder() / "broken"
    folder.mkdir(parents=True)
    (folder / FILE).write_text("{")
    stage.ablation.open(folder)
    assert "cannot be shown" in stage.errors.message()
    stage.activate()


def test_that_figures_are_printed_with_their_errors():
    one = CellRecord(TABLE[0], figures=Figures(3.14159, 0.01, 0.25, 0.125))
    assert figures(one) == "3.142 ± 0.010 bits/dim\ndistance 0.2500 ± 0.1250"
    assert figures(CellRecord(TABLE[0])).strip() == ""
    assert with_error(None, 0.1, 2) == "–"
    assert with_error(11488.807, 234.153, 3) == "11,488.8 ± 234.2"
