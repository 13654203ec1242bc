"""What the judgement of current sensors keeps of one moment: currents and mean cells, to compare moments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.evidence import CELL_ERROR
from packbank.aggregator.telemetry import Telemetry
from packbank.model.columns import Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EXCHANGED = 0.4  # of the packs' currents, what is left of them all: where it is less, they flow from pack to pack
USUAL_SIZE = 100.0  # Ah, of a pack that reports no capacity


class Look(NamedTuple):
    """The bank at one moment; arrays of one element a pack."""

    time: float
    status: Floats  # s, when each pack was heard
    current: Floats
    cells: Floats  # V, mean of each pack's; NaN where no cell is known
    error: Floats  # V, its standard deviation
    shunt: float  # A, NaN without one


def look_at(tele: Telemetry, shunt: float, now: float) -> Look:
    """What there is now."""
    known = ~np.isnan(tele.cell_voltages)
    count = np.count_nonzero(known, axis=1)
    whole = np.add.reduce(tele.cell_voltages, axis=1, where=known)
    cells = np.where(count, whole / np.maximum(count, 1), np.nan)
    error = CELL_ERROR / np.sqrt(np.maximum(count, 1))
    return Look(now, tele[Column.STATUS_TIME].copy(), tele[Column.CURRENT].copy(), cells, error, shunt)


def sizes(tele: Telemetry) -> Floats:
    """Capacities without gaps, Ah."""
    size: Floats = np.where(np.isnan(tele.capacity), USUAL_SIZE, np.maximum(tele.capacity, 1.0))
    return size


def level_of(current: Floats, size: Floats, among: Bools, good: Bools) -> float:
    """A per Ah that packs carry: those whose sensors are known to be right, or the median of all."""
    reported = among & ~np.isnan(current)
    believed = reported & good
    if np.count_nonzero(believed):
        whole = float(np.add.reduce(current, where=believed))
        return whole / float(np.add.reduce(size, where=believed))
    flows = current[reported]
    if abs(float(np.add.reduce(flows))) <= EXCHANGED * float(np.add.reduce(np.abs(flows))):
        return 0.0
    return float(np.median(flows / size[reported]))
