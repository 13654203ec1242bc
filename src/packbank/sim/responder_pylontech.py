"""A Pylontech pack: its answers from the decoder's own tables."""

from __future__ import annotations

import numpy as np

from packbank.bms import pylontech_fields as tables
from packbank.bms.protocol import Row
from packbank.bms.pylontech import MAKER, VERSION, Pylontech
from packbank.cext.envelope import HEADER
from packbank.model.columns import COLUMNS, Column
from packbank.model.identity import Identity
from packbank.sim.ascii_pack import AsciiResponder, counted_message, put_voltage, shape_for

SENSORS = 5
CHARGE_CELL = 3.55  # V; 53.25 V of 15 cells, measured
EMPTY_CELL = 3.0  # V, likewise
CURRENT = 37.0  # A, of a US3000C
USUAL = {
    Column.CELL_OVP: 3.65,
    Column.CELL_UVP: 2.8,
    Column.CHARGE_OTP: 60.0,
    Column.CHARGE_UTP: -10.0,
    Column.DISCHARGE_OTP: 60.0,
    Column.DISCHARGE_UTP: -10.0,
}


class PylontechResponder(AsciiResponder):
    """The module at ``address``; ``kind`` is the form of its capacities."""

    model = "US3000C"
    software = "1.3-0.6.9"
    protocol = Pylontech()
    version = VERSION
    times = (0.010, 0.060, 0.030)

    def __init__(self, address: int, identity: Identity | None = None, *, kind: int = tables.LARGE) -> None:
        super().__init__(address, identity)
        self.kind = kind

    def info(self, question: str, row: Row) -> bytes:
        """INFO of the answer to one of the questions."""
        if question == "analog":
            return self._analog(row)
        if question == "alarm":
            shape = shape_for(row, SENSORS, 1, tables.ALARM_REST[1])
            message = counted_message(tables.alarm_layout(shape), shape, 1, self.address, row)
            return bytes(message[HEADER:])
        if question == "limits":
            return self._limits(row)
        texts = {
            "maker": self.identity.model.encode()[:10].ljust(10, b"\0") + b"\1\3" + MAKER.ljust(20, b"-"),
            "serial": bytes((self.address,)) + self.identity.serial.encode()[:16].ljust(16, b"\0"),
            "software": bytes((self.address, 1, 3, 0, 6, 9)),
        }
        return texts.get(question) or self._parameters()

    @staticmethod
    def _parameters() -> bytes:
        usual = np.full(COLUMNS, np.nan)
        for column, value in USUAL.items():
            usual[column] = value
        return bytes(tables.parameters_layout().encode_from(usual)[HEADER:])

    def _analog(self, row: Row) -> bytes:
        shape = shape_for(row, SENSORS, 2, tables.RESTS[self.kind])
        message = counted_message(tables.analog_layout(shape), shape, 2, self.address, row)
        at = shape.end
        message[at + tables.KIND_AT] = self.kind
        if self.kind == tables.LARGE:
            message[at + 4 : at + 6] = message[at + 7 : at + 9] = b"\xff\xff"
        if np.isfinite(row[Column.VOLTAGE]):
            put_voltage(message, at + 2, row[Column.VOLTAGE])
        return bytes(message[HEADER:])

    def _limits(self, row: Row) -> bytes:
        sent = row.copy()
        for column in (Column.CHARGE_CURRENT_LIMIT, Column.DISCHARGE_CURRENT_LIMIT):
            sent[column] = CURRENT if np.isnan(row[column]) else row[column]
        sent[Column.CELL_CHARGE_REQUEST] = CHARGE_CELL
        cells = int(np.nan_to_num(row[Column.CELL_COUNT], nan=15))
        message = tables.limits_layout(cells).encode_from(sent)
        message[HEADER] = self.address
        empty = round(1000 * EMPTY_CELL * cells)
        message[tables.DISCHARGE_VOLTAGE : tables.DISCHARGE_VOLTAGE + 2] = (empty & 0xFFFF).to_bytes(2)
        allowed = (
            (Column.CHARGE_CURRENT_LIMIT, tables.CHARGE_ALLOWED),
            (Column.DISCHARGE_CURRENT_LIMIT, tables.DISCHARGE_ALLOWED),
        )
        message[tables.ALLOWED] = sum(mask for column, mask in allowed if sent[column] > 0)
        return bytes(message[HEADER:])
