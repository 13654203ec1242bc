"""The messages of JKBMS PB as tables: status (type 2), settings (type 1) and about (type 3) of the 300-byte frame.

All numbers are little-endian. An offset is the vendor's register index plus 6, the frame's header. Sources:

* ``vendor``: JK BMS RS485 Modbus universal protocol, V1.1 (2024-02), a row of its tables 0x1000, 0x1200, 0x1400
* ``measured``: not in that document, or against it; found in the frames of `../shared/vectors`, see the row's remark
"""

from __future__ import annotations

from functools import cache

from packbank.bms.fields import Bit, Field, Flag, Text
from packbank.cext.framing import FRAME_SIZE
from packbank.cext.layout import Layout
from packbank.model.columns import CELL_RESISTANCES, CELL_VOLTAGES, CELLS, Alarm, Column

MILLI = 0.001
TENTH = 0.1
VENDOR = "vendor"
MEASURED = "measured"
ALARM_WORD = 166
NO_SENSOR = -2000  # -200.0 degC; measured, also while the sensor's bit at 214 says that it is fitted


def _temperature(column: Column, offset: int, sensor: int, source: str = VENDOR) -> Field:
    return Field(column, offset, "i16", TENTH, absent=NO_SENSOR, present=Bit(214, sensor), source=source)


STATUS = (
    Field(CELL_VOLTAGES.start, 6, "u16", MILLI, present=Bit(70, 0), count=CELLS, source=VENDOR),
    Field(CELL_RESISTANCES.start, 80, "u16", MILLI, present=Bit(70, 0), count=CELLS, source=VENDOR),
    Field(Column.CELL_AVERAGE, 74, "u16", MILLI, source=VENDOR),
    Field(Column.CELL_DELTA, 76, "u16", MILLI, source=VENDOR),
    _temperature(Column.TEMPERATURE_MOS, 144, 0),
    Field(Column.VOLTAGE, 150, "u32", MILLI, source=VENDOR),
    Field(Column.CURRENT, 158, "i32", MILLI, source=VENDOR),
    # The vendor's word is a magnitude in every frame, charging or not.
    Field(Column.POWER, 154, "u32", MILLI, sign=Column.CURRENT, source=f"{VENDOR}; sign {MEASURED}"),
    _temperature(Column.TEMPERATURE_1, 162, 1),
    _temperature(Column.TEMPERATURE_2, 164, 2),
    Field(Column.ALARM_BITS, ALARM_WORD, "u32", source=VENDOR),
    Field(Column.BALANCE_CURRENT, 170, "i16", MILLI, source=VENDOR),
    Field(Column.BALANCING, 172, "u8", source=VENDOR),
    Field(Column.SOC, 173, "u8", source=VENDOR),
    Field(Column.REMAINING_CAPACITY, 174, "i32", MILLI, source=VENDOR),
    # What the BMS has learnt, not the user's figure, which is in the settings.
    Field(Column.FULL_CAPACITY, 178, "u32", MILLI, source=VENDOR),
    Field(Column.CYCLES, 182, "u32", source=VENDOR),
    Field(Column.CYCLE_CAPACITY, 186, "u32", MILLI, source=VENDOR),
    Field(Column.SOH, 190, "u8", source=VENDOR),
    Field(Column.RUNTIME, 194, "u32", source=VENDOR),
    Field(Column.CHARGE_MOSFET, 198, "u8", source=VENDOR),
    Field(Column.DISCHARGE_MOSFET, 199, "u8", source=VENDOR),
    Field(Column.HEATING, 215, "u8", source=VENDOR),
    # V1.0 of the document called it unsigned; negative readings have been reported.
    Field(Column.HEATER_CURRENT, 236, "i16", MILLI, source=VENDOR),
    Field(Column.TICKS, 246, "u32", TENTH, source=VENDOR),
    # A copy of the MOSFETs' temperature on every PB; sensors 3 and 4 of the user are the slots 4 and 5.
    _temperature(Column.TEMPERATURE_3, 254, 3, f"{VENDOR}; copy {MEASURED}"),
    _temperature(Column.TEMPERATURE_4, 256, 4),
    _temperature(Column.TEMPERATURE_5, 258, 5),
)

