"""The message of JKBMS with the 4E57 protocol as tables: a list of ids with values, which reports all at once.

All numbers are big-endian. The list is unrolled into a record (:class:`packbank.cext.tlv.TagList`), which the tables
read. An old firmware leaves ids out; what they would report is then unknown. Sources:

* ``vendor``: JK, Communication protocol between monitoring platform and BMS V2.5 (2020-12-17), table of ids
* ``measured``: against that document, or not in it; found in the frames of `../shared/vectors`
* ``community``: syssi/esphome-jk-bms, which many owners compared with JK's app
"""

from __future__ import annotations

from functools import cache

from packbank.bms.fields import Bit, Field, Flag, Kind, Text
from packbank.cext.layout import Layout
from packbank.cext.tlv import Tag, TagList
from packbank.model.columns import CELL_VOLTAGES, CELLS, Alarm, Column

MILLI = 0.001
HUNDREDTH = 0.01
VENDOR = "vendor"
COMMUNITY = "community"

CELL_ID, VOLTAGE_ID, CURRENT_ID, SOC_ID, ALARM_ID, STATUS_ID, VERSION_ID = 0x79, 0x83, 0x84, 0x85, 0x8B, 0x8C, 0xC0
PASSWORD_ID = 0xB2
ESSENTIAL = (CELL_ID, VOLTAGE_ID, CURRENT_ID, SOC_ID)
CELL_WIDTH = 3  # number from 1, then millivolts
TEXT_LENGTHS = {0xB4: 8, 0xB5: 4, 0xB7: 15, 0xBA: 24}

IDS = (
    Tag(CELL_ID, CELL_WIDTH, CELLS, CELL_WIDTH),
    *(Tag(tag, 2) for tag in range(0x80, 0x85)),
    Tag(SOC_ID, 1),
    Tag(0x86, 1),  # sensors
    Tag(0x87, 2),
    Tag(0x89, 4),
    *(Tag(tag, 2) for tag in (0x8A, ALARM_ID, STATUS_ID)),
    *(Tag(tag, 2) for tag in range(0x8E, 0x9D)),
    Tag(0x9D, 1),
    *(Tag(tag, 2) for tag in range(0x9E, 0xA9)),
    Tag(0xA9, 1),
    Tag(0xAA, 4),
    *(Tag(tag, 1) for tag in (0xAB, 0xAC)),
    Tag(0xAD, 2),
    *(Tag(tag, 1) for tag in (0xAE, 0xAF)),
    Tag(0xB0, 2),
    Tag(0xB1, 1),
    Tag(PASSWORD_ID, 10),
    Tag(0xB3, 1),
    Tag(0xB4, TEXT_LENGTHS[0xB4]),
    Tag(0xB5, TEXT_LENGTHS[0xB5]),
    Tag(0xB6, 4),
    Tag(0xB7, TEXT_LENGTHS[0xB7]),
    Tag(0xB8, 1),
    Tag(0xB9, 4),
    Tag(0xBA, TEXT_LENGTHS[0xBA]),
    *(Tag(tag, 1) for tag in (0xBB, 0xBC, 0xBD)),
    *(Tag(tag, 2) for tag in (0xBE, 0xBF)),
    Tag(VERSION_ID, 1),
)

# Below zero the app shows -1 degC for a raw 100, so the value is 99 - raw; the document's 100 - raw is one degree off.
TEMPERATURES = (Column.TEMPERATURE_MOS, Column.TEMPERATURE_1, Column.TEMPERATURE_2)
ZERO_BELOW = 99
COLDEST_RAW = 140

_NUMBERS: tuple[tuple[int, Column, Kind, float, str], ...] = (  # id, column, kind, scale, source
    (0x80, Column.TEMPERATURE_MOS, "u16", 1.0, COMMUNITY),
    (0x81, Column.TEMPERATURE_1, "u16", 1.0, COMMUNITY),
    (0x82, Column.TEMPERATURE_2, "u16", 1.0, COMMUNITY),
    (VOLTAGE_ID, Column.VOLTAGE, "u16", HUNDREDTH, VENDOR),
    (SOC_ID, Column.SOC, "u8", 1.0, VENDOR),
    (0x87, Column.CYCLES, "u16", 1.0, VENDOR),
    (0x89, Column.CYCLE_CAPACITY, "u32", 1.0, VENDOR),
    (0x8A, Column.CELL_COUNT, "u16", 1.0, VENDOR),
    (ALARM_ID, Column.ALARM_BITS, "u16", 1.0, VENDOR),
    (0x90, Column.CELL_OVP, "u16", MILLI, VENDOR),
    (0x91, Column.CELL_OVP_RECOVERY, "u16", MILLI, VENDOR),
    (0x93, Column.CELL_UVP, "u16", MILLI, VENDOR),
    (0x94, Column.CELL_UVP_RECOVERY, "u16", MILLI, VENDOR),
    (0x97, Column.DISCHARGE_CURRENT_LIMIT, "u16", 1.0, VENDOR),
    (0x98, Column.DISCHARGE_OCP_DELAY, "u16", 1.0, VENDOR),
    (0x99, Column.CHARGE_CURRENT_LIMIT, "u16", 1.0, VENDOR),
    (0x9A, Column.CHARGE_OCP_DELAY, "u16", 1.0, VENDOR),
    (0x9B, Column.BALANCE_START, "u16", MILLI, VENDOR),
    (0x9C, Column.BALANCE_TRIGGER, "u16", MILLI, VENDOR),
    (0x9D, Column.BALANCE_ENABLED, "u8", 1.0, VENDOR),
    (0x9E, Column.MOS_OTP, "u16", 1.0, VENDOR),
    (0x9F, Column.MOS_OTP_RECOVERY, "u16", 1.0, VENDOR),
    (0xA3, Column.CHARGE_OTP, "u16", 1.0, VENDOR),
    (0xA4, Column.DISCHARGE_OTP, "u16", 1.0, VENDOR),
    (0xA5, Column.CHARGE_UTP, "i16", 1.0, VENDOR),
    (0xA6, Column.CHARGE_UTP_RECOVERY, "i16", 1.0, VENDOR),
    (0xA7, Column.DISCHARGE_UTP, "i16", 1.0, VENDOR),
    (0xA8, Column.DISCHARGE_UTP_RECOVERY, "i16", 1.0, VENDOR),
    (0xAA, Column.NOMINAL_CAPACITY, "u32", 1.0, VENDOR),
    (0xAB, Column.CHARGE_ENABLED, "u8", 1.0, VENDOR),
    (0xAC, Column.DISCHARGE_ENABLED, "u8", 1.0, VENDOR),
    (0xAE, Column.DEVICE_ADDRESS, "u8", 1.0, f"{VENDOR}: reserved; 1 measured"),
    (0xB6, Column.RUNTIME, "u32", 60.0, VENDOR),
    (0xB9, Column.FULL_CAPACITY, "u32", 1.0, VENDOR),
)
_SWITCHES = (  # bit of 0x8C; its bit 3, the battery's connection, has been seen both ways round and is not read
    (0, Column.CHARGE_MOSFET),
    (1, Column.DISCHARGE_MOSFET),
    (2, Column.BALANCING),
)

