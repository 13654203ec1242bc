"""The messages of PACE as tables. All numbers are big-endian; offsets count from the start of an opened frame.

* ``pacedoc``: PACE RS232 protocol for TY16S, 2018-07-05
* ``nk``: nkinnan/esphome-pace-bms at 2ba4bc6, found out by listening to PBmsTools
* ``measured``: found in the frames of `../shared/vectors`
"""

from __future__ import annotations

from functools import cache, lru_cache

from packbank.bms.ascii_counts import FOUR_CELLS, SHAPES, Shape, fields_of
from packbank.bms.fields import Bits, Field, Flag, flags_of
from packbank.cext.envelope import HEADER
from packbank.cext.layout import Layout
from packbank.model.columns import Alarm, Column

PACEDOC = "pacedoc"
NK = "nk"
MEASURED = "measured"

ZERO = 2730  # 0 degC; others take 2731
NO_SENSOR = 0x0853  # -60 degC; measured. 0AAA, 0 degC, is also sent for a sensor that is not there, and taken as it is
# Of six sensors the last two are MOSFETs and ambient (pacedoc). Which the fifth of five is, nobody says: as MOSFETs it
# takes no cell's place.
ROLES = (*FOUR_CELLS, Column.TEMPERATURE_MOS, None)
VOLTAGE_SPAN = 65.536  # V, where the word of the voltage begins anew

# Behind the sensors of 0x42: bytes to the count that says nothing about the length, and from there on the tail.
TO_TAIL = 7
TAILS = range(4, 41)  # measured: 4, 6, 7, 14, 16, 20; what is longer is another pack's, or another family's
CLONE_TAIL = 4  # of packs with VER 20 or 26, such as Itel and Boqiang
SOC_TAILS = (7, 16, 20)  # those with a byte of SOC; 14 has other things there
SOH_TAILS = (16, 20)


@lru_cache(maxsize=SHAPES)
def analog_layout(shape: Shape) -> Layout:
    """The answer to 0x42."""
    at, tail = shape.end, shape.rest - TO_TAIL
    fields = fields_of(shape, ROLES, ZERO, NO_SENSOR, PACEDOC)
    fields += [
        Field(Column.CURRENT, at, "i16", 0.01, source=PACEDOC),
        Field(Column.VOLTAGE, at + 2, "u16", 0.001, source=PACEDOC),
        Field(Column.REMAINING_CAPACITY, at + 4, "u16", 0.01, source=f"{PACEDOC}; begins anew at 655.36 Ah"),
        Field(Column.FULL_CAPACITY, at + 7, "u16", 0.01, source=PACEDOC),
        Field(Column.CYCLES, at + 9, "u16", source=PACEDOC),
    ]
    if tail > CLONE_TAIL + 1:
        fields.append(Field(Column.NOMINAL_CAPACITY, at + 11, "u16", 0.01, source=PACEDOC))
    if tail in SOH_TAILS:
        fields.append(Field(Column.SOH, at + 22, "u8", source=MEASURED))
    return Layout(fields, size=shape.size, order="big")


