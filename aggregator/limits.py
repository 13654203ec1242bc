"""Current limits: each pack's own, and the largest bank current at which every pack stays within its own.

With share ``s_i`` of the bank's current and own limit ``L_i``, pack i is safe while ``I <= L_i / s_i``; the bank's
limit is the smallest of these over the packs that conduct, less the sensors' error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.battery import Cause
from packbank.aggregator.columns import BATTERY_TEMPERATURES, Column
from packbank.aggregator.presence import HELD, LOST, Sets
from packbank.aggregator.table import CHARGE, DIRECTIONS, DISCHARGE, PackTable
from packbank.aggregator.telemetry import Telemetry, rows

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Rows of the fractions, with the cause that each stands for.
CELL, TEMPERATURE, MOSFET, SOC, PROTECTION = range(5)
CAUSES = (Cause.CELL_VOLTAGE, Cause.TEMPERATURE, Cause.MOS_TEMPERATURE, Cause.SOC, Cause.BMS)

# How far from the BMS's own protections current must be zero, and over which further distance it returns:
# the cell, the hottest and the coldest battery sensor, the MOSFETs.
_PROTECTION_GAP = np.array([0.010, 1.0, 1.0, 2.0])[:, None]
_PROTECTION_SLOPE = 1.0 / np.array([0.040, 4.0, 4.0, 8.0])[:, None]


# Of a pack's ceiling, during a top balance: the charge curve ends below the voltage that is to be reached, so as much
# is allowed beyond it. A balancer moves an ampere or two; more current than it takes only lifts the highest cell.
TOP_BALANCE = 0.05


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """What each pack allows by itself; arrays of shape ``(2, packs)``, ``fractions`` ``(2, 5, packs)``."""

    value: Floats
    ceiling: Floats  # without the fractions; NaN where neither BMS nor user gives one
    fractions: Floats

    def cause(self, direction: int, pack: int, table: PackTable) -> Cause:
        """Why this pack's limit is what it is."""
        fractions = self.fractions[direction, :, pack]
        if np.isnan(self.ceiling[direction, pack]):
            return Cause.CONFIG
        if fractions.min() < 1.0:
            return CAUSES[int(fractions.argmin())]
        return Cause.CONFIG if table.ceiling[direction, pack] == self.ceiling[direction, pack] else Cause.BMS


class OwnLimitCurves:
    """Each pack's own limits from its ceilings, its curves and its BMS's protections."""

    def __init__(self, table: PackTable) -> None:
        self._table = table
        packs = len(table.capacity)
        self._when_missing = np.ones((2, 5, packs))
        self._when_missing[:, CELL] = 0.0  # nobody sees the cells: no current
        self._sensors = np.zeros((len(BATTERY_TEMPERATURES), packs), dtype=np.bool_)  # that have ever told
        self._by_temperature = np.isnan([curves(np.full(packs, np.nan)) for curves in table.temperature_curves])
        self._last = np.full((2, packs), np.inf)

    def step(self, tele: Telemetry, sets: Sets, raised: Floats | None, busbar: float) -> OwnLimits:
        """Limits now; ``raised`` is how far above its usual voltage a top balance takes each pack's cells, V."""
        ceiling = np.fmin(
            self._table.ceiling, tele.block[rows(Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT)]
        )
        fractions = self._fractions(tele, sets, raised, busbar)
        value = np.fmax(ceiling, 0.0) * fractions.min(axis=1)
        if not sets.all_fresh:
            value = np.where(sets.code == HELD, np.minimum(value, self._last), value)
        self._last = value
        return OwnLimits(value, ceiling, fractions)

    def _fractions(self, tele: Telemetry, sets: Sets, raised: Floats | None, busbar: float) -> Floats:
        fractions = np.ones((2, 5, len(tele.age)))
        highest, lowest = _cells_now(tele, sets, busbar)
        table = self._table
        battery = np.stack([tele.coldest, tele.hottest])
        for direction, cell in ((CHARGE, highest), (DISCHARGE, lowest)):
            out = fractions[direction]
            out[CELL] = table.cell_curves[direction](cell)
            out[TEMPERATURE] = table.temperature_curves[direction](battery).min(axis=0)
            out[MOSFET] = table.mosfet_curves[direction](tele[Column.TEMPERATURE_MOS])
            if table.soc_curves[direction]:
                out[SOC] = table.soc_curves[direction](tele[Column.SOC])
        if raised is not None:
            higher = table.cell_curves[CHARGE](highest - raised)
            fractions[CHARGE, CELL] = np.maximum(fractions[CHARGE, CELL], np.minimum(higher, TOP_BALANCE))
        fractions[:, PROTECTION] = _protection(tele, highest, lowest)
        return self._fill_missing(tele, fractions)

    def _fill_missing(self, tele: Telemetry, fractions: Floats) -> Floats:
        """A value that the pack never told limits nothing (it has no such sensor); one that vanished does.

        It limits no less than it did, and the sensors that are left do not stand in for it: it may have been the
        coldest or the hottest.
        """
        told = np.isfinite(tele.sensors)
        self._sensors |= told
        missing = np.isnan(fractions)
        gone = self._sensors > told
        if gone.any():
            missing[:, TEMPERATURE] |= gone.any(axis=0) & self._by_temperature
        measured = slice(TEMPERATURE, SOC + 1)
        most = self._when_missing[:, measured]
        np.copyto(most, np.minimum(fractions[:, measured], self._table.sensor_lost), where=~missing[:, measured])
        return np.where(missing, np.fmin(fractions, self._when_missing), fractions) if missing.any() else fractions


