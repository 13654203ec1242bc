"""Which current sensors do not follow their neighbours: the kernel behind aggregator/sensors.py.

All arrays are C-contiguous float64 (masks: bool, states: int8) of one element a pack; ValueError for others.
"""

from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]

@final
class Watch:
    """Sees which sensors do not follow; the constants and states of aggregator/sensors.py."""

    def __init__(
        self,
        *,
        follows: float,
        exchanged: float,
        at_rest: float,
        evens_out: float,
        notable: tuple[float, float],
        unseen: int,
        good: int,
        silent: int,
    ) -> None: ...
    def step(
        self,
        current: Floats,
        status: Floats,
        size: Floats,
        among: Bools,
        state: Codes,
        since: Floats,
        missed: Bools,
        opposed: Bools,
        calm: bool,
        begins: bool,
        heard_from: float,
        /,
    ) -> None:
        """Bring ``missed`` (does not follow) and ``opposed`` (moves the other way) up to date, and silent sensors back.

        Packs in ``among`` conduct and are each other's neighbours. ``since`` of shape ``(2, packs)`` says from where
        each reading is watched (A, and A per Ah of the neighbours; ``NaN``: from now on, if it ``begins``); at rest,
        while it is ``calm``, from where it is now. Packs not heard (``status``, s) after ``heard_from`` stay missed.
        """