# Bytes count from the states of charge current, voltage and discharge current in 0x44. Layout and MOSFET bits are
# measured; no frame with one of the alarms is public, so their places are the document's alone.
ALARMS: Bits = {
    (3, 0x01): ("cell high", Alarm.HIGH_CELL_VOLTAGE, 2),
    (3, 0x02): ("cell low", Alarm.LOW_CELL_VOLTAGE, 2),
    (3, 0x04): ("pack high", Alarm.HIGH_VOLTAGE, 2),
    (3, 0x08): ("pack low", Alarm.LOW_VOLTAGE, 2),
    (3, 0x10): ("charge current", Alarm.HIGH_CHARGE_CURRENT, 2),
    (3, 0x20): ("discharge current", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (3, 0x40): ("short circuit", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (4, 0x01): ("charge hot", Alarm.HIGH_CHARGE_TEMPERATURE, 2),
    (4, 0x02): ("discharge hot", Alarm.HIGH_TEMPERATURE, 2),
    (4, 0x04): ("charge cold", Alarm.LOW_CHARGE_TEMPERATURE, 2),
    (4, 0x08): ("discharge cold", Alarm.LOW_TEMPERATURE, 2),
    (4, 0x10): ("MOSFETs hot", Alarm.HIGH_INTERNAL_TEMPERATURE, 2),
    (4, 0x20): ("ambient hot", Alarm.HIGH_TEMPERATURE, 2),
    (4, 0x40): ("ambient cold", Alarm.LOW_TEMPERATURE, 2),
    (5, 0x10): ("battery reversed", Alarm.INTERNAL_FAILURE, 2),
    (7, 0x01): ("charge MOSFET fault", Alarm.CONTACTOR, 2),
    (7, 0x02): ("discharge MOSFET fault", Alarm.CONTACTOR, 2),
    (7, 0x04): ("temperature sensor fault", Alarm.BATTERY_TEMPERATURE_SENSOR, 2),
    (7, 0x10): ("cell fault", Alarm.INTERNAL_FAILURE, 2),
    (7, 0x20): ("sampling fault", Alarm.INTERNAL_FAILURE, 2),
    (10, 0x01): ("cell high, warning", Alarm.HIGH_CELL_VOLTAGE, 1),
    (10, 0x02): ("cell low, warning", Alarm.LOW_CELL_VOLTAGE, 1),
    (10, 0x04): ("pack high, warning", Alarm.HIGH_VOLTAGE, 1),
    (10, 0x08): ("pack low, warning", Alarm.LOW_VOLTAGE, 1),
    (10, 0x10): ("charge current, warning", Alarm.HIGH_CHARGE_CURRENT, 1),
    (10, 0x20): ("discharge current, warning", Alarm.HIGH_DISCHARGE_CURRENT, 1),
    (11, 0x01): ("charge hot, warning", Alarm.HIGH_CHARGE_TEMPERATURE, 1),
    (11, 0x02): ("discharge hot, warning", Alarm.HIGH_TEMPERATURE, 1),
    (11, 0x04): ("charge cold, warning", Alarm.LOW_CHARGE_TEMPERATURE, 1),
    (11, 0x08): ("discharge cold, warning", Alarm.LOW_TEMPERATURE, 1),
    (11, 0x10): ("ambient hot, warning", Alarm.HIGH_TEMPERATURE, 1),
    (11, 0x20): ("ambient cold, warning", Alarm.LOW_TEMPERATURE, 1),
    (11, 0x40): ("MOSFETs hot, warning", Alarm.HIGH_INTERNAL_TEMPERATURE, 1),
    (11, 0x80): ("SoC low, warning", Alarm.LOW_SOC, 1),
}
WARNING_REST = range(12, 19)  # bytes behind the states; newer firmware adds one to six


@lru_cache(maxsize=SHAPES)
def warning_layout(shape: Shape) -> Layout:
    """The answer to 0x44."""
    at = shape.end
    fields = (
        Field(Column.CHARGE_MOSFET, at + 5, "u8", mask=0x02, source=f"{PACEDOC}, {MEASURED}"),
        Field(Column.DISCHARGE_MOSFET, at + 5, "u8", mask=0x04, source=f"{PACEDOC}, {MEASURED}"),
    )
    flags = flags_of(ALARMS, at, PACEDOC)
    flags.append(
        Flag(Column.BALANCING, at + 8, "u16", 0xFFFF, 2, f"{PACEDOC}: cells 1 to 16; it burns a high cell's charge")
    )
    return Layout(fields, flags, size=shape.size, order="big")


# A setting is 01, then what warns, protects and releases. The warning of a current is below its protection: a cautious
# bound for what the BMS bears, and not what the pack is rated for.
AT = HEADER + 1
SETTINGS: dict[str, tuple[int, tuple[Field, ...]]] = {  # question -> bytes of INFO, fields
    "cell high": (
        8,
        (
            Field(Column.CELL_OVP, AT + 2, "u16", 0.001, source=NK),
            Field(Column.CELL_OVP_RECOVERY, AT + 4, "u16", 0.001, source=NK),
        ),
    ),
    "cell low": (
        8,
        (
            Field(Column.CELL_UVP, AT + 2, "u16", 0.001, source=NK),
            Field(Column.CELL_UVP_RECOVERY, AT + 4, "u16", 0.001, source=NK),
        ),
    ),
    "charge current": (
        6,
        (
            Field(Column.CHARGE_CURRENT_LIMIT, AT, "u16", source=NK),
            Field(Column.CHARGE_OCP_DELAY, AT + 4, "u8", 0.1, source=NK),
        ),
    ),
    "discharge current": (
        6,
        (
            Field(Column.DISCHARGE_CURRENT_LIMIT, AT, "i16", -1.0, source=f"{NK}; negative"),
            Field(Column.DISCHARGE_OCP_DELAY, AT + 4, "u8", 0.1, source=NK),
        ),
    ),
    "hot": (
        13,
        (
            Field(Column.CHARGE_OTP, AT + 2, "u16", 0.1, -ZERO, source=NK),
            Field(Column.CHARGE_OTP_RECOVERY, AT + 4, "u16", 0.1, -ZERO, source=NK),
            Field(Column.DISCHARGE_OTP, AT + 8, "u16", 0.1, -ZERO, source=NK),
            Field(Column.DISCHARGE_OTP_RECOVERY, AT + 10, "u16", 0.1, -ZERO, source=NK),
        ),
    ),
    "cold": (
        13,
        (
            Field(Column.CHARGE_UTP, AT + 2, "u16", 0.1, -ZERO, source=NK),
            Field(Column.CHARGE_UTP_RECOVERY, AT + 4, "u16", 0.1, -ZERO, source=NK),
            Field(Column.DISCHARGE_UTP, AT + 8, "u16", 0.1, -ZERO, source=NK),
            Field(Column.DISCHARGE_UTP_RECOVERY, AT + 10, "u16", 0.1, -ZERO, source=NK),
        ),
    ),
}


@cache
def setting_layout(question: str) -> Layout:
    """The answer to one of the questions about settings."""
    size, fields = SETTINGS[question]
    return Layout(fields, size=HEADER + size, order="big")
