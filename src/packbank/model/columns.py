"""The schema of the bank's matrix: one row a pack, one column a quantity. The vocabulary of the project.

Units are V, A, W, Ah, degC, %, s and ohm; a current that charges the pack is positive. A quantity that a
pack does not report is ``NaN``, never 0. Flags are 0 or 1, alarms 0 (ok), 1 (warning) or 2 (alarm).

The first columns are the cells: ``row[CELL_VOLTAGES]`` and ``row[CELL_RESISTANCES]`` are views of 32 values,
``NaN`` for a cell the pack has not. Every other quantity is a member of :class:`Column` and indexes a row
directly (``row[Column.VOLTAGE]``). The last columns are the alarms, ``row[Alarm.LOW_SOC.column]``.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

CELLS = 32
CELL_VOLTAGES = slice(0, CELLS)
CELL_RESISTANCES = slice(CELLS, 2 * CELLS)
_FIRST_SCALAR = 2 * CELLS


class Column(IntEnum):
    """A scalar column: its value is the index in a row; ``key`` is its name in JSON and documents."""

    unit: str
    meaning: str

    def __new__(cls, unit: str, meaning: str) -> Column:
        """Number the members in order, behind the cells."""
        member = int.__new__(cls, _FIRST_SCALAR + len(cls.__members__))
        member._value_ = _FIRST_SCALAR + len(cls.__members__)
        member.unit = unit
        member.meaning = meaning
        return member

    @property
    def key(self) -> str:
        """The column's name as users see it: lower case, e.g. ``remaining_capacity``."""
        return self.name.lower()

    # When the row was filled (time.monotonic seconds), written by the bus, not by a decoder.
    STATUS_TIME = "s", "when the pack's last accepted status arrived"
    SETTINGS_TIME = "s", "when the pack's last accepted settings arrived"

    # Live values.
    VOLTAGE = "V", "pack voltage"
    CURRENT = "A", "pack current, + charges the pack"
    FLOW = "-1/0/1", "what the BMS says its current does: 1 charges, -1 discharges, 0 neither"
    POWER = "W", "pack power, + charges the pack"
    TEMPERATURE_MOS = "degC", "MOSFETs (power stage of the BMS)"
    TEMPERATURE_1 = "degC", "battery sensor 1"
    TEMPERATURE_2 = "degC", "battery sensor 2"
    TEMPERATURE_3 = "degC", "slot 3: on JK PB a copy of the MOSFET temperature, so never merged as a battery sensor"
    TEMPERATURE_4 = "degC", "battery sensor 3 (T4 in JK's app)"
    TEMPERATURE_5 = "degC", "battery sensor 4 (T5 in JK's app)"
    SOC = "%", "state of charge as the BMS counts it"
    SOH = "%", "state of health as the BMS estimates it"
    REMAINING_CAPACITY = "Ah", "charge left"
    FULL_CAPACITY = "Ah", "full charge capacity as the BMS estimates it"
    CYCLES = "", "full cycles"
    CYCLE_CAPACITY = "Ah", "total charge cycled through the pack"
    CHARGE_MOSFET = "0/1", "charge MOSFET conducts"
    DISCHARGE_MOSFET = "0/1", "discharge MOSFET conducts"
    BALANCING = "0/1/2", "balancer: 0 off, 1 charging a cell, 2 discharging a cell"
    BALANCE_CURRENT = "A", "balancer current"
    HEATING = "0/1", "heater on"
    HEATER_CURRENT = "A", "heater current"
    RUNTIME = "s", "run time since the BMS was made"
    TICKS = "s", "time since the BMS booted: must grow from answer to answer"
    CELL_AVERAGE = "V", "average cell as the BMS reports it"
    CELL_DELTA = "V", "highest minus lowest cell as the BMS reports it"
    ALARM_BITS = "bits", "the vendor's own alarm word, exact"

    # Settings of the BMS.
    CELL_COUNT = "", "cells in series"
    CELL_UVP = "V", "cell under-voltage protection"
    CELL_UVP_RECOVERY = "V", "cell under-voltage release"
    CELL_OVP = "V", "cell over-voltage protection"
    CELL_OVP_RECOVERY = "V", "cell over-voltage release"
    BALANCE_TRIGGER = "V", "cell difference that starts the balancer"
    BALANCE_START = "V", "cell voltage from which the balancer works"
    CELL_FULL = "V", "cell voltage that the BMS calls 100 %"
    CELL_EMPTY = "V", "cell voltage that the BMS calls 0 %"
    CELL_CHARGE_REQUEST = "V", "charge voltage per cell that the BMS requests (RCV)"
    CELL_FLOAT_REQUEST = "V", "float voltage per cell that the BMS requests (RFV)"
    CELL_POWER_OFF = "V", "cell voltage at which the BMS switches itself off"
    CHARGE_CURRENT_LIMIT = "A", "continuous charge current the BMS allows"
    CHARGE_OCP_DELAY = "s", "delay of the charge over-current protection"
    CHARGE_OCP_RELEASE = "s", "release time of the charge over-current protection"
    DISCHARGE_CURRENT_LIMIT = "A", "continuous discharge current the BMS allows"
    DISCHARGE_OCP_DELAY = "s", "delay of the discharge over-current protection"
    DISCHARGE_OCP_RELEASE = "s", "release time of the discharge over-current protection"
    SHORT_CIRCUIT_RELEASE = "s", "release time of the short-circuit protection"
    SHORT_CIRCUIT_DELAY = "s", "delay of the short-circuit protection"
    BALANCE_CURRENT_LIMIT = "A", "largest balancer current"
    CHARGE_OTP = "degC", "charge over-temperature protection"
    CHARGE_OTP_RECOVERY = "degC", "charge over-temperature release"
    DISCHARGE_OTP = "degC", "discharge over-temperature protection"
    DISCHARGE_OTP_RECOVERY = "degC", "discharge over-temperature release"
    CHARGE_UTP = "degC", "charge under-temperature protection"
    CHARGE_UTP_RECOVERY = "degC", "charge under-temperature release"
    DISCHARGE_UTP = "degC", "discharge under-temperature protection"
    DISCHARGE_UTP_RECOVERY = "degC", "discharge under-temperature release"
    MOS_OTP = "degC", "MOSFET over-temperature protection"
    MOS_OTP_RECOVERY = "degC", "MOSFET over-temperature release"
    HEATING_START = "degC", "heater starts below"
    HEATING_STOP = "degC", "heater stops above"
    BATTERY_OTA = "degC", "battery over-temperature alarm"
    BATTERY_OTA_RECOVERY = "degC", "battery over-temperature alarm release"
    CHARGE_ENABLED = "0/1", "charging switched on by the user"
    DISCHARGE_ENABLED = "0/1", "discharging switched on by the user"
    BALANCE_ENABLED = "0/1", "balancer switched on by the user"
    NOMINAL_CAPACITY = "Ah", "capacity the user has set"
    DEVICE_ADDRESS = "", "bus address the BMS believes it has"


