"""Is this normal? A sentence on how a training stands, and on demand all that can be said, with its reasons; before its
first step, what to expect of it."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QPointF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from app.stages.train_course import Course
from app.theme import GRID, colour, palette, theme
from app.widgets.controls import label
from core.training.expectation import RULES, expectations
from core.training.standing import Note, Severity, Standing

WORDS: dict[Severity, str] = {"fine": "Yes, as expected", "look": "Worth a look", "act": "No, do something"}
NORMAL, EXPECTED = "Is this normal? {}", "What to expect"
EVERY_MS = 1000
"""Between two looks at a training at work."""


class TrainNormal(QWidget):
    """Attributes: ``notes``, what is said, what matters most first; ``headline``; ``why``, which unfolds the rest."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notes: tuple[Note, ...] = ()
        self._question = ""
        self._looked = QElapsedTimer()
        self._known: object = None
        self._mark = _Mark()
        self._title = label("Is this normal?", "caption")
        self.headline = label("")
        self.headline.setWordWrap(True)
        self.headline.setToolTip("From this training's pictures and numbers alone; Why says which, and why")
        self.beside = label("")
        self.beside.setWordWrap(True)
        self.beside.setToolTip(self.headline.toolTip())
        self.why = QToolButton()
        self.why.setText("Why")
        self.why.setCheckable(True)
        self.why.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.why.setArrowType(Qt.ArrowType.RightArrow)
        self.why.setProperty("role", "more")
        self.why.setToolTip("All that can be said of this training, with its numbers and their sources")
        self.why.toggled.connect(self._unfold)
        self._rows = [_Row() for _rule in RULES]
        self._reasons = QWidget()
        reasons = QVBoxLayout(self._reasons)
        reasons.setContentsMargins(0, 0, 0, 0)
        for row in self._rows:
            reasons.addWidget(row)
        self._reasons.hide()
        head = QHBoxLayout()
        head.setSpacing(GRID)
        head.addWidget(self._mark)
        head.addWidget(self._title, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GRID // 2)
        column.addLayout(head)
        column.addWidget(self.headline)
        column.addWidget(self.beside)
        column.addWidget(self.why)
        column.addWidget(self._reasons)
        self.hide()

    def show_course(self, course: Course | None) -> None:
        """What can be said of a training; None: of nothing. One at work is looked at once a second."""
        self.setVisible(course is not None)
        if course is None:
            return
        known = (course.folder, course.state, len(course.validated), len(course.rolled_back), course.step == 0)
        if known == self._known and self._looked.isValid() and self._looked.elapsed() < EVERY_MS:
            return
        self._known = known
        self._looked.start()
        if course.prospect and not course.step and course.is_live:
            self._say(course.prospect, EXPECTED)
        else:
            self._say(expectations(standing_of(course)), NORMAL)

    def show_prospect(self, notes: tuple[Note, ...]) -> None:
        """What is to be expected of a training that is prepared; of nothing, where nothing can be said."""
        self.setVisible(bool(notes))
        self._known = None
        if notes:
            self._say(notes, EXPECTED)

    def _say(self, notes: tuple[Note, ...], question: str) -> None:
        if (notes, question) == (self.notes, self._question):
            return
        self.notes, self._question = notes, question
        first = notes[0]
        self._mark.severity = first.severity
        self._mark.update()
        self._title.setText(question.format(WORDS[first.severity]))
        self.headline.setText(f"{first.headline} {first.advice}".strip())
        fine = next((place for place, note in enumerate(notes) if note.severity == "fine"), 0)
        beside = fine if question == EXPECTED else 0  # a warning is not all that is to be expected
        self.beside.setText(notes[beside].headline if beside else "")
        self.beside.setVisible(beside > 0)
        self.setAccessibleDescription(f"{WORDS[first.severity]}: {first.headline} {first.advice}".strip())
        for place, row in enumerate(self._rows):
            row.show_note(notes[place] if place < len(notes) else None, is_told=place in (0, beside))

    @Slot(bool)
    def _unfold(self, is_open: bool) -> None:
        self.why.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self._reasons.setVisible(is_open)


class _Row(QWidget):
    """One note with its numbers and its source."""

    def __init__(self) -> None:
        super().__init__()
        self._mark = _Mark()
        self._headline, self._numbers, self._source = label(""), label("", "quiet"), label("", "caption")
        words = QVBoxLayout()
        words.setSpacing(GRID // 4)
        for part in (self._headline, self._numbers, self._source):
            part.setWordWrap(True)
            words.addWidget(part)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, GRID // 2)
        row.setSpacing(GRID)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)

    def show_note(self, note: Note | None, *, is_told: bool) -> None:
        """A note, or none; of one that is told above only what it rests on."""
        self.setVisible(note is not None)
        if note is not None:
            self._mark.severity = note.severity
            self._mark.update()
            self._headline.setVisible(not is_told)
            _set(self._headline, note.headline)
            _set(self._numbers, note.numbers if is_told else f"{note.numbers} {note.advice}".strip())
            _set(self._source, note.source)


def _set(words: QLabel, text: str) -> None:
    if words.text() != text:
        words.setText(text)


class _Mark(QWidget):
    """A disc, a triangle or a square, for what is fine, worth a look or asks for something to be done."""

    def __init__(self) -> None:
        super().__init__()
        self.severity: Severity = "fine"
        self.setFixedSize(self.sizeHint())
        theme().theme_changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(GRID + 2, 2 * GRID)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tints = {"fine": colour("score"), "look": colour("x_t"), "act": QColor(palette().danger)}
        painter.setPen(tints[self.severity])
        painter.setBrush(tints[self.severity])
        middle, r = QPointF(GRID / 2 + 1, GRID), 3.5
        if self.severity == "fine":
            painter.drawEllipse(middle, r, r)
        elif self.severity == "look":
            painter.drawPolygon([middle + QPointF(0, -r), middle + QPointF(r, r), middle + QPointF(-r, r)])
        else:
            painter.drawRect(int(middle.x() - r), int(middle.y() - r), int(2 * r), int(2 * r))


def standing_of(course: Course) -> Standing:
    """What is known of a training."""
    aim = course.aim
    return Standing(
        step=course.step,
        progress=course.progress,
        pictures=course.count,
        batch=course.batch,
        classes=len(course.classes),
        task=aim.task,
        prediction=aim.prediction,
        objective=aim.objective,
        schedule=aim.schedule,
        losses=course.losses,
        norms=course.norms,
        rates=course.rates,
        by_level=course.by_level,
        validated=course.validated,
        rolled_back=course.rolled_back,
    )
