"""A bus that another host reads: its rows go through the same gate as the answers of a bus of our own."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from math import inf
from typing import Any

import numpy as np

from packbank.bms import trust
from packbank.bms.protocol import Answer, Row, Topic
from packbank.config.values import format_addresses
from packbank.errors import FrameError
from packbank.log_budget import LogBudget
from packbank.model.bus_stats import BusState, BusStats, Trouble
from packbank.model.identity import Identity
from packbank.sources.hosts.peer import Fresh
from packbank.sources.hosts.wire import ERROR, SETTINGS, STATUS, Announcement, PackInfo, PackRow, row_of
from packbank.sources.serial.gate import FORGET_AFTER, NOBODY, Gate, Member
from packbank.sources.serial.statistics import Statistics
from packbank.sources.store import Store

SILENT_AFTER = 5.0  # s without a message: the default HELD_AFTER
STRANGERS = 32  # packs that doctor names, that are not expected
SHOWN = 200  # bytes kept of a message that was refused
BAUDRATE = 9600  # nothing is counted on a line of ours

_log = logging.getLogger(__name__)


class RowReading:
    """Reads what :class:`RemoteBus` makes of messages, as a protocol reads answers."""

    def decode(self, address: int, question: str, data: bytes, row: Row, identity: Identity) -> Identity:
        """Fill ``row`` with the part that ``question`` names."""
        del address
        if question == Topic.ABOUT:
            return Identity(**json.loads(data))
        part = STATUS if question == Topic.STATUS else SETTINGS
        row[part] = np.frombuffer(data[: row.nbytes])[part]
        return identity

    def check(self, row: Row, previous: Row) -> None:
        """As :meth:`packbank.bms.protocol.Protocol.check`."""
        trust.check(row, previous)

    def conceal(self, data: bytes) -> bytes:
        """There is no secret in a row; what is kept for people is cut."""
        return data[:SHOWN]


class RemoteBus:
    """One bus of another host. All methods but :meth:`stats` are called by the host's thread."""

    def __init__(
        self, name: str, port: str, members: Sequence[Member], store: Store, names: Sequence[str], now: float
    ) -> None:
        """``names`` are those of all rows, for people."""
        self.name = name
        self._port = port
        self._members = {member.address: member for member in members}
        self._store = store
        self._names = names
        self._statistics = Statistics(name, port)
        self._gate = Gate(name, RowReading(), members, store, self._statistics)
        self._budget = LogBudget(_log)
        self._began = now
        self.announced: Announcement | None = None  # the last one
        self._to_pass_on: dict[int, PackInfo] = {}  # what was announced and the gate has not got yet
        self._accepted: dict[int, float] = {}  # when each pack's last row arrived
        self._heard = -inf  # when a message with rows came last
        self._strangers: set[int] = set()
        self._twins: dict[int, str] = {}  # by address: how the pack is called that has its serial
        self._report: dict[str, Any] = {}

    def has(self, address: int) -> bool:
        """Whether the pack at ``address`` has a row."""
        return address in self._members

    def admit(self, member: Member) -> None:
        """One more pack has a row from now on."""
        self._members[member.address] = member
        self._gate.admit(member)

    def announce(self, announcement: Announcement, now: float) -> None:
        """Who the packs are, and how they are set."""
        known = {pack.address: pack for pack in (self.announced.packs if self.announced else ())}
        self.announced = announcement
        self._name_strangers(announcement.addresses, now)
        for pack in announcement.packs:
            if pack.address in self._members and pack != known.get(pack.address):
                self._to_pass_on[pack.address] = pack

    def take(self, fresh: Sequence[Fresh], report: dict[str, Any], offset: float, now: float) -> None:
        """New rows; ``offset`` is our clock minus the sender's, s."""
        self._heard, self._report = now, report
        self._name_strangers([one.pack.address for one in fresh], now)
        for one in fresh:
            address = one.pack.address
            if address not in self._members:
                continue
            if one.arrived - self._accepted.get(address, -inf) > FORGET_AFTER and self.announced:
                self._to_pass_on |= {pack.address: pack for pack in self.announced.packs if pack.address == address}
            if info := self._to_pass_on.pop(address, None):
                self._pass_on(info, offset, one.arrived)
            if self._gate.take(Answer(address, Topic.STATUS, {Topic.STATUS: _bytes(one.pack)}, one.arrived)).accepted:
                self._accepted[address] = one.arrived

    def refuse(self, error: FrameError, payload: bytes, now: float) -> None:
        """A message of this bus is not used."""
        self._gate.refuse(NOBODY, error, payload[:SHOWN], now)

    def tend(self, now: float, trouble: str) -> None:
        """Once a second: what is wrong, for log and ``doctor``; ``trouble`` is that of the whole host."""
        silent = now - self._heard
        if silent > SILENT_AFTER:
            trouble = trouble or f"no rows {'yet' if silent == inf else f'for {silent:.0f} s'}"
        else:
            for address, arrived in self._accepted.items():
                self._gate.silent(address, now - arrived, now)
        self._name_twins(now)
        theirs = str(self._report.get(ERROR, ""))
        error = trouble or (f"on {self.name.partition('/')[0]}: {theirs}" if theirs else "")
        self._statistics.enter(BusState.OPENING if trouble else BusState.RECEIVING, error)

    def fail(self, fault: str) -> None:
        """Nothing comes until :meth:`tend` is called again; ``fault`` says why."""
        self._statistics.enter(BusState.OPENING, fault)

    def end(self) -> None:
        """The host's thread has ended."""
        self._statistics.enter(BusState.STOPPED)

    def stats(self, now: float) -> BusStats:
        """What came, and what the sender reports of the bus itself."""
        report = {key: value for key, value in self._report.items() if key != ERROR}
        return replace(self._statistics.snapshot(now - self._began, BAUDRATE), **report)

    def _pass_on(self, info: PackInfo, offset: float, now: float) -> None:
        """Identity first: with another pack's name the settings of the one before are forgotten."""
        about = json.dumps(asdict(info.identity)).encode()
        self._gate.take(Answer(info.address, Topic.ABOUT, {Topic.ABOUT: about}, now))
        if info.read is not None:
            read_at = min(info.read / 1000.0 + offset, now)
            settings = row_of(info.settings).tobytes()
            self._gate.take(Answer(info.address, Topic.SETTINGS, {Topic.SETTINGS: settings}, read_at))

    def _name_strangers(self, addresses: Sequence[int], now: float) -> None:
        """Name those that are not expected, once."""
        new = [one for one in addresses if one not in self._members and one not in self._strangers]
        if not new:
            return
        self._strangers.update(new)
        host, _, bus = self.name.partition("/")
        text = "is sent, and is not expected: it is not used"
        cure = f"add it to PACKS of [host:{host}] ({bus} {{}}), or remove it there"
        for address in new[:STRANGERS]:
            self._statistics.note_trouble(address, Trouble(address, text, cure.format(format_addresses([address]))))
        message = f"{self.name}: {format_addresses(new)} {text}; {cure.format(format_addresses(new))}"
        self._budget.say("strangers", now, logging.WARNING, message)

    def _name_twins(self, now: float) -> None:
        """Name the packs that an earlier row has too."""
        found = {address: self._store.twin(member.index) for address, member in self._members.items()}
        twins = {address: self._names[twin] for address, twin in found.items() if twin is not None}
        if twins == self._twins:
            return
        for address in self._twins.keys() - twins.keys():
            self._statistics.note_trouble(address, None)
        for address, name in twins.items():
            text = f"is the pack that is read as {name}, by its serial number: it is not used"
            trouble = Trouble(address, text, "take it out of one of the two configurations")
            self._statistics.note_trouble(address, trouble)
        new = [f"0x{address:02X} as {name}" for address, name in twins.items() if address not in self._twins]
        self._twins = twins
        if new:
            message = f"{self.name}: not used, since they are read already, by their serial numbers: {', '.join(new)}"
            text = f"{message}; take them out of one of the two configurations"
            self._budget.say("twins", now, logging.WARNING, text)


def _bytes(pack: PackRow) -> bytes:
    """A status with its time: whether a BMS hangs, which would repeat its last bytes, was judged by the sender."""
    return bytes(pack.row.tobytes() + pack.measured.to_bytes(8, "big", signed=True))
