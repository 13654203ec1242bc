"""A recording instead of a port: ``PORT = replay:///path/of/capture`` plays what ``run --capture`` wrote.

For trying the whole daemon, D-Bus included, on what an owner's bus said. The recording is played once, at its own pace;
after its end the packs fall silent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from packbank.bms.protocol import Protocol
from packbank.config.model import REMOTE, BusConfig
from packbank.errors import ConfigError, PackbankError
from packbank.model.bus_stats import BusStats
from packbank.sources.serial.gate import Member
from packbank.sources.serial.recording import Event, read_buses, read_events, read_protocols
from packbank.sources.serial.replay import RecordedBus
from packbank.sources.store import Store
from packbank.sources.thread import SourceThread

SCHEME = "replay://"
log = logging.getLogger(__name__)


class Replay(SourceThread):
    """Plays the events of one bus into the store, in a thread of its own."""

    def __init__(
        self,
        config: BusConfig,
        protocol: Protocol,
        members: Sequence[Member],
        store: Store,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The bus of the recording is the one with the name of ``config``, or its only one.

        Raises ConfigError when the recording cannot be read or has no such bus.
        """
        super().__init__("replay", config.name, clock)
        self._path, self._recorded = recorded(config)
        self._bus = RecordedBus(self.name, protocol, members, store)
        self._began = clock()

    def search(self) -> None:
        """A recording has no more packs than it has."""

    @property
    def searching(self) -> bool:
        """It never searches."""
        return False

    def buses(self) -> tuple[BusStats, ...]:
        """Itself: it is one bus."""
        return (self.stats(),)

    def stats(self) -> BusStats:
        """What was read so far."""
        return self._bus.stats(self._clock() - self._began)

    def _work(self) -> None:
        """Play the recording."""
        try:
            for event in self._at_its_pace():
                self._bus.take(event)
        except PackbankError as error:
            log.error("%s: the recording ends early: %s", self.name, error)

    def _ended(self) -> None:
        self._bus.finish(self._clock())
        if not self._stop.is_set():
            log.warning("%s: the recording is over; its packs fall silent now", self.name)

    def _at_its_pace(self) -> Iterator[Event]:
        """The events when they are due, with the times of this run."""
        shift: float | None = None
        for event in read_events(self._path):
            if event.bus != self._recorded:
                continue
            shift = self._clock() - event.time if shift is None else shift
            if self._stop.wait(max(event.time + shift - self._clock(), 0.0)):
                return
            yield replace(event, time=self._clock())


def recorded(config: BusConfig) -> tuple[Path, str]:
    """The recording that ``config`` names as its port, and which bus of it. Raises ConfigError without one."""
    path = Path(config.port.removeprefix(SCHEME))
    protocols = read_protocols(path)
    buses = [bus for bus in read_buses(path) if protocols.get(bus) != REMOTE]
    if config.name not in buses and len(buses) != 1:
        there = ", ".join(sorted(buses)) or "none"
        raise ConfigError(f"{config.name}: {path} has no bus of that name; it has {there}")
    return path, config.name if config.name in buses else buses[0]


def start_replay(config: BusConfig, protocol: Protocol, members: Sequence[Member], store: Store) -> Replay:
    """Play ``config.port`` into ``store``; raises ConfigError as :class:`Replay` does."""
    source = Replay(config, protocol, members, store)
    source.start()
    return source
