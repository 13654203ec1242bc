"""Another host of a recording: its messages take the same way as when they came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from packbank.config.model import HostConfig, HostPacks, MqttConfig
from packbank.model.bus_stats import BusStats
from packbank.mqtt.received import Received
from packbank.sources.hosts import decode
from packbank.sources.hosts.receiver import Receiver
from packbank.sources.hosts.wire import BUSES, WireError
from packbank.sources.serial.gate import Member
from packbank.sources.serial.recording import Event, read_events
from packbank.sources.store import Store


def read_hosts(path: Path) -> dict[str, HostPacks]:
    """The hosts of a recording with all packs that they announced. Raises ConfigError as ``read_events``."""
    hosts: dict[str, dict[str, set[int]]] = {}
    for event in read_events(path):
        if not event.topic:
            continue
        buses = hosts.setdefault(event.bus, {})
        kind, _, bus = event.topic.partition("/")
        if kind == "packs" and (bus in buses or len(buses) < BUSES):
            with suppress(WireError):
                found = decode.packs(event.data).addresses
                buses.setdefault(bus, set()).update(found)
    return {host: tuple((bus, tuple(sorted(found))) for bus, found in buses.items()) for host, buses in hosts.items()}


class RecordedHost:
    """One host of a recording."""

    def __init__(self, name: str, members: Mapping[str, Sequence[Member]], store: Store, names: Sequence[str]) -> None:
        """``members`` are its packs by the name of their bus there, ``names`` those of all rows."""
        self._now = 0.0
        config = HostConfig(name=name, mqtt=MqttConfig(broker="recording"))
        self._receiver = Receiver(config, members, store, names, lambda: self._now)

    def take(self, event: Event) -> None:
        """Take one message."""
        self._now = event.time
        topic = self._receiver.topics.below(event.topic)
        self._receiver.take(Received(topic, event.data, event.retained, event.time))

    def finish(self, time: float) -> None:
        """Nothing more comes after ``time``."""
        self._now = time
        self._receiver.end()

    def buses(self, seconds: float) -> tuple[BusStats, ...]:
        """How its buses did in ``seconds``, which end now."""
        return tuple([replace(bus, seconds=seconds) for bus in self._receiver.stats(self._now)])
