"""What the messages of one host become: rows of its packs in the store. It has no connection and no thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from packbank.config.model import HostConfig
from packbank.config.values import format_host_packs
from packbank.log_budget import LogBudget
from packbank.model.bus_stats import BusStats
from packbank.model.identity import ANY, Place
from packbank.mqtt.received import Received
from packbank.sources.hosts import decode, wire
from packbank.sources.hosts.peer import Peer
from packbank.sources.hosts.remote import RemoteBus
from packbank.sources.hosts.wire import Announcement, Topics, WireError
from packbank.sources.serial.capture import Ear
from packbank.sources.serial.gate import Member
from packbank.sources.store import Store

TEND = 1.0  # s
SAY_AFTER = 3.0  # s that something must last: at a start all of it is wrong for a moment
_QUIET = frozenset({"boot", "duplicate"})  # happen at each start of a sender; counted, not logged

_log = logging.getLogger(__name__)


class Receiver:
    """The packs of one host. All methods but :meth:`stats` and :meth:`retained` are called by one thread."""

    def __init__(
        self,
        config: HostConfig,
        members: Mapping[str, Sequence[Member]],
        store: Store,
        names: Sequence[str],
        clock: Callable[[], float],
    ) -> None:
        """``members`` are its packs by the name of their bus there, ``names`` those of all rows.

        Under :data:`ANY` are rows without a pack: of a host that the configuration lists no packs of, those that it
        announces later get them.
        """
        self.name = config.name
        self.topics = Topics(config.mqtt.bank, config.name)
        self.peer = Peer()
        self.ear: Ear | None = None  # is given every message
        self._config = config
        self._store = store
        self._names = list(names)
        self._clock = clock
        self._spare = [member.index for member in members.get(ANY, ())]
        self._buses = {bus: self._bus(bus, packs) for bus, packs in members.items() if bus != ANY}
        self._nobody = self._bus(ANY, ())  # is shown where there is no bus yet
        self._announced: dict[str, Announcement] = {}  # by bus, of a host without a list
        self._budget = LogBudget(_log)
        self._now, self._since, self._said = "", 0.0, ""  # what is wrong, since when, and what was said of it
        self._early: list[float] = []  # s between rows in the store and the bank's next look, since the last word

    def take(self, message: Received) -> None:
        """Use a message, or count why it is not used; never raises for what a message can say."""
        kind, name = self.topics.parse(message.topic)
        if kind and self.ear:
            self.ear(f"{kind}/{name}" if name else kind, message)
        bus = self._buses.get(name)
        try:
            if kind == "state":
                self.peer.hear(decode.state(message.payload))
                self._admit(message.time)
            elif kind == "packs" and (bus or not self._config.listed):
                self._announce(name, decode.packs(message.payload), message.time)
            elif kind == "bus" and bus:
                self._take_rows(bus, name, message)
            elif kind and self._config.listed:
                self._say("bus", f"bus {name} is sent, and PACKS of [host:{self.name}] does not name it")
        except WireError as error:
            for one in [bus] if bus else self._shown:
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
        for bus in self._shown:
            bus.tend(now, trouble)

    def fail(self, fault: str) -> None:
        """No messages are taken until :meth:`tend` is called again; ``fault`` says why."""
        for bus in self._shown:
            bus.fail(fault)

    def end(self) -> None:
        """No more messages come."""
        for bus in self._shown:
            bus.end()

    def stats(self, now: float) -> tuple[BusStats, ...]:
        """How its buses are doing."""
        return tuple([bus.stats(now) for bus in self._shown])

    def retained(self) -> list[tuple[str, bytes]]:
        """What it has announced last, by topic: rows cannot be used without it."""
        state = [("state", self.peer.state.encode().encode())] if self.peer.state else []
        buses = [(name, bus.announced) for name, bus in self._buses.items()]
        return state + [(f"packs/{name}", one.encode().encode()) for name, one in buses if one]

    def look(self) -> str | None:
        """For the sender: how early its rows have come since the last call; ``None`` when none have."""
        early, self._early = self._early, []
        return wire.encode_look(self.peer.state.boot, median(early)) if early and self.peer.state else None

    @property
    def _shown(self) -> Sequence[RemoteBus]:
        return tuple(self._buses.values()) or (self._nobody,)

    def _bus(self, bus: str, packs: Sequence[Member]) -> RemoteBus:
        port = f"{self._config.mqtt.broker}, host {self.name}"
        return RemoteBus(f"{self.name}/{bus}", port, packs, self._store, self._names, self._clock())

    def _trouble(self, connected: bool, now: float) -> str:
        state = self.peer.state
        if not connected:
            return f"no connection to {self._config.mqtt.broker}"
        if two := self.peer.trouble(now):
            return two
        if state is None:
            return (
                f"nothing from it yet: start 'packbank forward' there with HOST = {self.name} and "
                f"BANK = {self._config.mqtt.bank}"
            )
        return "" if state.up else "it has ended, or lost its connection"

    def _take_rows(self, bus: RemoteBus, name: str, message: Received) -> None:
        rows = decode.rows(message.payload)
        fresh = self.peer.take(name, rows, message.time, retained=message.retained)
        offset = self.peer.offset()
        if offset is not None:
            bus.take(fresh, dict(rows.report), offset, message.time)
        if 0.0 <= (early := self._store.next_read - self._clock()) <= TEND:
            self._early.append(early)

    def _announce(self, name: str, announcement: Announcement, now: float) -> None:
        if not self._config.listed:
            if len(self._announced) >= wire.BUSES:
                its = self.peer.state.buses if self.peer.state else ()
                self._announced = {bus: one for bus, one in self._announced.items() if bus in its}
            self._announced[name] = announcement
            self._admit(now)
        if bus := self._buses.get(name):
            bus.announce(announcement, now)

    def _admit(self, now: float) -> None:
        """Give rows to packs that a host without a list has announced; what an earlier start of it announced is old."""
        state = self.peer.state
        if self._config.listed or state is None:
            return
        current = {bus: one for bus, one in self._announced.items() if bus in state.buses and one.boot == state.boot}
        packs = tuple((bus, current[bus].addresses) for bus in state.buses if bus in current and current[bus].packs)
        left = sum([not self._give_row(bus, address) for bus, addresses in packs for address in addresses])
        for bus, _ in packs:
            if bus in self._buses:
                self._buses[bus].announce(current[bus], now)
        if not packs or len(current) < len(state.buses) or self._store.announced.get(self.name) == packs:
            return
        self._store.announced[self.name] = packs
        text = f"announces its packs; to be warned of others, put PACKS = {format_host_packs(packs)} into"
        self._say("packs", f"{text} [host:{self.name}]", logging.INFO)
        if left:
            self._say("left", f"{left} of them have no room in the bank until packbank starts again")

    def _give_row(self, bus: str, address: int) -> bool:
        """Have a row for this pack; false when there is none left."""
        if bus in self._buses and self._buses[bus].has(address):
            return True
        if not self._spare:
            return False
        index, place = self._spare.pop(0), Place(f"{self.name}/{bus}", address)
        self._names[index] = place.title
        self._store.settle(index, place)
        if bus not in self._buses:
            self._buses = {**self._buses, bus: self._bus(bus, ())}  # a new dict: the main loop reads the old one
        self._buses[bus].admit(Member(index, address, place.title, expected=False))
        return True

    def _say(self, subject: str, text: str, level: int = logging.WARNING) -> None:
        self._budget.say(subject, self._clock(), level, f"{self.name}: {text}")
