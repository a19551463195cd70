"""How good a model is: the likelihood it gives pictures, how far its samples are from them, which it knows by heart.

``plans`` and ``coarse_to_fine`` say what is to be measured and need no torch; ``measurement_of`` measures it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.evaluation.measuring import Check, Measuring, Part
from core.measure_requests import LikelihoodRequest, MeasureRequest, NearestRequest

if TYPE_CHECKING:
    from core.library import Library
    from core.training.dataset import PictureFolder


__all__ = ["Measuring", "Part", "measurement_of"]


def measurement_of(
    request: MeasureRequest,
    library: Library,
    device: str,
    data: PictureFolder,
    beside: Sequence[PictureFolder] = (),
    *,
    check: Check,
    breathe: Check,
) -> Measuring:
    """The work that answers the request, to be advanced a piece at a time.

    ``beside`` are other pictures that the request names. ``check`` is called within evaluations of a network and may
    only raise ``Cancelled``; ``breathe`` is called between them and may serve others as well. Raises Refusal where the
    request does not fit the model, the feature network or the pictures, or names what is not open.
    """
    if isinstance(request, LikelihoodRequest):
        from core.evaluation.likelihood import LikelihoodMeasuring

        return LikelihoodMeasuring(request, library, device, data, check=check, breathe=breathe)
    if isinstance(request, NearestRequest):
        from core.evaluation.nearest import NearestMeasuring

        return NearestMeasuring(request, library, device, data, beside, check=check, breathe=breathe)
    from core.evaluation.distances import DistanceMeasuring

    return DistanceMeasuring(request, library, device, data, check=check, breathe=breathe)
