"""A classic JBD board: its answers from the decoder's own tables."""

from __future__ import annotations

import numpy as np

from packbank.bms import jbd_fields as tables
from packbank.bms.jbd import BASIC, CELL, MODEL, Jbd, head, seal
from packbank.bms.protocol import Row
from packbank.model.columns import CELL_VOLTAGES
from packbank.model.identity import Identity
from packbank.sim.framed_pack import FramedResponder

SENSORS = 4
REGISTERS = {"basic": BASIC, "cells": CELL, "model": MODEL}


class JbdResponder(FramedResponder):
    """The board on a port; ``more`` is what newer firmware sends."""

    model = "JBD-SP25S003-L16S-100A"
    software = "2.0"
    protocol = Jbd()
    times = (0.020, 0.120, 0.050)

    def __init__(self, address: int = 1, identity: Identity | None = None, *, more: bool = False) -> None:
        super().__init__(address, identity)
        self.more = more

    def frame(self, question: str, row: Row) -> bytes:
        """The answer to one of the questions."""
        data = {"basic": self._basic, "cells": self._cells, "model": self._model}[question](row)
        return seal(head(REGISTERS[question], self.address) + bytes((0, len(data))) + data)

    def _basic(self, row: Row) -> bytes:
        size = tables.SENSORS_AT + 1 + 2 * SENSORS + (tables.MORE if self.more else 0) + tables.TAIL
        message = tables.basic_layout(SENSORS, size).encode_from(row)
        message[tables.CELLS_AT] = int(np.isfinite(row[CELL_VOLTAGES]).sum())
        message[tables.SENSORS_AT] = SENSORS
        major, _, minor = self.identity.software.partition(".")
        message[tables.VERSION_AT] = int(major) << 4 | int(minor) if (major + minor).isdigit() else 0
        if self.identity.manufactured:
            year, month, day = (int(part) for part in self.identity.manufactured.split("-"))
            message[tables.MADE_AT : tables.MADE_AT + 2] = (year - 2000 << 9 | month << 5 | day).to_bytes(2)
        return bytes(message[tables.HEADER : -tables.TAIL])

    @staticmethod
    def _cells(row: Row) -> bytes:
        layout = tables.cells_layout(int(np.isfinite(row[CELL_VOLTAGES]).sum()))
        return bytes(layout.encode_from(row)[tables.HEADER : -tables.TAIL])

    def _model(self, row: Row) -> bytes:
        del row
        return self.identity.model.encode()
