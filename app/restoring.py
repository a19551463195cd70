"""A recipe brought back into the window: its model opened, its pictures found, its settings set, its run made again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from app.log import logger
from app.restored_settings import fields_of, merged, stage_for
from app.sought import Found, look_for
from app.stages.guidance_recall import plan_in, recall
from app.state import Run
from core.errors import Refusal
from core.images import OpenedImage
from core.messages import ClassifierOpened, Failed, ModelOpened, RunEnded, RunStarted
from core.recipe import Recipe, Shown, check_cells, classifiers_of, images_of, models_of
from core.request_words import printable
from core.requests import (
    FromLatent,
    FromMorph,
    FromStep,
    ImageRef,
    InspectImage,
    ModelRef,
    MorphRequest,
    NoiseRequest,
    RunRequest,
    SampleRequest,
)
from core.training.draw_request import TrainingDraw

if TYPE_CHECKING:
    from app.stages.denoise import DenoiseStage
    from app.stages.forward import ForwardStage
    from app.stages.invert import InvertStage
    from app.stages.morph import MorphStage
    from app.stages.train import TrainStage
    from app.window import MainWindow


ENDED_EARLY = ("failed", "stopped")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is under way: a recipe, the fields of it that are taken (None: all, and its run), and where things lie."""

    recipe: Recipe
    fields: frozenset[str] | None
    found: Found


