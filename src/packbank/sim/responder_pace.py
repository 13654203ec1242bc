"""A PACE pack: its answers from the decoder's own tables."""

from __future__ import annotations

import numpy as np

from packbank.bms import pace_fields as tables
from packbank.bms.pace import NEW, Pace
from packbank.bms.protocol import Row
from packbank.cext.envelope import HEADER
from packbank.model.columns import Column
from packbank.model.identity import Identity
from packbank.sim.ascii_pack import AsciiResponder, counted_message, put_voltage, shape_for

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
        shape = shape_for(row, SENSORS, 2, tables.TO_TAIL + self.tail)
        message = counted_message(tables.analog_layout(shape), shape, 2, self.address or 1, row)
        message[shape.end + 6] = {4: 2, 6: 3}.get(self.tail, 2)
        if np.isfinite(row[Column.VOLTAGE]):
            put_voltage(message, shape.end + 2, row[Column.VOLTAGE])
        if self.tail in tables.SOC_TAILS and np.isfinite(row[Column.SOC]):
            message[shape.end + 13] = round(row[Column.SOC])
        return bytes(message[HEADER:])

    def _warning(self, row: Row) -> bytes:
        shape = shape_for(row, SENSORS, 1, tables.WARNING_REST[0])
        message = counted_message(tables.warning_layout(shape), shape, 1, self.address or 1, row)
        return bytes(message[HEADER:])

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
