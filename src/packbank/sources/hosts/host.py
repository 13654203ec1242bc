"""Another host as a source: one connection and one thread, which takes its messages to its buses.

What is read at once is bounded, and so is how often. A host that sends garbage without end costs that much, and its own
packs fall silent: the buses of this host and the other hosts have threads and connections of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from packbank.config.model import HostConfig
from packbank.model.bus_stats import BusStats
from packbank.mqtt.link import Link
from packbank.sources.hosts import decode, wire
from packbank.sources.hosts.receiver import TEND, Receiver
from packbank.sources.serial.capture import Capture, OnRequest
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store
from packbank.sources.thread import SourceThread

REST = 0.02  # s between two looks at least
LONG_REST = 0.25  # s when more waits than is read at once: 200 messages or 1 MB a second at most
LONGEST_WAIT = 0.5  # s
LOOK = 5.0  # s between two words to the sender on when the bank looks


class Host(SourceThread):
    """A host and its thread."""

    def __init__(self, config: HostConfig, receiver: Receiver, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__("host", config.name, clock)
        self.receiver = receiver
        self._config = config

    def search(self) -> None:
        """There is no address to ask here: its own host looks for packs."""

    @property
    def searching(self) -> bool:
        """Never."""
        return False

    def buses(self) -> tuple[BusStats, ...]:
        """How each of its buses is doing."""
        return self.receiver.stats(self._clock())

    def _work(self) -> None:
        """Take messages until the stop is set; with a new connection."""
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

    def _failed(self, fault: str) -> None:
        self.receiver.fail(fault)

    def _ended(self) -> None:
        self.receiver.end()


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
