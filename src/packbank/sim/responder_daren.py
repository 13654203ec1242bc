"""A Daren pack: its answers from the decoder's own tables."""

from __future__ import annotations

import numpy as np

from packbank.bms import daren_fields as tables
from packbank.bms.daren import VERSION, Daren
from packbank.bms.protocol import Row
from packbank.cext.envelope import HEADER
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column
from packbank.sim.ascii_pack import AsciiResponder

SENSORS = 4
BEHIND = 23
USUAL = {
    Column.CELL_OVP: 3.65,
    Column.CELL_UVP: 2.6,
    Column.CHARGE_CURRENT_LIMIT: 120.0,  # as in dbus-serialbattery's frames
    Column.NOMINAL_CAPACITY: 100.0,
}


class DarenResponder(AsciiResponder):
    """The pack at ``address``."""

    model = "16S100JC25"
    software = "1.6.5"
    protocol = Daren()
    version = VERSION
    times = (0.030, 0.110, 0.050)

    def info(self, question: str, row: Row) -> bytes:
        """INFO of the answer to one of the questions."""
        if question == "analog":
            return self._analog(row)
        if question == "parameters":
            return self._parameters(row)
        texts = (text.encode()[:10].ljust(10, b"\0") for text in ("T1", "STD08", self.identity.model))
        version = bytes(int(part) for part in self.software.split("."))
        return b"".join(texts) + version + b"\0\0HC"

    def _analog(self, row: Row) -> bytes:
        cells = int(np.isfinite(row[CELL_VOLTAGES]).sum())
        middle = tables.CELLS_AT + 1 + 2 * cells
        end = middle + 7 + 2 * SENSORS
        message = tables.analog_layout(
            tables.Shape(cells, SENSORS, middle, end, end + tables.WORDS + BEHIND)
        ).encode_from(row)
        message[tables.CELLS_AT], message[middle + 6] = cells, SENSORS
        current = np.nan_to_num(row[Column.CURRENT])
        message[end + tables.FLOW_AT] |= 0x01 if current > 0 else 0x02 if current < 0 else 0
        if row[Column.CHARGE_MOSFET] == row[Column.DISCHARGE_MOSFET] == 1:
            message[end + tables.FET_AT] |= 0x03
        elif row[Column.CHARGE_MOSFET] != row[Column.DISCHARGE_MOSFET]:
            message[end + tables.FET_AT] |= 0x01
        return bytes(message[HEADER:])

    def _parameters(self, row: Row) -> bytes:
        usual = np.full(COLUMNS, np.nan)
        for column, value in USUAL.items():
            usual[column] = value
        message = tables.parameters_layout().encode_from(usual)
        first, second = tables.CHARGE_LIMITS
        message[second : second + 2] = message[first : first + 2]
        cells = int(np.isfinite(row[CELL_VOLTAGES]).sum())
        message[tables.PARAMETER_CELLS : tables.PARAMETER_CELLS + 2] = cells.to_bytes(2)
        return bytes(message[HEADER:]).ljust(25, b"\0") + self.identity.serial.encode()[:20].ljust(40, b"\0")
