"""Each control of Measure is turned, on the real engine with real (tiny) networks, and something else comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app.stages.measure import MeasureStage
from core.classifier import Classifier
from core.classifier_config import ClassifierConfig
from core.classifier_folder import save_classifier
from core.messages import ClassifierInfo, Distances, Likelihood
from core.requests import ModelRef, ScheduleSpec
from core.unet_config import UNetConfig
from tests.app.test_every_control import KINDS, Given, Scene, differ, turn
from tests.app.tiny import SIDE

ENCODER = UNetConfig(
    sample_size=SIDE,
    in_channels=1,
    out_channels=1,
    block_out_channels=(4, 4),
    down_block_types=("DownBlock2D", "DownBlock2D"),
    up_block_types=("UpBlock2D", "UpBlock2D"),
    layers_per_block=1,
    norm_num_groups=2,
    attention_head_dim=4,
)
SMALL: Given = {
    "pictures": 3,
    "timesteps": 3,
    "samples": 20,
    "steps": 2,
    "evaluations": "2",
    "ws": "0",
    "temperatures": "1",
    "scales": "1",
    "skipped": "0",
    "shared": "1",
    "copies": 2,
    "checked": 4,
    "precision": "float32",
}
DISTANCE, SAMPLERS, FIDELITY, SKIP, COARSE, NEAREST = (
    {"kind": kind} for kind in ("distance", "samplers", "fidelity", "skip", "coarse", "nearest")
)
CASES: list[tuple[str, Any, Given]] = [
    ("kind", "distance", {}),
    ("pictures", 2, {}),
    ("timesteps", 4, {}),
    ("draws", 2, {}),
    ("variance", "small", {}),
    ("likelihood_clip", "none", {}),
    ("labelled", False, {}),
    ("seed", 5, {}),
    ("precision", "bfloat16", {}),
    ("samples", 30, DISTANCE),
    ("features", "guide", DISTANCE),
    ("metric_choice", "frechet", DISTANCE),
    ("neighbours", 1, DISTANCE),
    ("sampler", "ddpm", DISTANCE),
    ("steps", 3, DISTANCE),
    ("spacing", "trailing", DISTANCE),
    ("clip", "clamp", DISTANCE),
    ("guidance", 3.0, DISTANCE),
    ("label", "1", DISTANCE),
    ("evaluations", "3", SAMPLERS),
    ("use_ddim", False, SAMPLERS),
    ("use_heun", False, SAMPLERS),
    ("use_dpmpp", False, SAMPLERS),
    ("use_ddpm", False, SAMPLERS),
    ("ws", "0, 2", FIDELITY),
    ("temperatures", "0.5", FIDELITY),
    ("guide", "guide", FIDELITY),
    ("scales", "9", {**FIDELITY, "guide": "guide"}),
    ("skipped", "0.6", SKIP),
    ("shared", "0.5", COARSE),
    ("copies", 3, COARSE),
    ("checked", 5, NEAREST),
]


class MeasureScene(Scene):
    """Measure on an engine, with a folder of noise and two networks to compare in."""

    def __init__(self, qtbot, folder: Path, networks: dict[str, Path]) -> None:
        super().__init__(qtbot, MeasureStage, networks["guide"])
        self.stage.features.open(str(networks["judge"]))
        self.wait(lambda: set(networks) <= {one.ref.name for one in self.state.classifiers})
        self.hashes = {one.ref.name: one.ref.sha256 for one in self.state.classifiers}
        self.controls.features.set_value(self.hashes["judge"])
        self.stage.handle_folder(folder)
        self.wait(lambda: self.stage.pictures.data is not None and self.stage.pictures.data.name == "noise")

    @property
    def controls(self) -> Any:
        return self.stage.controls

    def turn(self, control: str, value: Any) -> None:
        turn(getattr(self.controls, control), self.hashes.get(value, value) if isinstance(value, str) else value)

    def run(self) -> list[np.ndarray]:
        assert self.stage.primary_action.isEnabled(), self.stage.page.cost.text()
        self.stage.primary_action.click()
        self.wait(lambda: not self.stage.is_busy)
        assert self.stage.errors.message() == ""
        if self.stage.kind == "coarse":
            jobs = self.stage.coarse.jobs
            return [np.array(self.bridge.values(job, self.state.runs[job].steps)) for job in jobs]
        if self.stage.kind == "nearest":
            found = self.stage.nearest.check.nearest.table.result
            return [found.samples, found.pixels.distances, found.pixels.own]
        record = self.stage.measurements.records[-1]
        assert record.state == "finished"
        return _arrays(record.result)


def _arrays(result: Likelihood | Distances | None) -> list[np.ndarray]:
    match result:
        case Likelihood():
            numbers = np.array([result.prior, result.bits_per_dim, result.bits_error])
            return [result.timesteps, result.terms, result.mse, result.distortion, result.per_picture, numbers]
        case Distances(points=points):
            metric = np.array([ord(letter) for letter in result.metric + result.note])
            facts = [(p.x, p.value, p.error, p.precision, p.recall, p.count, p.evaluations) for p in points]
            return [metric, np.array(facts), *(point.pictures for point in points)]
    raise AssertionError("nothing was measured")


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A network that judges, and one that guides."""
    folders = {}
    for seed, name in enumerate(("judge", "guide")):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Classifier(ClassifierConfig(ENCODER, 2))
            for parameter in network.parameters():
                torch.nn.init.normal_(parameter, std=0.5)
        ref, noisy = ModelRef(name, ""), name == "guide"
        info = ClassifierInfo(ref, (1, SIDE, SIDE), ("a", "b"), ScheduleSpec(), 4, noisy=noisy)
        folders[name] = tmp_path_factory.mktemp("networks") / name
        save_classifier(folders[name], network, info)
    return folders


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("pictures") / "noise"
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        (at / name).mkdir(parents=True)
        for number in range(24):
            pixels = rng.integers(0, 256, (SIDE, SIDE), np.uint8)
            Image.fromarray(pixels).save(at / name / f"{number}.png")
    return at


