"""Currents of one instant: packs are read one after the other, so each one's last two samples are interpolated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.telemetry import Telemetry
from packbank.model.columns import Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MOVING = 0.5  # of a pack's change between its two samples: the error of a current that is reckoned between them
APART = 1.5  # s: packs that were read this near to each other need none that is later still
OLDEST = 30.0  # s between two samples of a pack that can still be joined by a line
NEVER = -1e9  # s, time of a sample that there never was: old, and still a number to reckon with


class Together(NamedTuple):
    """The packs' currents at the newest instant at which all of them were known."""

    current: Floats  # A, NaN for a pack that has not reported two, or not in time
    error: Floats  # A, from the way the current moved meanwhile


class Samples:
    """The last two samples of each pack."""

    def __init__(self, packs: int) -> None:
        self._time = np.full((2, packs), NEVER)  # newest first
        self._current = np.full((2, packs), np.nan)
        self._voltage = np.full((2, packs), np.nan)
        self._instant = NEVER
        self._fresh = np.zeros(packs, dtype=np.bool_)

    def take(self, tele: Telemetry) -> None:
        """Keep the samples that are new."""
        time = np.fmax(tele[Column.STATUS_TIME], NEVER)
        self._fresh = fresh = time > self._time[0]
        for kept, newest in (
            (self._time, time),
            (self._current, tele[Column.CURRENT]),
            (self._voltage, tele[Column.VOLTAGE]),
        ):
            kept[1] = np.where(fresh, kept[0], kept[1])
            kept[0] = np.where(fresh, newest, kept[0])

    def together(self, chosen: Bools) -> Together | None:
        """The ``chosen`` packs' currents at one instant, or most of theirs; ``None`` if it is the one reported last."""
        newest, before = self._time
        latest = newest >= np.maximum.reduce(newest, where=chosen, initial=NEVER) - APART
        if 2 * np.count_nonzero(latest & chosen) > np.count_nonzero(chosen):
            chosen = latest & chosen  # one late pack does not hold the others up
        instant = float(np.minimum.reduce(newest, where=chosen, initial=np.inf))
        if not self._instant < instant < np.inf:
            return None
        self._instant = instant
        joined = newest - before <= OLDEST
        back = np.minimum((newest - instant) / np.where(joined & (newest > before), newest - before, np.inf), 1.0)
        change = np.where(back > 0.0, self._current[0] - self._current[1], 0.0)
        known = np.where(joined | (newest == instant), self._current[0] - back * change, np.nan)
        return Together(np.where(chosen, known, np.nan), MOVING * np.abs(change))

    def steps(self) -> tuple[Floats, Floats]:
        """By how much current (A) and voltage (V) of each pack moved in its new sample; 0 where there is none."""
        current, voltage = self._current[0] - self._current[1], self._voltage[0] - self._voltage[1]
        moved = self._fresh & (self._time[0] - self._time[1] <= OLDEST) & ~np.isnan(current + voltage)
        return np.where(moved, current, 0.0), np.where(moved, voltage, 0.0)
