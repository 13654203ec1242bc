"""What a trial measures against: each pack's own limit under its true conditions, and the best possible current.

Written apart from the aggregator on purpose: it knows the true network, cells and temperatures, and evaluates the
same curves by itself, so that a mistake there shows here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.settings import PackSettings
from packbank.model.columns import Column
from packbank.sim.bank import PhysicalBank
from packbank.sim.busbar import Network

Array = NDArray[np.float64]
Curve = tuple[Sequence[float], Sequence[float]]

# An excess is told as a fraction of the pack's own limit, or of this part of what its BMS allows when the limit is
# lower: near full it falls by an ampere a millivolt, and the zero of a BMS's sensor is an ampere off.
FLOOR = 0.2
TOP_BALANCE = 0.05  # of its ceiling that a pack may carry beyond its charge curve while a top balance goes on
_HALVINGS = 14  # of the search for a current, a part in 16 000


def _curve(points: Sequence[float], fractions: Sequence[float]) -> Curve:
    return (points, fractions) if points[0] <= points[-1] else (points[::-1], fractions[::-1])


@dataclass(frozen=True, slots=True)
class Side:
    """One direction of the current: its sign and curves."""

    sign: float
    ceiling: Array
    trip: Array  # true current at which the BMS's own sensor shows its over-current protection
    cell: Curve
    temperature: Curve
    mosfet: Curve

    def limit(self, extreme_cell: Array, temperature: Array, mosfet: Array) -> Array:
        """Own limit of each pack with that highest (charging) or lowest (discharging) cell, A."""
        fraction = np.interp(extreme_cell, *self.cell)
        fraction = np.minimum(fraction, np.interp(temperature, *self.temperature))
        return self.ceiling * np.minimum(fraction, np.interp(mosfet, *self.mosfet))


class Judge:
    """Knows the truth about a bank whose packs all have the same ``settings``."""

    def __init__(self, bank: PhysicalBank, settings: PackSettings) -> None:
        s, amps, sensor = settings, bank.settings, bank.sensor
        self._bank = bank
        self._usual = s.max_cell_voltage
        self._raised = s.soc_reset_cell_voltage - s.max_cell_voltage
        self.charge = Side(
            1.0,
            _lower(amps[:, Column.CHARGE_CURRENT_LIMIT], s.max_battery_charge_current),
            (amps[:, Column.CHARGE_CURRENT_LIMIT] - sensor.offset) / sensor.gain,
            _curve(s.cell_voltages_while_charging, s.max_charge_current_cv_fraction),
            _curve(s.temperatures_while_charging, s.max_charge_current_t_fraction),
            _curve(s.mosfet_temperatures_while_charging, s.max_charge_current_t_mosfet_fraction),
        )
        self.discharge = Side(
            -1.0,
            _lower(amps[:, Column.DISCHARGE_CURRENT_LIMIT], s.max_battery_discharge_current),
            (amps[:, Column.DISCHARGE_CURRENT_LIMIT] + sensor.offset) / sensor.gain,
            _curve(s.cell_voltages_while_discharging, s.max_discharge_current_cv_fraction),
            _curve(s.temperatures_while_discharging, s.max_discharge_current_t_fraction),
            _curve(s.mosfet_temperatures_while_discharging, s.max_discharge_current_t_mosfet_fraction),
        )

    def overshoot(self, network: Network, cvl: float) -> Array:
        """By which fraction of its own limit each pack's true current is over what it may carry; negative below.

        What a pack may carry is its own limit, or what the other packs press into it with the source at rest, if
        that is more: no limit of the bank can prevent that. A ``cvl`` above the usual one tells a top balance, which
        allows a little beyond the charge curve. Below `FLOOR` the fraction is one of that.
        """
        bank = self._bank
        rest = network.voltage(0.0)
        exchanged = network.currents(rest) if np.isfinite(rest) else np.zeros_like(bank.currents)
        if bank.current >= 0:
            side, cell = self.charge, bank.cell_voltages.max(axis=0)
        else:
            side, cell = self.discharge, bank.cell_voltages.min(axis=0)
        own = side.limit(cell, bank.heat.cells, bank.heat.mos)
        if side is self.charge and cvl > bank.spec.cells * self._usual:
            higher = side.limit(cell - self._raised, bank.heat.cells, bank.heat.mos)
            own = np.maximum(own, np.minimum(higher, TOP_BALANCE * side.ceiling))
        excess = side.sign * bank.currents - np.maximum(own, side.sign * exchanged)
        return excess / np.maximum(own, FLOOR * side.ceiling)

    def best(self, side: Side, dt: float, ceiling: float) -> float:
        """The largest bank current in that direction, A >= 0, over ``dt`` s at which no pack exceeds its own limit.

        Nor does any BMS see over-current with its own sensor. A pack's limit shrinks as its cells answer to the
        current, so each pack's current is searched for; the pack that reaches its own first sets the bus voltage, and
        the bus voltage sets everybody's current.
        """
        bank = self._bank
        network, source, resistance = bank.network(dt)
        charging = side.sign > 0
        conducts = network.charge_on if charging else network.discharge_on
        if not conducts.any():
            return 0.0
        low, high = np.zeros_like(bank.currents), np.minimum(side.ceiling, side.trip)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            cells = source + side.sign * resistance * middle
            extreme = cells.max(axis=0) if charging else cells.min(axis=0)
            fits = side.limit(extreme, bank.heat.cells, bank.heat.mos) >= middle
            low, high = np.where(fits, middle, low), np.where(fits, high, middle)
        reached = (network.source + side.sign * network.resistance * low)[conducts]
        voltage = min(float(reached.min()), ceiling) if charging else float(reached.max())
        return max(float(side.sign * network.currents(voltage).sum()), 0.0)


def _lower(bms: Array, ceiling: float | None) -> Array:
    return bms.copy() if ceiling is None else np.minimum(bms, ceiling)
