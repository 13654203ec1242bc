"""Every source that a configuration names: the one place that lists the kinds of sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Protocol

from packbank.bms import registry
from packbank.config.model import BusConfig, Config
from packbank.model.bus_stats import BusStats
from packbank.sources.replay import SCHEME, start_replay
from packbank.sources.serial.bus import start_bus
from packbank.sources.serial.capture import Capture, OnRequest
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store


class Source(Protocol):
    """Something that puts rows into the store, on its own threads."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""

    def stop(self) -> None:
        """Ask it to end."""

    def search(self) -> None:
        """Look for packs at every address where one may be."""

    @property
    def searching(self) -> bool:
        """Whether such a search was asked for and is not over."""

    def join(self, timeout: float | None = None) -> bool:
        """Wait for its end; whether it has ended."""

    def stats(self) -> BusStats:
        """How it is doing."""


def start_sources(config: Config, store: Store, capture: Capture | OnRequest | None = None) -> tuple[Source, ...]:
    """Start all sources; when one cannot start, those before it are stopped and its error is raised."""
    started: list[Source] = []
    with ExitStack() as undo:
        for start in _starters(config, store, capture):
            started.append(source := start())
            undo.callback(source.stop)
        undo.pop_all()
    return tuple(started)


def _starters(config: Config, store: Store, capture: Capture | OnRequest | None) -> Iterator[Callable[[], Source]]:
    """One call a source, for each kind of source in turn."""
    for bus in config.buses:
        yield partial(_serial, config, bus, store, capture)


def _serial(config: Config, bus: BusConfig, store: Store, capture: Capture | OnRequest | None) -> Source:
    packs = [(index, pack) for index, pack in enumerate(config.packs) if pack.bus == bus.name]
    protocol = registry.protocol(bus.protocol)
    protocol.line = protocol.line.at(*(bus.baudrates or protocol.line.baudrates))
    members = [
        Member(index, pack.address, pack.name, pack.expected, pack.invert_current_measurement) for index, pack in packs
    ]
    if bus.port.startswith(SCHEME):
        return start_replay(bus, protocol, members, store)
    tap = capture.tap(bus.name, protocol) if capture else None
    return start_bus(bus, protocol, members, store, tap)
