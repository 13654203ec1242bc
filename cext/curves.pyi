"""One curve a pack, evaluated for all packs at once.

All arrays are C-contiguous float64 of one element a pack; ValueError for others.
"""

from collections.abc import Iterable, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Points = Sequence[float]

@final
class CurveSet:
    """Curves as points ``(x, y)`` with ascending ``x``, joined by lines and level beyond both ends; ``None``: no limit.

    Where an ``x`` is repeated the curve jumps, and exactly on it the later ``y`` holds. ValueError for other points.
    """

    packs: int
    def __new__(cls, curves: Iterable[tuple[Points, Points] | None], /) -> CurveSet: ...
    def at(self, values: Floats, fractions: Floats, /) -> None:
        """Write each pack's fraction at its value: 1 without a curve, ``NaN`` for ``NaN`` unless it is one point."""

    def meet(self, values: Floats, slopes: Floats, fractions: Floats, /) -> None:
        """Write fractions ``y`` with ``y = curve(value + slope * y)``: where each curve meets its pack's line.

        A curve must not run with its line: falling for slopes above 0, rising below.
        """
