"""Look for packs on a port: ask every address of a protocol once, after making sure that nobody else asks.

Only questions of the protocols are ever sent; on JK PB those are the three triggers, because among their
neighbours at 0x16xx are calibration, presets and the firmware update.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from packbank.bms.protocol import Protocol, Row, Topic
from packbank.errors import FrameError
from packbank.model.columns import CELL_VOLTAGES, COLUMNS, Column
from packbank.model.identity import Identity
from packbank.sources.serial.channel import Channel, Outcome
from packbank.sources.serial.link import Link, open_link
from packbank.sources.serial.pacing import Guard
from packbank.sources.serial.statistics import Statistics

# Readers first; a question to JK PB is formally a write, which no device at another rate can understand.
HARMLESS_ORDER = ("jkbms", "jkpb", "daly", "eg4")
HEAR_FIRST = 1.0  # s: two slots of the slowest JK master

Tell = Callable[[int], None]  # called with each address before it is asked


@dataclass(frozen=True, slots=True)
class Found:
    """A pack that answered; ``response_time`` (s) from the request to the end of its answer."""

    address: int
    identity: Identity
    row: Row
    response_time: float

    @property
    def cells(self) -> int:
        """How many cells its status tells."""
        return int(np.isfinite(self.row[CELL_VOLTAGES]).sum())

    @property
    def voltage(self) -> float:
        """Its voltage, V."""
        return float(self.row[Column.VOLTAGE])


@dataclass(frozen=True, slots=True)
class Scan:
    """What a port has of one protocol; ``overheard`` addresses when another master asks there."""

    port: str
    protocol: str
    found: tuple[Found, ...] = ()
    overheard: tuple[int, ...] = ()


def scan(port: str, protocol: Protocol, tell: Tell) -> Scan:
    """Look for packs of ``protocol`` on ``port``. Raises LinkError when the port cannot be used."""
    statistics = Statistics("scan", port)
    link = open_link(port, protocol.line, statistics)
    try:
        if overheard := _listen(link, protocol):
            return Scan(port, protocol.name, overheard=overheard)
        channel = Channel(link, protocol, Guard(protocol.line), None, statistics)
        found = (_probe(channel, protocol, address, tell) for address in protocol.addresses)
        return Scan(port, protocol.name, tuple(pack for pack in found if pack))
    finally:
        link.close()


def _listen(link: Link, protocol: Protocol) -> tuple[int, ...]:
    """The addresses that another master asks, or that answer it."""
    ear = protocol.overhear()
    if ear is None:
        return ()
    addresses: set[int] = set()
    until = time.monotonic() + HEAR_FIRST
    while (left := until - time.monotonic()) > 0.0:
        addresses.update(heard.address for heard in ear.feed(link.read(left), time.monotonic()))
    return tuple(sorted(addresses))


def _probe(channel: Channel, protocol: Protocol, address: int, tell: Tell) -> Found | None:
    """Ask one address for its status, and if it answers also for what it is."""
    tell(address)
    row, identity = np.full(COLUMNS, np.nan), Identity()
    first, *others = protocol.questions_to(address, Topic.STATUS)
    ways = (_ask(channel, protocol, first, address) for _ in range(protocol.ways_to_ask(address)))
    status = next((outcome for outcome in ways if outcome.answer), None)
    if status is None:
        return None
    answers = [(first, status.answer)]
    more = [*others, *protocol.questions.get(Topic.ABOUT, ())]
    answers += [(question, _ask(channel, protocol, question, address).answer) for question in more]
    try:
        for question, data in answers:
            if data:
                identity = protocol.decode(address, question, data, row, identity)
        protocol.check(row, np.full(COLUMNS, np.nan))
    except FrameError:
        return None
    return Found(address, identity, row, status.response_time)


def _ask(channel: Channel, protocol: Protocol, question: str, address: int) -> Outcome:
    """What becomes of a question; an empty address, where nothing is heard, is asked once."""
    outcome = Outcome()
    for _ in range(2):
        (asked,) = channel.ask([protocol.exchange(question, address)])
        outcome = channel.take(asked)
        if outcome.answer or not outcome.data:
            break
    return outcome
