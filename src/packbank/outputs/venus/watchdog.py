"""The process ends when its main loop stalls: Venus OS would believe the last limits for ever, however old.

systemcalc has no time-out on a battery; only the name's leaving tells it. The supervisor then starts us again.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import NoReturn

LIMIT = 30.0  # s without a tick; a tick has to wait for a D-Bus answer or a disk at times
EXIT_CODE = 70  # EX_SOFTWARE


def end_process(silence: float) -> NoReturn:
    """Say why and end at once: no lock, no buffer and no handler of a stalled process can be relied on."""
    message = f"packbank: the main loop stood still for {silence:.0f} s; the process ends and is to be started again\n"
    os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, message.encode())
    os._exit(EXIT_CODE)


class Watchdog:
    """Calls ``end(seconds)`` when :meth:`feed` was not called for ``limit`` seconds. A context manager."""

    def __init__(
        self,
        limit: float = LIMIT,
        clock: Callable[[], float] = time.monotonic,
        end: Callable[[float], object] = end_process,
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._end = end
        self._fed = clock()
        self._over = Event()
        self._thread = Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._fed = self._clock()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def feed(self) -> None:
        """The main loop lives. A gap counts even if it is over: after SIGCONT the loop may be the first to run."""
        self.check()
        self._fed = self._clock()

    def check(self) -> None:
        """End the process if the main loop has been silent for too long."""
        silence = self._clock() - self._fed
        if silence > self._limit:
            self._end(silence)

    def _watch(self) -> None:
        while not self._over.wait(self._limit / 4):
            self.check()
