"""Which packs are at the charge voltage, whatever is off by some tenths of a volt: a charger, or a pack's voltmeter.

A charger that stops short of the CVL shows by a voltage that stands still while hardly any current flows. A pack that
reads low shows by the same: where its neighbours are at the charge voltage and it takes no current, it is there too,
since all hang on one busbar.
"""

from __future__ import annotations

from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.instant import Instant
from packbank.aggregator.table import CHARGE, PackTable
from packbank.cext.reach import levels
from packbank.model.columns import Column
from packbank.model.controls import NAN

Bools = NDArray[np.bool_]

REACHED = 0.010  # V a cell below the charge voltage that still counts as there
FELL_BACK = 0.030  # V a cell below it where absorption is over for now
TAIL = 0.02  # of the capacity, in A: with less, a pack's voltage is within millivolts a cell of the busbar's
STANDS_NEAR, STANDS = 600.0, 1800.0  # s with a tail of current after which a voltage that stands is the charger's
BAND = 0.003  # V a cell within which it stands: cells that are being filled rise by more in that time


class Reached(NamedTuple):
    """Of the packs that are surely charged."""

    there: Bools  # at the charge voltage
    fell_back: bool  # all of them are well below


class Reach:
    """What was seen of the charger, from step to step."""

    def __init__(self, table: PackTable) -> None:
        self._float = float(table.float_cell.min())
        self._nobody = np.zeros(len(table.float_cell), dtype=np.bool_)
        self.forget()

    def forget(self) -> None:
        """A new charge begins, or the voltage is kept low on purpose."""
        self._level = NAN  # V a cell, where the voltage stands
        self._stood = 0.0  # s

    def step(self, instant: Instant, cvl: float) -> Reached:
        """Compare the packs with the ``cvl``, V, or with what the charger makes of it."""
        tele, sure = instant.tele, instant.sets.sure[CHARGE]
        voltage, current = tele[Column.VOLTAGE], tele[Column.CURRENT]
        most, largest, short = levels(voltage, current, tele.cells, tele.capacity, cvl, sure)
        if self._stands(most, largest):
            self._stood += instant.dt
        if short > FELL_BACK and self._stood < STANDS:  # the usual case
            return Reached(self._nobody, fell_back=True)
        volts, part = voltage / tele.cells, np.abs(current) / tele.capacity
        below = cvl / tele.cells - volts
        if self._stood >= (STANDS_NEAR if short <= FELL_BACK else STANDS):
            below = np.minimum(below, self._level - volts)
        elif not short <= FELL_BACK:
            return Reached(self._nobody, fell_back=True)
        there = sure & (below <= REACHED)
        near = sure & (below <= FELL_BACK)
        if np.count_nonzero(there):
            there |= near & (part <= TAIL)
        return Reached(there, not np.count_nonzero(near))

    def _stands(self, volts: float, part: float) -> bool:
        """The highest pack's ``volts`` stand at one level above float; the largest current is a ``part`` of Ah."""
        rise = volts - self._level
        if isnan(rise) or rise > BAND or rise < -FELL_BACK:
            self._level, self._stood = volts, 0.0
            return False
        return rise >= -BAND and volts >= self._float and part <= TAIL
