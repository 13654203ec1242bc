"""One bus in one thread: open its port, poll or listen, and open it again when it fails.

:func:`start_bus` is all that the daemon, the demo and the tests need of this package.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Thread

from packbank.bms.protocol import Protocol
from packbank.config.model import BusConfig, Mode
from packbank.errors import ConfigError, LinkError
from packbank.model.bus_stats import BusState, BusStats
from packbank.sources.serial.hearing import Hearing
from packbank.sources.serial.intake import Intake, Member
from packbank.sources.serial.link import Link, Tap, open_link
from packbank.sources.serial.listener import Listener
from packbank.sources.serial.poller import Poller
from packbank.sources.serial.ports import stable_path
from packbank.sources.serial.stats import Counters
from packbank.sources.store import Store

FIRST_PAUSE = 0.25  # s before a failed port is opened again; doubled up to
LONGEST_PAUSE = 5.0  # s
HEAR_FIRST = 2.0  # s that MODE = auto listens before it polls: five slots of the slowest JK master
MASTER_GONE = 0.6  # s without a word of another master, after which we poll; a JK master speaks every 0.22 to 0.40 s
SAY_AGAIN = 600.0  # s between two warnings about another master

_log = logging.getLogger(__name__)


class Bus:
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
        self._config = config
        self._protocol = protocol
        self._tap = tap
        self._clock = clock
        self._began = clock()
        self._stop = Event()
        self._counters = Counters(config.name, config.port)
        intake = Intake(config.name, protocol, members, store, self._counters)
        self._poller = Poller(protocol, members, intake, self._counters, self._stop, clock=clock)
        self._listener = self._make_listener(intake)
        self._said_master = float("-inf")
        self._thread = Thread(target=self._run, name=f"bus {config.name}")

    def _make_listener(self, intake: Intake) -> Listener | None:
        ear = self._protocol.overhear()
        if ear is not None:
            return Listener(Hearing(ear, intake, self._counters), self._stop, clock=self._clock)
        if self._config.mode is Mode.LISTEN:
            title = self._protocol.title
            raise ConfigError(f"{self.name}: {title} cannot be listened to, its answers do not tell who gives them")
        return None

    @property
    def name(self) -> str:
        """The bus's name in the configuration."""
        return self._config.name

    @property
    def failed(self) -> bool:
        """Whether the thread ended although nobody stopped it; its traceback is on standard error."""
        return self._thread.ident is not None and not self._thread.is_alive() and not self._stop.is_set()

    def start(self) -> None:
        """Start the thread."""
        if better := stable_path(self._config.port):
            _log.info("%s: %s can change its name; better PORT = %s", self.name, self._config.port, better)
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it does so after the transaction under way."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end; whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def stats(self) -> BusStats:
        """What the bus has done so far."""
        return self._counters.snapshot(self._clock() - self._began, self._protocol.line.baudrate)

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause) and self._await_device():
            answers = self._counters.answers
            try:
                self._use_port()
            except LinkError as error:
                self._say_failed(str(error))
            progress = self._counters.answers > answers
            pause = FIRST_PAUSE if progress or not pause else min(2.0 * pause, LONGEST_PAUSE)
        self._counters.state = BusState.STOPPED

    def _await_device(self) -> bool:
        """Wait until a device that was there before is plugged in again; false when stopped meanwhile."""
        port = self._config.port
        while self._counters.error and "://" not in port and not Path(port).exists():
            if self._stop.wait(FIRST_PAUSE):
                return False
        return True

    def _use_port(self) -> None:
        """Open the port and work on it until the stop is set; raises LinkError when it fails."""
        link = open_link(self._config.port, self._protocol.line, self._counters.traffic)
        try:
            link.tap = self._tap
            self._say_open()
            self._work(link)
        finally:
            link.close()

    def _work(self, link: Link) -> None:
        mode, listener = self._config.mode, self._listener
        if listener and mode is Mode.LISTEN:
            self._counters.state = BusState.LISTENING
            listener.run(link)
            return
        if listener and mode is Mode.AUTO:
            self._counters.state = BusState.LISTENING
            listener.run(link, HEAR_FIRST)
        while not self._stop.is_set():
            self._counters.state = BusState.POLLING
            self._poller.run(link)
            if listener and not self._stop.is_set():
                self._say_master()
                self._counters.state = BusState.STANDING_BACK
                listener.run(link, MASTER_GONE)

    def _say_open(self) -> None:
        if self._counters.error:
            self._counters.error = ""
            self._counters.reopened += 1
            _log.info("%s: %s is open again", self.name, self._config.port)

    def _say_failed(self, error: str) -> None:
        if error != self._counters.error:
            _log.warning("%s: %s; trying again until it works", self.name, error)
        self._counters.error = error
        self._counters.state = BusState.OPENING

    def _say_master(self) -> None:
        if self._clock() - self._said_master >= SAY_AGAIN:
            self._said_master = self._clock()
            _log.warning(
                "%s: somebody else asks the packs on %s; standing back and listening. Only one may ask: end the other "
                "program, give the pack with all DIP switches off an address, or set MODE = listen",
                self.name,
                self._config.port,
            )


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
