"""Each pack's own current limits, and what is behind them.

A limit by cell voltage is the current at which the cell's curve allows just that current: its voltage moves with it by
the resistance of the cell (strings.py). Taken at the voltage of now it would swing: current up, voltage up, limit down.
"""

from __future__ import annotations

from math import isnan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.presence import HELD, Sets
from packbank.aggregator.table import CHARGE, DISCHARGE, PackTable
from packbank.aggregator.telemetry import (
    BMS_CEILINGS,
    COLDEST,
    HIGHEST,
    HOTTEST,
    LOWEST,
    MOSFETS,
    USED,
    Telemetry,
    row,
)
from packbank.cext.limits import PackLimits
from packbank.model.battery import Cause
from packbank.model.columns import Column
from packbank.model.record import record

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

# What a limit may rest on, with the cause that it stands for; CEILING: it is the whole ceiling, or there is none.
CELL, TEMPERATURE, MOSFET, SOC, PROTECTION, CEILING = range(6)
CAUSES = (Cause.CELL_VOLTAGE, Cause.TEMPERATURE, Cause.MOS_TEMPERATURE, Cause.SOC, Cause.BMS)


class _Protection(NamedTuple):
    """A protection of the BMS: current must be zero ``gap`` before it, and returns over ``span`` further on."""

    direction: int
    column: Column
    watched: int  # row of Telemetry.extremes
    side: float  # 1: an upper bound of it, -1: a lower one
    gap: float
    span: float
    text: str  # what is watched, its value, and where its BMS ends it


_PROTECTIONS = (
    _Protection(CHARGE, Column.CELL_OVP, HIGHEST, 1.0, 0.010, 0.040, "cell {:.3f} V, over-voltage at {:.3f} V"),
    _Protection(CHARGE, Column.CHARGE_OTP, HOTTEST, 1.0, 1.0, 4.0, "battery {:.1f} degC, no charge from {:.0f} degC"),
    _Protection(CHARGE, Column.CHARGE_UTP, COLDEST, -1.0, 1.0, 4.0, "battery {:.1f} degC, no charge below {:.0f} degC"),
    _Protection(CHARGE, Column.MOS_OTP, MOSFETS, 1.0, 2.0, 8.0, "MOSFETs {:.1f} degC, they open at {:.0f} degC"),
    _Protection(DISCHARGE, Column.CELL_UVP, LOWEST, -1.0, 0.010, 0.040, "cell {:.3f} V, under-voltage at {:.3f} V"),
    _Protection(
        DISCHARGE, Column.DISCHARGE_OTP, HOTTEST, 1.0, 1.0, 4.0, "battery {:.1f} degC, no discharge from {:.0f} degC"
    ),
    _Protection(
        DISCHARGE, Column.DISCHARGE_UTP, COLDEST, -1.0, 1.0, 4.0, "battery {:.1f} degC, no discharge below {:.0f} degC"
    ),
    _Protection(DISCHARGE, Column.MOS_OTP, MOSFETS, 1.0, 2.0, 8.0, "MOSFETs {:.1f} degC, they open at {:.0f} degC"),
)
CELL_NOISE = 0.002  # V: a BMS reports whole millivolts, some of them noise
SMOOTH = 0.15  # of a change within the noise, a step

# Of a pack's ceiling, during a top balance: the charge curve ends below the voltage that is to be reached, so as much
# is allowed beyond it. A balancer moves an ampere or two; more current than it takes only lifts the highest cell.
TOP_BALANCE = 0.05


@record
class OwnLimits:
    """What each pack allows by itself; arrays of shape ``(2, packs)``."""

    value: Floats
    ceiling: Floats  # without the fractions; NaN where neither BMS nor user gives one
    smallest: Codes  # the fraction that the value rests on: CELL to CEILING
    extremes: Floats  # that they were taken at: what lost packs are taken for included

    def cause(self, direction: int, pack: int, table: PackTable) -> Cause:
        """Why this pack's limit is what it is."""
        smallest = int(self.smallest[direction, pack])
        if smallest < CEILING:
            return CAUSES[smallest]
        ceiling = self.ceiling[direction, pack]
        return Cause.CONFIG if isnan(ceiling) or table.ceiling[direction, pack] == ceiling else Cause.BMS


class OwnLimitCurves:
    """Each pack's own limits from its ceilings, its curves and its BMS's protections.

    * **Cells** count without their current, smoothed within their noise, and with what the limit itself would do to
      them. Where nobody sees them there is no current.
    * **A value that the pack never reported** limits nothing: it has no such sensor. One that vanished limits no less
      than it did, and the sensors that are left do not stand in for it: it may have been the coldest or the hottest.
    * **The resistance of a cell** is not known where the capacity is not: the cell may be as small as the smallest.

    ``cext/limits.pyx`` is the arithmetic; the same with numpy is in its test.
    """

    def __init__(self, table: PackTable) -> None:
        self._table = table
        self._compiled = PackLimits(
            (table.cell_curves, table.temperature_curves, table.mosfet_curves, table.soc_curves),
            [(p.direction, row(p.column), p.watched, p.side * p.gap, p.side / p.span) for p in _PROTECTIONS],
            table.sensor_lost,
            rows=len(USED),
            soc_row=row(Column.SOC),
            noise=CELL_NOISE,
            smooth=SMOOTH,
            top_balance=TOP_BALANCE,
        )

    def step(
        self, tele: Telemetry, sets: Sets, extremes: Floats, cell_ohms: Floats, raised: Floats | None
    ) -> OwnLimits:
        """Limits now.

        ``extremes`` are those of ``tele`` with what lost packs are taken for (lost.py). ``cell_ohms`` is the resistance
        of a cell of each pack (``NaN``: unknown), ``raised`` how far above its usual voltage a top balance takes each
        pack's cells, V.
        """
        ceiling = np.fmin(self._table.ceiling, tele.block[BMS_CEILINGS])
        value, smallest = np.empty_like(ceiling), np.empty(ceiling.shape, dtype=np.int8)
        self._compiled.step(
            tele.block,
            ceiling,
            extremes,
            tele.flow,
            cell_ohms,
            sets.lost,
            tele.sensors,
            tele.reported_sensors,
            raised,
            None if sets.all_fresh else sets.code == HELD,
            value,
            smallest,
        )
        return OwnLimits(value, ceiling, smallest, extremes)


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
    return _protection(direction, pack, tele) if cause is Cause.BMS else ""


def _protection(direction: int, pack: int, tele: Telemetry) -> str:
    """The protection of its BMS that ``pack`` is near, with the figure behind it; nothing where it is near none."""
    nearest, text = 1.0, ""
    for protection in _PROTECTIONS:
        if protection.direction != direction:
            continue
        value, ends = float(tele.extremes[protection.watched, pack]), float(tele[protection.column][pack])
        left = (protection.side * (ends - value) - protection.gap) / protection.span
        if left < nearest:
            nearest, text = left, protection.text.format(value, ends)
    return text
