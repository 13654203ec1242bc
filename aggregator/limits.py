"""Each pack's own current limits, and what is behind them.

A limit by cell voltage is the current at which the cell's curve allows just that current: its voltage moves with it by
the resistance of the cell (strings.py). Taken at the voltage of now it would swing: current up, voltage up, limit down.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.presence import HELD, Sets
from packbank.aggregator.table import CHARGE, DISCHARGE, PackTable
from packbank.aggregator.telemetry import BMS_CEILINGS, COLDEST, HIGHEST, HOTTEST, LOWEST, MOSFETS, Telemetry, row
from packbank.model.battery import Cause
from packbank.model.columns import BATTERY_TEMPERATURES, Column

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Rows of the fractions, with the cause that each stands for.
CELL, TEMPERATURE, MOSFET, SOC, PROTECTION = range(5)
CAUSES = (Cause.CELL_VOLTAGE, Cause.TEMPERATURE, Cause.MOS_TEMPERATURE, Cause.SOC, Cause.BMS)


class _Protection(NamedTuple):
    """A protection of the BMS: current must be zero ``gap`` before it, and returns over ``span`` further on."""

    column: Column
    watched: int  # row of Telemetry.extremes
    side: float  # 1: an upper bound of it, -1: a lower one
    gap: float
    span: float


# Charge and discharge in turn.
_PROTECTIONS = (
    _Protection(Column.CELL_OVP, HIGHEST, 1.0, 0.010, 0.040),
    _Protection(Column.CELL_UVP, LOWEST, -1.0, 0.010, 0.040),
    _Protection(Column.CHARGE_OTP, HOTTEST, 1.0, 1.0, 4.0),
    _Protection(Column.DISCHARGE_OTP, HOTTEST, 1.0, 1.0, 4.0),
    _Protection(Column.CHARGE_UTP, COLDEST, -1.0, 1.0, 4.0),
    _Protection(Column.DISCHARGE_UTP, COLDEST, -1.0, 1.0, 4.0),
    _Protection(Column.MOS_OTP, MOSFETS, 1.0, 2.0, 8.0),
    _Protection(Column.MOS_OTP, MOSFETS, 1.0, 2.0, 8.0),
)
_PROTECTION_ROWS = np.array([row(protection.column) for protection in _PROTECTIONS])
_WATCHED = np.array([protection.watched for protection in _PROTECTIONS])
CELL_NOISE = 0.002  # V: a BMS reports whole millivolts, some of them noise
SMOOTH = 0.15  # of a change within the noise, a step
_SIGNS = np.array([[1.0], [-1.0]])
_MEASURED = slice(TEMPERATURE, SOC + 1)

# Of a pack's ceiling, during a top balance: the charge curve ends below the voltage that is to be reached, so as much
# is allowed beyond it. A balancer moves an ampere or two; more current than it takes only lifts the highest cell.
TOP_BALANCE = 0.05


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """What each pack allows by itself; arrays of shape ``(2, packs)``, ``fractions`` ``(2, 5, packs)``."""

    value: Floats
    ceiling: Floats  # without the fractions; NaN where neither BMS nor user gives one
    fractions: Floats
    extremes: Floats  # that they were taken at: what lost packs are taken for included

    def cause(self, direction: int, pack: int, table: PackTable) -> Cause:
        """Why this pack's limit is what it is."""
        if isnan(self.ceiling[direction, pack]):
            return Cause.CONFIG
        fractions = self.fractions[direction, :, pack]
        smallest = int(fractions.argmin())
        if fractions[smallest] < 1.0:
            return CAUSES[smallest]
        return Cause.CONFIG if table.ceiling[direction, pack] == self.ceiling[direction, pack] else Cause.BMS


class _LoadLine(NamedTuple):
    """A pack's lowest and highest cell at a current: ``rest`` plus ``slopes`` times the fraction of its ceiling."""

    rest: Floats  # V without current, (2, packs), lowest first
    slopes: Floats  # V, (2, packs), charge first


