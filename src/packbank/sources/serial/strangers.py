"""Who else speaks on a bus that we poll."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from packbank.bms.protocol import Overhearing
from packbank.sources.serial.stats import Counters

KEPT = 8  # times of the last foreign requests
MEANINGFUL = 8  # bytes that are no mere noise, where the protocol cannot tell


class Strangers:
    """Makes sense of bytes that are no answer to us; ``ear`` is ``None`` when the protocol cannot."""

    def __init__(self, ear: Overhearing | None, counters: Counters, clock: Callable[[], float]) -> None:
        self._ear = ear
        self._counters = counters
        self._clock = clock
        self._heard: deque[float] = deque(maxlen=KEPT)

    def hear(self, data: bytes, own: bytes) -> bool:
        """Note the requests in ``data`` but for ``own``, our last, which an adapter may echo; whether it made sense."""
        if self._ear is None:
            return len(data) >= MEANINGFUL
        understood = self._ear.feed(data.replace(own, b"", 1), self._clock())
        self._ear.rejected.clear()
        requests = sum(heard.apply is None for heard in understood)
        self._heard.extend([self._clock()] * requests)
        self._counters.foreign += requests
        return bool(understood)

    def requests_since(self, time: float) -> int:
        """How many requests were heard after ``time``, as far back as they are kept."""
        return sum(heard > time for heard in self._heard)
