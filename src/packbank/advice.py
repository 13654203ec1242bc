"""What the owner should change in a pack's own settings, found by looking at the matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.settings import PackSettings
from packbank.model.columns import Column

# A load that drops leaves its current to the packs until the inverter hears of it, on every third second of DVCC,
# and has followed; with a poll and a step of ours between, that is about this long.
FOLLOWS_AFTER = 6.0  # s
ROOM = 0.95  # of the BMS's limit: a ceiling of the user's below that leaves its protection room
HASTY = (
    "the BMS cuts off charge over-current before an inverter can follow a load that drops (in less than 6 s): set that "
    "delay to 10 s in the BMS's app, or MAX_BATTERY_CHARGE_CURRENT 10 % below what the BMS allows"
)


class Adviser:
    """Finds each pack once, when it has told its settings."""

    def __init__(self, settings: Sequence[PackSettings]) -> None:
        self._ceiling = np.array([own.max_battery_charge_current for own in settings], dtype=np.float64)
        self._judged = np.zeros(len(settings), dtype=np.bool_)

    def hasty(self, matrix: NDArray[np.float64]) -> list[int]:
        """Packs to which :data:`HASTY` applies and that were not found before."""
        told = ~np.isnan(matrix[:, Column.CHARGE_OCP_DELAY]) & ~self._judged
        if not told.any():
            return []
        self._judged |= told
        touches = ~(self._ceiling <= ROOM * matrix[:, Column.CHARGE_CURRENT_LIMIT])  # also without a ceiling, NaN
        found: list[int] = np.flatnonzero(
            told & touches & (matrix[:, Column.CHARGE_OCP_DELAY] < FOLLOWS_AFTER)
        ).tolist()
        return found
