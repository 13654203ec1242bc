"""The messages of EG4 LifePower (Tianpower family) as tables: groups ``id, count, values`` in a binary frame.

All numbers are big-endian. An answer is unrolled into a record (:class:`packbank.cext.tlv.TagList`), which the tables
read. The vendor has not published this protocol; sources:

* ``powermon``: slim-bean/powermon, README and pkg/eg4; ``basen``: GHswitt/esphome-basen, basen.cpp and README
* ``measured``: against these, or not in them; found in the frames of `../shared/vectors`
"""

from __future__ import annotations

from functools import cache

from packbank.bms.fields import Bit, Field, Flag
from packbank.cext.layout import Layout
from packbank.cext.tlv import Tag, TagList
from packbank.model.columns import CELL_VOLTAGES, CELLS, Alarm, Column

MILLI = 0.001
HUNDREDTH = 0.01
POWERMON = "powermon"
BASEN = "basen"
MEASURED = "measured"

CELL_GROUP, CURRENT_GROUP, SOC_GROUP, TEMPERATURE_GROUP, STATUS_GROUP, VOLTAGE_GROUP = (
    0x01,
    0x02,
    0x03,
    0x05,
    0x06,
    0x08,
)
ESSENTIAL = (CELL_GROUP, CURRENT_GROUP, SOC_GROUP, VOLTAGE_GROUP)
STATUS_WORDS = 5
MOST_TEMPERATURES = 16

GROUPS = (
    Tag(CELL_GROUP, 2, CELLS),
    Tag(CURRENT_GROUP, 2, 1),
    Tag(SOC_GROUP, 2, 1),
    Tag(0x04, 2, 1),  # full capacity
    Tag(TEMPERATURE_GROUP, 2, MOST_TEMPERATURES),
    Tag(STATUS_GROUP, 2, 2 * STATUS_WORDS),
    Tag(0x07, 2, 1),  # cycles
    Tag(VOLTAGE_GROUP, 2, 1),
    Tag(0x09, 2, 1),  # state of health
    Tag(0x0A, 2, 1),  # protection, unpublished
    *(Tag(tag, 4, 4) for tag in range(0x0B, 0x11)),  # counters, unpublished
)

# A temperature is a tag, which says whose, and the value + 50. Some put the MOSFETs at 0x40, EG4 at 0x80; 0x20 is the
# air around. How many there are and in which order differs.
CELL_SENSOR = 0x00
MOSFET_SENSORS = (0x40, 0x80)
AMBIENT_SENSOR = 0x20
COLDEST = -50

_Bits = dict[tuple[int, int], tuple[str, tuple[Alarm, ...], int]]  # (byte of group 6, mask) -> name, alarms, level