def _cells_now(tele: Telemetry, sets: Sets, busbar: float) -> tuple[Floats, Floats]:
    """Highest and lowest cell of each pack; those of a lost pack follow the busbar, as they do if it conducts."""
    lost = sets.code == LOST
    if not lost.any():
        return tele.highest_cell, tele.lowest_cell
    drift = np.where(lost, (busbar - tele[Column.VOLTAGE]) / tele.cells, 0.0)
    drift = np.where(np.isnan(drift), 0.0, drift)
    return tele.highest_cell + drift, tele.lowest_cell + drift


def _protection(tele: Telemetry, highest: Floats, lowest: Floats) -> Floats:
    """Fraction that keeps each pack short of its BMS's own protections, shape ``(2, packs)``."""
    distance = np.empty((2, 4, len(highest)))
    np.subtract(tele[Column.CELL_OVP], highest, out=distance[CHARGE, 0])
    np.subtract(lowest, tele[Column.CELL_UVP], out=distance[DISCHARGE, 0])
    np.subtract(tele.block[rows(Column.CHARGE_OTP, Column.DISCHARGE_OTP)], tele.hottest, out=distance[:, 1])
    np.subtract(tele.coldest, tele.block[rows(Column.CHARGE_UTP, Column.DISCHARGE_UTP)], out=distance[:, 2])
    np.subtract(tele[Column.MOS_OTP], tele[Column.TEMPERATURE_MOS], out=distance[:, 3])
    fraction = (distance - _PROTECTION_GAP) * _PROTECTION_SLOPE
    clipped: Floats = np.clip(np.fmin.reduce(fraction, axis=1), 0.0, 1.0)
    return np.where(np.isnan(clipped), 1.0, clipped)


def describe(cause: Cause, direction: int, pack: int, tele: Telemetry) -> str:
    """The measured figure behind a pack's own limit, ready to print."""
    if cause is Cause.CELL_VOLTAGE:
        cells = tele.cell_voltages[pack]
        if np.isnan(cells).all():
            return "cell voltages unknown"
        number = int(np.nanargmax(cells) if direction == CHARGE else np.nanargmin(cells))
        return f"cell {number + 1} {cells[number]:.3f} V"
    if cause is Cause.TEMPERATURE:
        low, high = tele.coldest[pack], tele.hottest[pack]
        return "battery sensors silent" if np.isnan(low) else f"battery {low:.1f} to {high:.1f} degC"
    if cause is Cause.MOS_TEMPERATURE:
        return f"MOSFETs {tele[Column.TEMPERATURE_MOS][pack]:.1f} degC"
    if cause is Cause.SOC:
        return f"SoC {tele[Column.SOC][pack]:.0f} %"
    return ""


def unlimited_packs(own: OwnLimits, told: Bools) -> list[tuple[int, str]]:
    """Packs that have told enough, yet neither BMS nor configuration limits their current: (pack, key to set)."""
    missing = np.isnan(own.ceiling) & told
    if not missing.any():
        return []
    found = np.argwhere(missing)
    return [(int(pack), f"MAX_BATTERY_{DIRECTIONS[direction].upper()}_CURRENT") for direction, pack in found]
