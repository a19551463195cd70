"""``main.py run``: what the engine made is made again from its recipe, with the same pixels."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import video
from core.as_code import command_line, python_code
from core.codec import to_json
from core.engine import Engine
from core.errors import Refusal
from core.images import OpenedImage, open_image
from core.inversion_plan import reconstruction
from core.jobs import preview
from core.messages import (
    ClassifierInfo,
    ClassifierOpened,
    Failed,
    Inspection,
    ModelInfo,
    ModelOpened,
    Preview,
    RunEnded,
)
from core.paths import model_timesteps, partial_timesteps
from core.recipe import Recipe, Shown, SignedMap, as_sheet, as_table, of_request, read_recipe, to_text
from core.render import contact_sheet, grid, table, write_animation, write_png
from core.replay import frames, laid_out
from core.requests import (
    ClassifierSpec,
    Conversion,
    FromImage,
    FromLatent,
    FromStep,
    ImageEnd,
    ImageRef,
    InspectImage,
    InspectStep,
    InvertRequest,
    ModelRef,
    MorphRequest,
    SampleRequest,
    SamplerSpec,
    SeedEnd,
)
from core.signed import coloured
from core.workers import work_of
from tests.test_cli import refused

ROOT = Path(__file__).resolve().parent.parent
STEPS = 4


class Window:
    """The engine as the window uses it: the model is open, runs are waited for."""

    def __init__(self, model: Path, guide: Path, image: OpenedImage) -> None:
        self._woken = threading.Event()
        self.engine = Engine(self._woken.set, device="cpu")
        self.engine.start()
        self.engine.open_model(str(model))
        self.info: ModelInfo = self._until(ModelOpened).info
        self.engine.open_classifier(str(guide))
        self.guide: ClassifierInfo = self._until(ClassifierOpened).info
        self.engine.add_image(image)
        self.image = ImageRef(image.sha256, Conversion((8, 8), 1, invert=True))

    def _until(self, kind: type, job: int | None = None):
        while True:
            assert self._woken.wait(20)
            self._woken.clear()
            for message in self.engine.drain():
                assert not isinstance(message, Failed), message
                if isinstance(message, kind) and (job is None or getattr(message, "job", job) == job):
                    return message

    def made(self, request) -> int:
        job = self.engine.submit(request)
        self._until(RunEnded, job)
        return job

    def state(self, job: int, step: int, frame: int | None = None) -> Preview:
        stored = self.engine.frame(job, step, frame)
        assert stored is not None
        return stored

    def seen(self, request) -> Inspection:
        self.engine.ask(request)
        return self._until(Inspection)

    def sample(self, **changes: object) -> SampleRequest:
        info = self.info
        request = SampleRequest(
            info.ref,
            info.schedule,
            model_timesteps(info, STEPS, info.spacing),
            info.spacing,
            SamplerSpec("ddim"),
            seed=5,
            count=3,
            labels=(0, 2, None),
            final_alpha_bar=info.final_alpha_bar,
        )
        return replace(request, **changes)

    def inversion(self) -> InvertRequest:
        info = self.info
        rising = model_timesteps(info, STEPS, info.spacing)[::-1]
        return InvertRequest(
            info.ref, info.schedule, rising, info.spacing, (self.image,), (1,), first_alpha_bar=info.final_alpha_bar
        )

    def morph(self) -> MorphRequest:
        one = self.sample()
        return MorphRequest(
            one.model, one.schedule, one.timesteps, one.spacing, one.sampler, (SeedEnd(1), ImageEnd(self.image)), 5,
            labels=(0, 1), final_alpha_bar=one.final_alpha_bar, batch=2,
        )  # fmt: skip


@pytest.fixture(scope="module")
def image_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "mine.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 256, (16, 16), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def window(model: Path, guide: Path, image_file: Path) -> Iterator[Window]:
    made = Window(model, guide, open_image(image_file))
    yield made
    assert made.engine.stop()


def pixels(name: str) -> np.ndarray:
    with Image.open(name) as image:
        return np.asarray(image)


@pytest.fixture
def again(command, model: Path, guide: Path, image_file: Path) -> Callable[[Recipe], np.ndarray]:
    """What ``run`` makes of a picture that carries the recipe, pixels (H, W, C)."""

    def run(recipe: Recipe) -> np.ndarray:
        write_png(Path("given.png"), np.zeros((2, 2, 1), np.uint8), recipe)
        code, _, err = command(
            "run", "given.png", "--model", model, "--model", guide, "--image", image_file, "--out", "again.png"
        )
        assert (code, err) == (0, "")
        again = read_recipe(Path("again.png"))
        assert again is not None
        assert again.requests == recipe.requests
        found = pixels("again.png")
        return found if found.ndim == 3 else found[..., None]

    return run


SAMPLERS = {
    "ddim": SamplerSpec("ddim"),
    "eta": SamplerSpec("ddim", 0.7, clip="none"),
    "ddpm": SamplerSpec("ddpm"),
    "heun": SamplerSpec("heun"),
    "dpmpp": SamplerSpec("dpmpp", clip="dynamic", percentile=0.9),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_that_a_sampler_draws_the_same_pixels_again(name: str, window: Window, again) -> None:
    request = window.sample(sampler=SAMPLERS[name], guidance=1.5)
    job = window.made(request)
    drawn = window.state(job, STEPS).x_t
    assert len(np.unique(drawn)) > 5
    assert np.array_equal(again(of_request(request)), grid(drawn))


def test_that_a_state_on_the_way_and_one_sample_of_it_come_back(window: Window, again) -> None:
    request = window.sample(sampler=SamplerSpec("ddpm"))
    job = window.made(request)
    for step in (0, 2):
        shown = Recipe(request, Shown("x_t", step, (1,)))
        assert np.array_equal(again(shown), window.state(job, step).x_t[1])


def test_that_what_the_network_sees_comes_back(window: Window, again) -> None:
    request = window.sample(guidance=2.0)
    job = window.made(request)
    seen = window.seen(InspectStep(job, 2))
    assert np.array_equal(again(Recipe(request, Shown("x0_hat", 2, (0, 2), "grid"))), grid(seen.x0_hat[[0, 2]]))
    for quantity in ("eps_hat", "difference"):
        wanted = coloured(getattr(seen, quantity)[1:2])[0]
        assert np.array_equal(again(Recipe(request, Shown(quantity, 2, (1,)))), wanted)


def test_that_guidance_by_a_classifier_comes_back(window: Window, again) -> None:
    spec = ClassifierSpec(window.guide.ref, (0, 1, 2), 3.0)
    request = window.sample(classifier=spec, labels=(None,) * 3)
    job = window.made(request)
    assert np.array_equal(again(of_request(request)), grid(window.state(job, STEPS).x_t))
    plain = again(of_request(window.sample(labels=(None,) * 3)))
    assert not np.array_equal(again(of_request(request)), plain)


def test_that_a_branch_comes_back(window: Window, again) -> None:
    parent = window.sample(sampler=SamplerSpec("ddpm"))
    request = replace(parent, start=FromStep(parent, 2), timesteps=parent.timesteps[2:], guidance=3.0, cells=(2,))
    window.made(parent)
    job = window.made(request)
    assert np.array_equal(again(of_request(request)), window.state(job, STEPS - 2).x_t[0])


def test_that_a_run_from_a_picture_comes_back(window: Window, again) -> None:
    whole = window.sample()
    request = replace(whole, start=FromImage(window.image), timesteps=partial_timesteps(whole.timesteps, 600))
    job = window.made(request)
    assert np.array_equal(again(of_request(request)), grid(window.state(job, request.steps).x_t))


def test_that_an_inversion_and_the_way_back_come_back(window: Window, again) -> None:
    up = window.inversion()
    job = window.made(up)
    latent = window.state(job, up.steps).x_t
    assert np.array_equal(again(of_request(up)), latent[0])
    down = reconstruction(up)
    assert isinstance(down.start, FromLatent)
    job = window.made(down)
    assert np.array_equal(again(of_request(down)), window.state(job, down.steps).x_t[0])


def test_that_both_ways_of_an_inversion_come_back_as_one_film(
    window: Window, command, model: Path, image_file: Path
) -> None:
    up, down = window.inversion(), reconstruction(window.inversion())
    above, below = window.made(up), window.made(down)
    walk = [*((above, step) for step in range(STEPS + 1)), *((below, step) for step in range(1, STEPS + 1))]
    shown = Shown(step=STEPS, steps=tuple(range(2 * STEPS + 1)), layout="film", onward=True)
    pictures = np.concatenate([window.state(job, step).x_t for job, step in walk])
    write_animation(Path("given.apng"), pictures, 100, Recipe(up, shown, (down,)))
    assert command("run", "given.apng", "--model", model, "--image", image_file, "--out", "again.apng")[0] == 0
    with Image.open("again.apng") as film:
        assert film.n_frames == len(walk)
        for frame, picture in enumerate(pictures):
            film.seek(frame)
            assert np.array_equal(np.asarray(film.convert("L")), picture[..., 0])
    beyond = replace(shown, steps=(0, 2 * STEPS + 1))
    write_png(Path("beyond.png"), np.zeros((2, 2, 1), np.uint8), Recipe(up, beyond, (down,)))
    code, _, err = command("run", "beyond.png", "--model", model, "--image", image_file, "--out", "x.png")
    assert code == 2
    assert f"have {2 * STEPS} steps, but more" in err


def test_that_a_morph_comes_back_as_a_grid_a_frame_and_a_film(
    window: Window, again, command, model, image_file
) -> None:
    request = window.morph()
    job = window.made(request)
    frames = np.concatenate([window.state(job, STEPS, frame).x_t for frame in range(5)])
    assert np.array_equal(again(of_request(request)), grid(frames, 5))
    assert np.array_equal(again(Recipe(request, Shown("x_t", STEPS, (3,)))), frames[3])
    seen = window.seen(InspectStep(job, 1, 3))
    assert np.array_equal(again(Recipe(request, Shown("x0_hat", 1, (3,)))), seen.x0_hat[0])
    film = Recipe(request, Shown(step=STEPS, layout="film", zoom=2, milliseconds=70))
    write_animation(Path("given.webp"), frames, 70, film)
    found = ("--model", model, "--image", image_file)
    assert command("run", "given.webp", *found, "--out", "again.webp")[0] == 0
    with Image.open("again.webp") as shown:
        assert (shown.n_frames, shown.size) == (5, (16, 16))
        for frame in range(5):
            shown.seek(frame)
            assert np.array_equal(np.asarray(shown.convert("L"))[::2, ::2], frames[frame, ..., 0])
    assert read_recipe(Path("again.webp")) == film


def test_that_what_a_walk_saw_on_its_way_comes_back(window: Window, again) -> None:
    """An inversion asks at another t than that of the state, a morph several frames at once."""
    window.made(window.inversion())  # until the engine has taken in its picture
    library = window.engine.library
    for request, cell in ((window.inversion(), 0), (window.morph(), 3), (window.sample(guidance=1.5), 2)):
        work = work_of(request, library, "cpu", find_run=lambda _: None, cap=10**8)
        is_morph = isinstance(request, MorphRequest)
        there = (made for made in work.work() if made.step.index == 2 and (cell in made.frames or not is_morph))
        passing = next(there)
        place = passing.frames.index(cell) if passing.frames else cell
        seen = preview(passing.run.model, passing.step)
        shown = Shown("x0_hat", 2, (cell,), as_walked=True)
        assert np.array_equal(again(Recipe(request, shown)), seen.x0_hat[place])
        how = SignedMap(2.0, (9, 99, 199), (0, 0, 0), (255, 0, 0))
        noise = again(Recipe(request, replace(shown, quantity="eps_hat", signed=how)))
        assert np.array_equal(noise, coloured(seen.eps_hat[place : place + 1], how)[0])
    up = window.inversion()
    assert not np.array_equal(
        again(Recipe(up, Shown("x0_hat", 2))), again(Recipe(up, Shown("x0_hat", 2, as_walked=True)))
    )
    last = again(Recipe(up, Shown("x0_hat", STEPS, as_walked=True)))
    assert np.array_equal(last, again(Recipe(up, Shown("x0_hat", STEPS)))), "no walk leaves its end"
    assert np.array_equal(again(Recipe(up, Shown(step=2, as_walked=True))), again(Recipe(up, Shown(step=2))))


def test_that_a_sheet_comes_back_with_its_names(window: Window, again) -> None:
    request = window.morph()
    job = window.made(request)
    frames = np.concatenate([window.state(job, STEPS, frame).x_t for frame in (0, 2, 4)])
    sheet = as_sheet(Recipe(request, Shown(step=STEPS, cells=(0, 2, 4))), ["A", "½", "B"], 2, 3)
    assert np.array_equal(again(sheet), contact_sheet(frames, ["A", "½", "B"], 2, 3))


def test_that_a_table_of_several_runs_comes_back_with_its_names(window: Window, again) -> None:
    requests = [window.sample(guidance=w) for w in (0.0, 2.0)]
    pictures = np.concatenate([window.state(window.made(request), STEPS).x_t for request in requests])
    recipe = Recipe(requests[0], Shown(step=STEPS), (requests[1],))
    columns, rows = ("circle", "a name that is far too long", "3"), ("w = 0", "w = 2")
    drawn = table(pictures, columns, rows, 3, 5)
    assert np.array_equal(again(as_table(recipe, columns, rows, 5)), drawn)
    bare = table(pictures, (), (), 3, 5)
    assert np.array_equal(drawn[-bare.shape[0] :, -bare.shape[1] :], bare)


@pytest.mark.parametrize("lay", [laid_out, frames])
def test_that_what_is_beyond_all_measure_is_refused_before_it_is_made(lay: Callable) -> None:
    shown = Shown(layout="grid", zoom=64)
    assert lay(np.zeros((1, 8, 8, 1), np.uint8), shown).shape[-3:-1] == (512, 512)
    with pytest.raises(Refusal, match="more than other programs open"):
        lay(np.zeros((4096, 64, 64, 1), np.uint8), shown)


def test_that_a_look_at_a_noised_picture_comes_back(window: Window, again) -> None:
    request = InspectImage(window.info.ref, window.info.schedule, window.image, 300, 9, 1, 0.5)
    seen = window.seen(request)
    assert np.array_equal(again(Recipe(request, Shown("x0_hat"))), seen.x0_hat[0])
    assert np.array_equal(again(Recipe(request, Shown("score"))), coloured(seen.score)[0])


def test_that_a_forward_process_comes_back_without_any_model(command, picture: Path) -> None:
    assert command("noise", picture, "--t", "10,500", "--seed", 3, "--out", "a.png")[0] == 0
    assert command("run", "a.png", "--image", picture, "--out", "b.png", "--npy", "b.npy")[0] == 0
    assert np.array_equal(pixels("a.png"), pixels("b.png"))
    x = np.load("b.npy")
    assert x.shape == (2, 3, 12, 20)
    assert np.abs(x).max() > 1, "values are not clamped"


# ------------------------------------------------------------------------------------------------ what commands write


def test_that_what_a_command_writes_can_be_run_again(command, model: Path) -> None:
    drawn = ("sample", "--model", model, "--steps", 3, "-n", 5, "--columns", 2, "--label", "cat")
    assert command(*drawn, "--out", "a.png", "--npy", "a.npy")[0] == 0
    assert command("run", "a.png", "--model", model, "--out", "b.png", "--npy", "b.npy")[0] == 0
    assert np.array_equal(pixels("a.png"), pixels("b.png"))
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))
    assert command("run", "a.npy", "--out", "c.png", "--model", model)[0] == 0
    assert pixels("c.png").shape == (2 * 8 + 2, 3 * 8 + 4), "an array has no columns of its own"


def test_that_rows_of_a_sheet_come_back_together(command, model: Path, picture: Path) -> None:
    made = ("interpolate", picture, picture, "--model", model, "--mode", "ddpm", "--t", "250,750", "--steps", 4)
    assert command(*made, "--frames", 3, "--out", "a.png")[0] == 0
    assert command("run", "a.png", "--model", model, "--image", picture, "--out", "b.png")[0] == 0
    assert np.array_equal(pixels("a.png"), pixels("b.png"))


def test_that_a_reconstruction_comes_back(command, model: Path, picture: Path) -> None:
    assert command("invert", picture, "--model", model, "--steps", 4, "--out", "a.png", "--npy", "a.npy")[0] == 0
    assert command("run", "a.png", "--model", model, "--image", picture, "--out", "b.png")[0] == 0
    assert np.array_equal(pixels("a.png"), pixels("b.png"))
    assert command("run", "a.npy", "--model", model, "--image", picture, "--npy", "b.npy")[0] == 0
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))


def test_that_a_printed_request_can_be_run(command, model: Path) -> None:
    code, out, _ = command("sample", "--model", model, "--steps", 3, "--npy", "a.npy", "--json")
    assert code == 0
    Path("r.json").write_text(out)
    assert command("run", "r.json", "--model", model, "--npy", "b.npy")[0] == 0
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))


def test_that_a_model_that_was_opened_once_is_found_by_its_hash(command, model: Path) -> None:
    out = command("sample", "--model", model, "--steps", 3, "--npy", "a.npy", "--json")[1]
    request = json.dumps(json.loads(out)["request"])
    assert command("run", request, "--npy", "b.npy")[0] == 0
    assert np.array_equal(np.load("a.npy"), np.load("b.npy"))
    book = Path("home/data/known-models.json")
    book.write_text(book.read_text().replace(str(model), str(model.parent)))
    assert "neither bundled nor known" in refused(command("run", request, "--npy", "c.npy"))
    for damaged in ("{", "[]", '{"models": 3}', '{"models": {"' + "a" * 64 + '": 3}}'):
        book.write_text(damaged)
        assert "neither bundled nor known" in refused(command("run", request, "--npy", "c.npy"))


# ------------------------------------------------------------------------------------------------ what is refused


def test_that_what_is_missing_is_named_with_its_hash(command, window: Window, model: Path, picture: Path) -> None:
    lost = window.sample(model=ModelRef("lost\nmodel", "e" * 64))
    words = refused(command("run", json.dumps(to_json(lost)), "--out", "b.png"))
    assert "lost" in words
    assert "e" * 12 in words
    other = window.sample(model=ModelRef("other", "e" * 64))
    assert "another model" in refused(command("run", json.dumps(to_json(other)), "--model", model, "--out", "b.png"))
    start = replace(window.sample(), start=FromImage(window.image), timesteps=(0,))
    given = ("run", json.dumps(to_json(start)), "--model", model, "--out", "b.png")
    assert window.image.sha256[:12] in refused(command(*given))
    assert "pixels differ" in refused(command(*given, "--image", picture))


def test_that_a_picture_without_a_recipe_is_refused(command, picture: Path) -> None:
    assert "carries no recipe" in refused(command("run", picture, "--out", "b.png"))
    assert "no file" in refused(command("run", "nowhere.png", "--out", "b.png"))
    assert "schema 9" in refused(command("run", '{"schema": 9, "sampler": {}}', "--out", "b.png"))
    assert "not valid JSON" in refused(command("run", "{", "--out", "b.png"))


@pytest.mark.parametrize("as_walked", [False, True])
@pytest.mark.parametrize("quantity", ["score", "eps", "difference", "gradient"])
def test_that_a_quantity_that_a_run_has_not_is_refused(
    quantity: str, as_walked: bool, window: Window, command, model: Path
) -> None:
    shown = Recipe(window.sample(), Shown(quantity, 1, as_walked=as_walked))
    assert f"no {quantity}" in refused(command("run", to_text(shown), "--model", model, "--out", "b.png"))


def test_that_no_path_in_a_request_is_opened(command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    request = {
        "schema": 1, "model": {"name": str(secret), "sha256": "f" * 64}, "schedule": {}, "timesteps": [1],
        "spacing": "hand", "sampler": {}, "seed": 1,
    }  # fmt: skip
    opened: list[str] = []
    real = open

    def watched(file, *rest, **more):
        opened.append(str(file))
        return real(file, *rest, **more)

    monkeypatch.setattr("builtins.open", watched)
    refused(command("run", json.dumps(request), "--out", "b.png"))
    assert not any("secret" in name for name in opened)


# ------------------------------------------------------------------------------------------------ copied as code


@pytest.fixture
def known(command, model: Path, guide: Path) -> None:
    """Model and classifier were opened on this computer before."""
    from core.classifier_folder import read_classifier
    from core.known_models import remember
    from core.model_folder import read_info

    remember(read_info(model).ref, model)
    remember(read_classifier(guide).ref, guide)


def test_that_samples_pictures_and_frames_that_are_not_there_are_refused(
    window: Window, command, known, image_file: Path
) -> None:
    wanted = {
        "sample 4, but its run has only 3 samples": window.sample(),
        "sample 4, but its run has only 1 sample.": window.sample(cells=(2,)),
        "picture 4, but its run has only 1 picture.": window.inversion(),
        "frame 4, but its run has only 2 frames": replace(window.morph(), frames=2, ends=(SeedEnd(1), SeedEnd(2))),
    }
    for words, request in wanted.items():
        Path("r.json").write_text(to_text(Recipe(request, Shown(step=request.steps, cells=(0, 3)))))
        assert words in refused(command("run", "r.json", "--image", image_file, "--out", "again.png"))
    Path("r.json").write_text(to_text(of_request(window.sample(cells=(3,)))))
    assert "some of 0 to 2" in refused(command("run", "r.json", "--out", "again.png"))


def film_of(window: Window) -> Recipe:
    """The film.mp4 of a run's states that the window has written, by the file beside it."""
    film = Recipe(window.sample(), Shown(steps=(0, 2, 4), layout="film", milliseconds=200, zoom=8, hold=400))
    Path("film.mp4").write_bytes(b"frames")
    Path("film.mp4.json").write_text(to_text(film))
    return film


