"""A Seplos V3 pack: its answers from the decoder's own tables."""

from __future__ import annotations

from random import Random

import numpy as np

from packbank.bms import seplos_v3_fields as tables
from packbank.bms.modbus import seal
from packbank.bms.protocol import Row, Topic
from packbank.bms.seplos_v3 import SeplosV3
from packbank.bms.seplos_v3_frames import head, questions_in, read_of
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column
from packbank.model.identity import Identity
from packbank.sim.framed_pack import FramedResponder
from packbank.sim.responder import Burst

CURRENT = 180.0  # A, measured
ABSENT = tables.ZERO.to_bytes(2)  # what a sensor reads that is not there
STANDBY = 0x10
PLACE_OF_SYSTEM = 8
TEMPERATURE = 2751  # the first word of the second half of the settings, measured
USUAL = {
    Column.CELL_OVP: 3.65,
    Column.CELL_UVP: 2.7,
    Column.CELL_CHARGE_REQUEST: 3.6,
    Column.NOMINAL_CAPACITY: 330.0,
}


class SeplosV3Responder(FramedResponder):
    """The pack at ``address`` with so many cell ``sensors``."""

    model = "SG16S200A-SP57B"
    protocol = SeplosV3()
    times = (0.020, 0.100, 0.040)

    def __init__(self, address: int, identity: Identity | None = None, *, sensors: int = 4) -> None:
        super().__init__(address, identity)
        self.sensors = sensors

    def wants(self, request: bytes) -> bool:
        """Whether it is a read of what this pack has, or of a part of it; a master asks for other parts than we do."""
        read = read_of(request)
        return bool(read and request[0] == self.address and questions_in(read))

    def topic(self, request: bytes) -> Topic:
        """By the first block that is read."""
        status = self.protocol.questions[Topic.STATUS]
        return Topic.STATUS if self._blocks(request)[0] in status else Topic.SETTINGS

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        """One frame: the blocks that the read begins with, and what lies behind them is 0."""
        read, body = read_of(request), b""
        assert read is not None
        for question in self._blocks(request):
            body += self.frame(question, row)[tables.HEADER : -tables.CRC]
        body = body[: read.size].ljust(read.size, b"\0")
        return [Burst(random.triangular(*self.times), seal(head(read, self.address) + body))]

    @staticmethod
    def _blocks(request: bytes) -> list[str]:
        read = read_of(request)
        return questions_in(read) if read else []

    def frame(self, question: str, row: Row) -> bytes:
        """The answer to one of our questions."""
        made = {
            "pack": self._pack,
            "cells": self._cells,
            "bits": self._bits,
            "protections": self._protections,
            "wishes": self._wishes,
        }
        body = bytes(made[question](row)[tables.HEADER : -tables.CRC])
        return seal(self.protocol.asked[question].head(self.address) + body)

    @staticmethod
    def _pack(row: Row) -> bytearray:
        sent = row.copy()
        sent[Column.CELL_AVERAGE] = np.nanmean(row[CELL_VOLTAGES])
        for column in (Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT):
            sent[column] = CURRENT if np.isnan(row[column]) else row[column]
        return tables.pack_layout().encode_from(sent)

    def _cells(self, row: Row) -> bytearray:
        message = tables.cell_layout().encode_from(row)
        for place in range(0x10 + self.sensors, 0x18):
            _put(message, place, ABSENT)
        return message

    @staticmethod
    def _bits(row: Row) -> bytearray:
        message = tables.bits_layout().encode_from(row)
        message[tables.HEADER + PLACE_OF_SYSTEM] = STANDBY
        return message

    def _protections(self, row: Row) -> bytearray:
        message = tables.protections_layout().encode_from(_usual(row))
        _put(message, tables.SENSOR_COUNT, self.sensors.to_bytes(2))
        return message

    @staticmethod
    def _wishes(row: Row) -> bytearray:
        usual = _usual(row)
        message = tables.wishes_layout(int(usual[Column.CELL_COUNT])).encode_from(usual)
        _put(message, 0, TEMPERATURE.to_bytes(2))
        _put(message, tables.CHARGE, round(CURRENT).to_bytes(2))
        _put(message, tables.DISCHARGE, round(-CURRENT).to_bytes(2, signed=True))
        return message


def _usual(row: Row) -> Row:
    usual = np.full(COLUMNS, np.nan)
    for column, value in USUAL.items():
        usual[column] = value
    usual[Column.CELL_COUNT] = np.isfinite(row[CELL_VOLTAGES]).sum()
    return usual


def _put(message: bytearray, place: int, word: bytes) -> None:
    at = tables.HEADER + 2 * place
    message[at : at + 2] = word
