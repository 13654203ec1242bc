"""Inverter and solar chargers on the busbar, steered by DVCC as Venus OS does it.

Every three seconds the published limits are taken over: the chargers hold the CVL as their voltage and may give the
CCL plus what the inverter draws (smoothed), the inverter may draw up to the DCL from the packs; what a load
wants beyond that comes from the grid. Between two such ticks nobody looks at the limits. Chargers and inverter follow
with a lag; a cloud, or a load that goes off, is felt at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isnan

DVCC_PERIOD = 3.0  # s
LAG = 2.0  # s, time constant of chargers and inverter
SMOOTHING = 3.0  # s, of the inverter's draw that DVCC grants the chargers on top of the CCL


@dataclass(frozen=True, kw_only=True)
class InverterSpec:
    """The machines' own limits, A. ``feed_in``: chargers heed no CCL; ``exports``: so does what lies above the CVL."""

    charge: float
    discharge: float
    feed_in: bool = False
    exports: bool = False


class Inverter:
    """The one source and load of a bank."""

    def __init__(self, spec: InverterSpec) -> None:
        self.spec = spec
        self.ceiling = 0.0  # V, held by the chargers
        self.least = 0.0  # A, negative: what the inverter exports to bring the bus down to the ceiling
        self.draw = 0.0  # A, of the loads
        self._solar = 0.0
        self._smooth = 0.0
        self._solar_limit = 0.0
        self._discharge_limit = 0.0
        self._deaf = 0.0  # s

    @property
    def room(self) -> float:
        """What flows into the packs beyond the CCL when the loads go off now, A."""
        return max(self.draw, self._smooth)

    def take_limits(self, cvl: float, ccl: float, dcl: float) -> None:
        """One DVCC tick. A CVL of ``NaN`` says that the battery has left: chargers and inverter stop."""
        if self._deaf > 0:
            return
        gone = isnan(cvl)
        self.ceiling = 0.0 if gone else cvl
        granted = self.spec.charge if self.spec.feed_in else ccl + self._smooth
        self._solar_limit = 0.0 if gone else granted
        self._discharge_limit = 0.0 if gone else dcl
        self.least = -min(self._discharge_limit, self.spec.discharge) if self.spec.exports else 0.0

    def ignore_limits(self, seconds: float) -> None:
        """The chargers give all they can for so long."""
        self._deaf = seconds
        self._solar_limit = self.spec.charge

    def request(self, dt: float, sun: float, load: float) -> float:
        """The current offered to the packs, from what ``sun`` and ``load`` amount to in A."""
        self._deaf -= dt
        follow = 1 - exp(-dt / LAG)
        offered = min(sun, self._solar_limit, self.spec.charge)
        self._solar = min(self._solar + (offered - self._solar) * follow, sun)
        wanted = min(load, self.spec.discharge, self._solar + self._discharge_limit)
        self.draw = min(self.draw + (wanted - self.draw) * follow, load)
        self._smooth += (self.draw - self._smooth) * (1 - exp(-dt / SMOOTHING))
        return self._solar - self.draw

    def settle(self, current: float) -> None:
        """Take note of what the packs really took: chargers at their voltage give less than they could."""
        self._solar = min(self._solar, max(current + self.draw, 0.0))
