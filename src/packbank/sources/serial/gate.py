"""The one gate to the matrix: an answer is decoded beside the pack's row, judged, stamped and only then put.

Master, listener and replay all hand their answers to it, so nothing that fails a check ever changes a value.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from packbank.bms.protocol import Answer, Protocol, Row, Topic
from packbank.errors import FrameError
from packbank.model.columns import COLUMNS, Column
from packbank.model.identity import Identity
from packbank.sources.serial.statistics import Statistics
from packbank.sources.store import Store

FORGET_AFTER = 60.0  # s of silence, after which a pack may be another one: nothing of it is known any more
DOUBT_AFTER = 10.0  # s of nothing but refusals, after which the last accepted answer itself is in doubt
SAY_SILENT_AFTER = 10.0  # s
NOBODY = -1  # the address of an answer that cannot be attributed

_STAMPS = {Topic.STATUS: Column.STATUS_TIME, Topic.SETTINGS: Column.SETTINGS_TIME}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Member:
    """A pack of this bus: its row in the matrix, its address, its name for people."""

    index: int
    address: int
    name: str
    expected: bool = True  # false: a candidate address that need not answer


def _unknown() -> Row:
    return np.full(COLUMNS, np.nan)


@dataclass(slots=True)
class _Pack:
    member: Member
    row: Row = field(default_factory=_unknown)  # of the last accepted answers
    # What the next answer is judged against: the row, or once all was refused for long the newest refused one, so
    # that one wrong row that passed every check cannot refuse the right ones for ever, and a frozen pack stays out.
    reference: Row = field(default_factory=_unknown)
    identity: Identity = field(default_factory=Identity)
    heard: float | None = None  # when an answer came last, accepted or not
    accepted: float | None = None  # when one was accepted last
    refusal: str = ""  # why the last answer was refused; "" when it was not
    said_silent: bool = False


class Gate:
    """Takes the answers of one bus's packs into the store."""

    def __init__(
        self, bus: str, protocol: Protocol, members: Sequence[Member], store: Store, statistics: Statistics
    ) -> None:
        self._bus = bus
        self._protocol = protocol
        self._store = store
        self._statistics = statistics
        self._packs = {member.address: _Pack(member) for member in members}

    def take(self, answer: Answer) -> bool:
        """Take an answer; false when it was refused, and why is counted.

        Answers from an address that is not ours are refused as well.
        """
        pack = self._packs.get(answer.address)
        if pack is None:
            self._refuse(answer, FrameError("unlisted", f"{answer.address:#04x} is no pack of this bus"))
            return False
        now = answer.arrived
        if pack.heard is None or now - pack.heard > FORGET_AFTER:
            pack.row, pack.reference, pack.identity = _unknown(), _unknown(), Identity()
        pack.heard = now
        row = pack.row.copy()
        try:
            identity = self._decode(answer, row, pack.identity)
            self._protocol.check(row, pack.reference)
        except FrameError as error:
            self._refuse(answer, error)
            if pack.accepted is None or now - pack.accepted > DOUBT_AFTER:
                pack.reference = row
            return False
        self._accept(pack, row, identity, now)
        return True

    def refuse(self, address: int, error: FrameError, data: bytes) -> None:
        """Count an answer whose frame failed a check; ``address`` is :data:`NOBODY` when it is not known."""
        self._statistics.refuse(address, error, self._protocol.conceal(data))
        if pack := self._packs.get(address):
            pack.refusal = str(error)

    def silent(self, address: int, seconds: float) -> None:
        """The pack has given no acceptable answer for ``seconds``: say so once, and why when something was heard."""
        pack = self._packs[address]
        if seconds < SAY_SILENT_AFTER or pack.said_silent:
            return
        if pack.accepted is not None or (pack.refusal and pack.member.expected):
            pack.said_silent = True
            reason = f"; what came was refused: {pack.refusal}" if pack.refusal else ""
            _log.warning("%s: %s (%#04x) does not answer; asked again now and then%s", *self._whom(pack), reason)

    def _decode(self, answer: Answer, row: Row, identity: Identity) -> Identity:
        for question, data in answer.data.items():
            identity = self._protocol.decode(answer.address, question, data, row, identity)
        if answer.topic in _STAMPS:
            row[_STAMPS[answer.topic]] = answer.arrived
        return identity

    def _accept(self, pack: _Pack, row: Row, identity: Identity, now: float) -> None:
        self._statistics.count("answers")
        if pack.said_silent:
            _log.info("%s: %s (%#04x) answers again", *self._whom(pack))
        if identity.serial != pack.identity.serial:
            what = " ".join(text for text in (identity.model, identity.software, identity.serial) if text)
            _log.info("%s: %s (%#04x) is %s", *self._whom(pack), what)
        pack.row = pack.reference = row
        pack.identity, pack.accepted, pack.refusal, pack.said_silent = identity, now, "", False
        self._store.put(pack.member.index, row, identity)

    def _refuse(self, answer: Answer, error: FrameError) -> None:
        self.refuse(answer.address, error, b"".join(answer.data.values()))

    def _whom(self, pack: _Pack) -> tuple[str, str, int]:
        return self._bus, pack.member.name, pack.member.address