# What Venus OS shall make of group 6, as basen names its bits: protections and faults are alarms (2), what the BMS
# itself calls an alarm is a warning (1). It does not say which over-current has tripped, so both are raised.
ALARMS: _Bits = {
    (0, 0x08): ("cell voltage too low", (Alarm.LOW_CELL_VOLTAGE,), 2),
    (0, 0x10): ("cell wire broken", (Alarm.BMS_CABLE,), 2),
    (0, 0x20): ("charge MOSFET fault", (Alarm.CONTACTOR,), 2),
    (0, 0x40): ("discharge MOSFET fault", (Alarm.CONTACTOR,), 2),
    (0, 0x80): ("voltage sensor", (Alarm.INTERNAL_FAILURE,), 2),
    (1, 0x01): ("temperature sensor open", (Alarm.BATTERY_TEMPERATURE_SENSOR,), 2),
    (1, 0x02): ("analogue converter", (Alarm.INTERNAL_FAILURE,), 2),
    (1, 0x04): ("battery reversed", (Alarm.INTERNAL_FAILURE,), 2),
    (1, 0x08): ("thermal failure", (Alarm.HIGH_TEMPERATURE,), 2),
    (1, 0x10): ("locked", (Alarm.INTERNAL_FAILURE,), 2),
    (1, 0x20): ("communication timed out", (Alarm.BMS_CABLE,), 1),
    (1, 0x40): ("serial number", (Alarm.INTERNAL_FAILURE,), 1),
    (1, 0x80): ("protection tripped again", (Alarm.INTERNAL_FAILURE,), 2),
    (2, 0x01): ("discharge hot", (Alarm.HIGH_TEMPERATURE,), 2),
    (2, 0x02): ("discharge cold", (Alarm.LOW_TEMPERATURE,), 2),
    (2, 0x40): ("front end timed out", (Alarm.INTERNAL_FAILURE,), 2),
    (3, 0x04): ("short circuit", (Alarm.HIGH_DISCHARGE_CURRENT,), 2),
    (3, 0x08): ("over-current", (Alarm.HIGH_CHARGE_CURRENT, Alarm.HIGH_DISCHARGE_CURRENT), 2),
    (3, 0x10): ("over-voltage", (Alarm.HIGH_VOLTAGE,), 2),
    (3, 0x20): ("under-voltage", (Alarm.LOW_VOLTAGE,), 2),  # powermon
    (3, 0x40): ("charge hot", (Alarm.HIGH_CHARGE_TEMPERATURE,), 2),
    (3, 0x80): ("charge cold", (Alarm.LOW_CHARGE_TEMPERATURE,), 2),
    (4, 0x01): ("ambient cold protection", (Alarm.LOW_TEMPERATURE,), 2),
    (4, 0x02): ("ambient hot protection", (Alarm.HIGH_TEMPERATURE,), 2),
    (4, 0x10): ("SoC low protection", (Alarm.LOW_SOC,), 2),
    (5, 0x20): ("MOSFETs hot protection", (Alarm.HIGH_INTERNAL_TEMPERATURE,), 2),
    (5, 0x40): ("MOSFETs cold protection", (Alarm.LOW_TEMPERATURE,), 2),
    (5, 0x80): ("too cold to charge", (Alarm.LOW_CHARGE_TEMPERATURE,), 2),
    (7, 0x01): ("SoC very low", (Alarm.LOW_SOC,), 2),
    (7, 0x02): ("vibration", (Alarm.INTERNAL_FAILURE,), 1),
    (7, 0x04): ("waits for a charger", (Alarm.LOW_VOLTAGE,), 1),
    (7, 0x08): ("aerosol released", (Alarm.HIGH_TEMPERATURE,), 2),
    (7, 0x10): ("SoH low", (Alarm.INTERNAL_FAILURE,), 1),
    (7, 0x20): ("temperature sensor shorted", (Alarm.BATTERY_TEMPERATURE_SENSOR,), 2),
    (7, 0x40): ("temperature difference", (Alarm.HIGH_TEMPERATURE,), 1),
    (7, 0x80): ("system locked", (Alarm.INTERNAL_FAILURE,), 2),
    (8, 0x01): ("ambient hot", (Alarm.HIGH_TEMPERATURE,), 1),
    (8, 0x02): ("ambient cold", (Alarm.LOW_TEMPERATURE,), 1),
    (8, 0x04): ("MOSFETs hot", (Alarm.HIGH_INTERNAL_TEMPERATURE,), 1),
    (8, 0x08): ("SoC low", (Alarm.LOW_SOC,), 1),
    (8, 0x10): ("cell difference", (Alarm.CELL_IMBALANCE,), 1),
    (8, 0x20): ("discharge hot alarm", (Alarm.HIGH_TEMPERATURE,), 1),
    (8, 0x40): ("discharge cold alarm", (Alarm.LOW_TEMPERATURE,), 1),
    (9, 0x01): ("cell high", (Alarm.HIGH_CELL_VOLTAGE,), 1),
    (9, 0x02): ("cell low", (Alarm.LOW_CELL_VOLTAGE,), 1),
    (9, 0x04): ("pack high", (Alarm.HIGH_VOLTAGE,), 1),
    (9, 0x08): ("pack low", (Alarm.LOW_VOLTAGE,), 1),
    (9, 0x10): ("charge current high", (Alarm.HIGH_CHARGE_CURRENT,), 1),
    (9, 0x20): ("discharge current high", (Alarm.HIGH_DISCHARGE_CURRENT,), 1),
    (9, 0x40): ("charge hot alarm", (Alarm.HIGH_CHARGE_TEMPERATURE,), 1),
    (9, 0x80): ("charge cold alarm", (Alarm.LOW_CHARGE_TEMPERATURE,), 1),
}


@cache
def groups() -> TagList:
    """The groups and their places in a record."""
    return TagList(GROUPS)


def fields() -> tuple[Field, ...]:
    """What a record's groups fill; temperatures are identified by their tags and not in the table."""
    at = groups()

    def single(column: Column, tag: int, scale: float = 1.0, shift: float = 0.0) -> Field:
        return Field(column, at.value(tag), "u16", scale, shift, present=Bit(at.units(tag), 0), source=POWERMON)

    def status(column: Column, byte: int, mask: int, source: str) -> Field:
        there = Bit(at.units(STATUS_GROUP), byte // 2)
        return Field(column, at.value(STATUS_GROUP) + byte, "u8", mask=mask, present=there, source=source)

    return (
        # Bit 15 may be the balancer (basen assumes so), bit 14 is an over-voltage; the other 14 are the voltage.
        Field(
            CELL_VOLTAGES.start,
            at.value(CELL_GROUP),
            "u16",
            MILLI,
            mask=0x3FFF,
            present=Bit(at.units(CELL_GROUP), 0),
            count=CELLS,
            source=f"{POWERMON}; mask {MEASURED}",
        ),
        Field(Column.CELL_COUNT, at.count(CELL_GROUP), "u8", present=Bit(0, CELL_GROUP), source=POWERMON),
        single(Column.CURRENT, CURRENT_GROUP, -HUNDREDTH, -30000),
        single(Column.SOC, SOC_GROUP, HUNDREDTH),
        single(Column.FULL_CAPACITY, 0x04, HUNDREDTH),
        single(Column.CYCLES, 0x07),
        single(Column.VOLTAGE, VOLTAGE_GROUP, HUNDREDTH),
        single(Column.SOH, 0x09, HUNDREDTH),
        # These two bits say "off", so the value is 1 - raw.
        status(Column.CHARGE_MOSFET, 2, 0x10, f"{BASEN}, {MEASURED}")._replace(scale=-1.0, shift=-1.0),
        status(Column.DISCHARGE_MOSFET, 2, 0x20, BASEN)._replace(scale=-1.0, shift=-1.0),
        status(Column.HEATING, 5, 0x10, BASEN),
    )


@cache
def layout() -> Layout:
    """How a record is decoded and encoded."""
    start = groups().value(STATUS_GROUP)
    flags = tuple(
        Flag(alarm.column, start + byte, "u8", mask, level, f"{BASEN}: {name}")
        for (byte, mask), (name, alarms, level) in ALARMS.items()
        for alarm in alarms
    )
    return Layout(fields(), flags, size=groups().size, order="big")
