"""Hear what another master and its packs say to each other, and take in the answers. Never sends a byte."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from threading import Event

from packbank.bms.protocol import Heard, Protocol
from packbank.bus.intake import Intake
from packbank.bus.link import Link
from packbank.bus.stats import Counters
from packbank.errors import ConfigError

LOOK_UP = 0.5  # s at most between two looks at the stop signal
GATHER = 0.05  # s: from a request's first byte to the end of its answer, so that one read finds both


class Listener:
    """The ear of one bus. Raises ConfigError for a protocol whose answers do not tell who gave them."""

    def __init__(
        self,
        protocol: Protocol,
        intake: Intake,
        counters: Counters,
        stop: Event,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        ear = protocol.overhear()
        if ear is None:
            raise ConfigError(
                f"{protocol.title} cannot be listened to: its answers do not tell who gives them; poll it"
            )
        self._ear = ear
        self._intake = intake
        self._counters = counters
        self._stop = stop
        self._clock = clock

    def run(self, link: Link, patience: float = inf) -> None:
        """Listen until the stop is set or nothing was understood for ``patience`` seconds; raises LinkError."""
        last = self._clock()
        while not self._stop.is_set() and (left := last + patience - self._clock()) > 0.0:
            data = link.read(min(left, LOOK_UP))
            if data:
                link.sleep(GATHER)
                data += link.read()
            else:
                link.check_alive()
            if self.hear(data, self._clock()):
                last = self._clock()

    def hear(self, data: bytes, now: float) -> bool:
        """Take bytes from the line at ``now``, or none after a silence; whether they held anything that makes sense."""
        understood = self._ear.feed(data, now)
        for heard in understood:
            self._take(heard, now, data)
        for error in self._ear.rejected:
            self._intake.refuse(-1, error, data)
        self._ear.rejected.clear()
        return bool(understood)

    def _take(self, heard: Heard, now: float, data: bytes) -> None:
        if heard.apply is None:
            self._counters.foreign += 1
        else:
            self._intake.accept(heard.address, heard.topic, [heard.apply], now, data)
