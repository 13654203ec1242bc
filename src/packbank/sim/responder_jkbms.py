"""A JKBMS on its serial port: the list of ids from the decoder's own tables."""

from __future__ import annotations

from random import Random

import numpy as np

from packbank.bms import jkbms_fields as tables
from packbank.bms.jkbms_frames import ANSWER, FROM_PC, READ_ALL, REQUEST, seal
from packbank.bms.protocol import Row
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.model.identity import Identity
from packbank.sim.responder import Burst, Responder

TURNAROUND = (0.00018, 0.00045, 0.0003)  # s from request to answer: least, most, usual
FROM_BMS = 0x00
PASSWORD = b"123456"  # every BMS has one in its answer; it must never be shown
NOT_READ = (0xBB, 0xBC, 0xBD, 0xBE, 0xBF)  # ids that can only be written
NOT_OLD = (0xB8, 0xB9, 0xBA, tables.VERSION_ID)  # and that firmware of 2020 leaves out


class JkBmsResponder(Responder):
    """The BMS on this port; ``version`` is that of its protocol, 0 for firmware of 2020."""

    model = "JK_B2A24S15P"
    software = "11.XW_S11.26"

    def __init__(self, address: int = 1, identity: Identity | None = None, *, version: int = 1) -> None:
        super().__init__(address, identity)
        self.version = version
        self._requests = (seal(READ_ALL, FROM_PC, REQUEST, b"\0"), seal(READ_ALL, FROM_PC, REQUEST, b""))

    def wants(self, request: bytes) -> bool:
        """Whether it is the question for everything, in one of the two ways in which it is known to be asked."""
        return request in self._requests

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        """One frame."""
        del request
        data = tables.ids().roll(record_of(row, self.identity, self.version))
        return [Burst(random.triangular(*TURNAROUND), seal(READ_ALL, FROM_BMS, ANSWER, data))]


def record_of(row: Row, identity: Identity, version: int = 1) -> bytes:
    """The record that decodes to ``row`` and ``identity``."""
    ids, own = tables.ids(), row.copy()
    columns = np.array(tables.TEMPERATURES)
    own[columns] = np.where(own[columns] < 0, tables.ZERO_BELOW - own[columns], own[columns])
    own[Column.POWER] = own[Column.CURRENT]  # for its sign
    own[Column.DEVICE_ADDRESS] = 1
    record = tables.layout().encode_from(own)
    tables.current_layout(version).encode_into(record, own)
    cells = int(np.isfinite(row[CELL_VOLTAGES]).sum())
    first = ids.value(tables.CELL_ID)
    record[first : first + tables.CELL_WIDTH * cells : tables.CELL_WIDTH] = bytes(range(1, cells + 1))
    record[ids.count(tables.CELL_ID)] = cells
    record[ids.value(0x8A) : ids.value(0x8A) + 2] = cells.to_bytes(2)
    _put_texts(record, identity)
    record[ids.value(tables.VERSION_ID)] = version
    absent = (*NOT_READ, *(() if version else NOT_OLD))
    for tag, *_ in tables.IDS:
        bit = 1 << (tag & 7)
        record[tag >> 3] = record[tag >> 3] & ~bit if tag in absent else record[tag >> 3] | bit
    return bytes(record)


def _put_texts(record: bytearray, identity: Identity) -> None:
    month = identity.manufactured[2:7].replace("-", "")
    factory = identity.name[:12].ljust(12, "\0") + identity.model if identity.model else identity.serial
    texts = {
        0xB2: PASSWORD.decode(),
        0xB4: identity.name,
        0xB5: month,
        0xB7: identity.software.ljust(tables.TEXT_LENGTHS[0xB7], "_"),
        0xBA: factory,
    }
    for tag, text in texts.items():
        size = 10 if tag == 0xB2 else tables.TEXT_LENGTHS[tag]
        start = tables.ids().value(tag)
        record[start : start + size] = text.encode()[:size].ljust(size, b"\0")
