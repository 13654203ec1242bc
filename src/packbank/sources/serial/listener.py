"""Hear what another master and its packs say to each other, or what disturbs our own polling. Never sends a byte."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from threading import Event

from packbank.bms.protocol import Answer, Overhearing, Request
from packbank.sources.serial.gate import NOBODY, Gate
from packbank.sources.serial.link import Link
from packbank.sources.serial.statistics import Statistics

LOOK_UP = 0.5  # s at most between two looks at the stop signal
GATHER = 0.05  # s: from a request's first byte to the end of its answer, so that one read finds both
KEPT = 8  # times of the last foreign requests


class Listener:
    """Takes in what others say on a bus."""

    def __init__(self, overhearing: Overhearing, gate: Gate, statistics: Statistics) -> None:
        self.patience = overhearing.patience  # s without a word of a master, after which there is none any more
        self._overhearing = overhearing
        self._gate = gate
        self._statistics = statistics
        self._requests: deque[float] = deque(maxlen=KEPT)

    def hear(self, data: bytes, now: float) -> bool:
        """Take bytes from the line at ``now``, or none after a silence; whether they held anything that makes sense."""
        understood = self._overhearing.feed(data, now)
        self.take(understood, now, data)
        return bool(understood)

    def take(self, understood: Sequence[Answer | Request], now: float, data: bytes = b"") -> None:
        """Take in what was understood at ``now`` of ``data``."""
        for one in understood:
            if isinstance(one, Answer):
                self._gate.take(one)
        for error in self._overhearing.take_rejected():
            self._gate.refuse(NOBODY, error, data, now)
        self._note_requests(understood, now)

    def disturbed(self, data: bytes, own: bytes, now: float) -> bool:
        """Note requests of others in what came while we polled; whether it made sense.

        ``own`` is our last request, which an adapter may echo. Answers in it are nobody's: they are not taken.
        """
        understood = self._overhearing.feed(data.replace(own, b"", 1), now)
        self._overhearing.take_rejected()
        self._note_requests(understood, now)
        return bool(understood)

    def requests_since(self, time: float) -> int:
        """How many requests of others were heard after ``time``, as far back as they are kept."""
        return sum(heard > time for heard in self._requests)

    def run(self, link: Link, stop: Event, patience: float = inf, clock: Callable[[], float] = time.monotonic) -> None:
        """Listen until ``stop`` is set or nothing was understood for ``patience`` seconds; raises LinkError."""
        last = clock()
        self._overhearing.feed(b"", last)  # what is open from our own polling is nobody's answer now
        while not stop.is_set() and (left := last + patience - clock()) > 0.0:
            data = link.read(min(left, LOOK_UP))
            if data:
                link.sleep(GATHER)
                data += link.read()
            else:
                link.check_alive()
            if self.hear(data, clock()):
                last = clock()

    def _note_requests(self, understood: Sequence[Answer | Request], now: float) -> None:
        requests = sum(isinstance(one, Request) for one in understood)
        self._requests.extend([now] * requests)
        self._statistics.count("foreign", requests)
