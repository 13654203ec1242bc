"""An EG4 LifePower pack on RS485: its groups from the decoder's own tables."""

from __future__ import annotations

from random import Random

import numpy as np

from packbank.bms import eg4_fields as tables
from packbank.bms.eg4 import COMMANDS, STARTS, request, seal
from packbank.bms.protocol import Row, Topic
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Column
from packbank.model.identity import Identity
from packbank.sim.responder import Burst, Responder

LATENCY = (0.041, 0.120, 0.090)  # s from request to answer: least, most, usual
AMBIENT = 22  # degC
TEXTS = ("firmware", "barcode")  # the questions about the pack


class Eg4Responder(Responder):
    """The pack at ``address``; ``start`` is the first byte that its firmware hears and sends, 7E or 7C."""

    software = "QTHN-0d0444-1.54"

    def __init__(self, address: int, identity: Identity | None = None, *, start: int = STARTS[0]) -> None:
        super().__init__(address, identity)
        self.start = start
        self._questions = {request(start, address, code): question for question, code in COMMANDS.items()}

    def wants(self, request: bytes) -> bool:
        """Whether it is one of the questions, to this address, with this start byte."""
        return request in self._questions

    def topic(self, request: bytes) -> Topic:
        """Firmware and barcode are about the pack, the rest is its status."""
        return Topic.ABOUT if self._questions[request] in TEXTS else Topic.STATUS

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        """One frame."""
        question = self._questions[request]
        texts = dict(zip(TEXTS, (self.identity.software, self.identity.serial), strict=True))
        payload = texts[question].encode() if question in texts else groups_of(row)
        head = bytes((self.start, self.address, COMMANDS[question], len(payload)))
        return [Burst(random.triangular(*LATENCY), seal(head + payload))]


def groups_of(row: Row) -> bytes:
    """The groups that decode to ``row``; 15 or more cells make the 88 bytes that real packs send."""
    groups = tables.groups()
    record = tables.layout().encode_from(row)
    _count(record, tables.CELL_GROUP, int(np.isfinite(row[CELL_VOLTAGES]).sum()))
    _put_temperatures(record, row)
    _count(record, tables.STATUS_GROUP, tables.STATUS_WORDS)
    if not np.isnan(row[Column.CURRENT]):
        record[groups.value(tables.STATUS_GROUP) + 3] |= int(row[Column.CURRENT] > 0) + 2 * int(row[Column.CURRENT] < 0)
    for tag in (*tables.ESSENTIAL[1:], 0x04, 0x07, 0x09, 0x0A):
        _count(record, tag, 1)
    return groups.roll(record)


def _put_temperatures(record: bytearray, row: Row) -> None:
    cells = [(tables.CELL_SENSOR, row[column]) for column in BATTERY_TEMPERATURES]
    sensors = [*cells, (tables.MOSFET_SENSORS[0], row[Column.TEMPERATURE_MOS]), (tables.AMBIENT_SENSOR, AMBIENT)]
    known = [(tag, round(celsius) - tables.COLDEST) for tag, celsius in sensors if np.isfinite(celsius)]
    start = tables.groups().value(tables.TEMPERATURE_GROUP)
    for place, (tag, raw) in enumerate(known):
        record[start + 2 * place : start + 2 * place + 2] = bytes((tag, raw))
    _count(record, tables.TEMPERATURE_GROUP, len(known))


def _count(record: bytearray, tag: int, units: int) -> None:
    """Say that the group is there, with so many values."""
    record[tag >> 3] |= 1 << (tag & 7)
    record[tables.groups().count(tag)] = units
