"""The messages of Daly's A5 protocol as tables: 13-byte frames ``A5 board command 08``, eight data bytes, sum.

All numbers are big-endian; an offset counts from the start of the frame, so data byte k stands at 4 + k. Data bytes
that a command does not set hold what was there before, so what is not in these tables is never read. Sources:

* ``V1.2``: Daly UART/485 Communications Protocol V1.2 (2020-12-22), section 3; ``V1.0``: the same of 2019-06-11
* ``measured``: not in these documents, or against them; found in the frames of `../shared/vectors`
* ``community``: in no document of Daly's; DalyBMSInterface, python-daly-bms and dbus-serialbattery agree
"""

from __future__ import annotations

from functools import cache

from packbank.bms.fields import Field, Flag
from packbank.cext.layout import Layout
from packbank.model.columns import CELL_VOLTAGES, CELLS, Alarm, Column

FRAME_SIZE = 13
DATA = 4  # offset of the data bytes
MILLI = 0.001
TENTH = 0.1
V12 = "V1.2"
MEASURED = "measured"
COMMUNITY = "community"

CELLS_A_FRAME = 3
CELL_BYTES = slice(DATA + 1, DATA + 1 + 2 * CELLS_A_FRAME)  # behind the frame number; the last byte is not set
SENSORS_A_FRAME = 7
SENSOR_BYTES = slice(DATA + 1, DATA + 1 + SENSORS_A_FRAME)
COLDEST = -40  # degC, raw 0
NO_SENSOR = (0x00, 0xFF)  # measured where a sensor is missing
TEXT_BYTES = slice(DATA + 1, DATA + 8)  # behind the frame number
PRODUCTION_BYTES = slice(DATA + 2, DATA + 5)  # year - 2000, month, day; community

# 30000 is 0 A. Above it the battery discharges, in every capture that shows the direction; some firmware has it the
# other way round, and then its over-current bits as well, so that is a setting of the pack.
PACK = (
    Field(Column.VOLTAGE, DATA, "u16", TENTH, source=f"{V12} 0x90"),
    Field(Column.CURRENT, DATA + 4, "u16", -TENTH, -30000, source=f"{V12} 0x90; sign {MEASURED}"),
    Field(Column.SOC, DATA + 6, "u16", TENTH, source=f"{V12} 0x90"),
)
TEMPERATURE_EXTREMES = (
    Field(Column.TEMPERATURE_1, DATA, "u8", shift=COLDEST, absent=0, source=f"{V12} 0x92: the hottest sensor"),
    Field(Column.TEMPERATURE_2, DATA + 2, "u8", shift=COLDEST, absent=0, source=f"{V12} 0x92: the coldest sensor"),
)
STATE_OFFSET = DATA  # 0 at rest, 1 charging, 2 discharging
STATE = (
    Field(Column.CHARGE_MOSFET, DATA + 1, "u8", source=f"{V12} 0x93"),
    Field(Column.DISCHARGE_MOSFET, DATA + 2, "u8", source=f"{V12} 0x93"),
    # Byte 3, "BMS life", is a counter that changes every poll, not cycles.
    Field(Column.REMAINING_CAPACITY, DATA + 4, "u32", MILLI, source=f"{V12} 0x93"),
)
COUNTS = (
    Field(Column.CELL_COUNT, DATA, "u8", source=f"{V12} 0x94"),
    Field(Column.CYCLES, DATA + 5, "u16", source="V1.0 0x94; reserved in V1.2, but counted on"),
)
CELL_SLOTS = (Field(CELL_VOLTAGES.start, 0, "u16", MILLI, count=CELLS, source=f"{V12} 0x95, the frames put together"),)
BALANCE = (
    Flag(Column.BALANCING, DATA, "u32", 0xFFFFFFFF, 2, f"{V12} 0x97: cells 1 to 32; it burns a high cell's charge"),
    Flag(Column.BALANCING, DATA + 4, "u16", 0xFFFF, 2, f"{V12} 0x97: cells 33 to 48"),
)
RATED = (Field(Column.NOMINAL_CAPACITY, DATA, "u32", MILLI, source=f"{COMMUNITY} 0x50"),)

