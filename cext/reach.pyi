"""How near packs are to a charge voltage: the kernel behind aggregator/reach.py.

All arrays are C-contiguous float64 (masks: bool) of one element a pack; ValueError for others.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

def levels(
    voltage: Floats, current: Floats, cells: Floats, capacity: Floats, cvl: float, chosen: Bools, /
) -> tuple[float, float, float]:
    """Of the chosen packs the highest V a cell, the largest current in parts of its Ah, and the least V below ``cvl``.

    The latter is by cell. What is not known is left out; ``NaN`` where nothing is.
    """
