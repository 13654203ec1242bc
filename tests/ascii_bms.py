"""Frames with the ASCII envelope, of the library beside the repository: changed, sealed anew, put to a question."""

from __future__ import annotations

import json
from functools import cache

from other_bms import blank
from packbank.bms.protocol import Protocol, Row
from packbank.cext.envelope import HEADER, open_frame, seal
from packbank.model.columns import Alarm
from packbank.model.identity import Identity
from shared import SHARED


@cache
def _frames() -> dict[str, bytes]:
    path = SHARED / "vectors" / "more_bms.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    return {line["id"]: bytes.fromhex(line["hex"]) for line in lines}


def real(name: str) -> bytes:
    """A frame of ``more_bms.jsonl``."""
    return _frames()[name]


def info_of(frame: bytes) -> bytes:
    return open_frame(frame)[HEADER:]


def resealed(frame: bytes, info: bytes, *, address: int | None = None) -> bytes:
    """The frame with another INFO, and with another ADR where one is given."""
    version, adr, cid1, code = open_frame(frame)[:HEADER]
    return seal(version, adr if address is None else address, cid1, code, info)


def with_bit(frame: bytes, at: int, mask: int) -> bytes:
    """The frame with bits of INFO set."""
    info = bytearray(info_of(frame))
    info[at] |= mask
    return resealed(frame, bytes(info))


def reasons(protocol: Protocol, question: str, address: int, data: bytes) -> list[str]:
    """Why ``data`` is refused; nothing when it is accepted or passed over."""
    exchange = protocol.exchange(question, address)
    if exchange.feed(data) or exchange.feed(b""):
        return []
    return [error.reason for error in exchange.rejected]


def decoded(protocol: Protocol, question: str, address: int, data: bytes, row: Row | None = None) -> Row:
    """What the answer fills; it must be accepted in one of the ways to ask."""
    for _ in range(protocol.ways_to_ask(address)):
        exchange = protocol.exchange(question, address)
        if exchange.feed(data) or exchange.feed(b""):
            row = blank() if row is None else row
            protocol.decode(address, question, exchange.answer, row, Identity())
            return row
    raise AssertionError([str(error) for error in exchange.rejected])


def raised(row: Row) -> dict[Alarm, float]:
    return {alarm: row[alarm.column] for alarm in Alarm if row[alarm.column] > 0}
