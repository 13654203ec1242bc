"""Take in what an ear understands: the answers through the gate to the matrix, the rest into the counters."""

from __future__ import annotations

from collections.abc import Sequence

from packbank.bms.protocol import Heard, Overhearing
from packbank.sources.serial.intake import Intake
from packbank.sources.serial.stats import Counters

NOBODY = -1  # the address of an answer that cannot be attributed


class Hearing:
    """An ear on one bus, live or recorded."""

    def __init__(self, ear: Overhearing, intake: Intake, counters: Counters) -> None:
        self._ear = ear
        self._intake = intake
        self._counters = counters

    def hear(self, data: bytes, now: float) -> bool:
        """Take bytes from the line at ``now``, or none after a silence; whether they held anything that makes sense."""
        understood = self._ear.feed(data, now)
        self.take(understood, now, data)
        for error in self._ear.rejected:
            self._intake.refuse(NOBODY, error, data)
        self._ear.rejected.clear()
        return bool(understood)

    def take(self, understood: Sequence[Heard], now: float, data: bytes = b"") -> None:
        """Take in what was understood at ``now`` of ``data``."""
        for heard in understood:
            if heard.apply is None:
                self._counters.foreign += 1
            else:
                self._intake.accept(heard.address, heard.topic, [heard.apply], now, data)