def test_that_an_mp4_comes_back_as_one(window: Window, command, known) -> None:
    av = pytest.importorskip("av")
    film = film_of(window)
    for name in ("again.mp4", "again.apng"):
        assert command("run", "film.mp4", "--out", name)[0] == 0
    with av.open("again.mp4") as container:
        assert container.streams.video[0].average_rate == 5
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(shown) == 3 + 2
    with Image.open("again.apng") as exact:
        for index in range(3):
            exact.seek(index)
            wanted = np.asarray(exact.convert("RGB"), np.float32)
            rows, columns = wanted.shape[:2]
            assert np.abs(shown[index][:rows, :columns] - wanted).mean() < 4, "the encoder is not lossless"
    assert read_recipe(Path("again.mp4")) == film


def test_that_without_its_library_an_mp4_is_refused_before_anything_is_made(
    window: Window, command, known, monkeypatch: pytest.MonkeyPatch
) -> None:
    film_of(window)
    monkeypatch.setattr(video.importlib.util, "find_spec", lambda _name: None)
    for words in (("run", "film.mp4"), ("interpolate", "seed:1", "seed:2")):
        said = refused(command(*words, "--model", "nowhere", "--out", "again.mp4"))
        assert "pip install av" in said
        assert ".webp" in said
    assert not Path("again.mp4").exists()


