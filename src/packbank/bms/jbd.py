"""Classic JBD (LLT Power, Overkill Solar, Xiaoxiang app) boards: one BMS a port, 9600 baud.

A request is ``DD A5 register 00 check 77``, an answer ``DD register status count data check 77``. DD and 77 occur in
data too, so the count alone says where a frame ends. The boards do not report what current they allow: that stands in
registers which only a board in factory mode shows, and that mode is a write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np

from packbank.bms import jbd_fields as tables
from packbank.bms.fields import Text
from packbank.bms.framed import Asked, Check, Fill, FramedProtocol, accept
from packbank.bms.protocol import Description, Line, Row, Topic
from packbank.bms.sensors import put_tenths
from packbank.cext.checksum import sum16
from packbank.errors import FrameError
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, CELLS, Column
from packbank.model.identity import Identity

START, END = 0xDD, 0x77
READ, WRITE = 0xA5, 0x5A
REFUSED = 0x80  # the status of an answer that is none
BASIC, CELL, MODEL = 0x03, 0x04, 0x05  # registers
ONLY = 0x01  # the address of the one board on a port, for the configuration


def seal(frame: bytes, first: int = 2) -> bytes:
    """A frame from its start to its data, with check and end; the check is over all from ``first`` on."""
    return frame + (-sum16(frame[first:]) & 0xFFFF).to_bytes(2) + bytes((END,))


def request(register: int, address: int) -> bytes:
    """The question of a master; there is no address in it."""
    del address
    return seal(bytes((START, READ, register, 0)))


def head(register: int, address: int) -> bytes:
    """What the answer begins with."""
    del address
    return bytes((START, register))


def answer_size(data: bytes) -> int:
    """As FrameSearch asks it."""
    if len(data) < tables.HEADER:
        return 0
    return tables.HEADER + data[3] + tables.TAIL if data[2] in (0, REFUSED) else -1


def has_address(frame: bytes) -> bool:
    """Whether it is a request with an address, as boards on a shared line may want it; no answer to one is public."""
    return frame[2] in (READ, WRITE) and frame[1] not in (READ, WRITE)


def frame_fault(frame: bytes) -> FrameError | None:
    """What is wrong with a whole frame: its check, its end, or that it refuses."""
    right = seal(frame[: -tables.TAIL], 1 if has_address(frame) else 2)
    if frame != right:
        return FrameError("sum16", f"ends in {frame[-3:].hex()}, the bytes make {right[-3:].hex()}")
    if frame[1] not in (READ, WRITE) and frame[2] == REFUSED:
        return FrameError("refused", f"the board refuses register {frame[1]:#04x}")
    return None


def check_basic(frame: bytes) -> None:
    """As :attr:`Asked.check`."""
    tables.sensors_of(frame)


def fill_basic(frame: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Asked.fill`."""
    sensors = tables.sensors_of(frame)
    tables.basic_layout(sensors, len(frame)).decode_into(frame, row)
    row[Column.POWER] = row.item(Column.VOLTAGE) * row.item(Column.CURRENT)
    if sensors > len(BATTERY_TEMPERATURES):
        start = tables.SENSORS_AT + 1
        put_tenths(row, frame[start : start + 2 * sensors], tables.ZERO)
    version = frame[tables.VERSION_AT]
    made = tables.made_on(int.from_bytes(frame[tables.MADE_AT : tables.MADE_AT + 2]))
    return replace(identity, software=f"{version >> 4}.{version & 0x0F}", manufactured=made)


def check_cells(frame: bytes) -> None:
    """As :attr:`Asked.check`."""
    count, odd = divmod(frame[3], 2)
    if odd or not 1 <= count <= CELLS:
        raise FrameError("layout", f"{frame[3]} bytes are no cells")
    if not any(frame[tables.HEADER : -tables.TAIL]):
        raise FrameError("empty", f"all {count} cells are 0 V")


def fill_cells(frame: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Asked.fill`. Some boards send a word more than they have cells, which they have just counted."""
    words = frame[3] // 2
    row[CELL_VOLTAGES] = np.nan
    tables.cells_layout(words).decode_into(frame, row)
    cells = row.item(Column.CELL_COUNT)
    if cells < words:
        row[CELL_VOLTAGES][int(cells) :] = np.nan
    return identity


def fill_model(frame: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Asked.fill`."""
    del row
    return replace(identity, model=Text("", tables.HEADER, frame[3]).decode(frame))


def _asked(
    register: int, fill: Fill, usual: int, check: Check = accept, names: Callable[[bytes], list[str]] | None = None
) -> Asked:
    return Asked(partial(request, register), partial(head, register), answer_size, fill, usual, check, names)


ASKED: Mapping[str, Asked] = MappingProxyType(
    {
        "basic": _asked(BASIC, fill_basic, 38, check_basic, tables.name_alarms),
        "cells": _asked(CELL, fill_cells, 39, check_cells),
        "model": _asked(MODEL, fill_model, 32),
    }
)


class Jbd(FramedProtocol):
    """Classic JBD boards."""

    name = "jbd"
    title = "JBD (LLT, Overkill Solar), UART or RS485"
    # JBD gives no times, and nobody has published measured ones: those of other boards at this rate, with room.
    line = Line(
        baudrates=(9_600,),
        first_byte_timeout=0.500,
        idle_timeout=0.060,
        silence=0.050,
        silence_min=0.020,
        silence_max=0.300,
        same_pack_gap=0.050,
    )
    latency = 0.050
    addresses = range(ONLY, ONLY + 1)
    no_address = (
        "a classic JBD board has no address: one board a port, every port its own [bus:NAME]; leave "
        f"BATTERY_ADDRESSES away or write {ONLY:#04x}. JBD UP packs have addresses: PROTOCOL = jbd-up"
    )
    reports_limits = False
    questions = MappingProxyType({Topic.STATUS: ("basic", "cells"), Topic.ABOUT: ("model",)})
    asked = ASKED
    essential = ("basic", "cells")

    @staticmethod
    def fault(frame: bytes) -> FrameError | None:
        """As :meth:`FramedProtocol.fault`."""
        return frame_fault(frame)

    @staticmethod
    def sizes(data: bytes) -> Iterable[int]:
        """As :meth:`FramedProtocol.sizes`."""
        if len(data) <= tables.HEADER or data[0] != START:
            return ()
        count_at = 4 if has_address(data) else 3
        return (count_at + 1 + data[count_at] + tables.TAIL,)

    def sender(self, frame: bytes) -> int:
        """As :meth:`FramedProtocol.sender`."""
        return frame[1] if has_address(frame) else ONLY

    def other(self, frame: bytes) -> Description:
        """As :meth:`FramedProtocol.other`."""
        at = 1 if has_address(frame) else 0  # how far an address moves the rest
        asks = frame[1 + at] in (READ, WRITE)
        register = frame[2 + at] if asks else frame[1]
        values = {"register": f"{register:02X}", "data": frame[tables.HEADER + at : -tables.TAIL].hex()}
        kinds = {READ: "request", WRITE: "write"}
        return Description(kinds.get(frame[1 + at], "other"), address=self.sender(frame), values=values)
