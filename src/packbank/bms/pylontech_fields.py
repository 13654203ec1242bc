"""The messages of Pylontech as tables. All numbers are big-endian; offsets count from the start of an opened frame.

* ``pyl``: Pylontech, RS485 protocol for low voltage packs V3.3, 2018-08-21
* ``pt``: Frankkkkk/python-pylontech at 5d91f6d
* ``measured``: found in the frames of `../shared/vectors`
"""

from __future__ import annotations

from functools import cache, lru_cache

from packbank.bms.ascii_counts import COUNTS, FOUR_CELLS, SHAPES, Shape, fields_of
from packbank.bms.fields import Bits, Field, Flag, flags_of
from packbank.cext.envelope import HEADER
from packbank.cext.layout import Layout
from packbank.model.columns import Alarm, Column

PYL = "pyl"
PT = "pt"
MEASURED = "measured"

ZERO = 2731  # 0 degC
NO_SENSOR = 0  # 0 K
MILLI = 0.001
TENTH = 0.1

# The first sensor is on the BMS's board, the others are at cells, four or five of them: US5000 has five.
ROLES = (Column.TEMPERATURE_MOS, *FOUR_CELLS)
VOLTAGE_SPAN = 65.536  # V, where the word of the voltage begins anew
KIND_AT = 6  # behind the sensors: 2 for up to 65 Ah, 4 where capacities of 24 bits follow
SMALL, LARGE = 2, 4
RESTS = {SMALL: 11, LARGE: 17}  # bytes behind the sensors


@lru_cache(maxsize=SHAPES)
def analog_layout(shape: Shape) -> Layout:
    """The answer about one module to 0x42."""
    at = shape.end
    fields = fields_of(shape, ROLES, ZERO, NO_SENSOR, PYL)
    fields += [
        Field(Column.CURRENT, at, "i16", TENTH, source=f"{PYL}; unit {MEASURED}"),
        Field(Column.VOLTAGE, at + 2, "u16", MILLI, source=PYL),
        Field(Column.CYCLES, at + 9, "u16", source=PYL),
    ]
    if shape.rest == RESTS[SMALL]:
        fields += [
            Field(Column.REMAINING_CAPACITY, at + 4, "u16", MILLI, source=PYL),
            Field(Column.FULL_CAPACITY, at + 7, "u16", MILLI, source=PYL),
        ]
    else:  # 24 bits are the low ones of 32
        fields += [
            Field(Column.REMAINING_CAPACITY, at + 10, "u32", MILLI, mask=0xFFFFFF, source=f"{PYL}, {MEASURED}"),
            Field(Column.FULL_CAPACITY, at + 13, "u32", MILLI, mask=0xFFFFFF, source=f"{PYL}, {MEASURED}"),
        ]
    return Layout(fields, size=shape.size, order="big")


