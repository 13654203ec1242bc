"""Inverter and solar chargers on the busbar, steered by DVCC as Venus OS does it.

Every three seconds the published limits are taken over: the chargers hold the CVL as their voltage and may give the
CCL plus what the inverter draws at that moment, the inverter may draw up to the DCL from the packs; what a load
wants beyond that comes from the grid. Between two such ticks nobody looks at the limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

DVCC_PERIOD = 3.0  # s


@dataclass(frozen=True, kw_only=True)
class InverterSpec:
    """The machines' own limits, A, and how fast chargers find more sun (fraction of their limit per second)."""

    charge: float
    discharge: float
    ramp: float = 0.1


class Inverter:
    """The one source and load of a bank."""

    def __init__(self, spec: InverterSpec) -> None:
        self.spec = spec
        self.ceiling = 0.0  # V, held by the chargers
        self._solar = 0.0  # A
        self._solar_limit = 0.0
        self._draw = 0.0
        self._discharge_limit = 0.0

    def take_limits(self, cvl: float, ccl: float, dcl: float) -> None:
        """One DVCC tick. A CVL of ``NaN`` says that the battery has left: chargers and inverter stop."""
        gone = isnan(cvl)
        self.ceiling = 0.0 if gone else cvl
        self._solar_limit = 0.0 if gone else ccl + self._draw
        self._discharge_limit = 0.0 if gone else dcl

    def request(self, dt: float, solar: float, load: float, voltage: float) -> float:
        """The current offered to the packs, from ``solar`` and ``load`` in W at a bus of ``voltage`` V."""
        offered = min(solar / voltage, self._solar_limit, self.spec.charge)
        self._solar = min(offered, self._solar + self.spec.ramp * self.spec.charge * dt)
        wanted = min(load / voltage, self.spec.discharge)
        self._draw = min(wanted, self._solar + self._discharge_limit)
        return self._solar - self._draw

    def settle(self, current: float) -> None:
        """Take note of what the packs really took: chargers at their voltage give less than they could."""
        self._solar = max(current + self._draw, 0.0)
