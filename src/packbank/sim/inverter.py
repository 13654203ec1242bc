"""Inverter and solar chargers on the busbar, steered by DVCC as Venus OS does it.

Every three seconds the published limits are taken over: the chargers hold the CVL as their voltage and may give the
CCL plus what the inverter draws (smoothed), the inverter may draw up to the DCL from the packs; what a load
wants beyond that comes from the grid. Between two such ticks nobody looks at the limits. Chargers and inverter follow
with a lag; a cloud, or a load that goes off, is felt at once.

With feed-in chargers heed no CCL, and an inverter that exports holds the bus at the CVL, while the chargers hold up to
0.4 V more, so that their voltage is never what limits. Where the bus is above the chargers' voltage they give nothing,
and loads are the packs' alone, whatever the sun.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isnan

from packbank.sim.busbar import NO_EXPORT, Export

DVCC_PERIOD = 3.0  # s
LAG = 2.0  # s, time constant of chargers and inverter
SMOOTHING = 3.0  # s, of the inverter's draw that DVCC grants the chargers on top of the CCL
FEED_IN_OFFSET = 0.4  # V, by which Venus OS lets solar chargers hold more than the CVL while an inverter exports
_AT = 1e-6  # V


@dataclass(frozen=True, kw_only=True)
class InverterSpec:
    """The machines' own limits, A. ``feed_in``: chargers heed no CCL.

    ``exports`` is what the inverter can feed into the grid to hold the bus at the CVL. ``charger_error`` is the voltage
    by which the chargers hold another one than the CVL.
    """

    charge: float
    discharge: float
    feed_in: bool = False
    exports: float = 0.0
    charger_error: float = 0.0  # V


class Inverter:
    """The one source and load of a bank."""

    def __init__(self, spec: InverterSpec) -> None:
        self.spec = spec
        self.ceiling = 0.0  # V, held by the chargers
        self.cvl = 0.0  # V, as DVCC took it last
        self.draw = 0.0  # A, of the loads
        self.sun = 0.0  # A, there is
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
        self.cvl = 0.0 if gone else cvl
        self.ceiling = 0.0 if gone else cvl + self.spec.charger_error
        granted = self.spec.charge if self.spec.feed_in else ccl + self._smooth
        self._solar_limit = 0.0 if gone else granted
        self._discharge_limit = 0.0 if gone else dcl

    def ignore_limits(self, seconds: float) -> None:
        """The chargers give all they can for so long."""
        self._deaf = seconds
        self._solar_limit = self.spec.charge

    def request(self, dt: float, sun: float, load: float) -> float:
        """The current offered to the packs, from what ``sun`` and ``load`` amount to in A."""
        self._deaf -= dt
        self.sun = sun
        follow = 1 - exp(-dt / LAG)
        offered = min(sun, self._solar_limit, self.spec.charge)
        self._solar = min(self._solar + (offered - self._solar) * follow, sun)
        wanted = min(load, self.spec.discharge, self._solar + self._discharge_limit)
        self.draw = min(self.draw + (wanted - self.draw) * follow, load)
        self._smooth += (self.draw - self._smooth) * (1 - exp(-dt / SMOOTHING))
        return self._solar - self.draw

    @property
    def least(self) -> float:
        """What flows when the chargers give nothing, A: the loads."""
        return -self.draw

    @property
    def export(self) -> Export:
        """What the inverter does with a bus above the CVL."""
        if not self.spec.exports or not self.cvl:
            return NO_EXPORT
        return Export(self.cvl, self.spec.exports, -min(self._discharge_limit, self.spec.discharge))

    def settle(self, voltage: float, current: float) -> None:
        """Take note of what the packs really took: chargers at their voltage give less than they could."""
        if voltage >= self.ceiling - _AT:
            exported = self.spec.exports if self.cvl and voltage >= self.cvl - _AT else 0.0
            self._solar = min(self._solar, max(current + self.draw + exported, 0.0))
