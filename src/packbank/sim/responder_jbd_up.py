"""A JBD UP pack: its answers from the decoder's own tables."""

from __future__ import annotations

import numpy as np

from packbank.bms import jbd_up_fields as tables
from packbank.bms.jbd_up import FIRST, LIMITS, OWN, STATUS, JbdUp, head
from packbank.bms.modbus import seal
from packbank.bms.protocol import Row
from packbank.model.columns import CELL_VOLTAGES, Column
from packbank.sim.framed_pack import FramedResponder

SENSORS = 4
TAIL = 12  # bytes behind the name, of the first pack; four of the others
CURRENT = 100.0  # A, of a UP16S020 with 100 Ah, measured
BANK = 2  # packs whose currents the first one adds up, as in the frames of two packs
CHARGE_CELL = 3.65  # V; 58.4 V of 16 cells, measured


class JbdUpResponder(FramedResponder):
    """The pack at ``address``; the first one is on the port."""

    model = "JBD48100000"
    software = "12.4"
    protocol = JbdUp()
    times = (0.120, 0.400, 0.180)

    def answers(self, question: str) -> bool:
        """What a pack allows itself only the pack on the port says."""
        return question == "status" or self.address == FIRST

    def frame(self, question: str, row: Row) -> bytes:
        """The answer to one of the questions."""
        return self._status(row) if question == "status" else self._own(row)

    def _limits(self, row: Row) -> Row:
        """The row with the limits of a pack of its own."""
        sent = row.copy()
        sent[LIMITS] = np.where(np.isnan(row[LIMITS]), CURRENT, row[LIMITS])
        sent[Column.CELL_CHARGE_REQUEST] = CHARGE_CELL
        sent[Column.CELL_AVERAGE] = np.nanmean(row[CELL_VOLTAGES])
        return sent

    def _status(self, row: Row) -> bytes:
        cells, first = _cells(row), self.address == FIRST
        at = tables.CELLS_AT + 2 + 2 * cells
        end = at + 2 + 2 * SENSORS
        tail = TAIL if first else 4
        shape = tables.Shape(cells, SENSORS, end, end + tables.NAME_AT + tables.NAME_SIZE + tail + tables.CRC)
        sent = self._limits(row)
        sent[LIMITS] *= BANK if first else 1
        message = tables.status_layout(shape).encode_from(sent)
        message[tables.CELLS_AT : tables.CELLS_AT + 2] = cells.to_bytes(2)
        message[at : at + 2] = SENSORS.to_bytes(2)
        current = np.nan_to_num(row[Column.CURRENT])
        message[tables.STATE_AT + 1] = 1 if current > 0 else 2 if current < 0 else 0
        versions = [int(part) for part in self.identity.software.split(".") if part.isdigit()]
        if first and len(versions) == 2:
            message[end + tables.FIRMWARE_AT : end + tables.NAME_AT] = bytes(versions)
        name = self.identity.model.encode()[: tables.NAME_SIZE].ljust(tables.NAME_SIZE, b"\0")
        message[end + tables.NAME_AT : end + tables.NAME_AT + tables.NAME_SIZE] = name
        return self._sealed(STATUS, message)

    def _own(self, row: Row) -> bytes:
        cells = _cells(row)
        behind = tables.OWN_CELLS + 2 + 2 * cells
        shape = tables.Shape(cells, SENSORS, behind, behind + tables.OWN_END + 2 * SENSORS + tables.CRC)
        message = tables.own_layout(shape).encode_from(self._limits(row))
        message[tables.OWN_CELLS : behind] = cells.to_bytes(2) + _millivolts(row, cells)
        message[behind + tables.OWN_SENSORS] = SENSORS
        return self._sealed(OWN, message)

    def _sealed(self, what: bytes, message: bytearray) -> bytes:
        data = bytes(message[tables.HEADER : -tables.CRC])
        return seal(head(what, self.address) + len(data).to_bytes(2) + data)


def _cells(row: Row) -> int:
    return int(np.isfinite(row[CELL_VOLTAGES]).sum())


def _millivolts(row: Row, cells: int) -> bytes:
    return b"".join(round(1000 * volts).to_bytes(2) for volts in row[CELL_VOLTAGES][:cells])
