"""What the engine opens and saves: models and classifiers, from folders and from files of weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from core.checkpoints.answers import AnswerBook
from core.checkpoints.description import Answers, Description, ExportForm, Kind
from core.errors import Refusal
from core.failures import failure
from core.messages import (
    ClassifierOpened,
    EngineState,
    Message,
    ModelAsks,
    ModelExported,
    ModelKnown,
    ModelLoading,
    ModelOpened,
    ModelSaving,
)
from core.requests import ModelRef
from core.token import Token

if TYPE_CHECKING:
    from core.checkpoints.export import Source
    from core.library import Library, Model
    from core.model_folder import OpenModel

REPORT_SECONDS = 0.05
"""At least, between two messages about how far a file is read."""


class Shop(Protocol):
    """What the engine lends to its opener."""

    device: str

    @property
    def library(self) -> Library: ...

    def post(self, message: Message) -> None: ...

    def breathe(self, token: Token) -> None:
        """Raise Cancelled where the work is to stop, and answer whoever drags a slider."""
        ...

    def busy(self, state: EngineState) -> AbstractContextManager[None]:
        """Say that the engine is in this state, for as long as it is."""
        ...


class Opener:
    """``begin`` and ``cancel`` are for the window's thread; all else is done in the engine's, and raises Refusal."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._book = AnswerBook()
        self._sources: dict[str, Source] = {}
        self._token = Token()
        self._beside = Token()
        self._saving = Token()

    def begin(self) -> Token:
        """A model is wanted: what is being opened, or waits for it, is not wanted any more."""
        self._token.cancel()
        self._token = Token()
        return self._token

    def begin_beside(self) -> Token:
        """A classifier is wanted, beside the model and the other classifiers."""
        return self._beside

    def begin_saving(self) -> Token:
        """A model is to be written."""
        return self._saving

    def cancel(self) -> None:
        """Stop what is being opened or saved, within the time that a piece of a file takes."""
        for token in (self._token, self._beside, self._saving):
            token.cancel()
        self._beside, self._saving = Token(), Token()

    def open_model(self, name_or_path: str, answers: Answers | None, token: Token, sha256: str = "") -> None:
        """Open it, or ask what its file does not say; ``answers`` are remembered, {} takes the best guesses. Where it
        can be several models, that of the hash ``sha256`` is opened, if it was once."""
        from core.checkpoints.export import Source
        from core.checkpoints.opening import describe
        from core.library import NetworkModel
        from core.model_folder import find_model

        with self._shop.busy(EngineState.LOADING):
            self._shop.breathe(token)
            path = find_model(name_or_path)
            said, description = self._look(path, sha256) if answers is None else (answers, describe(path, answers))
            asks = bool(description.questions) and answers != {}
            if asks or description.kind == "classifier":
                self._shop.post(ModelAsks(str(path), self._with_damage(description), tuple(said.items())))
                return
            self._shop.post(ModelLoading(path.name, 0, description.nbytes))  # hashed first, which can be left as well
            opened = self._load(path, said, token)
            settled = {option.key: option.best for option in description.options} | dict(said)
            unwritten = self._remember(path, answers, opened.info.ref.sha256, settled)
            self.add(NetworkModel(opened), Source(path, description, said))
            self._say(unwritten)

    def know_model(self, name_or_path: str, sha256: str = "") -> None:
        """Open it beside the one that is worked with; what nobody has answered is guessed."""
        from core.library import NetworkModel
        from core.model_folder import find_model

        with self._shop.busy(EngineState.LOADING):
            path = find_model(name_or_path)
            model = NetworkModel(self._load(path, self._look(path, sha256)[0], Token()))
            self._shop.library.add_model(model)
            self._shop.post(ModelKnown(model.info, str(path)))

    def ask_again(self, name_or_path: str) -> None:
        """Ask all that a checkpoint does not say, beside what was answered before."""
        from core.checkpoints.opening import describe
        from core.model_folder import find_model

        path = find_model(name_or_path)
        description, said = describe(path, {}), self._book.of(path) or {}
        if not description.questions and not description.options:
            raise Refusal(f"“{description.name}” says all itself: there is nothing to answer.")
        self._shop.post(ModelAsks(str(path), self._with_damage(description), tuple(said.items())))

    def open_classifier(self, name_or_path: str, answers: Answers | None, token: Token) -> None:
        """Open a bundled classifier, a folder, or a file of a classifier's weights; ``answers`` are remembered, and
        what a file does not say and nobody has answered is asked first."""
        from core.recognisers import open_recogniser

        with self._shop.busy(EngineState.LOADING):
            self._shop.breathe(token)
            said = answers
            if said is None and Path(name_or_path).is_file():
                said, asked = self._look_at_classifier(Path(name_or_path))
                if asked is not None:
                    self._shop.post(ModelAsks(str(name_or_path), self._with_damage(asked), tuple(said.items())))
                    return
            progress = self._progress(Path(name_or_path).name, "classifier")
            check = partial(self._shop.breathe, token)
            opened = open_recogniser(name_or_path, self._shop.device, said or {}, progress, check)
            unwritten = self._remember(Path(name_or_path), answers)
            self._shop.library.add_recogniser(opened.recogniser)
            self._shop.post(ClassifierOpened(opened.recogniser.info, str(opened.folder)))
            self._say(unwritten)

    def open_either(self, folder: Path) -> None:
        """Open a folder of the program's own making, whichever it holds."""
        from core.classifier_folder import is_classifier

        if is_classifier(folder):
            self.open_classifier(str(folder), None, Token())
        else:
            self.open_model(str(folder), None, Token())

    def add(self, model: Model, source: Source | None = None) -> None:
        """Work with a model from now on."""
        self._shop.library.add_model(model)
        if source is None:
            self._shop.post(ModelOpened(model.info))
            return
        self._sources[model.info.ref.sha256] = source
        self._shop.post(ModelOpened(model.info, str(source.path), source.description))

    def export_model(self, ref: ModelRef, folder: str, form: ExportForm, token: Token) -> None:
        """Write an open model to a new folder; where that is left, nothing of it stays."""
        from core.checkpoints.export import export
        from core.library import NetworkModel

        model = self._shop.library.model(ref)
        if not isinstance(model, NetworkModel):
            raise Refusal(f"“{ref.name}” has no network that could be written.")
        with self._shop.busy(EngineState.SAVING):
            self._shop.breathe(token)
            progress, check = self._saved(ref.name, folder), partial(self._shop.breathe, token)
            source = self._sources.get(ref.sha256)
            export(model, Path(folder), form, source, on_progress=progress, check=check)
            self._shop.post(ModelExported(ref.name, folder))

    def save_copy(self, path: str, answers: Answers, folder: str, token: Token) -> None:
        """Write a checkpoint with these answers, which are remembered, to a new folder, and open that. A classifier
        is left to whoever wants its guidance."""
        from core.checkpoints.export import Source, check_new, copy_opened
        from core.checkpoints.opening import describe, open_checkpoint

        with self._shop.busy(EngineState.SAVING):
            self._shop.breathe(token)
            source = Source(Path(path), describe(Path(path), answers), answers)
            check_new(Path(folder), 4 * source.description.parameters)  # before all of it is read
            kind, check = source.description.kind, partial(self._shop.breathe, token)
            self._shop.post(ModelLoading(source.path.name, 0, source.description.nbytes))
            opened = open_checkpoint(source.path, answers, self._progress(source.path.name, "model"), check)
            name = opened.info.ref.name
            copy_opened(opened, Path(folder), source, on_progress=self._saved(name, folder), check=check)
            unwritten = self._remember(source.path, answers)
            self._shop.post(ModelExported(name, folder, kind))
            self._say(unwritten)
        if kind == "model":
            self.open_model(folder, None, token)

    def _look_at_classifier(self, path: Path) -> tuple[Answers, Description | None]:
        """What was said of it before, and what is known of it where that leaves questions. Files of other kinds are
        left to who opens them."""
        try:
            said, description = self._look(path)
        except Refusal:
            return {}, None
        return said, description if description.questions and description.kind == "classifier" else None

    def _look(self, path: Path, sha256: str = "") -> tuple[Answers, Description]:
        """What was said of it before, and what is known of it then; answers that it no longer takes do not count."""
        from core.checkpoints.opening import describe

        said = self._book.of(path, sha256) or {}
        try:
            return said, describe(path, said)
        except Refusal:
            if not said:
                raise
            return {}, describe(path, {})

    def _load(self, path: Path, said: Answers, token: Token) -> OpenModel:
        from core.model_folder import open_model

        progress, check = self._progress(path.name, "model"), partial(self._shop.breathe, token)
        return open_model(path, self._shop.device, answers=said, on_progress=progress, check=check)

    def _remember(
        self, path: Path, answers: Answers | None, sha256: str = "", settled: Answers | None = None
    ) -> Refusal | None:
        """Keep what was said, and what was ``settled`` where it became the model of this hash; the reason where that
        cannot be written, which is none to leave the model closed."""
        try:
            if answers:
                self._book.remember(path, answers, sha256)
            elif settled:
                self._book.remember_model(sha256, settled)
        except Refusal as refusal:
            return Refusal(f"Your answers are not remembered, and will be asked for again. {refusal}", refusal.details)
        return None

    def _say(self, unwritten: Refusal | None) -> None:
        if unwritten is not None:
            self._shop.post(failure(None, unwritten))

    def _progress(self, name: str, kind: Kind) -> Callable[[int, int], None]:
        return self._now_and_then(lambda done, total: ModelLoading(name, done, total, kind))

    def _saved(self, name: str, folder: str) -> Callable[[int, int], None]:
        return self._now_and_then(lambda done, total: ModelSaving(name, folder, done, total))

    def _now_and_then(self, message: Callable[[int, int], Message]) -> Callable[[int, int], None]:
        """Says how far it is, but not more often than anybody can read."""
        last = 0.0

        def on_progress(done: int, total: int) -> None:
            nonlocal last
            now = time.perf_counter()
            if now - last >= REPORT_SECONDS or done == total:
                last = now
                self._shop.post(message(done, total))

        return on_progress

    def _with_damage(self, description: Description) -> Description:
        damage, self._book.damage = self._book.damage, ""
        return replace(description, notes=(*description.notes, damage)) if damage else description
