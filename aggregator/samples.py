"""Currents of one instant: packs are read one after the other, so each one's last two samples are interpolated."""

from __future__ import annotations

from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.telemetry import Telemetry
from packbank.cext.samples import steps, take, together
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
        take(
            self._time,
            self._current,
            self._voltage,
            tele[Column.STATUS_TIME],
            tele[Column.CURRENT],
            tele[Column.VOLTAGE],
            self._fresh,
        )

    def together(self, chosen: Bools) -> Together | None:
        """The ``chosen`` packs' currents at one instant, or most of theirs; ``None`` if it is the one reported last."""
        current, error = np.empty((2, len(chosen)))
        instant = together(self._time, self._current, chosen, self._instant, APART, OLDEST, MOVING, current, error)
        if isnan(instant):
            return None
        self._instant = instant
        return Together(current, error)

    def steps(self) -> tuple[Floats, Floats]:
        """By how much current (A) and voltage (V) of each pack moved in its new sample; 0 where there is none."""
        current, voltage = np.empty((2, len(self._fresh)))
        steps(self._time, self._current, self._voltage, self._fresh, OLDEST, current, voltage)
        return current, voltage
