"""What an over-current trip shows of a pack whose current nobody reads: it carried more than its BMS's limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.lines import Lines
from packbank.aggregator.table import CHARGE, DISCHARGE
from packbank.aggregator.telemetry import BMS_CEILINGS, Telemetry
from packbank.model.columns import Alarm

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BEYOND = 1.1  # of the limit: a pack that tripped carried that at least, or it would not have lasted
MOST = 3.0  # times, by which one trip raises a weight at most
WITHIN = 10.0  # s after the switch has opened, in which the alarm must come
_ALARMS = ((CHARGE, Alarm.HIGH_CHARGE_CURRENT), (DISCHARGE, Alarm.HIGH_DISCHARGE_CURRENT))


class Trips:
    """How many times as much as was thought each pack carried when it tripped, from step to step."""

    def __init__(self, packs: int) -> None:
        self._carried = np.full((2, packs), np.nan)  # A that was thought when the switch opened; NaN: no trip to judge
        self._left = np.zeros((2, packs))  # s in which its alarm may come

    def step(self, tele: Telemetry, opened: Bools, before: Lines, dt: float) -> Floats | None:
        """Factors of 1 and more, ``(packs,)``; ``None`` when no pack trips.

        ``opened`` are the switches of unread packs that have opened in this step, ``(2, packs)``; ``before`` are the
        lines before this counts.
        """
        if np.count_nonzero(opened):
            flow = before.current(before.drive)
            self._carried = np.where(opened, [flow, -flow], self._carried)
            self._left = np.where(opened, WITHIN, self._left)
        if np.isnan(self._carried).all():
            return None
        factors = np.ones(opened.shape[1])
        for direction, alarm in _ALARMS:
            raised = ~np.isnan(self._carried[direction]) & (tele.alarms[:, alarm] > 0.0)
            limit = np.nan_to_num(tele.block[BMS_CEILINGS][direction])
            short = BEYOND * limit / np.maximum(self._carried[direction], BEYOND * limit / MOST + 1e-9)
            factors = np.where(raised, np.maximum(factors, short), factors)
            self._carried[direction, raised] = np.nan
        self._left -= dt
        self._carried[self._left <= 0.0] = np.nan
        return factors
