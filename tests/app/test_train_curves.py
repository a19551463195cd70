"""The curves of a training: which can be chosen, what they show, what is read where the pointer is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from pytestqt.qtbot import QtBot

from app.stages.train_aim import Aim
from app.stages.train_course import Course
from app.stages.train_curves import KINDS, TrainCurves
from app.stages.train_offer import TrainOffer
from app.theme import signal_colour
from app.widgets.step_plot import StepPlot
from core.messages import TrainingOffer
from core.training.events import LEVELS, PathChanged, RolledBack, Validated
from core.training.order import Instruction


def course(steps: int = 400, **changes: object) -> Course:
    """Whose loss falls as 1 / step, at level k to (k + 1) / 10 of that."""
    at = np.arange(1, steps + 1, dtype=np.float32)
    by_level = (1 / at)[:, None] * (np.arange(LEVELS, dtype=np.float32) + 1) / 10
    values: dict[str, object] = {"losses": 1 / at, "norms": 2 / at, "rates": at * 1e-6, "by_level": by_level}
    values |= {"batch": 64, "state": "running"} | changes
    return Course(Path("run"), "run", 8, 10, **values)  # type: ignore[arg-type]


def validated(losses: dict[int, float]) -> tuple[Validated, ...]:
    return tuple(Validated(step, loss, np.zeros(LEVELS, np.float32)) for step, loss in losses.items())


@pytest.fixture
def curves(qtbot: QtBot) -> TrainCurves:
    made = TrainCurves()
    qtbot.addWidget(made)
    made.resize(640, made.height())
    made.show()
    return made


def shown(curves: TrainCurves, key: str) -> StepPlot:
    curves.choice.set_value(key)
    plot = next(plot for plot in (curves.plot, curves.other) if plot.isVisible())
    plot.grab()
    return plot


@pytest.mark.parametrize("key", ["loss", *KINDS])
def test_that_every_kind_of_curve_can_be_chosen_and_has_numbers_to_save(curves: TrainCurves, key: str) -> None:
    curves.show_course(course(validated=validated({100: 0.5, 200: 0.4})))
    plot = shown(curves, key)
    assert not plot.is_empty
    assert len(plot.table()) == (401 if key != "validation" else 302)  # from the first validation on
    assert plot.subject == "run"
    assert plot.toolTip()


@pytest.mark.parametrize("key", ["loss", *KINDS])
def test_that_what_was_not_recorded_is_said_instead_of_a_curve(curves: TrainCurves, key: str) -> None:
    nothing = np.full(0, np.nan, np.float32)
    unknown = {"losses": nothing, "norms": nothing, "rates": nothing, "by_level": np.zeros((0, LEVELS), np.float32)}
    curves.show_course(course(0, state="stopped", **unknown))
    plot = shown(curves, key)
    assert plot.is_empty
    assert plot._placeholder.endswith(".")
    before = plot._placeholder
    curves.show_course(course(0, state="running", **unknown))
    assert shown(curves, key)._placeholder != before


def test_that_levels_go_from_the_colour_of_data_to_that_of_noise(curves: TrainCurves) -> None:
    curves.show_course(course())
    lines = shown(curves, "levels").lines
    assert [line.name for line in lines[:2]] == ["t 0–99", "t 100–199"]
    assert (lines[0].ink(), lines[-1].ink()) == (signal_colour(1), signal_colour(0))
    last = [float(line.values[-1]) for line in lines]
    mean = float((1 / np.arange(301, 401)).mean())
    np.testing.assert_allclose(last, mean * np.arange(1, 11) / 10, rtol=1e-4)


def test_that_validation_stands_beside_training_and_says_when_it_was_lowest(curves: TrainCurves) -> None:
    curves.show_course(course(validated=validated({100: 0.5, 200: 0.25, 300: 0.375})))
    plot = shown(curves, "validation")
    training, aside = plot.lines
    assert (training.name, aside.steps.tolist(), aside.values.tolist()) == (
        "training",
        [100, 200, 300],
        [0.5, 0.25, 0.375],
    )
    assert plot.summary() == "0.3750, lowest 0.2500 at step 200"
    assert plot.accessibleDescription() == plot.summary()


def test_that_the_rate_has_an_even_axis_and_losses_a_logarithmic_one(curves: TrainCurves) -> None:
    curves.show_course(course())
    rate = shown(curves, "rate")
    top, middle, bottom = (rate.place(1, value).y() for value in (4e-4, 2e-4, 0.0))
    assert middle == pytest.approx((top + bottom) / 2)
    norm = shown(curves, "norm")
    ys = [norm.place(1, value).y() for value in (1.0, 0.1, 0.01)]
    assert ys[1] - ys[0] == pytest.approx(ys[2] - ys[1])


def test_that_the_norm_is_drawn_with_the_one_it_is_clipped_to(curves: TrainCurves) -> None:
    curves.show_course(course())
    assert shown(curves, "norm").levels == (("clipped above 1", 1.0),)
    assert shown(curves, "rate").levels == ()


@pytest.mark.parametrize("key", ["loss", "validation", "norm", "rate"])
def test_that_other_trainings_are_drawn_beside_it_with_their_names(curves: TrainCurves, key: str) -> None:
    other = course(600, validated=validated({100: 0.1}))
    other.name = "another"
    curves.show_course(course(validated=validated({100: 0.5})))
    own = [line.name for line in shown(curves, key).lines]
    curves.compare([other])
    plot = shown(curves, key)
    assert [line.legend for line in plot.lines if line.name == "another"] == ["another"]
    assert plot.step_at(plot.plot_rect().right()) == (600 if key != "validation" else 400)
    curves.compare([])
    assert [line.name for line in shown(curves, key).lines] == own


def test_that_a_training_with_another_loss_is_said_to_have_one(curves: TrainCurves) -> None:
    curves.show_course(course())
    curves.compare([course(aim=Aim(prediction="eps")), course(aim=Aim().towards("classifier")), course()])
    legends = [line.legend for line in shown(curves, "loss").lines[1:-1]]
    assert legends == ["run (another loss: L_simple of ε)", "run (another loss: Cross-entropy)", "run"]


def test_that_the_pointer_reads_the_values_of_a_step(curves: TrainCurves) -> None:
    curves.show_course(course())
    plot = shown(curves, "rate")
    at = QPointF(plot.place(100, 1e-4).x(), plot.plot_rect().center().y())
    step = plot.step_at(at.x())
    assert plot.reading(at) == f"step {step} · learning rate {step * 1e-6:.4g}"
    levels = shown(curves, "levels")
    place = levels.place(200, float(levels.lines[9].values[199]))
    assert "t 900–999" in levels.reading(place)
    assert levels.reading(QPointF(0, 0)) == ""


def test_that_a_reading_follows_the_pointer_and_goes_with_it(curves: TrainCurves, qtbot: QtBot) -> None:
    curves.show_course(course())
    plot = shown(curves, "loss")
    empty = plot.grab().toImage()
    plot.pointed_at = plot.plot_rect().center()
    assert plot.grab().toImage() != empty
    plot.pointed_at = None
    assert plot.grab().toImage() == empty


def test_that_a_roll_back_is_marked_with_its_reason(curves: TrainCurves) -> None:
    curves.show_course(course())
    plot = shown(curves, "loss")
    plain = plot.grab().toImage()
    curves.show_course(course(rolled_back=(RolledBack(120, 100, 0.5, "the loss of step 120 was no number"),)))
    assert plot.grab().toImage() != plain
    at = QPointF(plot.place(100, 1).x() + 1, plot.plot_rect().top() + 3)
    assert plot.reading(at) == "rolled back to step 100: the loss of step 120 was no number"
    assert [plot.table()[0][0], plot.table()[0][-1]] == ["step", "rolled back"]
    assert plot.table()[100][-1] == "rolled back to step 100: the loss of step 120 was no number"
    assert "rolled back once" in curves.path.text()


def test_that_the_way_the_network_is_computed_is_said(curves: TrainCurves) -> None:
    curves.show_course(course(path="bfloat16, eager, 2 threads"))
    assert curves.path.text() == "bfloat16, eager, 2 threads"


def test_that_a_click_on_any_curve_asks_for_the_samples_of_its_step(curves: TrainCurves, qtbot: QtBot) -> None:
    curves.show_course(course())
    for key in ("loss", "levels"):
        plot = shown(curves, key)
        with qtbot.waitSignal(curves.step_asked) as asked:
            qtbot.mouseClick(
                plot, Qt.MouseButton.LeftButton, pos=QPoint(round(plot.place(200, 1).x()), plot.height() // 2)
            )
        assert abs(asked.args[0] - 200) <= 1


def test_that_the_step_looked_at_is_the_same_in_every_curve(curves: TrainCurves) -> None:
    curves.show_course(course())
    curves.look_at(70)
    assert {plot.looked_at for plot in (shown(curves, "loss"), shown(curves, "norm"))} == {70}


def test_that_curves_of_a_single_step_or_of_none_known_are_drawn(curves: TrainCurves) -> None:
    for steps in (1, 2):
        curves.show_course(course(steps, norms=np.full(steps, np.nan, np.float32)))
        for key in ("loss", *KINDS):
            shown(curves, key)


# An offer of less memory


def test_that_an_offer_is_a_question_with_one_answer(qtbot: QtBot) -> None:
    made = TrainOffer()
    qtbot.addWidget(made)
    asking = course(offer=TrainingOffer(1, 16, "There was not enough memory for a step."))
    made.show_course(asking)
    assert made.isVisible()
    assert made.words.text() == "There was not enough memory for a step."
    assert made.accept.text() == "Go on with 4 × 16 pictures"
    with qtbot.waitSignal(made.accepted) as accepted:
        made.accept.click()
    assert accepted.args == [Instruction(micro_batch=16)]
    made.show_course(course())
    assert not made.isVisible()


def test_that_it_is_marked_where_the_network_came_to_be_computed_another_way(curves: TrainCurves) -> None:
    curves.show_course(course())
    plot = shown(curves, "loss")
    plain = plot.grab().toImage()
    back, change = RolledBack(120, 100, 0.5, "no number"), PathChanged(150, "bfloat16, compiled", "They are ready.")
    curves.show_course(course(recomputed=(change,), rolled_back=(back,)))
    assert plot.grab().toImage() != plain
    top = plot.plot_rect().top() + 3
    words = "after step 150: bfloat16, compiled (They are ready)"
    assert plot.reading(QPointF(plot.place(150, 1).x() + 1, top)) == words
    assert plot.reading(QPointF(plot.place(100, 1).x() + 1, top)) == "rolled back to step 100: no number"
    rows = plot.table()
    assert list(rows[0][-2:]) == ["rolled back", "computed"]
    assert list(rows[150][-2:]) == ["", words]


def test_that_the_arrows_move_a_reading_and_enter_asks_for_its_step(curves: TrainCurves, qtbot: QtBot) -> None:
    curves.show_course(course(2000, recomputed=(PathChanged(150, "bfloat16, compiled"),)))
    plot, asked = shown(curves, "loss"), []
    plot.step_asked.connect(asked.append)
    plot.setFocus()
    plain = plot.grab().toImage()
    qtbot.keyClick(plot, Qt.Key.Key_Home)
    assert plot.reading(plot.pointed_at).startswith("step 1 ·")
    assert plot.grab().toImage() != plain
    for _ in range(3):
        qtbot.keyClick(plot, Qt.Key.Key_Right)
    stride = round(1999 / plot.scale().rect.width())
    assert stride > 1
    assert plot.reading(plot.pointed_at).startswith(f"step {1 + 3 * stride} ·")
    qtbot.keyClick(plot, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(plot, Qt.Key.Key_Left)
    assert plot.accessibleDescription().startswith(f"step {1 + 12 * stride} ·")
    qtbot.keyClick(plot, Qt.Key.Key_Return)
    assert asked == [1 + 12 * stride]
    for _ in range(100):
        if "compiled" in plot.accessibleDescription():
            break
        qtbot.keyClick(plot, Qt.Key.Key_Right)
    assert abs(plot.pointed_at.x() - plot.place(150, 1).x()) <= 4
    qtbot.keyClick(plot, Qt.Key.Key_End)
    assert plot.reading(plot.pointed_at).startswith("step 2,000 ·")
    plot.clearFocus()
    assert plot.pointed_at is None


def test_that_of_many_lines_the_arrows_read_one_after_another(curves: TrainCurves, qtbot: QtBot) -> None:
    curves.show_course(course())
    plot = shown(curves, "levels")
    plot.setFocus()
    qtbot.keyClick(plot, Qt.Key.Key_End)
    heights, read = [], []
    for _ in range(len(plot.lines)):
        heights.append(plot.pointed_at.y())
        read.append(plot.reading(plot.pointed_at).split(" · ")[1])
        qtbot.keyClick(plot, Qt.Key.Key_Down)
    assert heights == sorted(heights)
    assert len(set(read)) > LEVELS // 2
    assert plot.pointed_at.y() == heights[-1]
    qtbot.keyClick(plot, Qt.Key.Key_Up)
    assert plot.pointed_at.y() < heights[-1]
