"""What simulated packs with the ASCII envelope have in common: they hear whole requests and put INFO into frames."""

from __future__ import annotations

from abc import abstractmethod
from random import Random

import numpy as np

from packbank.bms.ascii_counts import COUNTS, FLAG, NUMBER, Shape
from packbank.bms.ascii_frames import ADR, CID1, CODE, VER
from packbank.bms.ascii_protocol import AsciiProtocol
from packbank.bms.protocol import Row, Topic
from packbank.cext.envelope import HEADER, open_frame, seal
from packbank.cext.layout import Layout
from packbank.model.columns import CELL_VOLTAGES
from packbank.sim.responder import Burst, Responder


def counted_message(layout: Layout, shape: Shape, width: int, number: int, row: Row) -> bytearray:
    """An opened frame with counts before its values of ``width`` bytes, from a row."""
    message = layout.encode_from(row)
    message[FLAG], message[NUMBER], message[COUNTS] = 0, number, shape.cells
    message[COUNTS + 1 + width * shape.cells] = shape.sensors
    return message


def put_voltage(message: bytearray, at: int, voltage: float) -> None:
    """A voltage in mV in a word of 16 bits, which begins anew at 65.536 V."""
    message[at : at + 2] = (round(1000.0 * voltage) & 0xFFFF).to_bytes(2)


def shape_for(row: Row, sensors: int, width: int, rest: int) -> Shape:
    """The shape of such a frame for the cells of a row, with ``rest`` bytes behind the sensors."""
    cells = int(np.isfinite(row[CELL_VOLTAGES]).sum())
    end = COUNTS + 2 + width * (cells + sensors)
    return Shape(cells, sensors, end, end + rest)


class AsciiResponder(Responder):
    """A pack that answers the questions of ``protocol``."""

    protocol: AsciiProtocol
    version: int  # VER that it hears and sends
    times: tuple[float, float, float]  # s from request to answer: least, most, usual

    def wants(self, request: bytes) -> bool:
        """Whether it is one of the questions, to this address, in this pack's version."""
        return bool(self.question_of(request))

    def question_of(self, request: bytes) -> str:
        """The name of the question, or empty when it is none to this pack."""
        try:
            opened = open_frame(request)
        except ValueError:
            return ""
        if (opened[VER], opened[ADR], opened[CID1]) != (self.version, self.address, self.protocol.cid1):
            return ""
        number = opened[HEADER:]
        for name, question in self.protocol.asked.items():
            if question.command == opened[CODE] and bool(number) == question.numbered:
                return name if not number or self.has_number(number[0]) else ""
        return ""

    def has_number(self, number: int) -> bool:
        """Whether the pack goes by this number in INFO."""
        return number == self.address

    def topic(self, request: bytes) -> Topic:
        """By the question."""
        name = self.question_of(request)
        return next(topic for topic, names in self.protocol.questions.items() if name in names)

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        """One frame."""
        info = self.info(self.question_of(request), row)
        frame = seal(self.version, self.address, self.protocol.cid1, 0, bytes(info))
        return [Burst(random.triangular(*self.times), frame)]

    @abstractmethod
    def info(self, question: str, row: Row) -> bytes:
        """INFO of the answer to one of the questions."""