# Bytes 0 to 2 are states of charge current, voltage and discharge current: 1 below, 2 above the limit. Then come the
# status bytes of pyl. Their layout, MOSFETs and direction are measured; no frame with an alarm is public.
ALARMS: Bits = {
    (0, 0x02): ("charge current, warning", Alarm.HIGH_CHARGE_CURRENT, 1),
    (1, 0x01): ("module low, warning", Alarm.LOW_VOLTAGE, 1),
    (1, 0x02): ("module high, warning", Alarm.HIGH_VOLTAGE, 1),
    (2, 0x02): ("discharge current, warning", Alarm.HIGH_DISCHARGE_CURRENT, 1),
    (3, 0x01): ("module high", Alarm.HIGH_VOLTAGE, 2),
    (3, 0x02): ("cell low", Alarm.LOW_CELL_VOLTAGE, 2),
    (3, 0x04): ("charge current", Alarm.HIGH_CHARGE_CURRENT, 2),
    (3, 0x10): ("discharge current", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (3, 0x20): ("discharge hot", Alarm.HIGH_TEMPERATURE, 2),
    (3, 0x40): ("charge hot", Alarm.HIGH_CHARGE_TEMPERATURE, 2),
    (3, 0x80): ("module low", Alarm.LOW_VOLTAGE, 2),
    (6, 0xFF): ("cell 1 to 8 above 4.2 or below 1 V", Alarm.INTERNAL_FAILURE, 2),
    (7, 0xFF): ("cell 9 to 16 above 4.2 or below 1 V", Alarm.INTERNAL_FAILURE, 2),
}
ALARM_REST = range(8, 11)  # bytes behind the states; a real frame has one more than the document


@lru_cache(maxsize=SHAPES)
def alarm_layout(shape: Shape) -> Layout:
    """The answer about one module to 0x44; the state of each cell and sensor is a warning too."""
    at = shape.end
    fields = (
        Field(Column.CHARGE_MOSFET, at + 4, "u8", mask=0x02, source=f"{PYL}, {MEASURED}"),
        Field(Column.DISCHARGE_MOSFET, at + 4, "u8", mask=0x04, source=f"{PYL}, {MEASURED}"),
        Field(Column.HEATING, at + 5, "u8", mask=0x20, source=PYL),
    )
    flags = flags_of(ALARMS, at, PYL)
    cells = range(COUNTS + 1, COUNTS + 1 + shape.cells)
    sensors = range(cells.stop + 1, cells.stop + 1 + shape.sensors)
    for places, low, high in (
        (cells, Alarm.LOW_CELL_VOLTAGE, Alarm.HIGH_CELL_VOLTAGE),
        (sensors, Alarm.LOW_TEMPERATURE, Alarm.HIGH_TEMPERATURE),
    ):
        flags += [Flag(low.column, place, "u8", 0x01, 1, f"{PYL}: below its limit") for place in places]
        flags += [Flag(high.column, place, "u8", 0x02, 1, f"{PYL}: above its limit") for place in places]
    return Layout(fields, flags, size=shape.size, order="big")


# 0x92 has no flag before the number. Its currents are in 0.1 A by accuracy 1 of pyl, and so they fit the modules:
# UP2500 55.5 A, US3000C 37.0 A, US5000 80.0 A.
LIMITS_SIZE = HEADER + 10
CHARGE_VOLTAGE, DISCHARGE_VOLTAGE, CHARGE_CURRENT, DISCHARGE_CURRENT, ALLOWED = range(HEADER + 1, LIMITS_SIZE, 2)
CHARGE_ALLOWED, DISCHARGE_ALLOWED = 0x80, 0x40
LIMITS = (
    Field(Column.CHARGE_CURRENT_LIMIT, CHARGE_CURRENT, "i16", TENTH, source=f"{PYL}, {PT}, {MEASURED}"),
    Field(Column.DISCHARGE_CURRENT_LIMIT, DISCHARGE_CURRENT, "i16", -TENTH, source=f"{PYL}; negative"),
)


@cache
def limits_layout(cells: int) -> Layout:
    """The answer to 0x92 of a module with so many cells; 0: it is not known how many."""
    voltage = (Field(Column.CELL_CHARGE_REQUEST, CHARGE_VOLTAGE, "u16", MILLI / cells, source=PYL),) if cells else ()
    return Layout((*LIMITS, *voltage), size=LIMITS_SIZE, order="big")


AT = HEADER + 1
PARAMETERS_SIZE = HEADER + 25
PARAMETERS = (
    Field(Column.CELL_OVP, AT, "u16", MILLI, source=f"{PYL}, {MEASURED}"),
    Field(Column.CELL_UVP, AT + 4, "u16", MILLI, source=f"{PYL}, {MEASURED}"),
    Field(Column.CHARGE_OTP, AT + 6, "u16", TENTH, -ZERO, source=PYL),
    Field(Column.CHARGE_UTP, AT + 8, "u16", TENTH, -ZERO, source=PYL),
    Field(Column.DISCHARGE_OTP, AT + 18, "u16", TENTH, -ZERO, source=PYL),
    Field(Column.DISCHARGE_UTP, AT + 20, "u16", TENTH, -ZERO, source=PYL),
)


@cache
def parameters_layout() -> Layout:
    """The answer to 0x47. Its currents are those at which the BMS protects; what it allows now is in 0x92."""
    return Layout(PARAMETERS, size=PARAMETERS_SIZE, order="big")
