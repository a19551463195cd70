import logging

import pytest

from app.diary import record
from app.log import logger
from core.messages import EngineState, Failed, ModelInfo, ModelOpened, RunEnded, RunPaused, Status
from core.requests import ModelRef, ScheduleSpec


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logger, "propagate", True)
    caplog.set_level(logging.INFO, logger="diffuscope")
    return caplog


def test_that_the_log_tells_which_model_was_open_and_how_a_run_ended(lines: pytest.LogCaptureFixture) -> None:
    record(ModelOpened(ModelInfo(ModelRef("digits", "0" * 64), (1, 32, 32), ScheduleSpec("linear"), "eps")))
    record(RunPaused(3, 7))
    record(RunEnded(3, "stopped", 9, 1.5))
    assert lines.messages == ["model opened: digits", "run 3 paused at step 7", "run 3 stopped after 9 steps"]


@pytest.mark.parametrize(("job", "who"), [(4, "run 4"), (None, "the engine")])
def test_that_a_failure_is_logged_with_its_words(job: int | None, who: str, lines: pytest.LogCaptureFixture) -> None:
    record(Failed(job, "There is not enough memory."))
    assert [(record.levelname, record.message) for record in lines.records] == [
        ("WARNING", f"{who}: There is not enough memory.")
    ]


def test_that_what_comes_many_times_a_second_is_not_logged(lines: pytest.LogCaptureFixture) -> None:
    record(Status(EngineState.SAMPLING, "cpu"))
    assert not lines.messages
