"""The rival of ``bench_other_bms.py``: the same answers, checked and decoded in plain Python with ``struct``.

The field tables say which bits are which alarm and how long a value is; everything else is written out, as a driver
would. Each function fills the columns that ours fills.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from struct import unpack_from

import numpy as np

from packbank.bms import daly_fields, eg4_fields, jkbms_fields, pace_fields
from packbank.bms.protocol import Row
from packbank.model.columns import ALARMS, BATTERY_TEMPERATURES, Column

Answers = Mapping[str, bytes]  # question -> answer
CODES = {"u8": ">B", "i8": ">b", "u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i"}
DALY_FLAGS = [(flag.column, flag.offset, flag.mask, flag.level) for flag in daly_fields.ALARM_FLAGS]
EG4_NUMBERS = (
    (0x03, Column.SOC, 100),
    (0x04, Column.FULL_CAPACITY, 100),
    (0x07, Column.CYCLES, 1),
    (0x08, Column.VOLTAGE, 100),
    (0x09, Column.SOH, 100),
)
JKBMS_SIZES = {tag.tag: tag.width for tag in jkbms_fields.IDS}
JKBMS_NUMBERS = {tag: (column, CODES[kind], scale) for tag, column, kind, scale, _ in jkbms_fields._NUMBERS}


def daly(answers: Answers, row: Row) -> None:
    frames = {question: _daly_frames(answer) for question, answer in answers.items()}
    volts, _, amperes, soc = unpack_from(">HHHH", frames["pack"][0], 4)
    row[Column.VOLTAGE], row[Column.CURRENT], row[Column.SOC] = volts / 10, (30000 - amperes) / 10, soc / 10
    row[Column.POWER] = row[Column.VOLTAGE] * row[Column.CURRENT]
    _, charge, discharge, _, remaining = unpack_from(">BBBBI", frames["state"][0], 4)
    row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET] = charge, discharge
    row[Column.REMAINING_CAPACITY] = remaining / 1000
    cells, sensors, *_, cycles = unpack_from(">BBBBBH", frames["counts"][0], 4)
    row[Column.CELL_COUNT], row[Column.CYCLES] = cells, cycles
    millivolts = [value for frame in frames["cells"] for value in unpack_from(">HHH", frame, 5)]
    for cell, value in enumerate(millivolts[:cells]):
        row[cell] = value / 1000
    _temperatures(row, [raw - 40 for raw in frames["temperatures"][0][5 : 5 + sensors]])
    row[Column.BALANCING] = 2 if any(frames["balance"][0][4:10]) else 0
    row[ALARMS] = 0
    for column, offset, mask, level in DALY_FLAGS:
        if frames["alarms"][0][offset] & mask:
            row[column] = max(row[column], level)
    row[Column.ALARM_BITS] = int.from_bytes(frames["alarms"][0][4:11], "little") & (1 << 53) - 1


def _daly_frames(answer: bytes) -> list[bytes]:
    frames = [answer[start : start + 13] for start in range(0, len(answer), 13)]
    if any(frame[0] != 0xA5 or sum(frame[:12]) & 0xFF != frame[12] for frame in frames):
        raise ValueError
    return frames


def eg4(answers: Answers, row: Row) -> None:
    frame = answers["status"]
    told = xor = 0
    for byte in frame[:-2]:
        told, xor = told + byte, xor ^ byte
    if (told ^ xor) & 0xFF != frame[-2] or frame[-1] != 0x0D:
        raise ValueError
    groups, position = {}, 4
    while position < len(frame) - 2:
        tag, count = frame[position : position + 2]
        size = 4 if tag >= 0x0B else 2
        groups[tag] = frame[position + 2 : position + 2 + size * count]
        position += 2 + size * count
    row[Column.CELL_COUNT] = len(groups[1]) // 2
    for cell, raw in enumerate(unpack_from(f">{len(groups[1]) // 2}H", groups[1])):
        row[cell] = (raw & 0x3FFF) / 1000
    for tag, column, divisor in EG4_NUMBERS:
        row[column] = unpack_from(">H", groups[tag])[0] / divisor
    row[Column.CURRENT] = (30000 - unpack_from(">H", groups[2])[0]) / 100
    row[Column.POWER] = row[Column.VOLTAGE] * row[Column.CURRENT]
    sensors = list(zip(groups[5][::2], groups[5][1::2], strict=True))
    row[Column.TEMPERATURE_MOS] = max((raw - 50 for tag, raw in sensors if tag in (0x40, 0x80)), default=np.nan)
    _temperatures(row, [raw - 50 for tag, raw in sensors if tag == 0])
    status = groups[6]
    row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET] = not status[2] & 0x10, not status[2] & 0x20
    row[Column.HEATING] = bool(status[5] & 0x10)
    row[ALARMS] = 0
    for (byte, mask), (_, alarms, level) in eg4_fields.ALARMS.items():
        if status[byte] & mask:
            for alarm in alarms:
                row[alarm.column] = max(row[alarm.column], level)


def jkbms(answers: Answers, row: Row) -> None:
    frame = answers["all"]
    if frame[:2] != b"NW" or sum(frame[:-4]) & 0xFFFF != unpack_from(">H", frame, len(frame) - 2)[0]:
        raise ValueError
    ids, position = {}, 11
    while position < len(frame) - 9:
        tag = frame[position]
        start = position + 2 if tag == jkbms_fields.CELL_ID else position + 1
        size = frame[position + 1] if tag == jkbms_fields.CELL_ID else JKBMS_SIZES[tag]
        ids[tag] = frame[start : start + size]
        position = start + size
    for offset in range(0, len(ids[0x79]), 3):
        number, millivolts = unpack_from(">BH", ids[0x79], offset)
        row[number - 1] = millivolts / 1000
    for tag, (column, code, scale) in JKBMS_NUMBERS.items():
        row[column] = unpack_from(code, ids[tag])[0] * scale
    for column in jkbms_fields.TEMPERATURES:
        raw = row[column]
        row[column] = np.nan if raw > 140 else 99 - raw if raw > 99 else raw
    raw = unpack_from(">H", ids[0x84])[0]
    row[Column.CURRENT] = (raw & 0x7FFF if raw & 0x8000 else -raw) / 100
    row[Column.POWER] = row[Column.VOLTAGE] * row[Column.CURRENT]
    switches, alarms = unpack_from(">H", ids[0x8C])[0], unpack_from(">H", ids[0x8B])[0]
    for bit, column in jkbms_fields._SWITCHES:
        row[column] = switches >> bit & 1
    for _, alarm, _ in jkbms_fields.ALARMS:
        row[alarm.column] = 0
    for bit, (_, alarm, level) in enumerate(jkbms_fields.ALARMS):
        if alarms >> bit & 1:
            row[alarm.column] = max(row[alarm.column], level)


def _temperatures(row: Row, celsius: Sequence[float]) -> None:
    for column, value in zip((Column.TEMPERATURE_1, Column.TEMPERATURE_2), celsius, strict=False):
        row[column] = value


def pace(answers: Answers, row: Row) -> None:
    info = _ascii(answers["analog"])
    cells = info[2]
    for cell, value in enumerate(unpack_from(f">{cells}H", info, 3)):
        row[cell] = value / 1000
    at = 3 + 2 * cells
    sensors = unpack_from(f">{info[at]}H", info, at + 1)
    columns = (*BATTERY_TEMPERATURES, Column.TEMPERATURE_MOS)
    for column, raw in zip(columns, sensors, strict=False):
        row[column] = (raw - 2730) / 10
    values = unpack_from(">hHHBHHH", info, at + 1 + 2 * info[at])
    current, volts, remaining, _, full, cycles, design = values
    row[Column.CELL_COUNT], row[Column.CYCLES] = cells, cycles
    row[Column.CURRENT], row[Column.VOLTAGE] = current / 100, volts / 1000
    row[Column.POWER] = row[Column.VOLTAGE] * row[Column.CURRENT]
    row[Column.REMAINING_CAPACITY], row[Column.FULL_CAPACITY] = remaining / 100, full / 100
    row[Column.NOMINAL_CAPACITY], row[Column.SOC] = design / 100, 100 * remaining / full
    info = _ascii(answers["warning"])
    at = 3 + info[2]
    at += 1 + info[at]
    row[Column.CHARGE_MOSFET], row[Column.DISCHARGE_MOSFET] = info[at + 5] >> 1 & 1, info[at + 5] >> 2 & 1
    row[Column.BALANCING] = 2 if any(info[at + 8 : at + 10]) else 0
    for _, alarm, _ in pace_fields.ALARMS.values():
        row[alarm.column] = 0
    for (byte, mask), (_, alarm, level) in pace_fields.ALARMS.items():
        if info[at + byte] & mask:
            row[alarm.column] = max(row[alarm.column], level)


def _ascii(answer: bytes) -> bytes:
    if answer[0] != 0x7E or sum(answer[1:-5]) + int(answer[-5:-1], 16) & 0xFFFF:
        raise ValueError
    return bytes.fromhex(answer[13:-5].decode())


PLAIN: Mapping[str, Callable[[Answers, Row], None]] = {"daly": daly, "eg4": eg4, "jkbms": jkbms, "pace": pace}
