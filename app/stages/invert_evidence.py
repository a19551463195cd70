"""The evidence beside the pictures of an inversion: how far it is off and why, and how near its latent is to noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from app.stages.invert_maths import latent_verdict, statistics_words
from app.stages.invert_record import InvertRecord
from app.stages.invert_scene import Scene
from app.theme import GRID, font
from app.widgets.controls import label
from app.widgets.error_curve import ErrorCurve
from app.widgets.histogram import Histogram
from core.inversion_plan import obstacles
from core.measures import PAPER_RECONSTRUCTION, mean_squared_error, psnr

if TYPE_CHECKING:
    from app.bridge import Bridge

WIDTH = 36 * GRID
QWIDGETSIZE_MAX = 2**24 - 1

NO_ERROR = "The error appears when the picture is back."
NO_RESULT = "Each result begins from noise of its own."
NO_LATENT = "Its statistics appear when the walk has reached it."
UNLIKE = "The model bends it towards what it has learned: expect a large error."
LOST = "The latent is not numbers any more: the network could not follow. Take more steps, float32 or w = 0."


class InvertEvidence(QWidget):
    """Numbers and causes, the error by number of steps, and the latent beside N(0, 1).

    Signals: ``stands_beside(bool)``, a column beside the pictures or a few words under them.
    """

    stands_beside = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._inverts, self._brief = True, False
        self.causes = label("", "caption")
        self.causes.setAccessibleName("What keeps the latent from leading back")
        self.error = label(NO_ERROR)
        self.error.setFont(font("body", numbers=True))
        self.error.setToolTip(
            "Mean squared error a value in [0, 1], unclamped, and PSNR = −10 log₁₀ of it in decibels.\n"
            "The paper’s table 2 has the same error (Song et al. 2021)."
        )
        self.curve = ErrorCurve()
        self.curve.set_reference("DDIM paper, CIFAR-10", PAPER_RECONSTRUCTION)
        self.curve.explain(
            "Mean squared error of what comes back, by number of steps. Dots are inversions of this picture with this\n"
            "model (rings: refined, guided, clipped …), the dashed line is table 2 of Song et al. 2021:\n"
            "another model, trained on CIFAR-10, over its whole test set."
        )
        self.histogram = Histogram()
        self.histogram.on_panel = False
        self.histogram.set_title("latent against N(0, 1)")
        self.statistics = label(NO_LATENT, "caption")
        self.statistics.setFont(font("caption", numbers=True))
        self.statistics.setToolTip(
            "Of all values of the latent: mean, variance, and the autocorrelation of neighbouring pixels,\n"
            "each with the standard error that as much noise of N(0, I) would have."
        )
        self.verdict = label("", "caption")
        for words in (self.causes, self.error, self.statistics, self.verdict):
            words.setWordWrap(True)
            words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            words.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._lay_out()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, GRID)
        column.setSpacing(GRID // 2)
        column.addWidget(self.error)
        column.addWidget(self.causes)
        column.addWidget(self.curve, 1)
        column.addSpacing(GRID)
        for widget in (self.histogram, self.statistics, self.verdict):
            column.addWidget(widget)

    def show_method(self, inverts: bool) -> None:
        """An inversion has a curve and a latent; SDEdit only its distance from the picture."""
        self._inverts = inverts
        self._arrange()

    def set_brief(self, brief: bool) -> None:
        """Leave out what is drawn, while other things need the room."""
        self._brief = brief
        self._arrange()

    def show_scene(
        self,
        scene: Scene,
        record: InvertRecord,
        bridge: Bridge,
        picture: NDArray[np.float32] | None,
        warning: str = "",
    ) -> None:
        """Everything that is known of what is shown: the picture as numbers (C, H, W), in [-1, 1]; ``warning`` says how
        it is unlike the training data."""
        up = scene.walk.up_run
        if scene.up is None:
            self._show_causes([warning])
            self.error.setText(distance_words(scene, bridge, picture))
            return
        self._show_causes([*obstacles(scene.up), warning, UNLIKE if warning else ""])
        self._show_error(None if up is None else record.error(up.job))
        self.curve.set_points(record.points(scene.up), None if up is None else up.job)
        statistics = None if up is None else record.statistics(up)
        values = None if up is None or statistics is None else bridge.values(up.job, up.steps)
        self.histogram.set_values(values, "x_t")
        lost = up is not None and up.stored >= up.steps and statistics is None
        nothing = LOST if lost else NO_LATENT
        self.statistics.setText(nothing if statistics is None else statistics_words(statistics))
        self.verdict.setText("" if statistics is None else latent_verdict(statistics, scene.up))

    def _show_causes(self, sentences: Sequence[str]) -> None:
        said = [sentence for sentence in sentences if sentence]
        self.causes.setText(" ".join(said).replace("x0_hat", "x̂₀"))
        self.causes.setVisible(bool(said))

    def _show_error(self, error: float | None) -> None:
        if error is None:
            self.error.setText(NO_ERROR)
            return
        ratio = psnr(error)
        decibels = "∞" if math.isinf(ratio) else f"{ratio:.1f}"
        self.error.setText(f"Error {error:.2g}, PSNR {decibels} dB")

    def _arrange(self) -> None:
        """Drawn, it is a column of its own and leaves the height to the pictures; else it is a few words."""
        drawn = self._inverts and not self._brief
        for widget in (self.curve, self.histogram, self.statistics, self.verdict):
            widget.setVisible(drawn)
        self.setMinimumWidth(WIDTH if drawn else 0)
        self.setMaximumWidth(WIDTH if drawn else QWIDGETSIZE_MAX)
        self.stands_beside.emit(drawn)


def distance_words(scene: Scene, bridge: Bridge, picture: NDArray[np.float32] | None) -> str:
    """How far the results of SDEdit are from the picture they began with (C, H, W), in words."""
    run = scene.walk.down_run
    results = bridge.values(run.job, run.steps) if run is not None and run.stored == run.steps else None
    if results is None or picture is None:
        return NO_RESULT
    errors = mean_squared_error(results, np.broadcast_to(picture, results.shape))
    nearest, farthest = f"{errors.min():.2g}", f"{errors.max():.2g}"
    span = nearest if nearest == farthest else f"{nearest} to {farthest}"
    return f"Mean squared distance from the picture {span}: the larger t, the freer the results."
