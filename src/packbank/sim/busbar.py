"""All packs on one busbar: the currents follow from the network, solved exactly.

A pack is a voltage behind a resistance and two MOSFETs back to back. A MOSFET that is off still conducts the
other way through its body diode, so a pack may charge only, discharge only, both, or neither. Its current as a
function of the bus voltage is piecewise linear and never falls, hence so is the sum, and it has one root.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

DIODE = 0.7  # V across a body diode


@dataclass(frozen=True, slots=True)
class Network:
    """The packs over one step: ``source`` V behind ``resistance`` ohm, and which MOSFETs are on."""

    source: Array
    resistance: Array
    charge_on: Mask
    discharge_on: Mask

    def thresholds(self) -> tuple[Array, Array]:
        """Bus voltages above which each pack charges and below which it discharges; infinite for one that cannot."""
        charge = np.where(self.charge_on, self.source + DIODE * ~self.discharge_on, np.inf)
        discharge = np.where(self.discharge_on, self.source - DIODE * ~self.charge_on, -np.inf)
        return charge, discharge

    def currents(self, voltage: float) -> Array:
        """Current of each pack at a bus voltage."""
        charge, discharge = self.thresholds()
        return (np.maximum(voltage - charge, 0.0) - np.maximum(discharge - voltage, 0.0)) / self.resistance

    def voltage(self, current: float) -> float:
        """The bus voltage at which the packs together take ``current``; infinite when they cannot."""
        if self.charge_on.all() and self.discharge_on.all():
            conductance = 1 / self.resistance
            return float((current + conductance @ self.source) / conductance.sum())
        return self._search(current)

    def _search(self, current: float) -> float:
        charge, discharge = self.thresholds()
        conductance = np.concatenate((1 / self.resistance, -1 / self.resistance))
        knee = np.concatenate((charge, discharge))
        finite = np.isfinite(knee)
        order = np.argsort(knee[finite])
        knee, change = knee[finite][order], conductance[finite][order]
        if not knee.size:
            return np.nan
        below = -change[change < 0].sum()  # conductance of all that discharge, far below every knee
        slope = below + np.cumsum(change)  # to the right of each knee
        first = -(change[change < 0] * (knee[0] - knee[change < 0])).sum()
        total = first + np.concatenate(([0.0], np.cumsum(slope[:-1] * np.diff(knee))))
        index = int(np.searchsorted(total, current))
        if index == 0 and below > 0:
            return float(knee[0] + (current - total[0]) / below)
        if index == 0:
            return float(knee[0]) if current >= total[0] else -np.inf
        if index == knee.size and slope[-1] <= 1e-9:
            return np.inf
        left = index - 1
        return float(knee[left] + (current - total[left]) / slope[left]) if slope[left] > 1e-9 else float(knee[left])

    def carry(self, current: float, ceiling: float) -> tuple[float, Array]:
        """Bus voltage and pack currents when a source offers ``current`` but never lifts the bus over ``ceiling``.

        A negative current is a load and does not lift the bus. What the packs cannot take or give does not flow.
        """
        voltage = self.voltage(current)
        if current >= 0:
            voltage = min(voltage, max(ceiling, self.voltage(0.0)))
        if not np.isfinite(voltage):
            voltage = self.voltage(0.0)
        if not np.isfinite(voltage):
            return float(self.source.mean()), np.zeros_like(self.source)
        return voltage, self.currents(voltage)
