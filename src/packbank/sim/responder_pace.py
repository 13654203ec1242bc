"""A PACE pack: its answers from the decoder's own tables."""

from __future__ import annotations

import numpy as np

from packbank.bms import pace_fields as tables
from packbank.bms.ascii_counts import COUNTS, FLAG, NUMBER, Shape
from packbank.bms.pace import NEW, Pace
from packbank.bms.protocol import Row
from packbank.cext.envelope import HEADER
from packbank.cext.layout import Layout
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.model.identity import Identity
from packbank.sim.ascii_pack import AsciiResponder

SENSORS = 6
USUAL = {  # settings of a P16S100A as it is sold: the vendor's document and the frames of `../shared/vectors`
    Column.CELL_OVP: 3.7,
    Column.CELL_OVP_RECOVERY: 3.38,
    Column.CELL_UVP: 2.5,
    Column.CELL_UVP_RECOVERY: 2.9,
    Column.CHARGE_CURRENT_LIMIT: 104.0,
    Column.DISCHARGE_CURRENT_LIMIT: 105.0,
    Column.CHARGE_OCP_DELAY: 1.0,
    Column.DISCHARGE_OCP_DELAY: 1.0,
    Column.CHARGE_OTP: 55.0,
    Column.CHARGE_OTP_RECOVERY: 50.0,
    Column.DISCHARGE_OTP: 60.0,
    Column.DISCHARGE_OTP_RECOVERY: 55.0,
    Column.CHARGE_UTP: -5.0,
    Column.CHARGE_UTP_RECOVERY: 0.0,
    Column.DISCHARGE_UTP: -20.0,
    Column.DISCHARGE_UTP_RECOVERY: -10.0,
}


class PaceResponder(AsciiResponder):
    """The pack at ``address``; ``tail`` is the form of its 0x42, ``version`` its VER."""

    model = "P16S100A"
    software = "P16S100A-1812-1.00"
    protocol = Pace()
    times = (0.030, 0.110, 0.050)

    def __init__(self, address: int, identity: Identity | None = None, *, tail: int = 6, version: int = NEW) -> None:
        super().__init__(address, identity)
        self.tail = tail
        self.version = version

    def has_number(self, number: int) -> bool:
        """Whether the pack goes by this number in INFO; a pack alone is number 1."""
        return number == (self.address or 1)

    def info(self, question: str, row: Row) -> bytes:
        """INFO of the answer to one of the questions."""
        if question == "analog":
            return self._analog(row)
        if question == "warning":
            return self._warning(row)
        if question in tables.SETTINGS:
            return self._setting(question)
        texts = {"version": (self.identity.software, 20), "product": (self.identity.serial, 40)}
        text, size = texts.get(question, ("\1", 1))
        return text.encode()[:size].ljust(size, b" ")

    def _analog(self, row: Row) -> bytes:
        cells = int(np.isfinite(row[CELL_VOLTAGES]).sum())
        end = COUNTS + 2 + 2 * cells + 2 * SENSORS
        shape = Shape(cells, SENSORS, end, end + tables.TO_TAIL + self.tail)
        message = self._counted(tables.analog_layout(shape), shape, 2, row)
        message[end + 6] = {4: 2, 6: 3}.get(self.tail, 2)
        if np.isfinite(row[Column.VOLTAGE]):
            message[end + 2 : end + 4] = (round(1000.0 * row[Column.VOLTAGE]) & 0xFFFF).to_bytes(2)
        if self.tail in tables.SOC_TAILS and np.isfinite(row[Column.SOC]):
            message[end + 13] = round(row[Column.SOC])
        return bytes(message[HEADER:])

    def _warning(self, row: Row) -> bytes:
        cells = int(np.isfinite(row[CELL_VOLTAGES]).sum())
        end = COUNTS + 2 + cells + SENSORS
        shape = Shape(cells, SENSORS, end, end + tables.WARNING_REST[0])
        return bytes(self._counted(tables.warning_layout(shape), shape, 1, row)[HEADER:])

    def _counted(self, layout: Layout, shape: Shape, width: int, row: Row) -> bytearray:
        message = layout.encode_from(row)
        message[FLAG], message[NUMBER], message[COUNTS] = 0, self.address or 1, shape.cells
        message[COUNTS + 1 + width * shape.cells] = shape.sensors
        return message

    @staticmethod
    def _setting(question: str) -> bytes:
        row = np.full(max(USUAL) + 1, np.nan)
        for column, value in USUAL.items():
            row[column] = value
        message = tables.setting_layout(question).encode_from(row)
        message[HEADER] = 1
        for at in range(tables.AT, len(message) - 3, 6):  # what warns, protects and releases
            warns, protects = message[at : at + 2], message[at + 2 : at + 4]
            if question.endswith("current"):  # the table has what warns, and the BMS waits a little longer
                level = int.from_bytes(warns, signed=True)
                message[at + 2 : at + 4] = (level + (5 if level > 0 else -5)).to_bytes(2, signed=True)
            else:
                message[at : at + 2] = protects
        return bytes(message[HEADER:])
