"""A Daly board on RS485: its frames from the decoder's own tables, with the habits of real firmware."""

from __future__ import annotations

from random import Random

import numpy as np

from packbank.bms import daly_fields as fields
from packbank.bms.daly_commands import QUESTIONS, commands
from packbank.bms.daly_fields import DATA, FRAME_SIZE
from packbank.bms.daly_frames import HOST, LENGTH, MOST_FRAMES, OLD_HOST, START, seal
from packbank.bms.protocol import Row, Topic
from packbank.cext.a5 import find_a5
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Column
from packbank.model.identity import Identity
from packbank.sim.responder import Burst, Responder

LATENCY = (0.050, 0.080, 0.065)  # s from request to answer: least, most, usual
ECHO_LATENCY = (0.001, 0.005, 0.002)  # s, of a board asleep
FLAGS = (0x97, 0x98)  # commands that set all their data
TEXT_SIZE = 7  # characters a frame


class DalyResponder(Responder):
    """The board with number ``address``. Old firmware hears 0x80 instead and sends every burst whole."""

    software = "21_211112_100L"

    def __init__(self, address: int, identity: Identity | None = None, *, old_firmware: bool = False) -> None:
        super().__init__(address, identity)
        self.host = OLD_HOST if old_firmware else HOST + address - 1
        self.old_firmware = old_firmware
        self.asleep = False
        topics = {name: topic for topic, names in QUESTIONS.items() for name in names}
        self._topics = {command.code: topics.get(name, Topic.STATUS) for name, command in commands().items()}
        self.codes = set(self._topics)  # the commands that this firmware answers
        self._data = bytes(8)  # the one buffer of the firmware: what a command does not set is still there
        self._life = 0

    def wants(self, request: bytes) -> bool:
        """Whether it is a whole frame to this board with a command that it knows."""
        whole = len(request) == FRAME_SIZE and find_a5(request) == 0
        return whole and request[1] == self.host and request[2] in self.codes

    def topic(self, request: bytes) -> Topic:
        """By the command."""
        return self._topics[request[2]]

    def answer(self, request: bytes, row: Row, random: Random) -> list[Burst]:
        """One frame or a burst; asleep, the request itself."""
        if self.asleep:
            return [Burst(random.triangular(*ECHO_LATENCY), request)]
        self._life = (self._life + 1) % 256
        return [Burst(random.triangular(*LATENCY), b"".join(self._frames(request[2], row)))]

    def _frames(self, code: int, row: Row) -> list[bytes]:
        parts = self._parts(code, row)
        if parts:
            return [self._numbered(code, number, part) for number, part in enumerate(parts, start=1)]
        frame = bytearray(DATA) + bytearray(8 if code in FLAGS else self._data) + bytearray(1)
        fields.layout(code).encode_into(frame, row)
        self._set_rest(code, frame, row)
        return [self._sealed(code, bytes(frame[DATA : DATA + 8]))]

    def _parts(self, code: int, row: Row) -> list[bytes]:
        """What each frame of a burst carries behind its number; nothing for a command without bursts."""
        if code == 0x95:
            cells = int(np.isfinite(row[CELL_VOLTAGES]).sum())
            slots = fields.cells_layout().encode_from(row)
            count = MOST_FRAMES if self.old_firmware else -(-cells // fields.CELLS_A_FRAME)
            return _cut(bytes(slots[: 2 * cells]), 2 * fields.CELLS_A_FRAME, count)
        if code == 0x96:
            sensors = bytes(_raw_temperature(value) for value in _sensors(row))
            return _cut(sensors, fields.SENSORS_A_FRAME, 2 if self.old_firmware else 1)
        texts = {0x57: (self.identity.serial, 5), 0x62: (self.identity.software, 2), 0x63: (self.identity.hardware, 2)}
        text, count = texts.get(code, ("", 0))
        return _cut(text.encode(), TEXT_SIZE, count)

    def _numbered(self, code: int, number: int, part: bytes) -> bytes:
        """A frame of a burst; slots that nothing fills are stale in cells' frames and empty in others."""
        stale = self._data[1 + len(part) :] if code == 0x95 and not self.old_firmware else bytes(7)
        return self._sealed(code, (bytes((number,)) + part + stale)[:8].ljust(8, b"\0"))

    def _set_rest(self, code: int, frame: bytearray, row: Row) -> None:
        """What the decoder's tables leave out."""
        cells = row[CELL_VOLTAGES][np.isfinite(row[CELL_VOLTAGES])]
        if code == 0x91:
            highest, lowest = int(cells.argmax()), int(cells.argmin())
            for offset, cell in ((DATA, highest), (DATA + 3, lowest)):
                frame[offset : offset + 3] = round(cells[cell] * 1000).to_bytes(2) + bytes((cell + 1,))
        elif code == 0x93:
            frame[fields.STATE_OFFSET] = int(row[Column.CURRENT] > 0) + 2 * int(row[Column.CURRENT] < 0)
            frame[DATA + 3] = self._life
        elif code == 0x94:
            frame[DATA : DATA + 4] = bytes((len(cells), len(_sensors(row)), 0, 0))
        elif code == 0x53:
            year, month, day = (int(part) for part in (self.identity.manufactured or "2024-05-17").split("-"))
            frame[DATA + 2 : DATA + 5] = bytes((year - 2000, month, day))

    def _sealed(self, code: int, data: bytes) -> bytes:
        self._data = data
        return seal(bytes((START, self.address, code, LENGTH)) + data)


def _sensors(row: Row) -> list[float]:
    return [row[column] for column in BATTERY_TEMPERATURES if np.isfinite(row[column])]


def _raw_temperature(celsius: float) -> int:
    return max(0, min(round(celsius) - fields.COLDEST, 254))


def _cut(data: bytes, size: int, count: int) -> list[bytes]:
    return [data[size * part : size * (part + 1)] for part in range(count)]
