"""Every source that a configuration names: the one place that lists the kinds of sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Protocol

from packbank.bms import registry
from packbank.config.model import BusConfig, Config, HostConfig
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

    def buses(self) -> Sequence[BusStats]:
        """How each of its buses is doing."""


def start_sources(config: Config, store: Store, capture: Capture | OnRequest | None = None) -> tuple[Source, ...]:
    """Start all sources; when one cannot start, those before it are stopped and its error is raised."""
    started: list[Source] = []
    with ExitStack() as undo:
        for start in _starters(config, store, capture):
            for source in start():
                started.append(source)
                undo.callback(source.stop)
        undo.pop_all()
    return tuple(started)


def _starters(
    config: Config, store: Store, capture: Capture | OnRequest | None
) -> Iterator[Callable[[], Sequence[Source]]]:
    """One call for each port and each host, for each kind of source in turn."""
    for bus in config.buses:
        if not bus.host:
            yield partial(_serial, config, bus, store, capture)
    for host in config.hosts:
        yield partial(_host, config, host, store, capture)


def _serial(config: Config, bus: BusConfig, store: Store, capture: Capture | OnRequest | None) -> Sequence[Source]:
    protocol, members = registry.protocol(bus.protocol), members_of(config, bus)
    protocol.line = protocol.line.at(*(bus.baudrates or protocol.line.baudrates))
    if bus.port.startswith(SCHEME):
        return [start_replay(bus, protocol, members, store)]
    tap = capture.tap(bus.name, protocol) if capture else None
    return [start_bus(bus, protocol, members, store, tap)]


def _host(config: Config, host: HostConfig, store: Store, capture: Capture | OnRequest | None) -> Sequence[Source]:
    from packbank.sources.hosts.host import start_host  # noqa: PLC0415  (the core runs without paho-mqtt)

    return [start_host(host, members_of_host(config, host.name), store, [pack.name for pack in config.packs], capture)]


def members_of_host(config: Config, host: str) -> dict[str, list[Member]]:
    """The packs of a host by the name of their bus there."""
    return {bus.name.partition("/")[2]: members_of(config, bus) for bus in config.buses if bus.host == host}


def members_of(config: Config, bus: BusConfig) -> list[Member]:
    """The packs of a bus."""
    packs = [(index, pack) for index, pack in enumerate(config.packs) if pack.bus == bus.name]
    return [
        Member(index, pack.address, pack.name, pack.expected, pack.invert_current_measurement) for index, pack in packs
    ]
