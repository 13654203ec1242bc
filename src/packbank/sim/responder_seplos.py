"""A Seplos V1/V2 pack: its answers from the decoder's own tables."""

from __future__ import annotations

import numpy as np

from packbank.bms import seplos_fields as tables
from packbank.bms.protocol import Row
from packbank.bms.seplos import VERSION, Seplos
from packbank.cext.envelope import HEADER
from packbank.model.columns import Column
from packbank.sim.ascii_pack import AsciiResponder, counted_message, shape_for

SENSORS = 6
MAKER = b"CANProtocol:Victron"


class SeplosResponder(AsciiResponder):
    """The pack at ``address``."""

    model = "1101-SP76"
    software = "16.4"
    protocol = Seplos()
    version = VERSION
    times = (0.030, 0.110, 0.050)

    def info(self, question: str, row: Row) -> bytes:
        """INFO of the answer to one of the questions."""
        if question == "analog":
            return self._analog(row)
        if question == "alarm":
            return self._alarm(row)
        version = bytes(int(part) for part in self.software.split("."))
        return self.identity.model.encode()[:10].ljust(10) + version + MAKER.ljust(20, b"\0")

    def _analog(self, row: Row) -> bytes:
        shape = shape_for(row, SENSORS, 2, tables.ANALOG_REST)
        message = counted_message(tables.analog_layout(shape), shape, 2, self.address, row)
        message[shape.end + tables.COUNT_AT] = tables.COUNT
        message[shape.end + 17 : shape.end + 19] = message[shape.end + 2 : shape.end + 4]  # at the port
        return bytes(message[HEADER:])

    def _alarm(self, row: Row) -> bytes:
        shape = shape_for(row, SENSORS, 1, tables.ALARM_REST)
        message = counted_message(tables.alarm_layout(shape), shape, 1, self.address, row)
        message[shape.end + tables.EVENTS_AT] = tables.EVENTS
        current = np.nan_to_num(row[Column.CURRENT])
        doing = 0x01 if current < 0 else 0x02 if current > 0 else 0x10
        message[shape.end + tables.TO_EVENTS + tables.SYSTEM] = doing
        return bytes(message[HEADER:])
