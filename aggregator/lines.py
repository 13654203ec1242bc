"""The packs' lines: each pack's current over one drive that all share, with its uncertainty."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.model.record import record

Floats = NDArray[np.float64]

# What is known before anything is measured, as standard deviations.
WEIGHT_ERROR = 0.6  # of a weight: cables, age, temperature
EXCHANGE_ERROR = 0.1  # of the capacity, in A: packs some points of charge apart
AGED = 0.1  # of a weight, the least error of a saved one: nobody saw what was done to the cables meanwhile


@record
class Lines:
    """Each pack's current ``exchange + weight * drive``; arrays of shape ``(packs,)``, weights above 0."""

    exchange: Floats  # A
    weight: Floats
    xx: Floats  # A^2, variance of the exchange
    xw: Floats  # A, covariance of exchange and weight
    ww: Floats  # variance of the weight
    drive: float  # as measured last
    level: float  # the drive that was learned at last: it stays where it is while the drive moves by less than noise

    @classmethod
    def of(cls, block: Floats, drive: float, level: float) -> Lines:
        """Lines with the rows of ``block``, of shape ``(5, packs)``."""
        exchange, weight, xx, xw, ww = block
        return cls(exchange, weight, xx, xw, ww, drive, level)

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """What there is of each pack."""
        return self.exchange, self.weight, self.xx, self.xw, self.ww

    def current(self, drive: float) -> Floats:
        """A, each pack's at ``drive``."""
        flows: Floats = self.exchange + self.weight * drive
        return flows
