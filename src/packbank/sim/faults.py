"""What goes wrong on real buses, as data: a fault has a name, a number, the packs it befalls, and its time.

:data:`FAULTS` is the table of all of them. Faults of answers (``fault_answers.py``) damage what goes out, faults of
packs (``fault_packs.py``) change who answers and what it says, faults of a bus need the wire: an echo is heard while a
request is sent, a second master speaks unasked, an unplugged port is gone.

A fault is written ``[FROM[-TO]:]NAME[=NUMBER][@[BUS/][ADDRESS]][,of=TOPIC][,count=N]``: ``late=0.1@2/0x03``,
``echo=1``, ``unplug@1/``, ``silence=1@3,of=settings,count=1``, ``30-42: silence=1@3``. A file of such lines is a
schedule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Any

from packbank.bms import registry
from packbank.bms.protocol import Topic
from packbank.errors import ConfigError
from packbank.sim.fault_answers import ANSWER_FAULTS
from packbank.sim.fault_packs import PACK_FAULTS
from packbank.sim.responder import Burst
from packbank.sim.wire import Question, Wire, WirePack
from packbank.sim.wire_master import SecondMaster

DEFAULT_RATE = 0.1
BEFORE = 32  # answers among which one that goes astray is found
UNPLUG_PERIOD = 4.0  # s from one removal to the next
SPELLING = "[FROM[-TO]:]NAME[=NUMBER][@[BUS/][ADDRESS]][,of=TOPIC][,count=N]"

End = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """The fault ``name`` with its number: a rate (of answers, requests, slots, time) unless its kind says else.

    ``bus`` and ``address`` are those it befalls, ``None``: all. ``begin`` and ``end`` are seconds of the simulation.
    Of the answers it befalls only those about ``topic`` and only the first ``count``.
    """

    name: str
    number: float = DEFAULT_RATE
    bus: int | None = None  # from 1
    address: int | None = None
    begin: float = 0.0
    end: float = inf
    topic: Topic | None = None
    count: float = inf


class AnswerFault:
    """A fault of the answers of a bus (a :data:`~packbank.sim.wire.Distortion`)."""

    def __init__(self, fault: Fault, random: Random) -> None:
        self._fault = fault
        self._left = fault.count
        self._random = random

    def __call__(self, question: Question, bursts: list[Burst]) -> list[Burst]:
        """``bursts`` as they go out."""
        fault = self._fault
        meant = fault.address in (None, question.address) and fault.topic in (None, question.topic)
        if not (bursts and meant and self._left > 0 and self._random.random() < fault.number):
            return bursts
        self._left -= 1
        return self._damaged(bursts)

    def _damaged(self, bursts: list[Burst]) -> list[Burst]:
        return ANSWER_FAULTS[self._fault.name](bursts, self._random)


class Astray(AnswerFault):
    """An answer that was given before comes instead: another pack's, or to another question."""

    def __init__(self, fault: Fault, random: Random) -> None:
        super().__init__(fault, random)
        self._before: deque[list[Burst]] = deque(maxlen=BEFORE)

    def __call__(self, question: Question, bursts: list[Burst]) -> list[Burst]:
        """As :meth:`AnswerFault.__call__`."""
        changed = super().__call__(question, bursts)
        if bursts:
            self._before.append(bursts)
        return changed

    def _damaged(self, bursts: list[Burst]) -> list[Burst]:
        return self._random.choice(self._before) if self._before else bursts


class Echoing:
    """An adapter that leaves its receiver on while it sends (a :data:`~packbank.sim.wire.Echo`)."""

    def __init__(self, rate: float, random: Random) -> None:
        self._rate = rate
        self._random = random

    def __call__(self, request: bytes) -> bytes:
        """The request, or its last bytes when the receiver wakes up late, or nothing."""
        if self._random.random() >= self._rate:
            return b""
        return request[self._random.randrange(len(request)) :] if self._random.random() < 0.5 else request


class Unplug:
    """An adapter that is removed and comes back (a :class:`~packbank.sim.wire.Talker`)."""

    def __init__(self, rate: float, start: float) -> None:
        self.due = start + UNPLUG_PERIOD * (1 - rate)
        self._absent = UNPLUG_PERIOD * rate

    def speak(self, now: float, wire: Wire) -> None:
        """Remove the adapter, or bring it back."""
        wire.connected = not wire.connected
        self.due = now + (UNPLUG_PERIOD - self._absent if wire.connected else self._absent)


def _put(items: list[Any], item: object) -> End:
    """Add an item; the result removes it."""
    items.append(item)
    return lambda: items.remove(item)


def _damage(fault: Fault, wire: Wire, _start: float, random: Random) -> End:
    return _put(wire.distortions, AnswerFault(fault, random))


def _astray(fault: Fault, wire: Wire, _start: float, random: Random) -> End:
    return _put(wire.distortions, Astray(fault, random))


def _change(fault: Fault, wire: Wire, start: float, random: Random) -> End:
    make = PACK_FAULTS[fault.name].change(fault.number, start, random)

    def change(now: float, pack: WirePack) -> list[WirePack]:
        return make(now, pack) if fault.address in (None, pack.responder.address) else [pack]

    return _put(wire.changes, change)


def _echo(fault: Fault, wire: Wire, _start: float, random: Random) -> End:
    """The adapter hears its own requests, whole or the last bytes of them."""
    return _put(wire.echoes, Echoing(fault.number, random))


def _second_master(fault: Fault, wire: Wire, start: float, random: Random) -> End:
    """Somebody else asks the packs of this bus, a request in each slot of 220 ms."""
    protocol = registry.protocol(wire.family)
    question = protocol.questions[Topic.STATUS][0]
    requests = [protocol.exchange(question, pack.responder.address).request for pack in wire.packs]
    return _put(wire.talkers, SecondMaster(requests, fault.number, start, random))


