"""The messages of Seplos V3 as tables. All numbers are big-endian; offsets count from the start of a frame.

* ``xzh``: XZH-ElecTech, BMS Modbus-RTU V0.1, 2023
* ``s3m``: ferelarg/Seplos3MQTT at aa14a70
* ``measured``: found in the frames of `../shared/vectors`
"""

from __future__ import annotations

from functools import cache, lru_cache

from packbank.bms.fields import Bits, Field, Flag, flags_of
from packbank.cext.layout import Layout
from packbank.errors import FrameError
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Alarm, Column

XZH = "xzh"
MEASURED = "measured"
BOTH = f"{XZH}, {MEASURED}"

HEADER = 3  # address, function, count of the bytes that follow
CRC = 2
CELLS = 16  # words of them, whatever the pack has
ZERO = 2731  # 0 degC; a sensor that is not there reads the same
CELL_HIGHEST = 5000  # mV; the block of a bank has the same length and begins with its voltage
PACK, CELL, BITS, SETTINGS = 0x11 * 2, 0x1A * 2, 18, 0x35 * 2  # bytes of the blocks


def word(frame: bytes, place: int, *, signed: bool = False) -> int:
    """The word of a block at this place."""
    at = HEADER + 2 * place
    return int.from_bytes(frame[at : at + 2], signed=signed)


def _at(place: int) -> int:
    return HEADER + 2 * place


@cache
def pack_layout() -> Layout:
    """Block 1000: the pack."""
    fields = (
        Field(Column.VOLTAGE, _at(0), "u16", 0.01, source=BOTH),
        Field(Column.CURRENT, _at(1), "i16", 0.01, source=f"{BOTH}; + charges"),
        Field(Column.REMAINING_CAPACITY, _at(2), "u16", 0.01, source=BOTH),
        Field(Column.FULL_CAPACITY, _at(3), "u16", 0.01, source=BOTH),
        Field(Column.CYCLE_CAPACITY, _at(4), "u16", 10.0, source=f"{BOTH}; what was discharged"),
        Field(Column.SOC, _at(5), "u16", 0.1, source=BOTH),
        Field(Column.SOH, _at(6), "u16", 0.1, source=BOTH),
        Field(Column.CYCLES, _at(7), "u16", source=BOTH),
        Field(Column.CELL_AVERAGE, _at(8), "u16", 0.001, source=BOTH),
        Field(Column.DISCHARGE_CURRENT_LIMIT, _at(0x0F), "u16", source=BOTH),
        Field(Column.CHARGE_CURRENT_LIMIT, _at(0x10), "u16", source=BOTH),
    )
    return Layout(fields, size=HEADER + PACK + CRC, order="big")


@cache
def cell_layout() -> Layout:
    """Block 1100: cells and sensors."""
    fields = (
        Field(CELL_VOLTAGES.start, _at(0), "u16", 0.001, count=CELLS, source=BOTH),
        *(
            Field(column, _at(0x10 + place), "u16", 0.1, -ZERO, 0, source=BOTH)
            for place, column in enumerate(BATTERY_TEMPERATURES)
        ),
        Field(Column.TEMPERATURE_MOS, _at(0x19), "u16", 0.1, -ZERO, 0, source=BOTH),
    )
    return Layout(fields, size=HEADER + CELL + CRC, order="big")


def check_cells(frame: bytes) -> None:
    """FrameError for what is no block 1100 although it is as long."""
    cells = [word(frame, place) for place in range(CELLS)]
    if max(cells) > CELL_HIGHEST:
        raise FrameError("layout", f"a cell of {max(cells)} mV")
    if not any(cells):
        raise FrameError("empty", f"all {CELLS} cells are 0 V")


