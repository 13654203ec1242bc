"""Hear what another master and its packs say to each other. Never sends a byte."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from threading import Event

from packbank.sources.serial.hearing import Hearing
from packbank.sources.serial.link import Link

LOOK_UP = 0.5  # s at most between two looks at the stop signal
GATHER = 0.05  # s: from a request's first byte to the end of its answer, so that one read finds both


class Listener:
    """The ear of one bus; ``hearing`` takes in what it hears."""

    def __init__(self, hearing: Hearing, stop: Event, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._hearing = hearing
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
            if self._hearing.hear(data, self._clock()):
                last = self._clock()