def _unplug(fault: Fault, wire: Wire, start: float, _random: Random) -> End:
    """The adapter is unplugged and comes back, every 4 s; the rate is the part of the time it is gone."""
    remove = _put(wire.talkers, Unplug(fault.number, start))

    def end() -> None:
        remove()
        wire.connected = True

    return end


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: how it begins (the result ends it), what it is, and what its number may be."""

    start: Callable[[Fault, Wire, float, Random], End]
    meaning: str
    default: float = DEFAULT_RATE
    least: float = 0.0
    most: float = 1.0  # equal to least: it takes no number
    damages: bool = False  # answers, so it may be of a topic and be counted
    whole_bus: bool = False


BUS_FAULTS: Mapping[str, Kind] = {
    "echo": Kind(_echo, _echo.__doc__ or "", whole_bus=True),
    "second-master": Kind(_second_master, _second_master.__doc__ or "", whole_bus=True),
    "unplug": Kind(_unplug, _unplug.__doc__ or "", whole_bus=True),
}
FAULTS: Mapping[str, Kind] = {
    **{name: Kind(_damage, distort.__doc__ or "", damages=True) for name, distort in ANSWER_FAULTS.items()},
    "astray": Kind(_astray, Astray.__doc__ or "", damages=True),
    **{name: Kind(_change, kind.meaning, kind.default, kind.least, kind.most) for name, kind in PACK_FAULTS.items()},
    **BUS_FAULTS,
}


def parse_fault(text: str) -> Fault:
    """A fault from its spelling; ConfigError says what is wrong with it."""
    when, colon, what = text.strip().rpartition(":")
    what, *options = what.split(",")
    what, _, where = what.partition("@")
    name, _, number = what.strip().partition("=")
    bus, slash, address = where.strip().rpartition("/")
    if name not in FAULTS:
        raise ConfigError(f"fault {text!r}: there is no {name!r}; faults are {', '.join(FAULTS)}")
    try:
        begin, dash, end = when.partition("-")
        topic, count = _options(options)
        fault = Fault(
            name,
            float(number) if number else FAULTS[name].default,
            int(bus, 0) if slash else None,
            int(address, 0) if address else None,
            begin=float(begin) if colon else 0.0,
            end=float(end) if dash else inf,
            topic=topic,
            count=count,
        )
    except ValueError as error:
        raise ConfigError(f"fault {text!r}: {error}; write {SPELLING}, e.g. 30-60: late=0.1@2/0x03") from None
    for complaint in _complaints(fault, bool(number)):
        raise ConfigError(f"fault {text!r}: {complaint}")
    return fault


def _options(texts: Iterable[str]) -> tuple[Topic | None, float]:
    """The topic of ``of=TOPIC`` and the count of ``count=N``; ValueError."""
    options = dict(text.strip().partition("=")[::2] for text in texts)
    topic, count = options.pop("of", None), options.pop("count", None)
    for key in options:
        raise ValueError(f"{key!r} is neither of=TOPIC nor count=N")
    return Topic(topic) if topic else None, int(count) if count else inf


def _complaints(fault: Fault, numbered: bool) -> Iterator[str]:
    """What is wrong with a fault that was read."""
    kind = FAULTS[fault.name]
    if numbered and kind.least == kind.most:
        yield f"{fault.name} takes no number"
    if not kind.least <= fault.number <= kind.most:
        yield f"{fault.number:g} is not between {kind.least:g} and {kind.most:g}"
    if fault.address is not None and kind.whole_bus:
        yield f"{fault.name} befalls a whole bus; write {fault.name}@BUS/ or {fault.name}"
    if not kind.damages and (fault.topic or fault.count != inf):
        damaging = ", ".join(name for name, other in FAULTS.items() if other.damages)
        yield f"of= and count= are for faults that damage answers: {damaging}"
    if fault.count < 1:
        yield f"count={fault.count:g}: write 1 or more"
    if not 0 <= fault.begin < fault.end:
        yield f"it ends at {fault.end:g} s and begins at {fault.begin:g} s; write FROM-TO, e.g. 30-60"


def parse_schedule(text: str) -> list[Fault]:
    """The faults of a schedule, one a line; empty lines and what follows ``#`` are left out. ConfigError."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [parse_fault(line) for line in lines if line]


class Timed:
    """A fault that waits for its time, and ends at its time (a :class:`~packbank.sim.wire.Talker`)."""

    def __init__(self, fault: Fault, start: float, random: Random) -> None:
        self.due = start + fault.begin
        self._fault = fault
        self._until = start + fault.end
        self._random = random
        self._end: End | None = None

    def speak(self, now: float, wire: Wire) -> None:
        """Begin the fault, or end it."""
        if self._end is None:
            self._end = FAULTS[self._fault.name].start(self._fault, wire, now, self._random)
            self.due = self._until
        else:
            self._end()
            self.due = inf


def afflict(wire: Wire, bus: int, faults: Iterable[Fault], start: float, random: Random) -> None:
    """Let the faults that name bus ``bus`` (from 1), or no bus, befall ``wire``; their times count from ``start``."""
    for fault in faults:
        if fault.bus in (None, bus):
            timed = Timed(fault, start, random)
            if fault.begin <= 0.0:
                timed.speak(start, wire)
            if timed.due < inf:
                wire.talkers.append(timed)


def heal(wire: Wire) -> None:
    """End every fault of ``wire``."""
    wire.changes.clear()
    wire.distortions.clear()
    wire.echoes.clear()
    wire.talkers.clear()
    wire.connected = True
