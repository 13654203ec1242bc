"""What the BMS measures, and when the bus brings it: sensors with errors, and polling with its delay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.model.columns import Column, empty_matrix

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

PACKS_ON_A_BUS = 15
TURN = 0.08  # s from one pack's status request to the next pack's on one bus, with the silence between them
ROUND = 1.1  # s, a bus of few packs is not asked more often
WRONG_GAIN = 0.2  # a sensor whose gain differs more from 1 is wrong
WRONG_OFFSET = 10.0  # A, or whose zero is further off
BLIND = 0.1  # a sensor whose gain is smaller sees nothing


class CurrentSensor:
    """A shunt and its amplifier for each pack: ``gain`` (1 is true), ``offset`` A, ``dead_band`` A, ``noise`` A."""

    def __init__(self, gain: Array, offset: Array, dead_band: float, noise: float) -> None:
        self.gain = gain
        self.offset = offset
        self.dead_band = dead_band
        self.noise = noise
        self.frozen: Mask = np.zeros(gain.size, dtype=bool)  # shows its last value for ever
        self._last = np.zeros(gain.size)

    def read(self, current: Array, rng: np.random.Generator) -> Array:
        """What the BMS reports for a true current."""
        shown = current * self.gain + self.offset
        if self.noise > 0:
            shown += self.noise * rng.standard_normal(shown.size)
        shown = np.where(np.abs(shown) < self.dead_band, 0.0, shown)
        self._last = np.where(self.frozen, self._last, shown)
        return self._last

    @property
    def wrong(self) -> Mask:
        """Whose sensor is not merely inexact."""
        off: Mask = np.abs(self.gain - 1) > WRONG_GAIN
        return off | self.frozen | ~(np.abs(self.offset) <= WRONG_OFFSET)

    def trips_at(self, sign: float, charge: Array, discharge: Array) -> Array:
        """The true current, A >= 0 in the direction of ``sign``, at which the BMSes see over-current.

        ``charge`` and ``discharge`` are their thresholds. Infinite where a sensor is blind.
        """
        blind = (np.abs(self.gain) < BLIND) | self.frozen | ~np.isfinite(self.offset)
        gain = np.where(blind, np.nan, self.gain)
        seen = np.maximum(sign * (charge - self.offset) / gain, sign * (-discharge - self.offset) / gain)
        return np.where(blind, np.inf, np.maximum(seen, 0.0))


class Readings:
    """The matrix as a poller would have it: each pack's row is up to a round old, the first asked at ``phase`` s."""

    def __init__(self, packs: int, phase: float) -> None:
        self.rows = empty_matrix(packs)
        self.silent: Mask = np.zeros(packs, dtype=bool)  # the wire is cut: no answers
        place = np.arange(packs)
        self._round = max(ROUND, TURN * min(packs, PACKS_ON_A_BUS))
        self._next = phase + (place % PACKS_ON_A_BUS) * TURN

    def turns(self, until: float) -> tuple[NDArray[np.intp], Array]:
        """The packs that are heard up to time ``until``, and when."""
        due = self._next <= until
        turn = self._next + np.floor((until - self._next) / self._round) * self._round
        self._next = np.where(due, turn + self._round, self._next)
        heard = np.flatnonzero(due & ~self.silent)
        return heard, turn[heard]

    def take(self, heard: NDArray[np.intp], turn: Array, answers: Array) -> None:
        """Store the ``answers`` of the packs that were heard, stamped with their turn."""
        self.rows[heard] = answers
        self.rows[heard, Column.STATUS_TIME] = self.rows[heard, Column.SETTINGS_TIME] = turn
