"""Answers of Daly boards, and what is read from them."""

from __future__ import annotations

from other_bms import blank
from packbank.bms.daly import Daly
from packbank.bms.daly_frames import seal
from packbank.bms.protocol import Protocol, Row
from packbank.model.columns import Alarm
from packbank.model.identity import Identity


def reply(board: int, command: int, data: str) -> bytes:
    return seal(bytes((0xA5, board, command, 8)) + bytes.fromhex(data).ljust(8, b"\0"))


def burst(board: int, *cells: tuple[int, int, int]) -> bytes:
    frames = (b"".join(mv.to_bytes(2) for mv in three) for three in cells)
    return b"".join(reply(board, 0x95, f"{number:02x}{data.hex()}40") for number, data in enumerate(frames, start=1))


def counted(cells: int, sensors: int = 1) -> Daly:
    """A protocol that knows board 1's cells and sensors."""
    daly = Daly()
    assert daly.exchange("counts", 1).feed(reply(1, 0x94, f"{cells:02x}{sensors:02x}"))
    return daly


def raised(row: Row) -> dict[Alarm, float]:
    return {alarm: row[alarm.column] for alarm in Alarm if row[alarm.column] > 0}


def decoded(daly: Protocol, question: str, answer: bytes, row: Row | None = None, board: int = 1) -> Row:
    exchange = daly.exchange(question, board)
    assert exchange.feed(answer) or exchange.feed(b"")
    row = blank() if row is None else row
    daly.decode(board, question, exchange.answer, row, Identity())
    return row
