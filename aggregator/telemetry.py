"""What the packs say, taken from the matrix once a step into contiguous arrays of one element a pack."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packbank.aggregator.table import PackTable
from packbank.cext.columns import Columns, count_known, first_positive, flows
from packbank.cext.columns import extremes as find_extremes
from packbank.model.columns import ALARMS, BATTERY_TEMPERATURES, CELL_VOLTAGES, COLUMNS, Alarm, Column
from packbank.model.record import record

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

USED = (  # what the aggregator takes of a row
    Column.STATUS_TIME,
    Column.VOLTAGE,
    Column.CURRENT,
    Column.POWER,
    *BATTERY_TEMPERATURES,
    Column.SOC,
    Column.SOH,
    Column.REMAINING_CAPACITY,
    Column.NOMINAL_CAPACITY,
    Column.CYCLES,
    Column.CYCLE_CAPACITY,
    Column.CHARGE_MOSFET,
    Column.DISCHARGE_MOSFET,
    Column.CHARGE_ENABLED,
    Column.DISCHARGE_ENABLED,
    Column.TEMPERATURE_MOS,
    Column.BALANCING,
    Column.HEATING,
    Column.BALANCE_ENABLED,
    Column.CELL_COUNT,
    Column.FULL_CAPACITY,
    Column.CHARGE_CURRENT_LIMIT,
    Column.DISCHARGE_CURRENT_LIMIT,
    Column.CELL_OVP,
    Column.CELL_UVP,
    Column.CHARGE_OTP,
    Column.DISCHARGE_OTP,
    Column.CHARGE_UTP,
    Column.DISCHARGE_UTP,
    Column.MOS_OTP,
    Column.CELL_OVP_RECOVERY,
    Column.CELL_UVP_RECOVERY,
    Column.CHARGE_OCP_DELAY,
    Column.CHARGE_OCP_RELEASE,
    Column.DISCHARGE_OCP_DELAY,
    Column.DISCHARGE_OCP_RELEASE,
    Column.CHARGE_OTP_RECOVERY,
    Column.DISCHARGE_OTP_RECOVERY,
    Column.CHARGE_UTP_RECOVERY,
    Column.DISCHARGE_UTP_RECOVERY,
    Column.MOS_OTP_RECOVERY,
)
_COLUMNS = Columns(USED, COLUMNS)
_ROW = {column: number for number, column in enumerate(USED)}

LOWEST, HIGHEST, COLDEST, HOTTEST, MOSFETS = range(5)  # rows of Telemetry.extremes


def row(column: Column) -> int:
    """The row of ``column`` in :attr:`Telemetry.block`."""
    return _ROW[column]


def rows(first: Column, last: Column) -> slice:
    """The rows of :attr:`Telemetry.block` from ``first`` to ``last``, which stand beside each other there."""
    return slice(_ROW[first], _ROW[last] + 1)


WORN, WORN_OUT = 70.0, 50.0  # % of health: the usual end of life, and well below it

BMS_CEILINGS = rows(Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT)  # A, at which BMSes trip, too
OCP_DELAYS = (Column.CHARGE_OCP_DELAY, Column.DISCHARGE_OCP_DELAY)
_SENSORS = rows(Column.TEMPERATURE_1, Column.TEMPERATURE_5)


@record
class Telemetry:
    """One step's view of the matrix; ``tele[Column.X]`` is that column, every array has one element a pack."""

    matrix: Floats  # (packs, COLUMNS), C-contiguous, as it was read
    block: Floats  # (used columns, packs)
    alarms: Floats  # (packs, alarms), of the matrix, and what its state of health raises
    age: Floats
    extremes: Floats  # (5, packs): each pack's lowest and highest cell, coldest and hottest sensor, and its MOSFETs
    cells: Floats  # in series
    sensors: Floats  # (4, packs): battery temperatures, NaN where not fitted or not chosen
    reported_sensors: Floats  # (4, packs): the same with the slots that were found to have no sensor
    flow: Floats  # (2, packs): current in each direction, never NaN
    capacity: Floats
    known_capacity: Floats  # the same, 0 where unknown, for sums

    def __getitem__(self, column: Column) -> Floats:
        values: Floats = self.block[_ROW[column]]
        return values

    @property
    def cell_voltages(self) -> Floats:
        """V, of shape ``(packs, CELLS)``: a view of the matrix."""
        cells: Floats = self.matrix[:, CELL_VOLTAGES]
        return cells

    @property
    def lowest_cell(self) -> Floats:
        """Of each pack, V."""
        lowest: Floats = self.extremes[LOWEST]
        return lowest

    @property
    def highest_cell(self) -> Floats:
        """Of each pack, V."""
        highest: Floats = self.extremes[HIGHEST]
        return highest


def read(matrix: Floats, now: float, table: PackTable, absent: Bools | None = None) -> Telemetry:
    """Take what the aggregator needs from ``matrix`` of shape ``(packs, COLUMNS)``.

    ``absent`` of shape ``(4, packs)`` are the slots that have no battery sensor whatever they say.
    """
    packs = len(matrix)
    matrix = np.ascontiguousarray(matrix)
    block = np.empty((len(USED), packs))
    _COLUMNS.take(matrix, block)
    sensors = block[_SENSORS]
    if table.any_sensor_off:
        sensors = np.where(table.sensor_off, np.nan, sensors)
    reported = sensors
    if absent is not None and np.count_nonzero(absent):
        sensors = np.where(absent, np.nan, sensors)
    flow = np.empty((2, packs))
    flows(block[_ROW[Column.CURRENT]], flow)
    count, capacity = np.empty((2, packs))  # a BMS that has not been set up yet says 0 of both
    count_known(matrix, COLUMNS, CELL_VOLTAGES.start, CELL_VOLTAGES.stop, block[_ROW[Column.CELL_COUNT]], count)
    full, nominal = block[_ROW[Column.FULL_CAPACITY]], block[_ROW[Column.NOMINAL_CAPACITY]]
    all_known = first_positive(full, nominal, table.capacity, capacity)
    return Telemetry(
        matrix=matrix,
        block=block,
        alarms=_alarms(matrix, block[_ROW[Column.SOH]]),
        age=np.maximum(now - block[_ROW[Column.STATUS_TIME]], 0.0),
        extremes=_extremes(matrix, block, count, sensors),
        cells=count,
        sensors=sensors,
        reported_sensors=reported,
        flow=flow,
        capacity=capacity,
        known_capacity=capacity if all_known else np.fmax(capacity, 0.0),
    )


def _alarms(matrix: Floats, health: Floats) -> Floats:
    """The packs' alarms with that of their ``health``, which no BMS raises itself; 0 % is a BMS that counts none."""
    alarms = matrix[:, ALARMS].copy()
    levels = alarms[:, Alarm.STATE_OF_HEALTH]
    if np.minimum.reduce(health) >= WORN:  # the usual case; false while some pack's is not known
        levels[:] = 0.0
    else:
        levels[:] = np.where(health > 0.0, (health < WORN) + 1.0 * (health < WORN_OUT), np.nan)
    return alarms


def _extremes(matrix: Floats, block: Floats, count: Floats, sensors: Floats) -> Floats:
    """:attr:`Telemetry.extremes`; of a pack that reports no cell, the average of its ``count`` stands for them."""
    extremes = np.empty((5, len(matrix)))
    voltage, cells = block[_ROW[Column.VOLTAGE]], CELL_VOLTAGES
    find_extremes(matrix, COLUMNS, cells.start, cells.stop, sensors, voltage, count, extremes)
    extremes[MOSFETS] = block[_ROW[Column.TEMPERATURE_MOS]]
    return extremes
