"""The kernel ends the process when its main loop stalls: Venus OS would believe the last limits for ever.

systemcalc has no time-out on a battery; it notices only when the name leaves. The supervisor then starts us again. The
kernel's own timer does it (``setitimer``, SIGALRM with its default action), so neither a lock, the log, the D-Bus nor
Python itself can prevent it.
"""

from __future__ import annotations

import signal
from typing import Self

LIMIT = 30.0  # s without a step; a step has to wait for a D-Bus answer at times


class Watchdog:
    """Ends the process with SIGALRM when :meth:`feed` was not called for ``limit`` seconds. A context manager."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit

    def __enter__(self) -> Self:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        self.feed()
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    def feed(self) -> None:
        """The main loop lives."""
        signal.setitimer(signal.ITIMER_REAL, self._limit)
