"""The messages of Seplos V1/V2 as tables. All numbers are big-endian; offsets count from the start of an opened frame.

* ``sep``: SEPLOS, BMS communication protocol V2.0, 2019
* ``sys``: syssi/esphome-seplos-bms at dedb6bb
* ``measured``: found in the frames of `../shared/vectors`
"""

from __future__ import annotations

from functools import lru_cache

from packbank.bms.ascii_counts import FOUR_CELLS, SHAPES, Shape, fields_of
from packbank.bms.fields import Bits, Field, Flag, flags_of
from packbank.cext.layout import Layout
from packbank.model.columns import Alarm, Column

SEP = "sep"
MEASURED = "measured"

ZERO = 2731  # 0 degC
NO_SENSOR = 0  # 0 K
ROLES = (*FOUR_CELLS, None, Column.TEMPERATURE_MOS)  # four cells, ambient, MOSFETs
COUNT_AT, COUNT = 6, 0x0A  # behind the sensors: how many words follow
ANALOG_REST = 27


@lru_cache(maxsize=SHAPES)
def analog_layout(shape: Shape) -> Layout:
    """The answer to 0x42."""
    at = shape.end
    fields = fields_of(shape, ROLES, ZERO, NO_SENSOR, SEP)
    fields += [
        Field(Column.CURRENT, at, "i16", 0.01, source=f"{SEP}, {MEASURED}"),
        Field(Column.VOLTAGE, at + 2, "u16", 0.01, source=f"{SEP}, {MEASURED}"),
        Field(Column.REMAINING_CAPACITY, at + 4, "u16", 0.01, source=SEP),
        Field(Column.FULL_CAPACITY, at + 7, "u16", 0.01, source=SEP),
        Field(Column.SOC, at + 9, "u16", 0.1, source=SEP),
        Field(Column.NOMINAL_CAPACITY, at + 11, "u16", 0.01, source=SEP),
        Field(Column.CYCLES, at + 13, "u16", source=SEP),
        Field(Column.SOH, at + 15, "u16", 0.1, source=SEP),
    ]
    return Layout(fields, size=shape.size, order="big")


