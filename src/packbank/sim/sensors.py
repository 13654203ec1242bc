"""What the BMS measures, and when the bus brings it: sensors with errors, and polling with its delay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packbank.model.columns import Column, empty_matrix

Array = NDArray[np.float64]

PACKS_ON_A_BUS = 15
TURN = 0.08  # s from one pack's status request to the next pack's on one bus, with the guard between them
ROUND = 1.0  # s, a bus of few packs is not asked more often


@dataclass(frozen=True, slots=True)
class CurrentSensor:
    """A shunt and its amplifier for each pack: ``gain`` (1 is true), ``offset`` A, ``dead_band`` A, ``noise`` A."""

    gain: Array
    offset: Array
    dead_band: float
    noise: float

    def read(self, current: Array, rng: np.random.Generator) -> Array:
        """What the BMS reports for a true current."""
        shown = current * self.gain + self.offset
        if self.noise > 0:
            shown += self.noise * rng.standard_normal(shown.size)
        return np.where(np.abs(shown) < self.dead_band, 0.0, shown)


class Telemetry:
    """The matrix as a poller would have it: each pack's row is up to a round old."""

    def __init__(self, packs: int) -> None:
        self.rows = empty_matrix(packs)
        self.silent = np.zeros(packs, dtype=bool)  # the wire is cut: no answers
        place = np.arange(packs)
        self._round = np.maximum(ROUND, TURN * np.minimum(packs, PACKS_ON_A_BUS)) * np.ones(packs)
        self._next = (place % PACKS_ON_A_BUS) * TURN

    def poll(self, until: float, answers: Array) -> None:
        """Take ``answers`` of all packs whose turn comes up to time ``until``; they are stamped with their turn."""
        due = self._next <= until
        if not due.any():
            return
        turn = self._next + np.floor((until - self._next) / self._round) * self._round
        self._next = np.where(due, turn + self._round, self._next)
        heard = due & ~self.silent
        self.rows[heard] = answers[heard]
        self.rows[heard, Column.STATUS_TIME] = self.rows[heard, Column.SETTINGS_TIME] = turn[heard]
