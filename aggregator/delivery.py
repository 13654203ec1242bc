"""What flows beyond a limit while it is followed.

A limit is made of the packs' own sensors; chargers and inverter follow it by theirs. Where the packs' read some per
cent more in sum, a bank that is held at its limit is above it by their measure, all the time, and a BMS that is near
its threshold trips by that measure.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp

from packbank.model.battery import Limit

SETTLED = 8.0  # s a limit must have stood: DVCC looks every 3 s, chargers follow in 2 s
STANDS = 0.01  # of a limit, within which it has stood
MOST = 1.05  # of the limit: what flows beyond that is no matter of ammeters, chargers do not heed the limit
NOTABLE = 0.2  # of the packs' ceilings: of smaller currents the zeros of sensors are some per cent
LEARN, FORGET = 10.0, 3600.0  # s, time constants


class Delivery:
    """One direction, from step to step."""

    def __init__(self) -> None:
        self.factor = 1.0  # at least 1: what flows of a limit that is followed
        self._published = self._anchor = 0.0  # A, the last limit, and where it has stood since
        self._stood = 0.0  # s

    def step(self, limit: Limit, flow: float, ceilings: float, dt: float) -> Limit:
        """``limit`` by the measure of those who follow it, while ``flow`` A are seen in its direction.

        ``ceilings`` A are all that the conducting packs may ever carry.
        """
        self.factor = 1.0 + (self.factor - 1.0) * exp(-dt / FORGET)
        self._stood += dt
        seen = flow >= NOTABLE * ceilings and self._published < flow <= MOST * self._published
        if seen and self._stood >= SETTLED:
            self.factor += (flow / self._published - self.factor) * (1.0 - exp(-dt / LEARN))
        self._published = limit.value / self.factor
        if abs(self._published - self._anchor) > STANDS * self._anchor:
            self._anchor, self._stood = self._published, 0.0
        return limit if self.factor == 1.0 else replace(limit, value=self._published)
