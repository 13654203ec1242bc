"""A published limit that does not rise while a pack is held.

Whatever a limit is made of (curves, ramps, reserves that fade, a cut that ends, guards, stages): while a pack that
counts is silent, nobody knows what more current or voltage would do to it. So this stands behind all of that, and
before what the user sets.
"""

from __future__ import annotations

from packbank.aggregator.presence import Sets
from packbank.model.battery import Limit


class Hold:
    """One limit from step to step."""

    def __init__(self) -> None:
        self._last: Limit | None = None

    def forget(self) -> None:
        """No battery is published: the next limit is the first."""
        self._last = None

    def step(self, limit: Limit, sets: Sets) -> Limit:
        """``limit``, or the last one with its reason while a pack is held and it would rise."""
        last = self._last
        if last is None or sets.all_fresh or not limit.value > last.value:
            self._last = limit
            return limit
        return last
