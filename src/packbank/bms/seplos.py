"""Seplos V1 and V2 (10xx, 11xx, EMU) on RS485. V3 is another protocol.

A pack is asked at its DIP number, which is ADR and the number in INFO. Lengths follow from the cells: 15 in series are
as good as 16. Packs in parallel are asked by their master too, on the line between them, with another command (0x5A).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from struct import Struct
from types import MappingProxyType

from packbank.bms import seplos_fields as tables
from packbank.bms.ascii_counts import check_cells, counted, fill_states, name_states
from packbank.bms.ascii_frames import CODE, Question, Way
from packbank.bms.ascii_protocol import LINE, AsciiProtocol
from packbank.bms.protocol import Row, Topic
from packbank.bms.pylontech import MAKER as PYLONTECH
from packbank.cext.envelope import HEADER
from packbank.errors import FrameError
from packbank.model.columns import Column
from packbank.model.identity import Identity

VERSION = 0x20
MAKER_SIZE = HEADER + 32
TO_MASTER = 0x5A
SUMMARY = Struct(">BBHHHHhHHHHH")  # measured in two answers


def check_analog(opened: bytes) -> None:
    """As :attr:`Question.check`."""
    shape = counted(opened, 2)
    if shape.rest != tables.ANALOG_REST or opened[shape.end + tables.COUNT_AT] != tables.COUNT:
        raise shape.misfit
    check_cells(opened, shape)


def fill_analog(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`."""
    tables.analog_layout(counted(opened, 2)).decode_into(opened, row)
    row[Column.POWER] = row.item(Column.VOLTAGE) * row.item(Column.CURRENT)
    return identity


def check_alarm(opened: bytes) -> None:
    """As :attr:`Question.check`."""
    shape = counted(opened, 1)
    if shape.rest != tables.ALARM_REST or opened[shape.end + tables.EVENTS_AT] != tables.EVENTS:
        raise shape.misfit


def check_maker(opened: bytes) -> None:
    """As :attr:`Question.check`; Pylontech has the same form."""
    if len(opened) != MAKER_SIZE or PYLONTECH in opened or not opened[HEADER : HEADER + 4].isalnum():
        raise FrameError("layout", "no name of a Seplos BMS")


def fill_maker(opened: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Question.fill`: ten characters of the BMS, two numbers of its version, twenty of the CAN protocol."""
    del row
    model = opened[HEADER : HEADER + 10].decode("ascii", "replace").strip("\0 ")
    major, minor = opened[HEADER + 10 : HEADER + 12]
    return replace(identity, model=model, software=f"{major}.{minor}")


ASKED: Mapping[str, Question] = MappingProxyType(
    {
        "analog": Question(0x42, check_analog, fill_analog, 150, numbered=True),
        "alarm": Question(
            0x44,
            check_alarm,
            partial(fill_states, tables.alarm_layout),
            98,
            numbered=True,
            names=partial(name_states, tables.ALARMS, behind=tables.TO_EVENTS),
        ),
        "maker": Question(0x51, check_maker, fill_maker, 64),
    }
)


class Seplos(AsciiProtocol):
    """Seplos packs of the first two generations."""

    name = "seplos"
    title = "Seplos V1/V2 (ASCII protocol), RS485"
    line = LINE.at(19_200, 9_600)  # its document has 9600 baud, in practice it is 19200 (syssi, dbus-serialbattery)
    addresses = range(0x00, 0x10)
    no_address = "address {:#04x} cannot be set on a Seplos pack: its four DIP switches make 0x00 to 0x0F"
    reports_limits = False
    versions = (VERSION,)
    questions = MappingProxyType({Topic.STATUS: ("analog", "alarm"), Topic.ABOUT: ("maker",)})
    asked = ASKED

    def ways(self, address: int) -> Sequence[Way]:
        """As :meth:`AsciiProtocol.ways`. A pack at 0 may go by number 1.

        Others are not asked through it: alone at 0 it would answer to their numbers with its own values.
        """
        own = Way(VERSION, address, address)
        return [own] if address else [own, Way(VERSION, 0, 1)]

    def mine(self, address: int, way: Way, sender: int, number: int) -> bool:
        """As :meth:`AsciiProtocol.mine`; some answer with the number 0 whatever they are."""
        return sender == address and number in (way.number, 0)

    def summary(self, opened: bytes) -> Mapping[str, object]:
        """As :meth:`AsciiProtocol.summary`: what a pack reports to its master, with the command in place of RTN."""
        if opened[CODE] != TO_MASTER or len(opened) < HEADER + SUMMARY.size:
            return {}
        _, group, high, low, hot, cold, *rest = SUMMARY.unpack_from(opened, HEADER)
        current, voltage, remaining, full, soc, port = rest
        return {
            "group": group,
            "highest_cell": high / 1000,
            "lowest_cell": low / 1000,
            "hottest": (hot - tables.ZERO) / 10,
            "coldest": (cold - tables.ZERO) / 10,
            "current": current / 100,
            "voltage": voltage / 100,
            "remaining_capacity": remaining / 100,
            "full_capacity": full / 100,
            "soc": soc / 10,
            "port_voltage": port / 100,
        }
