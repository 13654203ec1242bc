"""Look for packs on a port: ask every address of a protocol, after making sure that nobody else asks.

An address is asked again where something came that was no right answer, and in a second pass where nothing came: on
a busy machine an answer can be missed. Whatever is heard and not identified is part of the result.

Only questions of the protocols are ever sent; on JK PB those are the three triggers, because among their
neighbours at 0x16xx are calibration, presets and the firmware update.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from packbank.bms.protocol import Answer, Protocol, Row, Topic
from packbank.bms.remedies import SHARED, remedy
from packbank.errors import FrameError
from packbank.model.bus_stats import Trouble
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column
from packbank.model.identity import Identity
from packbank.sources.serial.channel import Channel, Outcome
from packbank.sources.serial.link import Link, Timing, open_link
from packbank.sources.serial.pacing import Silence
from packbank.sources.serial.statistics import Statistics

HEAR_FIRST = 1.0  # s: two slots of the slowest JK master
MASTER_CYCLE = 8.0  # s: 32 slots of 220 ms, in which a JK master has asked everybody
HEARD_TRIES = 4  # times that a question is asked while something comes that is no right answer
PATIENCE = 1.5  # s that an answer is waited for where something is not explained
LATE = "look for a second master or a repeater on the bus, for a gateway that holds bytes back; restart the pack"
FAST = 0.2  # s of time-out, up to which addresses where nothing at all was heard are asked again

BeforeAsking = Callable[[int], None]  # called with each address before it is asked


@dataclass(frozen=True, slots=True)
class Found:
    """A pack that answered; ``response_time`` (s) from the request to the end of its answer."""

    address: int
    identity: Identity
    row: Row
    response_time: float

    @property
    def cells(self) -> int:
        """How many cells its status holds."""
        return int(np.isfinite(self.row[CELL_VOLTAGES]).sum())

    @property
    def voltage(self) -> float:
        """Its voltage, V."""
        return float(self.row[Column.VOLTAGE])


@dataclass(frozen=True, slots=True)
class Scan:
    """What a port has of one protocol at one rate.

    ``troubles`` are addresses where something was heard that is no pack as it should be. Where another master asks,
    ``overheard`` are the addresses that answered it and nobody is asked.
    """

    port: str
    protocol: str
    baudrate: int
    found: tuple[Found, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    master: bool = False
    overheard: tuple[int, ...] = ()

    @property
    def gaps(self) -> tuple[int, ...]:
        """Addresses between those found at which nothing was heard."""
        there = [pack.address for pack in self.found]
        heard = {*there, *(trouble.address for trouble in self.troubles)}
        return tuple(address for address in range(min(there), max(there)) if address not in heard) if there else ()


def scan(port: str, protocol: Protocol, before_asking: BeforeAsking) -> Scan:
    """Look for packs of ``protocol`` on ``port`` at the rate of its line. Raises LinkError for a port that fails."""
    statistics = Statistics("scan", port)
    link = open_link(port, protocol.line, statistics)
    try:
        master, overheard = _listen(link, protocol)
        if master:
            return Scan(port, protocol.name, protocol.line.baudrate, master=True, overheard=overheard)
        channel = Channel(link, protocol, Silence(protocol.line), None, statistics, name_after=1)
        results = {address: _probe(channel, protocol, address, before_asking) for address in protocol.addresses}
        if any(results.values()) or protocol.line.first_byte_timeout <= FAST:
            for address, result in results.items():
                if not isinstance(result, Found):
                    results[address] = _probe(channel, protocol, address, before_asking) or result
        if statistics.counted("received"):
            for address in _unexplained(results):
                results[address] = _wait_for(link, protocol, address, before_asking) or results[address]
        found = tuple(result for result in results.values() if isinstance(result, Found))
        troubles = tuple(result for result in results.values() if isinstance(result, Trouble))
        return Scan(port, protocol.name, protocol.line.baudrate, found, troubles)
    finally:
        link.close()


def _unexplained(results: Mapping[int, Found | Trouble | None]) -> list[int]:
    """Addresses that may be those of packs that answer very late: their answers are heard when others are asked."""
    there = [address for address, result in results.items() if isinstance(result, Found)]
    troubled = [address for address, result in results.items() if isinstance(result, Trouble)]
    gaps = [address for address in range(min(there), max(there)) if results.get(address) is None] if there else []
    before = [address - 1 for address in troubled if results.get(address - 1, there) is None]
    return sorted({*gaps, *troubled, *before})


def _wait_for(link: Link, protocol: Protocol, address: int, before_asking: BeforeAsking) -> Trouble | None:
    """Ask one address on a quiet line, and wait for its answer for as long as no daemon does."""
    before_asking(address)
    quiet_by = time.monotonic() + 2.0 * PATIENCE
    while link.read(PATIENCE) and time.monotonic() < quiet_by:
        continue
    question = next(iter(protocol.questions_to(address, Topic.STATUS)))
    exchange = protocol.exchange(question, address)
    start = time.monotonic()
    for reception in link.ask([exchange.request], Timing(look=exchange.answer_time, silence=0.0)):
        exchange.feed(reception.data)
    while not exchange.answer and (left := start + PATIENCE - time.monotonic()) > 0.0:
        exchange.feed(link.read(left))
    took = time.monotonic() - start
    if not exchange.answer or took < protocol.line.first_byte_timeout:
        return None
    return Trouble(address, f"answers, but only after {took:.1f} s", LATE)


def _listen(link: Link, protocol: Protocol) -> tuple[bool, tuple[int, ...]]:
    """Whether another master asks here, and the addresses that answered it."""
    overhearing = protocol.overhear()
    if overhearing is None:
        return False, ()
    addresses: set[int] = set()
    master, start = False, time.monotonic()
    while (left := start + (MASTER_CYCLE if master else HEAR_FIRST) - time.monotonic()) > 0.0:
        data = link.read(left)
        understood = overhearing.feed(data, time.monotonic())
        master = master or bool(understood)
        addresses.update(one.address for one in understood if isinstance(one, Answer))
    return master, tuple(sorted(addresses))


def _probe(channel: Channel, protocol: Protocol, address: int, before_asking: BeforeAsking) -> Found | Trouble | None:
    """Ask one address for its status, and if it answers also for what it is; ``None`` where nothing is heard."""
    before_asking(address)
    questions = iter(protocol.questions_to(address, Topic.STATUS))  # each may depend on the answers before it
    first = next(questions)
    outcomes = [_ask(channel, protocol, first, address)]
    while not outcomes[-1].answer and len(outcomes) < protocol.ways_to_ask(address):
        outcomes.append(_ask(channel, protocol, first, address))
    status = outcomes[-1]
    if not status.answer:
        return _trouble(address, outcomes)
    about = protocol.questions.get(Topic.ABOUT, ())
    answers = [(first, status.answer)]
    answers += [(one, _ask(channel, protocol, one, address).answer) for one in chain(questions, about)]
    row = np.full(COLUMNS, np.nan)
    try:
        identity = _decoded(protocol, address, answers, row)
        protocol.check(row, np.full(COLUMNS, np.nan))
        again = [(one, _ask(channel, protocol, one, address).answer) for one in about if identity.serial]
        other = _decoded(protocol, address, again, row.copy())
    except FrameError as error:
        return Trouble(address, f"answers, but is refused ({error})", remedy(error.reason))
    if identity.serial and other.serial and other.serial != identity.serial:
        text = f"two packs answer at this address: {identity.serial} and {other.serial}"
        return Trouble(address, text, SHARED)
    return Found(address, identity, row, status.response_time)


def _decoded(protocol: Protocol, address: int, answers: list[tuple[str, bytes]], row: Row) -> Identity:
    identity = Identity()
    for question, data in answers:
        if data:
            identity = protocol.decode(address, question, data, row, identity)
    return identity


def _trouble(address: int, outcomes: list[Outcome]) -> Trouble | None:
    """What was heard instead of an answer; ``None``: nothing."""
    refused = [error for outcome in outcomes for error in outcome.refused]
    if refused:
        return Trouble(address, f"answers, but is refused ({refused[-1]})", remedy(refused[-1].reason))
    if any(outcome.heard for outcome in outcomes):
        why = "two packs at this address, bad wiring, or another protocol"
        return Trouble(address, "sends bytes that are no answer", why)
    return None


def _ask(channel: Channel, protocol: Protocol, question: str, address: int) -> Outcome:
    """What becomes of a question, the last that was heard; an empty address, where nothing is heard, is asked once."""
    outcome = Outcome()
    for _ in range(HEARD_TRIES):
        (asked,) = channel.ask([protocol.exchange(question, address)])
        last = channel.take(asked)
        if last.answer or last.data:
            outcome = last
        if last.answer or not last.data:
            break
    return outcome
