"""Packs in parallel with sensors that can be wrong: cells that move with the true current, readings that need not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bank_rows import CELLS_USED, Rig
from packbank.aggregator.settings import BankSettings
from packbank.model.battery import VirtualBattery
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.model.controls import External

Floats = NDArray[np.float64]
Sensor = Callable[[float], float]

CELL_OHM = 3.0e-4  # of one cell of a pack of weight 1
REST = 3.30  # V of a cell without current

FAULTS: dict[str, Sensor] = {
    "blind": lambda _: 0.0,
    "silent": lambda _: float("nan"),
    "frozen": lambda _: 12.0,
    "inverted": lambda true: -true,
}


class ParallelPacks(Rig):
    """A rig whose packs divide a current by ``weights``; ``sensors`` make a reading of the true current of a pack."""

    def __init__(
        self, weights: Sequence[float], settings: BankSettings | None = None, state: dict[str, object] | None = None
    ) -> None:
        super().__init__(len(weights), settings=settings, state=state)
        self.weights = np.array(weights)
        self.sensors: dict[int, Sensor] = {}
        self.open: set[int] = set()  # behind a breaker that no BMS knows of
        self.drift = np.zeros(len(weights))  # V, of the cells, beside what the current does
        self.shunt = False
        self.noise: np.random.Generator | None = None

    def currents(self, whole: float) -> Floats:
        """What each pack carries of ``whole`` A."""
        conducts = np.array([pack not in self.open for pack in range(len(self.weights))])
        part = np.where(conducts, self.weights, 0.0)
        carried: Floats = whole * part / part.sum()
        return carried

    def carry(self, each: float, seconds: int = 1) -> VirtualBattery:
        """Let the bank carry ``each`` A for each pack, for so long."""
        true = self.currents(each * len(self.weights))
        measured = [self.sensors.get(pack, float)(current) for pack, current in enumerate(true.tolist())]
        cells = REST + true * CELL_OHM / self.weights + self.drift
        self.external = External(current=float(true.sum())) if self.shunt else External()
        for _ in range(seconds):
            self.rows[:, Column.CURRENT] = measured
            self.rows[:, CELL_VOLTAGES][:, :CELLS_USED] = cells[:, None]
            if self.noise is not None:
                self.rows[:, :CELLS_USED] += self.noise.normal(0.0, 0.0007, (len(true), CELLS_USED))
            self.rows[:, :CELLS_USED] = np.round(self.rows[:, :CELLS_USED], 3)
            self.rows[:, Column.VOLTAGE] = self.rows[:, :CELLS_USED].sum(axis=1)
            battery = self.step()
        return battery


def noisy(seed: int, gain: float = 0.03, offset: float = 1.0, dead_band: float = 1.0) -> Sensor:
    """A sensor with an error of gain and offset, noise of 0.3 A, that reads 0 below ``dead_band``."""
    random = np.random.default_rng(seed)
    slope, shift = 1.0 + gain * random.standard_normal(), offset * random.standard_normal()

    def read(true: float) -> float:
        shown = true * slope + shift + 0.3 * random.standard_normal()
        return 0.0 if abs(shown) < dead_band else float(shown)

    return read
