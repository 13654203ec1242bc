"""Seplos V3 packs (10E, SP and others from XZH-ElecTech) on RS485, Modbus RTU, addresses 0 to 15.

An answer does not repeat the register, so its length must say which block it is, and where two have the same length,
its values. Address 0 is a pack, not all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from struct import Struct
from types import MappingProxyType

import numpy as np

from packbank.bms import seplos_v3_fields as tables
from packbank.bms.fields import names_of
from packbank.bms.framed import Asked, Check, Fill, FramedProtocol, accept
from packbank.bms.protocol import Description, Line, Row, Topic
from packbank.bms.seplos_v3_frames import (
    BLOCKS,
    COILS,
    READS,
    REFUSAL,
    REFUSES,
    REGISTERS,
    REQUEST,
    answer_size,
    frame_fault,
    head,
    refusal,
    request,
)
from packbank.bms.seplos_v3_overhear import SeplosV3Overhearing
from packbank.errors import FrameError
from packbank.model.columns import BATTERY_TEMPERATURES, CELL_VOLTAGES, Column
from packbank.model.identity import Identity

VIEWS = (0xC0, 0xE0)  # addresses of the display's view of a pack, which nothing here asks
# Block 2000, a bank as its master has it: its double words have the low word first, so bytes are swapped before.
BANK = Struct("<IiIIIIIIII6H")


def fill_pack(frame: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Asked.fill`."""
    tables.pack_layout().decode_into(frame, row)
    row[Column.POWER] = row.item(Column.VOLTAGE) * row.item(Column.CURRENT)
    return identity


def fill_cells(frame: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Asked.fill`. There are always 16 words; behind the last cell they are 0."""
    tables.cell_layout().decode_into(frame, row)
    last = max(place for place in range(tables.CELLS) if tables.word(frame, place))
    row[CELL_VOLTAGES][last + 1 :] = np.nan
    return identity


def fill_bits(frame: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Asked.fill`."""
    tables.bits_layout().decode_into(frame, row)
    return identity


def fill_protections(frame: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Asked.fill`."""
    tables.protections_layout().decode_into(frame, row)
    return identity


def fill_wishes(frame: bytes, row: Row, identity: Identity) -> Identity:
    """As :attr:`Asked.fill`: the charge voltage is the pack's, so it counts once the cells are known."""
    cells = row.item(Column.CELL_COUNT)
    tables.wishes_layout(int(cells) if cells > 0 else 0).decode_into(frame, row)
    return identity


def _asked(question: str, fill: Fill, check: Check = accept) -> Asked:
    block = BLOCKS[question]
    return Asked(
        partial(request, block),
        partial(head, block),
        answer_size,
        fill,
        tables.HEADER + block.size + tables.CRC,
        check,
        partial(names_of, tables.ALARMS, at=tables.HEADER) if block.function == COILS else None,
        partial(refusal, block),
    )


ASKED: Mapping[str, Asked] = MappingProxyType(
    {
        "pack": _asked("pack", fill_pack),
        "cells": _asked("cells", fill_cells, tables.check_cells),
        "bits": _asked("bits", fill_bits),
        "protections": _asked("protections", fill_protections, tables.check_protections),
        "wishes": _asked("wishes", fill_wishes, tables.check_wishes),
    }
)


class SeplosV3(FramedProtocol):
    """Seplos V3 packs."""

    name = "seplos-v3"
    title = "Seplos V3 (Modbus RTU), RS485"
    # Seplos V3 has 19200 baud; on the line beside CAN 9600 is said to be right. Nobody has published times: as other
    # families, with room.
    line = Line(
        baudrates=(19_200, 9_600),
        first_byte_timeout=0.500,
        idle_timeout=0.060,
        silence=0.050,
        silence_min=0.020,
        silence_max=0.300,
        same_pack_gap=0.030,
    )
    latency = 0.050
    addresses = range(0x10)
    no_address = "address {:#04x} cannot be set on a Seplos V3 pack: its DIP switches make 0x00 to 0x0F"
    questions = MappingProxyType(
        {Topic.STATUS: ("pack", "cells", "bits"), Topic.SETTINGS: ("protections", "wishes")}
    )  # fmt: skip
    asked = ASKED
    essential = ("pack", "cells", "bits")

    def __init__(self) -> None:
        super().__init__()
        self._sensors: dict[int, int] = {}  # how many a pack has, by its address

    @staticmethod
    def fault(frame: bytes) -> FrameError | None:
        """As :meth:`FramedProtocol.fault`."""
        return frame_fault(frame)

    @staticmethod
    def sizes(data: bytes) -> Iterable[int]:
        """As :meth:`FramedProtocol.sizes`: a question and an answer begin alike."""
        if len(data) < REFUSAL or not (data[0] in SeplosV3.addresses or data[0] in VIEWS):
            return ()
        if data[1] & ~REFUSES not in READS:
            return ()
        return (REFUSAL,) if data[1] & REFUSES else (REQUEST, tables.HEADER + data[2] + tables.CRC)

    def sender(self, frame: bytes) -> int:
        """As :meth:`FramedProtocol.sender`."""
        return frame[0]

    def other(self, frame: bytes) -> Description:
        """As :meth:`FramedProtocol.other`."""
        function, body = {"function": f"{frame[1]:02X}"}, frame[tables.HEADER : -tables.CRC]
        if len(frame) == REQUEST:
            asks = {"register": frame[2:4].hex().upper(), "count": int.from_bytes(frame[4:6])}
            return Description("request", address=frame[0], values=function | asks)
        if len(body) == BANK.size and frame[1] == REGISTERS:
            return Description("summary", address=frame[0], values=_bank(body))
        return Description("other", address=frame[0], values=function | {"data": body.hex()})

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """As :meth:`Protocol.decode`: a sensor that is not there reads 0 degC; the settings say how many are."""
        identity = super().decode(address, question, data, row, identity)
        if question == "protections":
            self._sensors[address] = tables.word(data, tables.SENSOR_COUNT)
        elif question == "cells":
            row[list(BATTERY_TEMPERATURES[self._sensors.get(address, len(BATTERY_TEMPERATURES)) :])] = np.nan
        return identity

    def overhear(self) -> SeplosV3Overhearing:
        """As :meth:`Protocol.overhear`."""
        return SeplosV3Overhearing(self.asked, self.addresses, self.questions[Topic.STATUS])


def _bank(body: bytes) -> dict[str, object]:
    """What a master says of its bank, under names of our own."""
    words = bytes(byte for at in range(0, len(body), 2) for byte in (body[at + 1], body[at]))
    voltage, current, remaining, full, _, rated, _, _, discharge, charge, *rest = BANK.unpack(words)
    charge_voltage, discharge_voltage, packs, cycles, soc, soh = rest
    return {
        "voltage": voltage / 100,
        "current": current / 10,
        "remaining_capacity": remaining / 100,
        "full_capacity": full / 100,
        "nominal_capacity": rated / 100,
        "discharge_current_limit": discharge / 10,
        "charge_current_limit": charge / 10,
        "charge_voltage": charge_voltage / 10,
        "discharge_voltage": discharge_voltage / 10,
        "packs": packs,
        "cycles": cycles,
        "soc": soc / 10,
        "soh": soh / 10,
    }
