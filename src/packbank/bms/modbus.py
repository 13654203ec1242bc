"""What the families with Modbus' checksum have in common."""

from __future__ import annotations

from packbank.cext.checksum import crc16_modbus
from packbank.errors import FrameError

CRC = 2  # bytes


def seal(frame: bytes) -> bytes:
    """A frame with its CRC, low byte first."""
    return frame + crc16_modbus(frame).to_bytes(CRC, "little")


def crc_fault(frame: bytes) -> FrameError | None:
    """What is wrong with a whole frame: its CRC."""
    if crc16_modbus(frame) == 0:  # over frame and CRC
        return None
    return FrameError("sum16", f"CRC {frame[-2:].hex()}, the bytes make {seal(frame[:-2])[-2:].hex()}")
