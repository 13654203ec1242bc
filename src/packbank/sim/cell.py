"""LFP cells in simulated time: open-circuit curve, capacity, ohmic resistance and one polarisation (R-C).

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
OHMIC = 0.25e-3  # ohm at 25 degC, a 280 Ah prismatic cell
POLARISATION = 0.25e-3  # ohm, what the voltage still gains in the minutes after a step of current
POLARISATION_TIME = 90.0  # s
COLD = 0.028  # 1/K: resistance doubles over 25 K of cold
REFERENCE_CAPACITY = 280.0  # Ah, of the cell that the resistances are for
_GRID = 0.05  # %, of the table that the curve is read from


class Cells:
    """The cells of a bank; ``capacity`` in Ah, ``soc`` in %, ``age`` a factor on the resistance, 1 for new."""

    def __init__(self, capacity: Array, soc: Array, age: Array) -> None:
        points = np.array(OPEN_CIRCUIT)
        self._first = points[0, 0]
        grid = np.arange(points[0, 0], points[-1, 0] + _GRID / 2, _GRID)
        self._curve = np.interp(grid, points[:, 0], points[:, 1])
        self._slope = np.diff(self._curve) / _GRID
        self.capacity = capacity
        self.charge = soc / 100 * capacity
        self.polarisation = np.zeros_like(capacity)
        self.ohmic = OHMIC * age * REFERENCE_CAPACITY / capacity
        self.relaxing = POLARISATION * age * REFERENCE_CAPACITY / capacity
        self._percent = 100 / capacity
        self._decay = 1.0

    def open_circuit(self) -> tuple[Array, Array]:
        """Rested voltage of each cell and its slope in V per Ah."""
        place = (self.charge * self._percent - self._first) * (1 / _GRID)
        index = np.clip(place.astype(np.intp), 0, self._slope.size - 1)
        slope = self._slope[index]
        return self._curve[index] + (place - index) * (_GRID * slope), slope * self._percent

    def source(self, dt: float, temperature: Array) -> tuple[Array, Array]:
        """Each cell over the next ``dt`` s, as the voltage and the resistance that it ends at with a current."""
        cold = np.exp(COLD * (25 - temperature))
        self._decay = float(np.exp(-dt / POLARISATION_TIME))
        voltage, slope = self.open_circuit()
        voltage += self._decay * self.polarisation
        self._step = cold * self.relaxing * (1 - self._decay)
        return voltage, cold * self.ohmic + self._step + slope * (dt / 3600)

    def integrate(self, dt: float, current: Array, balance: Array) -> None:
        """Carry ``current`` (packs) and the balancer's ``balance`` (cells, packs) through the step of `source`."""
        self.charge += (current + balance) * (dt / 3600)
        self.polarisation *= self._decay
        self.polarisation += self._step * current

    @property
    def soc(self) -> Array:
        """State of charge of each cell, %."""
        return self.charge * self._percent
