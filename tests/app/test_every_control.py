"""Each control of each stage is turned, on the real engine with a real (tiny) network, and something else comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtWidgets import QCheckBox, QLineEdit, QWidget

from app.bridge import Bridge
from app.stages.base import Stage
from app.stages.classifier_controls import ClassifierControls
from app.stages.denoise import DenoiseStage
from app.stages.invert import InvertStage
from app.stages.morph import MorphStage
from app.stages.train import TrainStage
from app.state import AppState
from app.widgets.controls import Choice, SeedBox, ValueSlider
from app.widgets.conversion import ConversionBox
from app.widgets.number_field import Duration, NumberField
from core.engine import Engine
from core.images import OpenedImage, from_pixels
from core.messages import EngineState, Measured, Preview, TrainingSamples, TrainingStarted, TrainingTick
from core.requests import Conversion, MorphRequest
from core.training import presets, samples
from tests.app.fake_engine import Dock
from tests.app.tiny import SIDE, tiny_classifier, tiny_model

KINDS = (Choice, ValueSlider, SeedBox, NumberField, Duration, ConversionBox, QLineEdit, QCheckBox)
PATIENCE = 60_000
INVERTED = Conversion((SIDE, SIDE), 1, invert=True)
Given = dict[str, Any]


def picture() -> OpenedImage:
    ramp = np.add.outer(np.arange(SIDE), np.arange(SIDE)) * 255 // (2 * SIDE - 2)
    return from_pixels(ramp[..., None].astype(np.uint8), "ramp")


class Scene:
    """A stage on an engine, and what came out of it."""

    def __init__(self, qtbot, kind: type[Stage], classifier: Path, learned: bool = False) -> None:
        self.qtbot = qtbot
        self.state = AppState()
        engine = Engine(device="cpu")
        self.bridge = Bridge(self.state, engine)
        self.heard: list[Any] = []
        self.bridge.message.connect(self.heard.append)
        self.stage: Any = kind(self.state, self.bridge)  # type: ignore[call-arg]
        self.dock = Dock(self.stage)
        qtbot.addWidget(self.dock)
        self.bridge.start()
        engine.add_model(tiny_model(learned))
        self.bridge.open_classifier(str(classifier))
        self.wait(lambda: self.state.model is not None and self.state.classifiers)
        self.wait(lambda: self.state.status.state is EngineState.IDLE)
        self.state.set_image(picture())
        self.state.set_conversion(Conversion((SIDE, SIDE), 1))
        self.dock.show()
        self.state.move(stage=kind.key)
        self.stage.activate()

    def wait(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=PATIENCE)

    def turn(self, control: str, value: Any) -> None:
        turn(attrgetter(control)(self.controls), self.state.classifiers[0].ref.sha256 if value == GUIDE else value)

    @property
    def controls(self) -> QWidget:
        if isinstance(self.stage, DenoiseStage) and self.stage.pages.is_sheet:
            return self.stage.sheet.page
        return self.stage.setup.controls if isinstance(self.stage, TrainStage) else self.stage.controls

    def run(self) -> list[np.ndarray]:
        """Press the button; everything that came out, as arrays."""
        self.wait(self.stage.primary_action.isEnabled)
        self.stage.primary_action.click()
        self.wait(self._is_done)
        return self._trained() if isinstance(self.stage, TrainStage) else self._sampled()

    def _is_done(self) -> bool:
        if isinstance(self.stage, TrainStage):
            return self.state.training is not None and self.state.training.state == "finished"
        if isinstance(self.stage, InvertStage) and self.stage.trips.is_busy:
            return False
        if isinstance(self.stage, MorphStage) and self.stage.shown.expected:
            return False
        if isinstance(self.stage, DenoiseStage) and self.stage.sheet.is_busy:
            return False
        return bool(self.state.runs) and all(run.state == "finished" for run in self.state.runs.values())

    def _sampled(self) -> list[np.ndarray]:
        found = [np.array(sorted({len(m.frames) for m in self.heard if isinstance(m, Preview)}))]
        for job, run in self.state.runs.items():
            is_morph = isinstance(run.request, MorphRequest)
            frames = run.request.frames ** (2 if run.request.layout == "grid" else 1) if is_morph else 1
            for frame in range(frames):
                values = self.bridge.values(job, run.steps, frame if is_morph else None)
                assert values is not None
                found.append(np.array(values))
        return found

    def _trained(self) -> list[np.ndarray]:
        (started,) = (m for m in self.heard if isinstance(m, TrainingStarted))
        samples = [m.pictures for m in self.heard if isinstance(m, TrainingSamples)]
        losses = np.concatenate([m.losses for m in self.heard if isinstance(m, TrainingTick)])
        return [np.array([started.parameters, started.batch]), losses, *samples]


def turn(control: QWidget, value: Any) -> None:
    """What a person does with it."""
    match control:
        case SeedBox():
            control.set_seed(value)
            control.seed_changed.emit(value)
        case Duration():
            control.set_duration(**value)
        case QLineEdit():
            control.setText(value)
            control.editingFinished.emit()
        case QCheckBox():
            control.setChecked(value)
        case ConversionBox():
            control.conversion_changed.emit(value)
        case _:
            control.set_value(value)  # type: ignore[attr-defined]


def differ(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    alike = len(before) == len(after) and all(a.shape == b.shape for a, b in zip(before, after, strict=True))
    return not alike or any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))


GUIDE = "the classifier that is open"
DENOISE: list[tuple[str, Any, Given]] = [
    ("label", "1", {}),
    ("own_labels", "b, b, a", {"label": "own", "own_labels": "a"}),
    ("guidance", 3.0, {}),
    ("steps", 5, {}),
    ("sampler", "ddpm", {}),
    ("sampler", "heun", {}),
    ("sampler", "dpmpp", {}),
    ("eta", 0.8, {}),
    ("variance", "large", {"sampler": "ddpm"}),
    ("variance", "learned", {"sampler": "ddpm", "learned": True}),
    ("spacing", "trailing", {}),
    ("hand", "900, 100", {"spacing": "hand", "hand": "900, 500"}),
    ("clip", "clamp", {}),
    ("clip", "dynamic", {"clip": "rederive"}),
    ("percentile", 60.0, {"clip": "dynamic"}),
    ("limit", 1.1, {"clip": "dynamic"}),
    ("first", 500, {"guidance": 3.0}),
    ("last", 500, {"guidance": 3.0}),
    ("rescale", 0.7, {"guidance": 3.0}),
    ("classifier.choice", GUIDE, {}),
    ("classifier.scale", 6.0, {"classifier.choice": GUIDE}),
    ("classifier.target", "1", {"classifier.choice": GUIDE}),
    ("classifier.at", "mean", {"sampler": "ddpm", "classifier.choice": GUIDE}),
    ("temperature", 0.5, {}),
    ("count", 3, {}),
    ("precision", "bfloat16", {}),
    ("start", "picture", {}),
    ("start_t", 300, {"start": "picture"}),
    ("seed", 5, {}),
    ("conversion", INVERTED, {"start": "picture"}),
]
SHEET: list[tuple[str, Any, Given]] = [("over", "scale", {}), ("values", "1, 2", {}), ("by", "labels", {})]
INVERT: list[tuple[str, Any, Given]] = [
    ("method", "edit", {}),
    ("label", "1", {}),
    ("guidance", 2.0, {"label": "0"}),
    ("steps", 5, {}),
    ("convention", "openai", {}),
    ("refinements", 2, {}),
    ("spacing", "trailing", {}),
    ("clip", "clamp", {}),
    ("clip", "dynamic", {}),
    ("precision", "bfloat16", {}),
    ("conversion", INVERTED, {}),
    ("t", 300, {"method": "edit"}),
    ("count", 3, {"method": "edit"}),
    ("eta", 0.8, {"method": "edit"}),
    ("edit_clip", "clamp", {"method": "edit"}),
    ("edit_clip", "dynamic", {"method": "edit"}),
    ("seed", 5, {"method": "edit"}),
]
MORPH: list[tuple[str, Any, Given]] = [
    ("mix", "lerp", {}),
    ("frames", 4, {}),
    ("steps", 5, {}),
    ("t", 300, {"mix": "ddpm"}),
    ("layout_choice", "grid", {"ends": 4}),
    ("sampler", "ddpm", {}),
    ("sampler", "heun", {}),
    ("sampler", "dpmpp", {}),
    ("eta", 0.8, {}),
    ("spacing", "trailing", {}),
    ("guidance", 2.0, {}),
    ("convention", "openai", {}),
    ("refinements", 2, {}),
    ("clip", "clamp", {}),
    ("clip", "dynamic", {}),
    ("precision", "bfloat16", {}),
    ("batch", 1, {}),
    ("seed", 5, {"mix": "ddpm"}),
    ("conversion", INVERTED, {}),
]
TRAIN: list[tuple[str, Any, Given]] = [
    ("side", "32", {}),
    ("preset", "medium", {}),
    ("duration", {"steps": 3}, {}),
    ("goal", "classifier", {}),
    ("prediction", "eps", {}),
    ("objective", "vlb", {}),
    ("variance", "diagonal", {"objective": "vlb"}),
    ("schedule", "cosine", {}),
    ("length", "4000", {}),
    ("timesteps", "uniform", {}),
    ("zero_snr", True, {}),
    ("precision", "bfloat16", {"duration": {"steps": 3}}),  # the first answer is 0 in any precision
    ("batch", 3, {}),
    ("lr", 0.05, {"duration": {"steps": 3}}),
    ("samples", 2, {}),
    ("seed", 5, {}),
    ("crop", "whole", {"batch": 10}),
    ("background", "black", {"batch": 10}),
    ("colour", "#404040", {"background": "own", "batch": 10}),
    ("frames", "all", {}),
    ("flip", True, {}),
    ("never", "a/*", {"flip": True}),
    ("weights", "raw", {"duration": {"steps": 3}, "lr": 0.05}),
    ("validation", "16", {}),
    ("fine_tune", True, {}),
]
BY_TIME = {"every", "keep_every", "keep_best", "compile"}
"""What only shows after seconds of training, or in its folder alone; the order that it makes is tested beside the other
widgets of Train."""


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_classifier(tmp_path_factory.mktemp("classifiers") / "tiny-guide")


UNTURNED: dict[tuple[str, str], list[np.ndarray]] = {}
"""What came out before a control was turned, by the test and what is given: the same for all of a test's controls."""


