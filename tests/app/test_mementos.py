"""What is set in a stage, as plain JSON and back."""

from __future__ import annotations

import json
from operator import attrgetter

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QCheckBox, QLineEdit, QWidget

from app.mementos import Mementos, entries_of, entry_of
from app.stages.base import Stage
from app.stages.denoise import DenoiseStage
from app.stages.forward import ForwardStage
from app.stages.invert import InvertStage
from app.stages.measure import MeasureStage
from app.stages.morph import MorphStage
from app.stages.train import TrainStage
from app.state import AppState
from app.widgets.controls import Choice, SeedBox, ValueSlider
from app.widgets.number_field import Duration, NumberField
from core.images import from_pixels
from core.requests import ScheduleSpec
from tests.app.conftest import WindowBridge
from tests.app.fake_engine import GUIDE
from tests.app.test_every_control import DENOISE, INVERT, MORPH, SHEET, TRAIN, turn
from tests.app.test_every_control import GUIDE as OPEN_GUIDE
from tests.app.test_every_control_of_measure import CASES as MEASURE

PICTURE = from_pixels(np.full((32, 32, 1), 90, np.uint8), "grey")
STAGES: tuple[type[Stage], ...] = (ForwardStage, DenoiseStage, InvertStage, MorphStage, TrainStage, MeasureStage)
NAMED = {DenoiseStage: [*DENOISE, *(("sheet." + n, v, g) for n, v, g in SHEET)], InvertStage: INVERT, MorphStage: MORPH}
NAMED |= {TrainStage: TRAIN, MeasureStage: MEASURE}


def made(qtbot, kind: type[Stage], *, is_ready: bool = True) -> tuple[AppState, WindowBridge, Stage]:
    state = AppState()
    bridge = WindowBridge(state)
    stage = kind(state, bridge)  # type: ignore[call-arg]
    qtbot.addWidget(stage)
    state.setParent(stage)
    for widget in (*stage.right_widgets(), *stage.bottom_widgets()):
        widget.setParent(stage)
    if is_ready:
        ready(state, bridge)
    return state, bridge, stage


def ready(state: AppState, bridge: WindowBridge) -> None:
    bridge.ready()
    bridge.know()
    state.set_image(PICTURE)


def stored(stage: Stage) -> dict:
    return json.loads(json.dumps(stage.memento(), allow_nan=False))


@pytest.mark.parametrize("kind", list(NAMED))
def test_that_every_control_is_in_the_memento_but_the_crop_which_belongs_to_the_window(qtbot, kind) -> None:
    _state, _bridge, stage = made(qtbot, kind)
    assert {name for name, _value, _given in NAMED[kind]} - {"conversion"} <= set(stage.memento())


@pytest.mark.parametrize("kind", STAGES)
def test_that_the_memento_of_a_new_stage_changes_nothing(qtbot, kind) -> None:
    _state, _bridge, stage = made(qtbot, kind)
    before = stored(stage)
    assert stage.recall(before) == ()
    assert stored(stage) == before


CHANGES = {
    DenoiseStage: {"label": "3", "guidance": 3.0, "steps": 7.0, "sampler": "heun", "clip": "dynamic", "limit": 2.5},
    InvertStage: {"method": "edit", "label": "4", "t": 321.0, "count": 2.0, "eta": 0.5, "edit_clip": "dynamic"},
    MorphStage: {"mix": "ddpm", "sampler": "heun", "frames": 5.0, "t": 222.0, "clip": "clamp", "guidance": 1.5},
    TrainStage: {"goal": "classifier", "side": "64", "batch": 17.0, "lr": 0.004, "duration": {"steps": 30}},
    MeasureStage: {"kind": "fidelity", "ws": "0, 3", "guide": GUIDE.ref.sha256, "scales": "2", "samples": 60.0},
    ForwardStage: {"ghost": "cosine", "mapping": "normalised", "label": "5", "guidance": 2.0},
}


