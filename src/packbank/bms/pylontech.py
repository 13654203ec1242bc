"""Pylontech low voltage packs (US2000 to US5000, UP2500, Phantom-S) on their RS485 port, protocol 3.3.

The first pack is asked at 2, those behind it at 3 and so on: it fetches their answers itself. 0x92 reports what a
module allows at this moment, which is asked with every status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from struct import Struct
from types import MappingProxyType

from packbank.bms import pylontech_fields as tables
from packbank.bms.ascii_counts import (
    COUNTS,
    PYLONTECH_FULL,
    Shape,
    ask_states,
    check_cells,
    counted,
    finish,
    raw_full,
    split_counted,
    unwrap_voltage,
)
from packbank.bms.ascii_frames import CODE, Question
from packbank.bms.ascii_protocol import LINE, AsciiProtocol
from packbank.bms.protocol import Row, Topic
from packbank.bms.sensors import put_tenths
from packbank.cext.envelope import HEADER
from packbank.errors import FrameError
from packbank.model.columns import Column
from packbank.model.identity import Identity

VERSION = 0x20
MAKER = b"Pylon"  # in the answer to 0x51, which Seplos has in the same form
SERIAL_SIZE = HEADER + 1 + 16
SOFTWARE_SIZE = HEADER + 1 + 5
MAKER_SIZE = HEADER + 32
BANK = Struct(">HhBHHBB19H")  # of 0x61: measured in one frame
BANK_LIMITS = Struct(">HHHHB")  # of 0x63


def check_analog(opened: bytes) -> None:
    """As :attr:`Question.check`."""
    shape = counted(opened, 2)
    kind = opened[shape.end + tables.KIND_AT] if shape.rest > tables.KIND_AT else 0
    if shape.rest != tables.RESTS.get(kind) or (kind == tables.SMALL and raw_full(opened, shape) < PYLONTECH_FULL):
        raise shape.misfit
    check_cells(opened, shape)


def fill_analog(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`."""
    shape = counted(opened, 2)
    tables.analog_layout(shape).decode_into(opened, row)
    if shape.sensors > len(tables.ROLES):
        start = COUNTS + 2 + 2 * shape.cells
        put_tenths(row, opened[start + 2 : shape.end], tables.ZERO)
    unwrap_voltage(row, tables.VOLTAGE_SPAN)
    finish(row)
    return identity


def split_analog(opened: bytes) -> list[bytes]:
    """The answer about all modules as answers about one; each says itself of which kind it is."""
    return split_counted(opened, _end)


def _end(opened: bytes, shape: Shape) -> int:
    kind = opened[shape.end + tables.KIND_AT] if shape.rest > tables.KIND_AT else 0
    if kind not in tables.RESTS:
        raise FrameError("layout", f"kind {kind}")
    return shape.end + tables.RESTS[kind]


def _word(opened: bytes, at: int) -> int:
    return int.from_bytes(opened[at : at + 2], signed=True)


def check_limits(opened: bytes) -> None:
    """As :attr:`Question.check`: charging is positive, discharging negative, and 0 is none."""
    fits = len(opened) == tables.LIMITS_SIZE
    if not fits or _word(opened, tables.CHARGE_CURRENT) < 0 or _word(opened, tables.DISCHARGE_CURRENT) > 0:
        raise FrameError("layout", f"{opened[HEADER:].hex()} reports no limits")