class OwnLimitCurves:
    """Each pack's own limits from its ceilings, its curves and its BMS's protections."""

    def __init__(self, table: PackTable) -> None:
        self._table = table
        packs = len(table.capacity)
        self._when_missing = np.ones((2, 5, packs))
        self._when_missing[:, CELL] = 0.0  # nobody sees the cells: no current
        self._unlimited = np.ones((2, 5, packs))
        self._gap = np.array([[p.side * p.gap] * packs for p in _PROTECTIONS])  # of full shape: broadcasting is slow
        self._slope = np.array([[p.side / p.span] * packs for p in _PROTECTIONS])
        self._sensors = np.zeros((len(BATTERY_TEMPERATURES), packs), dtype=np.bool_)  # that have ever reported
        self._by_temperature = np.isnan([curves(np.full(packs, np.nan)) for curves in table.temperature_curves])
        self._last = np.full((2, packs), np.inf)
        self._rest = np.full((2, packs), np.nan)

    def step(
        self, tele: Telemetry, sets: Sets, extremes: Floats, cell_ohms: Floats, raised: Floats | None
    ) -> OwnLimits:
        """Limits now.

        ``extremes`` are those of ``tele`` with what lost packs are taken for (lost.py). ``cell_ohms`` is the resistance
        of a cell of each pack (``NaN``: unknown), ``raised`` how far above its usual voltage a top balance takes each
        pack's cells, V.
        """
        ceiling = np.fmin(self._table.ceiling, tele.block[BMS_CEILINGS])
        fractions = self._fractions(tele, extremes, self._load_line(tele, sets, extremes, ceiling, cell_ohms), raised)
        value = np.fmax(ceiling, 0.0) * np.minimum.reduce(fractions, axis=1)
        if not sets.all_fresh:
            value = np.where(sets.code == HELD, np.minimum(value, self._last), value)
        self._last = value
        return OwnLimits(value, ceiling, fractions, extremes)

    def _load_line(
        self, tele: Telemetry, sets: Sets, extremes: Floats, ceiling: Floats, cell_ohms: Floats
    ) -> _LoadLine:
        """Cells without their current, smoothed within their noise, and what a current does to them."""
        unknown = np.isnan(cell_ohms)  # the capacity is: the cell may be as small as the smallest
        if np.count_nonzero(unknown):
            cell_ohms = np.where(unknown, np.fmax(np.fmax.reduce(cell_ohms), 0.0), cell_ohms)
        ohms = np.where(sets.lost, 0.0, cell_ohms)
        cells = extremes[LOWEST : HIGHEST + 1] - ohms * (tele.flow[CHARGE] - tele.flow[DISCHARGE])
        moved = cells - self._rest
        beyond = moved - np.minimum(np.maximum(moved, -CELL_NOISE), CELL_NOISE)
        self._rest = np.where(np.isnan(moved), cells, self._rest + beyond + SMOOTH * (moved - beyond))
        return _LoadLine(self._rest, ohms * np.fmax(ceiling, 0.0) * _SIGNS)

    def _fractions(self, tele: Telemetry, extremes: Floats, line: _LoadLine, raised: Floats | None) -> Floats:
        fractions = self._unlimited.copy()
        table = self._table
        for direction, extreme in ((CHARGE, HIGHEST), (DISCHARGE, LOWEST)):
            out = fractions[direction]
            curves = table.cell_curves[direction]
            out[CELL] = curves(line.rest[extreme] + line.slopes[direction])  # at the whole ceiling
            if np.count_nonzero(out[CELL] == 1.0) < out.shape[1]:
                met = curves.meet(line.rest[extreme], line.slopes[direction])
                out[CELL] = np.where(curves(extremes[extreme]) == 0.0, 0.0, met)
            coldest, hottest = table.temperature_curves[direction](extremes[COLDEST : HOTTEST + 1])
            np.minimum(coldest, hottest, out=out[TEMPERATURE])
            out[MOSFET] = table.mosfet_curves[direction](extremes[MOSFETS])
            if table.soc_curves[direction]:
                out[SOC] = table.soc_curves[direction](tele[Column.SOC])
        if raised is not None:
            higher = table.cell_curves[CHARGE].meet(line.rest[HIGHEST] - raised, line.slopes[CHARGE])
            fractions[CHARGE, CELL] = np.maximum(fractions[CHARGE, CELL], np.minimum(higher, TOP_BALANCE))
        np.maximum(self._protection(tele, extremes), 0.0, out=fractions[:, PROTECTION])
        return self._fill_missing(tele, fractions)

    def _protection(self, tele: Telemetry, extremes: Floats) -> Floats:
        """Fraction, or less than 0, that keeps each pack short of its BMS's own protections, shape ``(2, packs)``."""
        distance = tele.block.take(_PROTECTION_ROWS, axis=0) - extremes.take(_WATCHED, axis=0)
        fractions = (distance - self._gap) * self._slope
        smallest: Floats = np.fmin.reduce(fractions.reshape(-1, 2, len(tele.age)), axis=0, initial=1.0)
        return smallest

    def _fill_missing(self, tele: Telemetry, fractions: Floats) -> Floats:
        """A value that the pack never reported limits nothing (it has no such sensor); one that vanished does.

        It limits no less than it did, and the sensors that are left do not stand in for it: it may have been the
        coldest or the hottest.
        """
        reported = np.isfinite(tele.reported_sensors)
        self._sensors |= reported
        if tele.sensors is not tele.reported_sensors:
            self._sensors &= ~(reported & np.isnan(tele.sensors))  # a slot without a sensor has nothing to lose
        missing = np.isnan(fractions)
        gone = self._sensors > reported
        if np.count_nonzero(gone):
            missing[:, TEMPERATURE] |= gone.any(axis=0) & self._by_temperature
        most, lost = self._when_missing[:, _MEASURED], self._table.sensor_lost
        np.minimum(fractions[:, _MEASURED], lost, out=most, where=~missing[:, _MEASURED])
        if not np.count_nonzero(missing):
            return fractions
        return np.where(missing, np.fmin(fractions, self._when_missing), fractions)


def describe(cause: Cause, direction: int, pack: int, tele: Telemetry) -> str:
    """The measured figure behind a pack's own limit, ready to print."""
    if cause is Cause.CELL_VOLTAGE:
        cells = tele.cell_voltages[pack]
        cell = int(np.fmax(cells, -np.inf).argmax() if direction == CHARGE else np.fmin(cells, np.inf).argmin())
        return "cell voltages unknown" if isnan(cells[cell]) else f"cell {cell + 1} {cells[cell]:.3f} V"
    if cause is Cause.TEMPERATURE:
        low, high = tele.extremes[COLDEST, pack], tele.extremes[HOTTEST, pack]
        return "battery sensors silent" if isnan(low) else f"battery {low:.1f} to {high:.1f} degC"
    if cause is Cause.MOS_TEMPERATURE:
        return f"MOSFETs {tele[Column.TEMPERATURE_MOS][pack]:.1f} degC"
    if cause is Cause.SOC:
        return f"SoC {tele[Column.SOC][pack]:.0f} %"
    return ""
