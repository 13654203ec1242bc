"""One row of figures from the seconds of a minute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.outputs.history.rows import STATISTICS

Array = NDArray[np.float64]


class Gathering:
    """Mean, lowest and highest of figures that come one set after another; NaN among them is passed over."""

    def __init__(self, size: int) -> None:
        self.seen = 0  # sets
        self._sum = np.zeros(size)
        self._count = np.zeros(size)
        self._low = np.full(size, np.nan)
        self._high = np.full(size, np.nan)

    def add(self, values: Array) -> None:
        """Take one set (size,)."""
        known = ~np.isnan(values)
        self.seen += 1
        self._count += known
        np.add(self._sum, values, out=self._sum, where=known)
        np.fmin(self._low, values, out=self._low)
        np.fmax(self._high, values, out=self._high)

    def take(self) -> Array:
        """The figures (3, size) in the order of :data:`STATISTICS`, NaN for what was never known; begin anew."""
        row = np.full((len(STATISTICS), len(self._sum)), np.nan)
        np.divide(self._sum, self._count, out=row[0], where=self._count > 0)
        row[1], row[2] = self._low, self._high
        self.seen = 0
        self._sum[:] = self._count[:] = 0.0
        self._low[:] = self._high[:] = np.nan
        return row
