"""Each pack's own limits: the kernel behind aggregator/limits.py.

All arrays are C-contiguous float64 (masks: bool, codes: int8) of one element a pack, those of two rows have charge
first; ValueError for others.
"""

from collections.abc import Iterable, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from packbank.cext.curves import CurveSet

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int8]
Pair = tuple[CurveSet, CurveSet]

@final
class PackLimits:
    """Limits from step to step.

    ``curves`` are those by cell voltage, temperature, MOSFET temperature and SoC, each for charge and discharge;
    ``protections`` are direction, row of the block, row of the extremes that is watched, gap and slope. ``sensor_lost``
    is what is left of the limits of each pack when a value that it reported is missing. A block has ``rows`` rows.
    """

    def __new__(
        cls,
        curves: Iterable[Pair],
        protections: Iterable[tuple[int, int, int, float, float]],
        sensor_lost: Sequence[float] | Floats,
        *,
        rows: int,
        soc_row: int,
        noise: float,
        smooth: float,
        top_balance: float,
    ) -> PackLimits: ...
    def step(
        self,
        block: Floats,
        ceiling: Floats,
        extremes: Floats,
        flow: Floats,
        ohms: Floats,
        lost: Bools,
        sensors: Floats,
        reported: Floats,
        raised: Floats | None,
        held: Bools | None,
        limits: Floats,
        smallest: Codes,
        /,
    ) -> None:
        """Write limits, and which fraction of its ceiling each rests on.

        That is 0 to 4, or 5 where none is below 1. So it is where there is no ceiling, too, and the limit is 0 then.
        ``sensors`` are those of ``reported``, both ``(4, packs)``, without slots that have none. ``raised`` V is how
        far a top balance takes cells above their usual voltage. The limits of ``held`` packs do not rise.
        """
