"""The messages of JBD UP packs as tables. All numbers are big-endian; offsets count from the start of a frame.

* ``driver``: mr-manuel/venus-os_dbus-serialbattery at 358d3c7, bms/lltjbd_up16s.py
* ``log``: syssi/esphome-jbd-bms at 99cf7c1, the traffic of two UP16S020
* ``measured``: found in the frames of `../shared/vectors`
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from packbank.bms.fields import Field, Flag, Text
from packbank.cext.layout import Layout
from packbank.errors import FrameError
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, CELLS, Alarm, Column

DRIVER = "driver"
MEASURED = "measured"

HEADER = 8  # address, function, u16 start, u16 end, u16 count of the bytes that follow
CRC = 2
CELLS_AT = HEADER + 66
MOST_SENSORS = 16
ZERO = 500  # 0 degC
NO_SENSOR = 0
ZERO_CURRENT = 300_000  # 0 A
FIRMWARE_AT = 4  # behind the sensors, after a word that nobody knows and the balancing bits
NAME_AT, NAME_SIZE = 6, 30
STATE_AT = HEADER + 20
FLOWS = {0: 0.0, 1: 1.0, 2: -1.0}  # idle, charges, discharges
SHAPES = 8  # layouts kept


class Shape(NamedTuple):
    """How many cells and sensors a status has; ``end`` is where the sensors end, ``size`` that of the frame."""

    cells: int
    sensors: int
    end: int
    size: int


def shape_of(frame: bytes) -> Shape:
    """The shape of a status; FrameError ``layout`` when its counts do not fit into it."""
    size = len(frame)
    cells = _word(frame, CELLS_AT)
    sensors_at = CELLS_AT + 2 + 2 * cells
    sensors = _word(frame, sensors_at)
    end = sensors_at + 2 + 2 * sensors
    if not 1 <= cells <= CELLS or not 0 <= sensors <= MOST_SENSORS or end + NAME_AT + NAME_SIZE + CRC > size:
        raise FrameError("layout", f"{size} bytes do not hold {cells} cells with their sensors")
    return Shape(cells, sensors, end, size)


def _word(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 2]) if at + 2 <= len(frame) else -1


_Bits = dict[tuple[int, int], tuple[str, Alarm, int]]  # (byte of the frame, bit of its u32) -> name, alarm, level

FAULTS, WARNINGS = HEADER + 24, HEADER + 28
# What the driver calls a fault cuts a path (2), what it calls an alarm warns (1). One frame has the first fault and the
# third alarm set, by hand; all other bits are the driver's alone. "Full" stands among both and is neither.
ALARMS: _Bits = {
    (FAULTS, 0): ("cell high", Alarm.HIGH_CELL_VOLTAGE, 2),
    (FAULTS, 1): ("cell low", Alarm.LOW_CELL_VOLTAGE, 2),
    (FAULTS, 2): ("pack high", Alarm.HIGH_VOLTAGE, 2),
    (FAULTS, 3): ("pack low", Alarm.LOW_VOLTAGE, 2),
    (FAULTS, 4): ("charge current", Alarm.HIGH_CHARGE_CURRENT, 2),
    (FAULTS, 5): ("charge current, second level", Alarm.HIGH_CHARGE_CURRENT, 2),
    (FAULTS, 6): ("discharge current", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (FAULTS, 7): ("discharge current, second level", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (FAULTS, 8): ("charge hot", Alarm.HIGH_CHARGE_TEMPERATURE, 2),
    (FAULTS, 9): ("charge cold", Alarm.LOW_CHARGE_TEMPERATURE, 2),
    (FAULTS, 10): ("discharge hot", Alarm.HIGH_TEMPERATURE, 2),
    (FAULTS, 11): ("discharge cold", Alarm.LOW_TEMPERATURE, 2),
    (FAULTS, 12): ("MOSFETs hot", Alarm.HIGH_INTERNAL_TEMPERATURE, 2),
    (FAULTS, 13): ("ambient hot", Alarm.HIGH_TEMPERATURE, 2),
    (FAULTS, 14): ("ambient cold", Alarm.LOW_TEMPERATURE, 2),
    (FAULTS, 15): ("cell difference", Alarm.CELL_IMBALANCE, 2),
    (FAULTS, 16): ("temperature difference", Alarm.HIGH_TEMPERATURE, 2),
    (FAULTS, 17): ("SoC low", Alarm.LOW_SOC, 2),
    (FAULTS, 18): ("short circuit", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (FAULTS, 19): ("wire of a cell off", Alarm.BMS_CABLE, 2),
    (FAULTS, 20): ("temperature sensor", Alarm.BATTERY_TEMPERATURE_SENSOR, 2),
    (FAULTS, 21): ("charge MOSFET", Alarm.CONTACTOR, 2),
    (FAULTS, 22): ("discharge MOSFET", Alarm.CONTACTOR, 2),
    (FAULTS, 23): ("limiter", Alarm.INTERNAL_FAILURE, 2),
    (FAULTS, 24): ("aerosol released", Alarm.HIGH_TEMPERATURE, 2),
    (FAULTS, 26): ("front end", Alarm.INTERNAL_FAILURE, 2),
    (FAULTS, 27): ("battery reversed", Alarm.INTERNAL_FAILURE, 2),
    (WARNINGS, 0): ("cell high, warning", Alarm.HIGH_CELL_VOLTAGE, 1),
    (WARNINGS, 1): ("cell low, warning", Alarm.LOW_CELL_VOLTAGE, 1),
    (WARNINGS, 2): ("pack high, warning", Alarm.HIGH_VOLTAGE, 1),
    (WARNINGS, 3): ("pack low, warning", Alarm.LOW_VOLTAGE, 1),
    (WARNINGS, 4): ("charge current, warning", Alarm.HIGH_CHARGE_CURRENT, 1),
    (WARNINGS, 5): ("discharge current, warning", Alarm.HIGH_DISCHARGE_CURRENT, 1),
    (WARNINGS, 6): ("charge hot, warning", Alarm.HIGH_CHARGE_TEMPERATURE, 1),
    (WARNINGS, 7): ("charge cold, warning", Alarm.LOW_CHARGE_TEMPERATURE, 1),
    (WARNINGS, 8): ("discharge hot, warning", Alarm.HIGH_TEMPERATURE, 1),
    (WARNINGS, 9): ("discharge cold, warning", Alarm.LOW_TEMPERATURE, 1),
    (WARNINGS, 10): ("MOSFETs hot, warning", Alarm.HIGH_INTERNAL_TEMPERATURE, 1),
    (WARNINGS, 11): ("ambient hot, warning", Alarm.HIGH_TEMPERATURE, 1),
    (WARNINGS, 12): ("ambient cold, warning", Alarm.LOW_TEMPERATURE, 1),
    (WARNINGS, 13): ("cell difference, warning", Alarm.CELL_IMBALANCE, 1),
    (WARNINGS, 14): ("temperature difference, warning", Alarm.HIGH_TEMPERATURE, 1),
    (WARNINGS, 15): ("SoC low, warning", Alarm.LOW_SOC, 1),
    (WARNINGS, 16): ("EEPROM", Alarm.INTERNAL_FAILURE, 1),
    (WARNINGS, 17): ("clock", Alarm.INTERNAL_FAILURE, 1),
}


def name_alarms(frame: bytes) -> list[str]:
    """The names of the alarm bits that a status has set."""
    return [name for (at, bit), (name, _, _) in ALARMS.items() if int.from_bytes(frame[at : at + 4]) >> bit & 1]


def _status_fields(cells: int) -> tuple[Field, ...]:
    """What stands before the cells."""
    return (
        Field(Column.VOLTAGE, HEADER, "u16", 0.01, source=f"{DRIVER}, {MEASURED}"),
        Field(Column.CURRENT, HEADER + 4, "u32", 0.01, -ZERO_CURRENT, source=f"{DRIVER}, {MEASURED}"),
        Field(Column.SOC, HEADER + 8, "u16", 0.01, source=f"{DRIVER}; whole percent of a pack behind the first"),
        Field(Column.REMAINING_CAPACITY, HEADER + 10, "u16", 0.01, source=f"{DRIVER}, {MEASURED}"),
        Field(Column.FULL_CAPACITY, HEADER + 12, "u16", 0.01, source=f"{DRIVER}, {MEASURED}"),
        Field(Column.NOMINAL_CAPACITY, HEADER + 14, "u16", 0.01, source=f"{DRIVER}, {MEASURED}"),
        Field(Column.TEMPERATURE_MOS, HEADER + 16, "u16", 0.1, -ZERO, NO_SENSOR, source=DRIVER),
        Field(Column.SOH, HEADER + 22, "u16", source=DRIVER),
        Field(Column.DISCHARGE_MOSFET, HEADER + 32, "u16", mask=0x01, source=f"{DRIVER}, {MEASURED}"),
        Field(Column.CHARGE_MOSFET, HEADER + 32, "u16", mask=0x02, source=f"{DRIVER}, {MEASURED}"),
        Field(Column.CYCLES, HEADER + 36, "u16", source=DRIVER),
        Field(Column.CELL_AVERAGE, HEADER + 46, "u16", 0.001, source=MEASURED),
        Field(Column.CELL_CHARGE_REQUEST, HEADER + 58, "u16", 0.1 / cells, absent=0, source=f"{DRIVER}; of the pack"),
        Field(Column.CHARGE_CURRENT_LIMIT, HEADER + 60, "u16", 0.1, source=f"{DRIVER}; of the bank at address 1"),
        Field(Column.DISCHARGE_CURRENT_LIMIT, HEADER + 64, "u16", 0.1, source=f"{DRIVER}; of the bank at address 1"),
        Field(Column.CELL_COUNT, CELLS_AT, "u16", source=f"{DRIVER}, {MEASURED}"),
    )


@lru_cache(maxsize=SHAPES)
def status_layout(shape: Shape) -> Layout:
    """The answer about a pack's status. Temperatures beyond four sensors are the caller's."""
    at = CELLS_AT + 2 + 2 * shape.cells + 2
    fields = [
        *_status_fields(shape.cells),
        Field(CELL_VOLTAGES.start, CELLS_AT + 2, "u16", 0.001, count=shape.cells, source=f"{DRIVER}, {MEASURED}"),
        *(
            Field(column, at + 2 * place, "u16", 0.1, -ZERO, NO_SENSOR, source=f"{DRIVER}, {MEASURED}")
            for place, column in enumerate(BATTERY_TEMPERATURES[: shape.sensors])
        ),
    ]
    flags = [
        Flag(alarm.column, at, "u32", 1 << bit, level, f"{DRIVER}: {name}")
        for (at, bit), (name, alarm, level) in ALARMS.items()
    ]
    flags.append(Flag(Column.BALANCING, shape.end + 2, "u16", 0xFFFF, 2, f"{DRIVER}: a bit a cell"))
    return Layout(fields, flags, size=shape.size, order="big")


def name_of(shape: Shape) -> Text:
    """The name, which two packs of a maker have alike."""
    return Text("name", shape.end + NAME_AT, NAME_SIZE, MEASURED)


# The answer about what the pack on this port allows itself: u16 cells, cells, then 62 bytes, the two limits, six bytes,
# u8 sensors, a byte, sensors.
OWN_CELLS = HEADER
OWN_LIMITS, OWN_SENSORS, OWN_END = 62, 72, 74  # behind the cells


def own_shape_of(frame: bytes) -> Shape:
    """The shape of such an answer; FrameError ``layout`` when its counts do not fill it exactly."""
    size, cells = len(frame), _word(frame, OWN_CELLS)
    behind = OWN_CELLS + 2 + 2 * max(cells, 0)
    sensors = frame[behind + OWN_SENSORS] if 1 <= cells <= CELLS and behind + OWN_SENSORS < size else MOST_SENSORS + 1
    if sensors > MOST_SENSORS or behind + OWN_END + 2 * sensors + CRC != size:
        raise FrameError("layout", f"{size} bytes do not hold {cells} cells with their sensors")
    return Shape(cells, sensors, behind, size)


@lru_cache(maxsize=SHAPES)
def own_layout(shape: Shape) -> Layout:
    """The limits of one pack alone."""
    at, source = shape.end + OWN_LIMITS, f"{DRIVER}, {MEASURED}: beside the bank's of two packs"
    fields = (
        Field(Column.CHARGE_CURRENT_LIMIT, at, "u16", 0.1, source=source),
        Field(Column.DISCHARGE_CURRENT_LIMIT, at + 2, "u16", 0.1, source=source),
    )
    return Layout(fields, size=shape.size, order="big")
