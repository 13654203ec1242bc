"""The one gate to the matrix: an answer is judged by the record of its pack and only then put into the store.

Master, listener and replay all hand their answers to it, so nothing that fails a check ever changes a value. It also
says what is heard: a pack that answers but is refused, or two packs at one address, is named with its remedy.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from packbank.bms.protocol import Answer, Reading, Topic
from packbank.bms.remedies import SHARED, remedy
from packbank.errors import FrameError
from packbank.log_budget import LogBudget
from packbank.model.bus_stats import Trouble
from packbank.model.identity import Identity
from packbank.sources.serial.record import Record
from packbank.sources.serial.statistics import Statistics
from packbank.sources.store import Store

FORGET_AFTER = 60.0  # s of silence, after which a pack may be another one: nothing of it is known any more
SAY_SILENT_AFTER = 10.0  # s
SAY_REFUSED_AFTER = 5.0  # s of refusals without an accepted answer: before the pack is lost
SAY_REFUSED = 3  # of them at least
SAY_CLOCKLESS_AFTER = 60.0  # s
NOBODY = -1  # the address of an answer that cannot be attributed

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Member:
    """A pack of this bus: its row in the matrix, its address, its name for people."""

    index: int
    address: int
    name: str
    expected: bool = True  # false: a candidate address that need not answer
    inverted: bool = False  # its BMS reports a charging current as a discharging one


class Verdict(NamedTuple):
    """Whether an answer was accepted, and what should be read again at once."""

    accepted: bool
    reread: tuple[Topic, ...] = ()


@dataclass(slots=True)
class _Pack:
    member: Member
    record: Record
    heard: float = -inf  # when an answer came last, accepted or not
    serial: str = ""
    ever: bool = False  # it gave an acceptable answer
    refused_since: float = inf  # without an accepted answer
    refused_at: float = -inf
    refusals: int = 0  # since then
    refusal: FrameError | None = None  # the last of them
    trouble: Trouble | None = None
    said_silent: bool = False
    said_clockless: bool = False


class Gate:
    """Takes the answers of one bus's packs into the store."""

    def __init__(
        self, bus: str, protocol: Reading, members: Sequence[Member], store: Store, statistics: Statistics
    ) -> None:
        self._bus = bus
        self._protocol = protocol
        self._store = store
        self._statistics = statistics
        self._budget = LogBudget(_log)
        self._packs: dict[int, _Pack] = {}
        for member in members:
            self.admit(member)

    def admit(self, member: Member) -> None:
        """Take this pack's answers too."""
        self._packs[member.address] = _Pack(member, self._fresh(member))

    def take(self, answer: Answer) -> Verdict:
        """Take an answer; when it is refused, why is counted.

        Answers from an address that is not ours are refused as well.
        """
        data, pack = b"".join(answer.data.values()), self._packs.get(answer.address)
        if pack is None:
            error = FrameError("unlisted", f"{answer.address:#04x} is no pack of this bus")
            self.refuse(answer.address, error, data, answer.arrived)
            return Verdict(accepted=False)
        if answer.arrived - pack.heard > FORGET_AFTER:
            pack.record = self._fresh(pack.member)
        pack.heard = max(pack.heard, answer.arrived)
        judgement = pack.record.judge(answer)
        if judgement.row is None or judgement.identity is None:
            self.refuse(answer.address, judgement.error or FrameError("unknown"), data, answer.arrived)
            return Verdict(False, judgement.reread)
        self._statistics.count("answers")
        self._note_accepted(pack, judgement.identity, judgement.warning, answer.arrived)
        self._store.put(pack.member.index, judgement.row, judgement.identity)
        return Verdict(True, judgement.reread)

    def refuse(self, address: int, error: FrameError, data: bytes, now: float) -> None:
        """Count an answer that failed a check at ``now``; ``address`` is :data:`NOBODY` when it is not known."""
        self._statistics.refuse(address, error, self._protocol.conceal(data))
        if pack := self._packs.get(address):
            pack.refused_since = min(pack.refused_since, now)
            pack.refused_at, pack.refusal = now, error
            pack.refusals += 1
            self._note_trouble(pack, now)

    def silent(self, address: int, seconds: float, now: float) -> None:
        """The pack has given no acceptable answer for ``seconds``: say so once, unless it is heard all the same."""
        pack = self._packs[address]
        heard = now - pack.refused_at < SAY_SILENT_AFTER
        if seconds >= SAY_SILENT_AFTER and pack.ever and not heard and not pack.said_silent:
            pack.said_silent = True
            self._say(pack, "silent", now, logging.WARNING, "does not answer; asked again now and then")

    def note_stranger(self, address: int, now: float, *, answers: bool) -> None:
        """Name a pack that ``answers`` at an address that no member has, or that it does not any more."""
        if not answers:
            self._statistics.note_trouble(address, None)
            return
        trouble = Trouble(address, "a pack answers that the configuration does not have", remedy("unlisted"))
        self._statistics.note_trouble(address, trouble)
        message = f"{self._bus}: {address:#04x}: {trouble.text}; {trouble.remedy}"
        self._budget.say(f"stranger {address}", now, logging.WARNING, message)

    def _fresh(self, member: Member) -> Record:
        return Record(self._protocol, inverted=member.inverted)

    def _note_accepted(self, pack: _Pack, who: Identity, warning: str, now: float) -> None:
        if pack.said_silent:
            self._say(pack, "back", now, logging.INFO, "answers again")
        if warning:
            self._say(pack, "warning", now, logging.WARNING, warning)
        if who.serial != pack.serial:
            what = " ".join(text for text in (who.model, who.software, who.serial) if text)
            self._say(pack, "identity", now, logging.INFO, f"is {what}")
        if not pack.said_clockless and pack.record.clockless(SAY_CLOCKLESS_AFTER):
            pack.said_clockless = True
            self._say(pack, "clock", now, logging.INFO, "this firmware has no clock; a BMS that hangs is noticed later")
        pack.serial, pack.ever, pack.said_silent = who.serial, True, False
        pack.refused_since, pack.refusals, pack.refusal = inf, 0, None
        if pack.trouble or pack.record.shared:
            self._note_trouble(pack, now)

    def _note_trouble(self, pack: _Pack, now: float) -> None:
        """Name what is wrong with a pack that is heard."""
        address, trouble = pack.member.address, None
        if pack.record.shared:
            trouble = Trouble(address, "two packs answer at this address", SHARED)
        elif pack.refusal and pack.refusals >= SAY_REFUSED and now - pack.refused_since >= SAY_REFUSED_AFTER:
            trouble = Trouble(address, f"answers, but is refused ({pack.refusal})", remedy(pack.refusal.reason))
        if trouble and (pack.trouble is None or trouble.remedy != pack.trouble.remedy):
            self._say(pack, trouble.remedy, now, logging.WARNING, f"{trouble.text}: {trouble.remedy}")
        if trouble != pack.trouble:
            self._statistics.note_trouble(address, trouble)
        pack.trouble = trouble

    def _say(self, pack: _Pack, subject: str, now: float, level: int, text: str) -> None:
        member = pack.member
        message = f"{self._bus}: {member.name} ({member.address:#04x}) {text}"
        self._budget.say(f"{subject} {member.address}", now, level, message)
