"""Whether decoded values can be true: the net behind a checksum of 8 bits, which one corrupt frame in 256 passes.

Judged is what holds in every sound frame known, with room for firmware that samples one quantity a moment after
another. Not judged are power, the numbers of the extreme cells and the copy of the MOSFET temperature: in genuine
frames they lag a sample behind, nothing depends on them, and a refused answer costs more than a lagging figure.
"""

from __future__ import annotations

from functools import cache
from math import isfinite

import numpy as np

from packbank.bms.protocol import Row
from packbank.cext.figures import Ranges, spread
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, Alarm, Column

# What no pack of up to 32 cells at 1000 A has, far outside what any has been seen to have.
RANGES: tuple[tuple[Column, float, float], ...] = (
    (Column.VOLTAGE, 0.0, 200.0),
    (Column.CURRENT, -2000.0, 2000.0),
    (Column.TEMPERATURE_MOS, -60.0, 200.0),
    (Column.TEMPERATURE_1, -60.0, 150.0),
    (Column.TEMPERATURE_2, -60.0, 150.0),
    (Column.TEMPERATURE_4, -60.0, 150.0),
    (Column.TEMPERATURE_5, -60.0, 150.0),
    (Column.SOC, 0.0, 100.0),
    (Column.SOH, 0.0, 200.0),
    (Column.REMAINING_CAPACITY, -10_000.0, 10_000.0),
    (Column.FULL_CAPACITY, 0.0, 10_000.0),
    (Column.CHARGE_MOSFET, 0.0, 1.0),
    (Column.DISCHARGE_MOSFET, 0.0, 1.0),
    (Column.BALANCING, 0.0, 2.0),
    (Column.HEATING, 0.0, 1.0),
    (Column.CELL_COUNT, 1.0, 48.0),
    (Column.CELL_UVP, 0.0, 5.0),
    (Column.CELL_OVP, 0.0, 5.0),
    (Column.CELL_CHARGE_REQUEST, 0.0, 5.0),
    (Column.CELL_FLOAT_REQUEST, 0.0, 5.0),
    (Column.CHARGE_CURRENT_LIMIT, 0.0, 5000.0),
    (Column.DISCHARGE_CURRENT_LIMIT, 0.0, 5000.0),
    (Column.NOMINAL_CAPACITY, 0.0, 10_000.0),
)
CELL_HIGHEST = 5.0  # V
# Sum of the cells against the pack: within 60 mV in 76 frames at rest and under load; the rest is for a load that steps
# between the two measurements.
VOLTAGE_TOLERANCE = 0.1  # V
VOLTAGE_TOLERANCE_SHARE = 0.01
DELTA_TOLERANCE = 0.1  # V, likewise
AVERAGE_TOLERANCE = 0.1  # V, within 12 mV in the same frames
_BESIDE_CELLS = (Column.VOLTAGE, Column.CELL_COUNT, Column.CELL_DELTA, Column.CELL_AVERAGE)
SIGN_CERTAIN = 2.0  # A; with less, current and state may have been taken on both sides of zero
# What no pack changes by from one status to the next, far beyond what any does. Cells are held against each other: when
# the load steps they move together, by 60 mV apart at most where one has 0.3 mOhm more than others, at 200 A.
STEPS = {
    Column.SOC: 5.0,
    Column.SOH: 5.0,
    Column.FULL_CAPACITY: 5.0,
    Column.CYCLES: 5.0,
    Column.TEMPERATURE_MOS: 20.0,
    Column.TEMPERATURE_1: 10.0,
    Column.TEMPERATURE_2: 10.0,
    Column.TEMPERATURE_4: 10.0,
    Column.TEMPERATURE_5: 10.0,
}
CELL_STEP = 0.1  # V
STEP_WITHIN = 15.0  # s between two statuses that are held against each other
BOOT_SLACK = 10.0  # s that a pack's count of the time since its boot may be ahead of ours