def requests_of(window: Window) -> dict[str, object]:
    whole = window.sample()
    return {
        "plain": window.sample(sampler=SamplerSpec("ddpm"), guidance=0.5, interval=(900, 100), rescale=0.3),
        "dynamic": window.sample(sampler=SamplerSpec("dpmpp", clip="dynamic", limit=1.5), temperature=0.9),
        "hand": window.sample(timesteps=(900, 500, 20), spacing="hand"),
        "branch": replace(whole, start=FromStep(whole, 2), timesteps=whole.timesteps[2:]),
        "guided": window.sample(classifier=ClassifierSpec(window.guide.ref, (0, 1, 2), 3.0)),
        "invert": window.inversion(),
        "morph": window.morph(),
    }


@pytest.mark.parametrize("name", ["plain", "dynamic", "hand", "branch", "guided", "invert", "morph"])
def test_that_a_copied_command_makes_the_same_pixels(
    name: str, window: Window, command, known, again, image_file: Path
) -> None:
    recipe = of_request(requests_of(window)[name])
    line = command_line(recipe, window.info, [image_file] if name in ("invert", "morph") else [])
    words = shlex.split(line)
    assert words[:3] == ["python", "main.py", "sample" if name in ("plain", "dynamic", "hand") else "run"]
    code, _, err = command(*words[2:])
    assert (code, err) == (0, "")
    assert np.array_equal(pixels("picture.png"), np.squeeze(again(recipe)))


