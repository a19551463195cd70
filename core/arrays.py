"""Arrays that pass between engine and window.

Pictures are uint8, shape (n, height, width, channels) with 1 or 3 channels; signed quantities (eps_hat, score) stay
float32 in the data's own event shape, so that the window can map them with a printed range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Signed = NDArray[np.float32]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, contiguous and read-only, fit for a message."""
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array