def check(row: Row, previous: Row) -> None:
    """Raise FrameError when ``row`` cannot be true, alone or after ``previous``, the last accepted one."""
    _check_ranges(row)
    _check_cells(row)
    _check_sign(row)
    _check_ticks(row, previous)


def check_steps(row: Row, previous: Row) -> None:
    """Raise FrameError ``jump`` where a status is too far from the last accepted one to be its successor.

    For families whose checksum sees too little. Such an answer is a doubt: the next one confirms it or does not.
    """
    if not 0.0 < row.item(Column.STATUS_TIME) - previous.item(Column.STATUS_TIME) < STEP_WITHIN:
        return
    for column, most in STEPS.items():
        now, before = row.item(column), previous.item(column)
        if abs(now - before) > most:
            raise FrameError("jump", f"{column.key} {now:g} {column.unit}, and {before:g} {column.unit} a moment ago")
    moved = row[CELL_VOLTAGES] - previous[CELL_VOLTAGES]
    known = moved[np.isfinite(moved)]
    if known.size and (apart := np.abs(known - np.median(known)).max()) > CELL_STEP:
        raise FrameError("jump", f"a cell has moved by {apart:.3f} V more than the others")


@cache
def _ranges() -> Ranges:
    return Ranges(RANGES)


def _check_ranges(row: Row) -> None:
    place = _ranges().first_outside(row)
    if place >= 0:
        column = RANGES[place][0]
        raise FrameError(column.key, f"{row[column]:g} {column.unit} cannot be")


def _check_cells(row: Row) -> None:
    cells = spread(row, CELL_VOLTAGES.start, CELL_VOLTAGES.stop)
    voltage, expected, delta, average = map(row.item, _BESIDE_CELLS)
    if isfinite(voltage) and isfinite(expected) and cells.known != expected and not _admits_wrong_cells(row):
        raise FrameError("cells", f"{cells.known} cells in the status, {expected:g} in the settings")
    if not cells.known:
        return
    if cells.highest > CELL_HIGHEST:
        raise FrameError("cell", f"a cell of {cells.highest:.3f} V")
    if abs(cells.total - voltage) > VOLTAGE_TOLERANCE + VOLTAGE_TOLERANCE_SHARE * voltage:
        raise FrameError("voltage", f"{voltage:.3f} V, but the cells add up to {cells.total:.3f} V")
    between, mean = cells.highest - cells.lowest, cells.total / cells.known
    if abs(between - delta) > DELTA_TOLERANCE:
        raise FrameError("delta", f"{delta:.3f} V, but the cells differ by {between:.3f} V")
    if abs(mean - average) > AVERAGE_TOLERANCE:
        raise FrameError("average", f"{average:.3f} V, but the cells have {mean:.3f} V")


def _admits_wrong_cells(row: Row) -> bool:
    """The BMS itself says that its cells are not those of the settings (sense leads off): true, and an alarm."""
    return row.item(Alarm.INTERNAL_FAILURE.column) > 0


def _check_sign(row: Row) -> None:
    """The current and what the BMS says of it must agree; where they do not, its sense is turned round."""
    current, flow = row.item(Column.CURRENT), row.item(Column.FLOW)
    if current * flow < -SIGN_CERTAIN:
        raise FrameError(
            "sign",
            f"a current of {current:+.1f} A (+ charges) while the BMS says that it "
            f"{'charges' if flow > 0 else 'discharges'}; set INVERT_CURRENT_MEASUREMENT = True for this pack, or "
            "remove it where it is set",
        )


def _check_ticks(row: Row, previous: Row) -> None:
    """A new status must be as much younger as its clock says, or from after a boot that lies between the two."""
    elapsed = row.item(Column.STATUS_TIME) - previous.item(Column.STATUS_TIME)
    if not elapsed > 0:
        return
    ticks, before = row.item(Column.TICKS), previous.item(Column.TICKS)
    passed = ticks - before if ticks >= before else ticks
    if passed > elapsed + BOOT_SLACK:
        raise FrameError("ticks", f"{ticks:.1f} s since boot, after {before:.1f} s {elapsed:.1f} s ago")