BATTERY_TEMPERATURES = (
    Column.TEMPERATURE_1,
    Column.TEMPERATURE_2,
    Column.TEMPERATURE_4,
    Column.TEMPERATURE_5,
)
SENSOR_NUMBERS = tuple(int(column.name.rsplit("_", 1)[1]) for column in BATTERY_TEMPERATURES)  # T1, T2, T4, T5
_FIRST_ALARM = _FIRST_SCALAR + len(Column)


class Alarm(IntEnum):
    """An alarm a pack can raise, named as Venus OS names it (``/Alarms/<venus>``)."""

    venus: str

    def __new__(cls, venus: str) -> Alarm:
        """Number the members in order."""
        member = int.__new__(cls, len(cls.__members__))
        member._value_ = len(cls.__members__)
        member.venus = venus
        return member

    @property
    def column(self) -> int:
        """The alarm's column in a row."""
        return _FIRST_ALARM + self.value

    LOW_VOLTAGE = "LowVoltage"
    HIGH_VOLTAGE = "HighVoltage"
    LOW_CELL_VOLTAGE = "LowCellVoltage"
    HIGH_CELL_VOLTAGE = "HighCellVoltage"
    LOW_SOC = "LowSoc"
    HIGH_CHARGE_CURRENT = "HighChargeCurrent"
    HIGH_DISCHARGE_CURRENT = "HighDischargeCurrent"
    CELL_IMBALANCE = "CellImbalance"
    INTERNAL_FAILURE = "InternalFailure"
    HIGH_CHARGE_TEMPERATURE = "HighChargeTemperature"
    LOW_CHARGE_TEMPERATURE = "LowChargeTemperature"
    HIGH_TEMPERATURE = "HighTemperature"
    LOW_TEMPERATURE = "LowTemperature"
    HIGH_INTERNAL_TEMPERATURE = "HighInternalTemperature"
    BATTERY_TEMPERATURE_SENSOR = "BatteryTemperatureSensor"
    CONTACTOR = "Contactor"
    BMS_CABLE = "BmsCable"
    STATE_OF_HEALTH = "StateOfHealth"


ALARMS = slice(_FIRST_ALARM, _FIRST_ALARM + len(Alarm))
COLUMNS = _FIRST_ALARM + len(Alarm)


def empty_matrix(packs: int) -> NDArray[np.float64]:
    """A matrix of shape ``(packs, COLUMNS)`` in which nothing is known yet."""
    return np.full((packs, COLUMNS), np.nan)
