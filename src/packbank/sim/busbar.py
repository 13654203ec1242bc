"""All packs on one busbar: the currents follow from the network, solved exactly.

A pack is a voltage behind a resistance and two MOSFETs back to back. A MOSFET that is off still conducts the
other way through its body diode, so a pack may charge only, discharge only, both, or neither. The busbar has a
resistance of its own: chargers and inverter sit at one end of it, and packs share the links between them and that end.

So the currents solve ``(diag(R) + shared) i = v - e`` for the packs that conduct, ``i`` keeping the sign that a diode
allows: a linear complementarity problem, which is solved by exchanging packs between conducting and blocked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

DIODE = 0.7  # V across a body diode
_TOLERANCE = 1e-9  # A or V, of a sign
_ALL_AT_ONCE = 8  # exchanges of every pack with a wrong sign; then one at a time, which always ends (Murty 1974)


def ladder(packs: int, link: float) -> Array | None:
    """What a daisy-chained busbar shares: ``link`` ohm from the source to the first pack and from pack to pack."""
    place = np.arange(1, packs + 1)
    return link * np.minimum.outer(place, place).astype(float) if link else None


class Export(NamedTuple):
    """An inverter that takes up to ``current`` A to bring the bus down to ``voltage`` V.

    It leaves the packs at ``floor`` A (negative: discharge) or more.
    """

    voltage: float = np.inf
    current: float = 0.0
    floor: float = 0.0


NO_EXPORT = Export()


@dataclass(frozen=True, slots=True)
class Network:
    """The packs over one step: ``source`` V behind ``resistance`` ohm, and which MOSFETs are on.

    ``shared[i, j]`` is the resistance in ohm that the ways of packs i and j to the source have in common.
    """

    source: Array
    resistance: Array
    charge_on: Mask
    discharge_on: Mask
    shared: Array | None = None

    def currents(self, voltage: float) -> Array:
        """Current of each pack at a voltage of the source's end of the bus."""
        return self._settle(voltage, None)[1]

    def voltage(self, current: float) -> float:
        """The bus voltage at which the packs together take ``current``; infinite when they cannot."""
        return self._settle(None, current)[0]

    def response(self, active: Mask) -> tuple[Array, Array]:
        """``(a, b)`` such that the ``active`` packs carry ``a * voltage - b`` while the others carry nothing."""
        source = (self.source + DIODE * (self.charge_on & ~self.discharge_on)
                  - DIODE * (self.discharge_on & ~self.charge_on))[active]  # fmt: skip
        if self.shared is None:
            return 1 / self.resistance[active], source / self.resistance[active]
        matrix = self.shared[np.ix_(active, active)] + np.diag(self.resistance[active])
        solved = np.linalg.solve(matrix, np.column_stack((np.ones_like(source), source)))
        return solved[:, 0], solved[:, 1]

    def _settle(self, voltage: float | None, current: float | None) -> tuple[float, Array]:
        """Voltage and currents, one of them given as the voltage or as the sum of the currents."""
        both = self.charge_on & self.discharge_on
        active = self.charge_on | self.discharge_on
        sign = np.where(both, 0.0, np.where(self.charge_on, 1.0, -1.0))
        drop = DIODE * sign
        if current is not None and (
            (current > 0 and not self.charge_on.any()) or (current < 0 and not self.discharge_on.any())
        ):
            return float(np.copysign(np.inf, current)), np.zeros_like(self.source)
        one_way = active & ~both
        for turn in range(_ALL_AT_ONCE + 4 * self.source.size * self.source.size):
            bus, flows = self._solve(active, voltage, current, one_way)
            if not one_way.any():
                break
            at_pack = bus - (self.shared @ flows if self.shared is not None else 0.0)
            wrong = one_way & np.where(
                active, sign * flows < -_TOLERANCE, sign * (at_pack - self.source - drop) > _TOLERANCE
            )
            if not wrong.any():
                break
            first = np.zeros_like(wrong)
            first[int(np.argmax(wrong))] = True
            active = active ^ (wrong if turn < _ALL_AT_ONCE else first)
        return bus, flows

    def _solve(self, active: Mask, voltage: float | None, current: float | None, one_way: Mask) -> tuple[float, Array]:
        flows = np.zeros_like(self.source)
        if not active.any():
            return self._idle(voltage, current, one_way), flows
        slope, offset = self.response(active)
        bus = float((current + offset.sum()) / slope.sum()) if voltage is None and current is not None else voltage
        assert bus is not None
        flows[active] = slope * bus - offset
        return bus, flows

    def _idle(self, voltage: float | None, current: float | None, one_way: Mask) -> float:
        """The bus voltage while nobody conducts: the given one, or just where the nearest diode would open."""
        if voltage is not None:
            return voltage
        if current:
            return float(np.copysign(np.inf, current))
        return float(self.source[one_way].mean()) if one_way.any() else np.nan

    def carry(
        self, current: float, ceiling: float, least: float = 0.0, export: Export = NO_EXPORT
    ) -> tuple[float, Array]:
        """Bus voltage and pack currents when a source offers ``current`` but never lifts the bus over ``ceiling``.

        A negative current is a load and does not lift the bus. What the packs cannot take or give does not flow.
        ``least`` is the current that is left when the source gives nothing: 0, or negative with loads beside it.
        """
        free, currents = self._settle(None, current)
        voltage = self._brought_down(free, current, export)
        if voltage > ceiling:
            alone = min(current, least)
            voltage = max(ceiling, self._brought_down(self.voltage(alone), alone, export))
        if voltage < free:
            voltage, currents = self._settle(voltage, None)
        if not np.isfinite(voltage):
            voltage, currents = self._settle(None, 0.0)
        if not np.isfinite(voltage):
            return float(self.source.mean()), np.zeros_like(self.source)
        return voltage, currents

    def _brought_down(self, voltage: float, current: float, export: Export) -> float:
        """The bus voltage of ``current`` once the inverter has exported what it can."""
        if not voltage > export.voltage:
            return voltage
        most = min(current, max(current - export.current, export.floor))
        return max(export.voltage, self.voltage(most))