@pytest.mark.parametrize("kind", STAGES)
def test_that_a_memento_sets_another_stage_alike(qtbot, kind) -> None:
    _state, _bridge, stage = made(qtbot, kind)
    assert stage.recall(CHANGES[kind]) == ()
    memento = stored(stage)
    assert {name: memento[name] for name in CHANGES[kind]} == CHANGES[kind]
    _state, _bridge, other = made(qtbot, kind)
    assert other.recall(memento) == ()
    assert stored(other) == memento


@pytest.mark.parametrize("kind", STAGES)
def test_that_what_comes_before_the_model_is_set_when_the_model_is_there(qtbot, kind) -> None:
    state, bridge, stage = made(qtbot, kind, is_ready=False)
    state.set_image(PICTURE)
    stage.recall(CHANGES[kind])
    assert {name: stage.memento()[name] for name in CHANGES[kind]} == CHANGES[kind]
    ready(state, bridge)
    assert {name: stage.memento()[name] for name in CHANGES[kind]} == CHANGES[kind]
    assert not stage.mementos.awaited


JUNK = (None, [], {}, "no such thing", -1, 1e308, True, [[]], {"seed": {}}, {"minutes": "1"}, [{}, {}])


@pytest.mark.parametrize("kind", STAGES)
def test_that_damaged_values_leave_the_controls_as_they_are_or_within_their_range(qtbot, kind) -> None:
    _state, _bridge, stage = made(qtbot, kind)
    before = stage.memento()
    for junk in JUNK:
        stage.recall(dict.fromkeys(before, junk))
        for name, entry in stage.mementos.entries.items():
            now = entry.read()
            both_numbers = isinstance(now, int | float) and isinstance(before[name], int | float)
            assert both_numbers or type(now) is type(before[name]) or name == "ends"
    stage.mementos.forget()
    assert stage.recall(before) == ()
    assert stored(stage) == json.loads(json.dumps(before))


@pytest.mark.parametrize(("kind", "cases"), NAMED.items())
def test_that_a_turn_of_each_control_is_told_and_remembered(qtbot, kind, cases) -> None:
    _state, _bridge, stage = made(qtbot, kind)
    before = stored(stage)
    told = []
    stage.settings_changed.connect(lambda: told.append(True))
    for control, value, given in cases:
        if control in ("conversion", "sheet.over"):  # the window's; and without a classifier there is but one
            continue
        widget = named(stage, control)
        value = GUIDE.ref.sha256 if value in (OPEN_GUIDE, "guide") else value
        if given or not widget.isEnabled() or before[control] == value:
            continue
        turn(widget, value)
        assert told, control
        assert stored(stage)[control] != before[control], control
        stage.recall(before)
        assert stored(stage) == before, control
        told.clear()


def named(stage: Stage, control: str) -> QWidget:
    if control.startswith("sheet."):
        return attrgetter(control)(stage).page if control == "sheet" else attrgetter(control[6:])(stage.sheet.page)
    return attrgetter(control)(stage.setup.controls if isinstance(stage, TrainStage) else stage.controls)


@pytest.mark.parametrize("kind", STAGES)
def test_that_a_model_that_is_opened_is_no_change_by_the_person(qtbot, kind) -> None:
    _state, bridge, stage = made(qtbot, kind, is_ready=False)
    told = []
    stage.settings_changed.connect(lambda: told.append(True))
    bridge.ready()
    assert not told


def test_that_a_schedule_drawn_by_hand_comes_back_point_by_point(qtbot) -> None:
    state, _bridge, stage = made(qtbot, ForwardStage)
    spec = ScheduleSpec("drawn", 500, points=((0.0, 0.99), (0.4, 0.3), (1.0, 0.001)))
    state.set_schedule(spec)
    memento = stored(stage)
    state.set_schedule(ScheduleSpec("cosine"))
    stage.recall(memento)
    assert state.schedule == spec


