"""A published limit that does not rise while a pack is held, or while chargers ignore it.

Whatever a limit is made of (curves, ramps, reserves that fade, a cut that ends, guards, stages): while a pack that
counts is silent, nobody knows what more current or voltage would do to it. So this stands behind all of that, and
before what the user sets. A charge limit that is ignored does not rise either (stop.py).
"""

from __future__ import annotations

from packbank.model.battery import Limit


class Hold:
    """One limit from step to step."""

    def __init__(self) -> None:
        self._last: Limit | None = None

    def forget(self) -> None:
        """No battery is published: the next limit is the first."""
        self._last = None

    def step(self, limit: Limit, *, may_rise: bool) -> Limit:
        """``limit``, or the last one with its reason where it would rise and must not."""
        last = self._last
        if last is None or may_rise or not limit.value > last.value:
            self._last = limit
            return limit
        return last
