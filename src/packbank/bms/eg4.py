"""EG4 LifePower and its relatives (Tianpower, Narada 48NPFC, Revov, Basen) on RS485, addresses 1 to 15.

A frame is ``7E address command length payload check 0D``; some units begin with ``7C``, and which one a pack speaks is
found out by asking. 0D and 7E occur inside payloads too, so the length byte alone says where a frame ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from packbank.bms import eg4_fields as tables
from packbank.bms import trust
from packbank.bms.describe import known_values
from packbank.bms.fields import Text
from packbank.bms.lookalikes import stranger
from packbank.bms.memory import Memories, Memory
from packbank.bms.protocol import Description, Exchange, Line, Protocol, Row, Topic
from packbank.bms.search import FrameSearch
from packbank.bms.sensors import put_temperatures
from packbank.cext.checksum import sum_xor8
from packbank.errors import FrameError
from packbank.model.columns import ALARMS, COLUMNS, Column
from packbank.model.identity import Identity

STARTS = (0x7E, 0x7C)
END = 0x0D
HEADER = 4  # start, address, command, length
COMMANDS: Mapping[str, int] = MappingProxyType({"status": 0x01, "firmware": 0x33, "barcode": 0x42})
BYTE_TIME = 10 / 9600
LATENCY = 0.10  # s; 41 to 250 ms were measured
USUAL_SIZE: Mapping[str, int] = MappingProxyType({"status": 94, "firmware": 28, "barcode": 28})
ERRORS = ("none", "version", "checksum", "length checksum", "command", "format", "data")  # codes, from basen


def seal(frame: bytes) -> bytes:
    """A frame from its start to its payload, with check byte and end: (sum XOR xor) of all before, from basen."""
    return frame + bytes((sum_xor8(frame), END))


def request(start: int, address: int, command: int) -> bytes:
    """The question of a master."""
    return seal(bytes((start, address, command, 0)))


def frame_size(data: bytes) -> int:
    """As FrameSearch asks it; a frame without a payload is a request, maybe our own come back, and none of ours."""
    if len(data) < HEADER:
        return 0
    return HEADER + data[3] + 2 if data[3] else -1


def frame_fault(frame: bytes) -> FrameError | None:
    """What is wrong with a frame of the length that it states."""
    received, expected = frame[-2], sum_xor8(frame[:-2])
    if received != expected or frame[-1] != END:
        return FrameError("check", f"check byte {received:#04x}, the bytes make {expected:#04x}; end {frame[-1]:#04x}")
    if frame[3] == 1 and frame[HEADER]:
        code = frame[HEADER]
        name = ERRORS[code] if code < len(ERRORS) else "unknown"
        return FrameError("refused", f"the pack refuses command {frame[2]:#04x}: error {code} ({name})")
    return None


class Eg4Exchange(Exchange):
    """One command to one pack.

    ``rejected``: ``check``, ``truncated``, ``refused`` (the pack's error code).
    """

    def __init__(self, question: str, address: int, memory: Memory[int]) -> None:
        self.address = address
        self.question = question
        self._start = memory.ask(question)
        self.request = request(self._start, address, COMMANDS[question])
        self.answer_time = LATENCY + USUAL_SIZE[question] * BYTE_TIME
        self._memory = memory
        heads = [bytes((start, address, COMMANDS[question])) for start in STARTS]
        self._search = FrameSearch(heads, frame_size, frame_fault)
        self.rejected: list[FrameError] = self._search.refused
        self.answer = b""

    def feed(self, data: bytes) -> bool:
        """As :meth:`Exchange.feed`."""
        if not self.answer:
            self.answer = self._search.feed(data) if data else self._search.flush()
            if self.answer:
                self._memory.answer(self.question, self._start, len(self.answer))
        return bool(self.answer)


def fill(question: str, payload: bytes, row: Row, identity: Identity) -> Identity:
    """Decode a payload, as :meth:`Protocol.decode`."""
    if question == "status":
        fill_status(payload, row)
        return identity
    text = Text("", 0, len(payload)).decode(payload)
    return replace(identity, software=text) if question == "firmware" else replace(identity, serial=text)


def fill_status(payload: bytes, row: Row) -> None:
    """Decode the groups into ``row``; FrameError when they cannot be walked or an essential one is missing."""
    groups = tables.groups()
    try:
        record, _ = groups.unroll(payload)  # an unknown group ends the walk; what stands behind it nobody knows
    except ValueError as error:
        raise FrameError("groups", str(error)) from error
    missing = [tag for tag in tables.ESSENTIAL if not record[groups.count(tag)]]
    if missing:
        raise FrameError("groups", f"group {missing[0]:#04x} is missing")
    tables.layout().decode_into(record, row)
    if record[groups.count(tables.STATUS_GROUP)] < tables.STATUS_WORDS:
        row[ALARMS] = np.nan
    row[Column.POWER] = row[Column.VOLTAGE] * row[Column.CURRENT]
    _fill_temperatures(record, row)


def _fill_temperatures(record: bytes, row: Row) -> None:
    groups = tables.groups()
    start = groups.value(tables.TEMPERATURE_GROUP)
    reported = record[start : start + 2 * record[groups.count(tables.TEMPERATURE_GROUP)]]
    sensors = [(tag, raw + tables.COLDEST) for tag, raw in zip(reported[::2], reported[1::2], strict=True)]
    row[Column.TEMPERATURE_MOS] = max((value for tag, value in sensors if tag in tables.MOSFET_SENSORS), default=np.nan)
    put_temperatures(row, [value for tag, value in sensors if tag == tables.CELL_SENSOR])


class Eg4(Protocol):
    """EG4 LifePower packs with the binary protocol."""

    name = "eg4"
    title = "EG4 LifePower (binary protocol), RS485"
    # A pack begins to answer after 41 to 250 ms. basen keeps 100 ms between two requests, asks no pack more than once
    # a second; faster asking was seen to cost answers (dbus-serialbattery).
    line = Line(
        baudrates=(9_600,),
        first_byte_timeout=0.400,
        idle_timeout=0.050,
        silence=0.100,
        silence_min=0.050,
        silence_max=0.500,
        same_pack_gap=0.700,
    )
    addresses = range(0x01, 0x10)
    no_address = (
        "address {:#04x} cannot be set on an EG4 LifePower: its four DIP switches make 0x01 to 0x0F (0x10 belongs to "
        "EG4-LL, which speaks Modbus)"
    )
    reports_limits = False
    questions: Mapping[Topic, tuple[str, ...]] = MappingProxyType(
        {Topic.STATUS: ("status",), Topic.ABOUT: ("firmware", "barcode")}
    )

    def __init__(self) -> None:
        # The ways to ask are the first bytes that a pack may want.
        self._memories = Memories(lambda _: Memory(list(STARTS)))

    def exchange(self, question: str, address: int) -> Eg4Exchange:
        """As :meth:`Protocol.exchange`; ValueError for an address that no pack can have."""
        if reason := self.explain_address(address):
            raise ValueError(reason)
        return Eg4Exchange(question, address, self._memories.of(address))

    def ways_to_ask(self, address: int) -> int:
        """As :meth:`Protocol.ways_to_ask`."""
        return len(self._memories.of(address).ways)

    def may_lack(self, address: int, question: str) -> bool:
        """As :meth:`Protocol.may_lack`: not every pack reports its firmware and its barcode."""
        del address
        return question in self.questions[Topic.ABOUT]

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """As :meth:`Protocol.decode`."""
        del address
        return fill(question, data[HEADER:-2], row, identity)

    def check(self, row: Row, previous: Row) -> None:
        """As :meth:`Protocol.check`. The check byte lets every second flipped bit pass.

        Where a bit's change makes no carry, the sum and the XOR of all bytes change alike, and their XOR does not.
        """
        trust.check(row, previous)
        trust.check_steps(row, previous)

    def describe(self, data: bytes) -> Description:
        """As :meth:`Protocol.describe`."""
        return describe(data)

    def explain_address(self, address: int) -> str:
        """As :meth:`Protocol.explain_address`."""
        if address == 0:
            return (
                "address 0x00 is a pack with all DIP switches off: it polls the others itself; give every pack an "
                "address of its own, 0x01 to 0x0F, and use the port between the packs"
            )
        return super().explain_address(address)


def describe(data: bytes) -> Description:
    """What a message is: an answer, a request, or another protocol's."""
    refused: list[FrameError] = []
    for start in range(len(data) - HEADER - 1):
        if data[start] in STARTS and data[start + 1] < 0x10:
            frame = data[start : start + HEADER + data[start + 3] + 2]
            fault = frame_fault(frame) if len(frame) == HEADER + data[start + 3] + 2 else FrameError("truncated")
            if fault is None:
                return _describe_frame(frame)
            refused.append(fault)
    error = stranger(data) or (refused[0] if refused else FrameError("unknown", "no EG4 LifePower frame"))
    return Description("unknown", str(error))


def _describe_frame(frame: bytes) -> Description:
    address, command, payload = frame[1], frame[2], frame[HEADER:-2]
    question = next((question for question, code in COMMANDS.items() if code == command), "")
    if not payload or not question:
        values = {"command": f"{command:#04x}", "question": question or None, "data": payload.hex()}
        return Description("other" if payload else "request", address=address, values=values)
    row, kind = np.full(COLUMNS, np.nan), "status" if question == "status" else "about"
    try:
        identity = fill(question, payload, row, Identity())
        trust.check(row, row)
    except FrameError as error:
        return Description(kind, str(error), address=address)
    return Description(kind, address=address, values=known_values(row, identity) | alarm_names(question, payload))


def alarm_names(question: str, payload: bytes) -> dict[str, object]:
    """The names of the alarm bits that a status has set."""
    if question != "status":
        return {}
    record, _ = tables.groups().unroll(payload)
    start = tables.groups().value(tables.STATUS_GROUP)
    return {"alarms": [name for (byte, mask), (name, _, _) in tables.ALARMS.items() if record[start + byte] & mask]}
