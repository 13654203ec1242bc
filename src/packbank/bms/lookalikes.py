"""Whose answers those are that the asked family cannot read: every family describes what it knows."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packbank.bms import registry
from packbank.bms.protocol import Protocol, Topic
from packbank.cext.checksum import crc16_modbus
from packbank.errors import FrameError

ASCII_FRAME = re.compile(rb"~([0-9A-Fa-f]{12,}?)([0-9A-Fa-f]{4})\r")
ANSWERS = tuple(topic.value for topic in Topic)  # kinds of descriptions
READ_HOLDING = 0x03

ASCII = (
    "the battery answers in an ASCII protocol ('~...' with hexadecimal digits) that packbank does not read; set "
    "another protocol in the battery's software, or its DIP switches as the manual says"
)
MODBUS = (
    "the battery answers in Modbus RTU, as LifePower4 V2 and EG4-LL do, in a form that packbank does not "
    "read; set another protocol in the battery's software, or its DIP switches as the manual says"
)


def look_alike(asked: Protocol, heard: bytes) -> FrameError | None:
    """Whose sound answer is in ``heard``, when it is of another family than the ``asked`` one; ``None``: nobody's.

    ``family`` names one that packbank reads; ``ascii`` and ``modbus`` are other protocols of such batteries.
    """
    for name in registry.NAMES:
        if name != asked.name:
            protocol = registry.protocol(name)
            description = protocol.describe(heard)
            if description.kind in ANSWERS and not description.error:
                kind = re.split(r" \(|, ", protocol.title)[0]
                return FrameError("family", f"this is a {kind} pack; PROTOCOL = {name}")
    return stranger(heard) if asked.describe(heard).kind == "unknown" else None


def stranger(data: bytes) -> FrameError | None:
    """``ascii`` or ``modbus`` when ``data`` holds a frame of such a protocol with a right checksum."""
    if any(_is_ascii(body, check) for body, check in ASCII_FRAME.findall(data)):
        return FrameError("ascii", ASCII)
    if any(crc16_modbus(frame) == 0 for frame in _modbus_frames(data)):  # over frame and CRC
        return FrameError("modbus", MODBUS)
    return None


def _is_ascii(body: bytes, check: bytes) -> bool:
    """The check is the two's complement of the sum of all characters after the first."""
    return (sum(body) + int(check, 16)) & 0xFFFF == 0


def _modbus_frames(data: bytes) -> Iterator[bytes]:
    """What may be an answer to, or a request of, a read of registers."""
    for at in range(len(data) - 4):
        if data[at + 1] == READ_HOLDING:
            yield from (frame for size in (data[at + 2] + 5, 8) if len(frame := data[at : at + size]) == size)
