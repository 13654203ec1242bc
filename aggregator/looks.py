"""What the judgement of current sensors keeps of one moment: currents and mean cells, to compare moments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.evidence import CELL_ERROR
from packbank.aggregator.telemetry import Telemetry
from packbank.cext.columns import means
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column

Floats = NDArray[np.float64]

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
    cells, error = np.empty((2, len(tele.cells)))
    means(tele.matrix, COLUMNS, CELL_VOLTAGES.start, CELL_VOLTAGES.stop, CELL_ERROR, cells, error)
    return Look(now, tele[Column.STATUS_TIME].copy(), tele[Column.CURRENT].copy(), cells, error, shunt)


def sizes(tele: Telemetry) -> Floats:
    """Capacities without gaps, Ah."""
    size: Floats = np.where(np.isnan(tele.capacity), USUAL_SIZE, np.maximum(tele.capacity, 1.0))
    return size
