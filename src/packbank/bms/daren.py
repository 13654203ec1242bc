"""Daren BMS and its relatives (Basen, SacredSun, Tian, Revov SX2) on RS485 or RS232, ASCII protocol 2.2.

An answer has no number: ADR alone says whose it is. 0x47 reports what the BMS allows for charging; nothing reports that
for discharging, so the owner writes both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import nan
from types import MappingProxyType

from packbank.bms import daren_fields as tables
from packbank.bms.ascii_frames import CODE, NO_NUMBER, Question
from packbank.bms.ascii_protocol import LINE, AsciiProtocol
from packbank.bms.fields import names_of
from packbank.bms.protocol import Row, Topic
from packbank.bms.sensors import put_temperatures
from packbank.cext.envelope import HEADER
from packbank.errors import FrameError
from packbank.model.columns import BATTERY_TEMPERATURES, CELLS, Column
from packbank.model.identity import Identity

VERSION = 0x22
CID1 = 0x4A
MAKER_TEXTS = 30  # three of ten characters, then three numbers of the version
MAKER_LEAST = HEADER + MAKER_TEXTS + 3
SOC_AGREES = 2.0  # %
GROUP, CAPACITY = 0xB0, 0x04  # of what the BMS has in groups, this one is shown by decode


def check_analog(opened: bytes) -> None:
    """As :attr:`Question.check`."""
    shape = tables.shape_of(opened)
    if not any(opened[tables.CELLS_AT + 1 : shape.middle]):
        raise FrameError("empty", f"all {shape.cells} cells are 0 V")


def fill_analog(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`."""
    shape = tables.shape_of(opened)
    tables.analog_layout(shape).decode_into(opened, row)
    row[Column.POWER] = row.item(Column.VOLTAGE) * row.item(Column.CURRENT)
    _fill_charge(row)
    row[Column.FLOW] = tables.FLOWS.get(opened[shape.end + tables.FLOW_AT] & 0x03, 0)
    fets = tables.FETS.get(opened[shape.end + tables.FET_AT] & 0x03, (nan, nan))
    row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET] = fets
    if shape.sensors > len(BATTERY_TEMPERATURES):
        places = range(shape.middle + 7, shape.end, 2)
        put_temperatures(row, [int.from_bytes(opened[at : at + 2], signed=True) / 10 for at in places])
    return identity


def _fill_charge(row: Row) -> None:
    """Some packs report the state of charge in whole percent, as a hundredth of it: the capacities say which."""
    reported, full = row.item(Column.SOC), row.item(Column.FULL_CAPACITY)
    counted = 100.0 * row.item(Column.REMAINING_CAPACITY) / full if full > 0.0 else nan
    if reported <= 1.0 and abs(100.0 * reported - counted) <= SOC_AGREES:
        row[Column.SOC] = 100.0 * reported


def name_alarms(opened: bytes) -> list[str]:
    """As :attr:`Question.names`."""
    return names_of(tables.ALARMS, opened, tables.shape_of(opened).end)


def _word(opened: bytes, at: int) -> int:
    return int.from_bytes(opened[at : at + 2])


def check_parameters(opened: bytes) -> None:
    """As :attr:`Question.check`: no real frame of it is kept here, so what it says must make sense."""
    fits = len(opened) in tables.PARAMETERS_SIZES
    high, low = _word(opened, tables.AT), _word(opened, tables.AT + 2)
    limits = [_word(opened, at) for at in tables.CHARGE_LIMITS]
    if not fits or not 1000 < low < high < 5000 or not 1 <= _word(opened, tables.PARAMETER_CELLS) <= CELLS:
        raise FrameError("layout", f"{len(opened) - HEADER} bytes are no parameters")
    if min(limits) < 100:
        raise FrameError("layout", f"charge limits of {limits[0] / 100} and {limits[1] / 100} A")


def fill_parameters(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`; the barcodes are the only serial numbers."""
    tables.parameters_layout().decode_into(opened, row)
    row[Column.CHARGE_CURRENT_LIMIT] = min(_word(opened, at) for at in tables.CHARGE_LIMITS) / 100
    serial = " ".join(_text(opened[tables.BARCODES]).split())
    return replace(identity, serial=serial) if serial else identity


def check_maker(opened: bytes) -> None:
    """As :attr:`Question.check`."""
    texts = opened[HEADER : HEADER + MAKER_TEXTS]
    if not MAKER_LEAST <= len(opened) < MAKER_LEAST + 10 or not all(byte < 127 for byte in texts) or not any(texts):
        raise FrameError("layout", "no names of a maker")


def fill_maker(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`."""
    del row
    _, hardware, model = (_text(opened[at : at + 10]).strip() for at in range(HEADER, HEADER + MAKER_TEXTS, 10))
    version = opened[HEADER + MAKER_TEXTS : MAKER_LEAST]
    return replace(identity, model=model, hardware=hardware, software=".".join(map(str, version)))


def _text(raw: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else " " for byte in raw)


ASKED: Mapping[str, Question] = MappingProxyType(
    {
        "analog": Question(0x42, check_analog, fill_analog, 198, numbered=True, number_at=NO_NUMBER, names=name_alarms),
        "parameters": Question(0x47, check_parameters, fill_parameters, 130, numbered=True, number_at=NO_NUMBER),
        "maker": Question(0x51, check_maker, fill_maker, 74),
    }
)


class Daren(AsciiProtocol):
    """Daren packs."""

    name = "daren"
    title = "Daren BMS (Basen, SacredSun, Tian; ASCII protocol), RS485 or RS232"
    line = LINE.at(19_200, 9_600)  # basen has both; dbus-serialbattery waits for 0.4 s after each question
    addresses = range(0x01, 0x10)
    no_address = (
        "address {:#04x} cannot be set on a Daren pack: its DIP switches 1 to 4 make 0x01 to 0x0F; 5 and 6 make it a "
        "master that asks the others itself, so leave them off"
    )
    reports_limits = False
    steady_question = "analog"
    cid1 = CID1
    versions = (VERSION,)
    questions = MappingProxyType({Topic.STATUS: ("analog",), Topic.SETTINGS: ("parameters",), Topic.ABOUT: ("maker",)})
    asked = ASKED

    def summary(self, opened: bytes) -> Mapping[str, object]:
        """As :meth:`AsciiProtocol.summary`: the capacities, which repeat what was asked before them."""
        info = opened[HEADER:]
        if opened[CODE] or len(info) < 12 or (info[0], info[3]) != (GROUP, CAPACITY):
            return {}
        names = ("remaining_capacity", "full_capacity", "nominal_capacity")
        values = {name: _word(info, 6 + 2 * place) / 100 for place, name in enumerate(names)}
        return {**values, "info": info.hex()}
