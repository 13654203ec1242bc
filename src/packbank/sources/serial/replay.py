"""Drive the chain from recorded traffic instead of a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from packbank.bms.protocol import Exchange, Heard, Overhearing, Protocol, Row, Topic
from packbank.model.bus_stats import BusStats
from packbank.model.identity import Identity, Place
from packbank.sources.serial.hearing import Hearing
from packbank.sources.serial.intake import Intake, Member
from packbank.sources.serial.recording import Event
from packbank.sources.serial.stats import Counters
from packbank.sources.store import Store

MASTER = 0  # the address of a master whose own broadcast is heard


class RecordedEar(Overhearing):
    """Understands a recording of our own polling, of any protocol: what was sent says whose answer comes next.

    The answer to a topic is told when the next topic is asked, or at a silence, because only then is it sure
    which of its questions were answered.
    """

    def __init__(self, protocol: Protocol) -> None:
        self.rejected = []
        self._protocol = protocol
        self._requests = {
            protocol.exchange(question, address).request: (topic, question, address)
            for topic, questions in protocol.questions.items()
            for question in questions
            for address in protocol.addresses
            for _ in range(protocol.ways_to_ask(address))
        }
        self._visit: tuple[Topic, int] | None = None
        self._asked: dict[str, Exchange] = {}
        self._answered: dict[str, Exchange] = {}

    def send(self, request: bytes) -> list[Heard]:
        """The recorder sent this; what is complete now."""
        topic, question, address = self._requests.get(request, (None, "", -1))
        heard = self.feed(b"") if self._visit != (topic, address) or question in self._answered else []
        self._visit = (topic, address) if topic else None
        if topic:
            self._asked[question] = self._protocol.exchange(question, address)
        return heard

    def feed(self, data: bytes, now: float | None = None) -> list[Heard]:
        """As :meth:`Overhearing.feed`."""
        del now
        for question, exchange in self._asked.items():
            if question not in self._answered and exchange.feed(data):
                self._answered[question] = exchange
        return [] if data else self._finish()

    def _finish(self) -> list[Heard]:
        visit, asked, answered = self._visit, self._asked, self._answered
        self._visit, self._asked, self._answered = None, {}, {}
        for exchange in asked.values():
            self.rejected += exchange.rejected
        if visit is None or not answered:
            return []
        topic, address = visit
        missing = set(self._protocol.questions_to(address, topic)) - set(answered)
        if not all(self._protocol.may_lack(address, question) for question in missing):
            return []
        return [Heard(address, topic, partial(_apply, tuple(answered.values())))]


def _apply(exchanges: Sequence[Exchange], row: Row, identity: Identity) -> Identity:
    for exchange in exchanges:
        identity = exchange.apply(row, identity)
    return identity


class Player:
    """Takes events as a bus takes bytes. Every address that a pack can have is a row, in the order of ``places``."""

    def __init__(self, protocols: Mapping[str, Protocol]) -> None:
        """``protocols`` by the names of the buses."""
        self.places = tuple(
            Place(bus, address) for bus, protocol in protocols.items() for address in (MASTER, *protocol.addresses)
        )
        self.store = Store(len(self.places))
        self._buses = {bus: _Bus(bus, protocol, self.places, self.store) for bus, protocol in protocols.items()}

    def take(self, event: Event) -> None:
        """Take the bytes of one event into the store, through every check that a live bus has."""
        self._buses[event.bus].take(event)

    def finish(self, time: float) -> None:
        """The recording ends at ``time``: nothing more will come."""
        for bus in self._buses.values():
            bus.hearing.hear(b"", time)

    def stats(self, seconds: float) -> tuple[BusStats, ...]:
        """How the buses did in ``seconds`` of the recording."""
        return tuple(bus.counters.snapshot(seconds, bus.baudrate) for bus in self._buses.values())


class _Bus:
    def __init__(self, name: str, protocol: Protocol, places: Sequence[Place], store: Store) -> None:
        members = [
            Member(index, place.address, place.name, expected=False)
            for index, place in enumerate(places)
            if place.bus == name
        ]
        recorder = RecordedEar(protocol)
        ear = protocol.overhear()
        self._recorder = None if ear else recorder
        self.counters = Counters(name, "recording")
        self.baudrate = protocol.line.baudrate
        intake = Intake(name, protocol, members, store, self.counters)
        self.hearing = Hearing(ear or recorder, intake, self.counters)

    def take(self, event: Event) -> None:
        traffic = self.counters.traffic
        if not event.sent:
            traffic.received += len(event.data)
            self.hearing.hear(event.data, event.time)
            return
        traffic.sent += len(event.data)
        self.counters.requests += 1
        if self._recorder:
            self.hearing.take(self._recorder.send(event.data), event.time)
        else:
            self.hearing.hear(event.data, event.time)
