"""Which classifier guides, how strongly, where its gradient is taken and towards which class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from PySide6.QtCore import QObject, QSignalBlocker, Signal, Slot

from app.mementos import Entry, entries_of
from app.stages.denoise_settings import ClassifierSettings, misfit, named_alike
from app.widgets.controls import Choice, ValueSlider
from app.widgets.labels import Lines
from core.messages import ClassifierInfo, ModelInfo
from core.requests import GradientPlace

NOBODY, FOLDER, FILE, NAMESAKE, EACH, OWN = "none", "folder", "file", "namesake", "each", "own"
BROWSING = {FOLDER: "Open a folder…", FILE: "Open a file…"}
MAX_TARGETS = 4096
CLOSED = "bundled:"
"""What begins the key of a classifier that is at hand but not open yet; the others have their hash for a key."""


class ClassifierControls(QObject):
    """Controls of classifier guidance. They hold one ``ClassifierSettings`` or none; who has them lays them out.

    Attributes: the widgets ``choice``, ``scale``, ``at``, ``target``, ``note``; ``awaited``, the name or path that is
    being opened, or "".

    Signals: ``changed()``; ``wanted(str)``, a name or path to be opened; ``browse_requested(str)``, FOLDER or FILE.
    """

    changed = Signal()
    wanted = Signal(str)
    browse_requested = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.awaited = ""
        self._model: ModelInfo | None = None
        self._open: tuple[ClassifierInfo, ...] = ()
        self._at_hand: tuple[str, ...] = ()
        self._chosen = NOBODY
        self._own: tuple[int, ...] = ()
        self.choice = Choice(
            "Classifier",
            {NOBODY: "none"},
            tooltip="A classifier that knows noise pulls x_t towards its class by the gradient of log p(y | x_t) "
            "(Dhariwal & Nichol 2021, section 4): also where the model itself has learned no classes.",
        )
        self.scale = ValueSlider(
            "Scale s",
            0,
            20,
            1,
            step=0.1,
            decimals=1,
            quantity="gradient",
            ends=("not guided", "class exaggerated"),
            tooltip="DDPM: μ + s Σ ∇ log p(y | x_t) (Dhariwal & Nichol 2021, algorithm 1).\n"
            "All others: ε̂ − s √(1 − ᾱ_t) ∇ log p(y | x_t) (algorithm 2).",
        )
        self.at = Choice(
            "Gradient",
            {"x_t": "at x_t", "mean": "at the mean μ"},
            tooltip="Where the gradient that shifts DDPM's mean is taken: at x_t, as the published code does, or at "
            "the mean μ_θ(x_t), as algorithm 1 derives it (Dhariwal & Nichol 2021).",
        )
        self.target = Choice(
            "Towards",
            {EACH: "each in turn"},
            tooltip="The class y of log p(y | x_t): the label asked for, one class for all samples, or each in turn.",
        )
        self.note = Lines("caption")
        self.choice.value_changed.connect(self._choose)
        self.scale.value_changed.connect(self._change)
        self.at.value_changed.connect(self._change)
        self.target.value_changed.connect(self._change)
        self._list()

    # What is there

    def set_at_hand(self, names: Sequence[str]) -> None:
        """Bundled classifiers that can be opened by their name."""
        self._at_hand = tuple(names)
        self._list()

    def set_classifiers(self, classifiers: Sequence[ClassifierInfo]) -> None:
        """Those that are open, of which the ones that could guide some model are offered."""
        self._open = tuple(one for one in classifiers if one.noisy and one.labels)
        self._list()

    def opened(self, info: ClassifierInfo, folder: str) -> bool:
        """Choose a classifier that is open now, if it is the one that is waited for; whether it was."""
        is_awaited = self.awaited != "" and self.awaited in (info.ref.name, folder, Path(folder).name)
        if is_awaited:
            self.awaited = ""
            self._chosen = info.ref.sha256
            self._list()
            self.changed.emit()
        return is_awaited

    def set_model(self, model: ModelInfo | None) -> None:
        self._model = model
        self._list()

    def expect(self, name_or_path: str) -> None:
        """A classifier is being opened, to be chosen as soon as it is there."""
        self.awaited = name_or_path
        self._show_note()
        self.changed.emit()

    def give_up(self) -> None:
        """What was waited for cannot guide: none does."""
        self.awaited, self._chosen = "", NOBODY
        self._list()
        self.changed.emit()

    # What is chosen

    @property
    def info(self) -> ClassifierInfo | None:
        """The classifier chosen, if it is open."""
        return next((one for one in self._open if one.ref.sha256 == self._chosen), None)

    def settings(self) -> ClassifierSettings | None:
        if self.info is None:
            return None
        at = cast(GradientPlace, self.at.value())
        return ClassifierSettings(self.info, self._targets(self.info), self.scale.value(), at)

    def set_settings(self, settings: ClassifierSettings | None, namesakes: tuple[int, ...] = ()) -> None:
        """Show settings without a signal; targets that are the ``namesakes`` of the labels asked for are said so."""
        blocked = [QSignalBlocker(widget) for widget in (self.choice, self.scale, self.at, self.target)]
        self._chosen = NOBODY if settings is None else settings.info.ref.sha256
        if settings is not None:
            self.scale.set_value(settings.scale)
            self.at.set_value(settings.at)
        self._list()
        if settings is not None:
            self._show_targets(settings.info, settings.targets, namesakes)
        del blocked

    def entries(self) -> dict[str, Entry]:
        """What can be set here; a classifier is known by its hash."""
        plain = entries_of(self, prefix="classifier.")
        choice, target = plain["classifier.choice"], plain["classifier.target"]
        return plain | {
            "classifier.choice": replace(choice, read=lambda: self._chosen, write=self._choose_by_hash),
            "classifier.target": replace(target, read=self._target, write=self._set_target),
        }

    def _choose_by_hash(self, sha256: object) -> None:
        if sha256 != NOBODY and all(one.ref.sha256 != sha256 for one in self._open):
            raise ValueError("no such classifier is open")
        self._chosen = str(sha256)
        self._list()

    def _target(self) -> str | list[int]:
        return list(self._own) if self.target.value() == OWN else self.target.value()

    def _set_target(self, target: object) -> None:
        classes = 0 if self.info is None else len(self.info.labels)
        if not isinstance(target, list):
            self.target.set_value(str(target))
        elif target and len(target) <= MAX_TARGETS and all(type(one) is int and 0 <= one < classes for one in target):
            self._own = tuple(target)
            self._list()
            self.target.set_value(OWN)
        else:
            raise ValueError("these are no classes of the classifier")

    def _targets(self, info: ClassifierInfo) -> tuple[int, ...]:
        match self.target.value():
            case "namesake" | "":
                return ()
            case "each":
                return tuple(range(len(info.labels)))
            case "own":
                return self._own
            case chosen:
                return (int(chosen),)

    def _show_targets(self, info: ClassifierInfo, targets: tuple[int, ...], namesakes: tuple[int, ...]) -> None:
        self._own = ()
        if NAMESAKE in self.target.options() and targets in ((), namesakes):
            key = NAMESAKE
        elif targets in ((), tuple(range(len(info.labels)))):
            key = EACH
        elif len(targets) == 1:
            key = str(targets[0])
        else:
            key, self._own = OWN, targets
            self._list()
        self.target.set_value(key)

    def _list(self) -> None:
        """Offer what there is, and keep the choice where it can be kept."""
        names = {one.ref.name for one in self._open}
        options = {NOBODY: "none"} | {one.ref.sha256: one.ref.name for one in self._open}
        options |= {f"{CLOSED}{name}": name for name in self._at_hand if name not in names}
        info = self.info
        if info is None:
            self._chosen = NOBODY
        with QSignalBlocker(self.choice):
            self.choice.set_options(options | BROWSING)
            self.choice.set_value(self._chosen)
        for one in self._open:
            self.choice.refuse(one.ref.sha256, "" if self._model is None else misfit(one, self._model))
        if info is not None:
            towards = {EACH: "each in turn"} | {str(place): name for place, name in enumerate(info.labels)}
            if self._model is not None and named_alike(info, self._model):
                towards = {NAMESAKE: "the label"} | towards
            if self._own:
                towards[OWN] = ", ".join(info.labels[place] for place in self._own)
            is_news = NAMESAKE in towards and NAMESAKE not in self.target.options()
            with QSignalBlocker(self.target):
                self.target.set_options(towards)
                if is_news:
                    self.target.set_value(NAMESAKE)
        for control in (self.scale, self.at, self.target):
            control.setVisible(info is not None)
        self._show_note()

    def set_is_ancestral(self, is_ancestral: bool) -> None:
        """Only DDPM's mean has a gradient of its own to be taken at; all others shift the score at x_t."""
        self.at.setEnabled(is_ancestral)

    def _show_note(self) -> None:
        why_not = misfit(self.info, self._model) if self.info and self._model else ""
        words = f"Opening {self.awaited}…" if self.awaited else why_not
        self.note.set_lines(words)
        self.note.setVisible(bool(words))

    # What the person does

    @Slot(str)
    def _choose(self, key: str) -> None:
        if key in BROWSING:
            self._list()
            self.browse_requested.emit(key)
        elif key.startswith(CLOSED):
            name = key.removeprefix(CLOSED)
            self.expect(name)
            self.wanted.emit(name)
        else:
            self.awaited = ""
            self._chosen = key
            self._list()
            self.changed.emit()

    @Slot()
    def _change(self) -> None:
        self.changed.emit()
