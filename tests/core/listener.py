"""An engine with a toy model, and everything it has said."""

import threading
import time
from collections.abc import Callable

import numpy as np

from core.engine import Engine
from core.messages import Failed, Message, ModelOpened, RunEnded, RunStarted
from core.requests import RunRequest
from tests.toys import Toy


class Listener:
    """An engine with a toy model, and everything it has said."""

    def __init__(self, model: Toy, **options: object) -> None:
        self.model = model
        self.woken = threading.Event()
        self.engine = Engine(self.woken.set, device="cpu", **options)  # type: ignore[arg-type]
        self.heard: list[Message] = []
        self.engine.start()
        self.engine.add_model(model)
        self.wait(lambda: self.of(ModelOpened))

    def of(self, *kinds: type) -> list:  # type: ignore[type-arg]
        return [message for message in self.heard if isinstance(message, kinds)]

    def listen(self) -> None:
        self.woken.clear()
        self.heard += self.engine.drain()

    def wait(self, condition: Callable[[], object], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        self.listen()
        while not condition():
            assert time.monotonic() < deadline, f"never happened; heard {self.heard[-5:]}"
            self.woken.wait(0.05)
            self.listen()

    def run(self, request: RunRequest) -> int:
        job = self.engine.submit(request)
        self.wait(lambda: self.ended(job))
        return job

    def ended(self, job: int) -> RunEnded | Failed | None:
        return next((m for m in self.of(RunEnded, Failed) if m.job == job), None)

    def final(self, job: int) -> np.ndarray:
        (started,) = (message for message in self.of(RunStarted) if message.job == job)
        values = self.engine.values(job, len(started.path) - 1)
        assert values is not None
        return values
