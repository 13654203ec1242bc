"""One bus in one thread: open its port, poll or listen, and begin again when that fails.

:func:`start_bus` makes one from a configuration.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from math import inf
from threading import Event

from packbank.bms.protocol import Protocol
from packbank.config.model import BusConfig, Mode
from packbank.errors import ConfigError, LinkError
from packbank.log_budget import LogBudget
from packbank.model.bus_stats import BusState, BusStats
from packbank.sources.serial.gate import Gate, Member
from packbank.sources.serial.link import DEAF_LIMIT, Link, Tap, open_link
from packbank.sources.serial.listener import Listener
from packbank.sources.serial.master import Master
from packbank.sources.serial.ports import is_there, stable_path
from packbank.sources.serial.statistics import Statistics
from packbank.sources.store import Store
from packbank.sources.thread import SourceThread

FIRST_PAUSE = 0.25  # s before a failed port is opened again; doubled up to
LONGEST_PAUSE = 5.0  # s
LONGEST_PATIENCE = 3600.0  # s of silence of a port on which nothing is heard: its packs may be switched off
TRY_RATE = 10.0  # s in which no pack has answered, or none was heard, at one of several rates: the next is tried
HEAR_FIRST = 2.0  # s that MODE = auto listens before it polls: five slots of the slowest JK master

_log = logging.getLogger(__name__)


class Bus(SourceThread):
    """A bus and its thread. Made by :func:`start_bus`."""

    def __init__(
        self,
        config: BusConfig,
        protocol: Protocol,
        members: Sequence[Member],
        store: Store,
        tap: Tap | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigError when the protocol cannot do what the configuration asks."""
        if config.mode is Mode.LISTEN and protocol.overhear() is None:
            title = protocol.title
            raise ConfigError(f"{config.name}: {title} cannot be listened to, its answers do not name their pack")
        super().__init__("bus", config.name, clock)
        self._config = config
        self._protocol = protocol
        self._members = members
        self._store = store
        self._tap = tap
        # A gateway has a rate of its own, which nobody can set from here.
        fixed = config.port.startswith("socket://")
        self._rates = list(protocol.line.baudrates[:1] if fixed else protocol.line.baudrates)
        self._began = clock()
        self._search = Event()
        self._patience = DEAF_LIMIT  # s of silence after which the port is opened anew; longer where that did not help
        self._statistics = Statistics(config.name, config.port)
        self._budget = LogBudget(_log)

    def start(self) -> None:
        """Start the thread."""
        if better := stable_path(self._config.port):
            _log.info("%s: %s can change its name; better PORT = %s", self.name, self._config.port, better)
        super().start()

    def search(self) -> None:
        """Ask every address where a pack may be, once the bus is polled; without effect while such a search runs."""
        self._search.set()

    @property
    def searching(self) -> bool:
        """Whether a search was asked for and is not over."""
        return self._search.is_set()

    def buses(self) -> tuple[BusStats, ...]:
        """Itself: it is one bus."""
        return (self.stats(),)

    def stats(self) -> BusStats:
        """What the bus has done so far."""
        return self._statistics.snapshot(self._clock() - self._began, self._protocol.line.baudrate)

    def _failed(self, fault: str) -> None:
        self._statistics.enter(BusState.OPENING, fault)

    def _ended(self) -> None:
        self._statistics.enter(BusState.STOPPED, self._statistics.error)

    def _work(self) -> None:
        """Open the port as often as it fails, until the stop is set; with new parts."""
        gate = Gate(self.name, self._protocol, self._members, self._store, self._statistics)
        overhearing = self._protocol.overhear()
        listener = Listener(overhearing, gate, self._statistics) if overhearing else None
        master = Master(
            self._protocol,
            self._members,
            gate,
            listener,
            self._statistics,
            next_read=self._next_read,
            search=self._search,
        )
        pause, rates = 0.0, self._rates
        while not self._stop.wait(pause) and self._await_device():
            answers = self._statistics.counted("answers")
            self._protocol.line = self._protocol.line.at(rates[0])
            try:
                self._use_port(master, listener, inf if len(rates) == 1 else TRY_RATE)
            except LinkError as error:
                self._say_failed(str(error))
            progress = self._statistics.counted("answers") > answers
            rates = rates[:1] if progress else [*rates[1:], rates[0]]  # where a pack has answered, all of them do
            pause = FIRST_PAUSE if progress or not pause else min(2.0 * pause, LONGEST_PAUSE)

    def _next_read(self) -> float:
        return self._store.next_read

    def _await_device(self) -> bool:
        """Wait until a device that was there before is plugged in again; false when stopped meanwhile."""
        port = self._config.port
        while self._statistics.error and "://" not in port and not is_there(port):
            if self._stop.wait(FIRST_PAUSE):
                return False
        return True

    def _use_port(self, master: Master, listener: Listener | None, patience: float) -> None:
        """Open the port and work on it until the stop is set; LinkError when it fails, or nobody is heard in time."""
        link = open_link(self._config.port, self._protocol.line, self._statistics, self._tap)
        link.patience = self._patience
        received = self._statistics.counted("received")
        try:
            self._say_open()
            self._poll_or_listen(link, master, listener, patience)
        finally:
            link.close()
            heard = self._statistics.counted("received") > received
            self._patience = DEAF_LIMIT if heard else min(2.0 * self._patience, LONGEST_PATIENCE)

    def _poll_or_listen(self, link: Link, master: Master, listener: Listener | None, patience: float) -> None:
        mode = self._config.mode
        if listener and mode is not Mode.POLL:
            self._statistics.enter(BusState.LISTENING)
            listen_only = mode is Mode.LISTEN
            listener.run(link, self._stop, patience if listen_only else max(HEAR_FIRST, listener.patience))
            if listen_only and not self._stop.is_set():
                rate = self._protocol.line.baudrate
                raise LinkError(f"{link.port}: nothing that makes sense is heard at {rate} baud")
        while not self._stop.is_set():
            self._statistics.enter(BusState.POLLING)
            master.run(link, self._stop, patience)
            if listener and not self._stop.is_set():
                self._say_master()
                self._statistics.enter(BusState.STANDING_BACK)
                listener.run(link, self._stop, listener.patience)

    def _say_open(self) -> None:
        if self._statistics.error:
            self._statistics.count("reopened")
            message = f"{self.name}: {self._config.port} is open again"
            self._budget.say("open", self._clock(), logging.INFO, message)

    def _say_failed(self, error: str) -> None:
        if error != self._statistics.error:
            message = f"{self.name}: {error}; trying again until it works"
            self._budget.say("failed", self._clock(), logging.WARNING, message)
        self._statistics.enter(BusState.OPENING, error)

    def _say_master(self) -> None:
        message = (
            f"{self.name}: somebody else asks the packs on {self._config.port}; standing back and listening. Only one "
            "may ask: end the other program, give the pack with all DIP switches off an address, or set MODE = listen"
        )
        self._budget.say("master", self._clock(), logging.WARNING, message)


def start_bus(
    config: BusConfig, protocol: Protocol, members: Sequence[Member], store: Store, tap: Tap | None = None
) -> Bus:
    """Start the thread that reads ``members`` over ``config.port`` into ``store``; ``tap`` sees every byte.

    Raises ConfigError when the protocol cannot do what the configuration asks. A port that cannot be opened
    is not an error here: it is said in the log and in :meth:`Bus.stats`, and tried again.
    """
    bus = Bus(config, protocol, members, store, tap)
    bus.start()
    return bus