_BY_LEVELS = (  # warning (level 1) at an even bit, protection (level 2) at the next
    ("cell high", Alarm.HIGH_CELL_VOLTAGE),
    ("cell low", Alarm.LOW_CELL_VOLTAGE),
    ("pack high", Alarm.HIGH_VOLTAGE),
    ("pack low", Alarm.LOW_VOLTAGE),
    ("charge hot", Alarm.HIGH_CHARGE_TEMPERATURE),
    ("charge cold", Alarm.LOW_CHARGE_TEMPERATURE),
    ("discharge hot", Alarm.HIGH_TEMPERATURE),
    ("discharge cold", Alarm.LOW_TEMPERATURE),
    ("charge over-current", Alarm.HIGH_CHARGE_CURRENT),
    ("discharge over-current", Alarm.HIGH_DISCHARGE_CURRENT),
    ("SoC high", None),  # a full battery is no fault
    ("SoC low", Alarm.LOW_SOC),
    ("cell difference", Alarm.CELL_IMBALANCE),
    ("temperature difference", Alarm.HIGH_TEMPERATURE),  # one sensor is far hotter than another
)
_FAULTS: dict[tuple[int, int], tuple[str, Alarm | None, int]] = {  # (byte, bit) -> name, alarm, level
    (4, 0): ("charge MOSFET hot", Alarm.HIGH_INTERNAL_TEMPERATURE, 2),
    (4, 1): ("discharge MOSFET hot", Alarm.HIGH_INTERNAL_TEMPERATURE, 2),
    (4, 2): ("charge MOSFET sensor", Alarm.INTERNAL_FAILURE, 2),
    (4, 3): ("discharge MOSFET sensor", Alarm.INTERNAL_FAILURE, 2),
    (4, 4): ("charge MOSFET stuck", Alarm.CONTACTOR, 2),
    (4, 5): ("discharge MOSFET stuck", Alarm.CONTACTOR, 2),
    (4, 6): ("charge MOSFET open", Alarm.CONTACTOR, 2),
    (4, 7): ("discharge MOSFET open", Alarm.CONTACTOR, 2),
    (5, 0): ("front end chip", Alarm.INTERNAL_FAILURE, 2),
    (5, 1): ("cell wire", Alarm.BMS_CABLE, 2),
    (5, 2): ("temperature sensor", Alarm.BATTERY_TEMPERATURE_SENSOR, 2),
    (5, 3): ("memory", Alarm.INTERNAL_FAILURE, 2),
    (5, 4): ("clock", Alarm.INTERNAL_FAILURE, 1),
    (5, 5): ("precharge", Alarm.INTERNAL_FAILURE, 2),
    (5, 6): ("communication", Alarm.BMS_CABLE, 1),
    (5, 7): ("internal communication", Alarm.INTERNAL_FAILURE, 2),
    (6, 0): ("current sensor", Alarm.INTERNAL_FAILURE, 2),
    (6, 1): ("pack voltage sense", Alarm.INTERNAL_FAILURE, 2),
    (6, 2): ("short circuit", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (6, 3): ("too low to be charged", Alarm.LOW_VOLTAGE, 2),
    (6, 4): ("switched off from outside", None, 0),  # no fault, and seen in the MOSFETs' state; community
}
ALARM_BYTES = slice(DATA, DATA + 7)
ALARM_BITS_KNOWN = (1 << 53) - 1  # byte 6 has five: no more fit into a float64, and no more are defined

# Every bit of 0x98 with what Venus OS shall make of it.
ALARMS: dict[tuple[int, int], tuple[str, Alarm | None, int]] = {
    **{
        divmod(2 * number + level - 1, 8): (f"{name}, level {level}", alarm, level)
        for number, (name, alarm) in enumerate(_BY_LEVELS)
        for level in (1, 2)
    },
    **_FAULTS,
}
ALARM_FLAGS = tuple(
    Flag(alarm.column, DATA + byte, "u8", 1 << bit, level, f"{V12} 0x98: {name}")
    for (byte, bit), (name, alarm, level) in ALARMS.items()
    if alarm is not None
)


@cache
def layout(command: int) -> Layout:
    """How the frame of ``command`` is decoded and encoded."""
    fields: dict[int, tuple[Field, ...]] = {
        0x90: PACK,
        0x92: TEMPERATURE_EXTREMES,
        0x93: STATE,
        0x94: COUNTS,
        0x50: RATED,
    }
    flags = {0x97: BALANCE, 0x98: ALARM_FLAGS}
    return Layout(fields.get(command, ()), flags.get(command, ()), size=FRAME_SIZE, order="big")


@cache
def cells_layout() -> Layout:
    """The cells' voltages as the 0x95 frames give them, without frame numbers and unset bytes."""
    return Layout(CELL_SLOTS, size=2 * CELLS, order="big")