class Restoring(QObject):
    """Signals: ``done()``, all that was wanted is set; ``refused(str, str)``, words and details; ``said(str)``."""

    done = Signal()
    refused = Signal(str, str)
    said = Signal(str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._wanted: Wanted | None = None
        self._awaited: set[str] = set()
        """Hashes of models and classifiers that are being opened."""
        self._jobs: dict[int, Shown] = {}
        """Runs asked for here that are still to be shown."""
        self._asked: set[int] = set()
        """Runs asked for here that have not begun: no stage knows of them."""
        window.bridge.message.connect(self._receive)

    def begin(self, recipe: Recipe, fields: frozenset[str] | None = None) -> None:
        """Look for what the recipe names, in a worker, then restore these fields; all of it where None."""
        self._wanted = None
        self._awaited.clear()
        try:
            if fields is None:
                check_cells(recipe)
        except Refusal as refusal:
            self.refused.emit(f"{refusal} Its settings can be taken under “Restore some…”.", refusal.details)
            return
        known = self._known()
        folders = dict(self._window.state.folders)
        files = self._window.settings.recent_pictures
        work = partial(look_for, recipe.requests, known, folders, files)
        self.said.emit("Looking for what the recipe names.")
        self._window.bridge.in_background(work, partial(self._found, recipe, fields), self._failed, "recipes")

    def _known(self) -> tuple[OpenedImage, ...]:
        state = self._window.state
        return (*state.pictures.values(), *((state.image,) if state.image is not None else ()))

    # What it needs

    def _found(self, recipe: Recipe, fields: frozenset[str] | None, found: Found) -> None:
        wanted = Wanted(recipe, fields, found)
        try:
            missing = self._missing(wanted)
        except Refusal as refusal:
            self.refused.emit(str(refusal), refusal.details)
            return
        self._wanted = wanted
        self._awaited = {ref.sha256 for ref, _ in missing}
        for ref, is_classifier in missing:
            place = found.places[ref.sha256]
            assert place is not None
            self.said.emit(f"Opening {printable(ref.name)}.")
            if is_classifier:
                self._window.bridge.open_classifier(place)
            else:
                self._window.commands.open_model(place, ref.sha256)
        self._go_on()

    def _missing(self, wanted: Wanted) -> list[tuple[ModelRef, bool]]:
        """The model, if another is open, and the classifiers that are not. Raises Refusal for one that is nowhere."""
        state, request, fields = self._window.state, wanted.recipe.request, wanted.fields
        models = models_of(request)[:1] if fields is None or "model" in fields else ()
        model = "" if state.model is None else state.model.ref.sha256
        refs = [(ref, False) for ref in models if ref.sha256 != model]
        if fields is None or "guidance" in fields:
            opened = {known.ref.sha256 for known in state.classifiers}
            refs += [(ref, True) for ref in classifiers_of(request) if ref.sha256 not in opened]
        for ref, is_classifier in refs:
            if wanted.found.places.get(ref.sha256) is None:
                what = "classifier" if is_classifier else "model"
                raise Refusal(
                    f"The {what} “{printable(ref.name)}” ({ref.sha256[:12]}…) is not known on this computer. Open its "
                    "folder or file, then restore again.",
                    ref.sha256,
                )
        return refs

    def _failed(self, error: Exception) -> None:
        logger.error("a recipe could not be restored", exc_info=error)
        self.refused.emit("This recipe could not be restored.", repr(error))

    @Slot(object)
    def _receive(self, message: object) -> None:
        match message:
            case ModelOpened(info=info) | ClassifierOpened(info=info) if self._wanted is not None:
                if info.ref.sha256 in self._awaited:
                    self._awaited.discard(info.ref.sha256)
                    self._go_on()
                elif isinstance(message, ModelOpened) and self._awaits_model():
                    self._give_up()
            case Failed(job=None):
                self._wanted = None
            case Failed(job=int(job), message=words, details=details) if job in self._asked:
                self._asked.discard(job)
                self._jobs.pop(job, None)
                self.refused.emit(words, details)
            case RunStarted(job=job) if job in self._asked | self._jobs.keys():
                self._asked.discard(job)
                if job not in self._jobs:
                    return
                self._look_at(self._window.state.runs[job], 0)
            case RunEnded(job=job, steps=steps) if job in self._jobs:
                shown = self._jobs.pop(job)
                QTimer.singleShot(0, self, partial(self._arrive, job, min(shown.step, steps), shown))  # after the stage

    def _arrive(self, job: int, step: int, shown: Shown) -> None:
        """A run that was made again shows what its picture showed, unless the person has gone elsewhere."""
        if self._window.state.cursor.run == job and job in self._window.state.runs:
            self._look_at(self._window.state.runs[job], step, shown)

    def _awaits_model(self) -> bool:
        assert self._wanted is not None
        return any(ref.sha256 in self._awaited for ref in models_of(self._wanted.recipe.request)[:1])

    def _give_up(self) -> None:
        """Another model than the recipe's has come from where that was last."""
        assert self._wanted is not None
        ref = models_of(self._wanted.recipe.request)[0]
        self._wanted = None
        self.refused.emit(
            f"Where the model “{printable(ref.name)}” ({ref.sha256[:12]}…) was last, there is another one now. Open "
            "the right one, then restore again.",
            ref.sha256,
        )

    def _go_on(self) -> None:
        if self._wanted is None or self._awaited:
            return
        wanted, self._wanted = self._wanted, None
        try:
            self._restore(wanted)
        except Refusal as refusal:
            self.refused.emit(str(refusal), refusal.details)
        else:
            self.done.emit()

    # Setting it

    def _restore(self, wanted: Wanted) -> None:
        """Raises Refusal where a picture is nowhere; what does not need it is set before."""
        window, request = self._window, wanted.recipe.request
        pictures = {image.sha256: image for image in wanted.found.pictures}
        needed = images_of(request) if wanted.fields is None or "start" in wanted.fields else ()
        missing = [ref for ref in needed if ref.sha256 not in pictures]
        window.state.pictures.update(pictures)
        for image in pictures.values():
            window.bridge.add_image(image)
        if needed and not missing and not isinstance(request, MorphRequest):
            self._set_picture(pictures[needed[0].sha256], needed[0])
        window.state.move(stage=stage_for(request))
        window.stage.errors.dismiss()  # what went wrong there before is over
        if isinstance(request, TrainingDraw):
            self._set_training(request, wanted)
        elif isinstance(request, NoiseRequest | InspectImage):
            self._set_forward(request, wanted.fields)
        elif wanted.fields is None and not missing:
            self._run(wanted.recipe)
        else:
            self._set_stage(request, wanted.fields or frozenset(_ALL), has_pictures=not missing)
        if missing:
            raise Refusal(
                f"The picture ({missing[0].sha256[:12]}…) that this begins from is not known here. Open it, then "
                "restore again. All else is restored.",
                "\n".join(ref.sha256 for ref in missing),
            )

    def _set_picture(self, image: OpenedImage, ref: ImageRef) -> None:
        state = self._window.state
        state.set_image(image)
        if state.model is not None and stage_fits(ref, state.model.event_shape):
            state.set_conversion(ref.conversion)

    def _set_training(self, request: TrainingDraw, wanted: Wanted) -> None:
        """Look at the training that drew it; where that is not here, or only settings are taken, set Train."""
        recalling = cast("TrainStage", self._window.stage).recalling
        run = wanted.found.training
        if wanted.fields is None and run is not None:
            recalling.look_at(run, request, wanted.recipe.shown)
        else:
            recalling.prepare(request, wanted.fields or frozenset(fields_of(request)))

    def _set_forward(self, request: NoiseRequest | InspectImage, fields: frozenset[str] | None) -> None:
        state, stage = self._window.state, cast("ForwardStage", self._window.stage)

        def takes(field: str) -> bool:
            return fields is None or field in fields

        if takes("schedule"):
            state.set_schedule(request.schedule)
        if takes("seed"):
            state.set_seed(request.seed)
        if isinstance(request, InspectImage):
            eye = stage.eye
            if takes("labels"):
                eye.label.set_value("none" if request.label is None else str(request.label))
            if takes("guidance"):
                eye.guidance.set_value(request.guidance)
        if fields is None:
            state.move(t=request.t if isinstance(request, InspectImage) else request.timesteps[0])

    def _set_stage(self, request: RunRequest, fields: frozenset[str], *, has_pictures: bool) -> None:
        """Set the controls, and look at what they come to instead of a run."""
        state, stage = self._window.state, cast("DenoiseStage | InvertStage | MorphStage", self._window.stage)
        if "schedule" in fields:
            state.set_schedule(request.schedule)
        if "seed" in fields and isinstance(request, SampleRequest | MorphRequest):
            state.set_seed(request.seed)
        self._set_controls(request, fields)
        if isinstance(request, MorphRequest) and has_pictures and "start" in fields:
            cast("MorphStage", stage).ends.restore(request)
        stage.settings_changed.emit()  # one step to take back

    def _set_controls(self, request: RunRequest, fields: frozenset[str]) -> None:
        state = self._window.state
        controls: Any = cast("DenoiseStage | InvertStage | MorphStage", self._window.stage).controls
        controls.set_settings(merged(request, fields, controls.settings(), state.classifiers, state.model))
        controls.settle()

    # Making it again

    def _run(self, recipe: Recipe) -> None:
        """Queue its runs, those that they go on from first; what is there already, or known, is looked at."""
        runs, shown, last = self._window.state.runs, recipe.shown, 0
        sheet = plan_in(recipe)
        for row in recipe.requests if sheet is None else ():
            assert not isinstance(row, NoiseRequest | InspectImage | TrainingDraw)
            for request in lineage(row):
                same = [run.job for run in runs.values() if run.request == request and run.state not in ENDED_EARLY]
                last = same[-1] if same else self._window.bridge.submit(request)
                if not same:
                    self._asked.add(last)
        if sheet is not None:
            self._set_stage(sheet.requests[0], frozenset(_ALL), has_pictures=True)
            last = recall(cast("DenoiseStage", self._window.stage), sheet)[0]
        known = runs.get(last)
        if known is None or known.state != "finished":
            self._jobs[last] = shown
        if known is not None:
            if sheet is None and not isinstance(known.request, MorphRequest):
                self._set_controls(known.request, frozenset(_ALL))  # a stage leaves them for a run of its own
            self._look_at(known, min(shown.step, known.stored), shown)

    def _look_at(self, run: Run, step: int, shown: Shown | None = None) -> None:
        frame = shown.cells[0] if shown is not None and shown.cells and isinstance(run.request, MorphRequest) else 0
        step = min(step, run.steps)
        t = int(run.path[step].t)
        self._window.state.move(stage=stage_for(run.request), run=run.job, step=step, t=t, shown_t=t, frame=frame)


_ALL = ("schedule", "sampler", "steps", "labels", "guidance", "seed", "start")


def stage_fits(ref: ImageRef, event_shape: tuple[int, ...]) -> bool:
    """Whether a picture is converted to what the open model takes."""
    return event_shape == (ref.conversion.channels, *ref.conversion.size)


def lineage(request: RunRequest) -> tuple[RunRequest, ...]:
    """A request after all those that it goes on from, the first run of all at the front."""
    start = request.start if isinstance(request, SampleRequest) else None
    return (*lineage(start.parent), request) if isinstance(start, FromStep | FromLatent | FromMorph) else (request,)
