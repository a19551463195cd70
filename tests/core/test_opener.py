"""The engine opens files that do not say all: it asks, remembers, tells how far it is, is left, and writes copies."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core import safetensors_file
from core.checkpoints import stored
from core.checkpoints.answers import AnswerBook
from core.engine import Engine
from core.errors import Refusal
from core.evaluation.inception_layers import SHAPES
from core.folders import data_folder
from core.messages import (
    ClassifierOpened,
    EngineState,
    Failed,
    Message,
    ModelAsks,
    ModelExported,
    ModelKnown,
    ModelLoading,
    ModelOpened,
    ModelSaving,
    RunEnded,
    Status,
)
from core.opener import Opener
from core.replay import library_for
from core.requests import InspectImage, SampleRequest, SamplerSpec
from core.schedules import make_schedule
from tests.lookalikes.openai import CLASSIFIER_OPTIONS, Options, answers, drawn

OPTIONS = Options(32, (1, 2), (1,), heads=4, times=0.25)
SAID = answers(OPTIONS)


class Heard:
    """An engine, and everything it has said."""

    def __init__(self) -> None:
        self.woken = threading.Event()
        self.engine = Engine(self.woken.set, device="cpu")
        self.messages: list[Message] = []
        self.engine.start()
        self.wait(lambda: self.state is EngineState.IDLE)

    @property
    def state(self) -> EngineState | None:
        return next((message.state for message in reversed(self.of(Status))), None)

    def of(self, *kinds: type) -> list:  # type: ignore[type-arg]
        return [message for message in self.messages if isinstance(message, kinds)]

    def wait(self, condition: Callable[[], object], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"never happened; heard {self.messages[-5:]}"
            self.woken.wait(0.02)
            self.woken.clear()
            self.messages += self.engine.drain()

    def open(self, path: Path, said: dict[str, str] | None = None, *, kind: type = ModelOpened):  # type: ignore[no-untyped-def]
        """Open it, and wait for an answer of this kind."""
        before = len(self.of(kind))
        self.engine.open_model(str(path), said)
        self.wait(lambda: len(self.of(kind)) > before)
        return self.of(kind)[-1]


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    yield made
    assert made.engine.stop()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of improved-diffusion, whose file says neither its heads nor its schedule."""
    path = tmp_path_factory.mktemp("files") / "mine.pt"
    torch.save(drawn(OPTIONS, 0), path)
    return path


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training saves: raw weights, and their averages beside them."""
    path = tmp_path_factory.mktemp("files") / "training.pt"
    torch.save({"model": drawn(OPTIONS, 0), "ema": drawn(OPTIONS, 1), "step": 500}, path)
    return path


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "guide.pt"
    torch.save(drawn(CLASSIFIER_OPTIONS["classifier, 2 blocks, mean"], 0), path)
    return path


def test_that_a_file_that_does_not_say_all_is_asked_about_and_opens_once_it_is_answered(
    heard: Heard, weights: Path
) -> None:
    asked = heard.open(weights, kind=ModelAsks)
    assert (asked.path, asked.answers, asked.description.kind) == (str(weights), (), "model")
    assert {question.key for question in asked.description.questions} == set(SAID)
    assert heard.of(ModelOpened, ModelLoading) == []
    opened = heard.open(weights, SAID)
    assert opened.folder == str(weights)
    assert opened.info.schedule.T == 4000
    assert opened.info.schedule.name == "cosine"
    assert {fact.origin for fact in opened.description.facts} >= {"answered", "shapes"}
    assert opened.description.questions == ()
    heard.wait(lambda: heard.state is EngineState.IDLE)


def test_that_answers_are_remembered_and_asked_for_again_only_where_the_person_wants_it(
    heard: Heard, weights: Path
) -> None:
    first = heard.open(weights, SAID)
    assert heard.open(weights).info == first.info
    assert heard.of(ModelAsks) == []
    heard.engine.ask_again(str(weights))
    heard.wait(lambda: heard.of(ModelAsks))
    (asked,) = heard.of(ModelAsks)
    assert dict(asked.answers) == SAID
    assert {question.key for question in asked.description.questions} == set(SAID)
    other = heard.open(weights, {**SAID, "heads": "heads-1"})
    assert other.info.ref.sha256 != first.info.ref.sha256
    assert heard.open(weights).info == other.info


def test_that_remembered_answers_that_mean_nothing_any_more_are_asked_for_anew(heard: Heard, weights: Path) -> None:
    AnswerBook().remember(weights, {**SAID, "heads": "seven"})
    asked = heard.open(weights, kind=ModelAsks)
    assert "heads" in {question.key for question in asked.description.questions}


def test_that_a_damaged_book_of_answers_is_said_where_it_is_asked_again(heard: Heard, weights: Path) -> None:
    (data_folder() / "answers.json").write_text("nonsense")
    asked = heard.open(weights, kind=ModelAsks)
    assert any("could not be read" in note for note in asked.description.notes)


def test_that_a_model_that_is_only_known_beside_another_is_not_asked_about(heard: Heard, weights: Path) -> None:
    heard.engine.know_model(str(weights))
    heard.wait(lambda: heard.of(ModelKnown))
    assert heard.of(ModelKnown)[0].folder == str(weights)
    assert heard.of(ModelAsks, ModelOpened) == []


def test_that_it_samples_as_any_other_model_does(heard: Heard, weights: Path) -> None:
    info = heard.open(weights, {**SAID, "size": "8"}).info
    assert info.event_shape == (3, 8, 8)
    request = SampleRequest(
        model=info.ref,
        schedule=info.schedule,
        timesteps=(3000, 2000, 1000, 0),
        spacing="hand",
        sampler=SamplerSpec("ddim"),
        seed=0,
        count=1,
        precision="float32",
    )
    job = heard.engine.submit(request)
    heard.wait(lambda: heard.of(RunEnded, Failed))
    assert heard.of(Failed) == []
    values = heard.engine.values(job, 4)
    assert values is not None
    assert values.shape == (1, 3, 8, 8)


def slowed(monkeypatch: pytest.MonkeyPatch, path: Path, seconds: float) -> None:
    """Let each tensor of a file take its time to be read."""
    from core import weights_file

    plain = stored.read_tensor

    def read(file, *given, **named):  # type: ignore[no-untyped-def]
        time.sleep(seconds * (file.name == str(path)))
        return plain(file, *given, **named)

    monkeypatch.setattr(weights_file, "read_tensor", read)


def test_that_it_is_told_how_far_the_file_is_read_and_that_opening_can_be_left(
    heard: Heard, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowed(monkeypatch, weights, 0.02)
    heard.engine.open_model(str(weights), SAID)
    heard.wait(lambda: heard.of(ModelLoading) and heard.of(ModelLoading)[-1].done)
    assert heard.state is EngineState.LOADING
    told = heard.of(ModelLoading)[-1]
    assert told.name == "mine.pt"
    assert 0 < told.done < told.total
    begun = time.monotonic()
    heard.engine.cancel_opening()
    heard.wait(lambda: heard.state is EngineState.IDLE)
    assert time.monotonic() - begun < 0.3
    assert heard.of(ModelOpened, Failed) == []
    assert AnswerBook().of(weights) is None


def test_that_a_file_that_takes_long_to_be_hashed_can_be_left_as_well(
    heard: Heard, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.checkpoints import opening

    def slow(_paths: object, _also: str, check: Callable[[], None]) -> str:
        while True:
            check()
            time.sleep(0.01)

    monkeypatch.setattr(opening, "digest", slow)
    heard.engine.open_model(str(weights), SAID)
    heard.wait(lambda: heard.of(ModelLoading))
    (told,) = heard.of(ModelLoading)
    assert (told.done, told.total) == (0, sum(4 * tensor.numel() for tensor in drawn(OPTIONS, 0).values()))
    heard.engine.cancel_opening()
    heard.wait(lambda: heard.state is EngineState.IDLE)
    assert heard.of(ModelOpened, Failed) == []


def test_that_another_model_is_opened_in_place_of_the_one_under_way(
    heard: Heard, weights: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slowed(monkeypatch, weights, 0.02)
    heard.engine.open_model(str(weights), SAID)
    heard.wait(lambda: heard.of(ModelLoading))
    heard.open(model)
    assert [opened.folder for opened in heard.of(ModelOpened)] == [str(model)]
    assert heard.of(Failed) == []


def test_that_whoever_drags_a_slider_meanwhile_is_answered(
    heard: Heard, weights: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.images import from_pixels
    from core.messages import Inspection
    from core.requests import Conversion, ImageRef
    from tests.app.fake_engine import gradient

    info = heard.open(model).info
    image = from_pixels(gradient(8, 8, 1).pixels, "picture")
    heard.engine.add_image(image)
    slowed(monkeypatch, weights, 0.003)
    heard.engine.open_model(str(weights), SAID)
    heard.wait(lambda: heard.of(ModelLoading))
    heard.engine.ask(
        InspectImage(
            model=info.ref,
            schedule=info.schedule,
            image=ImageRef(image.sha256, Conversion((8, 8), 1)),
            t=500,
            seed=0,
            label=0,
            precision="float32",
        )
    )
    heard.wait(lambda: heard.of(Inspection, Failed))
    assert heard.of(Failed) == []
    assert len(heard.of(ModelOpened)) == 1
    heard.wait(lambda: len(heard.of(ModelOpened)) == 2)


def test_that_a_classifiers_file_is_offered_as_one_and_then_opened_as_one(heard: Heard, classifier: Path) -> None:
    asked = heard.open(classifier, kind=ModelAsks)
    assert asked.description.kind == "classifier"
    said = {question.key: question.best for question in asked.description.questions}
    heard.engine.open_classifier(str(classifier), said)
    heard.wait(lambda: heard.of(ClassifierOpened, Failed))
    (opened,) = heard.of(ClassifierOpened)
    assert opened.folder == str(classifier)
    assert AnswerBook().of(classifier) == (said or None)


def test_that_a_classifiers_file_asks_once_wherever_it_is_chosen(heard: Heard, classifier: Path) -> None:
    heard.engine.open_classifier(str(classifier))
    heard.wait(lambda: heard.of(ModelAsks, ClassifierOpened, Failed))
    (asked,) = heard.of(ModelAsks)
    assert (asked.path, asked.description.kind) == (str(classifier), "classifier")
    assert heard.of(ClassifierOpened) == []
    heard.engine.open_classifier(str(classifier), {one.key: one.best for one in asked.description.questions})
    heard.engine.open_classifier(str(classifier))
    heard.wait(lambda: len(heard.of(ClassifierOpened, Failed)) == 2)
    assert heard.of(Failed) == []
    assert len(heard.of(ModelAsks)) == 1


def test_that_it_is_told_how_far_a_classifier_is_read_and_that_it_can_be_left(
    heard: Heard, classifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = heard.open(classifier, kind=ModelAsks)
    said = {question.key: question.best for question in asked.description.questions}
    heard.engine.open_classifier(str(classifier), said)
    heard.wait(lambda: heard.of(ClassifierOpened, Failed))
    told = heard.of(ModelLoading)
    assert {(loading.name, loading.kind) for loading in told} == {(classifier.name, "classifier")}
    assert told[-1].done == told[-1].total

    left = threading.Event()

    def leave(_done: int, _total: int) -> None:
        heard.engine.cancel_opening()
        left.set()

    monkeypatch.setattr(Opener, "_progress", lambda *_of: leave)
    heard.engine.open_classifier(str(classifier), said)
    assert left.wait(20)
    monkeypatch.undo()
    heard.engine.ask_again(str(classifier))  # which comes after it
    heard.wait(lambda: len(heard.of(ModelAsks)) == 2)
    assert len(heard.of(ClassifierOpened)) == 1
    heard.engine.open_classifier(str(classifier), said)  # later ones have nothing to do with it
    heard.wait(lambda: len(heard.of(ClassifierOpened)) == 2)
    assert heard.of(Failed) == []


def test_that_what_is_no_model_is_refused_in_words(heard: Heard, tmp_path: Path) -> None:
    (tmp_path / "notes.pt").write_text("not weights")
    failed = heard.open(tmp_path / "notes.pt", kind=Failed)
    assert "notes.pt" in failed.message
    heard.wait(lambda: heard.state is EngineState.IDLE)


def test_that_a_safe_copy_opens_without_questions_and_gives_the_same_pictures(
    heard: Heard, weights: Path, tmp_path: Path
) -> None:
    said = {**SAID, "size": "8"}
    heard.engine.save_copy(str(weights), said, str(tmp_path / "copy"))
    heard.wait(lambda: heard.of(ModelOpened))
    assert heard.of(ModelExported) == [ModelExported("mine", str(tmp_path / "copy"))]
    (opened,) = heard.of(ModelOpened)
    assert opened.folder == str(tmp_path / "copy")
    original = heard.open(weights, said).info
    same = replace(opened.info, ref=original.ref, description=original.description)
    assert same == replace(original, parameters=opened.info.parameters)
    assert heard.of(ModelAsks) == []


def test_that_a_safe_copy_of_a_classifier_is_one_that_says_all_itself(
    heard: Heard, classifier: Path, tmp_path: Path
) -> None:
    said = {one.key: one.best for one in heard.open(classifier, kind=ModelAsks).description.questions}
    heard.engine.save_copy(str(classifier), said, str(tmp_path / "copy"))
    heard.wait(lambda: heard.of(ModelExported))
    assert heard.of(ModelExported) == [ModelExported("guide", str(tmp_path / "copy"), "classifier")]
    for place in (classifier, tmp_path / "copy"):
        heard.engine.open_classifier(str(place))
    heard.wait(lambda: len(heard.of(ClassifierOpened)) == 2)
    original, copy = (opened.info for opened in heard.of(ClassifierOpened))
    same = replace(copy, ref=original.ref, description=original.description, schedule=original.schedule)
    assert same == original
    assert np.array_equal(make_schedule(copy.schedule).alpha_bar, make_schedule(original.schedule).alpha_bar)
    assert len(heard.of(ModelAsks)) == 1
    assert heard.of(Failed, ModelOpened) == []


def test_that_the_open_model_is_exported_and_never_over_something_else(
    heard: Heard, model: Path, tmp_path: Path
) -> None:
    info = heard.open(model).info
    heard.engine.export_model(info.ref, str(tmp_path / "out"), "diffusers")
    heard.wait(lambda: heard.of(ModelExported))
    assert heard.open(tmp_path / "out").info.labels == info.labels
    heard.engine.export_model(info.ref, str(model), "copy")
    heard.wait(lambda: heard.of(Failed))
    assert "already" in heard.of(Failed)[0].message


def test_that_raw_weights_are_offered_beside_averages_and_are_another_model(heard: Heard, both: Path) -> None:
    asked = heard.open(both, kind=ModelAsks)
    (option,) = asked.description.options
    assert (option.key, option.best, [choice.value for choice in option.choices]) == ("weights", "ema", ["ema", "raw"])
    averaged = heard.open(both, SAID)
    assert [one.key for one in averaged.description.options] == ["weights"]
    raw = heard.open(both, {**SAID, "weights": "raw"})
    assert raw.info.ref.sha256 != averaged.info.ref.sha256
    assert (averaged.info.ref.name, raw.info.ref.name) == ("training", "training (raw)")
    assert heard.open(both).info == raw.info
    heard.engine.ask_again(str(both))
    heard.wait(lambda: len(heard.of(ModelAsks)) == 2)
    assert dict(heard.of(ModelAsks)[1].answers) == {**SAID, "weights": "raw"}
    assert heard.open(both, {**SAID, "weights": "ema"}).info == averaged.info
    said = {fact.name: (fact.value, fact.origin) for fact in raw.description.facts}
    assert said["weights"] == ("raw", "answered")


def test_that_a_file_of_two_models_is_again_the_one_that_is_meant(heard: Heard, both: Path, model: Path) -> None:
    averaged, raw = heard.open(both, SAID).info, heard.open(both, {**SAID, "weights": "raw"}).info
    heard.engine.open_model(str(both), None, averaged.ref.sha256)
    heard.wait(lambda: len(heard.of(ModelOpened)) == 3)
    assert heard.of(ModelOpened)[2].info == averaged
    assert heard.open(both).info == raw  # which was said last
    heard.engine.know_model(str(both), averaged.ref.sha256)
    heard.wait(lambda: heard.of(ModelKnown))
    assert heard.of(ModelKnown)[0].info == averaged
    request = SampleRequest(
        averaged.ref, averaged.schedule, (0,), "hand", SamplerSpec("ddim"), 0, 1, precision="float32"
    )
    library = library_for([request], models=[both])
    assert library.model(averaged.ref).info.ref == averaged.ref


def test_that_what_was_opened_as_is_usual_is_so_again_after_the_choice(
    heard: Heard, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "trained"
    shutil.copytree(model, folder)
    shutil.copytree(model / "unet", folder / "unet_ema")
    save_file(
        {name: 2 * tensor for name, tensor in load_file(weights_in(model)).items()}, weights_in(folder, "unet_ema")
    )
    usual, raw = heard.open(folder).info, heard.open(folder, {"weights": "raw"}).info
    assert usual.ref.sha256 != raw.ref.sha256
    assert (usual.ref.name, raw.ref.name) == ("trained", "trained (raw)")
    heard.engine.open_model(str(folder), None, usual.ref.sha256)
    heard.wait(lambda: len(heard.of(ModelOpened)) == 3)
    assert heard.of(ModelOpened)[2].info == usual


def weights_in(folder: Path, part: str = "unet") -> Path:
    return folder / part / "diffusion_pytorch_model.safetensors"


def test_that_a_folder_with_both_kinds_of_weights_is_asked_about_where_that_is_wanted(
    heard: Heard, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "trained"
    shutil.copytree(model, folder)
    shutil.copytree(model / "unet", folder / "unet_ema")
    usual = heard.open(folder)
    assert heard.of(ModelAsks) == []
    heard.engine.ask_again(str(folder))
    heard.wait(lambda: heard.of(ModelAsks))
    assert heard.of(ModelAsks)[0].description.questions == ()
    raw = heard.open(folder, {"weights": "raw"})
    assert {fact.value for fact in raw.description.facts} >= {"raw: unet/diffusion_pytorch_model.safetensors"}
    assert heard.open(folder).description == raw.description
    heard.open(folder, {"weights": "ema"})
    assert heard.open(folder).info == usual.info
    heard.engine.ask_again(str(model))
    heard.wait(lambda: heard.of(Failed))
    assert "there is nothing to answer" in heard.of(Failed)[0].message


def slowly_written(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let each tensor take its time to be written."""
    plain = safetensors_file.bytes_of

    def bytes_of(tensor):  # type: ignore[no-untyped-def]
        time.sleep(seconds)
        return plain(tensor)

    monkeypatch.setattr(safetensors_file, "bytes_of", bytes_of)


