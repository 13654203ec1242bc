"""One deep cut of a limit as soon as a pack is over what its BMS stands, so that the BMS does not open first.

Chargers follow a lower limit like a low-pass of a few seconds. One that is lower than needed for one look of DVCC
brings the pack below its ceiling in a part of that time. Only where the BMS waits for seconds: less cannot be met,
and where it waits for minutes the limit itself is in time and a cut could darken an island.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from packbank.aggregator.instant import Instant
from packbank.aggregator.predict import Side
from packbank.aggregator.telemetry import BMS_CEILINGS, OCP_DELAYS
from packbank.cext.chosen import any_above
from packbank.model.battery import Cause, Limit

SHORTEST, LONGEST = 2.0, 10.0  # s, delays of the BMS for which a cut helps
LOOK = 4.0  # s, a look of DVCC (3 s) and a step of ours
DEEPEST = 0.3  # of the limit
DEPTH = 10.0  # times what the bank must carry less: the lag of chargers counts by a tenth of what it would


class Cut:
    """The cut of one direction."""

    def __init__(self) -> None:
        self._until = -np.inf
        self._depth = 1.0
        self._pack = -1

    def step(self, direction: int, limit: Limit, instant: Instant, side: Side) -> Limit:
        """``limit``, or what is left of it."""
        self._look(direction, limit, instant, side)
        if instant.now >= self._until:
            return limit
        return replace(
            limit, value=limit.value * self._depth, pack=self._pack, cause=Cause.CUT, detail="over its limit"
        )

    def _look(self, direction: int, limit: Limit, instant: Instant, side: Side) -> None:
        """Begin a cut if a pack's BMS counts down."""
        tele, flow = instant.tele, instant.tele.flow[direction]
        ceiling = tele.block[BMS_CEILINGS][direction]
        if not any_above(flow, ceiling):
            return
        over, excess = flow > ceiling, flow - ceiling
        delay = tele[OCP_DELAYS[direction]]
        hasty = over & (delay >= SHORTEST) & (delay <= LONGEST) & (instant.sets.sure | instant.sets.maybe)[direction]
        if not np.count_nonzero(hasty) or limit.value <= 0.0:
            return
        carried = float(np.add.reduce(side.weight, where=instant.sets.sure[direction])) * excess / side.weight
        worst = np.where(hasty, carried, 0.0)
        depth = max(DEEPEST, 1.0 - DEPTH * float(worst.max()) / limit.value)
        self._depth = depth if instant.now >= self._until else min(depth, self._depth)
        self._until, self._pack = instant.now + LOOK, int(worst.argmax())