@pytest.fixture
def made(qtbot, classifier) -> Iterator[Callable[..., Scene]]:
    scenes: list[Scene] = []

    def make(kind: type[Stage], learned: bool = False) -> Scene:
        scenes.append(Scene(qtbot, kind, classifier, learned))
        return scenes[-1]

    yield make
    for scene in scenes:
        assert scene.bridge.shut_down()


def compared(made, begin: Callable[[Scene], None], kind: type[Stage], control: str, value: Any, given: Given) -> bool:
    """Whether turning the control changes what comes out, with all else alike."""

    def prepared() -> Scene:
        scene: Scene = made(kind, learned=given.get("learned", False))
        begin(scene)
        for name, before in given.items():
            if name not in ("ends", "learned"):
                scene.turn(name, before)
        return scene

    known = begin.__qualname__, repr(given)
    if known not in UNTURNED:
        UNTURNED[known] = prepared().run()
    scene = prepared()
    assert attrgetter(control)(scene.controls).isEnabled(), "a control that is greyed cannot be turned"
    scene.turn(control, value)
    return differ(UNTURNED[known], scene.run())


@pytest.mark.parametrize(("control", "value", "given"), DENOISE)
def test_that_every_control_of_denoise_reaches_the_engine(made, control, value, given) -> None:
    def begin(scene: Scene) -> None:
        for name, small in (("steps", 3), ("count", 2), ("label", "0")):
            scene.turn(name, small)

    assert compared(made, begin, DenoiseStage, control, value, given)