@pytest.mark.parametrize("what", ["export", "copy"])
def test_that_it_is_told_how_far_a_model_is_written_and_that_nothing_stays_of_one_that_is_left(
    heard: Heard, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    out = tmp_path / "place" / "out"
    out.parent.mkdir()
    info = heard.open(weights, SAID).info

    def begin() -> None:
        if what == "copy":
            heard.engine.save_copy(str(weights), SAID, str(out))
        else:
            heard.engine.export_model(info.ref, str(out), "copy")

    slowly_written(monkeypatch, 0.02)
    begin()
    heard.wait(lambda: heard.of(ModelSaving))
    assert heard.state is EngineState.SAVING
    told = heard.of(ModelSaving)[-1]
    assert (told.name, told.folder) == ("mine", str(out))
    assert 0 < told.done < told.total
    begun = time.monotonic()
    heard.engine.cancel_opening()
    heard.wait(lambda: heard.state is EngineState.IDLE)
    assert time.monotonic() - begun < 0.3
    assert list(out.parent.iterdir()) == []
    assert heard.of(ModelExported, Failed) == []
    monkeypatch.undo()
    begin()  # the next one has nothing to do with it
    heard.wait(lambda: heard.of(ModelExported))
    last = heard.of(ModelSaving)[-1]
    assert last.done == last.total == 4 * info.parameters
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_that_nothing_half_written_stays_where_the_program_ends_meanwhile(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, place = Heard(), tmp_path / "place"
    place.mkdir()
    info = heard.open(model).info
    slowly_written(monkeypatch, 0.02)
    heard.engine.export_model(info.ref, str(place / "out"), "copy")
    heard.wait(lambda: heard.of(ModelSaving))
    assert heard.engine.stop()
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "words"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "may not be written"), (errno.EIO, "error")]
)
def test_that_a_disk_that_fails_in_the_middle_is_told_and_nothing_half_written_stays(
    heard: Heard, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    info = heard.open(model).info
    plain, written = safetensors_file.bytes_of, []

    def bytes_of(tensor):  # type: ignore[no-untyped-def]
        written.append(tensor)
        if len(written) > 5:
            raise OSError(code, os.strerror(code))
        return plain(tensor)

    monkeypatch.setattr(safetensors_file, "bytes_of", bytes_of)
    heard.engine.export_model(info.ref, str(place / "out"), "diffusers")
    heard.wait(lambda: heard.of(Failed))
    assert words in heard.of(Failed)[0].message
    assert "Something went wrong" not in heard.of(Failed)[0].message
    assert list(place.iterdir()) == []
    heard.wait(lambda: heard.state is EngineState.IDLE)


def test_that_a_copy_without_room_is_refused_before_anything_is_read(
    heard: Heard, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1_000_000))
    heard.engine.save_copy(str(weights), SAID, str(tmp_path / "copy"))
    heard.wait(lambda: heard.of(Failed))
    assert "has 1 MB left, and copy takes 3 MB" in heard.of(Failed)[0].message
    assert heard.of(ModelLoading, ModelSaving) == []
    assert list(tmp_path.iterdir()) == []


def test_that_answers_that_cannot_be_kept_leave_no_model_closed(
    heard: Heard, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_of: object) -> None:
        raise Refusal("The disk is full: answers.json was not written. Make room, then try again.")

    monkeypatch.setattr(AnswerBook, "remember", full)
    heard.open(weights, SAID)
    heard.wait(lambda: heard.of(Failed))
    assert heard.of(Failed)[0].message.startswith(
        "Your answers are not remembered, and will be asked for again. The disk"
    )


def test_that_it_is_told_how_far_inception_is_read_and_that_it_can_be_left(
    heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pt_inception-2015-12-05-6726825d.pth"
    generator = torch.Generator().manual_seed(0)
    torch.save({name: torch.rand(shape, generator=generator) for name, shape in SHAPES.items()}, file)
    slowed(monkeypatch, file, 0.001)
    heard.engine.open_classifier(str(file))
    heard.wait(lambda: heard.of(ModelLoading))
    told = heard.of(ModelLoading)[-1]
    assert (told.name, told.kind) == (file.name, "classifier")
    assert 0 < told.done < told.total
    heard.engine.cancel_opening()
    heard.wait(lambda: heard.state is EngineState.IDLE)
    assert heard.of(ClassifierOpened, Failed) == []
