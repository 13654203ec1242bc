"""The messages of classic JBD (LLT) boards as tables. Numbers are big-endian; offsets count from the start of a frame.

* ``v4``: Jiabaida, general protocol V4
* ``pdus``: syssi/esphome-jbd-bms at 99cf7c1, frames of real boards
* ``measured``: found in the frames of `../shared/vectors`
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from packbank.bms.fields import Field, Flag
from packbank.cext.layout import Layout
from packbank.errors import FrameError
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, CELLS, Alarm, Column

V4 = "v4"
PDUS = "pdus"
MEASURED = "measured"

HEADER = 4  # start, register, status, count of the bytes that follow
TAIL = 3  # u16 check, end
ZERO = 2731  # 0 degC
NO_SENSOR = 0
MADE_AT = HEADER + 10  # u16: day of 5 bits, month of 4, year from 2000 on
VERSION_AT = HEADER + 18
CELLS_AT, SENSORS_AT = HEADER + 21, HEADER + 22
PROTECTION_AT = HEADER + 16
MORE = 9  # bytes behind the sensors of newer boards: humidity, alarm, full, remaining, balance current
SHAPES = 8  # layouts kept

# Each is a protection that cuts a path. Bit 12 is a lock that the owner sets, no alarm. Bit 15 was seen once, and no
# document has it. No frame with any other bit is public.
ALARMS: Mapping[int, tuple[str, Alarm, int]] = MappingProxyType(
    {
        0: ("cell high", Alarm.HIGH_CELL_VOLTAGE, 2),
        1: ("cell low", Alarm.LOW_CELL_VOLTAGE, 2),
        2: ("pack high", Alarm.HIGH_VOLTAGE, 2),
        3: ("pack low", Alarm.LOW_VOLTAGE, 2),
        4: ("charge hot", Alarm.HIGH_CHARGE_TEMPERATURE, 2),
        5: ("charge cold", Alarm.LOW_CHARGE_TEMPERATURE, 2),
        6: ("discharge hot", Alarm.HIGH_TEMPERATURE, 2),
        7: ("discharge cold", Alarm.LOW_TEMPERATURE, 2),
        8: ("charge current", Alarm.HIGH_CHARGE_CURRENT, 2),
        9: ("discharge current", Alarm.HIGH_DISCHARGE_CURRENT, 2),
        10: ("short circuit", Alarm.HIGH_DISCHARGE_CURRENT, 2),
        11: ("front end", Alarm.INTERNAL_FAILURE, 2),
    }
)  # bit of the protection word -> name, alarm, level


def sensors_of(frame: bytes) -> int:
    """How many sensors a basic answer has; FrameError ``layout`` when its counts do not fit into it."""
    size = len(frame)
    cells, sensors = (frame[CELLS_AT], frame[SENSORS_AT]) if size > SENSORS_AT else (0, 0)
    if not 1 <= cells <= CELLS or SENSORS_AT + 1 + 2 * sensors + TAIL > size:
        raise FrameError("layout", f"{size} bytes do not hold the values of {cells} cells and {sensors} sensors")
    return sensors


@lru_cache(maxsize=SHAPES)
def basic_layout(sensors: int, size: int) -> Layout:
    """The answer to 0x03. Temperatures beyond four sensors are the caller's."""
    behind = SENSORS_AT + 1 + 2 * sensors
    fields = [
        Field(Column.VOLTAGE, HEADER, "u16", 0.01, source=f"{V4}, {MEASURED}"),
        Field(Column.CURRENT, HEADER + 2, "i16", 0.01, source=f"{V4}, {MEASURED}: + charges"),
        Field(Column.REMAINING_CAPACITY, HEADER + 4, "u16", 0.01, source=f"{V4}, {MEASURED}"),
        Field(Column.NOMINAL_CAPACITY, HEADER + 6, "u16", 0.01, source=f"{V4}, {MEASURED}"),
        Field(Column.CYCLES, HEADER + 8, "u16", source=V4),
        Field(Column.SOC, HEADER + 19, "u8", source=f"{V4}, {MEASURED}"),
        Field(Column.CHARGE_MOSFET, HEADER + 20, "u8", mask=0x01, source=f"{V4}, {MEASURED}"),
        Field(Column.DISCHARGE_MOSFET, HEADER + 20, "u8", mask=0x02, source=f"{V4}, {MEASURED}"),
        Field(Column.CELL_COUNT, CELLS_AT, "u8", source=f"{V4}, {MEASURED}"),
        *(
            Field(column, SENSORS_AT + 1 + 2 * place, "u16", 0.1, -ZERO, NO_SENSOR, source=f"{V4}, {MEASURED}")
            for place, column in enumerate(BATTERY_TEMPERATURES[:sensors])
        ),
    ]
    if size == behind + MORE + TAIL:
        fields.append(Field(Column.FULL_CAPACITY, behind + 3, "u16", 0.01, absent=0, source=PDUS))
    flags = [
        Flag(alarm.column, PROTECTION_AT, "u16", 1 << bit, level, f"{V4}: {name}")
        for bit, (name, alarm, level) in ALARMS.items()
    ]
    flags.append(Flag(Column.BALANCING, HEADER + 12, "u32", 0xFFFFFFFF, 2, f"{V4}: a bit a cell"))
    return Layout(fields, flags, size=size, order="big")


@lru_cache(maxsize=SHAPES)
def cells_layout(cells: int) -> Layout:
    """The answer to 0x04."""
    field = Field(CELL_VOLTAGES.start, HEADER, "u16", 0.001, count=cells, source=f"{V4}, {MEASURED}")
    return Layout((field,), size=HEADER + 2 * cells + TAIL, order="big")


def name_alarms(frame: bytes) -> list[str]:
    """The names of the protections that a basic answer has set."""
    word = int.from_bytes(frame[PROTECTION_AT : PROTECTION_AT + 2])
    return [name for bit, (name, _, _) in ALARMS.items() if word >> bit & 1]


def made_on(word: int) -> str:
    """A date as the boards pack it, or nothing when it is none."""
    day, month, year = word & 0x1F, word >> 5 & 0x0F, 2000 + (word >> 9)
    return f"{year}-{month:02d}-{day:02d}" if day and 1 <= month <= 12 else ""