@pytest.mark.parametrize("kind", [DenoiseStage, InvertStage])
def test_that_what_comes_out_is_the_same_where_nothing_is_turned(made, kind) -> None:
    results = []
    for _ in range(2):
        scene = made(kind)
        for name, small in (("steps", 3), ("count", 2)):
            scene.turn(name, small)
        results.append(scene.run())
    assert not differ(*results)


@pytest.mark.parametrize(("control", "value", "given"), SHEET)
def test_that_every_control_of_the_guidance_sheet_reaches_the_engine(made, control, value, given) -> None:
    def begin(scene: Scene) -> None:
        for name, small in (("steps", 2), ("count", 1), ("label", "0"), ("classifier.choice", GUIDE)):
            scene.turn(name, small)
        scene.stage.buttons.sheet.setChecked(True)
        scene.turn("values", "0, 2")

    assert compared(made, begin, DenoiseStage, control, value, given)


@pytest.mark.parametrize(("control", "value", "given"), INVERT)
def test_that_every_control_of_invert_reaches_the_engine(made, control, value, given) -> None:
    def begin(scene: Scene) -> None:
        for name, small in (("steps", 3), ("count", 2)):
            scene.turn(name, small)

    assert compared(made, begin, InvertStage, control, value, given)


@pytest.mark.parametrize(("control", "value", "given"), MORPH)
def test_that_every_control_of_morph_reaches_the_engine(made, control, value, given) -> None:
    def begin(scene: Scene) -> None:
        while len(scene.stage.ends.points) < given.get("ends", 2):
            scene.stage.ends._added()
        scene.stage.ends.put_picture(scene.state.image, 0)
        scene.stage.ends.put_picture(from_pixels(np.full((SIDE, SIDE, 1), 200, np.uint8), "grey"), 1)
        for name, small in (("steps", 3), ("frames", 3)):
            scene.turn(name, small)

    assert compared(made, begin, MorphStage, control, value, given)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(3):
            rng = np.random.default_rng([number, ord(name)])
            pixels = rng.integers(0, 256, (SIDE, SIDE), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{number}.png")
        glass = np.stack([pixels, pixels.T], axis=2)  # grey and how much of it is there
        Image.fromarray(np.concatenate([glass, glass])).save(tmp_path / "pictures" / name / "oblong.png")
        moves = [Image.fromarray(pixels // part) for part in (2, 3)]
        moves[0].save(tmp_path / "pictures" / name / "moves.gif", save_all=True, append_images=moves[1:])
    return tmp_path / "pictures"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of the presets' shapes, a few channels wide, that draw in three steps."""
    widths = {"small": (8, 16, 16, 16), "medium": (16, 16, 16, 16), "large": (16, 24, 24, 24)}
    narrow = {
        name: replace(preset, widths=widths[name], groups=4, head=8, time=16)
        for name, preset in presets.PRESETS.items()
    }
    monkeypatch.setattr(presets, "PRESETS", narrow)
    monkeypatch.setattr(samples, "STEPS", 3)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("control", "value", "given"), TRAIN)
def test_that_every_control_of_train_reaches_the_engine(made, folder, control, value, given) -> None:
    def begin(scene: Scene) -> None:
        setup = scene.stage.setup
        scene.stage.handle_folder(folder)
        scene.turn("side", str(SIDE))
        for name, small in (("batch", 2), ("samples", 1), ("precision", "float32"), ("duration", {"steps": 1})):
            scene.turn(name, small)
        scene.wait(lambda: setup.data is not None and setup.data.pictures.shape[1] == SIDE)

    assert compared(made, begin, TrainStage, control, value, given)


def test_that_every_control_of_a_trainings_samples_reaches_the_engine(made, folder) -> None:
    scene = made(TrainStage)
    stage = scene.stage
    page = stage.view.samples_page
    assert set(named(page.controls)) == {"kind", "weights"}
    stage.handle_folder(folder)
    for name, value in (("side", str(SIDE)), ("batch", 2), ("samples", 1), ("duration", {"steps": 100_000})):
        scene.turn(name, value)
    scene.wait(lambda: stage.setup.data is not None and stage.setup.data.pictures.shape[1] == SIDE)
    scene.wait(stage.primary_action.isEnabled)
    stage.primary_action.click()
    scene.wait(lambda: stage.course.samples and stage.course.step > 2)
    turn(page.controls.weights, "raw")
    page.controls.draw.click()
    scene.wait(lambda: any(drawn.weights == "raw" for drawn in stage.course.samples))
    page.descent.asked.emit(4)
    guess = page.pane.content.values.copy()
    turn(page.controls.kind, "x_t")
    assert not np.array_equal(page.pane.content.values, guess)
    stage.stop()
    scene.wait(lambda: not stage.course.is_live)


def test_that_every_control_of_the_nearest_pictures_reaches_the_engine_while_it_trains(made, folder) -> None:
    scene = made(TrainStage)
    stage = scene.stage
    page = stage.view.nearest_page
    assert set(named(page)) == {"features"}
    stage.handle_folder(folder)
    for name, value in (("side", str(SIDE)), ("batch", 2), ("samples", 2), ("duration", {"steps": 100_000})):
        scene.turn(name, value)
    scene.wait(lambda: stage.setup.data is not None and stage.setup.data.pictures.shape[1] == SIDE)
    scene.wait(stage.primary_action.isEnabled)
    stage.primary_action.click()
    stage.view.pages.set_current("nearest")
    scene.wait(lambda: stage.course.samples and stage.course.step > 2 and page.start.isEnabled())
    found = []
    for features in ("own", "none"):
        stage.film.go(0)  # the samples of the beginning, whatever has been drawn since
        turn(page.features, features)
        page.start.click()
        scene.wait(lambda: not stage.shown.nearest.is_busy)
        found.append([m for m in scene.heard if isinstance(m, Measured)][-1].result)
    own, none = found
    assert own.by.startswith("the middle of ")
    assert own.features is not None
    assert none.features is None
    assert np.array_equal(own.pixels.distances, none.pixels.distances)
    assert np.array_equal(own.samples, stage.course.samples[0].pictures)
    before = stage.course.step
    scene.wait(lambda: stage.course.step > before)  # it went on by itself
    stage.stop()
    scene.wait(lambda: not stage.course.is_live)


@pytest.mark.parametrize(
    ("kind", "cases"), [(DenoiseStage, DENOISE), (InvertStage, INVERT), (MorphStage, MORPH), (TrainStage, TRAIN)]
)
def test_that_no_control_is_forgotten_here(made, kind, cases) -> None:
    there = set(named(made(kind).controls))
    assert there - BY_TIME == {control for control, _value, _given in cases}


def test_that_no_control_of_the_guidance_sheet_is_forgotten_here(made) -> None:
    assert set(named(made(DenoiseStage).stage.sheet.page)) == {control for control, _value, _given in SHEET}


def named(panel: QWidget) -> Iterator[str]:
    """The controls of a panel, and those of the panels that it names its own."""
    for name, widget in vars(panel).items():
        if isinstance(widget, KINDS) and not name.startswith("_"):
            yield name
        elif isinstance(widget, ClassifierControls):
            yield from (f"{name}.{inner}" for inner in named(widget))
