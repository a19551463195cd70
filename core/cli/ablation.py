"""``main.py ablation``: DDPM's second table on a folder of pictures, trained and measured without a window."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from core.cli.output import Progress, report
from core.cli.train import interrupting
from core.device import pick_device
from core.errors import Cancelled, Diverged, Refusal
from core.evaluation import measurement_of
from core.evaluation.ablation import distances_of, figures_of, likelihood_of
from core.evaluation.distances import check_features
from core.library import Library, NetworkModel, Recogniser
from core.measure_requests import QualityRequest
from core.messages import Distances, Likelihood
from core.model_folder import open_model
from core.recognisers import open_recogniser
from core.training.ablation import (
    FILE,
    Ablation,
    Cell,
    Outcome,
    begin,
    check_pictures,
    note_divergence,
    note_figures,
    outcomes,
    read,
)
from core.training.dataset import PictureFolder, open_folder
from core.training.events import TrainStep
from core.training.reading import Reading
from core.training.run import whole_work
from core.training.session import TrainingSession

SIZE = 32
SAMPLES = 16
JUDGE = "digits-judge"
PREDICTS = {"mean": "mu", "eps": "eps"}
LOSSES = {"vlb": "L", "simple": "L_simple", "hybrid": "L_hybrid"}


def ablation(options: argparse.Namespace) -> int:
    """Train what is not trained yet, measure, and print the table. Raises Refusal, and Cancelled after Ctrl-C once
    the training under way is saved."""
    plan = _plan(options)
    progress = Progress(options.progress)
    with _stopping(progress) as check:
        reading = plan.reading or Reading(plan.size)
        data = _opened(options.folder, reading, check)
        check_pictures(plan, data)
        if not plan.data_sha256:
            plan = replace(plan, data_sha256=data.sha256)
        held_out = data if options.held_out is None else _opened(options.held_out, reading, check)
        device = pick_device(options.device)
        judge = _judge(options.features, (data.pictures.shape[3], plan.size, plan.size), device)
        begin(plan, options.out)
        work = _Work(options.out, device, data, check, progress)
        for outcome in outcomes(options.out):
            if not outcome.is_over:
                work.train(plan, outcome.cell)
        work.measure(plan.seed, held_out, judge)
    progress.close()
    _report(options, plan, outcomes(options.out))
    return 0


def _plan(options: argparse.Namespace) -> Ablation:
    """What was asked for; of an ablation that goes on, what it is, where nothing else was said."""
    said = {name: getattr(options, name) for name in ("steps", "size", "preset", "batch", "lr", "seed")}
    said = {name: value for name, value in said.items() if value is not None}
    said |= {"hybrid": True} if options.hybrid else {}
    if not (options.out / FILE).is_file():
        if options.steps is None:
            raise Refusal("Say how long each of the six trainings is to be: --steps N.")
        return Ablation(**{"data_name": options.folder.resolve().name, "size": SIZE, "samples": SAMPLES, **said})
    before = read(options.out)
    other = next((name for name, value in said.items() if getattr(before, name) != value), None)
    if other is not None:
        raise Refusal(
            f"{options.out} holds an ablation with other settings: its {other} is {getattr(before, other)}. "
            "Leave that option out, or name another folder."
        )
    return before


def _opened(folder: Path, reading: Reading, check: Any) -> PictureFolder:
    return open_folder(folder, reading, lambda done, total: check())


def _judge(features: str | None, event_shape: tuple[int, ...], device: str) -> Recogniser | None:
    """The classifier asked for, by itself the bundled one, where it fits the pictures. Raises Refusal before hours of
    training, not after them."""
    try:
        found = open_recogniser(features or JUDGE, device).recogniser
        check_features(found, event_shape, "the trained models")
    except Refusal:
        if features is None:
            return None
        raise
    return found if features is not None or found.info.event_shape == event_shape else None


class _Work:
    """Trains cells and measures them, telling how far that has come."""

    def __init__(self, out: Path, device: str, data: PictureFolder, check: Any, progress: Progress) -> None:
        self._out, self._device, self._data, self._check, self._progress = out, device, data, check, progress

    def train(self, plan: Ablation, cell: Cell) -> None:
        """A training that diverges is a result."""
        session = TrainingSession(plan.order(cell, self._out), self._data, device=self._device, check=self._check)
        try:
            for done in whole_work(session):
                if isinstance(done, TrainStep):
                    self._progress.step(done.step, plan.steps, f"{cell.key}, loss {done.loss:.4f}")
        except Cancelled:
            self._progress.say(f"saving {cell.key} at step {session.trainer.step}; the same command goes on from there")
            session.save()
            raise
        except Diverged as diverged:
            self._progress.say(f"{cell.key} diverged at step {diverged.step}")
            note_divergence(self._out, cell, diverged.step)

    def measure(self, seed: int, data: PictureFolder, judge: Recogniser | None) -> None:
        """Everything that was trained to its end, and is not measured yet."""
        trained = [outcome for outcome in outcomes(self._out) if outcome.is_over and outcome.diverged is None]
        if not trained or all(outcome.figures.bits_per_dim is not None for outcome in trained):
            return
        library, models = Library(), {}
        for outcome in trained:
            model = self._opened(outcome.cell)
            library.add_model(model)
            models[outcome.cell.key] = model.info
        if judge is not None:
            library.add_recogniser(judge)
        likelihoods = {}
        for key, info in models.items():
            try:
                likelihoods[key] = self._result(likelihood_of(info, data, seed), library, data)
            except Refusal as refusal:  # the others are measured all the same
                self._progress.say(f"{key}: {refusal}")
        features = None if judge is None else judge.info
        distances = features and self._result(distances_of(models, data, features, seed), library, data)
        assert distances is None or isinstance(distances, Distances)
        bits = {key: one for key, one in likelihoods.items() if isinstance(one, Likelihood)}
        note_figures(self._out, figures_of(bits, distances, features))

    def _opened(self, cell: Cell) -> NetworkModel:
        folder = self._out / cell.key
        try:
            return NetworkModel(open_model(folder, self._device))
        except Refusal as refusal:
            raise Refusal(
                f"The model of {cell.key} is damaged. Delete {folder}, and the same command trains it again.",
                f"{refusal} {refusal.details}",
            ) from refusal

    def _result(self, request: QualityRequest, library: Library, data: PictureFolder) -> Likelihood | Distances:
        work = measurement_of(request, library, self._device, data, check=self._check, breathe=self._check)
        result: Likelihood | Distances | None = None
        for part in work.work():
            self._check()
            self._progress.step(part.done, work.total, unit="part")
            if isinstance(part.result, Likelihood | Distances):
                result = part.result
        assert result is not None
        return result


@contextmanager
def _stopping(progress: Progress) -> Iterator[Any]:
    """What raises Cancelled after Ctrl-C."""
    with interrupting() as pressed:

        def check() -> None:
            if pressed:
                raise Cancelled

        try:
            yield check
        finally:
            progress.close()


def _report(options: argparse.Namespace, plan: Ablation, found: tuple[Outcome, ...]) -> None:
    cells = [
        {
            "cell": outcome.cell.key,
            "prediction": outcome.cell.prediction,
            "objective": outcome.cell.objective,
            "variance": outcome.cell.variance,
            "step": outcome.run.step if outcome.run is not None else 0,
            "loss": outcome.run.loss if outcome.run is not None else None,
            "diverged": outcome.diverged,
            **asdict(outcome.figures),
            "published_fid": outcome.cell.published,
        }
        for outcome in found
    ]
    report({"out": str(options.out), "steps": plan.steps, "cells": cells}, options.json, table(found))


def table(found: tuple[Outcome, ...]) -> str:
    """The cells in lines: what they are, how they ended, what was measured, and the paper's FID on CIFAR-10."""
    head = ("predicts", "loss", "variance", "final loss", "bits/dim", "distance", "FID in the paper")
    rows = [head, *(_row(outcome) for outcome in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _row(outcome: Outcome) -> tuple[str, ...]:
    cell, run, figures = outcome.cell, outcome.run, outcome.figures
    loss = f"diverged at step {outcome.diverged}" if outcome.diverged is not None else "–"
    if outcome.diverged is None and run is not None and run.loss is not None:
        loss = f"{run.loss:.4f}"
    published = "not in it" if cell.extra else "unstable" if cell.published is None else f"{cell.published:.2f}"
    return (
        PREDICTS[cell.prediction],
        LOSSES[cell.objective],
        {"fixed": "fixed", "range": "learned range", "diagonal": "learned diagonal"}[cell.variance],
        loss,
        with_error(figures.bits_per_dim, figures.bits_error, 3),
        with_error(figures.distance, figures.distance_error, 4),
        published,
    )


def with_error(value: float | None, error: float | None, decimals: int) -> str:
    """ "3.142 ± 0.010", "–" where nobody knows."""
    if value is None:
        return "–"
    return f"{value:.{decimals}f}" + ("" if error is None else f" ± {error:.{decimals}f}")
