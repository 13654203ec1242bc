"""LFP cells in simulated time: open-circuit curve with hysteresis, capacity, ohmic resistance, two polarisations (R-C).

Arrays have the shape ``(cells, packs)``, so that a reduction over the cells of a pack runs along the first axis.
Currents are in A, + charges. The integration is linearly implicit: the source that the busbar sees already
holds the slope of the open-circuit curve over the coming step, so that steps of 30 s are stable even at the knee.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A rested LFP cell (%, V): the two plateaus near 3.29 V and 3.33 V and the knees of public datasheets and relaxation
# measurements of 280 Ah cells; beyond 100 % it rises as an over-charged cell does.
OPEN_CIRCUIT = (
    (-2.0, 1.80),
    (0.0, 2.60),
    (1.0, 2.85),
    (2.0, 2.96),
    (5.0, 3.11),
    (10.0, 3.200),
    (15.0, 3.225),
    (20.0, 3.250),
    (30.0, 3.283),
    (40.0, 3.292),
    (50.0, 3.296),
    (60.0, 3.301),
    (65.0, 3.313),
    (70.0, 3.328),
    (80.0, 3.332),
    (90.0, 3.335),
    (95.0, 3.340),
    (97.0, 3.350),
    (98.0, 3.362),
    (99.0, 3.395),
    (99.5, 3.440),
    (100.0, 3.560),
    (102.0, 4.200),
)
# Resistances of a 280 Ah prismatic cell at 25 degC and half charge. Data sheets give about 0.2 mOhm for a pulse of
# milliseconds; pulses of seconds and of minutes measure 0.3 and 0.5 mOhm.
OHMIC = 0.25e-3  # ohm
POLARISATION = (0.12e-3, 0.20e-3)  # ohm, what the voltage still gains in the seconds and in the minutes after a step
POLARISATION_TIME = (12.0, 240.0)  # s
RESISTANCE_BY_SOC = ((0.0, 1.9), (5.0, 1.5), (10.0, 1.25), (20.0, 1.08), (40.0, 1.0), (90.0, 1.0), (100.0, 1.15))
COLD = 0.028  # 1/K: resistance doubles over 25 K of cold
HYSTERESIS = 5e-3  # V, half of the gap between the rested curves after charging and after discharging
HYSTERESIS_SPAN = 0.04  # of the capacity, after which two thirds of the gap are crossed
REFERENCE_CAPACITY = 280.0  # Ah, of the cell that the resistances are for
_GRID = 0.05  # %, of the tables that the curves are read from


class Cells:
    """The cells of a bank; ``capacity`` in Ah, ``soc`` in %, ``age`` a factor on the resistance, 1 for new."""

    def __init__(self, capacity: Array, soc: Array, age: Array) -> None:
        points = np.array(OPEN_CIRCUIT)
        self._first = points[0, 0]
        grid = np.arange(points[0, 0], points[-1, 0] + _GRID / 2, _GRID)
        self._curve = np.interp(grid, points[:, 0], points[:, 1])
        self._slope = np.diff(self._curve) / _GRID
        self._by_soc = np.interp(grid, *np.array(RESISTANCE_BY_SOC).T)
        self.capacity = capacity
        self.charge = soc / 100 * capacity
        self.age = age * REFERENCE_CAPACITY / capacity
        self.polarisation = np.zeros((len(POLARISATION), *capacity.shape))
        self.hysteresis = np.zeros_like(capacity)  # V
        self._percent = 100 / capacity
        self._gain = self._decay = np.empty(0)

    def _place(self) -> tuple[NDArray[np.intp], Array]:
        """Where each cell is in the tables, and how far beyond that entry."""
        place = (self.charge * self._percent - self._first) * (1 / _GRID)
        index = np.clip(place.astype(np.intp), 0, self._slope.size - 1)
        return index, place - index

    def open_circuit(self) -> tuple[Array, Array]:
        """Voltage of each cell after a long rest and its slope in V per Ah."""
        index, beyond = self._place()
        slope = self._slope[index]
        return self._curve[index] + beyond * (_GRID * slope) + self.hysteresis, slope * self._percent

    def source(self, dt: float, temperature: Array) -> tuple[Array, Array]:
        """Each cell over the next ``dt`` s, as the voltage and the resistance that it ends at with a current."""
        index, beyond = self._place()
        slope = self._slope[index]
        voltage = self._curve[index] + beyond * (_GRID * slope) + self.hysteresis
        ohm = np.exp(COLD * (25 - temperature)) * self.age * self._by_soc[index]
        self._decay = np.exp(-dt / np.array(POLARISATION_TIME))[:, None, None]
        self._gain = np.array(POLARISATION)[:, None, None] * (1 - self._decay) * ohm
        voltage += (self._decay * self.polarisation).sum(axis=0)
        return voltage, OHMIC * ohm + self._gain.sum(axis=0) + slope * self._percent * (dt / 3600)

    def integrate(self, dt: float, current: Array, balance: Array) -> None:
        """Carry ``current`` (packs) and the balancer's ``balance`` (cells, packs) through the step of `source`."""
        self.charge += (current + balance) * (dt / 3600)
        self.polarisation *= self._decay
        self.polarisation += self._gain * current
        crossed = 1 - np.exp(np.abs(current) * (-dt / 3600 / HYSTERESIS_SPAN) / self.capacity)
        self.hysteresis += crossed * (np.sign(current) * HYSTERESIS - self.hysteresis)

    @property
    def soc(self) -> Array:
        """State of charge of each cell, %."""
        return self.charge * self._percent
