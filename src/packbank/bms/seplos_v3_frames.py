"""The frames of Seplos V3: reads of Modbus RTU, and which words of a pack are in which block.

An answer names its function and its length, not the register: only the request says which block it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from packbank.bms import seplos_v3_fields as tables
from packbank.bms.modbus import crc_fault, seal
from packbank.errors import FrameError

COILS, REGISTERS, REFUSES = 0x01, 0x04, 0x80
READS = (COILS, REGISTERS)
REQUEST, REFUSAL = 8, 5  # bytes
MOST = 250  # bytes that an answer carries; Modbus
EXCEPTIONS = {1: "function", 2: "register", 3: "count", 4: "failure"}


class Read(NamedTuple):
    """A read of ``count`` registers (coils) from one on."""

    function: int
    register: int
    count: int  # type: ignore[assignment]  # hides tuple.count, of no use here

    @property
    def size(self) -> int:
        """Bytes that the answer carries."""
        return 2 * self.count if self.function == REGISTERS else -(-self.count // 8)


# What is asked of a pack. The first two are measured; s3m's master asks for the third.
BLOCKS: Mapping[str, Read] = MappingProxyType(
    {
        "pack": Read(REGISTERS, 0x1000, 0x11),
        "cells": Read(REGISTERS, 0x1100, 0x1A),
        "bits": Read(COILS, 0x1200, 0x90),
        "protections": Read(REGISTERS, 0x1300, 0x35),
        "wishes": Read(REGISTERS, 0x1335, 0x35),
    }
)
LEAST: Mapping[str, int] = MappingProxyType({"cells": 0x12})  # registers of a block that are enough: two sensors


def request(what: Read, address: int) -> bytes:
    """The question of a master."""
    return seal(bytes((address, what.function)) + what.register.to_bytes(2) + what.count.to_bytes(2))


def head(what: Read, address: int) -> bytes:
    """What the answer begins with."""
    return bytes((address, what.function, what.size))


def refusal(what: Read, address: int) -> bytes:
    """What the pack's refusal begins with."""
    return bytes((address, what.function | REFUSES))


def read_of(frame: bytes) -> Read | None:
    """What a whole frame asks for; ``None`` when it is no request that can be answered, or damaged."""
    if len(frame) != REQUEST or frame[1] not in READS or crc_fault(frame):
        return None
    read = Read(frame[1], int.from_bytes(frame[2:4]), int.from_bytes(frame[4:6]))
    return read if 0 < read.size <= MOST else None


def answer_size(data: bytes) -> int:
    """As FrameSearch asks it."""
    if len(data) < tables.HEADER:
        return 0
    return REFUSAL if data[1] & REFUSES else tables.HEADER + data[2] + tables.CRC


def frame_fault(frame: bytes) -> FrameError | None:
    """What is wrong with a whole frame: its CRC, or that it refuses."""
    if (fault := crc_fault(frame)) or not frame[1] & REFUSES:
        return fault
    return FrameError("refused", f"Modbus exception {frame[2]} ({EXCEPTIONS.get(frame[2], 'unknown')})")


def questions_in(read: Read) -> list[str]:
    """Our questions that the answer to somebody's ``read`` answers."""
    return [name for name, block in BLOCKS.items() if _holds(read, block, LEAST.get(name, block.count))]


def _holds(read: Read, block: Read, least: int) -> bool:
    if read.function == COILS:
        return read == block
    first = block.register - read.register
    return read.function == block.function and 0 <= first <= read.count - least


def cut(read: Read, frame: bytes, question: str) -> bytes:
    """The answer to our question out of the answer to somebody's ``read``; words that it does not hold are 0."""
    block = BLOCKS[question]
    start = tables.HEADER + 2 * (block.register - read.register)
    body = frame[start : len(frame) - tables.CRC][: block.size]
    return seal(head(block, frame[0]) + body.ljust(block.size, b"\0"))