# What Seplos calls an alarm is a warning (1), what it calls a protection an alarm (2). The layout, the system's state
# and the MOSFETs are measured; no frame with an alarm is public, so the bits are the document's alone. What the
# hardware faults are is published nowhere: any of them is one failure. Bytes count from the start of the block.
ALARMS: Bits = {
    (0x09, 0x01): ("cell high, warning", Alarm.HIGH_CELL_VOLTAGE, 1),
    (0x09, 0x02): ("cell high", Alarm.HIGH_CELL_VOLTAGE, 2),
    (0x09, 0x04): ("cell low, warning", Alarm.LOW_CELL_VOLTAGE, 1),
    (0x09, 0x08): ("cell low", Alarm.LOW_CELL_VOLTAGE, 2),
    (0x09, 0x10): ("pack high, warning", Alarm.HIGH_VOLTAGE, 1),
    (0x09, 0x20): ("pack high", Alarm.HIGH_VOLTAGE, 2),
    (0x09, 0x40): ("pack low, warning", Alarm.LOW_VOLTAGE, 1),
    (0x09, 0x80): ("pack low", Alarm.LOW_VOLTAGE, 2),
    (0x0A, 0x01): ("charge hot, warning", Alarm.HIGH_CHARGE_TEMPERATURE, 1),
    (0x0A, 0x02): ("charge hot", Alarm.HIGH_CHARGE_TEMPERATURE, 2),
    (0x0A, 0x04): ("charge cold, warning", Alarm.LOW_CHARGE_TEMPERATURE, 1),
    (0x0A, 0x08): ("charge cold", Alarm.LOW_CHARGE_TEMPERATURE, 2),
    (0x0A, 0x10): ("discharge hot, warning", Alarm.HIGH_TEMPERATURE, 1),
    (0x0A, 0x20): ("discharge hot", Alarm.HIGH_TEMPERATURE, 2),
    (0x0A, 0x40): ("discharge cold, warning", Alarm.LOW_TEMPERATURE, 1),
    (0x0A, 0x80): ("discharge cold", Alarm.LOW_TEMPERATURE, 2),
    (0x0B, 0x01): ("ambient hot, warning", Alarm.HIGH_TEMPERATURE, 1),
    (0x0B, 0x02): ("ambient hot", Alarm.HIGH_TEMPERATURE, 2),
    (0x0B, 0x04): ("ambient cold, warning", Alarm.LOW_TEMPERATURE, 1),
    (0x0B, 0x08): ("ambient cold", Alarm.LOW_TEMPERATURE, 2),
    (0x0B, 0x10): ("MOSFETs hot, warning", Alarm.HIGH_INTERNAL_TEMPERATURE, 1),  # in V1 and V2 the other comes first
    (0x0B, 0x20): ("MOSFETs hot", Alarm.HIGH_INTERNAL_TEMPERATURE, 2),
    (0x0C, 0x01): ("charge current, warning", Alarm.HIGH_CHARGE_CURRENT, 1),
    (0x0C, 0x02): ("charge current", Alarm.HIGH_CHARGE_CURRENT, 2),
    (0x0C, 0x04): ("charge current, second level", Alarm.HIGH_CHARGE_CURRENT, 2),
    (0x0C, 0x08): ("discharge current, warning", Alarm.HIGH_DISCHARGE_CURRENT, 1),
    (0x0C, 0x10): ("discharge current", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (0x0C, 0x20): ("discharge current, second level", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (0x0C, 0x40): ("short circuit", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (0x0D, 0x01): ("locked after short circuits", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (0x0D, 0x0C): ("locked after over-currents", Alarm.HIGH_DISCHARGE_CURRENT, 2),
    (0x0E, 0x04): ("SoC low, warning", Alarm.LOW_SOC, 1),
    (0x0E, 0x08): ("SoC low", Alarm.LOW_SOC, 2),
    (0x0E, 0x10): ("cell difference, warning", Alarm.CELL_IMBALANCE, 1),
    (0x11, 0xFF): ("hardware fault", Alarm.INTERNAL_FAILURE, 2),
}


@cache
def bits_layout() -> Layout:
    """Block 1200. The bits of single cells and sensors repeat what the others say."""
    fields = (
        Field(Column.DISCHARGE_MOSFET, HEADER + 0x0F, "u8", mask=0x01, source=BOTH),
        Field(Column.CHARGE_MOSFET, HEADER + 0x0F, "u8", mask=0x02, source=BOTH),
        Field(Column.HEATING, HEADER + 0x0F, "u8", mask=0x08, source=XZH),
    )
    flags = flags_of(ALARMS, HEADER, XZH)
    flags.append(Flag(Column.BALANCING, HEADER + 6, "u16", 0xFFFF, 2, f"{XZH}: a bit a cell"))
    return Layout(fields, flags, size=HEADER + BITS + CRC, order="big")


# The settings come in two halves of one length, 1300 and 1335. The first begins with two small counts, where the second
# has a temperature.
SENSOR_COUNT, CELL_COUNT = 0, 1
CHARGE_VOLTAGE, CHARGE, DISCHARGE = 0x30, 0x31, 0x32  # of the second half: 10 mV, A, A below zero


@cache
def protections_layout() -> Layout:
    """The first half of the settings."""
    fields = (
        Field(Column.CELL_COUNT, _at(CELL_COUNT), "u16", source=XZH),
        Field(Column.CELL_OVP, _at(0x0D), "u16", 0.001, source=XZH),
        Field(Column.CELL_UVP, _at(0x11), "u16", 0.001, source=XZH),
    )
    return Layout(fields, size=HEADER + SETTINGS + CRC, order="big")


def check_protections(frame: bytes) -> None:
    """FrameError ``layout`` for what is not the first half of the settings."""
    low, high = word(frame, 0x11), word(frame, 0x0D)
    if not (word(frame, SENSOR_COUNT) <= 16 and 1 <= word(frame, CELL_COUNT) <= CELLS and 1000 < low < high < 5000):
        raise FrameError("layout", "not the first half of the settings")


@lru_cache(maxsize=CELLS)
def wishes_layout(cells: int) -> Layout:
    """The second half of the settings, of a pack with so many cells (0: not known)."""
    wish = Field(Column.CELL_CHARGE_REQUEST, _at(CHARGE_VOLTAGE), "u16", 0.01 / max(cells, 1), source=BOTH)
    nominal = Field(Column.NOMINAL_CAPACITY, _at(0x58 - 0x35), "u16", 0.01, source=XZH)
    return Layout((nominal, wish) if cells else (nominal,), size=HEADER + SETTINGS + CRC, order="big")


def check_wishes(frame: bytes) -> None:
    """FrameError ``layout`` for what is not the second half of the settings."""
    charge, discharge = word(frame, CHARGE), word(frame, DISCHARGE, signed=True)
    if not (word(frame, 0) > 255 and word(frame, CHARGE_VOLTAGE) > 1000 and charge <= 2000 and discharge <= 0):
        raise FrameError("layout", "not the second half of the settings")