# What Seplos calls an alarm is a warning (1), what it calls a protection an alarm (2). The layout, the switches and the
# state of the system are measured; no frame with an event is public, so their bits are the document's alone. Bytes
# count from the first event.
ALARMS: Bits = {
    (0, 0x01): ("voltage sensor", Alarm.INTERNAL_FAILURE, 2),
    (0, 0x02): ("temperature sensor", Alarm.BATTERY_TEMPERATURE_SENSOR, 2),
    (0, 0x04): ("current sensor", Alarm.INTERNAL_FAILURE, 2),
    (0, 0x08): ("key switch", Alarm.INTERNAL_FAILURE, 2),
    (0, 0x10): ("cell wire", Alarm.BMS_CABLE, 2),
    (0, 0x20): ("charge switch", Alarm.CONTACTOR, 2),
    (0, 0x40): ("discharge switch", Alarm.CONTACTOR, 2),
    (0, 0x80): ("limiter switch", Alarm.CONTACTOR, 2),
    (1, 0x01): ("cell high, warning", Alarm.HIGH_CELL_VOLTAGE, 1),
    (1, 0x02): ("cell high", Alarm.HIGH_CELL_VOLTAGE, 2),
    (1, 0x04): ("cell low, warning", Alarm.LOW_CELL_VOLTAGE, 1),
    (1, 0x08): ("cell low", Alarm.LOW_CELL_VOLTAGE, 2),
    (1, 0x10): ("pack high, warning", Alarm.HIGH_VOLTAGE, 1),
    (1, 0x20): ("pack high", Alarm.HIGH_VOLTAGE, 2),
    (1, 0x40): ("pack low, warning", Alarm.LOW_VOLTAGE, 1),
    (1, 0x80): ("pack low", Alarm.LOW_VOLTAGE, 2),
    (2, 0x01): ("charge hot, warning", Alarm.HIGH_CHARGE_TEMPERATURE, 1),
    (2, 0x02): ("charge hot", Alarm.HIGH_CHARGE_TEMPERATURE, 2),
    (2, 0x04): ("charge cold, warning", Alarm.LOW_CHARGE_TEMPERATURE, 1),
    (2, 0x08): ("charge cold", Alarm.LOW_CHARGE_TEMPERATURE, 2),
    (2, 0x10): ("discharge hot, warning", Alarm.HIGH_TEMPERATURE, 1),
    (2, 0x20): ("discharge hot", Alarm.HIGH_TEMPERATURE, 2),
    (2, 0x40): ("discharge cold, warning", Alarm.LOW_TEMPERATURE, 1),
    (2, 0x80): ("discharge cold", Alarm.LOW_TEMPERATURE, 2),
    (3, 0x01): ("ambient hot, warning", Alarm.HIGH_TEMPERATURE, 1),
    (3, 0x02): ("ambient hot", Alarm.HIGH_TEMPERATURE, 2),
    (3, 0x04): ("ambient cold, warning", Alarm.LOW_TEMPERATURE, 1),
    (3, 0x08): ("ambient cold", Alarm.LOW_TEMPERATURE, 2),
    (3, 0x10): ("MOSFETs hot", Alarm.HIGH_INTERNAL_TEMPERATURE, 2),  # here the protection comes first
    (3, 0x20): ("MOSFETs hot, warning", Alarm.HIGH_INTERNAL_TEMPERATURE, 1),
    (4, 0x01): ("charge current, warning", Alarm.HIGH_CHARGE_CURRENT, 1),
    (4, 0x02): ("charge current", Alarm.HIGH_CHARGE_CURRENT, 2),
    (4, 0x04): ("discharge current, warning", Alarm.HIGH_DISCHARGE_CURRENT, 1),
    (4, 0x08): ("discharge current", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (4, 0x10): ("transient current", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (4, 0x20): ("short circuit", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (4, 0x40): ("locked after transient currents", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (4, 0x80): ("locked after short circuits", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (5, 0x01): ("charge voltage", Alarm.HIGH_VOLTAGE, 2),
    (5, 0x04): ("SoC low, warning", Alarm.LOW_SOC, 1),
    (5, 0x08): ("SoC low", Alarm.LOW_SOC, 2),
    (5, 0x10): ("cell too low to be charged", Alarm.LOW_CELL_VOLTAGE, 2),
    (5, 0x20): ("output reversed", Alarm.INTERNAL_FAILURE, 2),
    (5, 0x40): ("output connection", Alarm.INTERNAL_FAILURE, 2),
    (10, 0xFF): ("wire of cell 1 to 8 off", Alarm.BMS_CABLE, 2),
    (11, 0xFF): ("wire of cell 9 to 16 off", Alarm.BMS_CABLE, 2),
    (13, 0x01): ("EEPROM", Alarm.INTERNAL_FAILURE, 2),
    (13, 0x02): ("clock", Alarm.INTERNAL_FAILURE, 1),
    (13, 0x04): ("voltage not calibrated", Alarm.INTERNAL_FAILURE, 1),
    (13, 0x08): ("current not calibrated", Alarm.INTERNAL_FAILURE, 1),
    (13, 0x10): ("zero not calibrated", Alarm.INTERNAL_FAILURE, 1),
}
EVENTS_AT, EVENTS = 2, 0x14  # behind the sensors: states of current and voltage, and how many bytes follow
TO_EVENTS = 3
ALARM_REST = TO_EVENTS + EVENTS
SYSTEM = 9  # byte of the events: what the pack is doing


@lru_cache(maxsize=SHAPES)
def alarm_layout(shape: Shape) -> Layout:
    """The answer to 0x44. The states of single cells and sensors repeat what the events say."""
    at = shape.end + TO_EVENTS
    fields = (
        Field(Column.DISCHARGE_MOSFET, at + 6, "u8", mask=0x01, source=f"{SEP}, {MEASURED}"),
        Field(Column.CHARGE_MOSFET, at + 6, "u8", mask=0x02, source=f"{SEP}, {MEASURED}"),
        Field(Column.HEATING, at + 6, "u8", mask=0x08, source=SEP),
    )
    flags = flags_of(ALARMS, at, SEP)
    balancing = f"{SEP}: cells 1 to 16; it burns a high cell's charge"
    flags.append(Flag(Column.BALANCING, at + 7, "u16", 0xFFFF, 2, balancing))
    return Layout(fields, flags, size=shape.size, order="big")
