"""The messages of Daren, Basen, SacredSun and Tian as tables. Offsets count from the start of an opened frame.

* ``basen``: Basen, energy storage protocol of the same BMS
* ``dar``: cpttinkering/daren-485 at d020d51
* ``dbus``: dbus-serialbattery at 358d3c7, bms/daren_485.py
* ``measured``: found in the frames of `../shared/vectors`, of five makes
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

from packbank.bms.ascii_counts import FOUR_CELLS, MOST_SENSORS, SHAPES
from packbank.bms.fields import Bits, Field, Flag, flags_of
from packbank.cext.envelope import HEADER
from packbank.cext.layout import Layout
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, CELLS, Alarm, Column

BASEN = "basen"
DBUS = "dbus"
MEASURED = "measured"

CELLS_AT = HEADER + 5
WORDS = 23  # bytes from the current to the end of the status words
BEHIND = range(10, 31)  # bytes behind them: states of the cells, 10 and 23 measured
STATES = 10  # bytes of the states of 16 cells: high, low, their warnings, balancing


class Shape(NamedTuple):
    """How many values an answer to 0x42 has; ``middle`` and ``end`` are where cells and sensors end."""

    cells: int
    sensors: int
    middle: int
    end: int
    size: int

    @property
    def behind(self) -> int:
        """Bytes behind the status words."""
        return self.size - self.end - WORDS


def shape_of(opened: bytes) -> Shape:
    """The shape of an answer to 0x42; FrameError ``layout`` when it has none."""
    size = len(opened)
    cells = opened[CELLS_AT] if size > CELLS_AT else 0
    middle = CELLS_AT + 1 + 2 * cells
    sensors = opened[middle + 6] if middle + 6 < size else MOST_SENSORS + 1
    made = Shape(cells, sensors, middle, middle + 7 + 2 * sensors, size)
    if not 1 <= cells <= CELLS or sensors > MOST_SENSORS or made.behind not in BEHIND:
        raise FrameError("layout", f"{size - HEADER} bytes of INFO do not hold {cells} cells with their sensors")
    return made


# Four words of 16 bits: voltage at 13, current at 15, temperature at 17, faults at 19. Measured are a high cell, a
# difference, charging and discharging; the other bits are the document's (basen), 13 and 14 of the first dbus'. Bytes
# count from the current on.
_WORDS: dict[int, dict[int, tuple[str, Alarm, int]]] = {
    13: {
        0: ("cell high", Alarm.HIGH_CELL_VOLTAGE, 2),
        1: ("cell low", Alarm.LOW_CELL_VOLTAGE, 2),
        2: ("pack high", Alarm.HIGH_VOLTAGE, 2),
        3: ("pack low", Alarm.LOW_VOLTAGE, 2),
        4: ("cell high, warning", Alarm.HIGH_CELL_VOLTAGE, 1),
        5: ("cell low, warning", Alarm.LOW_CELL_VOLTAGE, 1),
        6: ("pack high, warning", Alarm.HIGH_VOLTAGE, 1),
        7: ("pack low, warning", Alarm.LOW_VOLTAGE, 1),
        8: ("cell difference, warning", Alarm.CELL_IMBALANCE, 1),
        13: ("fuse", Alarm.INTERNAL_FAILURE, 2),
        14: ("cell difference", Alarm.CELL_IMBALANCE, 2),
    },
    15: {
        2: ("charge current", Alarm.HIGH_CHARGE_CURRENT, 2),
        3: ("short circuit", Alarm.HIGH_DISCHARGE_CURRENT, 2),
        4: ("discharge current 1", Alarm.HIGH_DISCHARGE_CURRENT, 2),
        5: ("discharge current 2", Alarm.HIGH_DISCHARGE_CURRENT, 2),
        6: ("charge current, warning", Alarm.HIGH_CHARGE_CURRENT, 1),
        7: ("discharge current, warning", Alarm.HIGH_DISCHARGE_CURRENT, 1),
    },
    17: {
        bit + 8 * warning: (f"{name}, warning" if warning else name, alarm, 1 if warning else 2)
        for bit, (name, alarm) in enumerate(
            (
                ("charge hot", Alarm.HIGH_CHARGE_TEMPERATURE),
                ("charge cold", Alarm.LOW_CHARGE_TEMPERATURE),
                ("discharge hot", Alarm.HIGH_TEMPERATURE),
                ("discharge cold", Alarm.LOW_TEMPERATURE),
                ("ambient hot", Alarm.HIGH_TEMPERATURE),
                ("ambient cold", Alarm.LOW_TEMPERATURE),
                ("MOSFETs hot", Alarm.HIGH_INTERNAL_TEMPERATURE),
                ("MOSFETs cold", Alarm.LOW_TEMPERATURE),
            )
        )
        for warning in (0, 1)
    },
    19: {  # 5 and 6 are the LED and the buzzer, which are no alarms
        0: ("cells differ", Alarm.CELL_IMBALANCE, 1),
        1: ("charge MOSFET damaged", Alarm.CONTACTOR, 2),
        2: ("SD card", Alarm.INTERNAL_FAILURE, 1),
        3: ("SPI", Alarm.INTERNAL_FAILURE, 2),
        4: ("EEPROM", Alarm.INTERNAL_FAILURE, 2),
        7: ("SoC low", Alarm.LOW_SOC, 1),
        8: ("MOSFETs too hot", Alarm.HIGH_INTERNAL_TEMPERATURE, 2),
        9: ("MOSFETs too hot, warning", Alarm.HIGH_INTERNAL_TEMPERATURE, 1),
        10: ("limiter", Alarm.INTERNAL_FAILURE, 2),
        11: ("sampling", Alarm.INTERNAL_FAILURE, 2),
        12: ("cell", Alarm.INTERNAL_FAILURE, 2),
        13: ("temperature sensor", Alarm.BATTERY_TEMPERATURE_SENSOR, 2),
        14: ("charge MOSFET", Alarm.CONTACTOR, 2),
        15: ("discharge MOSFET", Alarm.CONTACTOR, 2),
    },
    21: {
        2: ("charge or discharge MOSFET failed", Alarm.CONTACTOR, 2),
        3: ("discharge or charge MOSFET failed", Alarm.CONTACTOR, 2),
    },
}
ALARMS: Bits = {
    (word + 1 - bit // 8, 1 << bit % 8): what for word, bits in _WORDS.items() for bit, what in bits.items()
}
FLOW_AT, FLOWS = 16, {0x01: 1, 0x02: -1}  # byte from the current on: charging, discharging
# Which of the bits 0 and 1 is the charge MOSFET is disputed between basen and dbus. Both are set in every frame, and
# one alone says nothing.
FET_AT, FETS = 22, {0x00: (0.0, 0.0), 0x03: (1.0, 1.0)}


@lru_cache(maxsize=SHAPES)
def analog_layout(shape: Shape) -> Layout:
    """The answer to 0x42."""
    middle, at = shape.middle, shape.end
    fields = [
        Field(Column.SOC, HEADER + 1, "u16", 0.01, source=f"{BASEN}, {MEASURED}"),
        Field(Column.VOLTAGE, HEADER + 3, "u16", 0.01, source=f"{BASEN}, {MEASURED}"),
        Field(Column.CELL_COUNT, CELLS_AT, "u8", source=BASEN),
        Field(CELL_VOLTAGES.start, CELLS_AT + 1, "u16", 0.001, count=shape.cells, source=BASEN),
        Field(Column.TEMPERATURE_MOS, middle + 4, "i16", 0.1, source=f"{BASEN}, {MEASURED}"),
        Field(Column.CURRENT, at, "i16", 0.01, source=f"{BASEN}, {MEASURED}"),
        Field(Column.SOH, at + 4, "u16", source=BASEN),
        Field(Column.FULL_CAPACITY, at + 7, "u16", 0.01, source=f"{BASEN}, {MEASURED}"),
        Field(Column.REMAINING_CAPACITY, at + 9, "u16", 0.01, source=f"{BASEN}, {MEASURED}"),
        Field(Column.CYCLES, at + 11, "u16", source=BASEN),
    ]
    for place, column in enumerate(FOUR_CELLS[: shape.sensors]):
        if column is not None:
            fields.append(Field(column, middle + 7 + 2 * place, "i16", 0.1, source=f"{BASEN}, {MEASURED}"))
    flags = flags_of(ALARMS, at, BASEN)
    for states in range(at + WORDS, shape.size - STATES + 1, STATES):
        flags.append(Flag(Column.BALANCING, states + 8, "u16", 0xFFFF, 2, f"{BASEN}: it burns a high cell's charge"))
    return Layout(fields, flags, size=shape.size, order="big")


AT = HEADER + 1
PARAMETERS_SIZES = range(HEADER + 61, HEADER + 71)  # how wide the last numbers before the barcodes are, is not certain
PARAMETERS_LEAST = HEADER + 21
CHARGE_LIMITS = (AT + 8, AT + 16)  # two, of which the document names only one a current limit: the lower counts
PARAMETER_CELLS = AT + 14
BARCODES = slice(-40, None)
PARAMETERS = (
    Field(Column.CELL_OVP, AT, "u16", 0.001, source=BASEN),
    Field(Column.CELL_UVP, AT + 2, "u16", 0.001, source=BASEN),
    Field(Column.CHARGE_CURRENT_LIMIT, CHARGE_LIMITS[0], "u16", 0.01, source=f"{BASEN}, {DBUS}"),
    Field(Column.NOMINAL_CAPACITY, AT + 18, "u16", 0.01, source=BASEN),
)


@cache
def parameters_layout() -> Layout:
    """The answer to 0x47."""
    return Layout(PARAMETERS, size=PARAMETERS_LEAST, order="big")
