"""Another host as a source: one connection and one thread, which takes its messages to its buses.

What is read at once is bounded, and so is how often. A host that sends garbage without end costs that much, and its own
packs fall silent: the buses of this host and the other hosts have threads and connections of their own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread

from packbank.config.model import HostConfig
from packbank.log_budget import LogBudget
from packbank.model.bus_stats import BusStats
from packbank.mqtt.link import Link
from packbank.sources.hosts import decode, wire
from packbank.sources.hosts.receiver import TEND, Receiver
from packbank.sources.serial.capture import Capture, OnRequest
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

REST = 0.02  # s between two looks at least
LONG_REST = 0.25  # s when more waits than is read at once: 200 messages or 1 MB a second at most
LONGEST_WAIT = 0.5  # s
LOOK = 5.0  # s between two words to the sender on when the bank looks
RESTART_PAUSE = 5.0  # s after a fault of the program

_log = logging.getLogger(__name__)


class Host:
    """A host and its thread."""

    def __init__(self, config: HostConfig, receiver: Receiver, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = config.name
        self.receiver = receiver
        self._config = config
        self._clock = clock
        self._budget = LogBudget(_log)
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"host {config.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stop.set()

    def search(self) -> None:
        """There is no address to ask here: its own host looks for packs."""

    @property
    def searching(self) -> bool:
        """Never."""
        return False

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end; whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def buses(self) -> tuple[BusStats, ...]:
        """How each of its buses is doing."""
        return self.receiver.stats(self._clock())

    def _run(self) -> None:
        """Work until the stop is set; after a fault of the program with a new connection."""
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                self._work()
            except Exception as error:  # noqa: BLE001  whatever it was, the other sources go on, and so may this one
                pause = RESTART_PAUSE
                fault = f"stopped by a fault of packbank ({type(error).__name__}: {error}); it starts again"
                self._budget.say("fault", self._clock(), logging.ERROR, f"{self.name}: {fault}", trace=True)
        self.receiver.end()

    def _work(self) -> None:
        topics = self.receiver.topics
        link = Link(self._config.mqtt, subscribe=[topics.everything], largest=wire.LARGEST, owner=self.name)
        due = look_due = self._clock()
        try:
            while not self._stop.wait(LONG_REST if link.exhausted else REST):
                now = self._clock()
                connected = link.serve(now)
                for message in link.take():
                    self.receiver.take(message)
                if now >= due:
                    due = now + TEND
                    self.receiver.tend(connected, now)
                if now >= look_due:
                    look_due = now + LOOK
                    if look := self.receiver.look():
                        link.publish(topics.look, look)
                if not link.exhausted:
                    link.wait(LONGEST_WAIT)
        finally:
            link.close()


def start_host(
    config: HostConfig,
    members: Mapping[str, Sequence[Member]],
    store: Store,
    names: Sequence[str],
    capture: Capture | OnRequest | None = None,
) -> Host:
    """Start the thread that takes in the packs of a host; see :class:`Receiver`."""
    receiver = Receiver(config, members, store, names, time.monotonic)
    if capture:
        receiver.ear = capture.ear(config.name, decode.harmless, receiver.retained)
    host = Host(config, receiver)
    host.start()
    return host
