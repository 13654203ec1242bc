"""What a trial measures against: each pack's own limit under its true conditions, and the best possible current.

Written apart from the aggregator on purpose: it knows the true network, cells and temperatures, and evaluates the
same curves by itself, so that a mistake there shows here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.settings import PackSettings
from packbank.model.columns import Column
from packbank.sim.bank import PhysicalBank
from packbank.sim.busbar import Network

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Curve = tuple[Sequence[float], Sequence[float]]

# An excess is given as a fraction of the pack's own limit, or of this part of what its BMS allows when the limit is
# lower: near full it falls by an ampere a millivolt, and the zero of a BMS's sensor is an ampere off.
FLOOR = 0.1
TOP_BALANCE = 0.05  # of its ceiling that a pack may carry beyond its charge curve while a top balance goes on
_HALVINGS = 12  # of the search for a pack's current, a part in 4000
_CELL_ROOM = (0.010, 0.040)  # V from a protection of the BMS: no current, and by how much more all of it (limits.md)
_TEMPERATURE_ROOM = (1.0, 4.0)  # K
_MOSFET_ROOM = (2.0, 8.0)  # K


def _curve(points: Sequence[float], fractions: Sequence[float]) -> Curve:
    return (points, fractions) if points[0] <= points[-1] else (points[::-1], fractions[::-1])


def _near(distance: Array, room: tuple[float, float]) -> Array:
    """What is left at that distance from a protection: 0 to 1."""
    left: Array = np.minimum(np.maximum((distance - room[0]) / room[1], 0.0), 1.0)
    return left


@dataclass(frozen=True, slots=True)
class Side:
    """One direction of the current: its sign, curves, and the BMS's own thresholds."""

    sign: float
    ceiling: Array
    cell: Curve
    temperature: Curve
    mosfet: Curve
    cell_trip: Array
    coldest: Array
    hottest: Array
    mosfet_trip: Array

    def by_heat(self, temperature: Array, mosfet: Array) -> Array:
        """Own limit of each pack by its temperatures alone, A."""
        fraction = np.minimum(np.interp(temperature, *self.temperature), np.interp(mosfet, *self.mosfet))
        fraction = np.minimum(fraction, _near(temperature - self.coldest, _TEMPERATURE_ROOM))
        fraction = np.minimum(fraction, _near(self.hottest - temperature, _TEMPERATURE_ROOM))
        limit: Array = self.ceiling * np.minimum(fraction, _near(self.mosfet_trip - mosfet, _MOSFET_ROOM))
        return limit

    def by_cell(self, extreme: Array) -> Array:
        """Own limit of each pack by its highest (charging) or lowest (discharging) cell alone, A."""
        fraction = np.interp(extreme, *self.cell)
        room = _near(self.sign * (self.cell_trip - extreme), _CELL_ROOM)
        limit: Array = self.ceiling * np.minimum(fraction, room)
        return limit

    def extreme(self, cells: Array) -> Array:
        """The cell of each pack that limits it."""
        highest: Array = cells.max(axis=0) if self.sign > 0 else cells.min(axis=0)
        return highest


