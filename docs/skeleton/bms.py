"""Acme packs on RS485: one question, one answer in Modbus RTU. A skeleton to copy to ``src/packbank/bms/acme.py``.

It is complete and tested, but of a family that does not exist. Replace what it says, keep what it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import numpy as np

from packbank.bms import trust
from packbank.bms.describe import known_values
from packbank.bms.fields import Field, Flag
from packbank.bms.protocol import Description, Exchange, Line, Protocol, Row, Topic
from packbank.bms.search import FrameSearch
from packbank.cext.checksum import crc16_modbus
from packbank.cext.layout import Layout
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Alarm, Column
from packbank.model.identity import Identity

READ = 0x04
HEADER = 3  # address, function, count of the bytes that follow
REGISTERS = 20
BYTE_TIME = 10 / 9600
LATENCY = 0.05  # s from the request to the first byte: say who measured it

DOCUMENT = "the document, its version and page; every row says where its offset comes from"
STATUS = (
    Field(Column.VOLTAGE, 0, "u16", 0.01, source=DOCUMENT),
    Field(Column.CURRENT, 2, "i16", 0.01, source=f"{DOCUMENT}; + charges"),
    Field(Column.SOC, 4, "u16", 0.1, source=DOCUMENT),
    Field(CELL_VOLTAGES.start, 8, "u16", 0.001, absent=0, count=16, source=DOCUMENT),
)
ALARMS = {  # mask of the word at 6 -> name, alarm, level: 2 where it cuts a path, 1 where it warns
    0x0001: ("cell high", Alarm.HIGH_CELL_VOLTAGE, 2),
    0x0002: ("cell low", Alarm.LOW_CELL_VOLTAGE, 2),
    0x0004: ("cell high, warning", Alarm.HIGH_CELL_VOLTAGE, 1),
}


@cache
def layout() -> Layout:
    """How the registers are decoded and, in the simulated pack, encoded."""
    flags = tuple(
        Flag(alarm.column, 6, "u16", mask, level, f"{DOCUMENT}: {name}")
        for mask, (name, alarm, level) in ALARMS.items()
    )
    return Layout(STATUS, flags, size=2 * REGISTERS, order="big")


def seal(frame: bytes) -> bytes:
    """A frame with its CRC."""
    return frame + crc16_modbus(frame).to_bytes(2, "little")


def request(address: int) -> bytes:
    """The question of a master."""
    return seal(bytes((address, READ, 0, 0, 0, REGISTERS)))


def frame_size(data: bytes) -> int:
    """As FrameSearch asks it; a frame of another length is a request or an answer to somebody else's."""
    if len(data) < HEADER:
        return 0
    return HEADER + 2 * REGISTERS + 2 if data[2] == 2 * REGISTERS else -1


def frame_fault(frame: bytes) -> FrameError | None:
    """What is wrong with a frame of the right length; its reason has a remedy in ``bms/remedies.py``."""
    return FrameError("sum16", "the CRC is wrong") if crc16_modbus(frame) else None  # 0 over frame and CRC


class AcmeExchange(Exchange):
    """The question to one pack. ``rejected``: ``sum16``, ``truncated``."""

    def __init__(self, question: str, address: int) -> None:
        self.address = address
        self.question = question
        self.request = request(address)
        self.answer_time = LATENCY + (HEADER + 2 * REGISTERS + 2) * BYTE_TIME
        self._search = FrameSearch([bytes((address, READ))], frame_size, frame_fault)
        self.rejected: list[FrameError] = self._search.refused
        self.answer = b""

    def feed(self, data: bytes) -> bool:
        """As :meth:`Exchange.feed`."""
        if not self.answer:
            self.answer = self._search.feed(data) if data else self._search.flush()
        return bool(self.answer)


class Acme(Protocol):
    """Acme packs."""

    name = "acme"
    title = "Acme packs, RS485"
    line = Line(  # say of each figure who measured it
        baudrates=(9_600,),
        first_byte_timeout=0.200,
        idle_timeout=0.050,
        silence=0.050,
        silence_min=0.020,
        silence_max=0.300,
        same_pack_gap=0.050,
    )
    addresses = range(0x01, 0x10)
    questions: Mapping[Topic, tuple[str, ...]] = MappingProxyType({Topic.STATUS: ("status",)})
    steady_question = "status"
    reports_limits = False

    def exchange(self, question: str, address: int) -> AcmeExchange:
        """As :meth:`Protocol.exchange`; ValueError for an address that no pack can have."""
        if reason := self.explain_address(address):
            raise ValueError(reason)
        return AcmeExchange(question, address)

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """As :meth:`Protocol.decode`."""
        del address, question
        layout().decode_into(data, row, HEADER)
        row[Column.POWER] = row[Column.VOLTAGE] * row[Column.CURRENT]
        return identity

    def check(self, row: Row, previous: Row) -> None:
        """As :meth:`Protocol.check`."""
        trust.check(row, previous)

    def describe(self, data: bytes) -> Description:
        """As :meth:`Protocol.describe`."""
        for address in self.addresses:
            if request(address) in data:
                return Description("request", address=address)
            exchange, row = AcmeExchange("status", address), np.full(COLUMNS, np.nan)
            if exchange.feed(data) or exchange.feed(b""):
                try:
                    identity = self.decode(address, "status", exchange.answer, row, Identity())
                    self.check(row, row)
                except FrameError as error:
                    return Description("status", str(error), address=address)
                return Description("status", address=address, values=known_values(row, identity))
            if exchange.rejected:
                return Description("unknown", str(exchange.rejected[0]))
        return Description("unknown", "no Acme frame")
