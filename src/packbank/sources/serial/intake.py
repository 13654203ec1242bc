"""The one gate to the matrix: an answer is decoded beside the pack's row, judged, stamped and only then put.

Poller, listener and replay all come through here, so nothing that fails a check ever changes a value.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from packbank.bms.protocol import Protocol, Row, Topic
from packbank.errors import FrameError
from packbank.model.columns import COLUMNS, Column
from packbank.model.identity import Identity
from packbank.sources.serial.stats import Counters
from packbank.sources.store import Store

FORGET_AFTER = 60.0  # s of silence, after which a pack may be another one: nothing of it is known any more
DOUBT_AFTER = 10.0  # s of nothing but refusals, after which the last accepted answer itself is in doubt
SAY_SILENT_AFTER = 10.0  # s

_STAMPS = {Topic.STATUS: Column.STATUS_TIME, Topic.SETTINGS: Column.SETTINGS_TIME}
_log = logging.getLogger(__name__)

Fill = Callable[[Row, Identity], Identity]  # what Exchange.apply does


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
    said_silent: bool = False


class Intake:
    """Takes the answers of one bus's packs into the store."""

    def __init__(
        self, bus: str, protocol: Protocol, members: Sequence[Member], store: Store, counters: Counters
    ) -> None:
        self._bus = bus
        self._protocol = protocol
        self._store = store
        self._counters = counters
        self._packs = {member.address: _Pack(member) for member in members}

    def accept(self, address: int, topic: Topic, fills: Sequence[Fill], now: float, data: bytes = b"") -> bool:
        """Take the answer to ``topic`` that ``fills`` decode; false when it was refused, and why is counted.

        ``data``, the bytes it came in, is kept with a refusal. Answers from an address that is not ours are
        refused as well.
        """
        pack = self._packs.get(address)
        if pack is None:
            self.refuse(address, FrameError("unlisted", f"{address:#04x} is no pack of this bus"), data)
            return False
        if pack.heard is None or now - pack.heard > FORGET_AFTER:
            pack.row, pack.reference, pack.identity = _unknown(), _unknown(), Identity()
        pack.heard = now
        row, identity = pack.row.copy(), pack.identity
        try:
            for fill in fills:
                identity = fill(row, identity)
            if topic in _STAMPS:
                row[_STAMPS[topic]] = now
            self._protocol.check(row, pack.reference)
        except FrameError as error:
            self.refuse(address, error, data)
            if pack.accepted is None or now - pack.accepted > DOUBT_AFTER:
                pack.reference = row
            return False
        self._counters.answers += 1
        self._tell(pack, identity)
        pack.row = pack.reference = row
        pack.identity, pack.accepted = identity, now
        self._store.put(pack.member.index, row, identity)
        return True

    def next_look(self, after: float) -> float:
        """When what was accepted is looked at next, not before ``after``."""
        return self._store.next_look(after)

    def refuse(self, address: int, error: FrameError, data: bytes) -> None:
        """Count an answer that failed a check and keep its bytes without passcodes; ``address`` -1: nobody's."""
        self._counters.refuse(address, error, self._protocol.conceal(data))

    def silent(self, address: int, seconds: float) -> None:
        """The pack has given no acceptable answer for ``seconds``: say so once, and why when something was heard."""
        pack = self._packs[address]
        if seconds < SAY_SILENT_AFTER or pack.said_silent:
            return
        why = self._counters.last_refusal(address, seconds)
        if pack.accepted is not None or (why and pack.member.expected):
            pack.said_silent = True
            reason = f"; what came was refused: {why}" if why else ""
            _log.warning("%s: %s (%#04x) does not answer; asked again now and then%s", *self._whom(pack), reason)

    def _tell(self, pack: _Pack, identity: Identity) -> None:
        if pack.said_silent:
            _log.info("%s: %s (%#04x) answers again", *self._whom(pack))
            pack.said_silent = False
        if identity.serial != pack.identity.serial:
            what = " ".join(text for text in (identity.model, identity.software, identity.serial) if text)
            _log.info("%s: %s (%#04x) is %s", *self._whom(pack), what)

    def _whom(self, pack: _Pack) -> tuple[str, str, int]:
        return self._bus, pack.member.name, pack.member.address