# The name of each alarm bit of 0x8B with what Venus OS shall make of it; bits 14 and 15 are reserved.
ALARMS: tuple[tuple[str, Alarm, int], ...] = (
    ("capacity low", Alarm.LOW_SOC, 1),
    ("MOSFETs hot", Alarm.HIGH_INTERNAL_TEMPERATURE, 2),
    ("pack over-voltage", Alarm.HIGH_VOLTAGE, 2),
    ("pack under-voltage", Alarm.LOW_VOLTAGE, 2),
    ("battery hot", Alarm.HIGH_TEMPERATURE, 2),
    ("charge over-current", Alarm.HIGH_CHARGE_CURRENT, 2),
    ("discharge over-current", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    ("cell difference", Alarm.CELL_IMBALANCE, 2),
    ("box hot", Alarm.HIGH_TEMPERATURE, 2),
    ("battery cold", Alarm.LOW_TEMPERATURE, 2),
    ("cell over-voltage", Alarm.HIGH_CELL_VOLTAGE, 2),
    ("cell under-voltage", Alarm.LOW_CELL_VOLTAGE, 2),
    ("309_A protection", Alarm.INTERNAL_FAILURE, 2),
    ("309_B protection", Alarm.INTERNAL_FAILURE, 2),
)
LOW_BITS = 1 << 0 | 1 << 3 | 1 << 11  # one of these is set when a pack is empty


@cache
def ids() -> TagList:
    """The ids and their places in a record."""
    return TagList(IDS)


@cache
def texts() -> tuple[Text, ...]:
    """The texts of a record. The password is not among them: what is not decoded cannot leak."""
    names = {0xB4: "device", 0xB5: "manufactured", 0xB7: "software", 0xBA: "factory"}
    return tuple(Text(name, ids().value(tag), TEXT_LENGTHS[tag], VENDOR) for tag, name in names.items())


@cache
def layout() -> Layout:
    """How a record is decoded and encoded, but for the current."""
    at = ids()
    cells = Field(
        CELL_VOLTAGES.start,
        at.value(CELL_ID) + 1,
        "u16",
        MILLI,
        present=Bit(at.units(CELL_ID), 0),
        count=CELLS,
        stride=CELL_WIDTH,
        source=VENDOR,
    )
    numbers = tuple(
        Field(column, at.value(tag), kind, scale, present=Bit(0, tag), source=source)
        for tag, column, kind, scale, source in _NUMBERS
    )
    switches = tuple(
        Field(column, at.value(STATUS_ID), "u16", mask=1 << bit, present=Bit(0, STATUS_ID), source=VENDOR)
        for bit, column in _SWITCHES
    )
    flags = tuple(
        Flag(alarm.column, at.value(ALARM_ID), "u16", 1 << bit, level, f"{VENDOR}: {name}")
        for bit, (name, alarm, level) in enumerate(ALARMS)
    )
    return Layout((cells, *numbers, *switches), flags, size=at.size, order="big")


@cache
def current_layout(version: int) -> Layout:
    """How the current is decoded and encoded; ``version`` is the value of the id 0xC0, 0 when it is not there.

    Since version 1 bit 15 says that the pack charges. A power of half a watt either way carries that sign from the one
    field to the other; the caller replaces it.
    """
    at, there = ids().value(CURRENT_ID), Bit(0, CURRENT_ID)
    old = Field(Column.CURRENT, at, "u16", -HUNDREDTH, -10000, present=there, source=f"{VENDOR}, version 0")
    sign = Field(Column.POWER, at, "u16", shift=-0.5, mask=0x8000, present=there, source=f"{VENDOR}, version 1")
    size = Field(
        Column.CURRENT,
        at,
        "u16",
        HUNDREDTH,
        mask=0x7FFF,
        present=there,
        sign=Column.POWER,
        source=f"{VENDOR}, version 1",
    )
    return Layout((sign, size) if version else (old,), size=ids().size, order="big")
