"""JKBMS with the 4E57 protocol on its GPS or RS485 socket (115200 baud, 3.3 V): one BMS a port, no addresses.

One question, "read all", reports live values, settings and who the BMS is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from packbank.bms import jkbms_fields as tables
from packbank.bms import trust
from packbank.bms.describe import known_values
from packbank.bms.jkbms_frames import (
    ASK_ALL,
    COMMANDS,
    HEADER,
    MARK,
    REQUEST,
    alarm_word,
    conceal,
    fill,
    frame_fault,
    frame_size,
    identify,
    unroll,
)
from packbank.bms.protocol import Description, Exchange, Line, Protocol, Row, Topic
from packbank.bms.search import FrameSearch
from packbank.cext.checksum import sum16
from packbank.errors import FrameError
from packbank.model.columns import COLUMNS, Column
from packbank.model.identity import Identity

QUESTION = "all"
ONLY = 1  # the address in the configuration; none is on the wire
BYTE_TIME = 10 / 115_200
TURNAROUND = 0.0005  # s; 0.18 to 0.45 ms were measured
USUAL_SIZE = 291  # bytes of an answer: 16 cells, firmware since 2021


class JkBmsExchange(Exchange):
    """Read all. ``rejected``: ``sum16``, ``type``, ``terminal``, ``truncated``."""

    answer_time = TURNAROUND + USUAL_SIZE * BYTE_TIME

    def __init__(self) -> None:
        self.address = ONLY
        self.question = QUESTION
        self.request = ASK_ALL
        self._search = FrameSearch([MARK], frame_size, frame_fault)
        self.rejected: list[FrameError] = self._search.refused
        self.answer = b""

    def feed(self, data: bytes) -> bool:
        """As :meth:`Exchange.feed`."""
        if not self.answer:
            self.answer = self._search.feed(data) if data else self._search.flush()
        return bool(self.answer)


class JkBms(Protocol):
    """One JKBMS without RS485 bus address."""

    name = "jkbms"
    title = "JKBMS (4E57 protocol), serial"
    # The document asks for 100 ms between two packets; nobody else shares the line.
    line = Line(
        baudrates=(115_200,),
        first_byte_timeout=0.200,
        idle_timeout=0.050,
        silence=0.100,
        silence_min=0.100,
        silence_max=0.500,
        same_pack_gap=0.400,
    )
    addresses = range(ONLY, ONLY + 1)
    no_address = (
        "a JKBMS with the 4E57 protocol has no address: one BMS a port, every port its own [bus:NAME]; "
        f"leave BATTERY_ADDRESSES away or write {ONLY:#04x}"
    )
    questions: Mapping[Topic, tuple[str, ...]] = MappingProxyType(dict.fromkeys(Topic, (QUESTION,)))

    def exchange(self, question: str, address: int) -> JkBmsExchange:
        """As :meth:`Protocol.exchange`; ValueError for another question or address than the only one."""
        if reason := self.explain_address(address):
            raise ValueError(reason)
        if question not in self.questions[Topic.STATUS]:
            raise ValueError(f"{question!r} is no question of {self.title}")
        return JkBmsExchange()

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """As :meth:`Protocol.decode`; for 16 s after its start a BMS says 0 % and 0 cycles, which are unknown then."""
        del address, question, identity  # every answer reports all of it
        record = unroll(data)
        fill(record, row)
        if row[Column.SOC] == 0 and row[Column.CYCLES] == 0 and not alarm_word(row) & tables.LOW_BITS:
            row[Column.SOC] = row[Column.CYCLES] = np.nan
        return identify(record, row)

    def check(self, row: Row, previous: Row) -> None:
        """As :meth:`Protocol.check`."""
        trust.check(row, previous)

    def describe(self, data: bytes) -> Description:
        """As :meth:`Protocol.describe`."""
        return describe(data)

    def conceal(self, data: bytes) -> bytes:
        """As :meth:`Protocol.conceal`: all but whole answers and questions, and the password in them."""
        return conceal(data)


def describe(data: bytes) -> Description:
    """What a message is: an answer, a request, or a damaged one."""
    search = FrameSearch([MARK], frame_size, frame_fault)
    frame = search.feed(data) or search.flush()
    if not frame:
        return _describe_request(data, search.refused)
    row = np.full(COLUMNS, np.nan)
    try:
        record = unroll(frame)
        fill(record, row)
        trust.check(row, row)
    except FrameError as error:
        return Description("status", str(error), address=ONLY)
    alarms = [name for bit, (name, _, _) in enumerate(tables.ALARMS) if alarm_word(row) >> bit & 1]
    return Description("status", address=ONLY, values=known_values(row, identify(record, row)) | {"alarms": alarms})


def _describe_request(data: bytes, refused: list[FrameError]) -> Description:
    start = data.find(MARK)
    frame = data[start:] if start >= 0 else b""
    if len(frame) >= HEADER and frame[10] == REQUEST:
        if int.from_bytes(frame[-2:]) != sum16(frame[:-4]):
            return Description("request", f"sum16: the bytes add up to {sum16(frame[:-4]):#06x}")
        return Description("request", values={"command": COMMANDS.get(frame[8], f"{frame[8]:#04x}")})
    return Description("unknown", str(refused[0] if refused else FrameError("unknown", "no 4E57 frame")))