# The name of each alarm bit with what Venus OS shall make of it. A protection has cut a path off, so it is an alarm
# (2); what only limits or forewarns is a warning (1), as is a high resistance of a balance wire: the cells are no
# longer levelled, nor to be trusted to the millivolt under load. A MOSFET that does not follow its command is Venus's
# contactor. Without an alarm: GPS and the password reminder say nothing about the pack, and the GPS lock is seen in the
# MOSFETs' state. Bits 0..21 are the vendor's, 22 and 23 stand in V1.1 without their number, 24..28 are known from
# esphome-jk-bms only.
ALARMS: tuple[tuple[str, Alarm | None, int], ...] = (
    ("balance wire resistance too high", Alarm.CELL_IMBALANCE, 1),
    ("MOSFET over-temperature", Alarm.HIGH_INTERNAL_TEMPERATURE, 2),
    ("cell count differs from setting", Alarm.INTERNAL_FAILURE, 2),
    ("current sensor error", Alarm.INTERNAL_FAILURE, 2),
    ("cell over-voltage", Alarm.HIGH_CELL_VOLTAGE, 2),
    ("battery over-voltage", Alarm.HIGH_VOLTAGE, 2),
    ("charge over-current", Alarm.HIGH_CHARGE_CURRENT, 2),
    ("charge short circuit", Alarm.HIGH_CHARGE_CURRENT, 2),
    ("charge over-temperature", Alarm.HIGH_CHARGE_TEMPERATURE, 2),
    ("charge under-temperature", Alarm.LOW_CHARGE_TEMPERATURE, 2),
    ("internal communication", Alarm.INTERNAL_FAILURE, 2),
    ("cell under-voltage", Alarm.LOW_CELL_VOLTAGE, 2),
    ("battery under-voltage", Alarm.LOW_VOLTAGE, 2),
    ("discharge over-current", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    ("discharge short circuit", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    ("discharge over-temperature", Alarm.HIGH_TEMPERATURE, 2),
    ("charge MOSFET fault", Alarm.CONTACTOR, 2),
    ("discharge MOSFET fault", Alarm.CONTACTOR, 2),
    ("GPS disconnected", None, 0),
    ("change the authorisation password", None, 0),
    ("discharge switch-on failed", Alarm.CONTACTOR, 2),
    ("battery over-temperature", Alarm.HIGH_TEMPERATURE, 1),
    ("temperature sensor anomaly", Alarm.BATTERY_TEMPERATURE_SENSOR, 2),
    ("parallel module anomaly", Alarm.INTERNAL_FAILURE, 1),
    ("short-circuit release failed", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    ("discharge over-current II", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    ("discharge over-current III", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    ("discharge under-temperature", Alarm.LOW_TEMPERATURE, 2),
    ("GPS lock", None, 0),
)
ALARM_NAMES = tuple(name for name, _, _ in ALARMS)
STATUS_FLAGS = tuple(
    Flag(alarm.column, ALARM_WORD, "u32", 1 << bit, level, f"bit {bit}: {name}")
    for bit, (name, alarm, level) in enumerate(ALARMS)
    if alarm is not None
)

_HEATING_KNOWN = Bit(293, 7)
_HEATING_UNKNOWN = Bit(293, 7, when=0)

SETTINGS = (
    Field(Column.CELL_UVP, 10, "u32", MILLI, source=VENDOR),
    Field(Column.CELL_UVP_RECOVERY, 14, "u32", MILLI, source=VENDOR),
    Field(Column.CELL_OVP, 18, "u32", MILLI, source=VENDOR),
    Field(Column.CELL_OVP_RECOVERY, 22, "u32", MILLI, source=VENDOR),
    Field(Column.BALANCE_TRIGGER, 26, "u32", MILLI, source=VENDOR),
    Field(Column.CELL_FULL, 30, "u32", MILLI, source=VENDOR),
    Field(Column.CELL_EMPTY, 34, "u32", MILLI, source=VENDOR),
    Field(Column.CELL_CHARGE_REQUEST, 38, "u32", MILLI, source=VENDOR),
    Field(Column.CELL_FLOAT_REQUEST, 42, "u32", MILLI, source=VENDOR),
    Field(Column.CHARGE_CURRENT_LIMIT, 50, "u32", MILLI, source=VENDOR),
    Field(Column.CHARGE_OCP_DELAY, 54, "u32", source=VENDOR),
    Field(Column.CHARGE_OCP_RELEASE, 58, "u32", source=VENDOR),
    Field(Column.DISCHARGE_CURRENT_LIMIT, 62, "u32", MILLI, source=VENDOR),
    Field(Column.DISCHARGE_OCP_DELAY, 66, "u32", source=VENDOR),
    Field(Column.DISCHARGE_OCP_RELEASE, 70, "u32", source=VENDOR),
    Field(Column.SHORT_CIRCUIT_RELEASE, 74, "u32", source=VENDOR),
    Field(Column.BALANCE_CURRENT_LIMIT, 78, "u32", MILLI, source=VENDOR),
    Field(Column.CHARGE_OTP, 82, "i32", TENTH, source=VENDOR),
    Field(Column.CHARGE_OTP_RECOVERY, 86, "i32", TENTH, source=VENDOR),
    Field(Column.DISCHARGE_OTP, 90, "i32", TENTH, source=VENDOR),
    Field(Column.DISCHARGE_OTP_RECOVERY, 94, "i32", TENTH, source=VENDOR),
    Field(Column.CHARGE_UTP, 98, "i32", TENTH, source=VENDOR),
    Field(Column.CHARGE_UTP_RECOVERY, 102, "i32", TENTH, source=VENDOR),
    Field(Column.MOS_OTP, 106, "i32", TENTH, source=VENDOR),
    Field(Column.MOS_OTP_RECOVERY, 110, "i32", TENTH, source=VENDOR),
    Field(Column.CELL_COUNT, 114, "u32", source=VENDOR),
    Field(Column.CHARGE_ENABLED, 118, "u32", source=VENDOR),
    Field(Column.DISCHARGE_ENABLED, 122, "u32", source=VENDOR),
    Field(Column.BALANCE_ENABLED, 126, "u32", source=VENDOR),
    Field(Column.NOMINAL_CAPACITY, 130, "u32", MILLI, source=VENDOR),
    Field(Column.SHORT_CIRCUIT_DELAY, 134, "u32", 1e-6, source=VENDOR),
    Field(Column.BALANCE_START, 138, "u32", MILLI, source=VENDOR),
    Field(Column.DEVICE_ADDRESS, 270, "u32", source=f"{VENDOR}; {MEASURED} on five addresses"),
    # The same two bytes are the heater's on newer firmware and the battery's over-temperature alarm on older: bit 7 of
    # the mask at 293 says which, without exception in 31 frames of firmware 11 to 19.
    Field(Column.HEATING_START, 284, "i8", present=_HEATING_KNOWN, source=MEASURED),
    Field(Column.HEATING_STOP, 285, "i8", present=_HEATING_KNOWN, source=MEASURED),
    Field(Column.BATTERY_OTA, 284, "i8", present=_HEATING_UNKNOWN, source="vendor V1.0"),
    Field(Column.BATTERY_OTA_RECOVERY, 285, "i8", present=_HEATING_UNKNOWN, source="vendor V1.0"),
    # 0 and 0 on firmware that has no such protection.
    Field(Column.DISCHARGE_UTP, 296, "i8", absent=0, source=MEASURED),
    Field(Column.DISCHARGE_UTP_RECOVERY, 297, "i8", absent=0, source=MEASURED),
)

# The device name can be changed by the user, so it identifies nobody; the serial number at 86 does. The passcodes at 62
# and 118 and the user data at 102 and 134 are not in the table: what is not decoded cannot leak.
ABOUT = (
    Text("model", 6, 16, VENDOR),
    Text("hardware", 22, 8, VENDOR),
    Text("software", 30, 8, VENDOR),
    Text("name", 46, 16, VENDOR),
    Text("manufactured", 78, 8, VENDOR),
    Text("serial", 86, 16, f"{MEASURED}: 10 to 15 characters"),
)
ABOUT_RUNTIME = 38
ABOUT_POWER_ON_COUNT = 42


@cache
def status_layout() -> Layout:
    """The status frame, for decoding and encoding."""
    return Layout(STATUS, STATUS_FLAGS, size=FRAME_SIZE)


@cache
def settings_layout() -> Layout:
    """The settings frame, for decoding and encoding."""
    return Layout(SETTINGS, size=FRAME_SIZE)
