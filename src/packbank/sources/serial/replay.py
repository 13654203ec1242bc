"""Drive the chain from recorded traffic instead of a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, nan
from types import MappingProxyType
from typing import NamedTuple

from packbank.bms.protocol import Answer, Exchange, Overhearing, Protocol, Request, Topic
from packbank.config.model import HostPacks
from packbank.model.bus_stats import BusStats
from packbank.model.identity import Place
from packbank.sources.hosts.replay import RecordedHost
from packbank.sources.serial.gate import Gate, Member
from packbank.sources.serial.listener import Listener
from packbank.sources.serial.recording import Event
from packbank.sources.serial.statistics import Statistics
from packbank.sources.store import Store

NO_HOSTS: Mapping[str, HostPacks] = MappingProxyType({})
MASTER = 0  # the address of a master whose own broadcast is heard


class Asked(NamedTuple):
    """What a request asks, and whom."""

    topic: Topic
    question: str
    address: int


def requests_of(protocol: Protocol) -> dict[bytes, Asked]:
    """All requests of a protocol, in every way in which a pack may want to be asked."""
    return {
        protocol.exchange(question, address).request: Asked(topic, question, address)
        for topic, questions in protocol.questions.items()
        for question in questions
        for address in protocol.addresses
        for _ in range(protocol.ways_to_ask(address))
    }


class OwnPolling(Overhearing):
    """Understands a recording of our own polling, of any protocol: what was sent says whose answer comes next.

    The answer to a topic is complete when the next topic is asked, or at a silence, because only then is it sure
    which of its questions were answered. A question that comes again belongs to the same visit while others lack.
    """

    patience = inf

    def __init__(self, protocol: Protocol) -> None:
        self.rejected = []
        self._protocol = protocol
        self._requests = requests_of(protocol)
        self._visit: tuple[Topic, int] | None = None
        self._asked: dict[str, Exchange] = {}
        self._arrived = nan

    def send(self, request: bytes) -> list[Answer | Request]:
        """The recorder sent this; what is complete now."""
        topic, question, address = self._requests.get(request, (None, "", -1))
        before = self._asked.get(question)
        again = before is not None and before.answer
        begins = self._visit != (topic, address) or (again and not self._lacks())
        complete = self._finish() if begins else []
        self._visit = (topic, address) if topic else None
        if topic:
            self._asked[question] = self._protocol.exchange(question, address)
        return complete

    def feed(self, data: bytes, now: float | None = None) -> list[Answer | Request]:
        """As :meth:`Overhearing.feed`."""
        if data and now is not None:
            self._arrived = now
        for exchange in self._asked.values():
            if not exchange.answer:
                exchange.feed(data)
        return [] if data else self._finish()

    def _finish(self) -> list[Answer | Request]:
        for exchange in self._asked.values():
            if not exchange.answer:
                exchange.feed(b"")
            self.rejected += exchange.rejected
        visit, given = self._visit, self._given()
        whole = bool(given) and not self._lacks()
        self._visit, self._asked = None, {}
        return [Answer(visit[1], visit[0], given, self._arrived)] if visit and whole else []

    def _given(self) -> dict[str, bytes]:
        """The answers of this visit."""
        return {question: exchange.answer for question, exchange in self._asked.items() if exchange.answer}

    def _lacks(self) -> bool:
        """Whether an answer that the pack owes is missing in this visit."""
        if self._visit is None:
            return False
        topic, address = self._visit
        missing = set(self._protocol.questions[topic]) - set(self._given())
        return not all(self._protocol.may_lack(address, question) for question in missing)


class Player:
    """Takes events as buses and hosts do. Every address that a pack can have is a row, in the order of ``places``."""

    def __init__(self, protocols: Mapping[str, Protocol], hosts: Mapping[str, HostPacks] = NO_HOSTS) -> None:
        """``protocols`` by the names of the buses; the ``hosts`` with their packs."""
        own = [
            Place(bus, address)
            for bus, protocol in protocols.items()
            for address in dict.fromkeys((MASTER, *protocol.addresses))
        ]
        theirs = [
            Place(f"{host}/{bus}", address)
            for host, packs in hosts.items()
            for bus, found in packs
            for address in found
        ]
        self.places = (*own, *theirs)
        self.store = Store(len(self.places), range(len(own), len(self.places)))
        names = [place.name for place in self.places]
        self._parts: dict[str, RecordedBus | RecordedHost] = {
            bus: RecordedBus(bus, protocol, self._members(bus), self.store) for bus, protocol in protocols.items()
        }
        for host, packs in hosts.items():
            members = {bus: self._members(f"{host}/{bus}") for bus, _ in packs}
            self._parts[host] = RecordedHost(host, members, self.store, names)

    def take(self, event: Event) -> None:
        """Take one event into the store, through every check that a live bus or host has."""
        self._parts[event.bus].take(event)

    def finish(self, time: float) -> None:
        """The recording ends at ``time``: nothing more will come."""
        for part in self._parts.values():
            part.finish(time)

    def stats(self, seconds: float) -> tuple[BusStats, ...]:
        """How the buses did in ``seconds`` of the recording."""
        return tuple(bus for part in self._parts.values() for bus in part.buses(seconds))

    def _members(self, bus: str) -> list[Member]:
        return [
            Member(index, place.address, place.name, expected=False)
            for index, place in enumerate(self.places)
            if place.bus == bus
        ]


class RecordedBus:
    """One bus of a recording: its events go through every check that a live bus has."""

    def __init__(self, name: str, protocol: Protocol, members: Sequence[Member], store: Store) -> None:
        overhearing = protocol.overhear() or OwnPolling(protocol)
        self._own = overhearing if isinstance(overhearing, OwnPolling) else None
        self._baudrate = protocol.line.baudrate
        self._statistics = Statistics(name, "recording")
        self._listener = Listener(overhearing, Gate(name, protocol, members, store, self._statistics), self._statistics)

    def take(self, event: Event) -> None:
        """Take the bytes of one event."""
        if not event.sent:
            self._statistics.count("received", len(event.data))
            self._listener.hear(event.data, event.time)
            return
        self._statistics.count("sent", len(event.data))
        self._statistics.count("requests")
        if self._own:
            self._listener.take(self._own.send(event.data), event.time)
        else:
            self._listener.hear(event.data, event.time)

    def finish(self, time: float) -> None:
        """Nothing more comes after ``time``."""
        self._listener.hear(b"", time)

    def buses(self, seconds: float) -> tuple[BusStats, ...]:
        """How it did in ``seconds``, as one bus."""
        return (self.stats(seconds),)

    def stats(self, seconds: float) -> BusStats:
        """How the bus did in ``seconds``."""
        return self._statistics.snapshot(seconds, self._baudrate)
