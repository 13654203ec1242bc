"""The 300-byte frame of JKBMS PB: its types, what it says, and the parts of it that nobody may see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from struct import unpack_from
from types import MappingProxyType

from packbank.bms.jkpb_fields import ABOUT, ABOUT_POWER_ON_COUNT, ABOUT_RUNTIME, settings_layout, status_layout
from packbank.bms.protocol import Row, Topic
from packbank.cext.checksum import crc16_modbus, sum8
from packbank.cext.framing import FRAME_SIZE, Scanner, Unit, seal
from packbank.errors import FrameError
from packbank.model.identity import Identity

REGISTERS: Mapping[Topic, int] = MappingProxyType({Topic.ABOUT: 0x161C, Topic.SETTINGS: 0x161E, Topic.STATUS: 0x1620})
KINDS: Mapping[Topic, int] = MappingProxyType({Topic.SETTINGS: 1, Topic.STATUS: 2, Topic.ABOUT: 3})
MARK = b"\x55\xaa\xeb\x90"
TYPE = 4  # offset of the frame's type; byte 5 counts on some transports and firmwares and means nothing
# Of an about frame: passcodes at 62 and 118, texts of the user at 102 and 134. Behind the serial's NUL stands a piece
# of an old passcode.
SECRETS = (range(62, 78), range(102, 118), range(118, 134), range(134, 150))
MANUFACTURED, SERIAL = 78, 86
DATE = re.compile(rb"[0-9]{6}\0\0|\0{8}")
SERIAL_NUMBER = re.compile(rb"[0-9A-Za-z]{10,15}\0|[0-9A-Za-z]{16}")
EXCEPTION = re.compile(rb"[\x00-\x0f]\x90[\x01-\x0b]..", re.DOTALL)  # Modbus: "I have no function 16"
OLDEST_FIRMWARE = 11  # with the 32-cell tables


def topic_of(frame: bytes) -> Topic | None:
    """What a frame reports, by its type; ``None`` for the vendor's other types, such as the log book."""
    return next((topic for topic, kind in KINDS.items() if kind == frame[TYPE]), None)


def topic_asked(modbus: bytes) -> Topic | None:
    """What a request asks or an acknowledgement acknowledges, by its register; ``None`` for other registers."""
    register = int.from_bytes(modbus[2:4])
    return next((topic for topic, known in REGISTERS.items() if known == register), None)


def refusal(data: bytes) -> FrameError:
    """Why ``data``, which has the mark but not 300 bytes with their sum, is no frame."""
    if len(data) < FRAME_SIZE or MARK in data[len(MARK) :]:
        return FrameError("truncated", f"a frame broken off before its {FRAME_SIZE} bytes")
    return FrameError("sum8", f"the bytes add up to {sum8(data[:-1]):#04x}, the frame says {data[-1]:#04x}")


def fill(frame: bytes, topic: Topic, row: Row, identity: Identity) -> Identity:
    """Decode a checked frame of ``topic``, as Protocol.decode; FrameError when an about frame is of other firmware."""
    if topic is Topic.ABOUT:
        return decode_about(frame)
    layout = status_layout() if topic is Topic.STATUS else settings_layout()
    layout.decode_into(frame, row)
    return identity


def decode_about(frame: bytes) -> Identity:
    """Who the pack says it is; FrameError when its firmware has other tables than ours."""
    texts = {text.name: text.decode(frame) for text in ABOUT}
    texts["manufactured"] = _iso_date(texts["manufactured"])
    runtime, power_on_count = (unpack_from("<I", frame, offset)[0] for offset in (ABOUT_RUNTIME, ABOUT_POWER_ON_COUNT))
    _check_firmware(texts["model"], texts["software"])
    return Identity(**texts, runtime=runtime, power_on_count=power_on_count)


def _iso_date(yymmdd: str) -> str:
    if len(yymmdd) != 6 or not yymmdd.isdecimal():
        return ""
    return f"20{yymmdd[:2]}-{yymmdd[2:4]}-{yymmdd[4:]}"


def _check_firmware(model: str, software: str) -> None:
    """B-series firmware before 11 has tables for 24 cells, with right sums and everything 16 or 32 bytes elsewhere."""
    major = software.split(".", maxsplit=1)[0]
    if major.isdecimal() and int(major) < OLDEST_FIRMWARE:
        raise FrameError("layout", f"firmware {software} of {model} is of the 24-cell family, not PB")


def conceal(data: bytes) -> bytes:
    """``data`` with zeros for all but what is harmless beyond doubt; same length, right sums stay right.

    That is every unit with the right sum: requests, acknowledgements, status, settings, and of an about frame the
    texts of :data:`ABOUT`. Damaged bytes may be an about frame with its passcodes, so they are hidden whole.
    """
    shown = bytearray(len(data))
    scanner = Scanner()
    for unit in (*scanner.feed(data), *scanner.flush()):
        harmless = _harmless(unit)
        shown[unit.start : unit.start + len(harmless)] = harmless
    for match in EXCEPTION.finditer(data):
        if crc16_modbus(match[0]) == 0:
            shown[match.start() : match.end()] = match[0]
    return bytes(shown)


def _harmless(unit: Unit) -> bytes:
    if unit.kind in ("request", "ack"):
        return unit.data
    topic = topic_of(unit.data) if unit.kind == "frame" else None
    if topic is None:
        return b""
    return _concealed_about(unit.data) if topic is Topic.ABOUT else unit.data


def _concealed_about(frame: bytes) -> bytes:
    """The frame with its known texts up to their NUL, its two counters and a sum that fits; empty when in doubt.

    A frame in which bytes were lost or doubled has the right sum once in 256 times, and its passcodes elsewhere: the
    date and the serial number do not stand at their places then.
    """
    if not (DATE.match(frame, MANUFACTURED) and SERIAL_NUMBER.match(frame, SERIAL)):
        return b""
    shown = bytearray(FRAME_SIZE)
    shown[: TYPE + 2] = frame[: TYPE + 2]
    shown[ABOUT_RUNTIME : ABOUT_POWER_ON_COUNT + 4] = frame[ABOUT_RUNTIME : ABOUT_POWER_ON_COUNT + 4]
    for text in ABOUT:
        used = frame[text.offset : text.offset + text.length].partition(b"\0")[0]
        shown[text.offset : text.offset + len(used)] = used
    seal(shown)
    return bytes(shown)
