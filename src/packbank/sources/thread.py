"""The thread of a source: it works until it is stopped, and begins again after a fault of the program."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Event, Thread

from packbank.log_budget import LogBudget

RESTART_PAUSE = 5.0  # s after a fault of the program

_log = logging.getLogger(__name__)


class SourceThread(ABC):
    """A source with a thread of its own, which keeps no process from ending.

    A fault of the program costs this source ``RESTART_PAUSE`` and no other source anything. It is logged with its
    traceback, once an hour.
    """

    def __init__(self, kind: str, name: str, clock: Callable[[], float]) -> None:
        """``kind`` and ``name`` are the thread's name."""
        self.name = name
        self._clock = clock
        self._stop = Event()
        self._faults = LogBudget(_log, lines=1)
        self._thread = Thread(target=self._run, name=f"{kind} {name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it does so after what it is doing."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end; whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @abstractmethod
    def _work(self) -> None:
        """Work until the stop is set or nothing is left to do. Called anew after a fault: makes what may be damaged."""

    def _failed(self, fault: str) -> None:  # noqa: B027  not every source can show it
        """Show that ``fault`` has ended the work for now."""

    @abstractmethod
    def _ended(self) -> None:
        """The thread ends now: do what is last."""

    def _run(self) -> None:
        pause, done = 0.0, False
        while not done and not self._stop.wait(pause):
            try:
                self._work()
                done = True
            except Exception as error:  # noqa: BLE001  whatever it was, the other sources go on, and so may this one
                pause = RESTART_PAUSE
                fault = f"a fault of packbank ({type(error).__name__}: {error})"
                message = f"{self.name}: stopped by {fault}; it starts again in {RESTART_PAUSE:.0f} s"
                self._faults.say("fault", self._clock(), logging.ERROR, message, trace=True)
                self._failed(fault)
        self._ended()
