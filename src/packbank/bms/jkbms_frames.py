"""The 4E57 frame of JKBMS: its header, its sum, the list of ids in it, and the password that nobody may see."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from packbank.bms import jkbms_fields as tables
from packbank.bms.protocol import Row
from packbank.cext.checksum import sum16
from packbank.errors import FrameError
from packbank.model.columns import ALARMS, Column
from packbank.model.identity import Identity

MARK = b"\x4e\x57"
HEADER = 11  # mark, length, terminal number, command, source, type
TRAILER = 9  # record number, 68, unused CRC, sum
SMALLEST, LARGEST = HEADER + TRAILER, 400  # 32 cells make 339
END = 0x68
READ_ONE, READ_ALL = 0x03, 0x06
FROM_PC = 0x03
REQUEST, ANSWER = 0x00, 0x01
TERMINAL = bytes(4)  # of the BMS; never anything else was seen
COMMANDS = {0x01: "activate", 0x02: "write", READ_ONE: "read", 0x05: "password", READ_ALL: "read all"}

PASSWORD_SIZE = 10  # bytes
UNTOUCHED = "Input Us"  # "Input Userdata", cut to its field
MODEL = re.compile(r"JK[-_].*")


def seal(command: int, source: int, kind: int, data: bytes) -> bytes:
    """The frame of ``command`` with ``data``."""
    length = (HEADER + len(data) + TRAILER - len(MARK)).to_bytes(2)
    frame = MARK + length + TERMINAL + bytes((command, source, kind)) + data + bytes(4) + bytes((END, 0, 0))
    return frame + sum16(frame).to_bytes(2)


ASK_ALL = seal(READ_ALL, FROM_PC, REQUEST, b"\0")


def frame_size(data: bytes) -> int:
    """As FrameSearch asks it; a request, maybe our own come back, is none of ours."""
    if len(data) < HEADER:
        return 0
    size = int.from_bytes(data[2:4]) + len(MARK)
    return size if SMALLEST <= size <= LARGEST and data[10] != REQUEST else -1


def frame_fault(frame: bytes) -> FrameError | None:
    """What is wrong with an answer of the length that it states."""
    received, expected = int.from_bytes(frame[-2:]), sum16(frame[:-4])
    if frame[-5] != END or received != expected:
        return FrameError("sum16", f"the bytes add up to {expected:#06x}, the frame says {received:#06x}")
    if frame[10] != ANSWER or frame[8] not in (READ_ALL, READ_ONE):
        return FrameError("type", f"command {frame[8]:#04x}, type {frame[10]} is no answer to read all")
    if frame[4:8] != TERMINAL:
        return FrameError("terminal", f"terminal number {frame[4:8].hex()}, asked was 0")
    return None


def unroll(frame: bytes) -> bytes:
    """The record of a checked answer; FrameError when the list cannot be walked or lacks what is essential."""
    ids = tables.ids()
    end = len(frame) - TRAILER
    try:
        record, reached = ids.unroll(frame, HEADER, end)
    except ValueError as error:
        raise FrameError("ids", str(error)) from error
    if missing := [tag for tag in tables.ESSENTIAL if not has(record, tag)]:
        raise FrameError("ids", f"id {missing[0]:#04x} is missing")
    if reached < end and not has(record, tables.VERSION_ID):
        # Nothing says how long the unknown value is, nor, without the version behind it, what the current means.
        raise FrameError("ids", f"unknown id {frame[reached]:#04x} before the protocol version")
    first, count = ids.value(tables.CELL_ID), record[ids.count(tables.CELL_ID)]
    if record[first : first + tables.CELL_WIDTH * count : tables.CELL_WIDTH] != bytes(range(1, count + 1)):
        raise FrameError("cells", "the cells are not numbered one after the other from 1")
    return record


def has(record: bytes, tag: int) -> bool:
    """Whether the id was in the list."""
    return bool(record[tag >> 3] >> (tag & 7) & 1)


def fill(record: bytes, row: Row) -> None:
    """Decode a record into ``row``."""
    tables.layout().decode_into(record, row)
    tables.current_layout(record[tables.ids().value(tables.VERSION_ID)]).decode_into(record, row)
    row[Column.CURRENT] += 0.0  # the sign of no current is plus
    row[Column.POWER] = row[Column.VOLTAGE] * row[Column.CURRENT]
    if not has(record, tables.ALARM_ID):
        row[ALARMS] = np.nan
    if row[Column.FULL_CAPACITY] == 0:  # what most firmware says that has not learnt it
        row[Column.FULL_CAPACITY] = np.nan
    columns = np.array(tables.TEMPERATURES)
    raw = row[columns]
    celsius = np.where(raw > tables.ZERO_BELOW, tables.ZERO_BELOW - raw, raw)
    row[columns] = np.where(raw > tables.COLDEST_RAW, np.nan, celsius)


def alarm_word(row: Row) -> int:
    """The alarm bits, none while they are not known."""
    return int(np.nan_to_num(row[Column.ALARM_BITS]))


def identify(record: bytes, row: Row) -> Identity:
    """Who the BMS says it is. The factory's text is user data and model, or a serial number."""
    reported = {text.name: text.decode(record) for text in tables.texts()}
    start = tables.ids().value(0xBA)
    model = MODEL.search(record[start : start + tables.TEXT_LENGTHS[0xBA]].decode("latin-1"))
    who = Identity(software=reported["software"].rstrip("_"), manufactured=_iso_month(reported["manufactured"]))
    if np.isfinite(row[Column.RUNTIME]):
        who = replace(who, runtime=int(row[Column.RUNTIME]))
    if model is None:
        return replace(who, serial=reported["factory"], name=_chosen(reported["device"]))
    name = model[0].split("\0")[0]
    return replace(who, model=name, name=_chosen(reported["factory"].split(name)[0]) or _chosen(reported["device"]))


def _chosen(text: str) -> str:
    """A text that somebody has written, not the one that the factory left in."""
    return "" if text.startswith(UNTOUCHED) else text.strip()


def _iso_month(yymm: str) -> str:
    return f"20{yymm[:2]}-{yymm[2:]}" if len(yymm) == 4 and yymm.isdecimal() and "01" <= yymm[2:] <= "12" else ""


def conceal(data: bytes) -> bytes:
    """``data`` with zeros for all but what is harmless beyond doubt; same length, right sums stay right.

    That is the question for everything, and a whole answer to it without the password in it.
    """
    shown = bytearray(len(data))
    at = data.find(MARK)
    while at >= 0:
        frame = data[at : at + int.from_bytes(data[at + 2 : at + 4]) + len(MARK)]
        harmless = _harmless(frame)
        shown[at : at + len(harmless)] = harmless
        at = data.find(MARK, at + max(len(harmless), 1))
    return bytes(shown)


def _harmless(frame: bytes) -> bytes:
    if frame == ASK_ALL:
        return frame
    if frame_size(frame) != len(frame) or frame_fault(frame) is not None or frame[8] != READ_ALL:
        return b""
    try:
        record = unroll(frame)
    except FrameError:  # where its password stands is not known
        return b""
    first = tables.ids().value(tables.PASSWORD_ID)
    secret = record[first : first + PASSWORD_SIZE]
    if not has(record, tables.PASSWORD_ID) and tables.PASSWORD_ID in frame[HEADER:-TRAILER]:
        return b""  # it may stand behind an id that ends the list for us
    if not any(secret):
        return frame
    shown = bytearray(frame.replace(secret, bytes(len(secret))))
    shown[-2:] = sum16(shown[:-4]).to_bytes(2)
    return bytes(shown)