@pytest.mark.parametrize("name", ["plain", "branch", "guided", "morph"])
def test_that_copied_python_makes_the_same_pixels(name: str, window: Window, known, again, image_file: Path) -> None:
    recipe = of_request(requests_of(window)[name])
    exec(compile(python_code(recipe, [image_file] if name == "morph" else []), "copied", "exec"), {})
    assert np.array_equal(pixels("picture.png"), np.squeeze(again(recipe)))
    assert read_recipe(Path("picture.png")) == recipe


def test_that_copied_python_runs_by_itself(window: Window, known, tmp_path: Path) -> None:
    recipe = Recipe(window.sample(), Shown("eps_hat", 1, (0,)))
    code = python_code(recipe)
    assert max(map(len, code.splitlines())) <= 120
    done = subprocess.run(
        [sys.executable, "-"], input=code, cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DIFFUSCOPE_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "step 1 of 4" in done.stdout
    assert (tmp_path / "picture.png").is_file()


def test_that_a_strangers_name_cannot_break_out_of_copied_code(window: Window, tmp_path: Path) -> None:
    evil = "x'); import os; os.mkdir('broken'); ('\n\"\"\" $(touch broken) `touch broken`"
    recipe = of_request(window.sample(model=ModelRef(evil, "a" * 64)))
    tree = compile(python_code(recipe), "copied", "exec")
    assert "mkdir" not in tree.co_names
    words = shlex.split(command_line(recipe))
    assert words[2] == "run"
    assert json.loads(words[3])["request"]["model"]["name"] == evil