def test_that_end_points_come_back_with_their_pictures_and_classes(qtbot) -> None:
    _state, _bridge, stage = made(qtbot, MorphStage)
    assert isinstance(stage, MorphStage)
    stage.ends.put_picture(PICTURE, 0)
    stage.ends._label_chosen(0, "7")
    stage.ends._seed_typed(1, 12345)
    memento = stored(stage)
    _state, _bridge, other = made(qtbot, MorphStage)
    assert isinstance(other, MorphStage)
    other.recall(memento)
    assert [(point.end, point.label) for point in other.ends.points] == [
        (point.end, point.label) for point in stage.ends.points
    ]


def test_that_an_end_point_whose_picture_is_not_there_leaves_the_end_points_as_they_are(qtbot) -> None:
    _state, _bridge, stage = made(qtbot, MorphStage)
    assert isinstance(stage, MorphStage)
    stage.ends.put_picture(PICTURE, 0)
    memento = stored(stage)
    _state, _bridge, other = made(qtbot, MorphStage)
    assert isinstance(other, MorphStage)
    other.state.pictures.clear()
    before = [point.end for point in other.ends.points]
    assert other.recall(memento) == ("ends",)
    assert [point.end for point in other.ends.points] == before


def test_that_the_settings_of_a_training_wait_for_its_folder(qtbot, tmp_path) -> None:
    for number in range(4):
        Image.fromarray(np.full((20, 20), 60 * number, np.uint8)).save(tmp_path / f"{number}.png")
    _state, _bridge, stage = made(qtbot, TrainStage)
    assert isinstance(stage, TrainStage)
    stage.recall({"folder": str(tmp_path), "flip": True, "never": "*3*", "side": "48"})
    qtbot.waitUntil(lambda: stage.setup.data is not None and not stage.mementos.awaited, timeout=3000)
    assert stage.setup.folder == tmp_path
    assert stage.setup.controls.settings().never_flipped == ("*3*",)
    assert stage.setup.controls.settings().size == 48


def test_that_a_folder_that_is_gone_keeps_nothing_else_from_being_set(qtbot, tmp_path) -> None:
    for kind, name in ((TrainStage, "batch"), (MeasureStage, "samples")):
        _state, _bridge, stage = made(qtbot, kind)
        assert stage.recall({"folder": str(tmp_path / "gone"), name: 40.0}) == ("folder",)
        assert stage.memento()[name] == 40.0


CONTROLS: list[tuple[QWidget | type, object, object]] = [
    (lambda: Choice("a", ("x", "y")), "y", "x"),
    (lambda: ValueSlider("a", 0, 10, 5), 7.0, 5.0),
    (lambda: SeedBox(3), {"seed": 9, "locked": False}, {"seed": 3, "locked": True}),
    (lambda: NumberField("a", 0, 10, 5), 7.0, 5.0),
    (lambda: Duration("a"), {"steps": 70}, {"minutes": 20.0}),
    (lambda: QCheckBox("a"), True, False),
    (lambda: QLineEdit("a"), "b", "a"),
]


@pytest.mark.parametrize(("make", "value", "before"), CONTROLS)
def test_that_each_kind_of_control_is_read_written_and_heard(qtbot, make, value, before) -> None:
    widget = make()
    qtbot.addWidget(widget)
    mementos = Mementos({"it": entry_of(widget)}, parent=widget)
    assert mementos.memento() == {"it": before}
    heard = []
    mementos.changed.connect(lambda: heard.append(True))
    assert mementos.recall({"it": value}) == ()
    assert mementos.memento() == {"it": value}
    assert not heard
    turn(widget, {Duration: {"minutes": 3.0}, SeedBox: 10}.get(type(widget), before))
    assert heard


def test_that_controls_without_a_name_of_their_own_are_not_remembered(qtbot) -> None:
    class Panel(QWidget):
        def __init__(self) -> None:
            super().__init__()
            self.named, self._hidden, self.other = QCheckBox("a", self), QCheckBox("b", self), QWidget(self)

    panel = Panel()
    qtbot.addWidget(panel)
    assert set(entries_of(panel)) == {"named"}
