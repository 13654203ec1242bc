"""Other protocols of batteries sold beside EG4 LifePower, recognised so that a user hears what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packbank.cext.checksum import crc16_modbus
from packbank.errors import FrameError

ASCII_FRAME = re.compile(rb"~([0-9A-F]{12,}?)([0-9A-F]{4})\r")  # same first and last byte as the binary frame's
READ_HOLDING = 0x03

ASCII = (
    "the battery answers in the ASCII protocol ('~...' with hexadecimal digits), not in the binary one that packbank "
    "reads; set the other protocol in the battery's software, or its DIP switches as the manual says"
)
MODBUS = (
    "the battery answers in Modbus RTU, as LifePower4 V2 and EG4-LL do, which packbank does not read; only packs with "
    "the binary LifePower protocol can be read"
)


def look_alike(data: bytes) -> FrameError | None:
    """``ascii`` or ``modbus`` when ``data`` holds a frame of that protocol with a right checksum."""
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
