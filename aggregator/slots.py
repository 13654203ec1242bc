"""Temperature slots that have no sensor, although the BMS says 0.0 degC.

Some firmware answers 0 for a sensor that is not fitted. A pack that is really at 0 degC must not be charged, so such
a slot limits charge at first. It counts as not fitted once it has read exactly 0 since the start while the other
sensors were at least ``WARMER`` warmer for ``LONG``. A slot that has ever moved is real.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.cext.columns import find_zeros

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WARMER = 10.0  # K
LONG = 1800.0  # s


class SensorSlots:
    """Judges the battery sensors of all packs from step to step; arrays of shape ``(4, packs)``."""

    def __init__(self, packs: int, buses: NDArray[np.int64] | None = None) -> None:
        """``buses`` numbers the packs by their bus (default: all on one)."""
        self._moved = np.zeros((4, packs), dtype=np.bool_)  # has read anything but 0
        self._warm_for = np.zeros(packs)  # s
        self._quiet = True  # no slot is suspect or absent, none is on the way to it
        self._buses = np.zeros(packs, dtype=np.int64) if buses is None else buses
        # Each change makes new arrays: those of before may have been given out.
        self.suspect = np.zeros((4, packs), dtype=np.bool_)  # may have no sensor, limits all the same
        self.absent = np.zeros((4, packs), dtype=np.bool_)  # has none

    def step(self, sensors: Floats, dt: float) -> None:
        """Look at ``sensors`` as the packs report them (degC, ``NaN``: not reported), ``dt`` s after the last look."""
        zeros = find_zeros(sensors, self._moved)
        if not zeros and self._quiet:  # the usual case: nothing to judge
            return
        silent = (sensors == 0.0) & ~self._moved
        self.absent = self.absent & ~self._moved
        self._quiet = not (np.count_nonzero(silent) or np.count_nonzero(self.absent))
        if not np.count_nonzero(silent):
            self.suspect = silent
            self._warm_for[:] = 0.0
            return
        warm = self._coldest_other(np.where(silent | self.absent, np.nan, sensors)) >= WARMER  # false where unknown
        self._warm_for = np.where(warm, self._warm_for + dt, 0.0)
        self.absent = self.absent | (silent & (self._warm_for >= LONG))
        self.suspect = silent & ~self.absent

    def _coldest_other(self, real: Floats) -> Floats:
        """Of each pack the coldest of its sensors that are certainly real, else of those on its bus."""
        own = np.fmin.reduce(real, axis=0)
        on_bus = np.full(self._buses.max() + 1, np.inf)
        np.minimum.at(on_bus, self._buses, np.fmin(own, np.inf))
        coldest: Floats = np.where(np.isnan(own), on_bus[self._buses], own)
        return np.where(np.isfinite(coldest), coldest, np.nan)