@pytest.fixture
def made(qtbot, folder, networks) -> Iterator[Callable[[], MeasureScene]]:
    scenes: list[MeasureScene] = []

    def make() -> MeasureScene:
        scenes.append(MeasureScene(qtbot, folder, networks))
        return scenes[-1]

    yield make
    for scene in scenes:
        assert scene.bridge.shut_down()


UNTURNED: dict[str, list[np.ndarray]] = {}
"""What was measured before a control was turned, by what is given."""


@pytest.mark.parametrize(("control", "value", "given"), CASES)
def test_that_every_control_of_measure_reaches_the_engine(made, control, value, given) -> None:
    scene = made()
    for name, before in (SMALL | given).items():
        scene.turn(name, before)
    if repr(given) not in UNTURNED:
        UNTURNED[repr(given)] = scene.run()
    assert getattr(scene.controls, control).isEnabled(), "a control that is greyed cannot be turned"
    scene.turn(control, value)
    assert differ(UNTURNED[repr(given)], scene.run())


def test_that_no_control_is_forgotten_here(made) -> None:
    controls = made().controls
    there = {name for name, widget in vars(controls).items() if isinstance(widget, KINDS) and not name.startswith("_")}
    assert there == {control for control, _value, _given in CASES}


def test_that_two_measurements_alike_find_the_same_to_the_bit(made) -> None:
    results = []
    for _ in range(2):
        scene = made()
        for name, before in SMALL.items():
            scene.turn(name, before)
        results.append(scene.run())
    assert not differ(*results)


def test_that_a_point_of_a_comparison_opens_as_a_run_with_its_very_samples(made) -> None:
    scene = made()
    for name, value in (SMALL | SAMPLERS).items():
        scene.turn(name, value)
    scene.run()
    stage = scene.stage
    stage.view.plot.point_clicked.emit(0, 0)
    samples = stage.points.at[1].pictures
    stage.instruments.samples.open.click()
    scene.wait(lambda: any(run.state == "finished" for run in scene.state.runs.values()))
    (job,) = scene.state.runs
    assert scene.state.cursor.run == job
    last = scene.bridge.frame(job, scene.state.runs[job].steps)
    np.testing.assert_array_equal(last.x_t[: len(samples)], samples)


def test_that_what_was_measured_until_a_stop_stays(made) -> None:
    scene = made()
    for name, value in (SMALL | {"pictures": 48, "timesteps": 900}).items():
        scene.turn(name, value)
    stage = scene.stage
    stage.primary_action.click()
    (record,) = stage.measurements.records
    scene.wait(lambda: record.result is not None and np.isfinite(record.result.terms).sum() > 3)
    stage.stop()
    scene.wait(lambda: not stage.is_busy)
    assert record.state == "stopped"
    assert 0 < record.done < record.total
    assert np.isfinite(stage.view.plot.curves[0].y).sum() > 3
