"""What the owner should change in a pack's own settings, found by looking at the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from packbank.model.columns import Column

# A load that drops leaves its current to the packs until the inverter hears of it, on every third second of DVCC,
# and has followed; with a poll and a step of ours between, that is about this long.
FOLLOWS_AFTER = 6.0  # s
ROOM = 0.95  # of the BMS's limit: a ceiling of the user's below that leaves its protection room
HASTY = (
    "the BMS cuts off charge over-current before chargers can follow a load that drops or a pack that opens (in less "
    "than 6 s): set a charge over-current delay of 6 s or more in the BMS's app, or RESERVE_PACKS = 1 (packbank check "
    "shows its price)"
)


def hasty_packs(rows: NDArray[np.float64], ceilings: Sequence[float | None]) -> list[int]:
    """Packs to which :data:`HASTY` applies; ``ceilings`` are the charge currents that the configuration allows."""
    ceiling = np.array(ceilings, dtype=np.float64)  # None becomes NaN
    touches = ~(ceiling <= ROOM * rows[:, Column.CHARGE_CURRENT_LIMIT])  # also without a ceiling
    found: list[int] = np.flatnonzero(touches & (rows[:, Column.CHARGE_OCP_DELAY] < FOLLOWS_AFTER)).tolist()
    return found
