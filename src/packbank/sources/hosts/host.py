"""Another host as a source: one connection and one thread, which takes its messages to its buses.

What is read at once is bounded, and so is how often. A host that sends garbage without end costs that much, and its own
packs fall silent: the buses of this host and the other hosts have threads and connections of their own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from threading import Event, Thread

from packbank.config.model import HostConfig
from packbank.log_budget import LogBudget
from packbank.model.bus_stats import BusStats
from packbank.mqtt.link import Link, Received
from packbank.sources.hosts import wire
from packbank.sources.hosts.peer import Peer
from packbank.sources.hosts.remote import RemoteBus
from packbank.sources.hosts.wire import Topics, WireError
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

REST = 0.02  # s between two looks at least
LONG_REST = 0.1  # s when more waits than is read at once: 500 messages or 2.6 MB a second at most
LONGEST_WAIT = 0.5  # s
TEND = 1.0  # s
LOOK = 5.0  # s between two words to the sender on when the bank looks
SAY_AFTER = 3.0  # s that something must last: at a start all of it is wrong for a moment
RESTART_PAUSE = 5.0  # s after a fault of the program
_QUIET = frozenset({"boot", "duplicate"})  # happen at each start of a sender; counted, not logged

_log = logging.getLogger(__name__)


class Host:
    """A host and its thread."""

    def __init__(
        self,
        config: HostConfig,
        members: Mapping[str, Sequence[Member]],
        store: Store,
        names: Sequence[str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``members`` are its packs by the name of their bus there, ``names`` those of all rows."""
        self.name = config.name
        self._config = config
        self._clock = clock
        self._topics = Topics(config.mqtt.bank, config.name)
        port = f"{config.mqtt.broker}, host {config.name}"
        self.buses = {
            bus: RemoteBus(f"{config.name}/{bus}", port, packs, store, names, clock()) for bus, packs in members.items()
        }
        self._budget = LogBudget(_log)
        self._peer = Peer()
        self._now, self._since, self._said = "", 0.0, ""  # what is wrong, since when, and what was said of it
        self._store = store
        self._early: list[float] = []  # s between rows in the store and the bank's next look, since the last word
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"host {config.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end; whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def take(self, message: Received) -> None:
        """Use a message, or count why it is not used; never raises for what a message can say."""
        kind, name = self._topics.parse(message.topic)
        bus = self.buses.get(name)
        try:
            if kind == "state":
                self._peer.hear(wire.decode_state(message.payload))
            elif kind == "packs" and bus:
                bus.announce(wire.decode_packs(message.payload), message.time)
            elif kind == "bus" and bus:
                self._take_rows(bus, name, message)
            elif kind:
                self._say("bus", f"bus {name[:32]} is sent, and PACKS of [host:{self.name}] does not name it")
        except WireError as error:
            for one in [bus] if bus else self.buses.values():
                one.refuse(error, message.payload, message.time)
            if error.reason not in _QUIET:
                self._say(error.reason, f"a message on {message.topic} is not used ({error})")

    def tend(self, connected: bool, now: float) -> None:
        """Once a second: say what is wrong with the whole host, and have its buses say the rest."""
        trouble = self._trouble(connected, now)
        if trouble != self._now:
            self._now, self._since = trouble, now
        if trouble and trouble != self._said and now - self._since >= SAY_AFTER:
            self._say(f"trouble {trouble}", f"{trouble}; its packs are held, then lost, until its rows come")
            self._said = trouble
        elif self._said and not trouble:
            self._say("well", "its rows come", logging.INFO)
            self._said = ""
        for bus in self.buses.values():
            bus.tend(now, trouble)

    def _trouble(self, connected: bool, now: float) -> str:
        state = self._peer.state
        if not connected:
            return f"no connection to {self._config.mqtt.broker}"
        if two := self._peer.trouble(now):
            return two
        if state is None:
            return (
                f"nothing from it yet: start 'packbank forward' there with HOST = {self.name} and "
                f"BANK = {self._config.mqtt.bank}"
            )
        return "" if state.up else "it has ended, or lost its connection"

    def _take_rows(self, bus: RemoteBus, name: str, message: Received) -> None:
        rows = wire.decode_rows(message.payload)
        fresh = self._peer.take(name, rows, message.time, retained=message.retained)
        offset = self._peer.offset()
        if offset is not None:
            bus.take(fresh, dict(rows.report), offset, message.time)
        if 0.0 <= (early := self._store.next_read - self._clock()) <= TEND:
            self._early.append(early)

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
        for bus in self.buses.values():
            bus.end()

    def _work(self) -> None:
        link = Link(self._config.mqtt, subscribe=[self._topics.everything], largest=wire.LARGEST)
        due = look_due = self._clock()
        try:
            while not self._stop.wait(LONG_REST if link.exhausted else REST):
                now = self._clock()
                connected = link.serve(now)
                for message in link.take():
                    self.take(message)
                if now >= due:
                    due = now + TEND
                    self.tend(connected, now)
                if now >= look_due:
                    look_due = now + LOOK
                    self._say_look(link)
                if not link.exhausted:
                    link.wait(LONGEST_WAIT)
        finally:
            link.close()

    def _say_look(self, link: Link) -> None:
        early, self._early = self._early, []
        if early and self._peer.state:
            link.publish(self._topics.look, wire.encode_look(self._peer.state.boot, median(early)))

    def _say(self, subject: str, text: str, level: int = logging.WARNING) -> None:
        self._budget.say(subject, self._clock(), level, f"{self.name}: {text}")


class HostBus:
    """One bus of a host, as a source: the host's thread serves all of them."""

    def __init__(self, host: Host, bus: RemoteBus, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._bus = bus
        self._clock = clock

    @property
    def name(self) -> str:
        """Host and bus."""
        return self._bus.name

    def stop(self) -> None:
        """Ask the host's thread to end."""
        self._host.stop()

    def search(self) -> None:
        """There is no address to ask here: its own host looks for packs."""

    @property
    def searching(self) -> bool:
        """Never."""
        return False

    def join(self, timeout: float | None = None) -> bool:
        """Wait for its end; whether it has ended."""
        return self._host.join(timeout)

    def stats(self) -> BusStats:
        """How the bus is doing."""
        return self._bus.stats(self._clock())


def start_host(
    config: HostConfig, members: Mapping[str, Sequence[Member]], store: Store, names: Sequence[str]
) -> tuple[HostBus, ...]:
    """Start the thread that takes in the packs of a host; a source for each of its buses."""
    host = Host(config, members, store, names)
    host.start()
    return tuple([HostBus(host, bus) for bus in host.buses.values()])
