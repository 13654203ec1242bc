"""JBD UP packs (UP16S010, UP16S015, UP16S020, Eco-worthy and others) on RS485 or RS232, addresses 1 and on.

A frame is ``address function start end count data CRC``, a relative of Modbus RTU; ``count`` alone says how long it is.
Any pack answers for all others, but only the pack on this port says what it allows itself. What the first pack says of
currents is the bank's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np

from packbank.bms import jbd_up_fields as tables
from packbank.bms.framed import Asked, FramedProtocol
from packbank.bms.modbus import crc_fault, seal
from packbank.bms.protocol import Description, Line, Row, Topic
from packbank.bms.sensors import put_tenths
from packbank.errors import FrameError
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Column
from packbank.model.identity import Identity

FIRST = 0x01  # the pack whose status has the limits of the whole bank
STATUS = bytes.fromhex("7810 0010 A0")  # function, start, end
OWN = bytes.fromhex("4500 0000 54")
FUNCTIONS = (0x45, 0x78, 0x79)  # individual, read, write
MOST = 300  # bytes of data; 208 were seen
LIMITS = [Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT]


def request(what: bytes, address: int) -> bytes:
    """The question of a master: no data."""
    return seal(bytes((address,)) + what + bytes(2))


def head(what: bytes, address: int) -> bytes:
    """What the answer begins with."""
    return bytes((address,)) + what


def frame_size(data: bytes) -> int:
    """As FrameSearch asks it; a frame without data is a request, maybe our own come back, and none of ours."""
    if len(data) < tables.HEADER:
        return 0
    count = int.from_bytes(data[6:8])
    return tables.HEADER + count + tables.CRC if 0 < count <= MOST else -1


def check_status(frame: bytes) -> None:
    """As :attr:`Asked.check`."""
    shape = tables.shape_of(frame)
    cells = frame[tables.CELLS_AT + 2 : tables.CELLS_AT + 2 + 2 * shape.cells]
    if not any(cells):
        raise FrameError("empty", f"all {shape.cells} cells are 0 V")


def fill_status(frame: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Asked.fill`."""
    shape = tables.shape_of(frame)
    row[CELL_VOLTAGES] = np.nan
    tables.status_layout(shape).decode_into(frame, row)
    row[Column.POWER] = row.item(Column.VOLTAGE) * row.item(Column.CURRENT)
    row[Column.FLOW] = tables.FLOWS.get(int.from_bytes(frame[tables.STATE_AT : tables.STATE_AT + 2]), np.nan)
    if shape.sensors > len(BATTERY_TEMPERATURES):
        put_tenths(row, frame[shape.end - 2 * shape.sensors : shape.end], tables.ZERO)
    major, minor = frame[shape.end + tables.FIRMWARE_AT : shape.end + tables.FIRMWARE_AT + 2]
    software = f"{major}.{minor}" if major else identity.software  # a pack behind the first has no major number
    return replace(identity, model=tables.name_of(shape).decode(frame), software=software)


def check_own(frame: bytes) -> None:
    """As :attr:`Asked.check`."""
    tables.own_shape_of(frame)


def fill_own(frame: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Asked.fill`: it lowers what the status has said of currents."""
    said = row[LIMITS]
    tables.own_layout(tables.own_shape_of(frame)).decode_into(frame, row)
    row[LIMITS] = np.fmin(said, row[LIMITS])
    return identity


ASKED: Mapping[str, Asked] = MappingProxyType(
    {
        "status": Asked(
            partial(request, STATUS), partial(head, STATUS), frame_size, fill_status, 168, check_status,
            tables.name_alarms,
        ),
        "own": Asked(partial(request, OWN), partial(head, OWN), frame_size, fill_own, 126, check_own),
    }
)  # fmt: skip


class JbdUp(FramedProtocol):
    """JBD UP packs."""

    name = "jbd-up"
    title = "JBD UP (UP16S), RS485 or RS232"
    # dbus-serialbattery sees whole answers 0.3 to 0.6 s after a request and waits for 1.5 s; the wire takes 0.19 s of
    # that. Nobody has measured what pause a pack needs.
    line = Line(
        baudrates=(9_600,),
        first_byte_timeout=1.000,
        idle_timeout=0.080,
        silence=0.050,
        silence_min=0.020,
        silence_max=0.300,
        same_pack_gap=0.050,
    )
    latency = 0.200
    addresses = range(FIRST, 0x10)
    no_address = "address {:#04x}: the first JBD UP pack is 0x01, those linked with it 0x02 to 0x0F"
    questions = MappingProxyType({Topic.STATUS: ("status", "own")})
    asked = ASKED
    essential = ("status",)

    @staticmethod
    def fault(frame: bytes) -> FrameError | None:
        """As :meth:`FramedProtocol.fault`."""
        return crc_fault(frame)

    @staticmethod
    def sizes(data: bytes) -> Iterable[int]:
        """As :meth:`FramedProtocol.sizes`."""
        if len(data) < tables.HEADER or not FIRST <= data[0] < JbdUp.addresses.stop or data[1] not in FUNCTIONS:
            return ()
        count = int.from_bytes(data[6:8])
        return (tables.HEADER + count + tables.CRC,) if count <= MOST else ()

    def sender(self, frame: bytes) -> int:
        """As :meth:`FramedProtocol.sender`."""
        return frame[0]

    def other(self, frame: bytes) -> Description:
        """As :meth:`FramedProtocol.other`."""
        data = frame[tables.HEADER : -tables.CRC]
        values = {"function": f"{frame[1]:02X}", "start": frame[2:4].hex().upper(), "end": frame[4:6].hex().upper()}
        return Description("other" if data else "request", address=frame[0], values=values | {"data": data.hex()})

    def questions_to(self, address: int, topic: Topic) -> Iterable[str]:
        """As :meth:`Protocol.questions_to`: only the first pack's own limits are not in its status."""
        asked = super().questions_to(address, topic)
        return (question for question in asked if question != "own" or address == FIRST)

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """As :meth:`Protocol.decode`: the bank's limits bound the first pack's own and never stand for them."""
        identity = super().decode(address, question, data, row, identity)
        if address == FIRST and question == "status" and "own" not in self._memories.of(address).answered:
            row[LIMITS] = np.nan
        return identity