class Judge:
    """Knows the truth about a bank whose packs all have the same ``settings``."""

    def __init__(self, bank: PhysicalBank, settings: PackSettings) -> None:
        s, bms = settings, bank.settings
        self._bank = bank
        self._heat_of = -1  # second
        self._heat: dict[float, Array] = {}
        self._usual = s.max_cell_voltage
        self._raised = s.soc_reset_cell_voltage - s.max_cell_voltage
        self.charge = Side(
            1.0,
            _lower(bms[:, Column.CHARGE_CURRENT_LIMIT], s.max_battery_charge_current),
            _curve(s.cell_voltages_while_charging, s.max_charge_current_cv_fraction),
            _curve(s.temperatures_while_charging, s.max_charge_current_t_fraction),
            _curve(s.mosfet_temperatures_while_charging, s.max_charge_current_t_mosfet_fraction),
            *(bms[:, c] for c in (Column.CELL_OVP, Column.CHARGE_UTP, Column.CHARGE_OTP, Column.MOS_OTP)),
        )
        self.discharge = Side(
            -1.0,
            _lower(bms[:, Column.DISCHARGE_CURRENT_LIMIT], s.max_battery_discharge_current),
            _curve(s.cell_voltages_while_discharging, s.max_discharge_current_cv_fraction),
            _curve(s.temperatures_while_discharging, s.max_discharge_current_t_fraction),
            _curve(s.mosfet_temperatures_while_discharging, s.max_discharge_current_t_mosfet_fraction),
            *(bms[:, c] for c in (Column.CELL_UVP, Column.DISCHARGE_UTP, Column.DISCHARGE_OTP, Column.MOS_OTP)),
        )

    def side(self, sign: float) -> Side:
        """Charge for a ``sign`` of 0 or more."""
        return self.charge if sign >= 0 else self.discharge

    def excess(self, network: Network, cvl: float) -> Array:
        """By which fraction of its own limit each pack's true current is over what it may carry; negative below.

        What a pack may carry is its own limit, or what the other packs press into it with the source at rest, if
        that is more: no limit of the bank can prevent that. A ``cvl`` above the usual one means a top balance, which
        allows a little beyond the charge curve. Below `FLOOR` the fraction is one of that.
        """
        bank = self._bank
        charges = bank.currents >= 0
        own = np.where(charges, self._own(self.charge), self._own(self.discharge))
        floor = FLOOR * np.where(charges, self.charge.ceiling, self.discharge.ceiling)
        flowing = np.abs(bank.currents)
        if cvl > bank.spec.cells * self._usual + 1e-6:
            own = np.maximum(own, np.where(charges, self._raised_limit(), 0.0))
        if (flowing > own).any():
            rest = network.voltage(0.0)
            exchanged = network.currents(rest) if np.isfinite(rest) else np.zeros_like(flowing)
            own = np.maximum(own, np.where(charges, exchanged, -exchanged))
        excess: Array = (flowing - own) / np.maximum(own, floor)
        return excess

    def _own(self, side: Side) -> Array:
        bank = self._bank
        limit: Array = np.minimum(self._by_heat(side), side.by_cell(side.extreme(bank.cell_voltages)))
        return limit

    def _by_heat(self, side: Side) -> Array:
        """What the temperatures allow; they are looked at once a second."""
        second = int(self._bank.time)
        if self._heat_of != second:
            heat = self._bank.heat
            self._heat_of = second
            self._heat = {s.sign: s.by_heat(heat.cells, heat.mos) for s in (self.charge, self.discharge)}
        return self._heat[side.sign]

    def _raised_limit(self) -> Array:
        side = self.charge
        higher = side.by_cell(side.extreme(self._bank.cell_voltages) - self._raised)
        return np.minimum(higher, TOP_BALANCE * side.ceiling)

    def best(
        self, side: Side, dt: float, cvl: float, closing: Mask | None = None, opening: Mask | None = None
    ) -> tuple[float, float]:
        """The largest bank current in that direction, A >= 0, over ``dt`` s at which no pack exceeds its own limit.

        Nor does any BMS see over-current with its own sensor. A pack's limit shrinks as its cells answer to the
        current, so each pack's current is searched for; the pack that reaches its own first sets the bus voltage, and
        the bus voltage sets everybody's current. Returns current and bus voltage. The MOSFETs of packs that are
        ``closing`` are taken as closed, of those that are ``opening`` as open.
        """
        network, source, resistance = self._bank.network(dt)
        if closing is not None:
            network = replace(
                network, charge_on=network.charge_on | closing, discharge_on=network.discharge_on | closing
            )
        if opening is not None:
            network = replace(
                network, charge_on=network.charge_on & ~opening, discharge_on=network.discharge_on & ~opening
            )
        conducts = network.charge_on if side.sign > 0 else network.discharge_on
        if not conducts.any():
            return 0.0, self._bank.voltage
        most = side.sign * self._most(side, source, resistance)
        both = network.charge_on & network.discharge_on
        active = both | conducts
        for _ in range(4):
            slope, offset = network.response(active)
            reached = np.full_like(most, np.inf)
            reached[active] = side.sign * (most[active] + offset) / slope
            reached[~conducts] = np.inf
            first = int(reached.argmin())
            voltage = min(side.sign * float(reached[first]), cvl)
            currents = network.currents(voltage)
            flows = both | (currents != 0)
            flows[first] = True
            if np.array_equal(flows, active):
                break
            active = flows
        return max(float(side.sign * currents.sum()), 0.0), voltage

    def _most(self, side: Side, source: Array, resistance: Array) -> Array:
        """The largest current of each pack, A >= 0, that its own limit and its BMS allow once it flows."""
        bank = self._bank
        thresholds = (bank.settings[:, c] for c in (Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT))
        trip = bank.sensor.trips_at(side.sign, *thresholds)
        low, high = np.zeros_like(trip), np.minimum(self._by_heat(side), trip)
        if (side.by_cell(side.extreme(source + side.sign * resistance * high)) >= high).all():
            return high
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            fits = side.by_cell(side.extreme(source + side.sign * resistance * middle)) >= middle
            low, high = np.where(fits, middle, low), np.where(fits, high, middle)
        return low


def _lower(bms: Array, ceiling: float | None) -> Array:
    return bms.copy() if ceiling is None else np.minimum(bms, ceiling)