def fill_limits(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`. What is not allowed is 0 A, whatever current stands there."""
    cells = row.item(Column.CELL_COUNT)
    tables.limits_layout(int(cells) if cells > 0 else 0).decode_into(opened, row)
    allowed = opened[tables.ALLOWED]
    if not allowed & tables.CHARGE_ALLOWED:
        row[Column.CHARGE_CURRENT_LIMIT] = 0.0
    if not allowed & tables.DISCHARGE_ALLOWED:
        row[Column.DISCHARGE_CURRENT_LIMIT] = 0.0
    return identity


def check_parameters(opened: bytes) -> None:
    """As :attr:`Question.check`."""
    if len(opened) != tables.PARAMETERS_SIZE:
        raise FrameError("layout", f"{len(opened) - HEADER} bytes are no parameters")


def fill_parameters(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`."""
    tables.parameters_layout().decode_into(opened, row)
    return identity


def check_maker(opened: bytes) -> None:
    """As :attr:`Question.check`."""
    if len(opened) != MAKER_SIZE or MAKER not in opened:
        raise FrameError("layout", "not Pylontech's name")


def fill_maker(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`: ten characters of the model, two numbers of its version, twenty of the maker."""
    del row
    return replace(identity, model=_text(opened[HEADER : HEADER + 10]))


def check_serial(opened: bytes) -> None:
    """As :attr:`Question.check`."""
    if len(opened) != SERIAL_SIZE:
        raise FrameError("layout", "no serial number")


def fill_serial(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`."""
    del row
    return replace(identity, serial=_text(opened[HEADER + 1 :]))


def check_software(opened: bytes) -> None:
    """As :attr:`Question.check`."""
    if len(opened) != SOFTWARE_SIZE:
        raise FrameError("layout", "no software version")


def fill_software(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`: the maker's version of two numbers, the main line's of three."""
    del row
    maker, line = opened[HEADER + 1 : HEADER + 3], opened[HEADER + 3 :]
    return replace(identity, software=f"{'.'.join(map(str, maker))}-{'.'.join(map(str, line))}")


def _text(raw: bytes) -> str:
    return "".join(chr(byte) for byte in raw if 32 <= byte < 127).strip()


ASKED: Mapping[str, Question] = MappingProxyType(
    {
        "analog": Question(0x42, check_analog, fill_analog, 122, numbered=True, split=split_analog),
        "limits": Question(0x92, check_limits, fill_limits, 20, numbered=True, number_at=HEADER),
        "alarm": ask_states(tables.ALARM_REST, tables.alarm_layout, tables.ALARMS, 66),
        "parameters": Question(0x47, check_parameters, fill_parameters, 50),
        "serial": Question(0x93, check_serial, fill_serial, 34, numbered=True, number_at=HEADER),
        "software": Question(0x96, check_software, fill_software, 12, numbered=True, number_at=HEADER),
        "maker": Question(0x51, check_maker, fill_maker, 64),
    }
)


class Pylontech(AsciiProtocol):
    """Pylontech packs."""

    name = "pylontech"
    title = "Pylontech (low voltage protocol 3.3), RS485"
    # Pylontech gives no times. A master fetches the answers of the packs behind it first, so it may be as late as other
    # families with this envelope; the pauses are ours.
    line = replace(
        LINE.at(115_200, 9_600),
        idle_timeout=0.060,
        silence=0.050,
        silence_min=0.020,
        silence_max=0.300,
        same_pack_gap=0.030,
    )
    latency = 0.030
    addresses = range(0x02, 0x0E)
    no_address = (
        "address {:#04x}: the first Pylontech pack is 0x02, those linked behind it 0x03 to 0x0D, which they give "
        "themselves; further groups (DIP switches) are not read"
    )
    versions = (VERSION,)
    questions = MappingProxyType(
        {
            Topic.STATUS: ("analog", "limits", "alarm"),
            Topic.SETTINGS: ("parameters",),
            Topic.ABOUT: ("maker", "serial", "software"),
        }
    )
    asked = ASKED

    def summary(self, opened: bytes) -> Mapping[str, object]:
        """As :meth:`AsciiProtocol.summary`: values and limits of a bank (0x61, 0x63), which nothing here asks."""
        info = opened[HEADER:]
        if opened[CODE] == 0 and len(info) == BANK.size:
            voltage, current, soc, *rest = BANK.unpack(info)
            cycles, _, soh, _, high, high_pack, low, low_pack, _, hot, _, cold, _, mos, *_ = rest
            return {
                "voltage": voltage / 1000,
                "current": current / 100,  # the unit is a guess: it is 0 in the one frame that is public
                "soc": soc,
                "cycles": cycles,
                "soh": soh,
                "highest_cell": high / 1000,
                "highest_cell_pack": high_pack,
                "lowest_cell": low / 1000,
                "lowest_cell_pack": low_pack,
                "hottest": (hot - tables.ZERO) / 10,
                "coldest": (cold - tables.ZERO) / 10,
                "mos": (mos - tables.ZERO) / 10,
            }
        if opened[CODE] == 0 and len(info) == BANK_LIMITS.size:
            charge_voltage, discharge_voltage, charge, discharge, _ = BANK_LIMITS.unpack(info)
            return {
                "charge_voltage": charge_voltage / 1000,
                "discharge_voltage": discharge_voltage / 1000,
                "charge_current_limit": charge / 10,
                "discharge_current_limit": discharge / 10,
            }
        return {}
